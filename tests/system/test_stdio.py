"""A program that knows nothing at all: one process a connection, on standard input and output."""

import contextlib
import os
import socket
from pathlib import Path

import pytest

from harness import ACTORS, DEADLINE, PYTHON, VarlinkError, alive, private_inkod, wait_until


@pytest.fixture
def inko():
    with private_inkod() as daemon:
        yield daemon


def serve(inko, *command, name="echo", address="tcp://127.0.0.1:0", **spec):
    inko.spawn(name, *command, adapter="stdio", **spec)
    return inko.listen(name, address) if address.startswith("tcp") else \
        inko.call("Listen", {"address": address, "to": name})


def connect(port, host="127.0.0.1"):
    return socket.create_connection((host, port), timeout=DEADLINE)


def read_all(client):
    data = b""
    while more := client.recv(65536):
        data += more
    return data


def ask(port, data=b"", host="127.0.0.1"):
    with connect(port, host) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def children(inko, name="echo"):
    """Of all its instances."""
    found = []
    for pid in inko.pids(name):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_cat_is_an_echo_server(inko):
    port = serve(inko, "/bin/cat")
    data = os.urandom(1 << 20)
    with connect(port) as client:
        client.setblocking(False)
        sent, got = 0, b""
        def pump():
            nonlocal sent, got
            with contextlib.suppress(BlockingIOError):
                sent += client.send(data[sent:sent + 65536])
            with contextlib.suppress(BlockingIOError):
                got += client.recv(1 << 20)
            return len(got) == len(data)
        wait_until(pump)
        assert got == data
        client.shutdown(socket.SHUT_WR)
    wait_until(lambda: not children(inko), what="it ends with its client")
    assert [ask(port, b"%d" % n) for n in range(50)] == [b"%d" % n for n in range(50)]


def test_what_it_is_told(inko):
    port = serve(inko, "/usr/bin/env", environment=["COLOUR=blue", "REMOTE_ADDR=9.9.9.9"])
    with connect(port) as client:
        own = client.getsockname()
        said = dict(line.split("=", 1) for line in read_all(client).decode().splitlines())
    assert said["REMOTE_ADDR"] == "127.0.0.1" and said["REMOTE_PORT"] == str(own[1])
    assert said["COLOUR"] == "blue" and "PATH" in said
    assert not [name for name in said if name.startswith(("LISTEN_", "NOTIFY_", "INKO_",
                                                          "WATCHDOG_"))]


def test_who_comes_without_an_ip_address(inko):
    path = inko.directory / "s"
    serve(inko, "/usr/bin/env", address=f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(path))
        assert b"REMOTE_" not in read_all(client)


def test_ipv6(inko):
    try:
        port = serve(inko, "/bin/sh", "-c", "echo $REMOTE_ADDR", address="tcp://[::1]:0")
    except VarlinkError:
        pytest.skip("this machine has no ::1")
    assert ask(port, host="::1") == b"::1\n"


def test_it_has_its_connection_and_nothing_else(inko):
    port = serve(inko, "/bin/sh", "-c", "ls /proc/self/fd; echo to the log >&2; ulimit -n >/dev/null;"
                 "grep -E 'SigBlk|SigIgn' /proc/self/status")
    said = ask(port).decode().split()
    # ls has one for the directory.
    assert said[:4] == ["0", "1", "2", "3"]
    signals = dict(zip(said[4::2], (int(word, 16) for word in said[5::2])))
    # Two are libc's own, which it lets nobody have.
    assert signals["SigBlk:"] == 0 and signals["SigIgn:"] & ~(3 << 31) == 0
    wait_until(lambda: "to the log" in inko.ctl("logs", "echo").stdout)


def test_so_many_at_once(inko):
    port = serve(inko, "/bin/cat", concurrency=3)
    clients = [connect(port) for _ in range(5)]
    for n, client in enumerate(clients):
        client.sendall(b"%d" % n)
    assert [client.recv(9) for client in clients[:3]] == [b"0", b"1", b"2"]
    assert len(children(inko)) == 3
    # The others wait, and are refused by nobody.
    for client in clients[:2]:
        client.shutdown(socket.SHUT_WR)
    assert [client.recv(9) for client in clients[3:]] == [b"3", b"4"]
    assert len(children(inko)) == 3
    for client in clients:
        client.close()


