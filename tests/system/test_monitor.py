"""The stream of what happens."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import (ACTORS, BUILD, DEADLINE, INTERFACE, VarlinkError, list_descriptors,
                     process_state, wait_until)
from test_keeper import PUT, installed_inkod
from test_kill import next_supervisor

HELLO = BUILD / "http-hello"
MONITORS = 16
CLIENTS_PER_UID = 32


class Monitor:
    def __init__(self, inko, **parameters):
        self.control = inko.varlink(timeout=DEADLINE)
        self.control.send("Monitor", parameters, more=True)
        first = self.next()
        assert "event" not in first
        self.position = first["position"]
        self.events = []

    def next(self):
        reply = self.control.receive()
        assert reply and "error" not in reply, reply
        assert reply["continues"] is True
        return reply["parameters"]

    def until(self, **wanted):
        """Reads events up to the first that is like that, and returns it."""
        while True:
            reply = self.next()
            assert reply["position"] > self.position
            self.position = reply["position"]
            event = reply["event"]
            assert abs(event["timeUSec"] / 1e6 - time.time()) < 600
            self.events.append(event)
            if all(event.get(name) == value for name, value in wanted.items()):
                return event

    def states(self, name):
        return [(e["from"], e["to"]) for e in self.events
                if e["name"] == name and e["kind"] in ("actor", "instance")]

    def close(self):
        self.control.close()


@contextlib.contextmanager
def monitoring(inko, **parameters):
    monitor = Monitor(inko, **parameters)
    try:
        yield monitor
    finally:
        monitor.close()


@contextlib.contextmanager
def inkoctl(inko, *options):
    process = subprocess.Popen([str(BUILD / "inkoctl"), "monitor", *options],
                               env=inko.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def replace_supervisor(inko):
    pid = inko.supervisor_pid()
    inko.kill(pid)
    return wait_until(lambda: next_supervisor(inko, pid), what="another supervisor answers")


def test_a_life(inko):
    """Spawn, crash, stop and removal, in their order, with who and why."""
    inko.spawn("other", HELLO)
    with inko.leak_check(), monitoring(inko) as monitor:
        inko.spawn("web", ACTORS / "recorder", backoffUSec=10_000)
        pid = inko.pids("web")[0]
        assert monitor.until(name="web", to="ready")["kind"] == "actor"
        started = [e for e in monitor.events if e["name"] == "web/0" and e["to"] == "starting"]
        assert [e["pid"] for e in started] == [pid]
        inko.kill(pid)
        crash = monitor.until(name="web/0", to="waiting")
        assert crash["pid"] == pid and "SIGKILL" in crash["why"]
        again = monitor.until(name="web/0", to="ready")
        assert again["pid"] == inko.pids("web")[0] != pid
        inko.call("Stop", {"actor": "web"})
        assert "status 0" in monitor.until(name="web/0", to="stopped")["why"]
        inko.call("Remove", {"actor": "web"})
        monitor.until(name="web", kind="actor", to="removed")
        assert monitor.states("web/0") == [
            ("stopped", "starting"), ("starting", "ready"), ("ready", "waiting"),
            ("waiting", "starting"), ("starting", "ready"), ("ready", "draining"),
            ("draining", "stopped")]
        # Each change begins where the one before ended.
        states = monitor.states("web")
        assert all(a[1] == b[0] for a, b in zip(states, states[1:])), states


def test_kills_say_why(inko):
    with monitoring(inko) as monitor:
        with pytest.raises(VarlinkError, match="StartFailed"):
            inko.spawn("late", "/bin/sleep", "1000", startUSec=200_000)
        late = monitor.until(kind="kill", name="late/0")
        assert late["why"] == "was not ready in time" and late["pid"] > 0
        program = inko.directory / "deaf"
        program.write_text("#!/bin/sh\ntrap '' TERM\n" + NOTIFY + "while :; do sleep 1; done\n")
        program.chmod(0o755)
        inko.spawn("deaf", program, drainUSec=100_000, stopUSec=100_000)
        inko.call("Stop", {"actor": "deaf"})
        deaf = monitor.until(kind="kill", name="deaf/0")
        assert deaf["why"] == "did not end in time"
        # The state comes first, the kill is what it leads to.
        assert ("terminating", "killing") in monitor.states("deaf/0")


NOTIFY = """/usr/bin/python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
s.send(b"READY=1")'
"""


def test_a_stall(inko):
    inko.spawn("web", ACTORS / "recorder", instances=2)
    port = inko.listen("web")
    with monitoring(inko) as monitor:
        victim = inko.pids("web")[0]
        inko.kill(victim, signal.SIGSTOP)
        load = inko.load(port, clients=4, connections=20)
        assert monitor.until(kind="stall", name="web/0", to="stalled")["pid"] == victim
        inko.kill(victim, signal.SIGCONT)
        monitor.until(kind="stall", name="web/0", to="reading")
        load.report()


def test_listeners(inko):
    inko.spawn("web", HELLO)
    with monitoring(inko) as monitor:
        port = inko.listen("web", name="front")
        opened = monitor.until(kind="listener", name="front", to="open")
        assert opened["why"] == f"tcp://127.0.0.1:{port}"
        inko.call("Close", {"listener": "front"})
        monitor.until(kind="listener", name="front", to="closed")


def test_a_pause(inko):
    inko.spawn("web", HELLO)
    inko.listen("web", name="front")
    with monitoring(inko) as monitor:
        inko.call("Pause", {"listener": "front"})
        monitor.until(kind="listener", name="front", to="paused")
        inko.call("Resume", {"listener": "front"})
        monitor.until(kind="listener", name="front", to="open")


def test_a_listener_of_an_actor_that_fails(inko):
    """What is told of it is what it is, paused or not."""
    flag = inko.directory / "flag"
    program = inko.directory / "once"
    program.write_text(f"#!/bin/sh\n[ -e {flag} ] && exit 1\nexec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("web", program, backoffUSec=1000, intensity=1)

    def fail():
        flag.touch()
        inko.kill(inko.pids("web")[0])

    def repair():
        flag.unlink()
        inko.call("Start", {"actor": "web"})

    with monitoring(inko) as monitor:
        inko.listen("web", name="front", holdUSec=1000)
        fail()
        monitor.until(name="front", to="refusing")
        for verb in "Pause", "Resume":
            inko.call(verb, {"listener": "front"})
        repair()
        monitor.until(name="front", to="open")
        inko.call("Pause", {"listener": "front"})
        fail()
        monitor.until(name="web", to="failed")
        wait_until(lambda: "before the pause" in inko.log.read_text())
        repair()
        inko.call("Resume", {"listener": "front"})
        monitor.until(name="front", to="open")
        said = [e["to"] for e in monitor.events if e["kind"] == "listener"]
        assert said == ["open", "waiting", "refusing", "paused", "refusing", "open", "paused",
                        "open"]


def test_a_roll(inko):
    """Who is replaced, in turn; and why another one went no further."""
    flag = inko.directory / "flag"
    program = inko.directory / "once"
    program.write_text(f"#!/bin/sh\n[ -e {flag} ] && exit 7\nexec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("web", program, instances=2)
    with monitoring(inko) as monitor:
        inko.call("Restart", {"actor": "web", "rolling": True})
        monitor.until(kind="roll", to="ended")
        rolls = [(e["to"], e.get("why")) for e in monitor.events if e["kind"] == "roll"]
        assert rolls == [("begun", None), ("replacing", "web/0"), ("replacing", "web/1"),
                         ("ended", None)]
        flag.touch()
        with pytest.raises(VarlinkError):
            inko.call("Restart", {"actor": "web", "rolling": True})
        assert "status 7" in monitor.until(kind="roll", to="failed")["why"]


def test_inkoctl_says_that_nobody_is_started_again(inko):
    """Where a new instance of a roll has ended, which is given up."""
    flag = inko.directory / "flag"
    program = inko.directory / "once"
    program.write_text(f"#!/bin/sh\n[ -e {flag} ] && exit 7\nexec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("web", program)
    flag.touch()
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        assert inko.ctl("restart", "web", "--rolling", check=False).returncode == 1
        lines = read_until(process, "could not be rolled over")
        own = [line for line in lines if "  web/1  " in line]
        assert ["is started (pid" in own[0], "by itself" in own[1]] == [True, True], own
        assert "is not started again" in own[2], own
        assert not any("is started again" in line for line in own), own
    assert inko.restarts("web") == 0 == inko.actor("web")["restarts"]


def test_an_adoption(inko):
    """Who comes again hears of it, and of what the new supervisor has done so far."""
    inko.spawn("web", HELLO, instances=2)
    inko.settle()
    with monitoring(inko) as monitor:
        position = monitor.position
        supervisor = replace_supervisor(inko)
        assert monitor.control.receive() is None
    with monitoring(inko, after=position) as monitor:
        assert monitor.position == position
        adoption = monitor.until(kind="adoption")
        assert adoption["count"] == 3 and adoption["pid"] == supervisor
        assert len(monitor.events) == 1
        # Nothing else changed, and nothing is said twice.
        inko.call("Stop", {"actor": "web"})
        monitor.until(name="web", to="stopped")
        assert monitor.states("web/0") == [("ready", "draining"), ("draining", "stopped")]


def test_the_end_of_one_that_was_adopted(inko):
    """Who and why, as of any other."""
    inko.spawn("web", ACTORS / "recorder", backoffUSec=10_000)
    pid = inko.pids("web")[0]
    replace_supervisor(inko)
    with monitoring(inko) as monitor:
        inko.kill(pid)
        end = monitor.until(name="web/0", to="waiting")
        assert end["pid"] == pid and "SIGKILL" in end["why"]


def test_adoptions_in_quick_succession(inko):
    """No client came to those in between, and none of them is missed."""
    inko.spawn("web", HELLO)
    inko.settle()
    with monitoring(inko) as monitor:
        position = monitor.position
    supervisors = [replace_supervisor(inko) for _ in range(4)]
    with monitoring(inko, after=position) as monitor:
        for pid in supervisors:
            assert monitor.until()["pid"] == pid
        inko.call("Stop", {"actor": "web"})
        monitor.until(name="web", to="stopped")
        assert [e["pid"] for e in monitor.events if e["kind"] == "adoption"] == supervisors
    with monitoring(inko, after=monitor.position) as later:
        inko.call("Start", {"actor": "web"})
        later.until(name="web", to="ready")
        assert not [e for e in later.events if e["kind"] == "adoption"]


def test_more_adoptions_than_are_remembered(inko):
    """Who was there before the first of them, or saw some, is told how many are missing."""
    with monitoring(inko) as monitor:
        positions = [monitor.position]
    supervisors = []
    for _ in range(25):
        supervisors.append(replace_supervisor(inko))
        positions.append(inko.status()["position"])
    for seen, missing in (0, 9), (4, 5), (9, 0), (24, 0):
        with monitoring(inko, after=positions[seen]) as monitor:
            while monitor.position < positions[-1]:
                monitor.until()
        overruns = [e["count"] for e in monitor.events if e["kind"] == "overrun"]
        assert overruns == [missing] * (missing > 0), (seen, monitor.events)
        assert overruns == [] or monitor.events[0]["kind"] == "overrun"
        adoptions = [e["pid"] for e in monitor.events if e["kind"] == "adoption"]
        assert adoptions == supervisors[seen + missing:]


def hold_milestones(inko, milestones):
    """As if those were of former supervisors."""
    text = json.dumps({"milestones": {"list": milestones}})
    program = inko.programs / "inko-supervisor"
    program.rename(inko.programs / "kept")
    program.write_text(f"""#!/usr/bin/python3
