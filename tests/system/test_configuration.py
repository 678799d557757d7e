"""What there shall be, in a file: inkod --config, inkoctl apply and export."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import (
    ACTORS, BUILD, DEADLINE, INTERFACE, SOURCE, Inkod, VarlinkError, assert_all_answered,
    free_port, http_get, private_inkod, wait_until)

FULL = os.environ.get("INKO_FULL") == "1"
HELLO = str(BUILD / "http-hello")
QUICK = {"backoffUSec": 10_000, "drainUSec": 1_000_000}
# sysexits.h
EX_CONFIG = 78


def web(name="web", **fields):
    return {"name": name, "command": [HELLO], **QUICK, **fields}


def front(**fields):
    return {"name": "front", "address": "tcp://127.0.0.1:0", "to": "web", **fields}


def configuration(*actors, listeners=()):
    return {"actors": list(actors), "listeners": list(listeners)}


def write(inko, content, name="inko.json"):
    path = inko.directory / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def apply(inko, content, *options, check=True):
    return inko.ctl("apply", "-", *options, input=json.dumps(content), check=check)


def changes(inko, content, **options):
    """What apply would do: action and effect by kind and name."""
    reply = inko.call("Apply", {"configuration": content, "dryRun": True, **options})
    return {f"{c['kind']} {c['name']}": (c["action"], c["effect"]) for c in reply["changes"]}


def names(inko):
    status = inko.status()
    return ([a["name"] for a in status["actors"] if not a["builtin"]],
            [x["name"] for x in status["listeners"]])


def port_of(inko, name="front"):
    return int(inko.listener(name)["address"].rpartition(":")[2])


def export(inko):
    return json.loads(inko.ctl("export").stdout)


def kill_supervisor(inko):
    pid = inko.supervisor_pid()
    inko.kill(pid)
    wait_until(lambda: patiently(inko.supervisor_pid) != pid, what="another supervisor answers")


@contextlib.contextmanager
def configured_inkod(content, **environment):
    """One that began with content."""
    inko = Inkod(**environment)
    try:
        path = write(inko, content)
        inko.start("--config", str(path))
        yield inko
        assert inko.stop() == 0
        assert not inko.processes() and not inko.runtime.exists()
    finally:
        inko.abandon()


# What is said, and what is done.

def test_begins_with_a_file():
    content = configuration(web(instances=2), web("shop", opens=["web"]), listeners=[front()])
    with configured_inkod(content) as inko:
        inko.settle()
        assert names(inko) == (["web", "shop"], ["front"])
        assert inko.actor("web")["origin"] == inko.listener("front")["origin"] == "configuration"
        assert http_get(port_of(inko)).startswith("Hello")
        assert apply(inko, content).stdout == "nothing to change\n"


def test_what_export_prints_apply_and_a_cold_start_take():
    first = configuration(
        web(instances=2, environment=["A=b"], queue=16, intensity=7),
        web("shop", opens=["web"], directory="/tmp"),
        listeners=[front(balance="pull", holdUSec=5_000_000),
                   {"name": "given", "address": "tcp://127.0.0.1:0", "give": "shop"}])
    with configured_inkod(first) as inko:
        exported = export(inko)
        assert apply(inko, exported).stdout == "nothing to change\n"
        kill_supervisor(inko)
        assert export(inko) == exported
        assert apply(inko, exported).stdout == "nothing to change\n"
    with configured_inkod(exported) as inko:
        assert export(inko) == exported
        # Defaults go without saying.
        assert exported["actors"][1] == {"name": "shop", "command": [HELLO], **QUICK,
                                         "directory": "/tmp", "opens": ["web"]}
        assert set(exported["listeners"][1]) == {"name", "address", "give"}


def test_listens_by_the_name_that_an_address_makes(inko):
    port = free_port()
    content = configuration(web(), listeners=[{"address": f"tcp://localhost:{port}", "to": "web"}])
    apply(inko, content)
    assert names(inko)[1] == [f"tcp-127.0.0.1-{port}"]
    assert apply(inko, content).stdout == "nothing to change\n"


def test_what_is_said_before_it_is_done(inko):
    """inkoctl shows each difference; what needs no other process takes effect at once, the rest
    rolls, and nobody is refused meanwhile."""
    apply(inko, configuration(web(instances=2), web("shop"), listeners=[front()]))
    inko.settle()
    port = port_of(inko)
    pids, shops = inko.pids("web"), inko.pids("shop")
    load = inko.load(port, clients=8, until_stopped=True)
    new = configuration(web(instances=3, drainUSec=5_000_000), web("shop", environment=["A=b"]),
                        web("third"), listeners=[front(holdUSec=3_000_000)])
    shown = apply(inko, new, "--dry-run").stdout
    assert shown == (
        "~ actor web: at once; no instance is replaced\n"
        "    instances: 2 -> 3\n"
        "    drainUSec: 1s -> 5s\n"
        "~ actor shop: it rolls: its instances are replaced, one after the other\n"
        '    environment: nothing -> ["A=b"]\n'
        "+ actor third: its instances are started\n"
        "~ listener front: at once; no instance is replaced\n"
        "    holdUSec: 1min -> 3s\n")
    assert inko.pids("web") == pids and inko.pids("shop") == shops
    assert inko.listener("front")["holdUSec"] == 60_000_000
    assert apply(inko, new).stdout == shown + "applied\n"
    assert inko.pids("web")[:2] == pids and len(inko.pids("web")) == 3
    assert inko.actor("web")["generation"] == 1 and inko.actor("shop")["generation"] == 2
    wait_until(lambda: len(inko.pids("shop")) == 1 and not set(shops) & set(inko.pids("shop")))
    assert port_of(inko) == port and inko.listener("front")["holdUSec"] == 3_000_000
    assert_all_answered(load.report(), at_least=10)
    assert apply(inko, new).stdout == "nothing to change\n"


def test_a_roll_under_load_loses_nobody(inko):
    record = inko.record()
    recorder = {"name": "web", "command": [str(ACTORS / "recorder"), "--record", str(record)],
                "instances": 2, **QUICK}
    apply(inko, configuration(recorder, listeners=[front()]))
    load = inko.load(port_of(inko), clients=16, until_stopped=True)
    for number in range(3):
        recorder["environment"] = [f"N={number}"]
        apply(inko, configuration(recorder, listeners=[front()]))
    assert_all_answered(load.report(), at_least=100)
    assert inko.actor("web")["generation"] == 4


def test_an_actor_that_is_stopped_stays_so(inko):
    apply(inko, configuration(web()))
    inko.ctl("stop", "web")
    new = configuration(web(environment=["A=b"]))
    assert changes(inko, new) == {"actor web": ("change", "nextStart")}
    apply(inko, new)
    assert inko.actor("web")["state"] == "stopped"
    assert apply(inko, new).stdout == "nothing to change\n"
    inko.ctl("start", "web")
    environ = open(f"/proc/{inko.pids('web')[0]}/environ", "rb").read()
    assert b"A=b" in environ.split(b"\0")


def test_a_listener_changes_in_place(inko):
    """Its socket stays while it leads elsewhere, and nobody is refused."""
    content = configuration(web(), web("shop", command=[str(ACTORS / "recorder"), "--record",
                                                       str(inko.record())]),
                            listeners=[front()])
    apply(inko, content)
    port = port_of(inko)
    load = inko.load(port, clients=8, until_stopped=True)
    for number in range(6):
        content["listeners"] = [front(to=("shop", "web")[number % 2],
                                      balance=("pull", "roundRobin")[number // 2 % 2])]
        assert changes(inko, content)["listener front"] == ("change", "atOnce")
        apply(inko, content)
        assert http_get(port)
    assert inko.record().count("begin") > 0
    assert_all_answered(load.report(), at_least=10)
    assert port_of(inko) == port


def test_a_listener_moves(inko):
    """To another address: who waits at the former one is accepted still, and it closes then."""
    first, second = free_port(), free_port()
    address = "tcp://127.0.0.1:{}".format
    content = configuration(web(), listeners=[front(address=address(first))])
    apply(inko, content)
    inko.ctl("pause", "front")
    with socket.create_connection(("127.0.0.1", first)) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n")
        content["listeners"] = [front(address=address(second))]
        apply(inko, content)
        inko.ctl("resume", "front")
        waiting.settimeout(DEADLINE)
        assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
    assert http_get(second)

    def is_refused():
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", first)) != 0
    wait_until(is_refused, what="the former address is free")
    path = inko.directory / "s"
    content["listeners"] = [front(address=f"unix://{path}")]
    apply(inko, content)
    assert http_get(path=path)
    content["listeners"] = [front(address=address(first))]
    apply(inko, content)
    assert http_get(first) and not path.exists()


def test_a_listener_is_given_away_and_taken_back(inko):
    shared = {"name": "shared", "command": [str(BUILD / "http-shared")], **QUICK}
    given = front(to=None, give="shared")
    apply(inko, configuration(web(), shared, listeners=[front()]))
    port = port_of(inko)
    apply(inko, configuration(web(), shared, listeners=[given]))
    assert port_of(inko) == port
    assert f"pid {inko.pids('shared')[0]}" in http_get(port) or http_get(port)
    assert inko.listener("front")["give"] == "shared"
    back = configuration(web(), shared, listeners=[front(address=f"tcp://127.0.0.1:{port}")])
    assert changes(inko, back) == {"listener front": ("change", "replace")}
    apply(inko, back)
    assert port_of(inko) == port and inko.listener("front")["to"] == "web"
    assert_all_answered(inko.load(port, connections=50).report(), at_least=50)


def test_a_listener_is_given_to_one_that_waits_in_accept(inko):
    """The acceptor, which hears of it late, must not wait there too: all others would wait for it."""
    plain = {"name": "plain", "adapter": "activation", "command": [str(ACTORS / "notifier")], **QUICK}
    apply(inko, configuration(web(), plain, listeners=[front(), front(name="beside")]))
    assert http_get(port_of(inko)) and http_get(port_of(inko, "beside"))
    acceptor, = inko.pids("acceptor")
    os.kill(acceptor, signal.SIGSTOP)
    try:
        apply(inko, configuration(web(), plain, listeners=[
            front(to=None, give="plain"), front(name="beside")]))
        inko.ctl("restart", "plain")
        flags = Path(f"/proc/{inko.pids('plain')[0]}/fdinfo/3").read_text().split("flags:")[1]
        assert not int(flags.split()[0], 8) & os.O_NONBLOCK
    finally:
        os.kill(acceptor, signal.SIGCONT)
    assert http_get(port_of(inko, "beside"))
    inko.settle()
    flags = Path(f"/proc/{inko.pids('plain')[0]}/fdinfo/3").read_text().split("flags:")[1]
    assert not int(flags.split()[0], 8) & os.O_NONBLOCK


# What is not in it.

def test_prune_removes_what_is_not_in_it_and_says_so_before(inko):
    inko.ctl("spawn", "mine", "--", HELLO)
    apply(inko, configuration(web(), web("shop"), listeners=[front()]))
    kept = "not in the configuration, and kept (--prune removes them): "
    small = configuration(web("shop"))
    result = apply(inko, small)
    assert result.stdout == kept + "listener front, actor mine, actor web\nnothing to change\n"
    shown = apply(inko, small, "--dry-run", "--prune").stdout
    assert shown == ("- listener front: it is closed\n"
                     "- actor mine: its instances finish what they serve, and end\n"
                     "- actor web: its instances finish what they serve, and end\n")
    assert names(inko) == (["mine", "web", "shop"], ["front"])
    assert apply(inko, small, "--prune").stdout == shown + "applied\n"
    assert names(inko) == (["shop"], [])
    assert apply(inko, small, "--prune").stdout == "nothing to change\n"


def test_what_is_kept_as_it_is_is_one_line(inko):
    """The first apply of an export changes nothing but who wants it."""
    for name in ("mine", "yours"):
        inko.ctl("spawn", name, "--", HELLO)
        inko.ctl("listen", "tcp://127.0.0.1:0", "--to", name, "--name", f"at-{name}")
    exported = json.loads(inko.ctl("export").stdout)
    kept = ("kept by the configuration from now on, as they are: actor mine, actor yours, "
            "listener at-mine, listener at-yours\n")
    assert apply(inko, exported, "--dry-run").stdout == kept
    exported["actors"][0]["instances"] = 2
    shown = apply(inko, exported).stdout
    assert "~ actor mine: at once" in shown and "origin" in shown
    assert shown.endswith(kept.replace("actor mine, ", "") + "applied\n")
    assert inko.actor("yours")["origin"] == inko.listener("at-yours")["origin"] == "configuration"
    assert apply(inko, exported).stdout == "nothing to change\n"


def test_says_who_wanted_it():
    """What was spawned by hand is told from the rest, and gone when inkod begins again."""
    with configured_inkod(configuration(web(), listeners=[front()])) as inko:
        inko.ctl("spawn", "mine", "--", HELLO)
        inko.ctl("listen", "tcp://127.0.0.1:0", "--to", "mine", "--name", "by")
        for _ in range(2):
            assert inko.actor("mine")["origin"] == inko.listener("by")["origin"] == "hand"
            assert inko.actor("web")["origin"] == "configuration"
            kill_supervisor(inko)
        rows = [line.split() for line in inko.ctl("list").stdout.splitlines()]
        assert ["mine", "ready", "by", "hand"] in [row[:4] for row in rows]
        assert ["web", "ready", "configuration"] in [row[:3] for row in rows]
        both = configuration(web(), web("mine"), listeners=[front()])
        shown = apply(inko, both, "--dry-run").stdout
        assert 'origin: "hand" -> "configuration"' in shown
        pids = inko.pids("mine")
        both["actors"][1] = {"name": "mine", "command": [HELLO]}
        apply(inko, both)
        assert inko.actor("mine")["origin"] == "configuration" and inko.pids("mine") == pids
        apply(inko, configuration(web(), listeners=[front()]))
        assert inko.actor("mine")["origin"] == "hand"
        assert inko.stop() == 0
        inko.start("--config", str(inko.directory / "inko.json"))
        assert names(inko) == (["web"], ["front"])


# What is wrong.

FIFTY = [web(f"a{number}") for number in range(50)]
WRONG = [
    ({"drainUSec": "10s"}, "actors[37].drainUSec",
     'it is "10s", and may be a whole number from 1000 to 86400000000'),
    ({"drainUSec": 0}, "actors[37].drainUSec", "it is 0, and may be"),
    ({"drainUsec": 5}, "actors[37].drainUsec", "did you mean drainUSec?"),
    ({"instances": 1_000_000}, "actors[37].instances", "from 0 to 1000"),
    ({"command": ["/no/such"]}, "actors[37].command", "/no/such"),
    ({"name": "a36"}, "actors[37].name", "actors[36]"),
    ({"opens": ["a5", "a60"]}, "actors[37].opens", "no actor is called 'a60'; did you mean a0"),
    ({"environment": ["x"]}, "actors[37].environment", "'x' is not NAME=VALUE"),
]


@pytest.mark.parametrize("fields, path, reason", WRONG, ids=[str(w[0]) for w in WRONG])
def test_one_wrong_among_fifty_changes_nothing(inko, fields, path, reason):
    inko.ctl("spawn", "mine", "--", HELLO)
    before = inko.picture()
    fifty = [dict(actor) for actor in FIFTY]
    fifty[37].update(fields)
    content = configuration(*fifty, listeners=[front(to="a0")])
    result = apply(inko, content, "--prune", check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith(f"inkoctl: {path}: ") and reason in result.stderr
    with pytest.raises(VarlinkError) as refused:
        inko.call("Apply", {"configuration": content, "prune": True})
    assert refused.value.error == f"{INTERFACE}.InvalidConfiguration"
    assert refused.value.parameters["path"] == path
    assert inko.picture() == before


def test_an_address_in_use_changes_nothing(inko):
    """It is found last, when others are bound already: those are free again."""
    free, path = free_port(), inko.directory / "socket"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "tcp://127.0.0.1:{}".format
        content = configuration(web(), listeners=[
            front(name="a", address=address(free)), front(name="b", address=f"unix://{path}"),
            front(name="c", address=address(taken.getsockname()[1]))])
        with inko.leak_check():
            before = inko.picture()
            result = apply(inko, content, check=False)
            assert result.returncode == 1 and "listeners[2].address: " in result.stderr
            assert "is in use" in result.stderr and inko.picture() == before
            assert not path.exists()
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", free))
    apply(inko, content, "--dry-run")
    assert not path.exists() and names(inko) == ([], [])
    apply(inko, content)
    assert http_get(path=path) and http_get(free)
    again = configuration(web(), listeners=[front(name="d", address=address(free))])
    result = apply(inko, again, check=False)
    assert result.returncode == 1 and "the listener a is at" in result.stderr


def test_references(inko):
    """To what is in it, or what is there and stays."""
    inko.ctl("spawn", "mine", "--", HELLO)
    content = configuration(web(opens=["mine"]), listeners=[front(to="mine")])
    assert apply(inko, content, "--prune", check=False).returncode == 1
    result = apply(inko, configuration(listeners=[front(to="acceptor")]), check=False)
    assert result.returncode == 1 and "listeners[0].to: no actor is called" in result.stderr
    apply(inko, content)
    assert http_get(port_of(inko))


def test_who_may(inko):
    """Looking is for all, changing is not: exporting is looking."""
    assert inko.call("Export")["configuration"] == {"actors": [], "listeners": []}


NO_JSON = {
    '{"actors": [}': ":1:13: this is no JSON",
    '{\n "actors": []\n "listeners": []}': ":3:2: this is no JSON",
    "[]": " is no JSON object",
    '{"actors": [{"name": "a", "name": "b"}]}': ": an object has two fields 'name'",
    '{"actors": [], "actors": []}': ": an object has two fields 'actors'",
    '{"actors": [{"name": "a\\u0000b"}]}': " has characters that are no UTF-8 text",
    "[" * 40 + "]" * 40: " is no JSON object",
    '{"actors":' + "[" * 40 + "]" * 40 + "}": ": objects and arrays are nested too deeply",
    '{"actors": ["' + "x" * (1 << 20) + '"]}': " is longer than 1024 KiB",
}


@pytest.mark.parametrize("text", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json(inko, text):
    path = write(inko, text, "wrong.json")
    result = inko.ctl("apply", path, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"inkoctl: {path}{NO_JSON[text]}"), result.stderr


def test_an_escaped_backslash_is_no_escape(inko):
    """What follows it is text, whatever it looks like."""
    content = configuration(web(description="a\\u0000"))
    apply(inko, content)
    assert inko.actor("web")["description"] == "a\\u0000"
    assert apply(inko, export(inko)).stdout == "nothing to change\n"


def test_file_that_cannot_be_read(inko):
    result = inko.ctl("apply", "/no/such", check=False)
    assert result.returncode == 1 and "/no/such cannot be opened" in result.stderr
    result = inko.ctl("apply", "/", check=False)
    assert result.returncode == 1 and "/ cannot be read" in result.stderr
    assert inko.ctl("apply", check=False).returncode == 2


# What fails while it is done.

def test_an_actor_that_does_not_come_up_is_told_each_time(inko):
    """Not that there is nothing to change."""
    content = configuration({"name": "bad", "command": ["/bin/sh", "-c", "exit 2"],
                             "backoffUSec": 60_000_000})
    for _ in range(2):
        result = apply(inko, content, check=False)
        assert result.returncode == 1 and "status 2" in result.stderr + result.stdout, result


def test_a_roll_that_fails_keeps_the_old_ones(inko):
    good = configuration(web(instances=2), listeners=[front()])
    bad = configuration(web(instances=2, command=["/bin/false"]), listeners=[front()])
    apply(inko, good)
    pids = inko.pids("web")
    load = inko.load(port_of(inko), clients=4, until_stopped=True)
    for _ in range(2):
        result = apply(inko, bad, check=False)
        assert result.returncode == 1 and "exited with status 1" in result.stderr
        # A restart would roll to the same again.
        assert result.stderr.endswith("put it right, and apply again\n"), result.stderr
        assert "inkoctl restart" not in result.stderr
        assert inko.pids("web") == pids and "exited" in inko.actor("web")["rollFailure"]
        # It is what it shall be, but for that.
        assert changes(inko, bad) == {"actor web": ("retry", "roll")}
    apply(inko, good)
    assert "rollFailure" not in inko.actor("web")
    assert_all_answered(load.report(), at_least=10)
    assert apply(inko, good).stdout == "nothing to change\n"


def test_an_actor_that_does_not_start_stays(inko):
    """Unlike one that is spawned: the configuration has it, and the next apply tries again."""
    content = configuration(web("bad", command=["/bin/false"], intensity=1), web())
    result = apply(inko, content, check=False)
    assert result.returncode == 1 and "bad: bad/0 exited with status 1" in result.stderr
    wait_until(lambda: inko.actor("bad")["state"] == "failed")
    assert inko.ready("web")
    assert changes(inko, content) == {"actor bad": ("retry", "start")}
    assert apply(inko, content, check=False).returncode == 1
    apply(inko, configuration(web("bad"), web()))
    assert inko.ready("bad")


def test_a_client_that_leaves_stops_nothing(inko):
    apply(inko, configuration(web(), web("old"), listeners=[front()]))
    with inko.varlink() as control:
        control.send("Apply", {"prune": True, "configuration": configuration(
            web(environment=["A=b"]), web("new"))})
    wait_until(lambda: names(inko) == (["web", "new"], []))
    wait_until(lambda: inko.actor("web")["generation"] == 2 and not inko.actor("web")["rolling"])
    inko.settle()


# Beginning.

def refused(inko, *options):
    result = subprocess.run([BUILD / "inkod", *map(str, options)], env=inko.environment,
                            capture_output=True, text=True, timeout=DEADLINE)
    assert not inko.runtime.exists() and not inko.processes()
    return result


@pytest.fixture
def unstarted():
    inko = Inkod()
    yield inko
    inko.abandon()


@pytest.mark.parametrize("content, reason", [
    ({"actors": [web(drainUSec=0)]}, "actors[0].drainUSec: it is 0, and may be"),
    ({"actor": []}, "actor: there is no such field; did you mean actors?"),
    ('{"actors": [\n]', "it is no JSON object: line 2, column 2"),
    ('{"actors": [], "actors": []}', "an object in it has two fields 'actors'"),
    ('"' + "x" * (1 << 20) + '"', "it is longer than 1024 KiB"),
], ids=range(5))
def test_a_wrong_file_is_refused_before_anything_is_opened(unstarted, content, reason):
    path = write(unstarted, content)
    result = refused(unstarted, "--config", path)
    assert result.returncode == EX_CONFIG
    assert result.stderr.count("\n") == 1 and f"{path}: {reason}" in result.stderr


def test_a_missing_file(unstarted):
    result = refused(unstarted, "--config", "/no/such")
    assert result.returncode == EX_CONFIG and "/no/such: it cannot be opened" in result.stderr
    unstarted.start("--config", "-/no/such")
    assert names(unstarted) == ([], [])
    assert unstarted.stop() == 0
    # A relative one is looked for where inkod is started.
    write(unstarted, configuration(web()))
    unstarted.keeper = subprocess.Popen(
        [BUILD / "inkod", "--config", "inko.json"], env=unstarted.environment,
        cwd=unstarted.directory)
    wait_until(unstarted.answers)
    assert names(unstarted) == (["web"], [])
    assert unstarted.stop() == 0


def test_waits_for_an_address_that_is_in_use(unstarted):
    """Whoever served before may be about to end; one who stays is in the way."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        path = write(unstarted, configuration(web(), listeners=[front(address=address)]))
        result = refused(unstarted, "--config", path)
        assert result.returncode == 1 and f"listeners[0].address: {address} is in use" in result.stderr
        unstarted.begin("--config", str(path))
        time.sleep(0.3)
        assert not (unstarted.runtime / INTERFACE).exists()
    wait_until(unstarted.answers)
    assert http_get(port_of(unstarted))
    assert unstarted.stop() == 0


