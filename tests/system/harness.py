"""A private inkod, clients for it, and the check that nothing of it is left afterwards.

INKO_BUILD names the build directory that the programs stand in.
"""

import base64
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("INKO_BUILD", SOURCE / "build")).resolve()
ACTORS = BUILD / "tests" / "system" / "actors"
LOAD = BUILD / "tests" / "bench" / "load"
INTERFACE = "io.inkod.Supervisor"
PYTHON = "/usr/bin/python3"

# A sanitizer's own memory is not inkod's.
SANITIZED = (BUILD / "inkod").exists() and b"libasan" in (BUILD / "inkod").read_bytes()

# What may take any time on a busy machine but must come: no test waits for less than that.
DEADLINE = 30
# Of a program that has a mailbox and never looks into it: when it is stopped nobody waits for that.
BRIEF = {"drainUSec": 1000}


def wait_until(condition, timeout=DEADLINE, what=""):
    """Waits until condition() is true and returns what it returned; what (text, or a function
    that returns it) says what did not come."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def process_state(pid):
    """R, S, Z and so on, as in proc(5); X when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def alive(pid):
    """Is there such a process, and not only its remains?"""
    return process_state(pid) not in "ZX"


def command_name(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def list_descriptors(pid):
    """What they lead to. Some may be closed while one looks."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_nanoseconds(pid):
    """What all threads of the process have used, by the scheduler's own count."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[0])
    return total


def fnv1a(data):
    """The hash that the recorder writes of a message."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


class VarlinkError(Exception):
    def __init__(self, error, parameters):
        super().__init__(f"{error}: {parameters}")
        self.error = error
        self.parameters = parameters


class Varlink:
    """A client that knows nothing of inko's own: a JSON object and a zero byte each way."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, method, parameters=None, **more):
        call = {"method": method if "." in method else f"{INTERFACE}.{method}", **more}
        if parameters is not None:
            call["parameters"] = parameters
        self.send_bytes(json.dumps(call).encode() + b"\0")

    def receive(self):
        """The next reply as it came, or None when the server has closed the connection."""
        while b"\0" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self.buffer, f"half a reply: {self.buffer[:200]}"
                return None
            self.buffer += data
        frame, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(frame)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        reply = self.receive()
        if reply is None:
            raise ConnectionResetError("no reply")
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {})


def http_get(port=None, path=None, timeout=DEADLINE, host="127.0.0.1"):
    """The body of the answer to one request, or an OSError."""
    if path is not None:
        client = socket.socket(socket.AF_UNIX)
        address = str(path)
    else:
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        address = (host, port)
    with client:
        client.settimeout(timeout)
        client.connect(address)
        client.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), f"not an answer: {answer[:200]}"
    return body.decode()


def curl(*arguments, check=True):
    """What a person sees of it. Returns the body."""
    result = subprocess.run(
        ["curl", "-sS", "--max-time", str(DEADLINE), *map(str, arguments)],
        capture_output=True, text=True, timeout=DEADLINE + 10)
    if check:
        assert result.returncode == 0, result.stderr
        return result.stdout
    return result


