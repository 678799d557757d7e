"""What is counted, against what the load did; and that no death makes a number wrong."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import (ACTORS, DEADLINE, PYTHON, SOURCE, VarlinkError, alive, assert_all_answered,
                     free_port, http_get, private_inkod, wait_until)
from installed import install, installed_inkod
from test_keeper import PUT
from test_kill import next_supervisor

FULL = os.environ.get("INKO_FULL") == "1"
PATIENT = {"backoffUSec": 10_000, "intensity": 0}


def spawn(inko, name="web", *options, **parameters):
    inko.spawn(name, ACTORS / "recorder", *options, **{"instances": 2, **PATIENT, **parameters})


def counters(inko, kind, name):
    found = [c for c in inko.call("GetCounters")[kind] if c["name"] == name]
    assert len(found) == 1, (kind, name, found)
    return found[0]


def actor(inko, name="web"):
    return counters(inko, "actors", name)


def listener(inko):
    return inko.call("GetCounters")["listeners"][0]


def summed(inko, member, name="web"):
    return sum(c[member] for c in inko.call("GetCounters")["instances"]
               if c["name"].startswith(f"{name}/"))


def answered(inko, port, connections):
    assert_all_answered(inko.load(port, connections=connections).report(), at_least=connections)
    quiet(inko)


def quiet(inko):
    """A client may have its answer before the acceptor has noted that it handed it over."""
    def noted():
        counts = listener(inko)
        return counts["accepted"] == counts["handedOver"]

    wait_until(noted, what=lambda: f"what was handed over is noted: {listener(inko)}")


def replace_supervisor(inko):
    pid = inko.supervisor_pid()
    inko.kill(pid)
    wait_until(lambda: next_supervisor(inko, pid), what="another supervisor answers")


def restart_instance(inko, name, index=0):
    pid = wait_until(lambda: ready_pid(inko, name, index), what="it is ready")
    inko.kill(pid)
    wait_until(lambda: not alive(pid))
    wait_until(lambda: ready_pid(inko, name, index), what="it is ready again")


def ready_pid(inko, name, index):
    instance = inko.instances(name)[index]
    return instance["state"] == "ready" and instance["pid"]


def test_counts_are_what_was_done(inko):
    """Every connection once: at the listener, at the instances, in the histogram."""
    spawn(inko)
    port = inko.listen("web")
    answered(inko, port, 500)
    assert listener(inko) == {"name": f"tcp-127.0.0.1-{port}", "accepted": 500,
                              "handedOver": 500, "refused": 0}
    web = actor(inko)
    assert web["connections"] == web["received"] == summed(inko, "connections") == 500
    assert sum(bucket["count"] for bucket in web["histogram"]) == 500
    assert web["late"] == web["moved"] == web["restarts"] == 0
    bounds = [bucket["leUSec"] for bucket in web["histogram"]]
    assert bounds == sorted(bounds) and web["p50USec"] <= web["p99USec"] <= bounds[-1]
    for _ in range(3):
        inko.call("Send", {"mailbox": "web", "text": "hello"})
    wait_until(lambda: actor(inko)["received"] == 503, what="messages are counted")
    assert actor(inko)["connections"] == 500


def test_counts_outlive_every_process(inko):
    """What a process had counted when it was killed counts, and counts once."""
    spawn(inko)
    port = inko.listen("web")
    for death in (lambda: restart_instance(inko, "web", 0),
                  lambda: restart_instance(inko, "web", 1),
                  lambda: restart_instance(inko, "acceptor"),
                  lambda: replace_supervisor(inko),
                  lambda: inko.call("Restart", {"actor": "web"}),
                  lambda: inko.call("Stop", {"actor": "web"})
                  and inko.call("Start", {"actor": "web"})):
        before = actor(inko)
        answered(inko, port, 200)
        death()
        assert actor(inko)["connections"] == before["connections"] + 200
    answered(inko, port, 100)
    assert actor(inko)["received"] == 1300 == listener(inko)["handedOver"]
    assert actor(inko)["restarts"] == 2 == summed(inko, "restarts")
    assert counters(inko, "actors", "acceptor")["restarts"] == 1


def test_supervisors_killed_at_random(inko, seeded):
    """Exactly: the supervisor has no part in any count of traffic."""
    spawn(inko)
    port = inko.listen("web")
    with inko.leak_check():
        load = inko.load(port, clients=16, until_stopped=True)
        for _ in range(6):
            time.sleep(seeded.uniform(0, 0.1))
            replace_supervisor(inko)
        report = load.report()
        assert_all_answered(report)
        wait_until(lambda: actor(inko)["connections"] == report["connections"],
                   what=lambda: f"{report['connections']} were counted: {actor(inko)}")
    quiet(inko)
    assert summed(inko, "connections") == report["connections"]
    assert listener(inko)["accepted"] == listener(inko)["handedOver"] == report["connections"]


def test_everybody_killed_at_random(inko, seeded):
    """SIGKILL can come between what a process did and what it notes of it: one a death."""
    spawn(inko)
    port = inko.listen("web")
    kills = 0
    load = inko.load(port, clients=16, until_stopped=True)
    for name in ("web", "acceptor", "web", "acceptor", "web", "web"):
        time.sleep(seeded.uniform(0.02, 0.1))
        restart_instance(inko, name)
        kills += 1
        replace_supervisor(inko)
    report = load.report()
    wait_until(lambda: inko.ready("web") and not sum(i["messages"] for i in inko.instances("web")))
    handed, received = listener(inko)["handedOver"], actor(inko)["connections"]
    assert abs(handed - received) <= kills, (handed, received, report)
    assert abs(report["connections"] - received) <= 2 * kills, (received, report)
    assert actor(inko)["connections"] == summed(inko, "connections")
    assert actor(inko)["restarts"] == 4


def test_scaled_away_instances_still_count(inko):
    """Also when the supervisor ends in between."""
    spawn(inko, instances=4)
    port = inko.listen("web")
    answered(inko, port, 400)
    with inko.leak_check():
        inko.call("Scale", {"actor": "web", "instances": 1})
        assert actor(inko)["connections"] == 400 > summed(inko, "connections")
        replace_supervisor(inko)
        inko.call("Scale", {"actor": "web", "instances": 4})
        assert actor(inko)["connections"] == 400
    answered(inko, port, 100)
    assert actor(inko)["connections"] == 500


def test_supervisor_killed_while_scaling(inko, seeded):
    """An instance that is forgotten is counted in once, wherever the supervisor stood."""
    spawn(inko, instances=4)
    port = inko.listen("web")
    answered(inko, port, 400)
    for _ in range(6):
        control = inko.varlink()
        control.send("Scale", {"actor": "web", "instances": 1})
        time.sleep(seeded.uniform(0, 0.02))
        replace_supervisor(inko)
        control.close()
        assert actor(inko)["connections"] == 400
        inko.call("Scale", {"actor": "web", "instances": 4})
        assert actor(inko)["connections"] == 400


def scaled(inko, instances):
    """Whether the supervisor lived to say so. If not, nothing is counted twice for it."""
    try:
        return inko.call("Scale", {"actor": "web", "instances": instances})
    except ConnectionError:
        wait_until(inko.answers, what="a supervisor answers")
        assert actor(inko)["connections"] == 60
        return None


def test_supervisor_dies_at_each_put_of_scaling():
    """Wherever between counting an instance in and forgetting it."""
    died = 0
    for n in range(30, 140, 1 if FULL else 5):
        with private_inkod(INKO_FAULT=f"put:{n}") as inko:
            supervisor, port = inko.supervisor_pid(), None
            with contextlib.suppress(ConnectionError):
                spawn(inko, instances=3)
                port = inko.listen("web")
            if port is None:
                continue
            answered(inko, port, 60)
            for instances in (1, 3, 1):
                wait_until(lambda: scaled(inko, instances), what="it is scaled")
                wait_until(inko.answers, what="a supervisor answers")
                assert actor(inko)["connections"] == 60
                assert len(inko.instances("web")) == instances
            died += inko.supervisor_pid() != supervisor
    assert died > 0


def test_rolled_instances_still_count(inko):
    """What they had counted is shown by itself, restarts as well, and all adds up."""
    spawn(inko)
    port = inko.listen("web")
    restart_instance(inko, "web")
    for n in range(1, 4):
        answered(inko, port, 100)
        inko.call("Restart", {"actor": "web", "rolling": True})
        assert actor(inko)["connections"] == n * 100 == listener(inko)["handedOver"]
        wait_until(lambda: len(inko.instances("web")) == 2)
        gone = counters(inko, "former", "web")
        for member in "connections", "received", "restarts":
            assert gone[member] + summed(inko, member) == actor(inko)[member]
    assert gone["connections"] == 300 and gone["restarts"] == 1
    assert inko.actor("web")["restarts"] == actor(inko)["restarts"] == 1 > inko.restarts("web")
    row = [line.split() for line in inko.ctl("counters", "web").stdout.splitlines()
           if "(gone)" in line]
    assert [cells[:2] for cells in row] == [["(gone)", "300"]]
    assert inko.ctl("status").stdout.split("\nweb ")[1].split()[4] == "1"


# A supervisor that holds instances as one did that knew no counters, and ends.
FORMER = f"""#!/usr/bin/python3
import json, os, socket, struct
HEAD = "=II161s3x"
link = socket.socket(fileno=3)
link.send(struct.pack(HEAD, 4, 0, b""))
while True:
    data, fds, _, _ = socket.recv_fds(link, 1 << 17, 8)
    verb, _, key = struct.unpack_from(HEAD, data)
    if verb == 7:
        break
    if key.startswith(b"instance/"):
        held = json.loads(data[struct.calcsize(HEAD):])
        del held["moved"], held["movedLane"]
        socket.send_fds(link, [struct.pack(HEAD, {PUT}, 0, key) + json.dumps(held).encode()],
                        fds[:1])
