"""Listeners that change places: by a configuration, or as systemd opens another socket."""

import contextlib
import os
import socket
import subprocess

from harness import DEADLINE, Inkod, free_port, http_get, wait_until
from test_configuration import (
    apply, apply_until_done, configuration, front, patiently, web)
from test_keeper import has_keeper

REQUEST = b"GET / HTTP/1.1\r\nHost: inko\r\nConnection: close\r\n\r\n"

def at(place):
    return f"unix://{place}" if isinstance(place, os.PathLike) else f"tcp://127.0.0.1:{place}"


def get(place, **options):
    if isinstance(place, os.PathLike):
        return http_get(path=place, **options)
    return http_get(place, **options)


def is_refused(port):
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        return client.connect_ex(("127.0.0.1", port)) != 0


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
