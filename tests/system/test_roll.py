"""Rolling restarts, and instances that go because fewer are wanted: nobody notices.

The short form is what runs by default; INKO_FULL=1 asks for the numbers of the acceptance.
"""

import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import (ACTORS, BUILD, DEADLINE, VarlinkError, alive, assert_all_answered, http_get,
                     wait_until)

FULL = os.environ.get("INKO_FULL") == "1"
ROLLS = 20 if FULL else 3
KILLS = 20 if FULL else 5
RECORDER = ACTORS / "recorder"


GOOD = f'#!/bin/sh\nexec {RECORDER} "$@"\n'


def spawn_own(inko, **parameters):
    """A program of the test's own, which it can replace as an upgrade does."""
    own = inko.directory / "own"
    install(own, GOOD)
    inko.spawn("web", own, **parameters)
    return own


def install(path, script):
    """Under another inode: what runs goes on with the old one."""
    new = path.with_name("new")
    new.write_text(script)
    new.chmod(0o755)
    new.rename(path)


def waiting_for(gate):
    """One that gets ready when gate is there."""
    return f"#!/bin/sh\nwhile ! [ -e {gate} ]; do sleep 0.01; done\nexec {RECORDER}\n"


def roll(inko, actor="web", **parameters):
    return inko.call("Restart", {"actor": actor, "rolling": True, **parameters})["actor"]


def wanted(actor):
    return [i for i in actor["instances"] if not i.get("retiring")]


def generations(inko, name="web"):
    return sorted(i["generation"] for i in wanted(inko.actor(name)))


def assert_ready(actor, instances, generation):
    assert actor["state"] == "ready" and not actor["rolling"], actor
    assert [(i["state"], i["generation"]) for i in wanted(actor)] == \
        [("ready", generation)] * instances, actor


class Watch:
    """Looks at an actor all the time, at how few and how many there are."""

    def __init__(self, inko, name="web"):
        self.inko, self.name = inko, name
        self.seen = []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        with self.inko.varlink() as control:
            while not self.ends.is_set():
                actors = control.call("ListActors")["actors"]
                self.seen.append(next(a for a in actors if a["name"] == self.name))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def most(self):
        return max(len(wanted(actor)) for actor in self.seen)

    def fewest_ready(self):
        return min(sum(i["state"] == "ready" for i in a["instances"]) for a in self.seen)


def test_roll_under_load(inko):
    """Twenty times over: no error of any kind, and what served before is gone."""
    inko.spawn("web", RECORDER, instances=4)
    port = inko.listen("web")
    with inko.leak_check():
        load = inko.load(port, until_stopped=True)
        for number in range(ROLLS):
            before = inko.pids("web")
            with Watch(inko) as watch:
                assert_ready(roll(inko), 4, number + 2)
            assert watch.most() == 5 and watch.fewest_ready() == 4, watch.seen
            wait_until(lambda: not any(alive(pid) for pid in before), what="the old ones ended")
            after = wait_until(lambda: len(inko.instances("web")) == 4 and inko.pids("web"))
            assert not set(before) & set(after)
        assert_all_answered(load.report(), at_least=ROLLS * 100)
    assert inko.restarts("web") == 0


def test_roll_with_extras(inko):
    """As many at a time as one allows, and no more."""
    inko.spawn("web", RECORDER, instances=4)
    load = inko.load(inko.listen("web"), until_stopped=True)
    with Watch(inko) as watch:
        assert_ready(roll(inko, maxExtra=4), 4, 2)
    assert 5 < watch.most() <= 8 and watch.fewest_ready() >= 4, watch.seen
    assert inko.ctl("restart", "web", "--rolling", "--max-extra", 2).stdout.startswith(
        "web: 4 of 4 instances ready")
    assert generations(inko) == [3] * 4
    assert_all_answered(load.report(), at_least=100)


@pytest.mark.parametrize("route", ["pull", "give", "single"])
def test_roll_other_routes(inko, route):
    """Also where instances pull from one lane, accept for themselves, or there is only one."""
    if route == "give":
        inko.spawn("web", harness.BUILD / "http-shared", instances=2)
        listener = inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "web"})
        port = int(listener["listener"]["address"].rpartition(":")[2])
    else:
        inko.spawn("web", RECORDER, instances=1 if route == "single" else 2)
        port = inko.listen("web", **({"balance": "pull"} if route == "pull" else {}))
    load = inko.load(port, until_stopped=True)
    for _ in range(ROLLS):
        roll(inko)
    assert_all_answered(load.report(), at_least=100)


