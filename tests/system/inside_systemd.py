"""What is tried beside a real systemd: inside_systemd.py CASE, run by tests/with-systemd.

Each case has a machine of its own with inkod's units in it, nothing of them started, and a socket
unit of its own, http.socket, on port 8080. See test_systemd.py, which runs them.
"""

import contextlib
import inspect
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

from harness import (ACTORS, BUILD, DEADLINE, SOURCE, Inkod, VarlinkError, alive,
                     assert_all_answered, command_name, count_descriptors, curl, wait_until)
from installed import assert_runs_installed, install_all, install_another_build
from resources import Resources

SKIPPED = 77
PORT = 8080
HELLO = "Hello, HTTP!"
URL = f"http://127.0.0.1:{PORT}/"
LOG = Path("/run/inkod.log")
UNITS = Path("/run/systemd/system")

# What a watched process is given in the tests, and what must have happened after.
WATCHDOG_SECONDS = 1

# What the issue of the acceptor's pauses allows, and long enough for clients to be accepted.
PAUSE_SECONDS = 0.1
MOMENT = 0.1

# Somebody who is not root.
USER = "daemon"
USER_ID = pwd.getpwnam(USER).pw_uid


class Skip(Exception):
    pass


def systemctl(*arguments, check=True, **environment):
    result = subprocess.run(
        ["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, env={**os.environ, **environment})
    if check:
        assert result.returncode == 0, f"systemctl {arguments}: {result}"
    return result.stdout.strip()


def show(name, unit="inkod.service"):
    return systemctl("show", "--value", "-p", name, unit)


def main_pid():
    return int(show("MainPID"))


def drop_in(text, unit="inkod.service"):
    directory = UNITS / f"{unit}.d"
    directory.mkdir(exist_ok=True)
    (directory / "case.conf").write_text(text)
    systemctl("daemon-reload")


# Where the listener's O_NONBLOCK can be seen.

def listening_inode(port):
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
            return fields[9]
    raise AssertionError(f"nobody listens on {port}")


def holders(inode):
    """pid, descriptor and flags of each descriptor of the socket."""
    for directory in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            for fd in directory.iterdir():
                if os.readlink(fd) == f"socket:[{inode}]":
                    info = (directory.parent / "fdinfo" / fd.name).read_text()
                    yield int(directory.parent.name), int(re.search(r"flags:\s*(\d+)", info)[1], 8)


class UnderSystemd(Inkod):
    """The machine's inkod."""

    def __init__(self):
        super().__init__()
        self.directory.rmdir()
        self.directory = Path("/run/case")
        self.directory.mkdir()
        self.runtime = Path("/run/inko")
        self.log = LOG
        self.environment["INKO_RUNTIME_DIR"] = str(self.runtime)

    def start(self):
        systemctl("start", "http.socket", "inkod.service")
        # Now, while the table is short.
        self.inode = listening_inode(PORT)

    def answers(self):
        with contextlib.suppress(FileNotFoundError, ConnectionError):
            with self.varlink() as control:
                return control.call("GetStatus")

    def wait_for_other(self, pid):
        """Another keeper than pid serves."""
        wait_until(lambda: show("ActiveState") == "active" and main_pid() not in (0, pid),
                   what=lambda: f"another inkod than {pid} runs: {LOG.read_text()}")

    def web(self, program="http-hello", **parameters):
        self.spawn("web", BUILD / program, instances=2, **parameters)

    def assert_nonblocking(self):
        found = list(holders(self.inode))
        assert {"systemd", "inkod", "inko-supervisor"} <= {command_name(pid) for pid, _ in found}
        for pid, flags in found:
            assert flags & os.O_NONBLOCK, f"O_NONBLOCK is gone, as {command_name(pid)} sees it"

    def serve(self):
        """Two instances of web behind http.socket."""
        self.start()
        self.web()
        self.call("Listen", {"address": "systemd:http", "to": "web"})
        self.settle()


# Cases.

def a_client_starts_it(inko):
    systemctl("start", "inkod.socket")
    assert show("ActiveState") == "inactive"
    path = inko.runtime / "io.inkod.Supervisor"
    assert path.stat().st_mode & 0o777 == 0o660
    assert path.group() == "daemon"
    assert inko.json("status")["keeperPid"] == main_pid()
    assert show("ActiveState") == "active"
    for _ in range(2):
        systemctl("stop", "inkod.service")
        assert path.is_socket(), "the socket is systemd's"
        assert inko.json("status")["keeperPid"] == main_pid()
    systemctl("stop", "inkod.socket")
    assert not path.exists()
    assert show("ActiveState") == "inactive"


def it_tells_its_status(inko):
    systemctl("start", "inkod.service")
    assert show("StatusText") == "0 actors, 0 of 0 instances ready, 0 listeners"
    assert show("NotifyAccess") == "main"
    inko.web()
    inko.listen("web")
    inko.spawn("other", ACTORS / "recorder", str(inko.record()))
    wait_until(lambda: show("StatusText") == "2 actors, 3 of 3 instances ready, 1 listener",
               what=lambda: show("StatusText"))
    assert "2 actors, 3 of 3" in systemctl("status", "inkod.service")
    inko.ctl("stop", "web")
    wait_until(lambda: show("StatusText") == "2 actors, 1 of 3 instances ready, 1 listener",
               what=lambda: show("StatusText"))
    inko.kill(inko.supervisor_pid())
    inko.ctl("remove", "other")
    wait_until(lambda: show("StatusText") == "1 actor, 0 of 2 instances ready, 1 listener",
               what=lambda: show("StatusText"))


def it_begins_with_a_file(inko):
    """A wrong one fails the service once, and says why; the next start takes it as it is then."""
    path = inko.directory / "inko.json"
    drop_in(f"[Service]\nExecStart=\nExecStart={BUILD}/inkod --config -{path}\n")
    content = ('{"actors": [{"name": "web", "command": ["%s"]}],'
               ' "listeners": [{"address": "systemd:http", "to": "web"}]}')
    path.write_text(content % "/no/such")
    systemctl("start", "http.socket")
    systemctl("start", "inkod.service", check=False)
    assert show("ActiveState") == "failed" and show("ExecMainStatus") == "78"
    assert show("NRestarts") == "0" and "actors[0].command" in LOG.read_text()
    path.write_text(content % (BUILD / "http-hello"))
    systemctl("start", "inkod.service")
    assert curl(URL).startswith(HELLO)
    systemctl("stop", "inkod.service")
    path.unlink()
    systemctl("start", "inkod.service")
    assert inko.status()["actors"] == []


def stop_ends_actors_in_order(inko):
    """Longer than systemd would wait by itself."""
    drop_in("[Service]\nTimeoutStopSec=1s\n")
    inko.serve()
    inko.spawn("slow", "/bin/sh", "-c", "systemd-notify --ready; exec sleep 1000",
               drainUSec=3_000_000)
    start = time.monotonic()
    systemctl("stop", "inkod.service")
    assert time.monotonic() - start > 2.5
    assert show("Result") == "success"
    assert show("ExecMainStatus") == "0"
    assert not inko.processes(), inko.processes()
    assert "stopped" in LOG.read_text()
    assert [entry.name for entry in inko.runtime.iterdir()] == ["io.inkod.Supervisor"]
    # Who comes now waits, and starts it again: the socket is systemd's.
    with socket.create_connection(("127.0.0.1", PORT)):
        wait_until(lambda: show("ActiveState") == "active")


def assert_pauses(inko, name):
    """Within 100 ms; a busy machine may take longer now and then, but not each time. From the
    answer on nobody is accepted."""
    took = []
    with inko.varlink() as control:
        for _ in range(5):
            since = time.monotonic()
            control.send("Pause", {"listener": name})
            # Behind it, so that it is answered at the same moment.
            control.send("GetCounters")
            paused = control.receive()
            took.append(time.monotonic() - since)
            assert paused["parameters"]["listener"]["state"] == "paused", paused
            accepted = control.receive()["parameters"]["listeners"][0]["accepted"]
            time.sleep(MOMENT)
            assert control.call("GetCounters")["listeners"][0]["accepted"] == accepted
            control.call("Resume", {"listener": name})
            # What goes on accepts at once, and again waits for clients.
            time.sleep(MOMENT)
    assert min(took) < PAUSE_SECONDS, took


def restart_keeps_actors(inko):
    inko.serve()
    # What is allocated by the first clients stays allocated.
    assert_all_answered(inko.load(PORT, connections=1000).report())
    before, held = inko.picture(), Resources(inko)
    load = inko.load(PORT, until_stopped=True)
    for _ in range(3):
        pid = main_pid()
        systemctl("restart", "--no-block", "inkod.service")
        inko.wait_for_other(pid)
        wait_until(inko.answers)
        inko.assert_nonblocking()
    assert_all_answered(load.report(), at_least=10)
    after = inko.picture()
    for picture in before, after:
        picture.pop("keeperPid")
    assert after == before
    assert show("StatusText") == "1 actor, 2 of 2 instances ready, 1 listener"
    assert show("NRestarts") == "0"

    # Nobody waits in an accept that a listener which had turned blocking would not come back from:
    # not before the next client comes, and then one too late.
    load = inko.load(PORT, until_stopped=True)
    assert_pauses(inko, "systemd-http")
    assert_all_answered(load.report(), at_least=10)
    assert_pauses(inko, "systemd-http")
    assert curl(URL) == HELLO
    grown = held.wait_for_none()
    assert not grown, grown
    systemctl("stop", "inkod.service")
    assert not inko.processes(), inko.processes()


def killed_it_is_started_again(inko):
    inko.serve()
    load = inko.load(PORT, until_stopped=True)
    pids = inko.pids("web")
    pid = main_pid()
    systemctl("kill", "--kill-whom=main", "--signal=KILL", "inkod.service")
    inko.wait_for_other(pid)
    wait_until(inko.answers)
    assert inko.pids("web") == pids
    assert int(show("NRestarts")) >= 1
    inko.assert_nonblocking()
    assert_all_answered(load.report(), at_least=10)


def its_socket_is_another(inko):
    """Who restarts the socket unit restarts inkod too, and both go on with a new socket."""
    inko.serve()
    pids = inko.pids("web")
    pid = main_pid()
    systemctl("restart", "--no-block", "inkod.socket")
    inko.wait_for_other(pid)
    wait_until(inko.answers)
    assert inko.pids("web") == pids
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    assert inko.pids("web") == pids
    assert curl(URL) == HELLO


def replace_under_load(inko, order):
    """Keeper and supervisor are those of another build each time, in the same main process, and
    nothing else has changed."""
    programs = inko.directory / "programs"
    programs.mkdir()
    install_all(programs)
    drop_in(f"[Service]\nExecStart=\nExecStart={programs}/inkod\n")
    inko.serve()
    before, pid = inko.picture(), main_pid()
    load = inko.load(PORT, until_stopped=True)
    for number in (1, 2, 3):
        supervisor = inko.supervisor_pid()
        install_another_build(programs)
        order()
        wait_until(lambda n=number: (inko.answers() or {}).get("keeperReplaced") == n)
        wait_until(lambda: show("ActiveState") == "active", what=lambda: show("ActiveState"))
        after = inko.picture()
        assert_runs_installed(after, programs)
        assert after["supervisorPid"] != supervisor
        assert main_pid() == pid and show("NRestarts") == "0"
        assert after == {**before, "keeperReplaced": number,
                         "supervisorPid": after["supervisorPid"]}
    assert_all_answered(load.report(), at_least=10)
    systemctl("stop", "inkod.service")
    assert not inko.processes(), inko.processes()


def upgrade_replaces_both(inko):
    def upgrade():
        said = inko.ctl("upgrade").stdout
        assert said.startswith("upgraded: inkod ") and f"keeper {main_pid()}," in said, said

    replace_under_load(inko, upgrade)


def reload_replaces_both(inko):
    replace_under_load(inko, lambda: systemctl("reload", "inkod.service"))


def a_silent_supervisor_is_replaced(inko):
    drop_in(f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}s\n")
    inko.serve()
    pid, supervisor, pids = main_pid(), inko.supervisor_pid(), inko.pids("web")
    time.sleep(3 * WATCHDOG_SECONDS)
    assert inko.supervisor_pid() == supervisor, "one that answers is left alone"
    os.kill(supervisor, signal.SIGSTOP)
    assert curl(URL) == HELLO
    wait_until(lambda: not alive(supervisor), what=LOG.read_text)
    wait_until(inko.answers)
    assert "gave no sign of life" in LOG.read_text()
    assert inko.supervisor_pid() != supervisor
    assert inko.pids("web") == pids
    assert main_pid() == pid
    assert show("NRestarts") == "0"
    assert "SIGABRT" in LOG.read_text()


def a_silent_keeper_is_replaced(inko):
    drop_in(f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}s\n")
    inko.serve()
    pid, pids = main_pid(), inko.pids("web")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: not alive(pid), what=LOG.read_text)
    assert curl(URL) == HELLO
    inko.wait_for_other(pid)
    wait_until(inko.answers)
    assert inko.pids("web") == pids


def a_listener_of_systemd(inko):
    (UNITS / "path.socket").write_text(
        "[Socket]\nListenStream=/run/path.sock\nFileDescriptorName=path\nService=inkod.service\n")
    (UNITS / "datagrams.socket").write_text(
        "[Socket]\nListenDatagram=127.0.0.1:8081\nFileDescriptorName=datagrams\n"
        "Service=inkod.service\n")
    systemctl("daemon-reload")
    systemctl("start", "path.socket", "datagrams.socket")
    inko.start()
    inko.web()

    said = inko.ctl("listen", "systemd:http", "--to", "web").stdout
    assert said == (f"systemd-http: listening on systemd:http (tcp://127.0.0.1:{PORT}), "
                    "handed to web\n")
    assert curl(URL) == HELLO
    assert inko.listener("systemd-http")["listensOn"] == f"tcp://127.0.0.1:{PORT}"
    assert f"systemd:http (tcp://127.0.0.1:{PORT})" in inko.ctl("list", "listeners").stdout
    inko.assert_nonblocking()

    for address, error, words in [
            ("systemd:nothing", "AddressNotUsable", ("no socket nothing", "http", "path")),
            ("systemd:varlink", "AddressNotUsable", ("no socket varlink",)),
            ("systemd:datagrams", "AddressNotUsable", ("no stream socket",)),
            ("systemd:", "AddressNotUsable", ("no socket",)),
            ("systemd:http", "AddressInUse", ("systemd-http", "close"))]:
        try:
            inko.call("Listen", {"address": address, "to": "web", "name": "x"})
            raise AssertionError(f"{address} was listened on")
        except VarlinkError as refusal:
            assert refusal.error.endswith("." + error), refusal
            for word in words:
                assert word in refusal.parameters["reason"], refusal

    # Closing leaves it to systemd: it can be opened again, and who comes meanwhile waits.
    with inko.leak_check():
        inko.ctl("close", "systemd-http")
        load = inko.load(PORT, connections=100)
        inko.ctl("listen", "systemd:http", "--to", "web")
        assert_all_answered(load.report(), at_least=100)
        inko.kill(inko.supervisor_pid())
        wait_until(inko.answers)
        assert curl(URL) == HELLO

    inko.ctl("listen", "systemd:path", "--to", "web", "--name", "path")
    assert curl("--unix-socket", "/run/path.sock", "http://x/") == HELLO
    inko.ctl("close", "path")
    assert Path("/run/path.sock").is_socket()
    inko.assert_nonblocking()


PATH_SOCKET = Path("/run/path.sock")


def path_unit():
    """A socket that inkod needs: who restarts it restarts inkod too, in the right order."""
    (UNITS / "path.socket").write_text(
        f"[Socket]\nListenStream={PATH_SOCKET}\nFileDescriptorName=path\n"
        "Service=inkod.service\n")
    drop_in("[Unit]\nRequires=path.socket\nAfter=path.socket\n")


def asking(n, path=PATH_SOCKET):
    """Clients of a listener's path that have sent their request."""
    clients = []
    for _ in range(n):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        clients.append(client)
    return clients


def answer(client):
    with client:
        said = b""
        while data := client.recv(65536):
            said += data
    return said


def assert_answered(clients):
    answers = [answer(client) for client in clients]
    assert all(HELLO.encode() in said for said in answers), answers


def restart_socket(inko, unit):
    """And inkod with it."""
    pid = main_pid()
    systemctl("restart", "--no-block", unit)
    inko.wait_for_other(pid)
    wait_until(inko.answers)


def its_listener_is_another(inko):
    """The socket of a listener is replaced: who waits at the former one is served, and who comes
    to the other one is, whoever dies meanwhile."""
    path_unit()
    systemctl("start", "path.socket")
    inko.start()
    inko.web()
    inko.ctl("listen", "systemd:path", "--to", "web", "--name", "path")
    assert curl("--unix-socket", PATH_SOCKET, "http://x/") == HELLO
    pids = inko.pids("web")
    with inko.leak_check():
        for death in None, "acceptor", "supervisor", "both":
            acceptor = inko.pids("acceptor")[0]
            os.kill(acceptor, signal.SIGSTOP)
            waiting = asking(50)
            restart_socket(inko, "path.socket")
            waiting += asking(50)
            if death in ("supervisor", "both"):
                inko.kill(inko.supervisor_pid())
                wait_until(inko.answers)
            os.kill(acceptor, signal.SIGKILL if death in ("acceptor", "both") else signal.SIGCONT)
            assert_answered(waiting)
            inko.settle()
        assert inko.pids("web") == pids
    assert inko.listener("path")["listensOn"] == f"unix://{PATH_SOCKET}"


def its_paused_listener_is_another(inko):
    """Those who wait at both sockets go on waiting, and are served in the end."""
    path_unit()
    systemctl("start", "path.socket")
    inko.start()
    inko.web()
    inko.ctl("listen", "systemd:path", "--to", "web", "--name", "path")
    inko.settle()
    with inko.leak_check():
        inko.ctl("pause", "path")
        waiting = asking(20)
        for _ in range(2):
            restart_socket(inko, "path.socket")
            waiting += asking(20)
        inko.ctl("pause", "path")
        assert inko.call("GetCounters")["listeners"][0]["accepted"] == 0
        inko.ctl("resume", "path")
        assert_answered(waiting)


def its_port_is_listened_on_anew(inko):
    """Where the socket unit lets two listen on a port."""
    drop_in("[Socket]\nReusePort=yes\n", "http.socket")
    drop_in("[Unit]\nRequires=http.socket\nAfter=http.socket\n")
    inko.serve()
    with inko.leak_check():
        restart_socket(inko, "http.socket")
        wait_until(lambda: "former socket are accepted" in LOG.read_text(), what=LOG.read_text)
        assert listening_inode(PORT) != inko.inode
        assert_all_answered(inko.load(PORT, connections=200).report(), at_least=200)


def a_given_listener_is_another(inko):
    """Instances have theirs for good; who is started gets the other one."""
    path_unit()
    systemctl("start", "path.socket")
    inko.start()
    inko.spawn("pool", BUILD / "http-shared", instances=2)
    inko.ctl("listen", "systemd:path", "--give", "pool", "--name", "path")
    restart_socket(inko, "path.socket")
    waiting = asking(1)
    assert "inkoctl restart pool --rolling" in LOG.read_text()
    inko.ctl("restart", "pool", "--rolling")
    assert_answered(waiting + asking(20))


def a_listener_of_systemd_given(inko):
    inko.start()
    inko.spawn("pool", BUILD / "http-shared", instances=2)
    inko.ctl("listen", "systemd:http", "--give", "pool")
    load = inko.load(PORT, until_stopped=True)
    inko.kill(inko.pids("pool")[0])
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    wait_until(lambda: inko.ready("pool"))
    assert curl(URL).startswith("Hello")
    report = load.report()
    assert report["answered"] > 10, report
    inko.assert_nonblocking()
    systemctl("stop", "inkod.service")
    assert not inko.processes(), inko.processes()


def nonblocking_without_the_unit(inko):
    """Where somebody's unit does not say NonBlocking=yes."""
    drop_in("[Service]\nNonBlocking=no\n")
    inko.serve()
    inko.assert_nonblocking()
    assert curl(URL) == HELLO


def its_own_environment_goes_no_further(inko):
    """systemd's word to inkod is no actor's, nor the supervisor's: only MAINPID may answer."""
    inko.serve()
    for pid in (inko.supervisor_pid(), *inko.pids("web"), *inko.pids("acceptor")):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        for name in (b"WATCHDOG_USEC=", b"WATCHDOG_PID=", b"NOTIFY_SOCKET=/run/systemd"):
            assert name not in environment, (command_name(pid), name)
    # Soft for select(2), and back to it for actors.
    limits = Path(f"/proc/{inko.pids('web')[0]}/limits").read_text()
    assert re.search(r"^Max open files\s+1024 ", limits, re.M), limits
    # No descriptor of the keeper's went along.
    assert count_descriptors(inko.pids("web")[0]) < 32


# What an actor may want that a hardened unit is quick to forbid.
BOLD_ACTOR = """
import mmap, os, signal, socket, subprocess
open("/var/tmp/inko-bold", "w").close()
os.unlink("/var/tmp/inko-bold")
socket.socket().bind(("0.0.0.0", 80))
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
subprocess.run(["unshare", "--net", "true"], check=True)
subprocess.run(["true"], user=1, group=1, extra_groups=[], check=True)
assert os.path.exists("/dev/pts")
status = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines())
assert status["NoNewPrivs"] == "0"
held = int(status["CapBnd"], 16)
for forbidden in 16, 22, 25, 34:  # SYS_MODULE, SYS_BOOT, SYS_TIME, SYSLOG
    assert not held >> forbidden & 1, forbidden
subprocess.run(["systemd-notify", "--ready"], check=True)
signal.pause()
"""


def hardening_binds_no_actor(inko):
    inko.start()
    inko.spawn("bold", sys.executable, "-c", BOLD_ACTOR, capabilities=["all"],
               noNewPrivileges=False)
    assert inko.ready("bold")


def make_users(root):
    """Those of the package, beside those that are under root already, as its installation has
    systemd-sysusers make them. Returns the users by name and the text of the groups."""
    if not shutil.which("systemd-sysusers"):
        raise Skip("there is no systemd-sysusers; install the package systemd")
    subprocess.run(
        ["systemd-sysusers", f"--root={root}", SOURCE / "systemd" / "sysusers.d" / "inko.conf"],
        check=True, stdin=subprocess.DEVNULL, timeout=60)
    users = [line.split(":") for line in (root / "etc" / "passwd").read_text().splitlines()]
    return {name: int(number) for name, _, number, *_ in users}, \
        (root / "etc" / "group").read_text()


def actors_of_other_users(inko):
    """The unit leaves inkod what it takes, and its own actors run as the users that are made."""
    root = inko.directory / "root"
    (root / "etc").mkdir(parents=True)
    for name in "passwd", "group":
        shutil.copy(f"/etc/{name}", root / "etc")
    users, _ = make_users(root)
    for name in "passwd", "group":
        subprocess.run(["mount", "--bind", root / "etc" / name, f"/etc/{name}"], check=True)
    inko.start()
    inko.spawn("web", BUILD / "http-hello", user=USER, network="none", instances=2)
    inko.call("Listen", {"address": "systemd:http", "to": "web"})
    inko.settle()
    assert curl(URL) == HELLO
    for name, user in ("acceptor", "inko-acceptor"), ("gateway", "inko-gateway"), ("web", USER):
        assert inko.pids(name)
        for pid in inko.pids(name):
            assert Path(f"/proc/{pid}").stat().st_uid == users[user] != 0, name
    assert len({users[name] for name in ("inko-acceptor", "inko-gateway", USER)}) == 3
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    inko.ctl("restart", "web")
    assert curl(URL) == HELLO


def output_goes_to_the_journal(inko):
    if not shutil.which("journalctl"):
        raise Skip("there is no journalctl")
    (UNITS / "inkod.service.d" / "test.conf").unlink()
    for unit in ("systemd-journald.service", "systemd-journald.socket"):
        shutil.copy(f"/lib/systemd/system/{unit}", UNITS)
    configuration = Path("/run/systemd/journald.conf.d/case.conf")
    configuration.parent.mkdir()
    configuration.write_text("[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n")
    systemctl("daemon-reload")
    systemctl("start", "systemd-journald.socket", "systemd-journald.service")
    inko.start()
    inko.web()
    inko.ctl("send", "web", "hello journal")

    def journal(*options):
        return subprocess.run(["journalctl", "-q", *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60).stdout

    wait_until(lambda: "hello journal" in journal("-t", "web/0", "-t", "web/1"))
    assert "hello journal" in inko.ctl("logs", "web").stdout
    assert "hello journal" in journal("-u", "inkod.service")


def one_of_a_user(inko):
    """systemctl --user, as somebody who is not root."""
    runtime = Path(f"/run/user/{USER_ID}")
    runtime.mkdir(parents=True)
    os.chown(runtime, USER_ID, USER_ID)
    systemctl("start", "user.service")
    if subprocess.run(["test", "-x", BUILD / "inkoctl"], user=USER_ID, group=USER_ID).returncode:
        raise Skip(f"nobody but root can look into {BUILD}")

    def run(*command, check=True):
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            user=USER_ID, group=USER_ID, extra_groups=[],
            env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime)})
        assert not check or result.returncode == 0, result
        return result.stdout.strip()

    wait_until(lambda: "running" in run("systemctl", "--user", "is-system-running", check=False))
    run("systemctl", "--user", "start", "inkod.socket")
    run(BUILD / "inkoctl", "spawn", "web", "--", BUILD / "http-hello")
    assert (runtime / "inko" / "io.inkod.Supervisor").stat().st_mode & 0o777 == 0o600

    def state(name):
        return run("systemctl", "--user", "show", "--value", "-p", name, "inkod.service")

    wait_until(lambda: state("StatusText") == "1 actor, 1 of 1 instance ready, 0 listeners",
               what=lambda: state("StatusText"))

    def status():
        return json.loads(run(BUILD / "inkoctl", "--json", "status"))

    def pids():
        return {i["name"]: i["pid"] for a in status()["actors"] for i in a["instances"]}

    run(BUILD / "inkoctl", "listen", f"unix://{runtime}/web", "--to", "web")
    before = pids()
    assert {"web/0", "acceptor/0", "gateway/0"} == set(before)
    os.kill(before["web/0"], signal.SIGSTOP)
    waiting = asking(20, runtime / "web")
    for order in ["restart"], ["kill", "--kill-whom=main", "--signal=KILL"]:
        pid = int(state("MainPID"))
        run("systemctl", "--user", *order, "inkod.service")
        wait_until(lambda pid=pid: int(state("MainPID")) not in (0, pid)
                   and status()["keeperPid"] == int(state("MainPID")),
                   what=lambda: f"another inkod than {pid} runs: {LOG.read_text()}")
        assert pids() == before
        waiting += asking(20, runtime / "web")
    os.kill(before["web/0"], signal.SIGCONT)
    assert_answered(waiting)
    assert int(state("NRestarts")) >= 1
    run("systemctl", "--user", "reload", "inkod.service")
    run("systemctl", "--user", "stop", "inkod.service")
    assert state("Result") == "success"


def is_case(value):
    return inspect.isfunction(value) and list(inspect.signature(value).parameters) == ["inko"]


CASES = {name: value for name, value in list(globals().items()) if is_case(value)}


def main(name):
    inko = UnderSystemd()
    try:
        CASES[name](inko)
        # Only that one has the watchdog kill.
        if LOG.exists() and "gave no sign of life" not in LOG.read_text():
            inko.check_log()
        return 0
    except Skip as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except BaseException:
        traceback.print_exc()
        print(systemctl("status", "--no-pager", "-l", "inkod.service", "inkod.socket", check=False))
        if LOG.exists():
            print(LOG.read_text())
        return 1
    finally:
        for load in inko.loads:
            load.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