import os, socket, struct
link = socket.socket(fileno=3)
link.send(struct.pack("=II161s3x", {PUT}, 0, b"milestones") + {text.encode()})
os.replace("{inko.programs}/kept", "{program}")
""")
    program.chmod(0o755)
    replace_supervisor(inko)


def test_more_adoptions_than_are_counted(tmp_path):
    """That there were some is told, and no number that may be wrong."""
    with installed_inkod(tmp_path) as inko:
        inko.tolerated = "exited with status 0"
        known = {"timeUSec": int(time.time() * 1e6), "kind": "adoption", "name": "inkod"}
        hold_milestones(inko, [{"position": p} for p in range(1, 241)] +
                        [{"position": p, "event": known} for p in range(241, 256)])
        last = inko.status()["position"]
        for after, missing in (0, None), (1, 239), (200, 40):
            with monitoring(inko, after=after) as monitor:
                overrun = monitor.until(kind="overrun")
                assert overrun.get("count") == missing and monitor.position == 240
                while monitor.position < last:
                    monitor.until()
                assert [e["kind"] for e in monitor.events] == ["overrun"] + 16 * ["adoption"]


def test_another_keeper(inko):
    """Told by the supervisor that saw it, and by the next one."""
    inko.spawn("web", HELLO)
    inko.settle()
    with monitoring(inko) as monitor:
        position = monitor.position
        inko.kill(inko.keeper_pid())
        inko.keeper.wait()
        monitor.until(kind="keeper", name="keeper", to="lost")
        keeper = wait_until(inko.keeper_pid, what="there is another")
        assert monitor.until(kind="keeper", to="replaced")["pid"] == keeper
    replace_supervisor(inko)
    with monitoring(inko, after=position) as monitor:
        events = [(monitor.until(), monitor.position)[0] for _ in range(3)]
        assert [(e["kind"], e.get("to")) for e in events] == [
            ("keeper", "lost"), ("keeper", "replaced"), ("adoption", None)]


def test_subscribe_then_list(inko):
    """What GetStatus says has everything up to its position in it, and nothing after."""
    with monitoring(inko) as monitor:
        inko.spawn("web", HELLO)
        status = inko.status()
        while monitor.position < status["position"]:
            monitor.until()
        assert status["position"] == monitor.position
        state = {a["name"]: a["state"] for a in status["actors"]}
        assert state["web"] == monitor.states("web")[-1][1] == "ready"


def test_two_monitors_hear_the_same(inko):
    with monitoring(inko) as one, monitoring(inko) as two:
        assert one.position == two.position
        inko.spawn("web", HELLO)
        one.until(name="web", to="ready")
        two.until(name="web", to="ready")
        assert one.events == two.events


def test_more_is_expected(inko):
    with pytest.raises(VarlinkError, match="org.varlink.service.ExpectedMore"):
        inko.call("Monitor", {})


def test_monitors_are_bounded(inko):
    with inko.leak_check(), contextlib.ExitStack() as stack:
        for _ in range(MONITORS):
            stack.enter_context(monitoring(inko))
        with inko.varlink() as control:
            control.send("Monitor", {}, more=True)
            reply = control.receive()
            assert reply["error"].endswith(".Failed") and "16" in reply["parameters"]["reason"]
            # The connection is as good as before.
            assert "actors" in control.call("GetStatus")
        stack.close()
        with monitoring(inko):
            pass


@contextlib.contextmanager
def user(uid):
    """Who connects is that one, by the kernel's word."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def let_others_look(inko):
    inko.directory.chmod(0o755)
    inko.runtime.chmod(0o755)
    (inko.runtime / INTERFACE).chmod(0o666)


