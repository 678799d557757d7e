"""Programs that know systemd and not inko, unmodified: what Debian has of them."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import textwrap
from pathlib import Path

import pytest

from harness import ACTORS, BRIEF, BUILD, DEADLINE, PYTHON, SOURCE, VarlinkError, alive, \
    assert_all_answered, free_port, http_get, list_descriptors, nginx_conf, private_inkod, \
    process_state, wait_until
from test_contract import Contract, replace_supervisor

PROXY = "/lib/systemd/systemd-socket-proxyd"

# Serves on the first descriptor that it is given; ready when it is told to be, or does not say.
# Told to end it ends between two clients.
SERVER = """
import os, select, signal, socket, sys
assert os.environ["LISTEN_PID"] == str(os.getpid())
names = os.environ["LISTEN_FDNAMES"]
listener = socket.socket(fileno=3)
listener.setblocking(False)
if "ready" in sys.argv:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    select.select([listener], [], [])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        continue
    client.setblocking(True)
    body = f"{os.environ['INKO_INSTANCE']} {names}".encode()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    client.close()
"""


@pytest.fixture
def inko():
    with private_inkod() as daemon:
        yield daemon


def need(program, package):
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} is not installed (Debian: {package})")
    return path


def activate(inko, name, *command, listeners=("http=tcp://127.0.0.1:0",), **spec):
    """Spawns the program and returns the port of its first listener."""
    inko.spawn(name, *command, adapter="activation", listeners=list(listeners),
               **{"settleUSec": 0, **spec})
    own = [x for x in inko.status()["listeners"] if x.get("give") == name]
    return int(own[0]["address"].rpartition(":")[2])


def serve(inko, name="web", *words, **spec):
    return activate(inko, name, PYTHON, "-c", SERVER, *(words or ["ready"]), **spec)


def descriptors(pid):
    return sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_it_is_given_its_listeners_and_nothing_else(inko):
    inko.spawn("web", ACTORS / "contract", inko.directory, "READY=1", adapter="activation",
               listeners=["a=tcp://127.0.0.1:0", "tcp://127.0.0.1:0",
                          f"unix://{inko.directory}/b.sock"])
    listeners = inko.status()["listeners"]
    assert [x["name"] for x in listeners][0] == "a"
    pid = inko.pids("web")[0]
    # Its own one for orders comes behind them.
    assert descriptors(pid)[:6] == [0, 1, 2, 3, 4, 5]
    environment = dict(x.split("=", 1) for x in open(f"/proc/{pid}/environ").read().split("\0")
                       if x)
    assert environment["LISTEN_FDS"] == "3"
    assert environment["LISTEN_FDNAMES"] == ":".join(x["name"] for x in listeners)
    assert environment["LISTEN_PID"] == str(pid)
    inode = os.stat(f"/proc/{pid}/fd/3").st_ino
    assert all(x["owned"] and x["give"] == "web" for x in listeners)
    # It is the same socket that inkod has.
    assert f"socket:[{inode}]" in list_descriptors(inko.supervisor_pid())
    assert "endpoint" not in inko.actor("web")


def test_without_listeners_nothing_is_said_of_them(inko):
    inko.spawn("lone", ACTORS / "notifier", adapter="activation")
    environment = open(f"/proc/{inko.pids('lone')[0]}/environ").read()
    assert "LISTEN_" not in environment


def test_several_instances_share_a_listener(inko):
    port = serve(inko, instances=3)
    answers = set()
    wait_until(lambda: answers.add(http_get(port)) or len(answers) == 3,
               what=lambda: f"all answer: {answers}")
    assert answers == {f"web/{n} http" for n in range(3)}
    # Who connects while none runs waits.
    inko.ctl("stop", "web")
    client = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    inko.ctl("start", "web")
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert b"web/" in client.recv(4096)
    client.close()


# Knows only how to wait in accept, and serves one client after the other.
PLAIN = """
import os, socket
listener = socket.socket(fileno=3)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nplain")
    client.close()
