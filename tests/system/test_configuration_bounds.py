"""How much a configuration may be, and that the rest is answered meanwhile."""

import errno
import socket
import threading

import pytest

from harness import BUILD, VarlinkError, free_port, http_get
from test_configuration import FULL, apply, changes, configuration, front, names, web

LIMIT = 4096
TOO_MANY = f"there would be {LIMIT + 1}, and there may be up to {LIMIT}; "


def idle(n):
    return [{"name": f"a{number}", "command": ["/bin/true"], "instances": 0}
            for number in range(n)]


def listeners(n):
    return [{"name": f"l{number}", "address": "tcp://127.0.0.1:0", "to": "web"}
            for number in range(n)]


def refusal(inko, method, parameters):
    with pytest.raises(VarlinkError) as error:
        inko.call(method, parameters)
    return error.value.parameters


@pytest.mark.parametrize("content, path", [
    (configuration(*idle(LIMIT + 1)), "actors"),
    (configuration(web(), listeners=listeners(LIMIT + 1)), "listeners"),
])
def test_more_than_there_may_be_are_refused(inko, content, path):
    said = refusal(inko, "Apply", {"configuration": content})
    assert said["path"] == path and said["reason"].startswith(f"{path}: {TOO_MANY}"), said
    assert names(inko) == ([], [])


@pytest.mark.skipif(not FULL, reason="thousands of actors only with INKO_FULL=1")
def test_as_many_actors_as_there_may_be(inko):
    inko.call("Apply", {"configuration": configuration(*idle(LIMIT))}, timeout=300)
    said = refusal(inko, "Spawn", {"name": "more", "command": ["/bin/true"]})
    assert said["reason"] == f"there are {LIMIT} actors already, and may be no more; remove one first"
    # Those that stay count.
    said = refusal(inko, "Apply", {"configuration": configuration(web("more"))})
    assert said["reason"].startswith(f"actors: {TOO_MANY}")
    inko.call("Apply", {"configuration": configuration(*idle(2)), "prune": True}, timeout=300)
    assert names(inko) == (["a0", "a1"], [])


def test_as_many_listeners_as_there_may_be(inko):
    content = configuration(web(instances=0), listeners=listeners(LIMIT))
    inko.call("Apply", {"configuration": content}, timeout=300)
    said = refusal(inko, "Listen", {"address": "tcp://127.0.0.1:0", "to": "web"})
    assert said["reason"] == \
        f"there are {LIMIT} listeners already, and may be no more; close one first"
    assert inko.call("Apply", {"configuration": content}, timeout=300)["changes"] == []


# What a dry run leaves as it was.

def test_a_dry_run_leaves_socket_files(inko):
    """One that nobody listens on, and one that somebody is about to."""
    stale, other = inko.directory / "stale", inko.directory / "other"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(stale))
    content = configuration(web(), listeners=[
        {"name": "a", "address": f"unix://{stale}", "to": "web"},
        {"name": "b", "address": f"unix://{other}", "to": "web"}])
    with socket.socket(socket.AF_UNIX) as binding:
        binding.bind(str(other))
        before = [path.stat().st_ino for path in (stale, other)]
        assert apply(inko, content, "--dry-run").returncode == 0
        assert [path.stat().st_ino for path in (stale, other)] == before
        binding.listen()
        said = refusal(inko, "Apply", {"configuration": content})
        assert "in use" in said["reason"]
        # Whatever is wrong is found before anything is replaced.
        assert stale.stat().st_ino == before[0]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(other))
    other.unlink()
    apply(inko, content)
    assert http_get(path=stale).startswith("Hello")


def test_a_dry_run_accepts_nobody(inko):
    port = free_port()
    content = configuration(web(), listeners=[
        {"name": f"l{number}", "address": f"tcp://127.0.0.1:{port if number == 0 else 0}",
         "to": "web"} for number in range(1000)])
    call = inko.begin_call("Apply", {"configuration": content, "dryRun": True})
    answers = set()
    done = threading.Thread(target=lambda: answers.add("error" in call.receive()))
    done.start()
    while done.is_alive():
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    done.join()
    assert answers == {False}


def test_port_0_at_another_host_is_any(inko):
    """What is said of it is what is done."""
    content = configuration(web(), listeners=[front()])
    apply(inko, content)
    content["listeners"] = [front(address="tcp://0.0.0.0:0")]
    change, = inko.call("Apply", {"configuration": content, "dryRun": True})["changes"]
    assert {f["field"]: f["to"] for f in change["fields"]} == {"address": '"tcp://0.0.0.0:0"'}
    apply(inko, content)
    assert inko.listener("front")["address"].startswith("tcp://0.0.0.0:")
    assert apply(inko, content).stdout == "nothing to change\n"


# Addresses that listeners of the same inkod have.

def pool(name="pool"):
    return {"name": name, "command": [str(BUILD / "http-shared")]}


def test_a_listener_that_is_given_widens(inko):
    """From one host to all of them: its own socket is in the way, and goes."""
    port = free_port()
    one = {"name": "l", "address": f"tcp://127.0.0.1:{port}", "give": "pool"}
    content = configuration(pool(), listeners=[one])
    apply(inko, content)
    for host in ("0.0.0.0", "127.0.0.1"):
        one["address"] = f"tcp://{host}:{port}"
        assert changes(inko, content) == {"listener l": ("change", "replace")}
        apply(inko, content)
        assert inko.listener("l")["address"] == one["address"]
        assert http_get(port)


def test_who_is_in_the_way_is_said(inko):
    port = free_port()
    one = front(address=f"tcp://127.0.0.1:{port}")
    apply(inko, configuration(web(), listeners=[one]))
    wide = front(address=f"tcp://0.0.0.0:{port}")
    said = refusal(inko, "Apply", {"configuration": configuration(web(), listeners=[wide])})
    assert said["reason"].startswith(
        f"listeners[0].address: it is at {one['address']} now, and cannot listen on "
        f"{wide['address']} beside that; 'inkoctl close front' first"), said
    for other in ({**one, "name": "new"}, {**wide, "name": "new"}):
        said = refusal(inko, "Apply", {
            "configuration": configuration(web(), listeners=[other]), "prune": True})
        assert said["reason"].startswith(
            f"listeners[0].address: the listener front is at {one['address']}; "
            "'inkoctl close front' first"), said
    assert http_get(port).startswith("Hello")