def test_others_crowd_nobody_out(inko):
    """What somebody makes inkod hold is charged to him: root can always look and command."""
    let_others_look(inko)
    inko.spawn("web", HELLO)
    with inko.leak_check(), contextlib.ExitStack() as stack:
        for uid in 1, 2:
            with user(uid):
                for _ in range(MONITORS):
                    stack.enter_context(monitoring(inko))
                with pytest.raises(AssertionError, match="16 of your clients"):
                    Monitor(inko)
        for _ in range(MONITORS):
            stack.enter_context(monitoring(inko))
        for uid in range(3, 13):
            with user(uid):
                for _ in range(CLIENTS_PER_UID):
                    stack.enter_context(inko.varlink())
        inko.call("Restart", {"actor": "web"})


def make_events(control, rounds):
    for _ in range(rounds):
        control.call("Listen", {"address": "tcp://127.0.0.1:0", "to": "web", "name": "front"})
        control.call("Close", {"listener": "front"})


def test_a_slow_monitor_is_told_what_it_missed(inko):
    """It holds up nobody, costs a bounded amount of memory, and goes on when it reads again."""
    inko.spawn("web", HELLO)
    with inko.varlink() as control, monitoring(inko) as slow, monitoring(inko) as other:
        for _ in range(1000):
            make_events(control, 1)
            other.until(kind="listener", name="front", to="closed")
        assert [e for e in other.events if e["kind"] == "overrun"] == []
        overrun = slow.until(kind="overrun")
        heard = [e for e in slow.events if e["kind"] != "overrun"]
        assert heard == other.events[:len(heard)]
        assert overrun["count"] == len(other.events) - len(heard) > 500
        make_events(control, 1)
        slow.until(kind="listener", name="front", to="closed")


