"""What systemd promises a service (sd_notify(3), sd_listen_fds(3)), promised by inkod: asked for
with libsystemd's own calls."""

import contextlib
import os
import re
import signal
import socket
import time

import pytest

from harness import (ACTORS, BRIEF, DEADLINE, PYTHON, VarlinkError, alive, count_descriptors,
                     private_inkod, wait_until)

STORED_MAX = 128


class Contract:
    """The actor of contract.c, under orders."""

    def __init__(self, inko, name="contract", ready="READY=1", **parameters):
        self.inko, self.name = inko, name
        self.directory = inko.directory / name
        self.directory.mkdir(mode=0o777)
        self.command = [str(ACTORS / "contract"), str(self.directory), ready]
        inko.spawn(name, *self.command, **{"drainUSec": 1000, **parameters})

    def order(self, words, index=0):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(DEADLINE)
            control.connect(str(self.directory / str(index)))
            control.sendall(words.encode() + b"\n")
            with control.makefile() as answers:
                return answers.readline().strip()

    def instance(self, index=0):
        return next(i for i in self.inko.instances(self.name)
                    if i["name"] == f"{self.name}/{index}")

    def listens(self, index=0):
        with contextlib.suppress(OSError):
            return self.order("barrier", index) == "1"
        return False

    def given(self, index=0):
        """What it was given and stored before: names, each with what there is to read."""
        pairs = [word.split("=") for word in self.order("given", index).split()]
        return [(name, said) for name, said in pairs
                if name not in ("mailbox", "mailbox-shared", "counters")]

    def wait_for(self, member, value, index=0):
        wait_until(lambda: self.instance(index).get(member) == value,
                   what=lambda: f"{member} is {value}: {self.instance(index)}")

    def end(self, index=0):
        """Has its process exit by itself, and waits for the next."""
        pid = self.instance(index)["pid"]
        self.order("exit 1", index)
        self.wait_for_other_than(pid, index)

    def wait_for_other_than(self, pid, index=0):
        wait_until(lambda: self.instance(index)["state"] == "ready" and
                   self.instance(index).get("pid") not in (None, pid),
                   what=lambda: f"runs again: {self.instance(index)}")


@pytest.fixture
def inko():
    with private_inkod() as daemon:
        yield daemon


def supervisor_pid(inko):
    with contextlib.suppress(FileNotFoundError, ConnectionError):
        return inko.supervisor_pid()
    return 0


def replace_supervisor(inko):
    pid = inko.supervisor_pid()
    inko.kill(pid)
    wait_until(lambda: supervisor_pid(inko) not in (0, pid), what="another supervisor")


def replace_keeper(inko):
    pid = inko.keeper_pid()
    inko.kill(pid)
    wait_until(lambda: inko.keeper_pid() not in (0, pid), what="another keeper")


def test_status_and_barrier(inko):
    contract = Contract(inko)
    assert contract.order("notify STATUS=all is well") == "1"
    assert contract.order("barrier") == "1"
    # That is what a barrier is for: what was said before has been heard.
    assert contract.instance()["status"] == "all is well"


def test_a_child_of_the_actor_notifies(inko):
    contract = Contract(inko)
    assert contract.order("child systemd-notify --status=from-a-child") == "0"
    assert contract.instance()["status"] == "from-a-child"


def test_nobody_notifies_for_another(inko):
    victim = Contract(inko, "victim", ready="STATUS=starts", instances=0, startUSec=60000000)
    call = inko.begin_call("Scale", {"actor": "victim", "instances": 1})
    wait_until(victim.listens, what="it runs")
    evil = Contract(inko, "evil")
    lie = f"NOTIFY_SOCKET={inko.runtime}/notify/victim.0 systemd-notify --ready --status=lie"
    # Its main process, and children.
    assert evil.order(f"for {inko.runtime}/notify/victim.0 READY=1|STATUS=lie") == "1"
    for _ in range(2):
        assert evil.order(f"child {lie}") == "0"
    assert victim.order("barrier") == "1"
    assert victim.instance()["state"] == "starting"
    assert victim.instance()["status"] == "starts"
    assert "refused" not in victim.instance()
    assert evil.instance()["refused"].startswith("what it said for victim/0 is refused")
    assert "what it said for victim/0 is refused" in inko.ctl("status").stdout
    assert inko.log.read_text().count("is refused") == 1
    # A child with a session of its own, which has ended, is nobody else's.
    assert victim.order("child setsid --wait systemd-notify --ready --status=mine") == "0"
    victim.wait_for("state", "ready")
    assert victim.instance()["status"] == "mine"
    call.close()


