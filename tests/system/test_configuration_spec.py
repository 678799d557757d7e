"""Every field of a spec in a configuration: written, said, applied, exported and applied again."""

import os
import re
import socket

import pytest

from harness import ACTORS, BRIEF, PYTHON, SOURCE, VarlinkError, assert_all_answered, free_port, \
    http_get, private_inkod, wait_until
from test_activation import SERVER
from test_configuration import (
    FULL, apply, apply_until_done, changes, configuration, configured_inkod, export, front,
    kill_supervisor, names, patiently, port_of, web)

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# Of each field another value than its default, of a program that bears it.
MAILBOX = {
    "command": [str(ACTORS / "notifier"), "x"],
    "description": "what it is for",
    "instances": 2,
    "user": "daemon",
    "group": "daemon",
    "supplementaryGroups": ["daemon"],
    "directory": "/tmp",
    "environment": ["A=b", "C=d=e"],
    "umask": "0077",
    "nice": 5,
    "limits": ["nofile=64:128", "core=0"],
    "noNewPrivileges": False,
    "capabilities": ["CAP_NET_BIND_SERVICE"],
    "network": "none",
    "opens": ["other"],
    "queue": 16,
    "concurrency": 7,
    "restart": "onFailure",
    "backoffUSec": 20_000,
    "intensity": 7,
    "intensityUSec": 86_400_000_000,
    "startUSec": 20_000_000,
    "readyAfterUSec": 1_000,
    "readyCheck": "tcp://127.0.0.1:9",
    "settleUSec": 1_000,
    "watchdogUSec": 60_000_000,
    "stopSignal": "SIGINT",
    "reloadSignal": "SIGUSR1",
    "reloadCommand": "true",
    "reloadNotify": True,
    "drainUSec": 3_000_000,
    "stopUSec": 4_000_000,
}
ACTIVATION = {"adapter": "activation", "listeners": ["http=tcp://127.0.0.1:{port}"], "fdEnv": "FDS",
              "nonBlocking": True}
STDIO = {"adapter": "stdio", "maxPerSource": 3}
NEED_ROOT = ("user", "group", "supplementaryGroups", "capabilities", "network")
# Together they are refused, or nobody would answer there.
APART = ("readyCheck",)


def table():
    """The rows of proto/spec.c: the field, and whether another value takes another process."""
    rows = re.findall(r'^\t\{(?:NAMED|RANGED)\("(\w+)".*?\},$',
                      (SOURCE / "proto/spec.c").read_text(), re.M | re.S)
    texts = re.findall(r'^\t\{((?:NAMED|RANGED)\(".*?)\},$',
                       (SOURCE / "proto/spec.c").read_text(), re.M | re.S)
    return {row: "SPEC_AT_ONCE" not in text for row, text in zip(rows, texts, strict=True)}


def base(name="a", **fields):
    return {"name": name, "command": [str(ACTORS / "notifier")], "drainUSec": 1_000_000,
            "backoffUSec": 10_000, **fields}


def all_fields():
    """A spec of each adapter, so that all of them have all fields."""
    allowed = {field: value for field, value in MAILBOX.items()
               if field not in APART and (os.geteuid() == 0 or field not in NEED_ROOT)}
    given = {field: [text.format(port=free_port()) for text in value] if field == "listeners"
             else value for field, value in ACTIVATION.items()}
    return [base(**allowed),
            {**base("b"), "command": [PYTHON, "-c", SERVER, "ready"], **given},
            base("c", **STDIO), base("other", readyCheck="unix:///run/x", startUSec=10_000_000)]


def test_each_field_is_tried():
    tried = {"name", *MAILBOX, *ACTIVATION, *STDIO}
    assert len(table()) > 30 and tried == set(table())