def test_what_is_forgotten_is_an_overrun(inko):
    """Only the last events are remembered for who comes again."""
    inko.spawn("web", HELLO)
    with inko.varlink() as control, monitoring(inko) as first:
        make_events(control, 200)
        status = control.call("GetStatus")
    with monitoring(inko, after=first.position) as monitor:
        overrun = monitor.until(kind="overrun")
        while monitor.position < status["position"]:
            monitor.until()
        assert overrun["count"] + len(monitor.events) - 1 == status["position"] - first.position


def test_a_monitor_that_leaves_while_it_is_behind(inko):
    inko.spawn("web", HELLO)
    inko.listen("web", name="other")
    with inko.leak_check(), inko.varlink() as control:
        slow = Monitor(inko)
        make_events(control, 500)
        slow.close()
        make_events(control, 1)
    assert "actors" in inko.status()


def read_until(process, text):
    lines = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f"it ended before it said {text}: {lines} {process.stderr.read()}"
        lines.append(line.rstrip("\n"))
    return lines


def test_inkoctl_monitor(inko):
    """A line an event, in words; Ctrl-C ends it with 0."""
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        inko.spawn("web", HELLO)
        lines = read_until(process, "web  the actor is ready")
        pid = inko.pids("web")[0]
        assert any(line.endswith(f"web/0  is ready (pid {pid})") for line in lines), lines
        inko.kill(pid)
        lines = read_until(process, "web/0  is ready")
        assert any("has ended by itself" in line and "SIGKILL" in line
                   for line in lines), lines
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
        assert process.stderr.read() == ""