def test_so_many_a_source(inko):
    port = serve(inko, "/bin/cat", maxPerSource=2)
    clients = [connect(port) for _ in range(2)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    for _ in range(5):
        with connect(port) as refused:
            assert refused.recv(1) == b""
    # Another address is another matter, and one that ended makes room.
    with socket.socket() as other:
        other.settimeout(DEADLINE)
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", port))
        other.sendall(b"y")
        assert other.recv(1) == b"y"
    clients[0].close()
    wait_until(lambda: len(children(inko)) == 1)
    assert ask(port, b"z") == b"z"
    clients[1].close()
    log = inko.ctl("logs", "echo").stdout
    assert "127.0.0.1 has 2 connections already" in log and log.count("refused") == 3
    told = "5 connections refused, of addresses that had 2 already"
    wait_until(lambda: told in inko.ctl("status").stdout, what=lambda: inko.instances("echo"))


def test_each_instance_counts_for_itself(inko):
    port = serve(inko, "/bin/cat", maxPerSource=1, instances=2)
    with connect(port) as first, connect(port) as second:
        for client in first, second:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert len(children(inko)) == 2 and ask(port) == b""


def test_children_are_reaped_and_their_deaths_said(inko):
    port = serve(inko, "/bin/sh", "-c", "kill -SEGV $$")
    for _ in range(20):
        with contextlib.suppress(ConnectionResetError):
            assert ask(port) == b""
    wait_until(lambda: not children(inko))
    assert "was killed by SIGSEGV" in inko.ctl("logs", "echo").stdout
    assert inko.ready("echo") and inko.restarts("echo") == 0


def test_many_at_once_that_cannot_be_executed(inko):
    """Each is closed, none is counted for ever."""
    program = inko.directory / "program"
    program.write_text("#!/bin/cat\n")
    program.chmod(0o755)
    port = serve(inko, program, concurrency=8)
    program.unlink()
    for _ in range(40):
        with contextlib.suppress(ConnectionResetError):
            assert ask(port) == b""
    program.write_text("#!/bin/echo\n")
    program.chmod(0o755)
    assert all(ask(port) for _ in range(20))
    wait_until(lambda: not children(inko))
    said = [line for line in inko.ctl("logs", "echo").stdout.splitlines()
            if "cannot be executed" in line]
    assert [int(line.split("; ")[1].split()[0]) for line in said] == [1, 2, 4, 8, 16, 32]
    wait_until(lambda: "40 programs failed" in inko.ctl("status").stdout)


def test_a_program_that_is_gone_takes_nobodys_place(inko):
    program = inko.directory / "program"
    program.write_text("#!/bin/echo\n")
    program.chmod(0o755)
    port = serve(inko, program)
    pids = inko.pids("echo")
    program.rename(inko.directory / "other")
    result = inko.ctl("restart", "echo", "--rolling", check=False)
    assert result.returncode == 1 and "cannot be executed" in result.stderr, result
    assert inko.pids("echo") == pids
    (inko.directory / "other").rename(program)
    inko.ctl("restart", "echo", "--rolling")
    assert ask(port)


def test_a_program_that_forks_and_exits(inko):
    port = serve(inko, "/bin/sh", "-c", "(sleep 0.2; echo late) & echo early")
    assert ask(port) == b"early\nlate\n"


def test_a_stop_lets_them_finish(inko):
    port = serve(inko, "/bin/cat")
    with connect(port) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        call = inko.begin_call("Stop", {"actor": "echo"})
        wait_until(lambda: inko.instances("echo")[0]["state"] == "draining")
        client.sendall(b"b")
        assert client.recv(1) == b"b"
    wait_until(lambda: inko.actor("echo")["state"] == "stopped")
    assert inko.instances("echo")[0]["lastExit"] == "exited with status 0"
    call.close()


def test_a_stop_does_not_wait_for_ever(inko):
    port = serve(inko, "/bin/cat", drainUSec=300000)
    with connect(port) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        pid, = children(inko)
        inko.ctl("stop", "echo")
        assert not alive(pid) and client.recv(1) == b""
    # SIGTERM was enough.
    assert inko.instances("echo")[0]["lastExit"] == "exited with status 0"


NOTES_SIGNALS = """
import os, signal, sys
def note(number, frame):
    with open(sys.argv[1], "a") as said:
        said.write(signal.Signals(number).name + "\\n")
    os._exit(0)
for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR2):
    signal.signal(number, note)
os.write(1, b"a")
while True:
    signal.pause()
"""


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGUSR2"])
def test_its_stop_signal_is_passed_on(inko, name):
    said = inko.directory / "said"
    port = serve(inko, PYTHON, "-c", NOTES_SIGNALS, said, stopSignal=name, drainUSec=300000,
                 stopUSec=DEADLINE * 1000000)
    with connect(port) as client:
        assert client.recv(1) == b"a"
        # Not for those that a signal would end.
        assert inko.ctl("reload", "echo", check=False).returncode == 1
        inko.ctl("stop", "echo")
    assert said.exists() and said.read_text() == f"{name}\n"
    assert inko.instances("echo")[0]["lastExit"] == "exited with status 0"


def test_children_do_not_outlive_their_instance(inko):
    port = serve(inko, "/bin/cat", backoffUSec=1000)
    with connect(port) as client:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
        pid, = children(inko)
        inko.kill(inko.pids("echo")[0])
        assert client.recv(1) == b""
        wait_until(lambda: not alive(pid))
    assert ask(port, b"again") == b"again"


def test_nothing_is_lost_on_a_rolling_restart(inko):
    answer = "read line; printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'"
    port = serve(inko, "/bin/sh", "-c", answer, instances=2)
    load = inko.load(port, clients=4, until_stopped=True)
    for _ in range(3):
        inko.ctl("restart", "echo", "--rolling")
    report = load.report()
    # What the shell did not read of a request resets its client, as it would under systemd.
    assert report["connections"] > 10
    assert report["answered"] + report.get("reset", 0) == report["connections"], report


@pytest.mark.parametrize("spec, parameter", [
    ({"adapter": "stdio", "listeners": ["tcp://127.0.0.1:0"]}, "listeners"),
    ({"adapter": "stdio", "opens": ["a"]}, "opens"),
    ({"adapter": "mailbox", "maxPerSource": 1}, "maxPerSource"),
    ({"adapter": "stdio", "maxPerSource": -1}, "maxPerSource"),
])
def test_what_does_not_go_together(inko, spec, parameter):
    with pytest.raises(VarlinkError) as refusal:
        inko.spawn("echo", "/bin/cat", **spec)
    assert refusal.value.parameters["parameter"] == parameter


def test_it_takes_no_messages(inko):
    """Nobody would read them: they are refused, and nng has nowhere to send them."""
    inko.spawn("other", ACTORS / "recorder", inko.directory / "said")
    serve(inko, "/bin/cat")
    result = inko.ctl("send", "echo", "hello", check=False)
    assert result.returncode == 1 and "echo takes no messages, by its adapter" in result.stderr
    assert "endpoint" in inko.actor("other") and "endpoint" not in inko.actor("echo")
    assert not (inko.runtime / "nng" / "echo").exists()
    # Another actor that opens it can send it some all the same.
    inko.spawn("asker", ACTORS / "ask", "echo", "1", opens=["echo"])
    wait_until(lambda: "a message is thrown away" in inko.ctl("logs", "echo").stdout)


def test_a_listener_is_not_given_to_it(inko):
    inko.spawn("echo", "/bin/cat", adapter="stdio")
    with pytest.raises(VarlinkError, match="in place of giving it the listener"):
        inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "echo"})


def test_programs_that_fail_are_counted(inko):
    """Each time that there are twice as many the log has a line, which does not fill it."""
    port = serve(inko, "/bin/sh", "-c", "read n; exit $n")
    for status in (3, 0, 3, 3, 3, 3):
        with connect(port) as client:
            client.sendall(b"%d\n" % status)
            assert client.recv(1) == b""
    wait_until(lambda: inko.instances("echo")[0].get("status") == "5 programs failed")
    log = inko.ctl("logs", "echo").stdout
    assert log.count("exited with status 3") == 3 and "status 0" not in log
    assert "; 4 failed so far" in log