def test_roll_that_exits(inko):
    """A new version that ends before it is ready changes nothing, and is said to have done so."""
    own = spawn_own(inko, instances=2)
    port = inko.listen("web")
    before = inko.pids("web")
    install(own, "#!/bin/sh\necho no database here\nexit 1\n")
    load = inko.load(port, clients=16, until_stopped=True)
    result = inko.ctl("restart", "web", "--rolling", check=False)
    assert result.returncode == 1 and not result.stdout
    for part in ("web/2 exited with status 1 before it was ready", "no database here",
                 "inkoctl restart web --rolling"):
        assert part in result.stderr, result
    wait_until(lambda: len(inko.instances("web")) == 2, what="the new one is gone")
    actor = inko.actor("web")
    assert inko.pids("web") == before and actor["state"] == "ready" and not actor["rolling"]
    assert "web/2" in actor["rollFailure"] and "started as this one was" in actor["rollFailure"]
    status = inko.ctl("status").stdout
    row = next(line for line in status.splitlines() if line.startswith("web "))
    assert row.endswith("roll failed: web/2 exited with status 1 before it was ready"), row
    assert status.endswith(f"\nweb: {actor['rollFailure']}\n"), status
    assert_all_answered(load.report(), at_least=10)
    with pytest.raises(VarlinkError) as refusal:
        roll(inko)
    assert refusal.value.error.endswith(".RollFailed")
    assert refusal.value.parameters["actor"] == "web"
    assert refusal.value.parameters["instance"] == "web/2"
    install(own, GOOD)
    actor = roll(inko)
    assert_ready(actor, 2, 4)
    assert "rollFailure" not in actor


def test_roll_that_is_not_ready_in_time(inko):
    """The same with one that never says that it is ready; one that did becomes an old one's
    successor all the same."""
    once = inko.directory / "once"
    own = spawn_own(inko, instances=2, startUSec=500_000)
    port = inko.listen("web")
    before = inko.pids("web")
    install(own, f"#!/bin/sh\nmkdir {once} 2>&- && exec {RECORDER}\nexec sleep 1000\n")
    result = inko.ctl("restart", "web", "--rolling", check=False)
    assert result.returncode == 1 and "web/0 was not ready within" in result.stderr \
        or "web/3 was not ready within" in result.stderr, result
    wait_until(lambda: len(inko.instances("web")) == 2, what="only two are left")
    assert generations(inko) == [1, 2]
    assert len(set(before) & set(inko.pids("web"))) == 1
    assert_all_answered(inko.load(port, connections=100).report(), at_least=100)


def test_roll_of_a_program_that_is_gone(inko):
    own = spawn_own(inko, instances=2)
    own.unlink()
    result = inko.ctl("restart", "web", "--rolling", check=False)
    assert result.returncode == 1 and f"could not execute {own}: No such" in result.stderr
    assert "before it was ready" not in result.stderr
    wait_until(lambda: len(inko.instances("web")) == 2)
    assert inko.ready("web")


def test_failure_that_prints_anything(inko):
    """What it said last is told, and no supervisor stumbles over it."""
    own = spawn_own(inko, instances=2)
    install(own, r"#!/bin/sh" "\n" r"printf 'bad \377\001\"\\ end\n'; exit 1" "\n")
    result = inko.ctl("restart", "web", "--rolling", check=False)
    assert result.returncode == 1 and "end" in result.stderr, result
    before = inko.actor("web")
    assert "bad" in before["rollFailure"]
    pid = inko.supervisor_pid()
    inko.kill(pid)
    wait_until(lambda: next_supervisor(inko, pid))
    wait_until(lambda: inko.actor("web")["rollFailure"] == before["rollFailure"])
    assert inko.ready("web")


def largest_environment(inko, own):
    """Spawns web with the most that a spec may have in it."""
    for size in range(122_880, 0, -16):
        try:
            inko.spawn("web", own, environment=["A=" + "x" * size], instances=2)
            return size
        except VarlinkError as refusal:
            assert "too long" in refusal.parameters["reason"]
    raise AssertionError("no size fits")