def test_who_notified_is_known_of_what_waited_for_a_supervisor(inko):
    victim, evil = Contract(inko, "victim"), Contract(inko, "evil")
    pid = inko.supervisor_pid()
    os.kill(pid, signal.SIGSTOP)
    assert evil.order(f"for {inko.runtime}/notify/victim.0 STATUS=lie") == "1"
    assert victim.order("notify STATUS=mine") == "1"
    inko.kill(pid)
    wait_until(lambda: supervisor_pid(inko) not in (0, pid), what="another supervisor")
    victim.wait_for("status", "mine")
    evil.wait_for("refused", "what it said for victim/0 is refused: "
                             "an instance speaks for itself alone")


def test_main_pid_is_refused(inko):
    contract = Contract(inko)
    pid = contract.instance()["pid"]
    assert contract.order(f"notify MAINPID={pid}") == "1"
    assert contract.order("barrier") == "1"
    assert "refused" not in contract.instance()
    for _ in range(3):
        assert contract.order(f"notify MAINPID={os.getpid()}") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["refused"].startswith("MAINPID= is refused")
    assert "MAINPID= is refused" in inko.ctl("status").stdout
    assert inko.log.read_text().count("MAINPID= is refused") == 1
    contract.end()
    assert "refused" not in contract.instance()
    assert contract.instance()["pid"] != os.getpid()


def test_reloading_is_shown(inko):
    contract = Contract(inko)
    assert contract.order("reloading") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["reloading"]
    assert "is reloading" in inko.ctl("status").stdout
    replace_supervisor(inko)
    assert contract.instance()["reloading"]
    assert contract.order("notify READY=1") == "1"
    assert contract.order("barrier") == "1"
    assert "reloading" not in contract.instance()


# Times.

def test_starting_takes_as_long_as_it_says(inko):
    """It says so again after each second; inkod is replaced meanwhile."""
    contract = Contract(inko, ready="EXTEND_TIMEOUT_USEC=60000000", instances=0, startUSec=1000000)
    call = inko.begin_call("Scale", {"actor": "contract", "instances": 1})
    wait_until(contract.listens, what="it runs")
    assert contract.order("barrier") == "1"
    pid = contract.instance()["pid"]
    # Longer than it had: nothing else may end it.
    time.sleep(1.5)
    replace_supervisor(inko)
    time.sleep(1.5)
    assert contract.order("notify READY=1") == "1"
    contract.wait_for("state", "ready")
    assert contract.instance()["pid"] == pid
    call.close()


def test_an_extension_ends(inko):
    contract = Contract(inko, ready="EXTEND_TIMEOUT_USEC=1500000", instances=0, startUSec=1000,
                        intensity=0)
    call = inko.begin_call("Scale", {"actor": "contract", "instances": 1})
    wait_until(lambda: "lastExit" in contract.instance(), what="it is killed")
    assert "was not ready" in contract.instance()["lastExit"]
    call.close()


def test_stopping_takes_as_long_as_it_says(inko):
    contract = Contract(inko, drainUSec=1000, stopUSec=3000000, stopSignal="SIGURG")
    pid = contract.instance()["pid"]
    call = inko.begin_call("Stop", {"actor": "contract"})
    contract.wait_for("state", "terminating")
    assert contract.order("notify STOPPING=1|EXTEND_TIMEOUT_USEC=30000000") == "1"
    assert contract.order("barrier") == "1"
    time.sleep(3.5)
    assert contract.instance()["state"] == "terminating" and alive(pid)
    contract.order("exit 0")
    contract.wait_for("state", "stopped")
    assert contract.instance()["lastExit"] == "exited with status 0"
    call.close()