def free_port():
    """One that no client is given by the kernel either: below ip_local_port_range."""
    for port in random.sample(range(10_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class Load:
    """Clients that run beside the test; report() waits for them."""

    def __init__(self, port, *, clients=64, connections=0, until_stopped=False, timeout=60,
                 sources=16):
        command = [str(LOAD), "--port", str(port), "--clients", str(clients),
                   "--connections", str(connections), "--timeout", str(timeout),
                   "--sources", str(sources)]
        self.until_stopped = until_stopped
        if until_stopped:
            command.append("--until-signal")
        # Inherited, so that a stop that comes too early waits until the load looks for it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def running(self):
        return self.process.poll() is None

    def report(self, timeout=180):
        """Ends what runs until it is stopped, and says what became of each connection."""
        if self.until_stopped:
            self.process.terminate()
        output, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, f"the load itself failed: {output[:2000]}"
        return json.loads(output)

    def end(self):
        if self.running():
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def assert_all_answered(report, at_least=1):
    assert report["answered"] == report["connections"], report
    assert report["answered"] >= at_least, report


def uninstalled(text):
    """The service unit, with the program that was just built."""
    replaced, n = re.subn(r"(?m)^ExecStart=\S+/inkod\b", f"ExecStart={BUILD}/inkod", text)
    assert n == 1, text
    return replaced


# inkod under a filter of seccomp(2), as if on a kernel before 6.15: nobody but the parent is told
# how a process ended. ioctl(PIDFD_GET_INFO), whose argument 1 is at 24, is ENOTTY (25).
WITHOUT_PIDFD_INFO = f"""#!/usr/bin/python3
import ctypes, os, struct, sys
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, {{"x86_64": 16, "aarch64": 29}}[os.uname().machine]),
         (0x20, 0, 0, 24), (0x15, 0, 1, 0xC040FF0B), (6, 0, 0, 0x50000 | 25), (6, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
program = struct.pack("@HP", len(steps), ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv("{BUILD}/inkod", sys.argv)
"""


def without_pidfd_info(directory):
    """Programs for an inkod on such a kernel: how a child of the keeper's ended, that one tells."""
    program = directory / "inkod"
    program.write_text(WITHOUT_PIDFD_INFO)
    program.chmod(0o755)
    return directory


def programs_on_this_kernel(_):
    """Programs for an inkod that is told all that this kernel tells."""
    return BUILD


class Inkod:
    def __init__(self, programs=BUILD, **environment):
        self.programs = programs
        # What check_log lets pass in a test that brings it about.
        self.tolerated = "$^"
        # Short, since the paths of sockets in it may have 108 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="ik-", dir="/tmp"))
        # Actors of other users, inkod's own among them, pass through it.
        self.directory.chmod(0o711)
        self.runtime = self.directory / "r"
        self.log = self.directory / "inkod.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "INKO_RUNTIME_DIR": str(self.runtime),
            **environment,
        }
        self.keeper = None
        self.loads = []

    # The daemon

    def start(self, *options):
        self.begin(*options)
        wait_until(self.answers, what="inkod answers")

    def begin(self, *options):
        """The same without waiting until it answers."""
        with open(self.log, "ab") as log:
            self.keeper = subprocess.Popen(
                [str(self.programs / "inkod"), *options], env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def answers(self):
        assert self.keeper.poll() is None, f"inkod ended: {self.log.read_text()}"
        try:
            with self.varlink(timeout=DEADLINE) as control:
                return control.call("GetStatus")
        except (FileNotFoundError, ConnectionError):
            return None

    def stop(self):
        """As an operator stops it. It must end by itself, with everything that it started."""
        if self.keeper.poll() in (None, 0):
            self.keeper.send_signal(signal.SIGTERM)
            return self.keeper.wait(timeout=DEADLINE)
        # Another took over that is nobody's child.
        pid = wait_until(self.keeper_pid, what="there is a keeper")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), what="inkod has ended")
        wait_until(lambda: not self.processes(), what=lambda: f"all ended: {self.processes()}")
        return 0

    def varlink(self, timeout=60):
        return Varlink(self.runtime / INTERFACE, timeout)

    def call(self, method, parameters=None, timeout=60):
        with self.varlink(timeout) as control:
            return control.call(method, parameters)

    def begin_call(self, method, parameters):
        """Calls without waiting for the answer, which comes on the connection that is returned."""
        control = self.varlink()
        control.send(method, parameters)
        return control

    def processes(self):
        """Everything that was started under this inkod, by the environment it was given."""
        mark = f"INKO_RUNTIME_DIR={self.runtime}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = command_name(entry.name)
        return found

    def check_log(self):
        """None of inkod's own processes may have ended by itself, and nothing may have crashed:
        all of them are started again, so that a test alone would not notice."""
        log = self.log.read_text()
        wrong = [r"^\S+ inkod: inko-supervisor .*exited", r"killed by SIG(?!KILL|TERM)",
                 r"ERROR: \w+Sanitizer: (?!detected memory leaks)", r"runtime error: "]
        # What a supervisor was just starting when it was killed ends too.
        if not re.search(r"^\S+ inkod: inko-supervisor .* was killed by SIGKILL", log, re.M):
            wrong.append(r"^\S+ inkod: (acceptor|gateway)/0 .*exited")
        ends = [line for line in log.splitlines()
                if re.search("|".join(wrong), line) and not re.search(self.tolerated, line)]
        assert not ends, ends

    def abandon(self, show=True):
        """Ends whatever a failed test left, and shows what inkod said."""
        for load in self.loads:
            load.end()
        if self.keeper:
            self.keeper.kill()
            self.keeper.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if show and self.log.exists():
            print(self.log.read_text())
        shutil.rmtree(self.directory, ignore_errors=True)

    # inkoctl

    def ctl(self, *arguments, check=True, input=None, timeout=60):
        text = not isinstance(input, bytes)
        result = subprocess.run(
            [str(BUILD / "inkoctl"), *map(str, arguments)], env=self.environment,
            capture_output=True, text=text, input=input, timeout=timeout,
            **({} if input is not None else {"stdin": subprocess.DEVNULL}))
        if check:
            assert result.returncode == 0, f"inkoctl {arguments}: {result}"
        return result

    def json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments).stdout)

    # What is there

    def status(self):
        return self.call("GetStatus")

    def actor(self, name):
        actors = [a for a in self.status()["actors"] if a["name"] == name]
        assert len(actors) == 1, f"actor {name}: {actors}"
        return actors[0]

    def listener(self, name):
        listeners = [x for x in self.status()["listeners"] if x["name"] == name]
        assert len(listeners) == 1, f"listener {name}: {listeners}"
        return listeners[0]

    def instances(self, name):
        return self.actor(name)["instances"]

    def pids(self, name):
        return [i["pid"] for i in self.instances(name) if i.get("pid")]

    def restarts(self, name):
        return sum(i["restarts"] for i in self.instances(name))

    def ready(self, name):
        actor = self.actor(name)
        return actor["state"] == "ready" and actor

    def wait_restarted(self, name, victim):
        """Waits until another process is in the victim's place, and all of the actor are ready. In
        one look: between two of them it may have ended, and not be started again yet."""
        def restarted():
            actor = self.actor(name)
            pids = [i.get("pid") for i in actor["instances"]]
            return actor["state"] == "ready" and victim not in pids and None not in pids
        wait_until(restarted, what=lambda: f"{victim} was replaced: {self.actor(name)}")

    def settle(self):
        """Waits until everything that was asked for is there, inkod's own actors too."""
        wait_until(lambda: all(a["state"] == "ready" for a in self.status()["actors"]),
                   what=lambda: f"all actors are ready: {self.status()['actors']}")

    def keeper_pid(self):
        return self.status()["keeperPid"]

    def supervisor_pid(self):
        return self.status()["supervisorPid"]

    def picture(self):
        """What status says, without what changes by itself."""
        status = self.status()
        status["position"] = 0
        for actor in status["actors"]:
            for instance in actor["instances"]:
                instance["messages"] = 0
        return status

    @contextlib.contextmanager
    def leak_check(self):
        """Neither of inkod's processes may hold more descriptors after than before."""
        self.settle()
        before = self.descriptors()
        yield
        wait_until(lambda: self.descriptors() == before, timeout=10,
                   what=lambda: f"descriptors are {before} again: {self.list_descriptors()}")

    def descriptors(self):
        status = self.status()
        return {name: count_descriptors(status[name]) for name in ("keeperPid", "supervisorPid")}

    def list_descriptors(self):
        status = self.status()
        return {pid: list_descriptors(pid)
                for pid in (status["keeperPid"], status["supervisorPid"])}

    # Actors and listeners that most tests need

    def spawn(self, name, *command, **parameters):
        return self.call("Spawn", {"name": name, "command": [str(c) for c in command],
                                   **parameters})["actor"]

    def listen(self, to, address="tcp://127.0.0.1:0", **parameters):
        """Opens a listener and returns its port."""
        listener = self.call("Listen", {"address": address, "to": to, **parameters})["listener"]
        return int(listener["address"].rpartition(":")[2])

    def record(self, name="record"):
        return Record(self.directory / name)

    def load(self, port, **options):
        load = Load(port, **options)
        self.loads.append(load)
        return load

    def kill(self, pid, signal_number=signal.SIGKILL):
        """Only what belongs to this inkod."""
        # One that is just being executed has no environment for a moment.
        wait_until(lambda: pid in self.processes(), timeout=5, what=f"{pid} is one of ours")
        os.kill(pid, signal_number)


