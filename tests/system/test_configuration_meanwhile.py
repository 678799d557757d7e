"""What others do while a configuration is applied, and what becomes of both."""

import os
import signal

import pytest

from harness import PYTHON, VarlinkError, free_port, http_get, wait_until
from test_activation import SERVER
from test_configuration import apply, configuration, front, web

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