def test_failure_of_the_largest_spec(inko):
    """There is room for the failure, whatever it says, in what is held of the actor."""
    own = inko.directory / "own"
    install(own, GOOD)
    assert largest_environment(inko, own) > 100_000
    for n in range(2):
        answered = inko.load(inko.listen("web"), connections=100).report()
        assert_all_answered(answered, at_least=100)
        roll(inko)
    pid = inko.supervisor_pid()
    install(own, "#!/bin/sh\nprintf '\"%.0s' $(seq 1000)\nexit 1\n")
    with pytest.raises(VarlinkError, match="RollFailed"):
        roll(inko)
    failure = inko.actor("web")["rollFailure"]
    assert '"' * 200 in failure and inko.supervisor_pid() == pid
    inko.kill(pid)
    wait_until(lambda: next_supervisor(inko, pid))
    assert inko.actor("web")["rollFailure"] == failure and inko.ready("web")


def next_supervisor(inko, pid):
    try:
        status = inko.status()
    except (FileNotFoundError, ConnectionError):
        return None
    return status["supervisorPid"] != pid and status["supervisorPid"]


def test_interrupted_inkoctl_leaves_the_roll_going(inko):
    """Ctrl-C ends the waiting, not what is waited for."""
    gate = inko.directory / "gate"
    own = spawn_own(inko, instances=2)
    install(own, waiting_for(gate))
    with subprocess.Popen([BUILD / "inkoctl", "restart", "web", "--rolling"],
                          env=inko.environment) as waiting:
        wait_until(lambda: inko.actor("web")["rolling"])
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(DEADLINE) == -signal.SIGINT
    assert inko.actor("web")["rolling"]
    gate.touch()
    wait_until(lambda: generations(inko) == [2, 2] and inko.ready("web"))


def test_supervisor_killed_during_a_roll(inko, seeded):
    """The next one goes on with it, wherever it was, and nobody notices."""
    inko.spawn("web", RECORDER, instances=4)
    load = inko.load(inko.listen("web"), clients=16, until_stopped=True)
    for number in range(KILLS):
        before = inko.pids("web")
        pid = inko.supervisor_pid()
        with inko.varlink() as call:
            call.send("Restart", {"actor": "web", "rolling": True})
            wait_until(lambda: inko.actor("web")["generation"] == number + 2)
            time.sleep(seeded.uniform(0, 0.05))
            inko.kill(pid)
        wait_until(lambda: next_supervisor(inko, pid), what="another supervisor answers")
        wait_until(lambda: generations(inko) == [number + 2] * 4 and inko.ready("web")
                   and not inko.actor("web")["rolling"],
                   what=lambda: f"the roll ends: {inko.actor('web')}")
        wait_until(lambda: not any(alive(old) for old in before), what="the old ones ended")
        wait_until(lambda: len(inko.instances("web")) == 4)
    assert_all_answered(load.report(), at_least=100)
    assert inko.restarts("web") == 0


def test_cut_off_from_a_roll(inko):
    """inkoctl says that it goes on without it, and how to see how it ends."""
    gate = inko.directory / "gate"
    own = spawn_own(inko, instances=2)
    install(own, waiting_for(gate))
    results = []
    thread = threading.Thread(
        target=lambda: results.append(inko.ctl("restart", "web", "--rolling", check=False)))
    thread.start()
    wait_until(lambda: inko.actor("web")["rolling"])
    status = inko.ctl("status").stdout
    assert "rolling over to generation 2" in status and "generation 1" in status, status
    pid = inko.supervisor_pid()
    inko.kill(pid)
    thread.join()
    assert results[0].returncode == 3 and "goes on" in results[0].stderr, results
    assert "inkoctl status" in results[0].stderr
    wait_until(lambda: next_supervisor(inko, pid))
    gate.touch()
    wait_until(lambda: generations(inko) == [2, 2] and inko.ready("web"))