def test_every_end_is_a_sentence(inko):
    """Also that of who is not started again, and of who has failed."""
    flag = inko.directory / "flag"
    script = f"until [ -e {flag} ]; do sleep 0.02; done; exit $0"
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        for name, status in (("once", "0"), ("bad", "1")):
            inko.spawn(name, "sh", "-c", script, status, restart="never", readyAfterUSec=1000)
        flag.touch()
        wait_until(lambda: [inko.actor(n)["state"] for n in ("once", "bad")] ==
                   ["stopped", "failed"])
        inko.ctl("stop", "once")
        inko.spawn("last", HELLO)
        lines = read_until(process, "last  the actor is ready")
    for said in (r"once/0  has ended by itself, and is not started again \(pid \d+\): exited",
                 r"once  the actor is stopped", r"bad/0  has failed \(",
                 r"bad  the actor has failed"):
        assert any(re.search(said, line) for line in lines), (said, lines)
    assert not any(re.search(r"instance: | is failed$", line) for line in lines), lines


def has_monitor(inko, process):
    """It has asked: it has a connection to inkod, and sleeps, which it does for nothing but the
    answer; and calls are answered in turn."""
    asked = any(link.startswith("socket:") for link in list_descriptors(process.pid))
    return asked and process_state(process.pid) == "S" and inko.status()


def test_inkoctl_monitor_json(inko):
    with inkoctl(inko, "--json") as process:
        assert set(json.loads(process.stdout.readline())) == {"position"}
        inko.spawn("web", HELLO)
        for line in read_until(process, '"to":"ready"'):
            reply = json.loads(line)
            assert reply["event"]["name"] and reply["position"] > 0


