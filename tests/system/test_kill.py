"""Who dies, and what is lost: DESIGN's table under load.

The short form is what runs by default; INKO_FULL=1 asks for the numbers of the acceptance.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import (ACTORS, DEADLINE, alive, assert_all_answered, http_get, private_inkod,
                     programs_on_this_kernel, wait_until, without_pidfd_info)

FULL = os.environ.get("INKO_FULL") == "1"
KILLS = 100 if FULL else 25
CONNECTIONS = 100_000 if FULL else 10_000
SUPERVISORS = 20 if FULL else 8
# Restart at once and never give up: these tests kill more often than anything fails by itself.
PATIENT = {"backoffUSec": 10_000, "intensity": 0}


def spawn_recorder(inko, name="web", record=None, **parameters):
    record = record or inko.record()
    inko.spawn(name, ACTORS / "recorder", "--record", record, **parameters)
    return record


def test_instances_killed_under_load(inko):
    """Nobody is refused; who got no answer was being served by an instance at its death."""
    record = spawn_recorder(inko, instances=2, **PATIENT)
    port = inko.listen("web")
    killed = []
    with inko.leak_check():
        load = inko.load(port, connections=CONNECTIONS, until_stopped=True)
        while len(killed) < KILLS:
            pid = wait_until(lambda: ready_pid(inko, "web", len(killed) % 2), what="it is ready")
            # Ready for ten times its backoff it is started again at once, not ever later.
            time.sleep(0.11)
            inko.kill(pid)
            killed.append(pid)
            wait_until(lambda: not alive(pid))
        report = load.report()
        wait_until(lambda: inko.ready("web"), what="all instances are ready again")
    lost = [failure["client"] for failure in report["failures"]]
    served = record.open_clients()
    begun = record.begun_clients()
    unrecorded = [client for client in lost if client not in begun]
    assert report["connections"] >= CONNECTIONS
    assert report["refused"] == 0 and report["timedOut"] == 0 and report["unsent"] == 0, report
    assert report["answered"] + len(lost) == report["connections"]
    assert all(served.get(client) in killed for client in lost if client in begun), (lost, served)
    # One connection at a time is in an instance's hands, so one death costs one client at most,
    # whether it died just before or after it wrote its record.
    by_recorded = {served[client] for client in lost if client in begun}
    assert len(by_recorded) + len(unrecorded) == len(lost) <= len(killed), (lost, served)
    assert inko.restarts("web") >= len(killed)


def ready_pid(inko, name, index):
    instance = inko.instances(name)[index]
    return instance["state"] == "ready" and instance["pid"]


def test_clients_wait_for_stopped_instances(inko):
    """All instances are stopped: who connects meanwhile waits, and is answered after start."""
    spawn_recorder(inko, instances=2)
    port = inko.listen("web")
    inko.call("Stop", {"actor": "web"})
    assert inko.pids("web") == []
    load = inko.load(port, clients=200, connections=200)
    time.sleep(0.5)
    assert load.running()
    inko.call("Start", {"actor": "web"})
    assert_all_answered(load.report(), at_least=200)


def test_clients_wait_for_killed_instances(inko):
    """The same when all of them die at once, before they have received what waits for them."""
    gate = inko.directory / "gate"
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record, "--gate", gate, instances=2,
               **PATIENT)
    port = inko.listen("web")
    load = inko.load(port, clients=100, connections=100)
    wait_until(lambda: waiting(inko, "web") >= 100, what="all clients are in mailboxes")
    before = inko.pids("web")
    for pid in before:
        inko.kill(pid)
    wait_until(lambda: inko.ready("web") and not set(before) & set(inko.pids("web")),
               what="both were started again")
    assert load.running() and record.count("begin") == 0
    gate.touch()
    assert_all_answered(load.report(), at_least=100)
    # It is written after the answer.
    wait_until(lambda: record.count("end") == 100)


def waiting(inko, name):
    return sum(instance["messages"] for instance in inko.instances(name))


def test_keeper_without_a_service_manager_is_replaced(tmp_path):
    """Also when the one before it had one that would have started the next."""
    manager = tmp_path / "notify"
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify:
        notify.settimeout(DEADLINE)
        notify.bind(str(manager))
        with private_inkod(NOTIFY_SOCKET=str(manager)) as inko:
            while b"READY=1" not in notify.recv(4096):
                pass
            spawn_recorder(inko)
            pids = inko.pids("web")
            inko.kill(inko.keeper.pid)
            inko.keeper.wait()
            del inko.environment["NOTIFY_SOCKET"]
            inko.begin()
            wait_until(lambda: inko.keeper_pid() == inko.keeper.pid, what="it has taken over")
            inko.kill(inko.keeper.pid)
            inko.keeper.wait()
            wait_until(inko.keeper_pid, what="the supervisor has started another")
            assert inko.pids("web") == pids


def test_stopped_in_order_when_nobody_is_its_parent(inko):
    """Where the kernel does not say how it ended either, it was stopped at least."""
    spawn_recorder(inko)
    inko.kill(inko.keeper_pid())
    inko.keeper.wait()
    wait_until(inko.keeper_pid, what="there is another keeper")
    pid = inko.supervisor_pid()
    inko.kill(pid)
    wait_until(lambda: next_supervisor(inko, pid))
    inko.call("Stop", {"actor": "web"})
    assert inko.instances("web")[0]["lastExit"] in (
        "exited with status 0", "was stopped; with which status nobody saw")


def test_supervisor_replaced_under_load(inko, seeded):
    """Connections flow on over its death; the next one adopts everything as it was."""
    spawn_recorder(inko, instances=2, **PATIENT)
    port = inko.listen("web")
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.ready("web") and inko.restarts("web") == 1)
    inko.settle()
    before = inko.picture()
    descriptors = inko.descriptors()
    load = inko.load(port, clients=16, until_stopped=True)
    for _ in range(SUPERVISORS):
        time.sleep(seeded.uniform(0, 0.1))
        pid = inko.supervisor_pid()
        inko.kill(pid)
        wait_until(lambda: next_supervisor(inko, pid), what="another supervisor answers")
    assert_all_answered(load.report(), at_least=1000)
    after = inko.picture()
    assert after["supervisorPid"] != before["supervisorPid"]
    after["supervisorPid"] = before["supervisorPid"]
    assert after == before
    wait_until(lambda: inko.descriptors() == descriptors, timeout=10,
               what=lambda: f"as many descriptors as before: {inko.list_descriptors()}")


def next_supervisor(inko, pid):
    """The supervisor that came after pid, or None as long as there is none that answers."""
    try:
        status = inko.status()
    except (FileNotFoundError, ConnectionError):
        return None
    return status["supervisorPid"] != pid and status["supervisorPid"]


def test_supervisor_killed_during_changes(inko, seeded):
    """Whatever it was doing: what status says is true afterwards, and a repeated call works."""
    port = inko.listen(inko.spawn("base", harness.BUILD / "http-hello")["name"])
    for number in range(SUPERVISORS):
        name = f"a{number}"
        pid = inko.supervisor_pid()
        call = inko.varlink()
        call.send("Spawn", {"name": name, "command": [str(harness.BUILD / "http-hello")],
                            "instances": 2})
        time.sleep(seeded.uniform(0, 0.05))
        inko.kill(pid)
        wait_until(lambda: next_supervisor(inko, pid), what="another supervisor answers")
        call.close()
        settle(inko, name)
        assert "Hello, HTTP!" in http_get(port)


def settle(inko, name):
    """An actor whose Spawn got no answer is whole or not there, and its name can be used."""
    def decided():
        states = {a["name"]: a["state"] for a in inko.status()["actors"]}
        return states.get(name, "absent") in ("absent", "ready")

    wait_until(decided, what=lambda: f"{name} is ready or gone: {inko.status()['actors']}")
    if name not in [a["name"] for a in inko.status()["actors"]]:
        inko.spawn(name, harness.BUILD / "http-hello")
    assert all(alive(pid) for pid in inko.pids(name))
    inko.call("Remove", {"actor": name})


@pytest.mark.parametrize("programs_on", [programs_on_this_kernel, without_pidfd_info])
def test_instance_dies_without_supervisor(tmp_path, programs_on):
    """Its end is noticed by the next supervisor, with how it ended, and it is started again. Where
    the kernel does not tell that one, the keeper does."""
    with private_inkod(programs_on(tmp_path)) as inko:
        spawn_recorder(inko, instances=2, **PATIENT)
        port = inko.listen("web")
        supervisor, victim = inko.supervisor_pid(), inko.pids("web")[0]
        # Stopped, it cannot see the death, and is then killed before it can.
        inko.kill(supervisor, signal.SIGSTOP)
        inko.kill(victim)
        wait_until(lambda: not alive(victim))
        inko.kill(supervisor)
        wait_until(lambda: next_supervisor(inko, supervisor))
        inko.wait_restarted("web", victim)
        assert [i["restarts"] for i in inko.instances("web")] == [1, 0]
        assert inko.instances("web")[0]["lastExit"] == "killed by SIGKILL"
        assert_all_answered(inko.load(port, connections=200).report(), at_least=200)


def test_lanes_of_several_supervisors(inko):
    """A process knows those that it was given, also when they have ended. It takes the ones that
    the next supervisor makes for others all the same."""
    port = harness.free_port()
    inko.spawn("answer", harness.BUILD / "http-handoff")
    inko.spawn("accept", harness.BUILD / "http-handoff", port, opens=["answer"])
    for _ in range(3):
        inko.call("Stop", {"actor": "answer"})
        supervisor = inko.supervisor_pid()
        inko.kill(supervisor)
        wait_until(lambda: next_supervisor(inko, supervisor))
        inko.call("Start", {"actor": "answer"})
        assert http_get(port) == "Hello, HTTP!"


def builtin_pid(inko, name):
    pids = inko.pids(name)
    return pids[0] if pids else None


def test_acceptor_killed_under_load(inko):
    """The listener is held, so its backlog waits; at most what it held in its hand is lost."""
    spawn_recorder(inko, instances=2)
    port = inko.listen("web")
    kills = 5
    with inko.leak_check():
        load = inko.load(port, until_stopped=True)
        for _ in range(kills):
            time.sleep(0.2)
            pid = wait_until(lambda: builtin_pid(inko, "acceptor"))
            inko.kill(pid)
            wait_until(lambda: builtin_pid(inko, "acceptor") not in (None, pid)
                       and inko.ready("acceptor"), what="another acceptor is ready")
        time.sleep(0.2)
        report = load.report()
        wait_until(lambda: inko.ready("web"))
    assert report["refused"] == 0 and report["timedOut"] == 0, report
    assert len(report["failures"]) <= kills, report
    assert_all_answered(inko.load(port, connections=200).report(), at_least=200)


def test_gateway_killed(inko):
    """Its endpoints open again at the same addresses."""
    record = spawn_recorder(inko)
    pid = wait_until(lambda: builtin_pid(inko, "gateway"), what="there is a gateway")
    inko.kill(pid)
    wait_until(lambda: builtin_pid(inko, "gateway") not in (None, pid)
               and inko.ready("gateway"), what="another gateway is ready")
    url = inko.actor("web")["endpoint"]
    wait_until(lambda: subprocess.run(
        ["nngcat", "--push0", "--dial", url, "--data", "after", "--delay", "0",
         "--send-timeout", "2"], timeout=DEADLINE).returncode == 0
        and record.count("message") > 0, what="a message arrives")
    assert (5, harness.fnv1a(b"after")) in record.messages()


def test_everything_killed_at_once(inko):
    """Without anybody the actors end by themselves, and a new inkod starts from nothing."""
    spawn_recorder(inko, instances=2)
    inko.listen("web")
    keeper, supervisor = inko.keeper_pid(), inko.supervisor_pid()
    inko.kill(keeper, signal.SIGSTOP)
    inko.kill(supervisor)
    inko.kill(keeper)
    inko.keeper.wait()
    wait_until(lambda: not inko.processes(), what=lambda: f"all ended: {inko.processes()}")
    inko.start()
    assert [a["name"] for a in inko.status()["actors"] if not a["builtin"]] == []
    spawn_recorder(inko)
    assert http_get(inko.listen("web")).startswith("web/0 ")


def test_ordered_stop(inko):
    """SIGTERM to the keeper: what was accepted is served before anything ends."""
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record, "--delay", "20", instances=2)
    port = inko.listen("web")
    load = inko.load(port, clients=40, connections=40)
    wait_until(lambda: waiting(inko, "web") + record.count("begin") >= 40,
               what="all connections were accepted")
    assert inko.stop() == 0
    assert_all_answered(load.report(), at_least=40)
    # It is written after the answer.
    wait_until(lambda: record.count("end") == 40)