"""


def blocks(pid, fd=3):
    text = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
    return not int(text.split("flags:")[1].split()[0], 8) & os.O_NONBLOCK


def test_accept_waits_unless_its_spec_says_otherwise(inko):
    """As under systemd: also on what it is given later, and in its next lives."""
    port = activate(inko, "web", PYTHON, "-c", PLAIN, instances=2)
    assert [http_get(port) for _ in range(5)] == ["plain"] * 5
    inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "web"})
    pids = inko.pids("web")
    replace_supervisor(inko)
    inko.ctl("restart", "web", "--rolling")
    # One that ends by its stop signal ends what it has just accepted, too.
    wait_until(lambda: not set(pids) & set(inko.pids("web")))
    assert [http_get(port) for _ in range(5)] == ["plain"] * 5
    wait_until(lambda: not set(pids) & set(inko.pids("web")), what="those before have ended")
    assert all(blocks(pid, fd) for pid in inko.pids("web") for fd in (3, 4))
    inko.ctl("spawn", "other", "--adapter", "activation", "--listener", "tcp://127.0.0.1:0",
             "--non-blocking", "yes", "--", str(ACTORS / "notifier"))
    assert inko.actor("other")["nonBlocking"] and not blocks(inko.pids("other")[0])
    # Whoever takes them out of a variable expects them as it left them itself.
    activate(inko, "third", ACTORS / "notifier", listeners=["tcp://127.0.0.1:0"], fdEnv="NGINX",
             instances=2, backoffUSec=1000)
    pids = inko.pids("third")
    assert not any(map(blocks, pids))
    inko.kill(pids[0])
    wait_until(lambda: len(inko.pids("third")) == 2 and pids[0] not in inko.pids("third"))
    assert not any(map(blocks, inko.pids("third")))


# Sets O_NONBLOCK if it is told to, and accepts nothing.
IDLE = """
import os, signal, socket, sys
if os.path.exists(sys.argv[1]):
    os.set_blocking(3, False)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""


def test_what_instances_made_of_a_listener_is_left_to_them(inko):
    """They share the flag: one that starts must not have its siblings wait in accept."""
    sets = inko.directory / "sets"
    sets.touch()
    activate(inko, "web", PYTHON, "-c", IDLE, sets, instances=2, backoffUSec=1000)
    first, second = inko.pids("web")
    assert not blocks(first)
    sets.unlink()
    inko.kill(second)
    wait_until(lambda: len(inko.pids("web")) == 2 and inko.ready("web"))
    assert not blocks(first) and first in inko.pids("web")
    # For the first of them it is as it was at first.
    inko.ctl("stop", "web")
    inko.ctl("start", "web")
    assert all(blocks(pid) for pid in inko.pids("web"))


def test_nothing_is_lost_when_they_are_killed_or_inkod_is(inko):
    port = serve(inko, instances=2, intensity=0, backoffUSec=1000)
    pids = inko.pids("web")
    replace_supervisor(inko)
    assert inko.pids("web") == pids
    inko.ctl("upgrade")
    assert inko.pids("web") == pids
    http_get(port)
    for pid in pids:
        inko.kill(pid)
    http_get(port)
    wait_until(lambda: inko.ready("web"))


def test_listeners_go_with_their_actor(inko):
    inko.spawn("first", ACTORS / "notifier", **BRIEF)
    with inko.leak_check():
        port = serve(inko)
        name = inko.status()["listeners"][0]["name"]
        with pytest.raises(VarlinkError, match="belongs to web"):
            inko.call("Close", {"listener": name})
        inko.ctl("remove", "web")
        assert inko.status()["listeners"] == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


@pytest.mark.parametrize("listeners, error", [
    (["tcp://127.0.0.1:0", "http://x"], "InvalidValue"),
    (["a=tcp://127.0.0.1:0", "a=tcp://127.0.0.1:0"], "NameInUse"),
    (["tcp://127.0.0.1:{port}"], "AddressInUse"),
    ([":=tcp://127.0.0.1:0"], "InvalidValue"),
    (["tcp://127.0.0.1:0"] * 65, "InvalidValue"),
])
def test_wrong_listeners(inko, listeners, error):
    inko.spawn("first", ACTORS / "notifier", **BRIEF)
    with socket.socket() as taken, inko.leak_check():
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(VarlinkError) as refusal:
            serve(inko, listeners=[x.format(port=port) for x in listeners])
        assert refusal.value.error.endswith(error)
        assert inko.status()["listeners"] == []


def test_a_program_that_does_not_start_leaves_no_listener(inko):
    with pytest.raises(VarlinkError, match="StartFailed"):
        serve(inko, "web", "silent", startUSec=1000000)
    wait_until(lambda: not inko.status()["listeners"], what="its listener is closed")


