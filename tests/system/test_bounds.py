"""Overload, actors that stall, fail or misbehave: what each may cost, and whom."""

import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import (ACTORS, BUILD, DEADLINE, PYTHON, SANITIZED, VarlinkError,
                     assert_all_answered, count_descriptors, cpu_nanoseconds, free_port, http_get,
                     private_inkod, resident_kib, wait_until)

RECORDER = ACTORS / "recorder"
MISUSE = ACTORS / "misuse"
CLIENTS = 5000
QUEUE = 16
# Of an instance that does not read, until what waits for it moves on.
STALL_SECONDS = 5
PATIENT = {"backoffUSec": 10_000, "intensity": 0}

# Of a second: who spins uses all of it. A sanitizer makes every call several times as dear.
SPIN_NANOSECONDS = 600_000_000 if SANITIZED else 100_000_000


def waiting(inko, name="web"):
    return sum(instance["messages"] for instance in inko.instances(name))


def measure(inko):
    """Resident KiB and descriptors of each process of inkod, by name and pid."""
    return {f"{name} {pid}": (resident_kib(pid), count_descriptors(pid))
            for pid, name in inko.processes().items()}


def test_five_thousand_clients_and_nobody_reads(inko):
    """Sixteen wait in the mailbox, the kernel's backlog has the rest, and no process grows."""
    gate = inko.directory / "gate"
    inko.spawn("web", RECORDER, "--gate", gate, queue=QUEUE)
    port = inko.listen("web")
    inko.settle()
    before = measure(inko)
    loads = [inko.load(port, clients=CLIENTS // 4, connections=CLIENTS // 4, timeout=120)
             for _ in range(4)]
    wait_until(lambda: waiting(inko) >= QUEUE, what="the mailbox is full")
    time.sleep(2)
    assert waiting(inko) == QUEUE
    after = measure(inko)
    assert {name.split()[-1] for name in after} == {name.split()[-1] for name in before}, (before, after)
    for process, (kib, descriptors) in after.items():
        assert descriptors <= before[process][1] + 8, (process, before[process], after[process])
        assert descriptors < 100, (process, after[process])
        if not SANITIZED:
            assert kib < before[process][0] + 512, (process, before[process], after[process])
            assert kib < 16 * 1024, (process, after[process])
    cpu = {pid: cpu_nanoseconds(pid) for pid in inko.processes()}
    time.sleep(1)
    for pid, used in cpu.items():
        spent = cpu_nanoseconds(pid) - used
        assert spent < SPIN_NANOSECONDS, f"{pid} spins while all is full: {spent} ns in a second"
    gate.touch()
    for load in loads:
        assert_all_answered(load.report(), at_least=CLIENTS // 4)


def test_stopped_instance_holds_up_nobody(inko):
    """One of two is SIGSTOPped under load: who waits for it goes to the other in five seconds."""
    record = inko.record()
    inko.spawn("web", RECORDER, "--record", record, instances=2)
    port = inko.listen("web")
    margin = 4
    load = inko.load(port, clients=32, until_stopped=True, timeout=STALL_SECONDS + margin)
    wait_until(lambda: record.count("end") > 200)
    stopped = inko.pids("web")[0]
    inko.kill(stopped, signal.SIGSTOP)
    try:
        time.sleep(STALL_SECONDS + margin + 2)
        report = load.report()
        served, begun = record.open_clients(), record.begun_clients()
        late = [failure["client"] for failure in report["failures"]]
        # Only the client that it had in its hands, recorded or not quite yet, has to wait for it.
        assert len(late) <= 1
        assert all(served.get(client) == stopped or client not in begun for client in late), late
        assert report["answered"] + len(late) == report["connections"]
        assert report["slowestUSec"] < (STALL_SECONDS + margin) * 1_000_000
        # It is skipped from now on.
        after = inko.load(port, clients=16, connections=1000).report()
        assert_all_answered(after, at_least=1000)
        assert after["slowestUSec"] < 2_000_000
    finally:
        inko.kill(stopped, signal.SIGCONT)
    wait_until(lambda: served_by(port) == stopped, what="it takes part again")


def served_by(port):
    return int(http_get(port).split()[1])


def test_all_instances_stopped(inko):
    """There is nobody to move to: connections wait, and none is lost when they go on."""
    inko.spawn("web", RECORDER, instances=2)
    port = inko.listen("web")
    pids = inko.pids("web")
    for pid in pids:
        inko.kill(pid, signal.SIGSTOP)
    load = inko.load(port, clients=50, connections=50)
    time.sleep(STALL_SECONDS + 2)
    assert load.running()
    for pid in pids:
        inko.kill(pid, signal.SIGCONT)
    assert_all_answered(load.report(), at_least=50)


@pytest.mark.parametrize("how", ["fill", "shutdown", "options", "blocking", "garbage",
                                 "descriptors"])
def test_misbehaving_actor(inko, how):
    """It harms itself: its neighbour serves everybody, and the supervisor answers meanwhile."""
    inko.spawn("neighbour", RECORDER, instances=2)
    port = inko.listen("neighbour")
    inko.settle()
    # Until both have answered the acceptor may not have all of its lanes.
    wait_until(lambda: len({http_get(port) for _ in range(4)}) == 2)
    neighbours = inko.pids("neighbour")
    # Of an actor that it hands nothing to any more the acceptor finds out that its lane has ended
    # when it is given the next one.
    most = {pid: count_descriptors(pid) for pid in neighbours}
    most |= {pid: count_descriptors(pid) + 1 for pid in inko.pids("acceptor")}
    with inko.leak_check():
        inko.spawn("bad", MISUSE, how, opens=["neighbour"], drainUSec=200_000, **PATIENT)
        bad_port = inko.listen("bad", name="bad")
        victims = inko.load(bad_port, clients=100, until_stopped=True, timeout=3)
        load = inko.load(port, clients=16, until_stopped=True)
        slowest = 0
        end = time.monotonic() + 2
        while time.monotonic() < end:
            started = time.monotonic()
            inko.status()
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.02)
        said = inko.instances("bad")[0].get("status") or ""
        report = load.report()
        victims.end()
        assert_all_answered(report, at_least=500)
        assert report["slowestUSec"] < 2_000_000, report
        assert slowest < 1
        assert inko.pids("neighbour") == neighbours and inko.restarts("neighbour") == 0
        inko.call("Close", {"listener": "bad"})
        inko.call("Remove", {"actor": "bad"})
    if how == "fill":
        assert "EPIPE" in said
    assert inko.ready("neighbour") and inko.ready("acceptor")
    wait_until(lambda: all(count_descriptors(pid) <= n for pid, n in most.items()),
               what=lambda: f"no more descriptors than before: {most}, "
               f"{ {pid: count_descriptors(pid) for pid in most} }")


def test_names_that_come_and_go(inko):
    """Neither of inkod's own actors keeps anything of those that were removed."""
    def measure_own():
        return [count_descriptors(inko.pids(name)[0]) for name in ("acceptor", "gateway")]

    def come_and_go(name):
        inko.spawn(name, BUILD / "http-hello")
        inko.listen(name, name=name)
        inko.call("Close", {"listener": name})
        inko.call("Remove", {"actor": name})

    come_and_go("first")
    inko.settle()
    before = measure_own()
    for i in range(20):
        come_and_go(f"a{i}")
    after = measure_own()
    assert all(now <= then + 2 for now, then in zip(after, before)), (before, after)


def test_many_lives_of_who_is_not_written_to(inko):
    """An actor that may send to another and does not keeps nothing of its former instances."""
    inko.spawn("web", BUILD / "http-hello")
    inko.spawn("asker", BUILD / "http-hello", opens=["web"])
    pid = inko.pids("asker")[0]
    inko.call("Restart", {"actor": "web"})
    before = count_descriptors(pid)
    for _ in range(10):
        inko.call("Restart", {"actor": "web"})
    wait_until(lambda: count_descriptors(pid) <= before + 1,
               what=lambda: f"{count_descriptors(pid)} descriptors are {before} again")


def is_closing(inko, name):
    try:
        inko.call("Resume", {"listener": name})
    except VarlinkError as error:
        return "is being closed" in str(error)
    return False


def test_confirmations_wait_for_the_supervisor(inko):
    """It is stopped, and has more to hear than its socket takes: clients are served meanwhile,
    and it hears all of it when it goes on."""
    n = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 10
    port = free_port()
    kept = {"actors": [{"name": "web", "command": [str(BUILD / "http-hello")]}],
            "listeners": [{"name": "front", "address": f"tcp://127.0.0.1:{port}", "to": "web"}]}
    many = [{"name": f"l{i}", "address": f"unix://{inko.directory}/l{i}", "to": "web"}
            for i in range(n)]
    inko.call("Apply", {"configuration": {**kept, "listeners": kept["listeners"] + many}})
    inko.settle()
    acceptor, supervisor = inko.pids("acceptor")[0], inko.supervisor_pid()
    inko.kill(acceptor, signal.SIGSTOP)
    with inko.begin_call("Apply", {"configuration": kept, "prune": True}) as call:
        wait_until(lambda: all(is_closing(inko, listener["name"]) for listener in many))
        inko.kill(supervisor, signal.SIGSTOP)
        inko.kill(acceptor, signal.SIGCONT)
        for _ in range(20):
            http_get(port, timeout=5)
        inko.kill(supervisor, signal.SIGCONT)
        assert "error" not in call.receive()
    assert [listener["name"] for listener in inko.status()["listeners"]] == ["front"]


def soft_descriptors(pid):
    text = Path(f"/proc/{pid}/limits").read_text()
    return int(re.search(r"^Max open files +(\d+) ", text, re.M)[1])


def test_what_waits_leaves_room_for_inkod(inko):
    """The kernel bounds what all processes of a user have on their way: full mailboxes must not
    keep inkod from passing what it takes to start who empties them."""
    inko.spawn("web", RECORDER)
    inko.listen("web")
    inko.settle()
    for name in "acceptor", "gateway":
        for own in inko.keeper_pid(), inko.supervisor_pid():
            assert soft_descriptors(inko.pids(name)[0]) < soft_descriptors(own)


# Fills the way of its user's descriptors, until its input ends.
FILL = """
import array, errno, socket, sys
pairs, rights = [], array.array("i", [0] * 100)
try:
    while True:
        pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        pairs[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
except OSError as error:
    print(error.errno == errno.ETOOMANYREFS, flush=True)
sys.stdin.read()
"""

# A user whom the kernel counts them of, as it does not of root: another one in each run.
UNPRIVILEGED = os.geteuid() or 60_000 + os.getpid() % 5000


def as_unprivileged(*command):
    """The command that runs that one as that user, and with few descriptors."""
    change = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
    limited = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *map(str, command)]
    return [*change, *limited] if os.geteuid() == 0 else limited


