"""Listeners that are paused: the backlog holds, and nobody is refused."""

import contextlib
import ctypes
import os
import signal
import socket
import time
from pathlib import Path

import pytest

import harness
from harness import ACTORS, VarlinkError, assert_all_answered, http_get, wait_until
from test_kill import builtin_pid, next_supervisor

RECORDER = ACTORS / "recorder"
# Long enough for anything that is under way to come to be seen.
MOMENT = 0.3
PIDFD_GETFD = 438


@pytest.fixture
def web(inko):
    """The name and the port of a listener, and the record of who is behind it."""
    record = inko.record()
    inko.spawn("web", RECORDER, "--record", record, instances=2)
    port = inko.listen("web", name="front")
    return port, record


def pause(inko, name="front"):
    return inko.call("Pause", {"listener": name})["listener"]


def resume(inko, name="front"):
    return inko.call("Resume", {"listener": name})["listener"]


def idle(inko, record):
    """Everything that was accepted was served; what was received is begun a moment later."""
    def is_idle():
        waits = sum(i["messages"] for i in inko.instances("web"))
        received = inko.call("GetCounters", {"actor": "web"})["actors"][0]["connections"]
        return waits == 0 and received == record.count("begin") == record.count("end")

    wait_until(is_idle, what="what was accepted before is served")
    return record.count("begin")


def assert_nobody_is_accepted(inko, record):
    begun = idle(inko, record)
    time.sleep(MOMENT)
    assert idle(inko, record) == begun


@contextlib.contextmanager
def waiting_client(port):
    """Connected, with its request sent, as far as the kernel is concerned."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        client.settimeout(MOMENT)
        yield client


def assert_waits(client):
    with pytest.raises(TimeoutError):
        client.recv(1)


def assert_served(client):
    client.settimeout(harness.DEADLINE)
    assert client.recv(64).startswith(b"HTTP/1.1 200 ")


def test_pause_under_load(inko, web):
    """After the answer no connection is accepted; none is refused; all are served in the end."""
    port, record = web
    with inko.leak_check():
        load = inko.load(port, until_stopped=True)
        for _ in range(5):
            wait_until(lambda n=record.count("end"): record.count("end") > n + 50)
            assert pause(inko)["state"] == "paused"
            assert_nobody_is_accepted(inko, record)
            assert resume(inko)["state"] == "open"
        assert_all_answered(load.report(), at_least=250)


def test_pause_waits_for_the_acceptor(inko, web):
    """It is answered when it is true, which an acceptor that is asleep cannot make it."""
    port, record = web
    acceptor = builtin_pid(inko, "acceptor")
    inko.kill(acceptor, harness.signal.SIGSTOP)
    with inko.varlink(timeout=MOMENT) as first:
        first.send("Pause", {"listener": "front"})
        with pytest.raises(TimeoutError):
            first.receive()
        # It is not the pause that is answered later.
        assert resume(inko)["state"] == "open"
        first.socket.settimeout(harness.DEADLINE)
        assert "resumed meanwhile" in first.receive()["parameters"]["reason"]
    with inko.varlink(timeout=MOMENT) as second:
        second.send("Pause", {"listener": "front"})
        with pytest.raises(TimeoutError):
            second.receive()
        inko.kill(acceptor, harness.signal.SIGCONT)
        second.socket.settimeout(harness.DEADLINE)
        assert second.receive()["parameters"]["listener"]["state"] == "paused"
    with waiting_client(port) as client:
        assert_waits(client)
        resume(inko)
        assert_served(client)
    assert idle(inko, record) == 1


def test_pause_of_what_is_paused(inko, web):
    port, _ = web
    pause(inko)
    assert pause(inko)["state"] == "paused"
    with waiting_client(port) as client:
        assert_waits(client)
        resume(inko)
        assert resume(inko)["state"] == "open"
        assert_served(client)
    assert "Location" not in http_get(port)


def test_pause_survives_kills(inko, web):
    """Of the supervisor, of the acceptor, and of both."""
    port, record = web
    pause(inko)
    for kills_supervisor, kills_acceptor in ((True, False), (False, True), (True, True)):
        acceptor, supervisor = builtin_pid(inko, "acceptor"), inko.supervisor_pid()
        with waiting_client(port) as client:
            if kills_acceptor:
                inko.kill(acceptor)
            if kills_supervisor:
                inko.kill(supervisor)
                wait_until(lambda: next_supervisor(inko, supervisor))
            if kills_acceptor:
                wait_until(lambda: builtin_pid(inko, "acceptor") not in (None, acceptor)
                           and inko.ready("acceptor"))
            assert inko.listener("front")["state"] == "paused"
            assert pause(inko)["state"] == "paused"
            assert_waits(client)
            assert_nobody_is_accepted(inko, record)
            resume(inko)
            assert_served(client)
        pause(inko)


def test_pause_while_the_supervisor_dies(inko, web, seeded):
    """What was asked for either came to be, or can be asked for again."""
    port, _ = web
    load = inko.load(port, clients=16, until_stopped=True)
    for _ in range(5):
        supervisor = inko.supervisor_pid()
        with inko.varlink() as call:
            call.send("Pause", {"listener": "front"})
            time.sleep(seeded.uniform(0, 0.002))
            inko.kill(supervisor)
        wait_until(lambda: next_supervisor(inko, supervisor))
        assert pause(inko)["state"] == "paused"
        resume(inko)
    assert_all_answered(load.report(), at_least=10)


def test_full_mailboxes_and_pause(inko):
    """What the acceptor holds in its hand goes on all the same, and a pause comes before room."""
    gate = inko.directory / "gate"
    record = inko.record()
    inko.spawn("web", RECORDER, "--record", record, "--gate", gate, queue=6)
    port = inko.listen("web", name="front")
    load = inko.load(port, clients=64, connections=64)
    wait_until(lambda: sum(i["messages"] for i in inko.instances("web")) == 6,
               what="the mailbox is full")
    time.sleep(MOMENT)
    pause(inko)
    gate.touch()
    served = idle(inko, record)
    assert 6 <= served <= 7
    assert_nobody_is_accepted(inko, record)
    resume(inko)
    assert_all_answered(load.report(), at_least=64)


def test_an_acceptor_that_never_answers(inko, web):
    """As one of a build that knows no pause: who asked is told what to do, and it helps."""
    inko.settle()
    listener = inko.status()["listeners"][0]["name"]
    acceptor = inko.pids("acceptor")[0]
    inko.kill(acceptor, signal.SIGSTOP)
    with inko.varlink(timeout=harness.DEADLINE) as control:
        with pytest.raises(VarlinkError) as refusal:
            control.call("Pause", {"listener": listener})
    assert f"kill -KILL {acceptor}" in refusal.value.parameters["reason"]
    result = inko.ctl("pause", listener, check=False)
    assert result.returncode == 1 and "inkoctl resume front" in result.stderr, result
    inko.kill(acceptor)
    inko.ctl("pause", listener)
    assert inko.listener(listener)["state"] == "paused"


def borrow(pid, link):
    """The process's descriptor of the socket that link (socket:[inode]) names."""
    libc = ctypes.CDLL(None, use_errno=True)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}") == link:
            pidfd = os.pidfd_open(pid)
            borrowed = libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
            os.close(pidfd)
            if borrowed < 0:
                pytest.skip(f"no descriptor may be borrowed: {os.strerror(ctypes.get_errno())}")
            return socket.socket(fileno=borrowed)
    raise AssertionError(f"{link} is none of {pid}'s")