def test_three_generations(inko):
    """Old ones that finish what they serve hold up nothing, and serve it."""
    record = inko.record()
    inko.spawn("web", RECORDER, "--record", record, instances=2, drainUSec=60_000_000)
    port = inko.listen("web")
    clients = []
    for generation in (1, 2, 3):
        # They are waited for as long as they say nothing.
        clients += [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        wait_until(lambda: record.count("begin") == len(clients), what="each has a client")
        if generation < 3:
            assert_ready(roll(inko), 2, generation + 1)
    actor = inko.actor("web")
    assert sorted(i["generation"] for i in actor["instances"]) == [1, 1, 2, 2, 3, 3]
    assert [i["name"] for i in actor["instances"]] == [f"web/{n}" for n in range(6)]
    assert len(wanted(actor)) == 2 and "2/2" in inko.ctl("list").stdout
    table = inko.ctl("status").stdout
    assert all(f"generation {n}" in table for n in (1, 2, 3)), table
    # They do not stand in the way of anything else either.
    inko.call("Start", {"actor": "web"})
    assert "6 retiring, not ended yet" in inko.ctl("restart", "web", "--rolling").stdout
    for client in clients:
        assert ask(client)
    wait_until(lambda: len(inko.instances("web")) == 2, what="only the last are left")
    assert "generation" not in inko.ctl("status").stdout


def ask(client):
    with client:
        client.settimeout(harness.DEADLINE)
        client.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(4096):
            answer += data
    return answer.startswith(b"HTTP/1.1 200 ")


def test_interrupted_roll(inko):
    """Ctrl-C ends inkoctl alone; another roll takes it back."""
    gate = inko.directory / "gate"
    own = spawn_own(inko, instances=2)
    before = inko.pids("web")
    install(own, waiting_for(gate))
    with subprocess.Popen([harness.BUILD / "inkoctl", "restart", "web", "--rolling"],
                          env=inko.environment, stdin=subprocess.DEVNULL) as process:
        wait_until(lambda: inko.actor("web")["rolling"])
        process.send_signal(signal.SIGINT)
    assert inko.actor("web")["rolling"] and set(before) <= set(inko.pids("web"))
    install(own, GOOD)
    assert_ready(roll(inko), 2, 3)
    assert "goes on after Ctrl-C" in inko.ctl("help", "restart").stdout


def test_roll_during_a_roll(inko):
    """The second takes the place of the first, which is told so."""
    gate = inko.directory / "gate"
    own = spawn_own(inko, instances=3)
    load = inko.load(inko.listen("web"), clients=16, until_stopped=True)
    install(own, waiting_for(gate))
    with inko.varlink() as first:
        first.send("Restart", {"actor": "web", "rolling": True})
        wait_until(lambda: inko.actor("web")["rolling"])
        install(own, GOOD)
        assert_ready(roll(inko), 3, 3)
        reply = first.receive()
        assert reply["error"].endswith(".RollFailed"), reply
        assert "another restart" in reply["parameters"]["reason"]
        assert "instance" not in reply["parameters"]
    wait_until(lambda: len(inko.instances("web")) == 3)
    assert_all_answered(load.report(), at_least=10)


@pytest.mark.parametrize("verb", ["Stop", "Restart", "Remove"])
def test_roll_that_is_ended(inko, verb):
    """What somebody wants meanwhile is done, and who waits for the roll is told."""
    own = spawn_own(inko, instances=2)
    install(own, "#!/bin/sh\nexec sleep 1000\n")
    with inko.varlink() as first:
        first.send("Restart", {"actor": "web", "rolling": True, "maxExtra": 2})
        wait_until(lambda: len(inko.instances("web")) == 4)
        install(own, GOOD)
        inko.call(verb, {"actor": "web"})
        reply = first.receive()
        assert reply["error"].endswith(".RollFailed"), reply
    if verb == "Remove":
        assert [a["name"] for a in inko.status()["actors"]] == ["gateway"]
        return
    if verb == "Stop":
        wait_until(lambda: len(inko.instances("web")) == 2)
        assert inko.pids("web") == []
        inko.call("Start", {"actor": "web"})
    wait_until(lambda: inko.ready("web") and len(inko.instances("web")) == 2)
    assert len(inko.pids("web")) == 2 and not inko.actor("web")["rolling"]


def test_roll_and_scale(inko):
    """How many there shall be may change while it goes on."""
    inko.spawn("web", RECORDER, instances=4)
    load = inko.load(inko.listen("web"), until_stopped=True)
    for instances in (2, 5, 1, 4):
        with inko.varlink() as first:
            first.send("Restart", {"actor": "web", "rolling": True})
            inko.call("Scale", {"actor": "web", "instances": instances})
            assert "error" not in first.receive()
        wait_until(lambda: len(inko.instances("web")) == instances and inko.ready("web"))
        assert len(set(generations(inko))) == 1
    assert_all_answered(load.report(), at_least=100)


def test_new_instance_killed_during_a_roll(inko):
    """One that was ready and dies is started again, as ever, and the roll goes on."""
    gate = inko.directory / "gate"
    once = inko.directory / "once"
    own = spawn_own(inko, instances=2, backoffUSec=10_000)
    install(own, f"#!/bin/sh\nmkdir {once} 2>&- && exec {RECORDER}\n"
                 f"while ! [ -e {gate} ]; do sleep 0.01; done\nexec {RECORDER}\n")
    with inko.varlink() as call:
        call.send("Restart", {"actor": "web", "rolling": True})
        fresh = wait_until(lambda: [i for i in inko.instances("web")
                                    if i["generation"] == 2 and i["state"] == "ready"])
        inko.kill(fresh[0]["pid"])
        wait_until(lambda: inko.restarts("web") == 1)
        gate.touch()
        assert_ready(call.receive()["parameters"]["actor"], 2, 2)


def test_roll_of_what_does_not_run(inko):
    """It starts it, as a restart does."""
    inko.spawn("web", RECORDER, instances=2)
    inko.call("Stop", {"actor": "web"})
    assert_ready(roll(inko), 2, 2)
    assert {i["name"] for i in inko.instances("web")} == {"web/0", "web/1"}


def test_generations_of_other_starts(inko):
    """A restart makes a new one, a crash and a scale do not."""
    inko.spawn("web", RECORDER, instances=2, backoffUSec=10_000)
    assert generations(inko) == [1, 1]
    inko.call("Restart", {"actor": "web"})
    assert generations(inko) == [2, 2]
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.ready("web") and inko.restarts("web") == 1)
    inko.call("Scale", {"actor": "web", "instances": 3})
    assert generations(inko) == [2, 2, 2]