os._exit(1)
"""


def test_state_without_counters_is_read(tmp_path):
    """Of a former version: its processes go on uncounted, the next ones are counted."""
    with installed_inkod(tmp_path) as inko:
        inko.tolerated = "exited with status"
        spawn(inko)
        port = inko.listen("web")
        answered(inko, port, 100)
        pids = inko.pids("web")
        install(tmp_path, "inko-supervisor", FORMER)
        inko.kill(inko.supervisor_pid())
        wait_until(lambda: "exited with status 1" in inko.log.read_text())
        install(tmp_path, "inko-supervisor")
        wait_until(inko.answers, what="the supervisor is there again")
        answered(inko, port, 100)
        assert inko.pids("web") == pids and actor(inko)["connections"] == 0
        inko.call("Restart", {"actor": "web"})
        answered(inko, port, 100)
        assert actor(inko)["connections"] == 100
        replace_supervisor(inko)
        assert actor(inko)["connections"] == 100


def test_counts_outlive_an_upgrade_and_a_keeper(tmp_path):
    with installed_inkod(tmp_path) as inko:
        spawn(inko)
        port = inko.listen("web")
        answered(inko, port, 100)
        inko.ctl("upgrade")
        assert actor(inko)["connections"] == 100 == listener(inko)["handedOver"]
        inko.kill(inko.keeper_pid())
        inko.keeper.wait()
        inko.begin()
        wait_until(lambda: inko.keeper_pid() == inko.keeper.pid)
        answered(inko, port, 100)
        replace_supervisor(inko)
        assert actor(inko)["connections"] == 200 == listener(inko)["handedOver"]


def test_moved(inko):
    """What waited for an instance at its death, and went to its sibling."""
    gate = inko.directory / "gate"
    spawn(inko, "web", "--gate", gate)
    port = inko.listen("web")
    load = inko.load(port, clients=40, connections=40)
    wait_until(lambda: sum(i["messages"] for i in inko.instances("web")) == 40,
               what="all are in mailboxes")
    before = inko.instances("web")[0]["messages"]
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: actor(inko)["moved"] == before > 0, what=lambda: actor(inko))
    replace_supervisor(inko)
    assert actor(inko)["moved"] == before
    gate.touch()
    assert_all_answered(load.report(), at_least=40)
    assert actor(inko)["connections"] == 40
    assert counters(inko, "instances", "web/0")["moved"] == before


def test_late(inko):
    """Who was received later than five seconds after it was accepted."""
    gate = inko.directory / "gate"
    spawn(inko, "web", "--gate", gate, instances=1)
    port = inko.listen("web")
    load = inko.load(port, clients=3, connections=3)
    wait_until(lambda: inko.instances("web")[0]["messages"] == 3)
    time.sleep(5.2)
    gate.touch()
    load.report()
    assert actor(inko)["late"] == 3
    assert actor(inko)["p50USec"] > 5_000_000
    http_get(port)
    assert (actor(inko)["late"], actor(inko)["connections"]) == (3, 4)


def test_refused(inko):
    """Of an actor that has failed and whose clients have waited long enough."""
    flag = inko.directory / "flag"
    program = inko.directory / "once"
    program.write_text(f"#!/bin/sh\n[ -e {flag} ] && exit 1\nexec {ACTORS / 'recorder'}\n")
    program.chmod(0o755)
    inko.spawn("web", program, backoffUSec=1000, intensity=1)
    port = inko.listen("web", holdUSec=1000)
    flag.touch()
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.status()["listeners"][0]["state"] == "refusing")
    for _ in range(5):
        with pytest.raises(OSError):
            http_get(port)
    wait_until(lambda: listener(inko)["refused"] == 5, what=lambda: listener(inko))
    assert listener(inko)["accepted"] == 5 and listener(inko)["handedOver"] == 0


def test_a_listener_counts_from_its_opening(inko):
    """One that is opened again under its name is another one."""
    spawn(inko)
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    for _ in range(2):
        inko.listen("web", address, name="front")
        http_get(port)
        wait_until(lambda: listener(inko)["handedOver"] == 1)
        inko.call("Close", {"listener": "front"})
        assert inko.call("GetCounters")["listeners"] == []


def test_a_listener_is_forgotten_by_an_acceptor_that_is_killed(inko):
    """Between being told to close it and saying that it has."""
    spawn(inko)
    inko.listen("web", name="other")
    for n in range(3):
        port = inko.listen("web", name="front")
        http_get(port)
        wait_until(lambda: counters(inko, "listeners", "front")["handedOver"] == 1,
                   what=lambda: f"{n}: {inko.call('GetCounters')['listeners']}")
        pid = inko.pids("acceptor")[0]
        os.kill(pid, signal.SIGSTOP)
        with inko.varlink() as control:
            control.send("Close", {"listener": "front"})
            inko.status()
            inko.kill(pid)
            assert control.receive() == {"parameters": {}}


def talk(path):
    """What is answered on a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        with client.makefile("rb") as answer:
            return answer.readline()