@pytest.mark.parametrize("spec, parameter", [
    ({"adapter": "mailbox", "listeners": ["tcp://127.0.0.1:0"]}, "listeners"),
    ({"adapter": "mailbox", "fdEnv": "NGINX"}, "fdEnv"),
    ({"adapter": "mailbox", "nonBlocking": True}, "nonBlocking"),
    ({"adapter": "activation", "fdEnv": "1"}, "fdEnv"),
    ({"adapter": "activation", "fdEnv": "A=B"}, "fdEnv"),
    ({"adapter": "activation", "opens": ["web"]}, "opens"),
    ({"adapter": "inetd"}, "adapter"),
    ({"readyCheck": "nowhere"}, "readyCheck"),
    ({"readyCheck": "tcp://127.0.0.1:1", "readyAfterUSec": 1}, "readyCheck"),
    ({"readyAfterUSec": 30000000}, "readyAfterUSec"),
    *[({"adapter": "activation", "listeners": [listener], "readyCheck": check}, "readyCheck")
      for listener, check in (
          ("a=tcp://127.0.0.1:9", "tcp://127.0.0.1:9"), ("tcp://0.0.0.0:9", "tcp://127.0.0.1:9"),
          ("tcp://0.0.0.0:9", "tcp://localhost:9"), ("tcp://127.0.0.1:9", "tcp://0.0.0.0:9"),
          ("a=tcp://[::]:9", "tcp://[::1]:9"), ("tcp://0.0.0.0:9", "tcp://[::ffff:127.0.0.1]:9"),
          ("unix:///run/x", "unix:///run/x"))],
    ({"network": "none", "readyCheck": "tcp://127.0.0.1:9"}, "readyCheck"),
])
def test_what_does_not_go_together(inko, spec, parameter):
    with pytest.raises(VarlinkError) as refusal:
        inko.spawn("web", ACTORS / "notifier", **spec)
    assert refusal.value.parameters["parameter"] == parameter
    assert parameter in refusal.value.parameters["reason"]


@pytest.mark.parametrize("listener, check", [
    ("tcp://127.0.0.1:{}", "tcp://127.0.0.2:{}"), ("tcp://0.0.0.0:{}", "tcp://[::1]:{}"),
    ("tcp://127.0.0.1:0", "tcp://127.0.0.1:{}"), ("tcp://127.0.0.1:{}", "unix:///run/{}")])
def test_a_check_beside_its_listener(inko, listener, check):
    """It is another address."""
    port = free_port()
    assert inko.spawn("web", ACTORS / "notifier", adapter="activation", readyCheck=check.format(port),
                      listeners=[listener.format(port)])["state"] == "ready"