def test_one_that_ends_by_itself_leaves_its_routes(inko):
    contract = Contract(inko, stopUSec=30000000)
    assert contract.order("notify STOPPING=1") == "1"
    contract.wait_for("state", "leaving")
    assert inko.actor("contract")["state"] == "starting"
    replace_supervisor(inko)
    assert contract.instance()["state"] == "leaving"
    # It is not told to end: that is its own affair, and it is started again then.
    contract.end()
    assert contract.instance()["restarts"] == 1
    assert contract.instance()["lastExit"] == "exited with status 1"


def test_one_that_says_that_it_ends_and_does_not(inko):
    contract = Contract(inko, drainUSec=1000, stopUSec=1000)
    pid = contract.instance()["pid"]
    assert contract.order("notify STOPPING=1") == "1"
    contract.wait_for_other_than(pid)
    assert contract.instance()["lastExit"] == "killed by SIGKILL"


def test_watchdog(inko):
    contract = Contract(inko)
    assert contract.order("watchdog").split()[0] == "0"
    inko.ctl("remove", "contract")
    contract = Contract(inko, "watched", watchdogUSec=60000000)
    assert contract.order("watchdog") == "1 60000000"
    # From now on it says so more often, as it says, and then does not.
    pid = contract.instance()["pid"]
    assert contract.order("notify WATCHDOG_USEC=300000") == "1"
    contract.wait_for_other_than(pid)
    assert contract.instance()["lastExit"] == "did not say WATCHDOG=1 within 300 ms, and was killed"
    # The next one is as its spec says.
    assert contract.order("watchdog") == "1 60000000"
    time.sleep(0.5)
    assert contract.instance()["restarts"] == 1


# Says that it lives, whether anybody listens or not.
LIVES = """
import contextlib, os, socket, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
while True:
    with contextlib.suppress(BlockingIOError):
        notify.send(b"WATCHDOG=1")
    time.sleep(0.1)
"""


def test_watchdogs_of_a_supervisor_that_was_stopped(inko):
    """Who said in time that it lives is not ended for that nobody listened."""
    inko.spawn("a", PYTHON, "-c", LIVES, instances=8, watchdogUSec=2000000, **BRIEF)
    pids, supervisor = inko.pids("a"), inko.supervisor_pid()
    for _ in range(2):
        inko.kill(supervisor, signal.SIGSTOP)
        time.sleep(2.5)
        inko.kill(supervisor, signal.SIGCONT)
        # Who is ended has ended when it has heard of all that waited for it.
        for _ in range(20):
            assert inko.supervisor_pid() == supervisor
            time.sleep(0.02)
    assert inko.pids("a") == pids and inko.restarts("a") == 0


def test_watchdog_is_triggered(inko):
    contract = Contract(inko)
    pid = contract.instance()["pid"]
    # Which may end it before it answers.
    contract.order("notify WATCHDOG=trigger")
    contract.wait_for_other_than(pid)
    assert contract.instance()["lastExit"] == "said WATCHDOG=trigger, and was killed"


@pytest.mark.parametrize("said, refused", [
    *((said, None) for said in (
        "WATCHDOG_USEC=x", "WATCHDOG_USEC=-1", "WATCHDOG=", "WATCHDOG=2", "EXTEND_TIMEOUT_USEC=1s",
        "EXTEND_TIMEOUT_USEC=99999999999999999999999", "FDSTORE=1", "FDSTOREREMOVE=1", "FDSTORE=2",
        "READY=0", "STOPPING=0", "RELOADING=2", "BARRIER=1", "X" * 900)),
    *((said, "MAINPID= is refused: the process that inkod started is the one")
      for said in ("MAINPID=", "MAINPID=x", "MAINPID=-1", "MAINPID=99999999999999999999"))])