def may_run_unprivileged():
    try:
        return subprocess.run(as_unprivileged("test", "-x", BUILD / "inkod")).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_run_unprivileged(),
                    reason="needs setpriv, and a build directory that others may enter")
def test_way_that_is_full(tmp_path):
    """What an instance that is gone leaves goes to its sibling as soon as that can be told."""
    program = tmp_path / "inkod"
    program.write_text(f'#!/bin/sh\nchown {UNPRIVILEGED} "${{INKO_RUNTIME_DIR%/*}}"\n'
                       f'exec {shlex.join(as_unprivileged(BUILD / "inkod"))} "$@"\n')
    program.chmod(0o755)
    with private_inkod(tmp_path) as inko:
        gate = inko.directory / "gate"
        inko.spawn("web", RECORDER, "--gate", gate, instances=2, restart="never")
        port = inko.listen("web")
        inko.settle()
        load = inko.load(port, clients=10, connections=10)
        wait_until(lambda: waiting(inko) == 10)
        with subprocess.Popen(as_unprivileged(PYTHON, "-c", FILL), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as filler:
            assert filler.stdout.readline() == "True\n"
            inko.kill(inko.pids("web")[0])
            wait_until(lambda: inko.instances("web")[0]["state"] == "failed")
            filler.stdin.close()
        gate.touch()
        assert_all_answered(load.report(), at_least=10)


def test_notification_flood(inko):
    """Who notifies without end costs the supervisor little and its siblings nothing."""
    code = ("import os, socket\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.connect(os.environ['NOTIFY_SOCKET'])\n"
            "s.send(b'READY=1')\n"
            "while True:\n"
            "    s.send(b'STATUS=' + b'x' * 4000)\n")
    inko.spawn("web", RECORDER)
    port = inko.listen("web")
    inko.spawn("flood", PYTHON, "-c", code, drainUSec=100_000)
    supervisor = inko.supervisor_pid()
    before = cpu_nanoseconds(supervisor)
    load = inko.load(port, clients=8, until_stopped=True)
    for _ in range(20):
        started = time.monotonic()
        inko.call("ListRoutes")
        assert time.monotonic() - started < 1
        time.sleep(0.05)
    assert_all_answered(load.report(), at_least=200)
    assert cpu_nanoseconds(supervisor) - before < 1_000_000_000
    assert len(inko.instances("flood")[0]["status"]) <= 1024
    inko.call("Remove", {"actor": "flood"})


def test_failed(inko):
    """Too many deaths: failed, clients wait as long as --hold says, then no longer; start heals."""
    inko.ctl("spawn", "web", "--intensity", "2/1min", "--backoff", "10ms", "--", RECORDER)
    listener = inko.json("listen", "tcp://127.0.0.1:0", "--to", "web", "--hold", "1s",
                         "--name", "front")["listener"]
    port = int(listener["address"].rpartition(":")[2])
    for _ in range(3):
        pid = wait_until(lambda: inko.ready("web") and inko.pids("web")[0])
        inko.kill(pid)
        wait_until(lambda: pid not in inko.pids("web"))
    wait_until(lambda: inko.actor("web")["state"] == "failed", what="web has failed")
    instance = inko.instances("web")[0]
    assert instance["state"] == "failed" and instance["restarts"] == 2
    assert "KILL" in instance["lastExit"]
    assert inko.listener("front")["state"] == "waiting"
    assert "failed" in inko.ctl("status").stdout
    started = time.monotonic()
    with pytest.raises(ConnectionError):
        http_get(port)
    assert 0.2 < time.monotonic() - started < 10
    wait_until(lambda: inko.listener("front")["state"] == "refusing")
    started = time.monotonic()
    with pytest.raises(ConnectionError):
        http_get(port)
    assert time.monotonic() - started < 0.5
    inko.ctl("start", "web")
    assert inko.listener("front")["state"] == "open"
    assert http_get(port).startswith("web/0 ")


def test_failed_in_time_is_healed_without_loss(inko):
    """Who waits while an actor has failed is answered when it is started before --hold ends."""
    inko.spawn("web", RECORDER, intensity=1, intensityUSec=60_000_000, backoffUSec=10_000)
    port = inko.listen("web", holdUSec=60_000_000)
    for _ in range(2):
        pid = wait_until(lambda: inko.ready("web") and inko.pids("web")[0])
        inko.kill(pid)
        wait_until(lambda: pid not in inko.pids("web"))
    wait_until(lambda: inko.actor("web")["state"] == "failed")
    load = inko.load(port, clients=30, connections=30)
    time.sleep(0.5)
    assert load.running()
    inko.ctl("start", "web")
    assert_all_answered(load.report(), at_least=30)


def test_one_of_two_fails(inko):
    """The other serves on, and the actor is degraded."""
    inko.spawn("web", RECORDER, instances=2, intensity=1, intensityUSec=60_000_000,
               backoffUSec=10_000)
    port = inko.listen("web")
    load = inko.load(port, clients=16, until_stopped=True)
    for _ in range(2):
        pid = wait_until(lambda: inko.ready("web") and inko.instances("web")[0]["pid"])
        inko.kill(pid)
        wait_until(lambda: pid not in inko.pids("web"))
    wait_until(lambda: inko.actor("web")["state"] == "degraded", what="web is degraded")
    time.sleep(0.3)
    report = load.report()
    assert report["refused"] == 0 and len(report["failures"]) <= 2, report
    assert_all_answered(inko.load(port, connections=100).report(), at_least=100)


def test_concurrency(inko):
    """An actor that would take everything gets so many and no more; the rest stays queued."""
    keep, record = inko.directory / "keep", inko.record()
    inko.spawn("web", RECORDER, "--record", record, "--keep", keep, "--concurrency", "10")
    load = inko.load(inko.listen("web"), clients=50, connections=50)
    wait_until(lambda: record.count("keep") == 10 and waiting(inko) == 40)
    time.sleep(0.3)
    assert record.count("keep") == 10
    keep.touch()
    assert_all_answered(load.report(), at_least=50)


def test_concurrency_by_default(inko):
    keep, record = inko.directory / "keep", inko.record()
    inko.spawn("web", RECORDER, "--record", record, "--keep", keep)
    load = inko.load(inko.listen("web"), clients=400, connections=400)
    wait_until(lambda: record.count("keep") == 256)
    time.sleep(0.3)
    assert record.count("keep") == 256
    keep.touch()
    assert_all_answered(load.report(), at_least=400)


def first_free_descriptor(pid):
    taken = {int(number) for number in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def set_descriptors(pid, limits):
    """As the process's own user: for another's limits root needs one capability more."""
    who = os.stat(f"/proc/{pid}")
    user = {"user": who.st_uid, "group": who.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={limits[0]}:{limits[1]}"], check=True,
                   stdin=subprocess.DEVNULL, **user)


def limit_descriptors(pid, number):
    """Allows the process no more descriptors than number; returns what was allowed."""
    text = Path(f"/proc/{pid}/limits").read_text()
    before = tuple(map(int, re.search(r"^Max open files +(\d+) +(\d+) ", text, re.M).groups()))
    set_descriptors(pid, (number, before[1]))
    return before


def test_acceptor_out_of_descriptors(inko):
    """It loses nothing, does not spin, and goes on when there is room."""
    inko.spawn("web", RECORDER)
    port = inko.listen("web")
    inko.settle()
    acceptor = inko.pids("acceptor")[0]
    before = limit_descriptors(acceptor, first_free_descriptor(acceptor))
    load = inko.load(port, clients=100, connections=100)
    time.sleep(0.3)
    cpu = cpu_nanoseconds(acceptor)
    time.sleep(1)
    assert cpu_nanoseconds(acceptor) - cpu < SPIN_NANOSECONDS
    assert load.running()
    set_descriptors(acceptor, before)
    assert_all_answered(load.report(), at_least=100)


@pytest.mark.parametrize("number, n_lost", [(signal.SIGTERM, 0), (signal.SIGKILL, 1)])
def test_acceptor_ends_with_one_in_its_hands(inko, number, n_lost):
    """That there is one is sure here, where the kernel lets it send no more for now: its user has
    more descriptors under way than it may have open (unix(7), ETOOMANYREFS). Told to end it brings
    the one where it belongs first, for which it takes a second at most; killed it cannot."""
    gate = inko.directory / "gate"
    inko.spawn("web", RECORDER, "--gate", gate)
    port = inko.listen("web")
    inko.settle()
    acceptor = inko.pids("acceptor")[0]
    # A sanitizer that has no descriptor to look for leaks with ends it with 1.
    inko.tolerated = (rf"acceptor/0 \(pid {acceptor}\) exited with status "
                      rf"{'[01]' if SANITIZED else '0'}$")
    n_allowed = first_free_descriptor(acceptor) + 8
    before = limit_descriptors(acceptor, n_allowed)
    load = inko.load(port, clients=3 * n_allowed, connections=3 * n_allowed)

    def holds_one():
        counts = inko.call("GetCounters")["listeners"][0]
        return counts["accepted"] == counts["handedOver"] + 1 and counts

    def holds_one_for_long():
        counts = holds_one()
        time.sleep(0.1)
        return counts and counts == holds_one()

    wait_until(holds_one_for_long, what=lambda: f"one is held: {inko.call('GetCounters')}")
    inko.kill(acceptor, number)
    if not n_lost:
        set_descriptors(acceptor, before)
    inko.wait_restarted("acceptor", acceptor)
    gate.touch()
    report = load.report()
    assert len(report["failures"]) == n_lost == report["connections"] - report["answered"], report
    counts = inko.call("GetCounters")["listeners"][0]
    assert counts["accepted"] == counts["handedOver"] + n_lost == report["connections"], counts


def test_instance_out_of_descriptors(inko):
    """What it has no room for stays in its mailbox."""
    inko.spawn("web", RECORDER)
    port = inko.listen("web")
    pid = inko.pids("web")[0]
    before = limit_descriptors(pid, first_free_descriptor(pid))
    load = inko.load(port, clients=50, connections=50)
    time.sleep(0.5)
    assert load.running() and inko.pids("web") == [pid]
    set_descriptors(pid, before)
    assert_all_answered(load.report(), at_least=50)


def test_pull_is_bounded_too(inko):
    """A shared lane has a queue of the same length."""
    gate = inko.directory / "gate"
    inko.spawn("web", RECORDER, "--gate", gate, instances=2, queue=QUEUE)
    port = inko.listen("web", balance="pull")
    load = inko.load(port, clients=100, connections=100)
    time.sleep(1)
    assert count_descriptors(inko.pids("acceptor")[0]) < 50
    assert load.running()
    gate.touch()
    assert_all_answered(load.report(), at_least=100)


def test_refused_listener_does_not_starve_the_other(inko):
    """One actor is full for good; the other's clients, on another listener, do not notice."""
    gate = inko.directory / "gate"
    inko.spawn("full", RECORDER, "--gate", gate, queue=QUEUE)
    inko.spawn("web", RECORDER)
    full_port, port = inko.listen("full"), inko.listen("web")
    stuck = inko.load(full_port, clients=500, connections=500)
    wait_until(lambda: waiting(inko, "full") >= QUEUE)
    report = inko.load(port, clients=16, connections=3000).report()
    assert_all_answered(report, at_least=3000)
    assert report["slowestUSec"] < 2_000_000
    gate.touch()
    assert_all_answered(stuck.report(), at_least=500)


def test_clients_that_leave(inko):
    """Clients that connect and vanish while they wait do not stop those behind them."""
    gate = inko.directory / "gate"
    inko.spawn("web", RECORDER, "--gate", gate, queue=QUEUE)
    port = inko.listen("web")
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE):
            pass
    answers = []
    client = threading.Thread(target=lambda: answers.append(http_get(port)))
    client.start()
    gate.touch()
    client.join(DEADLINE)
    assert answers and answers[0].startswith("web/0 ")


def test_actor_that_prints_without_end(inko):
    """It is ready and serves for all that: neither it nor inkod waits for a reader of its log."""
    program = inko.directory / "talker"
    program.write_text(f"#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' 'x'\necho\n"
                       f"exec {BUILD / 'http-hello'}\n")
    program.chmod(0o755)
    inko.spawn("talker", program)
    port = inko.listen("talker")
    assert http_get(port) == "Hello, HTTP!"
    assert resident_kib(inko.supervisor_pid()) < 16 * 1024
    assert os.path.getsize(inko.log) < 1 << 20