def test_what_is_spawned_is_exported_and_applied_without_a_difference():
    """By hand, from all fields that there are; and again where inkod begins with it."""
    specs = [spec for spec in all_fields() if "readyCheck" not in spec] + [base("other")]
    with private_inkod() as inko:
        inko.spawn("other", ACTORS / "notifier", **BRIEF)
        for spec in specs[:-1]:
            inko.call("Spawn", spec)
        exported = export(inko)
        by_name = {actor["name"]: actor for actor in exported["actors"]}
        for spec in specs[:-1]:
            for field, value in spec.items():
                assert by_name[spec["name"]][field] == value, field
        # What was spawned by hand belongs to the configuration from then on, and else is the same.
        result = inko.call("Apply", {"configuration": exported})
        assert {field["field"] for change in result["changes"] for field in change["fields"]} == {
            "origin"}
        assert {change["effect"] for change in result["changes"]} == {"atOnce"}
        assert apply(inko, exported).stdout == "nothing to change\n"
        kill_supervisor(inko)
        assert export(inko) == exported
        assert apply(inko, exported, "--prune").stdout == "nothing to change\n"
    with configured_inkod(exported) as inko:
        inko.settle()
        assert export(inko) == exported
        assert apply(inko, exported).stdout == "nothing to change\n"


@pytest.fixture(scope="module")
def shared():
    with private_inkod() as inko:
        yield inko


@pytest.mark.parametrize("field", sorted(MAILBOX))
def test_each_field_changes_as_its_row_says(shared, field):
    """Said before, done so, and undone by leaving it out."""
    if field in NEED_ROOT and os.geteuid() != 0:
        pytest.skip("needs root")
    rolls = table()[field]
    before = configuration(base(), base("other"))
    after = configuration(base(**{field: MAILBOX[field]}), base("other"))
    apply(shared, before, "--prune")
    generation = shared.actor("a")["generation"]
    for number, content in enumerate((after, before), 1):
        planned = shared.call("Apply", {"configuration": content, "dryRun": True})["changes"]
        assert [(c["name"], c["action"], c["effect"]) for c in planned] == [
            ("a", "change", "roll" if rolls else "atOnce")]
        assert [f["field"] for f in planned[0]["fields"]] == [field]
        apply(shared, content)
        assert shared.actor("a")["generation"] == generation + number * rolls
        assert apply(shared, content).stdout == "nothing to change\n"
        assert export(shared)["actors"][0].get(field) == content["actors"][0].get(field)


# Listeners that an actor has of its own.

def served(*listeners, **fields):
    return {"name": "web", "command": [PYTHON, "-c", SERVER, "ready"], "adapter": "activation",
            "listeners": list(listeners), "drainUSec": 1_000_000, "settleUSec": 0, **fields}


def at(port, name=None):
    return f"{name + '=' if name else ''}tcp://127.0.0.1:{port}"


def test_an_actor_comes_with_its_listeners(inko):
    content = configuration(served("http=tcp://127.0.0.1:0", "more=tcp://127.0.0.1:0"))
    shown = apply(inko, content).stdout
    assert shown == ("+ listener http: it is opened\n+ listener more: it is opened\n"
                     "+ actor web: its instances are started\napplied\n")
    assert http_get(port_of(inko, "http")) == "web/0 http:more"
    assert all(x["owned"] and x["origin"] == "configuration" for x in inko.status()["listeners"])
    # Any port is right that it has got, and stands in what is exported.
    assert apply(inko, content).stdout == "nothing to change\n"
    exported = export(inko)
    assert exported["listeners"] == []
    assert exported["actors"][0]["listeners"] == [
        at(port_of(inko, name), name) for name in ("http", "more")]
    kill_supervisor(inko)
    assert apply(inko, exported, "--prune").stdout == "nothing to change\n"
    apply(inko, {}, "--prune")
    assert names(inko) == ([], [])