def push(inko, url):
    subprocess.run(["nngcat", "--push0", "--dial", url, "--data", "hello", "--delay", "0",
                    "--send-timeout", "5"], timeout=30, check=True)


def used_rows(inko, name):
    """Names in the page that the instance counts in."""
    pid = inko.pids(name)[0]
    for fd in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if "memfd:inko-counters" in fd:
            begin, end = (int(part, 16) for part in fd.split()[0].split("-"))
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(begin)
                page = memory.read(end - begin)
    rows = [page[offset:offset + 64] for offset in range(1024, len(page), 128)]
    return sorted(row.rstrip(b"\0").decode() for row in rows if row[0])


def test_an_endpoint_is_forgotten_by_a_gateway_that_is_killed(inko):
    """Before it has closed it; and the name is another actor's when the next one comes."""
    spawn(inko, "other", instances=1)
    for n in range(3):
        spawn(inko, instances=1)
        inko.settle()
        push(inko, inko.actor("web")["endpoint"])
        wait_until(lambda: counters(inko, "endpoints", "web")["handedOver"] == 1,
                   what=lambda: f"{n}: {inko.call('GetCounters')['endpoints']}")
        pid = inko.pids("gateway")[0]
        os.kill(pid, signal.SIGSTOP)
        inko.call("Remove", {"actor": "web"})
        inko.kill(pid)
    # Its end may not have been seen yet.
    wait_until(lambda: ready_pid(inko, "gateway", 0) not in (False, pid))
    assert used_rows(inko, "gateway") == ["other"]


