"""Messages from programs that inkod did not start, over nng, and an actor without libinko."""

import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from harness import (ACTORS, DEADLINE, PYTHON, SOURCE, assert_all_answered, encode_base64,
                     fnv1a, http_get, private_inkod, wait_until)

PYTHON_HELLO = SOURCE / "libclient" / "examples" / "http-hello.py"


@pytest.fixture
def record(inko):
    """The record of an actor web that notes its messages."""
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record)
    return record


def endpoint(inko, name="web"):
    return inko.runtime / "nng" / name


def nngcat(inko, *arguments, name="web"):
    """Sends with the tool that comes with nng; ends when everything was sent."""
    return subprocess.run(
        ["nngcat", "--push0", "--dial", f"ipc://{endpoint(inko, name)}", "--send-timeout", "10",
         *arguments], check=True, timeout=DEADLINE)


def test_nngcat_arrives(inko, record):
    nngcat(inko, "--data", "hello over nng")
    wait_until(lambda: record.count("message") == 1, what="the message arrives")
    assert record.messages() == [(14, fnv1a(b"hello over nng"))]


def test_every_actor_has_an_endpoint(inko, record):
    assert inko.actor("web")["endpoint"] == f"ipc://{endpoint(inko)}"
    inko.spawn("other", ACTORS / "recorder", "--record", inko.record("other"))
    nngcat(inko, "--data", "for the other", name="other")
    wait_until(lambda: inko.record("other").count("message") == 1)
    assert record.count("message") == 0
    inko.call("Remove", {"actor": "other"})
    wait_until(lambda: not endpoint(inko, "other").exists(), what="its endpoint is closed")


def test_endpoint_is_for_its_owner_alone(inko, record):
    assert stat.S_IMODE(endpoint(inko).stat().st_mode) == 0o600
    assert stat.S_IMODE(inko.runtime.stat().st_mode) & 0o022 == 0


def test_probes_do_no_harm(inko, record):
    """Peers that connect and leave at once ended an nng listener for good before 1.6."""
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(endpoint(inko)))
    nngcat(inko, "--data", "after the probes")
    wait_until(lambda: record.count("message") == 1, what="the message arrives")


def test_garbage_does_no_harm(inko, record):
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0SP\0\0\xff\0\0", os.urandom(4096)):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(endpoint(inko)))
            peer.sendall(data)
    nngcat(inko, "--data", "after the garbage")
    wait_until(lambda: record.count("message") == 1, what="the message arrives")


def test_message_waits_for_its_actor(inko, record):
    inko.call("Stop", {"actor": "web"})
    sender = subprocess.Popen(
        ["nngcat", "--push0", "--dial", f"ipc://{endpoint(inko)}", "--data", "early",
         "--interval", "1000"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        assert record.count("message") == 0
        inko.call("Start", {"actor": "web"})
        wait_until(lambda: record.count("message") >= 1, what="the message arrives")
        assert record.messages()[0] == (5, fnv1a(b"early"))
    finally:
        sender.kill()
        sender.wait()


def test_big_message(inko, record):
    data = os.urandom(1 << 20)
    path = inko.directory / "big"
    path.write_bytes(data)
    nngcat(inko, "--file", str(path))
    wait_until(lambda: record.count("message") == 1, what="the message arrives")
    assert record.messages() == [(len(data), fnv1a(data))]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65536, 700_000])
def test_sizes_over_control(inko, record, size):
    """Bodies change from inline to a memfd at 4 KiB: the bytes are the same on both sides."""
    data = os.urandom(size)
    inko.call("Send", {"mailbox": "web", "base64": encode_base64(data)})
    wait_until(lambda: record.count("message") == 1)
    assert record.messages() == [(size, fnv1a(data))]


def test_messages_and_connections_together(inko, record):
    port = inko.listen("web")
    load = inko.load(port, connections=2000, clients=16)
    for number in range(20):
        inko.call("Send", {"mailbox": "web", "text": f"message {number}"})
    assert_all_answered(load.report(), at_least=2000)
    wait_until(lambda: record.count("message") == 20)
    assert record.messages() == [(len(t), fnv1a(t.encode())) for t in
                                 (f"message {n}" for n in range(20))]