def test_wrong_words(inko):
    """One range of --max-extra, whatever was asked for, and called as it was typed."""
    inko.spawn("web", RECORDER, instances=2)
    for number in (-1, 0, 3, 1001, 1 << 53):
        with pytest.raises(VarlinkError) as refusal:
            inko.call("Restart", {"actor": "web", "rolling": True, "maxExtra": number})
        assert refusal.value.error.endswith(".InvalidValue")
        assert refusal.value.parameters == {
            "parameter": "maxExtra", "min": 1, "max": 2,
            "reason": "maxExtra is out of range; it may be 1 to 2"}
    for number in (0, 3, 1001):
        said = inko.ctl("restart", "web", "--rolling", "--max-extra", number, check=False)
        assert said.returncode == 2
        assert said.stderr == "inkoctl: --max-extra is out of range; it may be 1 to 2\n"
    with pytest.raises(VarlinkError, match="goes with rolling"):
        inko.call("Restart", {"actor": "web", "maxExtra": 1})
    assert inko.ctl("restart", "web", "--max-extra", 1, check=False).returncode == 2
    assert generations(inko) == [1, 1]


def test_scale_down_under_load(inko):
    """Instances that are too many leave as those of a roll do."""
    inko.spawn("web", RECORDER, instances=4)
    load = inko.load(inko.listen("web"), until_stopped=True)
    for _ in range(ROLLS):
        for instances in (1, 4, 2, 3):
            actor = inko.call("Scale", {"actor": "web", "instances": instances})["actor"]
            assert [i["name"] for i in actor["instances"]] == \
                [f"web/{n}" for n in range(instances)]
    assert_all_answered(load.report(), at_least=100)


def test_scale_down_of_a_dying_supervisor(inko, seeded):
    """Whenever it dies, there are in the end as many as somebody wanted."""
    inko.spawn("web", RECORDER, instances=4)
    port = inko.listen("web")
    load = inko.load(port, clients=16, until_stopped=True)
    for number in range(KILLS):
        instances = 1 if number % 2 == 0 else 4
        pid = inko.supervisor_pid()
        inko.kill(pid, signal.SIGSTOP)
        with inko.varlink() as call:
            call.send("Scale", {"actor": "web", "instances": instances})
            inko.kill(pid, signal.SIGCONT)
            time.sleep(seeded.uniform(0, 0.01))
            inko.kill(pid)
        wait_until(lambda: next_supervisor(inko, pid))
        # A supervisor that died before it read the call never was asked.
        wait_until(lambda: inko.ready("web") and len(inko.instances("web")) in (1, 4))
        inko.call("Scale", {"actor": "web", "instances": instances})
        wait_until(lambda: inko.ready("web") and len(inko.instances("web")) == instances)
    assert_all_answered(load.report(), at_least=100)
    assert http_get(port)
