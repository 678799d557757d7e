"""What others do while a configuration is applied, and what becomes of both."""

import os
import signal
import socket

import pytest

from harness import BUILD, PYTHON, VarlinkError, free_port, http_get, wait_until
from test_activation import SERVER
from test_configuration import (
    FULL, apply, configuration, configured_inkod, front, patiently, web)
from test_monitor import monitoring

N = 1000


def address(port):
    return f"tcp://127.0.0.1:{port}"


def owner(*listeners):
    return {"name": "last", "command": [PYTHON, "-c", SERVER], "adapter": "activation",
            "readyAfterUSec": 1000, "listeners": list(listeners)}


def many():
    """Each is a turn of the loop, in which others are heard."""
    return [{"name": f"a{n}", "command": ["/bin/sleep", "1000"], "instances": 0}
            for n in range(N)]


def begin_apply(inko, content, until, **options):
    """Returns while it goes on, when that is there which until says."""
    call = inko.begin_call("Apply", {"configuration": content, **options})
    wait_until(lambda: until in [x["name"] for x in inko.status()["listeners"]],
               what=f"{until} is open")
    return call


def test_an_actor_that_somebody_spawns_meanwhile_keeps_its_listeners(inko):
    mine, theirs = free_port(), free_port()
    call = begin_apply(inko, configuration(*many(), owner(f"theirs={address(theirs)}")), "theirs")
    inko.call("Spawn", owner(f"mine={address(mine)}"))
    reply = call.receive()
    assert reply["error"].endswith("ApplyFailed"), "too late to be of use"
    assert "last: somebody else has made one of that name" in reply["parameters"]["reason"]
    assert [x["name"] for x in inko.status()["listeners"]] == ["mine"]
    assert http_get(mine)


def test_a_spawn_that_fails_leaves_the_listeners_of_an_actor_that_comes(inko):
    mine, theirs = free_port(), free_port()
    call = begin_apply(inko, configuration(*many(), owner(f"theirs={address(theirs)}")), "theirs")
    with pytest.raises(VarlinkError) as refusal:
        inko.call("Spawn", owner(f"mine={address(mine)}", f"theirs={address(mine)}"))
    assert "NameInUse" in str(refusal.value)
    assert "parameters" in call.receive()
    assert [x["name"] for x in inko.status()["listeners"]] == ["theirs"]
    assert http_get(theirs)


def test_prune_keeps_an_actor_that_a_listener_leads_to_since(inko):
    """It waits for the acceptor to close the one that there was."""
    first, second = free_port(), free_port()
    before = configuration(web(), web("gone"),
                           listeners=[front(name="old", address=address(first), to="gone")])
    apply(inko, before)
    acceptor, = inko.pids("acceptor")
    os.kill(acceptor, signal.SIGSTOP)
    call = inko.begin_call("Apply", {"configuration": configuration(web()), "prune": True})
    wait_until(lambda: "being closed" in apply(inko, before, "--dry-run", check=False).stderr,
               what="it is being closed")
    inko.call("Listen", {"name": "new", "address": address(second), "to": "gone"})
    os.kill(acceptor, signal.SIGCONT)
    reply = call.receive()
    assert reply["parameters"]["reason"] == (
        "gone: the listener new leads to it since; 'inkoctl close new', and apply again")
    assert http_get(second).startswith("Hello")
    inko.ctl("close", "new")
    apply(inko, configuration(web()), "--prune")
    assert [a["name"] for a in inko.status()["actors"] if not a["builtin"]] == ["web"]


def begun(inko):
    """Has an apply of many begun with them?"""
    return any(a["name"] == "a0" for a in inko.status()["actors"])


def test_what_somebody_has_changed_meanwhile_is_left_so(inko):
    """And said: it was planned for a listener that is handed over, and an actor as it was."""
    apply(inko, configuration(web(), web("b"), {"name": "pool", "command": [str(BUILD / "http-shared")]},
                              listeners=[front()]))
    wanted = configuration(*many(), web(), web("b", description="other"),
                           {"name": "pool", "command": [str(BUILD / "http-shared")]},
                           listeners=[front(balance="pull")])
    call = inko.begin_call("Apply", {"configuration": wanted})
    wait_until(lambda: begun(inko), what="it has begun")
    inko.call("Close", {"listener": "front"})
    given = inko.call("Listen", {"name": "front", "address": "tcp://127.0.0.1:0", "give": "pool"})
    inko.call("Scale", {"actor": "b", "instances": 2})
    reply = call.receive()
    assert reply["parameters"]["reason"].startswith(
        "b: somebody has changed it meanwhile; apply again (and 1 more"), reply
    assert "front: somebody has changed it meanwhile" in inko.log.read_text()
    assert inko.listener("front") == given["listener"]
    assert len(inko.instances("b")) == 2
    # What there is now is known to the next one.
    apply(inko, wanted)
    assert inko.listener("front")["to"] == "web"
    # What it has too many may not have ended yet.
    wait_until(lambda: len(inko.instances("b")) == 1)


def test_the_same_applied_twice_at_once(inko):
    """Who comes second finds it done, and waits for what goes on."""
    apply(inko, configuration(*many(), web(), listeners=[front()]))
    wanted = configuration(*many(), web(environment=["A=b"]), listeners=[front(balance="pull")])
    calls = [inko.begin_call("Apply", {"configuration": wanted}) for _ in range(3)]
    for call in calls:
        reply = call.receive()
        assert "error" not in reply, reply
    assert inko.actor("web")["generation"] == 2
    assert apply(inko, wanted).stdout == "nothing to change\n"


def test_only_those_in_the_way_make_way(inko):
    """Two change places; a third that is opened anew for another reason is so in its turn."""
    one, two, three = free_port(), free_port(), free_port()
    pools = [{"name": name, "command": [str(BUILD / "http-shared")]} for name in ("p", "q")]

    def given(name, port, to):
        return {"name": name, "address": address(port), "give": to}
    apply(inko, configuration(*pools, listeners=[
        given("a", one, "p"), given("b", two, "p"), given("c", three, "p")]))
    with monitoring(inko) as monitor:
        apply(inko, configuration(*pools, listeners=[
            given("a", two, "p"), given("b", one, "p"), given("c", three, "q")]))
        monitor.until(kind="listener", name="c", to="open")
        seen = [(e["name"], e["to"]) for e in monitor.events if e["kind"] == "listener"]
    assert seen[-2:] == [("c", "closed"), ("c", "open")], seen
    assert http_get(three)


@pytest.mark.parametrize("n", range(21, 31))
def test_an_endpoint_goes_with_its_mailbox(n):
    """Whenever the supervisor dies: who has no mailbox any more has no endpoint either."""
    first = configuration(web("one"))
    second = configuration({"name": "one", "command": [PYTHON, "-c", SERVER, "ready"],
                            "adapter": "activation", "listeners": ["mine=tcp://127.0.0.1:0"]})
    with configured_inkod(first, INKO_FAULT=f"put:{n}") as inko:
        patiently(inko.settle)
        result = apply(inko, second, check=False)
        assert result.returncode in (0, 3), result
        has_mailbox = patiently(lambda: inko.actor("one"))["adapter"] == "mailbox"

        def listens():
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(str(inko.runtime / "nng" / "one")) == 0
        wait_until(lambda: listens() == has_mailbox, what=f"endpoint: {has_mailbox}")
