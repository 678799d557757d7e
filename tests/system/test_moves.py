"""Listeners that change places: by a configuration, or as systemd opens another socket."""

import contextlib
import os
import socket
import signal
import subprocess

import pytest

from harness import (
    BUILD, DEADLINE, Inkod, VarlinkError, free_port, http_get, private_inkod, wait_until)
from test_configuration import (
    QUICK, apply, apply_until_done, changes, configuration, front, patiently, port_of, web)
from test_keeper import has_keeper

REQUEST = b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n"

def at(place):
    return f"unix://{place}" if isinstance(place, os.PathLike) else f"tcp://127.0.0.1:{place}"


def get(place, **options):
    if isinstance(place, os.PathLike):
        return http_get(path=place, **options)
    return http_get(place, **options)


def is_refused(place):
    is_file = isinstance(place, os.PathLike)
    with socket.socket(socket.AF_UNIX if is_file else socket.AF_INET) as client:
        client.settimeout(DEADLINE)
        return client.connect_ex(str(place) if is_file else ("127.0.0.1", place)) != 0


@contextlib.contextmanager
def waiting_client(port):
    """Connected, with its request sent, as far as the kernel is concerned."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(REQUEST)
        yield client


def assert_served(client):
    assert client.recv(64).startswith(b"HTTP/1.1 200 ")


def was_killed(inko):
    """The keeper saw its supervisor end."""
    return "; starting it again" in inko.log.read_text()


@contextlib.contextmanager
def dying_inkod(n):
    """Its first supervisor dies after its nth put."""
    inko = Inkod(INKO_FAULT=f"put:{n}")
    try:
        yield inko
        assert inko.stop() == 0
        wait_until(lambda: not inko.processes(), what=lambda: f"all ended: {inko.processes()}")
    finally:
        inko.abandon()


@pytest.fixture
def inko():
    with private_inkod() as daemon:
        yield daemon


def pool(**fields):
    return {"name": "pool", "command": [str(BUILD / "http-shared")], **QUICK, **fields}


def given(place):
    return front(address=at(place), to=None, give="pool")


def test_a_listener_comes_back_where_clients_wait(inko):
    """To the address that it left: they are accepted, with those who came to the other one."""
    first, second, third = free_port(), free_port(), free_port()
    content = configuration(web(), listeners=[front(address=at(first))])
    apply(inko, content)
    inko.ctl("pause", "front")
    with waiting_client(first) as early:
        content["listeners"] = [front(address=at(second))]
        apply(inko, content)
        with waiting_client(second) as late:
            content["listeners"] = [front(address=at(first))]
            assert changes(inko, content) == {"listener front": ("change", "atOnce")}
            # It is the listener's own, and nobody else's.
            with pytest.raises(VarlinkError, match="AddressInUse"):
                inko.listen("web", at(second), name="other")
            apply(inko, content)
            with waiting_client(first) as last:
                inko.ctl("resume", "front")
                for client in early, late, last:
                    assert_served(client)
    wait_until(lambda: is_refused(second), what="the address in between is free")
    assert http_get(first)
    # There it is as any other.
    content["listeners"] = [front(address=at(third))]
    apply(inko, content)
    wait_until(lambda: is_refused(first), what="the former address is free")
    assert http_get(third)


def test_an_actor_that_goes_meanwhile_gets_no_listener(inko):
    """Where nothing can be changed nothing is said to be, and the next apply changes it."""
    port = free_port()
    actors = [web(), web("other")]
    apply(inko, configuration(*actors, listeners=[front(address=at(port))]))
    many = [web(f"idle-{n}", instances=0) for n in range(500)]
    content = configuration(*actors, *many, listeners=[front(address=at(port), to="other")])
    call = inko.begin_call("Apply", {"configuration": content})
    wait_until(lambda: any(a["name"] == "idle-0" for a in inko.status()["actors"]))
    inko.call("Remove", {"actor": "other"})
    assert call.receive()["error"].endswith(".ApplyFailed")
    assert inko.listener("front")["to"] == "web"
    assert http_get(port)
    plan = changes(inko, content)
    assert plan["actor other"][0] == "add" and plan["listener front"] == ("change", "atOnce")
    apply(inko, content)
    inko.ctl("stop", "web")
    assert inko.listener("front")["to"] == "other" and http_get(port)


def test_a_listener_that_is_given_leaves_nothing_behind(inko):
    """Who waits where it was before is accepted, and then nobody listens there."""
    first, second = free_port(), free_port()
    apply(inko, configuration(web(), pool(), listeners=[front(address=at(first))]))
    inko.ctl("pause", "front")
    with waiting_client(first) as client:
        apply(inko, configuration(web(), pool(), listeners=[front(address=at(second))]))
        apply(inko, configuration(web(), pool(), listeners=[given(second)]))
        assert_served(client)
    wait_until(lambda: is_refused(first), what="the former address is free")
    assert http_get(second)


def test_a_paused_listener_is_given_away(inko):
    """It is not paused any more, and whoever waits for that is told."""
    port = free_port()
    apply(inko, configuration(web(), pool(), listeners=[front(address=at(port))]))
    acceptor = inko.pids("acceptor")[0]
    os.kill(acceptor, signal.SIGSTOP)
    pause = inko.begin_call("Pause", {"listener": "front"})
    wait_until(lambda: inko.listener("front")["state"] == "paused")
    apply(inko, configuration(web(), pool(), listeners=[given(port)]))
    assert "resumed meanwhile" in pause.receive()["parameters"]["reason"]
    os.kill(acceptor, signal.SIGCONT)
    assert inko.listener("front")["state"] == "open"
    assert http_get(port)
    with pytest.raises(VarlinkError, match="ListenerGiven"):
        inko.call("Resume", {"listener": "front"})


# The supervisor dies.

def dies_as_it_moves(n, places):
    """Whether the supervisor came to its nth put before, or within that, or lived."""
    with dying_inkod(n) as inko:
        first, second = places(inko)
        inko.start()
        content = configuration(web(), listeners=[front(address=at(first))])
        apply_until_done(inko, content)
        patiently(inko.settle)
        if was_killed(inko):
            return "before"
        content["listeners"] = [front(address=at(second))]
        apply(inko, content, check=False)
        address = patiently(lambda: inko.listener("front"))["address"]
        end = "within" if was_killed(inko) else "lived"
        # Before anybody applies again, and again when another acceptor is told.
        for _ in range(2):
            assert address in (at(first), at(second))
            assert get(second if address == at(second) else first, timeout=DEADLINE), (n, address)
            inko.kill(inko.pids("acceptor")[0])
        apply_until_done(inko, content)
        assert get(second, timeout=DEADLINE)
        # Nothing is held twice: who waits for the former one waits for nobody.
        if isinstance(first, int):
            wait_until(lambda: is_refused(first), what=f"{n}: the former address is free")
        return end


def find_ends(dies, places, n):
    """From the nth put on, which is before the change; until the supervisor lives."""
    ends = []
    while not ends or ends[-1] != "lived":
        ends.append(dies(n, places))
        n += 1
    print(ends)
    return ends


def test_supervisor_dies_while_a_listener_moves():
    assert "within" in find_ends(
        dies_as_it_moves, lambda inko: (free_port(), free_port()), n=30)


def test_supervisor_dies_while_a_listener_of_a_file_moves():
    """Its file is there as long as it is said to listen there."""
    assert "within" in find_ends(
        dies_as_it_moves, lambda inko: (inko.directory / "a", inko.directory / "b"), n=30)


def dies_as_it_gives_it_away(n, places):
    """The acceptor does not compete for it: whom it accepted would wait for web."""
    with dying_inkod(n) as inko:
        first, second = places(inko)
        inko.start()
        content = configuration(web(), pool(), listeners=[front(address=at(first))])
        apply_until_done(inko, content)
        patiently(inko.settle)
        if was_killed(inko):
            return "before"
        inko.ctl("pause", "front", check=False)
        for place in second, first:
            content["listeners"] = [front(address=at(place))]
            apply(inko, content, check=False)
        content["listeners"] = [given(first)]
        apply(inko, content, check=False)
        patiently(inko.settle)
        end = "within" if was_killed(inko) else "lived"
        apply_until_done(inko, content)
        inko.ctl("stop", "web", check=False)
        for _ in range(20):
            assert patiently(lambda: get(first, timeout=DEADLINE))
        wait_until(lambda: is_refused(second), what=f"{n}: the former address is free")
        return end


def test_supervisor_dies_while_a_listener_is_given_away():
    assert "within" in find_ends(
        dies_as_it_gives_it_away, lambda inko: (free_port(), free_port()), n=42)


def dies_as_it_closes_it(n, places):
    """Either is there and listens, or is gone."""
    with dying_inkod(n) as inko:
        first, second = places(inko)
        inko.start()
        content = configuration(pool(), listeners=[given(first), {**given(second), "name": "b"}])
        apply_until_done(inko, content)
        patiently(inko.settle)
        if was_killed(inko):
            return "before"
        inko.ctl("close", "front", check=False)
        assert [x["name"] for x in patiently(inko.status)["listeners"]] == ["b"], n
        apply(inko, configuration(pool()), "--prune", check=False)
        listening = [listener["address"] for listener in patiently(inko.status)["listeners"]]
        for place in first, second:
            assert is_refused(place) == (at(place) not in listening), (n, place, listening)
        assert at(second) in listening or not second.exists()
        return "within" if was_killed(inko) else "lived"


def test_supervisor_dies_while_listeners_are_closed():
    assert "within" in find_ends(
        dies_as_it_closes_it, lambda inko: (free_port(), inko.directory / "s"), n=20)


def begin_with_socket(inko, listening):
    """As systemd starts it, whose socket http this is."""
    environment = {**inko.environment, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    with listening, open(inko.log, "ab") as log:
        inko.keeper = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" 3<&0 </dev/null',
             str(inko.programs / "inkod")],
            env=environment, stdin=listening, stdout=log, stderr=log, start_new_session=True)


def open_socket():
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, listening.getsockname()[1]


def has_moved(inko, port):
    return inko.listener("front").get("listensOn") == at(port)


def dies_as_systemd_moves_it(n, places):
    with dying_inkod(n) as inko:
        (listening, _), (other, port) = places(inko)
        begin_with_socket(inko, listening)
        wait_until(lambda: patiently(inko.answers))
        content = configuration(web(), listeners=[front(address="systemd:http")])
        apply_until_done(inko, content)
        patiently(inko.settle)
        if was_killed(inko):
            other.close()
            return "before"
        inko.kill(inko.keeper_pid())
        inko.keeper.wait()
        begin_with_socket(inko, other)
        wait_until(lambda: inko.keeper.poll() is not None or has_keeper(inko))
        if inko.keeper.poll() is not None:
            # It died while it gave the other keeper what it held: both have ended.
            wait_until(lambda: not inko.processes())
            inko.start()
            return "before"
        wait_until(lambda: patiently(lambda: has_moved(inko, port)), what="it follows")
        end = "within" if was_killed(inko) else "lived"
        for _ in range(2):
            assert get(port, timeout=DEADLINE), n
            inko.kill(inko.pids("acceptor")[0])
        return end


def test_supervisor_dies_while_it_follows_systemd():
    assert "within" in find_ends(
        dies_as_systemd_moves_it, lambda inko: (open_socket(), open_socket()), n=50)