def test_an_actor_gets_other_listeners(inko):
    """One stays, without a client lost; one moves, one goes and one comes."""
    stays, moves, goes, moved, comes = (free_port() for _ in range(5))
    apply(inko, configuration(served(at(stays), at(moves, "m"), at(goes, "g"), instances=2)))
    load = inko.load(stays, clients=4, until_stopped=True)
    other = configuration(served(at(stays), at(moved, "m"), at(comes, "c"), instances=2))
    shown = apply(inko, other, "--dry-run").stdout
    assert [line for line in shown.splitlines() if line[0] != " "] == [
        "- listener g: it is closed",
        "~ listener m: it is closed and opened again; who waits there is refused",
        "+ listener c: it is opened",
        "~ actor web: it rolls: its instances are replaced, one after the other"]
    assert apply(inko, other).stdout == shown + "applied\n"
    assert sorted(names(inko)[1]) == ["c", "m", f"tcp-127.0.0.1-{stays}"]
    # In the order in which they are said.
    assert http_get(stays).split()[1] == f"tcp-127.0.0.1-{stays}:m:c"
    for port in (moved, comes):
        socket.create_connection(("127.0.0.1", port)).close()
    for port in (moves, goes):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    assert_all_answered(load.report(), at_least=10)
    assert apply(inko, other).stdout == "nothing to change\n"


def test_a_listener_gets_another_name_at_its_address(inko):
    """It is in the way of itself until it is closed."""
    port = free_port()
    apply(inko, configuration(served(at(port, "a"))))
    other = configuration(served(at(port, "b")))
    apply(inko, other)
    assert names(inko)[1] == ["b"] and http_get(port).endswith(" b")
    # The actor's no more, and given to it.
    plain = configuration(served(), listeners=[
        {"name": "b", "address": at(port), "give": "web"}])
    assert changes(inko, plain) == {"listener b": ("change", "atOnce"),
                                    "actor web": ("change", "roll")}
    apply(inko, plain)
    assert not inko.listener("b")["owned"] and http_get(port).endswith(" b")
    assert apply(inko, plain).stdout == "nothing to change\n"
    apply(inko, other)
    assert inko.listener("b")["owned"] and http_get(port).endswith(" b")


def test_listeners_change_places(inko):
    """Each at the address that another had."""
    one, two, three = free_port(), free_port(), free_port()
    apply(inko, configuration(served(at(one, "a"), at(two, "b"), at(three, "c"))))
    other = configuration(served(at(two, "a"), at(three, "b"), at(one, "c")))
    apply(inko, other)
    assert [port_of(inko, name) for name in "abc"] == [two, three, one]
    assert http_get(two).endswith(" a:b:c")
    assert apply(inko, other).stdout == "nothing to change\n"
    # Along a chain, in whichever order.
    free = free_port()
    for order in ((free, two, three), (two, three, one)):
        apply(inko, configuration(served(*map(at, order, "abc"))))
        assert [port_of(inko, name) for name in "abc"] == list(order)


def test_a_listener_of_another_stays_its(inko):
    port = free_port()
    inko.call("Spawn", served(at(port, "http"), at(free_port(), "x"), name="mine"))
    inko.settle()
    before = inko.picture()
    for content, path, reason in (
            (configuration(served(at(free_port(), "http"))), "actors[0].listeners",
             "the listener http belongs to mine"),
            (configuration(web(), listeners=[front(address=at(port))]), "listeners[0].address",
             "the listener http of mine is at"),
            (configuration(served(at(port, "y"))), "actors[0].listeners",
             "the listener http of mine is at"),
            (configuration(served(at(1, "y")), served(at(2, "y"), name="web2")),
             "actors[1].listeners", "y is the name of actors[0].listeners already"),
            (configuration(served("tcp://127.0.0.1:0")), "actors[0].listeners", "port 0")):
        with pytest.raises(VarlinkError) as refused:
            inko.call("Apply", {"configuration": content})
        assert refused.value.parameters["path"] == path
        assert reason in refused.value.parameters["reason"]
        assert inko.picture() == before
    # Pruned, it goes with its actor; else both are kept.
    assert changes(inko, {}) == {f"{kind} {name}": ("keep", "nothing") for kind, name in (
        ("listener", "http"), ("listener", "x"), ("actor", "mine"))}
    assert changes(inko, {}, prune=True) == {"actor mine": ("remove", "stop")}