def test_gateway_counts_messages(inko):
    spawn(inko, instances=1)
    inko.settle()
    for _ in range(3):
        push(inko, inko.actor("web")["endpoint"])
    wait_until(lambda: counters(inko, "endpoints", "web")["handedOver"] == 3,
               what=lambda: inko.call("GetCounters")["endpoints"])
    wait_until(lambda: actor(inko)["received"] == 3 and actor(inko)["connections"] == 0)
    restart_instance(inko, "gateway")
    assert counters(inko, "endpoints", "web") == {
        "name": "web", "accepted": 3, "handedOver": 3, "refused": 0}


# So many listeners or endpoints have a row of their own (proto/counters.h).
ROWS = 503


def source(name, n):
    return {"name": name, "accepted": n, "handedOver": n, "refused": 0}


def test_listeners_that_are_too_many(inko):
    """Those that find no row are counted together, without a name; a row is free again when its
    listener is closed, and what that counted is no other's."""
    spawn(inko)

    def connect(name):
        assert b" 200 " in talk(inko.directory / name)

    def open_one(control, name):
        control.call("Listen", {"address": f"unix://{inko.directory}/{name}", "to": "web",
                                "name": name})

    def assert_counts(**expected):
        expected = {name: source(name, n) for name, n in expected.items()}
        others = expected.pop("others")
        wait_until(lambda: inko.call("GetCounters").get("otherListeners") == {**others, "name": ""},
                   what=lambda: f"{others}: {inko.call('GetCounters')}")
        for name, counts in expected.items():
            wait_until(lambda: counters(inko, "listeners", name) == counts,
                       what=lambda: f"{counts}: {counters(inko, 'listeners', name)}")

    names = [f"l{n}" for n in range(ROWS)]
    with inko.varlink() as control:
        for name in (*names, "one", "two"):
            open_one(control, name)
        for name in ("l0", f"l{ROWS - 1}", "one", "two", "two"):
            connect(name)
        assert_counts(others=3, l0=1, **{f"l{ROWS - 1}": 1}, one=0, two=0)
        assert used_rows(inko, "acceptor") == sorted(names)
        control.call("Close", {"listener": "l0"})
        control.call("Close", {"listener": "two"})
        open_one(control, "later")
        connect("later")
        connect("one")
        assert_counts(others=4, later=1, one=0)
        assert used_rows(inko, "acceptor") == sorted([*names[1:], "later"])
    restart_instance(inko, "acceptor")
    connect("later")
    connect("one")
    assert_counts(others=5, later=2, one=0)
    assert ["(others)", "5", "5", "0"] in map(str.split, inko.ctl("counters").stdout.splitlines())