@contextlib.contextmanager
def answering(directory, *frames, clients=1):
    """A server in the place of inkod, which says this to so many clients when they have asked."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / INTERFACE))
        listener.listen()
        ended = threading.Event()
        server = threading.Thread(target=answer, args=(listener, frames, clients, ended))
        server.start()
        try:
            yield
        finally:
            ended.set()
            server.join(DEADLINE)


def answer(listener, frames, clients, ended):
    listener.settimeout(0.1)
    while clients > 0 and not ended.is_set():
        with contextlib.suppress(TimeoutError):
            client, _ = listener.accept()
            clients -= 1
            if clients == 0:
                listener.close()
            with client:
                client.recv(4096)
                client.sendall(b"".join(frame.encode() + b"\0" for frame in frames))


def test_inkoctl_monitor_json_keeps_digits(inko):
    """Whole numbers of 16 digits that end in 0 are not shortened, as to 1.79e+15."""
    directory = inko.directory / "other"
    directory.mkdir()
    first = '{"position":4503599627370490}'
    event = ('{"position":4503599627370500,"event":{"timeUSec":1790000000000000,'
             '"kind":"actor","name":"web","to":"ready"}}')
    with answering(directory, *(f'{{"parameters":{reply},"continues":true}}'
                                for reply in (first, event))):
        said = inko.ctl("--runtime-dir", directory, "--json", "monitor", check=False)
    assert said.stdout.splitlines() == [first, event], said


def test_inkoctl_monitor_says_what_it_missed(inko):
    """With how many, where that is known."""
    directory = inko.directory / "other"
    directory.mkdir()
    event = '"timeUSec":1,"kind":"overrun","name":"monitor"'
    replies = ('{"position":1}', f'{{"position":2,"event":{{{event},"count":9}}}}',
               f'{{"position":3,"event":{{{event}}}}}')
    with answering(directory, *(f'{{"parameters":{r},"continues":true}}' for r in replies)):
        said = inko.ctl("--runtime-dir", directory, "monitor", check=False).stdout.splitlines()
    assert [line.partition("  monitor  ")[2] for line in said] == [
        "9 events were missed, as they were not read in time",
        "more events than are counted were missed, as they were not read in time"]


def test_inkoctl_monitor_goes_on_with_the_next_supervisor(inko):
    inko.spawn("web", HELLO)
    inko.settle()
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        inko.kill(inko.supervisor_pid())
        lines = read_until(process, "another supervisor took over, with 2 running instances")
        assert len(lines) == 1
        assert "supervisor was replaced" in process.stderr.readline()
        inko.call("Stop", {"actor": "web"})
        read_until(process, "the actor is stopped")


def test_inkoctl_monitor_of_a_stopped_inkod(inko):
    """Who is not heard in time says so, and ends: the first reply comes at once."""
    supervisor = inko.supervisor_pid()
    inko.kill(supervisor, signal.SIGSTOP)
    said = inko.ctl("monitor", check=False, timeout=DEADLINE)
    assert said.returncode == 3 and f"'kill -CONT {supervisor}'" in said.stderr, said
    inko.kill(supervisor, signal.SIGCONT)
    with inkoctl(inko, "--json") as process:
        process.stdout.readline()
        # Its keeper starts no other.
        inko.kill(inko.keeper.pid, signal.SIGSTOP)
        inko.kill(supervisor)
        assert process.wait(DEADLINE) == 3
        assert f"'kill -CONT {inko.keeper.pid}'" in process.stderr.read()
    inko.kill(inko.keeper.pid, signal.SIGCONT)
    wait_until(lambda: next_supervisor(inko, supervisor), what="another supervisor answers")


def test_inkoctl_monitor_hears_nothing_for_long(inko):
    """When it has begun silence means that nothing happens."""
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        supervisor = inko.supervisor_pid()
        inko.kill(supervisor, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(7)
        inko.kill(supervisor, signal.SIGCONT)
        inko.spawn("web", HELLO)
        read_until(process, "web  the actor is ready")
        assert process.poll() is None


def test_inkoctl_monitor_of_an_inkod_that_hangs_up(inko):
    directory = inko.directory / "other"
    directory.mkdir()
    with answering(directory, clients=1000):
        said = inko.ctl("--runtime-dir", directory, "monitor", check=False, timeout=DEADLINE)
    assert said.returncode == 3 and "went away before it answered" in said.stderr, said


def test_inkoctl_monitor_ends_with_inkod(inko):
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        inko.stop()
        assert process.wait(DEADLINE) == 1
        assert "inkod has gone away" in process.stderr.read()
        inko.start()
    result = inko.ctl("monitor", "--runtime-dir", "/nonexistent", check=False)
    assert result.returncode == 3


def test_inkoctl_monitor_cleans_what_it_prints(inko):
    """A program's own words do not reach the terminal as they are."""
    program = inko.directory / "odd\x1b[31m"
    with inkoctl(inko) as process:
        wait_until(lambda: has_monitor(inko, process))
        with pytest.raises(VarlinkError):
            program.write_text("#!/no/such/interpreter\n")
            program.chmod(0o755)
            inko.spawn("odd", program)
        lines = read_until(process, "removed")
        assert any("could not execute" in line for line in lines), lines
        assert "\x1b" not in "".join(lines)