def test_who_can_do_with_a_listener(inko):
    port = free_port()
    pipe = {"name": "pipe", "command": ["/bin/cat"], "adapter": "stdio"}
    for actor, way, words in ((served(), "to", "web has no mailbox"),
                              (pipe, "give", "pipe is run for each connection")):
        content = configuration(actor, listeners=[
            {"name": "front", "address": at(port), way: actor["name"]}])
        with pytest.raises(VarlinkError) as refused:
            inko.call("Apply", {"configuration": content})
        assert refused.value.parameters["path"] == f"listeners[0].{way}"
        assert words in refused.value.parameters["reason"]
    # The same of a listener that is there, and kept.
    apply(inko, configuration(web(), listeners=[front()]))
    with pytest.raises(VarlinkError) as refused:
        inko.call("Apply", {"configuration": configuration(served())})
    assert refused.value.parameters["path"] == "actors[0].adapter"
    assert "the listener front leads to it" in refused.value.parameters["reason"]
    assert http_get(port_of(inko)).startswith("Hello")


def test_a_program_without_a_mailbox_starts_with_what_it_is_given(inko):
    """Later it is given nothing more, which is said."""
    given = {"name": "given", "address": "tcp://127.0.0.1:0", "give": "web"}
    content = configuration(served(at(free_port(), "own")), listeners=[given])
    apply(inko, content)
    assert http_get(port_of(inko, "own")).endswith(" own:given")
    content["listeners"].append({**given, "name": "late"})
    assert changes(inko, content) == {"listener late": ("add", "nextStart")}
    assert apply(inko, content).stdout == (
        "+ listener late: it is opened, and its actor has it when it is started again\napplied\n")
    assert http_get(port_of(inko, "own")).endswith(" own:given")
    inko.ctl("restart", "web", "--rolling")
    wait_until(lambda: http_get(port_of(inko, "own")).endswith(" own:given:late"))
    content["listeners"].append({**given, "name": "later"})
    content["actors"][0]["environment"] = ["A=b"]
    assert changes(inko, content)["listener later"] == ("add", "open")
    apply(inko, content)
    wait_until(lambda: http_get(port_of(inko, "own")).endswith(" own:given:late:later"))


def test_listeners_keep_their_order(inko):
    """Some programs know them by nothing else; the first is opened last here."""
    second = free_port()
    apply(inko, configuration(served(at(free_port(), "a"), at(second, "b"))))
    apply(inko, configuration(served(at(free_port(), "a"), at(second, "b"))))
    assert [x["name"] for x in inko.status()["listeners"]] == ["b", "a"]
    assert http_get(port_of(inko, "a")).endswith(" a:b")


@pytest.mark.parametrize("n", range(1, 60, 1 if FULL else 5))
def test_supervisor_dies_while_listeners_of_actors_change(n):
    """At each put: of a listener without its actor nothing is left, and the next apply does the
    rest."""
    ports = [free_port() for _ in range(5)]
    first = configuration(served(at(ports[0], "a"), at(ports[1], "b"), at(ports[2], "c")),
                          served(at(ports[3], "d"), name="old"))
    second = configuration(served(at(ports[2], "a"), at(ports[4], "b"), at(ports[0], "e")),
                           served(at(ports[3], "d"), name="new"))
    with configured_inkod(first, INKO_FAULT=f"put:{n}") as inko:
        patiently(inko.settle)
        # One after the other: what is pruned goes last, and its listeners with it.
        apply_until_done(inko, configuration(second["actors"][0]))
        apply_until_done(inko, second)
        assert "was killed by SIGKILL" in inko.log.read_text()
        patiently(inko.settle)
        assert sorted(names(inko)[1]) == ["a", "b", "d", "e"]
        assert [actor["listeners"] for actor in export(inko)["actors"]] == [
            actor["listeners"] for actor in second["actors"]]
        assert apply(inko, second, "--prune").stdout == "nothing to change\n"
        assert http_get(ports[2]).endswith(" a:b:e") and http_get(ports[3]) == "new/0 d"


# Another adapter.