def test_odd_words_do_no_harm(inko, said, refused):
    contract = Contract(inko)
    pid = contract.instance()["pid"]
    assert contract.order(f"notify {said}") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["pid"] == pid
    assert contract.instance()["state"] == "ready"
    assert "stored" not in contract.instance()
    assert contract.instance().get("refused") == refused


# Stored descriptors.

def test_stored_descriptors_come_back(inko):
    contract = Contract(inko, instances=2)
    assert contract.given() == []
    assert contract.order("store first 1 FDPOLL=0") == "1"
    assert contract.order("store second 2 FDPOLL=0") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["stored"] == 3
    contract.end()
    assert contract.given() == [("first", "first"), ("second", "second"), ("second", "second")]
    assert contract.given(1) == []
    # Nor are they used up by that.
    contract.end()
    assert len(contract.given()) == 3
    inko.ctl("restart", "contract")
    assert len(contract.given()) == 3


@pytest.mark.parametrize("replace", [replace_supervisor, replace_keeper])
def test_stored_descriptors_survive_inkod(inko, replace):
    contract = Contract(inko)
    assert contract.order("store kept 3 FDPOLL=0") == "1"
    assert contract.order("barrier") == "1"
    replace(inko)
    assert contract.instance()["stored"] == 3
    assert contract.order("store later 1 FDPOLL=0") == "1"
    assert contract.order("barrier") == "1"
    replace_supervisor(inko)
    contract.end()
    assert contract.given() == [("kept", "kept")] * 3 + [("later", "later")]


def test_stored_descriptors_survive_an_upgrade(inko):
    contract = Contract(inko)
    assert contract.order("store kept 2 FDPOLL=0") == "1"
    assert contract.order("barrier") == "1"
    inko.ctl("upgrade")
    contract.end()
    assert contract.given() == [("kept", "kept")] * 2


def test_stored_descriptors_are_removed_by_name(inko):
    contract = Contract(inko)
    with inko.leak_check():
        assert contract.order("store a 2 FDPOLL=0") == "1"
        assert contract.order("store b 1 FDPOLL=0") == "1"
        assert contract.order("notify FDSTOREREMOVE=1|FDNAME=a") == "1"
        assert contract.order("barrier") == "1"
        assert contract.instance()["stored"] == 1
        contract.end()
        assert contract.given() == [("b", "b")]
        assert contract.order("notify FDNAME=b|FDSTOREREMOVE=1") == "1"
        assert contract.order("barrier") == "1"
        assert "stored" not in contract.instance()


def test_a_name_is_optional_and_checked(inko):
    contract = Contract(inko)
    assert contract.order("store x 1 FDPOLL=0") == "1"
    assert contract.order("child systemd-notify --status=x") == "0"
    assert contract.order("notify FDSTOREREMOVE=1") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["stored"] == 1
    assert contract.order("store a:b 1 FDPOLL=0") in ("1", "-22")
    assert contract.order("barrier") == "1"
    assert contract.instance()["stored"] == 1
    assert "FDNAME=" in contract.instance()["refused"]


def test_what_is_stored_already_is_not_stored_again(inko):
    contract = Contract(inko)
    assert contract.order("store once 4 FDPOLL=0") == "1"
    assert contract.order("again") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["stored"] == 4
    assert "refused" not in contract.instance()


@pytest.mark.parametrize("words, left", [("", None), ("FDPOLL=0", 2), ("FDPOLL=1", None)])
def test_a_stored_descriptor_goes_with_its_other_end(inko, words, left):
    contract = Contract(inko)
    assert contract.order(f"store end 2 {words}") == "1"
    assert contract.order("barrier") == "1"
    assert contract.instance()["stored"] == 2
    contract.order("hang-up")
    # Their own copies keep them from being closed; the other ends are gone all the same.
    assert contract.order("barrier") == "1"
    contract.wait_for("stored", left)