def test_endpoints_that_are_too_many(inko):
    """The same of what the gateway takes in."""
    with inko.varlink() as control:
        for n in range(ROWS):
            control.call("Spawn", {"name": f"a{n}", "command": ["true"], "instances": 0})
    spawn(inko, instances=1)

    def pushed(n):
        push(inko, inko.actor("web")["endpoint"])
        wait_until(lambda: actor(inko)["received"] == n, what=lambda: actor(inko))

    wait_until(lambda: ready_pid(inko, "gateway", 0))
    pushed(1)
    wait_until(lambda: inko.call("GetCounters").get("otherEndpoints") == source("", 1))
    assert counters(inko, "endpoints", "web") == source("web", 0)
    assert used_rows(inko, "gateway") == sorted(f"a{n}" for n in range(ROWS))
    inko.call("Remove", {"actor": "a0"})
    inko.call("Remove", {"actor": "web"})
    spawn(inko, instances=1)
    pushed(1)
    wait_until(lambda: counters(inko, "endpoints", "web") == source("web", 1))
    assert inko.call("GetCounters")["otherEndpoints"] == source("", 1)
    assert used_rows(inko, "gateway") == sorted(["web", *(f"a{n}" for n in range(1, ROWS))])


COUNTING = """#!/usr/bin/python3
import mmap, os, socket, time
names = os.environ["LISTEN_FDNAMES"].split(":")
page = mmap.mmap(3 + names.index("counters"), 65536)
{write}
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1")
time.sleep(3600)
"""