# Writes how it was told to end, and does.
TOLD = """
import os, signal, socket, sys
def note(how):
    with open(sys.argv[1], "w") as record:
        record.write(how)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: note("signal"))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
if os.environ.get("LISTEN_FDNAMES", "").startswith("mailbox"):
    lane = socket.socket(fileno=3)
    lane.setblocking(True)
    while lane.recv(4096)[1] != 5:
        pass
    note("message")
while True:
    signal.pause()
"""


@pytest.mark.parametrize("first, then, told", [
    ("mailbox", "activation", "message"), ("activation", "mailbox", "signal")])
def test_another_adapter(inko, first, then, told):
    """Each process is ended as it was started, and whom only mailboxes have for comes and goes."""
    day = 86_400_000_000
    record = inko.directory / "told"
    endpoint = inko.runtime / "nng" / "a"
    before, after = (configuration(
        {"name": "a", "command": [PYTHON, "-c", TOLD, str(record)], "adapter": adapter,
         "drainUSec": day}) for adapter in (first, then))
    apply(inko, before)
    old = inko.pids("a")
    assert changes(inko, after) == {"actor a": ("change", "roll")}
    apply(inko, after)
    wait_until(lambda: len(inko.pids("a")) == 1 and inko.pids("a") != old)
    assert record.read_text() == told
    wait_until(lambda: endpoint.exists() == (then == "mailbox"))
    assert ("endpoint" in inko.actor("a")) == (then == "mailbox")
    inko.ctl("stop", "a")
    assert record.read_text() == ("message" if then == "mailbox" else "signal")


def test_a_listener_follows_another_adapter(inko):
    """Handed over, given, and handed over again: clients wait meanwhile, and none is refused."""
    port = free_port()
    handed = configuration(web(instances=2), listeners=[front(address=at(port))])
    given = configuration(served(instances=2), listeners=[
        {"name": "front", "address": at(port), "give": "web"}])
    apply(inko, handed)
    load = inko.load(port, clients=4, until_stopped=True)
    apply(inko, given)
    assert http_get(port).startswith("web/")
    assert apply(inko, given).stdout == "nothing to change\n"
    report = load.report()
    assert report["refused"] == report["timedOut"] == 0 and report["answered"] > 10, report
    apply(inko, handed)
    assert http_get(port).startswith("Hello")
    assert apply(inko, handed).stdout == "nothing to change\n"


# Who may say what.

WRONG = [
    ({"user": "no-such-user"}, "user", "there is no user"),
    ({"group": "no-such-group"}, "group", "there is no group"),
    ({"limits": ["nofiles=5"]}, "limits", "nofiles"),
    ({"capabilities": ["fly"]}, "capabilities", "fly"),
    ({"umask": "9"}, "umask", "9"),
    ({"directory": "/nonexistent"}, "directory", "does not exist"),
    ({"directory": "/etc/passwd"}, "directory", "is not a directory"),
    ({"adapter": "pipe"}, "adapter", "none of mailbox, activation, stdio"),
    ({"fdEnv": "X"}, "fdEnv", "it goes with the adapter activation"),
    ({"listeners": ["tcp://127.0.0.1:1"]}, "listeners", "inkoctl listen"),
    ({"readyCheck": "http://x"}, "readyCheck", "tcp://ADDRESS:PORT"),
    ({"noNewPrivileges": "yes"}, "noNewPrivileges", 'it is "yes", and may be true or false'),
    ({"supplementaryGroup": ["daemon"]}, "supplementaryGroup",
     "did you mean supplementaryGroups?"),
]