# In a network of its own, where a socket that connects is given one of two ports.
SELF_CONNECT = """
import fcntl, socket, struct, sys
sys.path.insert(0, {tests!r})
from harness import PYTHON, VarlinkError, private_inkod
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any:
    fcntl.ioctl(any, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
    ports.write("40000 40001")
check = {{"readyCheck": "tcp://127.0.0.1:40000", "adapter": "activation"}}
with private_inkod() as inko:
    try:
        inko.spawn("silent", PYTHON, "-c", "import time; time.sleep(600)", startUSec=3000000, **check)
        sys.exit("it was ready, and nobody listens")
    except VarlinkError as refusal:
        assert refusal.error.endswith("StartFailed"), refusal
    inko.spawn("web", PYTHON, "-c", "import socket, time\\ns = socket.create_server("
               "('127.0.0.1', 40000))\\ntime.sleep(600)", **check)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_check_that_connects_to_itself():
    def leave_network():
        CLONE_NEWNET = 0x40000000
        assert ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0

    code = SELF_CONNECT.format(tests=str(SOURCE / "tests" / "system"))
    result = subprocess.run([PYTHON, "-B", "-c", code], capture_output=True, text=True,
                            timeout=120, preexec_fn=leave_network)
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_has_no_mailbox(inko):
    serve(inko)
    inko.spawn("ask", ACTORS / "notifier", opens=["web"], **BRIEF)
    for method, parameters in (("Send", {"mailbox": "web", "text": "x"}),
                               ("Listen", {"address": "tcp://127.0.0.1:0", "to": "web"})):
        with pytest.raises(VarlinkError, match="has no mailbox"):
            inko.call(method, parameters)
    # One more listener is there from its next start on.
    inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "web", "name": "more"})
    port = next(x for x in inko.status()["listeners"] if x["owned"])["address"].rpartition(":")[2]
    assert http_get(int(port)) == "web/0 http"
    inko.ctl("restart", "web", "--rolling")
    wait_until(lambda: http_get(int(port)).endswith(" http:more"))


def test_stored_descriptors_come_behind_its_listeners(inko):
    contract = Contract(inko, adapter="activation", listeners=["l=tcp://127.0.0.1:0"])
    assert contract.order("store s 2 FDPOLL=0") == "1"
    assert contract.order("barrier") == "1"
    contract.end()
    assert contract.given() == [("l", ""), ("s", "s"), ("s", "s")]


def test_it_drains_on_its_stop_signal(inko):
    """Sent at once, once, and followed by SIGKILL only when both deadlines are over."""
    code = textwrap.dedent("""
        import os, signal, socket, sys
        signal.signal(signal.SIGQUIT, lambda *_: print("got SIGQUIT", flush=True))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        while True:
            signal.pause()
    """)
    activate(inko, "web", PYTHON, "-c", code, stopSignal="SIGQUIT", drainUSec=1000000,
             stopUSec=1000000)
    call = inko.begin_call("Stop", {"actor": "web"})
    wait_until(lambda: inko.instances("web")[0]["state"] == "draining")
    wait_until(lambda: "got SIGQUIT" in inko.ctl("logs", "web").stdout)
    wait_until(lambda: inko.instances("web")[0]["state"] == "stopped")
    assert inko.ctl("logs", "web").stdout.count("got SIGQUIT") == 1
    assert "SIGKILL" in inko.instances("web")[0]["lastExit"]
    call.close()


# Readiness of programs that say nothing.

def test_ready_after_a_time(inko):
    port = serve(inko, "web", "silent", readyAfterUSec=300000)
    assert inko.ready("web")
    assert http_get(port) == "web/0 http"


def test_ready_after_a_time_does_not_hide_a_death(inko):
    with pytest.raises(VarlinkError, match="exited with status 3"):
        activate(inko, "web", "/bin/sh", "-c", "exit 3", readyAfterUSec=10000000)


def test_ready_when_a_check_connects(inko):
    """It listens a while after its start, and inkod is replaced meanwhile."""
    port, gate = free_port(), inko.directory / "go"
    code = textwrap.dedent(f"""
        import os, socket, time
        while not os.path.exists("{gate}"):
            time.sleep(0.01)
        listener = socket.create_server(("127.0.0.1", {port}))
        time.sleep(1000)
    """)
    call = inko.begin_call("Spawn", {
        "name": "web", "command": [PYTHON, "-c", code], "readyCheck": f"tcp://127.0.0.1:{port}",
        "drainUSec": 1000})
    wait_until(lambda: any(a["name"] == "web" for a in inko.status()["actors"]))
    replace_supervisor(inko)
    assert inko.instances("web")[0]["state"] == "starting"
    gate.touch()
    wait_until(lambda: inko.ready("web"))
    assert inko.restarts("web") == 0
    call.close()


def test_clients_of_a_failed_one_wait(inko):
    """In the backlog of its own listener, until it is started: no time ends that."""
    port = serve(inko, intensity=1, intensityUSec=60_000_000, backoffUSec=1000)
    pid = inko.pids("web")[0]
    inko.kill(pid)
    inko.wait_restarted("web", pid)
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.actor("web")["state"] == "failed")
    assert inko.status()["listeners"][0]["state"] == "open"
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        inko.ctl("start", "web")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")


def checked(port, **parameters):
    """A program that listens by itself, and is ready when somebody does."""
    code = f"import socket, time; l = socket.create_server(('127.0.0.1', {port})); time.sleep(1000)"
    return {"name": "web", "command": [PYTHON, "-c", code], "drainUSec": 1000,
            "readyCheck": f"tcp://127.0.0.1:{port}", **parameters}


def test_who_is_checked_at_an_address_is_alone(inko):
    """Whoever answers there counts: a second one would be ready by the first."""
    port = free_port()
    with pytest.raises(VarlinkError) as refusal:
        inko.call("Spawn", checked(port, instances=2))
    assert refusal.value.parameters["parameter"] == "readyCheck"
    assert "one instance" in refusal.value.parameters["reason"]
    inko.call("Spawn", checked(port))
    before = inko.pids("web")
    for arguments in (("restart", "web", "--rolling"), ("scale", "web", "2")):
        refused = inko.ctl(*arguments, check=False)
        assert refused.returncode == 1 and f"tcp://127.0.0.1:{port}" in refused.stderr
        assert "READY=1" in refused.stderr
    inko.settle()
    assert inko.pids("web") == before and inko.ready("web")
    assert inko.ctl("restart", "web").returncode == 0
    assert inko.ready("web") and inko.pids("web") != before
    inko.ctl("scale", "web", "0")
    inko.ctl("scale", "web", "1")


# Rolls of programs that are ready too early.

def hasty(inko, **spec):
    """Ready at once, and gone at once where there is a file: as one whose worker cannot load."""
    code = textwrap.dedent(f"""
        import os, signal, socket, sys
        is_broken = os.path.exists("{inko.directory}/broken")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        if is_broken:
            sys.exit("no module named shop")
        signal.pause()
    """)
    inko.spawn("web", PYTHON, "-c", code, adapter="activation", drainUSec=1000, **spec)
    return inko.pids("web")[0]


@pytest.mark.parametrize("restart", ["always", "never"])
def test_a_roll_stops_where_the_new_one_does_not_stay(inko, restart):
    old = hasty(inko, settleUSec=60_000_000, restart=restart)
    (inko.directory / "broken").touch()
    said = inko.ctl("restart", "web", "--rolling", check=False)
    assert said.returncode == 1 and "no module named shop" in said.stderr
    assert "within settleUSec" in said.stderr
    inko.settle()
    assert inko.pids("web") == [old] and inko.ready("web")


def test_the_old_one_stays_until_the_new_one_has_settled(inko):
    """Also where inkod is replaced meanwhile, which begins it anew; and what ends then ends it."""
    old = hasty(inko, settleUSec=600_000_000)
    call = inko.begin_call("Restart", {"actor": "web", "rolling": True})

    def states():
        return [i["state"] for i in inko.instances("web")]
    wait_until(lambda: states() == ["ready", "ready"])
    replace_supervisor(inko)
    inko.settle()
    assert states() == ["ready", "ready"] and inko.actor("web")["rolling"]
    new = next(pid for pid in inko.pids("web") if pid != old)
    os.kill(new, signal.SIGKILL)
    wait_until(lambda: not inko.actor("web")["rolling"])
    wait_until(lambda: inko.pids("web") == [old])
    assert "within settleUSec" in inko.actor("web")["rollFailure"]
    call.close()


def test_how_long_it_settles_follows_from_the_adapter(inko):
    inko.spawn("mail", ACTORS / "notifier", **BRIEF)
    hasty(inko)
    assert (inko.actor("mail")["settleUSec"], inko.actor("web")["settleUSec"]) == (0, 1_000_000)
    inko.call("Spawn", {"name": "own", "adapter": "activation", "settleUSec": 0,
                        "command": [str(ACTORS / "notifier")]})
    exported = json.loads(inko.ctl("export").stdout)
    assert [actor.get("settleUSec") for actor in exported["actors"]] == [None, None, 0]
    assert [actor.get("adapter") for actor in exported["actors"]] == \
        [None, "activation", "activation"]
    changes = inko.call("Apply", {"configuration": exported})["changes"]
    assert {f["field"] for change in changes for f in change["fields"]} == {"origin"}
    # It rolls when it has settled, by itself.
    assert inko.ctl("restart", "web", "--rolling").returncode == 0


def test_apply_replaces_who_is_checked_at_an_address(inko):
    """It says so before; and who does not listen there is no success."""
    port = free_port()
    first = {"actors": [checked(port)]}
    inko.call("Apply", {"configuration": first})
    before = inko.pids("web")
    then = {"actors": [checked(port, environment=["A=b"])]}
    planned = inko.call("Apply", {"configuration": then, "dryRun": True})["changes"]
    assert [(c["action"], c["effect"]) for c in planned] == [("change", "restart")]
    shown = inko.ctl("apply", "-", "--dry-run", input=json.dumps(then)).stdout
    assert "it ends, and is started again" in shown
    assert inko.pids("web") == before
    inko.call("Apply", {"configuration": then})
    assert inko.ready("web") and inko.pids("web") != before
    broken = {"actors": [checked(port, command=["/bin/false"])]}
    with pytest.raises(VarlinkError, match="ApplyFailed"):
        inko.call("Apply", {"configuration": broken})
    inko.call("Apply", {"configuration": then})
    assert inko.ready("web")


# Programs as they are.

GUNICORN_APP = """
import os
def app(environ, start_response):
    body = str(os.getppid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_gunicorn(inko):
    gunicorn = need("gunicorn", "gunicorn")
    (inko.directory / "hello.py").write_text(GUNICORN_APP)
    port = activate(inko, "web", gunicorn, "--workers", "1", "--no-sendfile", "--preload",
                    "hello:app", directory=str(inko.directory), instances=2, stopUSec=20000000)
    pids = {str(pid) for pid in inko.pids("web")}
    answers = set()
    wait_until(lambda: answers.add(http_get(port)) or answers == pids,
               what=lambda: f"both answer: {answers}, {pids}")
    assert "Gunicorn" in inko.ctl("status").stdout
    roll_under_load(inko, port)
    # What --preload is for: an application that does not load takes no good one's place.
    (inko.directory / "hello.py").write_text("import what_is_not_there")
    broken = inko.ctl("restart", "web", "--rolling", check=False)
    assert broken.returncode == 1 and "what_is_not_there" in broken.stderr, broken
    assert http_get(port)


def test_socket_proxyd(inko):
    need(PROXY, "systemd")
    inko.spawn("hello", BUILD / "http-hello")
    backend = inko.listen("hello")
    port = activate(inko, "proxy", PROXY, f"127.0.0.1:{backend}", instances=2,
                    readyAfterUSec=200000)
    assert http_get(port).startswith("Hello")
    for pid in inko.pids("proxy"):
        inko.kill(pid)
    assert http_get(port).startswith("Hello")


def start_nginx(inko, **spec):
    nginx = need("nginx", "nginx-core")
    port = free_port()
    configuration = inko.directory / "nginx.conf"
    configuration.write_text(nginx_conf(inko.directory, port, "one"))
    if os.geteuid() == 0:
        # Its workers change their user.
        spec["capabilities"] = ["all"]
    activate(inko, "web", nginx, "-e", "stderr", "-c", configuration,
             "-g", "daemon off;",
             listeners=[f"http=tcp://127.0.0.1:{port}"], fdEnv="NGINX", readyAfterUSec=300000,
             stopSignal="SIGQUIT", stopUSec=20000000, **spec)
    return port, configuration


def roll_under_load(inko, port):
    load = inko.load(port, clients=8, until_stopped=True)
    pids = inko.pids("web")
    for _ in range(2):
        inko.ctl("restart", "web", "--rolling")
    wait_until(lambda: not any(alive(pid) for pid in pids), what="the former ones have ended")
    http_get(port)
    assert_all_answered(load.report(), at_least=10)


def test_nginx(inko):
    port, _ = start_nginx(inko, instances=2)
    assert http_get(port).startswith("one ")
    # It did not bind by itself: inkod has the address.
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(("127.0.0.1", port))
    roll_under_load(inko, port)
    inko.ctl("stop", "web")
    assert all(i["lastExit"] == "exited with status 0" for i in inko.instances("web"))


def test_nginx_reloads(inko):
    port, configuration = start_nginx(inko)
    pid = inko.pids("web")
    configuration.write_text(configuration.read_text().replace('"one', '"two'))
    inko.ctl("reload", "web")
    wait_until(lambda: http_get(port).startswith("two "))
    assert inko.pids("web") == pid


# Reloading.

def test_reload_waits_for_the_word(inko):
    contract = Contract(inko, reloadNotify=True, reloadCommand="echo for $MAINPID")
    call = inko.begin_call("Reload", {"actor": "contract"})
    pid = contract.instance()["pid"]
    wait_until(lambda: f"for {pid}" in inko.ctl("logs", "contract").stdout)
    # One that began before it was asked does not count.
    contract.order("notify RELOADING=1|MONOTONIC_USEC=1")
    contract.order("notify READY=1")
    assert contract.order("barrier") == "1"
    call.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        call.receive()
    assert contract.order("reloading") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["reloading"]
    assert contract.order("notify READY=1") == "1"
    call.socket.settimeout(DEADLINE)
    assert call.receive()["parameters"]["actor"]["state"] == "ready"
    call.close()


@pytest.mark.parametrize("spec, words", [
    ({}, "does not handle SIGHUP"), ({}, "--reload-signal"), ({}, "--reload-command"),
    ({"reloadSignal": "SIGUSR1"}, "does not handle SIGUSR1"),
    ({"reloadCommand": "exit 7"}, "exited with status 7"),
    ({"reloadCommand": "kill -9 $$"}, "killed by SIGKILL"),
    ({"reloadCommand": "exec sleep 1000", "startUSec": 1000000}, "did not end within 1 s"),
    ({"reloadCommand": ":", "reloadNotify": True, "startUSec": 1000000}, "did not say RELOADING=1"),
])
def test_a_reload_that_fails(inko, spec, words):
    inko.spawn("web", ACTORS / "notifier", **{"drainUSec": 1000, **spec})
    pids = inko.pids("web")
    result = inko.ctl("reload", "web", check=False)
    assert result.returncode == 1 and words in result.stderr and "web/0" in result.stderr
    assert inko.pids("web") == pids and inko.ready("web")


def test_a_reload_that_the_instance_does_not_survive(inko):
    contract = Contract(inko, reloadNotify=True, reloadCommand="kill -9 $MAINPID")
    with pytest.raises(VarlinkError, match="ended meanwhile"):
        inko.call("Reload", {"actor": "contract"})
    wait_until(lambda: inko.ready("contract"))


def sleeps(inko):
    """Who of a reload command still runs."""
    return [pid for pid, name in inko.processes().items() if name == "sleep"]


def zombies(inko):
    """Whom the supervisor has not waited for."""
    pid = inko.supervisor_pid()
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [child for child in children.read().split() if process_state(child) == "Z"]


def begin_reload(inko, command="sleep 1000; true", **spec):
    inko.spawn("web", ACTORS / "notifier", drainUSec=1000, reloadCommand=command, **spec)
    call = inko.begin_call("Reload", {"actor": "web"})
    wait_until(lambda: sleeps(inko))
    return call


def test_one_reload_at_a_time(inko):
    call = begin_reload(inko)
    first = sleeps(inko)
    with pytest.raises(VarlinkError, match="web is being reloaded already, and web/0 is not done"):
        inko.call("Reload", {"actor": "web"})
    assert sleeps(inko) == first
    # Nobody waits for it any more, and it goes on all the same.
    call.close()
    with pytest.raises(VarlinkError, match="is being reloaded already"):
        inko.call("Reload", {"actor": "web"})
    os.kill(first[0], signal.SIGTERM)
    wait_until(lambda: not {"sh", "sleep"} & set(inko.processes().values()) and not zombies(inko))
    second = inko.begin_call("Reload", {"actor": "web"})
    wait_until(lambda: sleeps(inko))
    second.close()


@pytest.mark.parametrize("way", ["late", "end", "stop", "remove"])
def test_a_reload_command_is_ended_as_a_whole(inko, way):
    """What it started with it, whatever becomes of its instance, and it is waited for."""
    call = begin_reload(inko, "sleep 1000 & sleep 1000; true",
                        startUSec=1000000 if way == "late" else 60000000)
    if way == "end":
        inko.kill(inko.pids("web")[0])
    elif way in ("stop", "remove"):
        inko.ctl(way, "web")
    answer = call.receive()
    assert "error" in answer, answer
    wait_until(lambda: not sleeps(inko), what=lambda: sleeps(inko))
    wait_until(lambda: not zombies(inko), what=lambda: zombies(inko))
    call.close()


def test_a_reload_command_that_cannot_begin(inko):
    """Why is said, as for the program itself."""
    directory = inko.directory / "there"
    directory.mkdir(mode=0o755)
    inko.spawn("web", ACTORS / "notifier", reloadCommand=":", directory=str(directory), **BRIEF)
    inko.ctl("reload", "web")
    directory.rmdir()
    with pytest.raises(VarlinkError, match="its reload command could not enter the directory"):
        inko.call("Reload", {"actor": "web"})


def test_reload_of_what_is_not_there(inko):
    inko.spawn("web", ACTORS / "notifier", instances=0)
    for name, words in (("web", "no instance of web is ready"), ("x", "there is no actor"),
                        ("gateway", "belongs to inkod")):
        with pytest.raises(VarlinkError, match=words):
            inko.call("Reload", {"actor": name})