class Record:
    """What recorder.c wrote."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return str(self.path)

    def lines(self):
        if not self.path.exists():
            return []
        return [line.split(" ") for line in self.path.read_text().splitlines()]

    def open_clients(self):
        """Who was being served when the record ends: client to the pid that served it."""
        clients = {}
        for what, _, pid, client, *_ in self.lines():
            if what == "begin":
                clients[client] = int(pid)
            elif what == "end":
                clients.pop(client, None)
        return clients

    def begun_clients(self):
        """Everybody whose service was begun."""
        return {line[3] for line in self.lines() if line[0] == "begin"}

    def count(self, what):
        return sum(1 for line in self.lines() if line[0] == what)

    def messages(self):
        """Size and hash of each message."""
        return [(int(line[3]), line[4]) for line in self.lines() if line[0] == "message"]


@contextlib.contextmanager
def private_inkod(*arguments, **environment):
    """An inkod of one's own, which must end by itself at SIGTERM and leave nothing behind."""
    inko = Inkod(*arguments, **environment)
    try:
        inko.start()
        yield inko
        for load in inko.loads:
            load.end()
        code = inko.stop()
        assert code == 0, f"inkod ended with {code}"
        # What waited behind its gate when inkod ended sees so, and ends a moment later.
        wait_until(lambda: not inko.processes(), timeout=5,
                   what=lambda: f"nothing is left behind: {inko.processes()}")
        assert not inko.runtime.exists(), f"left behind: {list(inko.runtime.rglob('*'))}"
        inko.check_log()
    finally:
        inko.abandon()


def encode_base64(data):
    return base64.b64encode(data).decode()


NGINX_CONF = """
pid {directory}/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=65535;
        location / {{ return 200 "{words} $pid"; }}
    }}
}}
"""


def nginx_conf(directory, port, words):
    """A configuration that answers with these words, and has nginx write to directory alone."""
    return NGINX_CONF.format(directory=directory, port=port, words=words)