def test_message_finds_room(inko):
    """When the mailbox of one instance is full the next one gets it."""
    gate, record = inko.directory / "gate", inko.record()
    inko.spawn("web", ACTORS / "recorder", "--gate", gate, "--record", record, instances=2,
               queue=8)
    names = {inko.call("Send", {"mailbox": "web", "text": "x" * 10})["instance"]
             for _ in range(10)}
    assert names == {"web/0", "web/1"}
    gate.touch()
    wait_until(lambda: record.count("message") == 10)


def test_python_actor_without_libinko(inko):
    """PROTOCOL.md is enough: forty lines of Python receive connections."""
    inko.spawn("py", PYTHON, PYTHON_HELLO, instances=2)
    port = inko.listen("py")
    assert http_get(port) == "Hello, HTTP!"
    load = inko.load(port, clients=16, until_stopped=True)
    time.sleep(0.5)
    inko.call("Restart", {"actor": "py"})
    assert_all_answered(load.report(), at_least=500)
    inko.call("Stop", {"actor": "py"})
    assert "status 0" in inko.instances("py")[0]["lastExit"]


def test_nng_is_not_in_inkod(inko, record):
    """Threads are the gateway's alone."""
    for name in ("keeperPid", "supervisorPid"):
        assert len(os.listdir(f"/proc/{inko.status()[name]}/task")) == 1
    assert len(os.listdir(f"/proc/{inko.pids('web')[0]}/task")) == 1
    assert len(os.listdir(f"/proc/{inko.pids('gateway')[0]}/task")) > 1


# Stops the thread of another process until that ends, and says so, or why it may not.
STOP_THREAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
thread, SEIZE, INTERRUPT, WALL = int(sys.argv[1]), 0x4206, 0x4207, 0x40000000
for request in SEIZE, INTERRUPT:
    if libc.ptrace(request, thread, 0, 0) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, WALL)
print("stopped", flush=True)
os.waitpid(thread, WALL)
"""


def test_nng_that_does_not_come_back(inko, record):
    """From closing an endpoint, as nng 1.5.2 does not now and then; here the thread that it waits
    for is stopped. The gateway ends, and its next life serves the other endpoints and new ones."""
    inko.spawn("other", ACTORS / "recorder", "--record", inko.record("other"))
    inko.settle()
    gateway = inko.pids("gateway")[0]
    threads = [task.name for task in Path(f"/proc/{gateway}/task").iterdir()
               if (task / "comm").read_text().startswith("nng:reap")]
    if not threads:
        pytest.skip("this nng has no thread nng:reap")
    inko.tolerated = rf"gateway/0 \(pid {gateway}\) killed by SIGALRM"
    with subprocess.Popen([PYTHON, "-c", STOP_THREAD, threads[0]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tracer:
        if not tracer.stdout.readline():
            pytest.skip(f"no thread may be stopped: {tracer.stderr.read()}")
        try:
            inko.call("Remove", {"actor": "web"})
            inko.wait_restarted("gateway", gateway)
        finally:
            tracer.kill()
    inko.spawn("web", ACTORS / "recorder", "--record", record)
    for name in "web", "other":
        nngcat(inko, "--data", "after", name=name)
    wait_until(lambda: record.count("message") == inko.record("other").count("message") == 1)


def test_two_daemons_do_not_meet(inko, record):
    """Two private inkods on one machine have nothing in common."""
    with private_inkod() as other:
        other.spawn("web", ACTORS / "recorder", "--record", other.record())
        nngcat(other, "--data", "for the second")
        wait_until(lambda: other.record().count("message") == 1)
        assert record.count("message") == 0
    assert inko.ready("web")
    nngcat(inko, "--data", "for the first")
    wait_until(lambda: record.count("message") == 1)
