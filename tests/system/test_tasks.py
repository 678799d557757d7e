"""The examples with tasks, and those whose actors accept for themselves."""

import os
import pathlib
import re
import resource
import select
import socket
import subprocess

import pytest
from harness import BUILD, DEADLINE, SANITIZED, SOURCE, alive, curl, free_port, wait_until

GREETING = "Hello, HTTP!"
SLOW_CLIENTS = 20
FEW_DESCRIPTORS = 16
PAUSES = 3


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def server():
    port = free_port()
    process = subprocess.Popen([BUILD / "http-tasks", str(port)], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        yield process, port
    finally:
        process.kill()
        process.wait(DEADLINE)
        process.stderr.close()


def test_a_task_a_connection(server):
    process, port = server
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_CLIENTS)]
    for _ in range(3):
        assert curl(f"http://127.0.0.1:{port}/") == GREETING
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for client in slow:
        with client, client.makefile("rb") as answer:
            assert answer.read().endswith(GREETING.encode())
    assert process.poll() is None


def test_more_clients_than_descriptors(server):
    process, port = server
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2 * FEW_DESCRIPTORS)]
    wait_until(lambda: process.poll() is not None or
               len(os.listdir(f"/proc/{process.pid}/fd")) == FEW_DESCRIPTORS)
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.read().endswith(GREETING.encode())
    assert process.poll() is None


@pytest.mark.skipif(SANITIZED, reason="a sanitizer ends a process that has no memory")
def test_no_memory_for_another_task(server):
    process, port = server
    limits = resource.prlimit(process.pid, resource.RLIMIT_AS)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (1, limits[1]))
    clients = []

    def somebody_was_sent_away():
        clients.append(socket.create_connection(("127.0.0.1", port)))
        return select.select(clients, [], [], 0)[0]

    wait_until(somebody_was_sent_away)
    resource.prlimit(process.pid, resource.RLIMIT_AS, limits)
    assert curl(f"http://127.0.0.1:{port}/") == GREETING
    for client in clients:
        client.close()
    assert process.poll() is None


def test_port_that_is_taken(server):
    _, port = server
    second = subprocess.run([BUILD / "http-tasks", str(port)], stderr=subprocess.PIPE, text=True,
                            timeout=DEADLINE)
    assert second.returncode == 1
    assert second.stderr == "http-tasks: Address already in use\n"


def test_one_process_accepts_and_another_answers(inko):
    port = free_port()
    inko.spawn("answer", BUILD / "http-handoff", instances=2)
    inko.spawn("accept", BUILD / "http-handoff", str(port), opens=["answer"])
    wait_until(lambda: listens(port))
    for _ in range(4):
        assert curl(f"http://127.0.0.1:{port}/") == GREETING


def count_pauses(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])


def lowest_free_descriptor(pid):
    taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(taken) + 1)) - taken)


def goes_on_without_room(inko, name, port):
    """A client that comes while the actor has no descriptor for it is answered later, by the same
    process, which does not spin until then."""
    [pid] = inko.pids(name)
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    before = count_pauses(pid)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free_descriptor(pid), limits[1]))
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        wait_until(lambda: not alive(pid) or count_pauses(pid) > before + PAUSES)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        client.settimeout(DEADLINE)
        with client.makefile("rb") as answer:
            assert answer.read().endswith(GREETING.encode())
    assert inko.pids(name) == [pid]


def test_no_descriptor_for_one_to_hand_over(inko):
    port = free_port()
    inko.spawn("answer", BUILD / "http-handoff")
    inko.spawn("accept", BUILD / "http-handoff", str(port), opens=["answer"])
    wait_until(lambda: listens(port))
    goes_on_without_room(inko, "accept", port)


def test_no_descriptor_for_one_of_a_shared_listener(inko):
    inko.spawn("pool", BUILD / "http-shared")
    listener = inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "pool"})["listener"]
    port = int(listener["address"].rpartition(":")[2])
    assert curl(f"http://127.0.0.1:{port}/") == GREETING
    goes_on_without_room(inko, "pool", port)


def program_in_page(page, program):
    """Compiles the program that is the page's example."""
    text = re.search(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed", page.read_text(), re.M)[1]
    subprocess.run(["cc", "-xc", "-", "-Wall", "-Werror", f"-I{SOURCE}/libclient/include",
                    f"-L{BUILD}/.libs", f"-Wl,-rpath,{BUILD}/.libs", "-linko", "-o", program],
                   input=text.replace("\\e", "\\"), text=True, check=True)
    return program


@pytest.mark.skipif(SANITIZED, reason="a library with a sanitizer wants programs with the same")
def test_the_program_in_the_page(inko):
    page = SOURCE / "libclient/man/inko_task.3"
    inko.spawn("page", program_in_page(page, inko.directory / "page"))
    port = inko.listen("page")
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_CLIENTS)]
    for client in clients:
        with client, client.makefile("rb") as answer:
            assert answer.read() == b"hello\n"
    inko.call("Stop", {"actor": "page"})
    assert inko.instances("page")[0]["lastExit"] == "exited with status 0"