def listening_link(port):
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return next(f"socket:[{fields[9]}]" for fields in map(str.split, lines)
                if fields[1].endswith(f":{port:04X}") and fields[3] == "0A")


def test_a_listener_that_fails_for_a_while(inko, web):
    """Whatever accept(2) says, it is tried again, also where nothing else happens."""
    port, _ = web
    http_get(port)
    inko.settle()
    with borrow(inko.pids("acceptor")[0], listening_link(port)) as listener:
        listener.shutdown(socket.SHUT_RDWR)
        time.sleep(MOMENT)
        listener.listen(64)
        # The kernel may have given it another.
        port = listener.getsockname()[1]
    for _ in range(3):
        http_get(port)


def test_restarts_while_paused(inko, web):
    """A pause is the listener's: what happens to its actor does not end it."""
    port, record = web
    pause(inko)
    with waiting_client(port) as client:
        inko.call("Restart", {"actor": "web"})
        inko.call("Restart", {"actor": "web", "rolling": True})
        assert_waits(client)
        assert idle(inko, record) == 0
        resume(inko)
        assert_served(client)


def test_failed_while_paused(inko):
    """Nobody is refused, though the actor has failed for long."""
    own = inko.directory / "own"
    own.symlink_to(RECORDER)
    inko.spawn("web", own, intensity=1, backoffUSec=1000)
    port = inko.listen("web", name="front", holdUSec=0)
    pause(inko)
    own.unlink()
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.actor("web")["state"] == "failed")
    with waiting_client(port) as client:
        assert_waits(client)
        own.symlink_to(RECORDER)
        inko.call("Start", {"actor": "web"})
        assert_waits(client)
        resume(inko)
        assert_served(client)


def test_close_while_paused(inko, web):
    """Who waits is served before, as at any close."""
    port, _ = web
    pause(inko)
    with waiting_client(port) as client:
        assert_waits(client)
        inko.call("Close", {"listener": "front"})
        assert_served(client)
    with pytest.raises(ConnectionRefusedError):
        http_get(port)


def test_two_listeners(inko, web):
    """Only the one that is named."""
    port, _ = web
    other = inko.listen("web", name="side")
    pause(inko)
    assert http_get(other)
    assert inko.listener("side")["state"] == "open"
    with waiting_client(port) as client:
        assert_waits(client)
        resume(inko)
        assert_served(client)


def test_given_listener(inko):
    """It is in other hands, and the answer says so."""
    inko.spawn("pool", harness.BUILD / "http-shared", instances=2)
    inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "pool", "name": "given"})
    for method in ("Pause", "Resume"):
        with pytest.raises(VarlinkError) as refusal:
            inko.call(method, {"listener": "given"})
        assert refusal.value.error.endswith(".ListenerGiven")
        assert refusal.value.parameters["listener"] == "given"
        assert "accept from it themselves" in refusal.value.parameters["reason"]
    result = inko.ctl("pause", "given", check=False)
    assert result.returncode == 1 and "inkoctl stop pool" in result.stderr
    assert inko.listener("given")["state"] == "open"


def test_words(inko, web):
    assert "until 'inkoctl resume front'" in inko.ctl("pause", "front").stdout
    assert "paused" in inko.ctl("status").stdout
    assert "paused" in inko.ctl("list", "listeners").stdout
    assert inko.ctl("resume", "front").stdout.startswith("front: resumed, accepts again on tcp://")
    for verb in ("pause", "resume"):
        result = inko.ctl(verb, "nobody", check=False)
        assert result.returncode == 1 and "there is no listener nobody" in result.stderr