@pytest.mark.parametrize("fields, member, words", WRONG, ids=[w[1] for w in WRONG])
def test_what_spawn_refuses_is_refused_here(shared, fields, member, words):
    before = export(shared), names(shared)
    content = configuration(base("x"), base("y", **fields))
    result = apply(shared, content, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith(f"inkoctl: actors[1].{member}: "), result.stderr
    assert words in result.stderr and (export(shared), names(shared)) == before


@pytest.mark.parametrize("name, words", [
    ("acceptor", "belongs to inkod"), ("gateway", "belongs to inkod"),
    ("othr", "no actor is called 'othr'; did you mean other?")])
def test_who_can_be_opened(shared, name, words):
    """The same by hand and by a configuration."""
    apply(shared, configuration(base("other")))
    with pytest.raises(VarlinkError) as refused:
        shared.call("Spawn", base("opener", opens=[name]))
    assert refused.value.parameters["parameter"] == "opens"
    assert words in refused.value.parameters["reason"]
    result = apply(shared, configuration(base("other"), base("opener", opens=[name])), check=False)
    assert result.returncode == 1 and words in result.stderr
    assert "actors[1].opens" in result.stderr


def test_what_shares_no_letter_is_not_near(shared):
    result = apply(shared, configuration(base("x"), base("a", opens=["y"])), check=False)
    assert result.stderr == "inkoctl: actors[1].opens: no actor is called 'y'\n"


def test_what_opens_others_is_exported_and_applied(inko):
    inko.spawn("other", ACTORS / "notifier", **BRIEF)
    inko.spawn("a", ACTORS / "notifier", opens=["other", "a"], **BRIEF)
    exported = export(inko)
    assert exported["actors"][1]["opens"] == ["other", "a"]
    assert {effect for _, effect in changes(inko, exported).values()} == {"atOnce"}


def test_opens_nobody_any_more(inko):
    """What was removed since is not exported, and its lack is no difference."""
    inko.spawn("other", ACTORS / "notifier", **BRIEF)
    inko.spawn("a", ACTORS / "notifier", opens=["other"], **BRIEF)
    inko.ctl("remove", "other")
    exported = export(inko)
    assert "opens" not in exported["actors"][0]
    apply(inko, exported)
    assert apply(inko, exported).stdout == "nothing to change\n"
    # It is one to say that it shall open nobody.
    with_other = configuration(base("other"), base(opens=["other"]))
    apply(inko, with_other)
    assert changes(inko, configuration(base("other"), base())) == {"actor a": ("change", "roll")}


@only_root
def test_users(inko):
    """What runs is who it is said to be, and what a configuration says of it changes that."""
    def uid():
        return os.stat(f"/proc/{inko.pids('a')[0]}").st_uid
    apply(inko, configuration(base()))
    assert uid() == 0
    for user in ("daemon", "1"):
        apply(inko, configuration(base(user=user, noNewPrivileges=False)))
        wait_until(lambda: len(inko.pids("a")) == 1 and uid() == 1)
    result = apply(inko, configuration(base(user="no-such-user")), check=False)
    assert result.returncode == 1 and "actors[0].user: there is no user" in result.stderr
    assert inko.ready("a") and uid() == 1


# What is written about it.

def test_the_page_has_each_field():
    page = (SOURCE / "daemon/man/inko.json.5").read_text()
    rows = re.findall(r"^\.It (\w+) Ta .* Ta (it rolls|at once|never)$", page, re.M)
    rolls = {**table(), "name": None}
    assert rows == [(field, {True: "it rolls", False: "at once", None: "never"}[how])
                    for field, how in rolls.items()]
    interface = (SOURCE / "proto/io.inkod.Supervisor.varlink").read_text()
    listen = re.findall(r"(\w+):", re.search(r"method Listen\((.*?)\)", interface, re.S)[1])
    assert re.findall(r"^\.It (\w+) Ta \w+ Ta \w+ \S+$", page, re.M) == listen


def test_what_export_prints(inko):
    apply(inko, configuration(base(opens=["b"]), base("b"), listeners=[front(to="b")]))
    port = port_of(inko)
    notifier = ACTORS / "notifier"
    assert inko.ctl("export").stdout == f"""{{
    "actors": [
        {{
            "name": "a",
            "command": ["{notifier}"],
            "opens": ["b"],
            "backoffUSec": 10000,
            "drainUSec": 1000000
        }},
        {{
            "name": "b",
            "command": ["{notifier}"],
            "backoffUSec": 10000,
            "drainUSec": 1000000
        }}
    ],
    "listeners": [
        {{
            "address": "tcp://127.0.0.1:{port}",
            "to": "b",
            "name": "front"
        }}
    ]
}}
"""
