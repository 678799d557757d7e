"""The guide's programs, each alone: they print what the guide says."""

import os
import socket
import subprocess

import pytest

from harness import BUILD, DEADLINE, free_port, wait_until


def run(name, *arguments, **options):
    return subprocess.run([BUILD / name, *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE, **options)


def said(name, *arguments):
    done = run(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_udp_hello():
    assert said("udp-hello") == "Hello, world!\n"


def is_listening(port):
    """Without connecting: the server takes one client and no more."""
    local = f":{port:04X} "
    with open("/proc/net/tcp") as table:
        return any(local in line and line.split()[3] == "0A" for line in table)


def test_tcp_hello():
    port = free_port()
    with subprocess.Popen([BUILD / "tcp-hello-server", str(port)], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            wait_until(lambda: is_listening(port))
            assert said("tcp-hello-client", port) == ""
            assert server.communicate(timeout=DEADLINE)[0] == "Hello, world!\n"
            assert server.returncode == 0
        finally:
            server.kill()


def test_ping_tcp():
    assert said("ping-tcp", free_port()) == "ping\n"


def test_ping_unix(tmp_path):
    path = tmp_path / "test.sock"
    for _ in range(2):
        assert said("ping-unix", path) == "ping\n"
        assert not path.exists()


def test_they_say_what_fails(tmp_path):
    path = tmp_path / "test.sock"
    path.touch()
    done = run("ping-unix", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"listen: {os.strerror(98)}\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("ping-tcp", taken.getsockname()[1])
    assert (done.returncode, done.stderr) == (1, f"listen: {os.strerror(98)}\n")


@pytest.mark.parametrize("name", ["tcp-hello-server", "tcp-hello-client", "ping-tcp"])
def test_a_port_that_does_not_fit(name):
    done = run(name, 65536)
    assert done.returncode == 1 and os.strerror(22) in done.stderr