def test_a_program_of_another_language_counts(inko):
    """By the table in PROTOCOL.md; the page is the last descriptor, and cannot be shortened."""
    program = inko.directory / "counting"
    program.write_text(COUNTING.format(write="""
assert names[-1] == "counters" and page[:4] == (1).to_bytes(4, "little")
try:
    os.ftruncate(3 + names.index("counters"), 0)
    raise SystemExit("the page could be shortened")
except PermissionError:
    pass
import struct
struct.pack_into("=QQQ", page, 8, 7, 5, 1)
struct.pack_into("=Q", page, 256 + 8 * 10, 5)
"""))
    program.chmod(0o755)
    inko.spawn("other", program, stopUSec=1000, drainUSec=1000)
    other = actor(inko, "other")
    assert (other["received"], other["connections"], other["late"]) == (7, 5, 1)
    assert other["histogram"] == [{"leUSec": 1024, "count": 5}]
    assert other["p50USec"] == other["p99USec"] == 1024


def test_garbage_harms_its_own_numbers_alone(inko):
    program = inko.directory / "garbage"
    program.write_text(COUNTING.format(write="page[:] = b'\\xff' * 65536"))
    program.chmod(0o755)
    inko.spawn("garbage", program, stopUSec=1000, drainUSec=1000)
    spawn(inko)
    answered(inko, inko.listen("web"), 50)
    assert actor(inko, "garbage")["received"] == 1 << 53
    assert actor(inko)["connections"] == 50
    assert "garbage" in inko.ctl("counters").stdout


def test_inkoctl_counters(inko):
    spawn(inko)
    spawn(inko, "other")
    port = inko.listen("web")
    answered(inko, port, 20)
    output = inko.ctl("counters").stdout
    work, listeners, endpoints = output.split("\n\n")
    rows = {line.split()[0]: line.split() for line in f"{work}\n{listeners}".splitlines()}
    assert rows["web"][1:6] == ["20", "20", "0", "0", "0"] and rows["web"][6].endswith("s")
    assert rows["web/0"][1] == "10"
    assert rows[f"tcp-127.0.0.1-{port}"][1:] == ["20", "20", "0"]
    assert "other/0" in rows and "acceptor" in rows and "web" in endpoints
    output = inko.ctl("counters", "web").stdout
    assert "other" not in output and "web/1" in output and f"tcp-127.0.0.1-{port}" in output
    assert inko.json("counters", "web") == inko.call("GetCounters", {"actor": "web"})
    result = inko.ctl("counters", "nobody", check=False)
    assert result.returncode == 1 and "no actor nobody" in result.stderr
    with pytest.raises(VarlinkError, match="NoSuchActor"):
        inko.call("GetCounters", {"actor": "nobody"})


def test_a_program_without_the_library_is_not_bothered(inko):
    """One more descriptor, of a name that it does not know."""
    inko.spawn("web", PYTHON, SOURCE / "libclient/examples/http-hello.py")
    assert "Hello" in http_get(inko.listen("web"))
    quiet(inko)
    assert actor(inko)["received"] == 0 and listener(inko)["handedOver"] == 1


def spoken(member):
    """A member of JSON as the head of a column."""
    return re.sub("([A-Z])", r" \1", member).upper()


def test_tables_and_json_have_the_same_words(inko):
    """What is counted of a listener and of an endpoint is called the same in both."""
    spawn(inko)
    inko.listen("web", name="front")
    inko.settle()
    counters = inko.json("counters")
    tables = inko.ctl("counters").stdout.split("\n\n")
    for kind, table in zip(("listener", "endpoint"), tables[1:], strict=True):
        heads = re.split("  +", table.splitlines()[0].strip())
        members = [m for m in counters[f"{kind}s"][0] if m != "name"]
        assert heads == [kind.upper(), *map(spoken, members)]