def test_one_that_stores_without_end_is_bounded(inko):
    inko.spawn("web", ACTORS / "notifier", **BRIEF)
    contract = Contract(inko)
    held = count_descriptors(inko.supervisor_pid())
    for number in range(40):
        assert contract.order(f"store n{number} 250 FDPOLL=0") == "1"
        contract.order("hang-up")
    assert contract.order("barrier") == "1"
    instance = contract.instance()
    assert instance["stored"] == STORED_MAX
    assert "FDSTORE=1 is refused" in instance["refused"]
    assert count_descriptors(inko.supervisor_pid()) <= held + STORED_MAX + 8
    assert len(re.findall("FDSTORE=1 is refused", inko.log.read_text())) == 1
    assert inko.ready("web")
    contract.end()
    assert len(contract.given()) == STORED_MAX


# Stores as much as it may, and one of those again and again.
FLOODER = """
import array, contextlib, os, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
def store(fds):
    notify.sendmsg([b"FDSTORE=1\\nFDPOLL=0"],
                   [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
fds = [os.{make} for _ in range({most})]
while True:
    # What is on its way has a bound too, of all that one user sends.
    with contextlib.suppress(OSError):
        store(fds)
        break
notify.send(b"READY=1")
fds = [fds[int(sys.argv[1])]] * 253
while True:
    with contextlib.suppress(OSError):
        store(fds)
"""


def count_answers(inko, seconds=2):
    n, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        inko.call("GetStatus", {})
        n += 1
    return n


@pytest.mark.parametrize("make", ["memfd_create('x')", "eventfd(0)"])
def test_one_that_stores_the_same_without_end_is_bounded(inko, make):
    """Those that do so have less than what others have done."""
    if not hasattr(os, make.partition("(")[0]):
        pytest.skip(f"this Python has no os.{make}")
    inko.call("GetStatus", {})
    alone = count_answers(inko)
    code = FLOODER.format(make=make, most=STORED_MAX)
    for number in range(6):
        inko.spawn(f"flooder{number}", PYTHON, "-c", code, [0, -1][number % 2],
                   drainUSec=1000)
    beside = count_answers(inko)
    stored = [inko.instances(f"flooder{n}")[0].get("stored") for n in range(6)]
    # They use the processor too, each as much as inkod.
    assert beside * 200 >= alone, f"{beside} of {alone} answers"
    assert stored == [STORED_MAX] * 6


# A file system in a mount namespace of its own, whose program does not answer any more once a file
# was opened (linux/fuse.h: lookup is 1, getattr 3, open 14, flush 25, init 26).
SILENT = """
import array, ctypes, os, socket, struct, sys, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_PRIVATE = 0x20000, 0x44000
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if (libc.unshare(CLONE_NEWNS) < 0 or libc.mount(b"none", b"/", None, MS_PRIVATE, None) < 0 or
        libc.mount(b"silent", b"/mnt", b"fuse", 0, options) < 0):
    sys.exit("no mount: " + os.strerror(ctypes.get_errno()))
def reply(unique, data=b"", error=0):
    os.write(fuse, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)
def attributes(node):
    mode = 0o40777 if node == 1 else 0o100666
    return struct.pack("<QQQQQQIIIIIIIIII", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
def serve():
    silent = False
    while True:
        _, what, unique, node = struct.unpack_from("<IIQQ", os.read(fuse, 1 << 17))
        if what == 26:
            reply(unique, struct.pack("<IIIIHHIIHHI", 7, 31, 65536, 0, 12, 10, 65536, 1, 0, 0, 0)
                  + bytes(28))
        elif silent and what in (3, 25):
            pass
        elif what == 1:
            reply(unique, struct.pack("<QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2))
        elif what == 3:
            reply(unique, struct.pack("<QII", 0, 0, 0) + attributes(node))
        elif what == 14:
            reply(unique, struct.pack("<QII", 1, 0, 0))
            silent = True
        elif what in (18, 25):
            reply(unique)
        elif what not in (2, 42):
            reply(unique, error=38)
if os.fork() == 0:
    serve()
os.close(fuse)
file = os.open("/mnt/x", os.O_RDWR)
notify.send(b"READY=1")
notify.sendmsg([sys.argv[1].encode().decode("unicode_escape").encode()],
               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file] * 3))])
time.sleep(600)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"),
                    reason="needs root and /dev/fuse")
@pytest.mark.parametrize("words", ["STATUS=x", "BARRIER=1", r"FDSTORE=1\nFDPOLL=0"])
def test_a_file_whose_server_is_silent_holds_up_nobody(inko, words):
    try:
        inko.spawn("silent", PYTHON, "-c", SILENT, words, capabilities=["all"], restart="never")
    except VarlinkError as error:
        if "no mount" in str(error):
            pytest.skip(f"FUSE cannot be mounted here: {error}")
        raise
    pid = inko.pids("silent")[0]
    try:
        if "FDSTORE" in words:
            wait_until(lambda: "serves may take" in inko.instances("silent")[0].get("refused", ""))
        # One that is started meanwhile does not inherit it.
        contract = Contract(inko)
        assert contract.order("barrier") == "1"
        assert "stored" not in inko.instances("silent")[0]
    finally:
        # With the program the file system goes, and whoever waits for it goes on.
        os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: not inko.pids("silent"), what=lambda: f"it ends: {inko.instances('silent')}")


# Sends more than its client has room for, and the connection away that it was told to linger on.
LINGERER = """
import array, contextlib, os, socket, struct, sys, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
served, _ = server.accept()
served.setblocking(False)
with contextlib.suppress(BlockingIOError):
    while True:
        served.send(bytes(1 << 16))