def test_ends_while_it_waits(unstarted):
    """At once, and not when it has tried for the last time, which would be said."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        path = write(unstarted, configuration(web(), listeners=[front(address=address)]))
        unstarted.begin("--config", str(path))
        wait_until(unstarted.runtime.exists, what="inkod has begun")
        time.sleep(0.3)
        assert unstarted.stop() == 0
    assert "in use" not in unstarted.log.read_text()
    assert not unstarted.runtime.exists()


def test_what_is_no_file_is_refused(unstarted):
    path = unstarted.directory / "fifo"
    os.mkfifo(path)
    for one in (path, "/dev/null", unstarted.directory):
        result = refused(unstarted, "--config", one)
        assert result.returncode == EX_CONFIG and f"{one}: it is no regular file" in result.stderr


def test_an_empty_path_is_none():
    with private_inkod(INKO_CONFIG="") as inko:
        assert names(inko) == ([], [])


def test_held_state_wins():
    """The file counts when nothing is held: not for the next supervisor, nor the next keeper."""
    with configured_inkod(configuration(web(), web("shop"))) as inko:
        inko.ctl("remove", "shop")
        inko.ctl("scale", "web", "2")
        path = write(inko, "no JSON at all")
        kill_supervisor(inko)
        assert names(inko) == (["web"], []) and len(inko.pids("web")) == 2
        old = inko.keeper_pid()
        inko.kill(old)
        inko.keeper.wait()
        inko.begin("--config", str(path))
        wait_until(lambda: inko.keeper_pid() == inko.keeper.pid)
        kill_supervisor(inko)
        assert names(inko) == (["web"], []) and len(inko.pids("web")) == 2


def test_both_die_and_the_file_counts_again():
    with configured_inkod(configuration(web(), listeners=[front(
            address=f"tcp://127.0.0.1:{free_port()}")])) as inko:
        inko.ctl("spawn", "mine", "--", HELLO)
        port, keeper, supervisor = port_of(inko), inko.keeper_pid(), inko.supervisor_pid()
        os.kill(keeper, 19)
        inko.kill(supervisor)
        inko.kill(keeper)
        inko.keeper.wait()
        # At once, while actors end.
        inko.start("--config", str(inko.directory / "inko.json"))
        assert names(inko) == (["web"], ["front"]) and http_get(port)


# Many.

def many_actors(n):
    return configuration(*[{"name": f"actor-{number}", "command": [str(ACTORS / "notifier")],
                            "drainUSec": 1000} for number in range(n)])


@pytest.mark.parametrize("n", [200, pytest.param(1000, marks=pytest.mark.skipif(
    not FULL, reason="a thousand actors only with INKO_FULL=1"))])
def test_many_actors(inko, n):
    reply = inko.call("Apply", {"configuration": many_actors(n)}, timeout=300)
    assert len(reply["changes"]) == n
    inko.settle()
    kill_supervisor(inko)
    assert len(export(inko)["actors"]) == n
    assert apply(inko, export(inko)).stdout == "nothing to change\n"
    inko.call("Apply", {"configuration": {}, "prune": True}, timeout=300)
    assert names(inko) == ([], [])


def test_a_new_gateway_is_told_of_more_than_fit_its_mailbox(inko):
    """In its mailbox at once: the last of them, too, has its endpoint again."""
    n = 700
    inko.call("Apply", {"configuration": many_actors(n)}, timeout=300)
    inko.kill(inko.pids("gateway")[0])

    def listens():
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(inko.runtime / "nng" / f"actor-{n - 1}")) == 0
    wait_until(listens, what="the last endpoint is open")


def test_what_does_not_fit_is_refused(inko):
    many = configuration(*[web(f"a{n}", environment=["X=" + 1000 * "x"]) for n in range(1200)])
    result = apply(inko, many, check=False)
    assert result.returncode == 1 and "longer than 1024 KiB" in result.stderr
    assert names(inko) == ([], [])


def test_an_export_that_does_not_fit_says_so(inko):
    """Each part of it was applied, and can be again."""
    for part in ("a", "b"):
        many = [web(f"{part}{n}", instances=0, environment=["X=" + 1000 * "x"]) for n in range(600)]
        apply(inko, configuration(*many))
    result = inko.ctl("export")
    assert len(json.loads(result.stdout)["actors"]) == 1200
    assert result.stderr.startswith("inkoctl: this is longer than 1024 KiB, which is all that")
    assert result.stderr.count("\n") == 1


# Dying in the middle.

FIRST = configuration(web(instances=2), web("shop"), web("old"),
                      listeners=[front(), front(name="gone", to="old")])
SECOND = configuration(web(instances=3, environment=["A=b"]), web("shop", drainUSec=2_000_000),
                       web("new", opens=["web"]),
                       listeners=[front(to="shop", holdUSec=1_000_000), front(name="more")])


def strip_ports(content):
    for listener in content["listeners"]:
        listener["address"] = listener["address"].rpartition(":")[0]
    return {kind: sorted(content[kind], key=lambda one: one["name"]) for kind in content}


@pytest.fixture(scope="module")
def undisturbed():
    with private_inkod() as inko:
        apply(inko, SECOND)
        yield strip_ports(export(inko))


def apply_until_done(inko, content):
    """As a person does who is told that inkod went away."""
    def is_done():
        result = apply(inko, content, "--prune", check=False)
        assert result.returncode in (0, 1, 3), result
        return result.returncode == 0
    wait_until(is_done, what="it is applied")


def patiently(ask):
    """What it returns: the supervisor that is to die may do so as it is asked."""
    answers = []

    def has_answered():
        with contextlib.suppress(FileNotFoundError, ConnectionError):
            answers.append(ask())
        return answers
    return wait_until(has_answered, what="a supervisor answers")[0]


def check_end(inko, undisturbed):
    assert strip_ports(export(inko)) == undisturbed
    assert apply(inko, SECOND, "--prune").stdout == "nothing to change\n"
    inko.settle()
    assert all(a["origin"] == "configuration" for a in inko.status()["actors"] if not a["builtin"])
    for name in ("front", "more"):
        assert_all_answered(inko.load(port_of(inko, name), connections=20).report(), at_least=20)


@pytest.mark.parametrize("n", range(1, 120) if FULL else range(1, 120, 4))
def test_supervisor_dies_at_each_put(undisturbed, n):
    """While inkod begins, and while another configuration is applied: each object is whole, the
    file is applied to its end by the next supervisor, and the other one by the next apply."""
    with configured_inkod(FIRST, INKO_FAULT=f"put:{n}") as inko:
        patiently(inko.settle)
        assert patiently(lambda: names(inko)) == (["web", "shop", "old"], ["front", "gone"])
        apply_until_done(inko, SECOND)
        # Later ones are those of the other configuration.
        assert n > 100 or "was killed by SIGKILL" in inko.log.read_text()
        check_end(inko, undisturbed)


def test_supervisor_is_killed_at_random_moments(undisturbed, seeded):
    with configured_inkod(FIRST) as inko:
        for content in [SECOND, FIRST] * (10 if FULL else 3) + [SECOND]:
            inko.settle()
            pid = inko.supervisor_pid()
            killer = threading.Timer(seeded.uniform(0, 0.15), inko.kill, [pid])
            killer.start()
            apply_until_done(inko, content)
            killer.join()
            patiently(inko.settle)
            assert inko.supervisor_pid() != pid
            apply_until_done(inko, content)
        check_end(inko, undisturbed)


# What is written about it.

def test_the_example_of_the_readme(tmp_path):
    """As it stands there, with a port that is free here."""
    readme = (SOURCE / "README.md").read_text()
    text = readme.partition("## A configuration")[2].partition("\n    {")[2].partition("\n    }")[0]
    port = free_port()
    example = json.loads("{" + text.replace(":8080", f":{port}") + "\n}")
    for actor in example["actors"]:
        actor["command"][0] = str(BUILD / actor["command"][0])
    with configured_inkod(example) as inko:
        inko.settle()
        assert http_get(port).startswith("Hello")
        assert apply(inko, example).stdout == "nothing to change\n"