served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1 << 15))
os.kill(int(sys.argv[1]), 19)
notify.send(b"READY=1")
notify.sendmsg([b"STATUS=x"],
               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [served.fileno()]))])
# The last copy is the one that is on its way.
os.dup2(server.fileno(), served.fileno())
os.kill(int(sys.argv[1]), 18)
time.sleep(600)
"""


def test_a_socket_that_lingers_holds_up_nobody(inko):
    inko.spawn("lingerer", PYTHON, "-c", LINGERER, str(inko.supervisor_pid()), drainUSec=1000)
    wait_until(lambda: inko.instances("lingerer")[0].get("status") == "x")
    contract = Contract(inko)
    assert contract.order("barrier") == "1"


def test_what_was_stored_goes_with_its_instance(inko):
    contract = Contract(inko, instances=2)
    inko.settle()
    before = inko.descriptors()
    assert contract.order("store a 9 FDPOLL=0", 1) == "1"
    assert contract.order("barrier", 1) == "1"
    inko.call("Scale", {"actor": "contract", "instances": 1})
    inko.call("Scale", {"actor": "contract", "instances": 2})
    assert contract.given(1) == []
    wait_until(lambda: inko.descriptors() == before, what=lambda: inko.list_descriptors())


def store_with_a_fault(put, n):
    """Stores n descriptors with a supervisor that dies at that put: whether it did so before
    ("early"), meanwhile ("died") or not yet ("late")."""
    with private_inkod(INKO_FAULT=f"put:{put}") as inko:
        supervisor, contract = inko.supervisor_pid(), None
        with contextlib.suppress(ConnectionError):
            contract = Contract(inko)
            inko.settle()
        wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
        inko.settle()
        if not contract or inko.supervisor_pid() != supervisor:
            return "early"
        assert contract.order(f"store a {n} FDPOLL=0") == "1"
        assert contract.order("barrier") == "1"
        wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
        assert contract.instance()["stored"] == n
        return "late" if inko.supervisor_pid() == supervisor else "died"


def test_supervisor_dies_at_each_put_of_a_store():
    """The next one hears of all of them again: each is stored, and stored once."""
    n, put, ends = 6, 24, []
    assert store_with_a_fault(8, n) == "early"
    while store_with_a_fault(put, n) != "early":
        put -= 4
    while not ends or ends[-1] != "late":
        ends.append(store_with_a_fault(put, n))
        put += 1
    # Each is a put of its own.
    assert ends.count("died") == n, ends
