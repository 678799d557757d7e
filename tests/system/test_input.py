"""Bad input, from a person and from programs. After each: everything is as it was."""

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import (BUILD, INTERFACE, SOURCE, VarlinkError, alive, free_port, http_get,
                     wait_until)

HELLO = BUILD / "http-hello"
MANY = 40  # more than the 32 connections of a uid


@pytest.fixture
def busy(inko):
    """An inkod with an actor, a listener, and a look at it; afterwards it must look the same."""
    inko.spawn("web", HELLO)
    inko.port = inko.listen("web", name="front")
    inko.settle()
    before = inko.picture()
    descriptors = inko.descriptors()
    yield inko
    assert inko.picture() == before
    assert http_get(inko.port) == "Hello, HTTP!"
    wait_until(lambda: inko.descriptors() == descriptors, timeout=10,
               what=lambda: f"as many descriptors as before: {inko.list_descriptors()}")


def refused(inko, *arguments, status=1):
    """The one sentence that inkoctl says."""
    result = inko.ctl(*arguments, check=False)
    assert result.returncode == status, result
    assert result.stdout == "" and result.stderr.startswith("inkoctl: "), result
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize("arguments", [
    ("frobnicate",),
    (),
    ("--frobnicate", "status"),
    ("status", "--frobnicate"),
    ("status", "web", "superfluous"),
    ("spawn", "web"),
    ("spawn", "other", "--queue", "many", "--", "true"),
    ("spawn", "other", "--queue", "--", "true"),
    ("spawn", "other", "--backoff", "5 parsecs", "--", "true"),
    ("spawn", "other", "--intensity", "5/", "--", "true"),
    ("spawn", "other", "--env", "NOVALUE", "--", "true"),
    ("scale", "web"),
    ("scale", "web", "two"),
    ("scale", "web", "-1"),
    ("listen",),
    ("listen", "tcp://127.0.0.1:0", "--to", "web", "--balance", "somehow"),
    ("list", "everything"),
    ("help", "frobnicate"),
])
def test_wrong_command_line(busy, arguments):
    result = busy.ctl(*arguments, check=False)
    assert result.returncode == 2 and result.stdout == ""
    assert "inkoctl help" in result.stderr


@pytest.mark.parametrize("arguments", [("help",), ("--help",), ("spawn", "--help"),
                                       ("help", "spawn"), ("--version",)])
def test_help_needs_no_daemon(arguments):
    result = subprocess.run([BUILD / "inkoctl", *arguments], capture_output=True, text=True,
                            env={"INKO_RUNTIME_DIR": "/nonexistent", "PATH": os.environ["PATH"]},
                            timeout=30)
    assert result.returncode == 0 and "inkoctl" in result.stdout and result.stderr == ""


def test_help_has_room():
    """Every general option stands in the first line, and no option runs into what it is for."""
    def say(*arguments):
        return subprocess.run([BUILD / "inkoctl", "help", *arguments], capture_output=True,
                              text=True, check=True, timeout=30).stdout
    usage, _, text = say().partition("\n")
    options = re.findall(r"^  (?:(-\w), )?(--[a-z-]+)", text, re.M)
    assert len(options) > 4
    assert all(f"[{letter or flag}" in usage for letter, flag in options), usage
    for verb in re.findall(r"^  (\w+)", text, re.M):
        for line in say(verb).split("\n\n")[2].splitlines():
            assert re.match(r"( {33}|  (?=\S).{30} )\S", line) or \
                re.fullmatch(r"  -\S+( \S+)?", line), line


def first_words(text):
    """Of the lines that are set in: verbs, or options with the words of their value."""
    return [line.strip().split("   ")[0] for line in text.splitlines() if re.match(r"  \S", line)]


def test_the_manual_has_every_verb_and_option():
    """As help has them, which is printed from what the command line is parsed with."""
    def say(*arguments):
        return subprocess.run([BUILD / "inkoctl", "help", *arguments], capture_output=True,
                              text=True, check=True, timeout=30).stdout

    manual = re.sub(r"\\f.|\\-", lambda m: "-" if m[0] == "\\-" else "",
                    (SOURCE / "libclient/man/inkoctl.1").read_text())
    verbs = dict(re.findall(r"^\.SS (\w+)(.*?)(?=^\.S[SH])", manual, re.M | re.S))
    general, _, _ = manual.partition(".SH VERBS")
    every, options = say().split("\n\n")[1:3]
    assert [word.split()[0] for word in first_words(every)] == list(verbs)
    for option in re.findall(r"--[a-z-]+", " ".join(first_words(options))):
        assert re.search(rf"^\.B.*{option}\b", general, re.M), option
    for verb, text in verbs.items():
        known = set(re.findall(r"--[a-z-]+", " ".join(first_words(say(verb)))))
        described = set(re.findall(r"^\.B\w* .*?(--[a-z-]+)", text, re.M))
        assert known == described - {"--json"}, verb


@pytest.mark.parametrize("verb", ["status", "list", "logs"])
def test_no_daemon(verb):
    result = subprocess.run([BUILD / "inkoctl", verb, *(["web"] if verb == "logs" else [])],
                            capture_output=True, text=True, timeout=30,
                            env={"INKO_RUNTIME_DIR": "/tmp/ik-none", "PATH": os.environ["PATH"]})
    assert result.returncode == 3 and "/tmp/ik-none" in result.stderr and result.stdout == ""


def test_dead_socket_is_no_daemon(tmp_path):
    """A socket file that nobody listens on, as after a crash."""
    directory = tmp_path / "r"
    directory.mkdir()
    path = directory / INTERFACE
    with socket.socket(socket.AF_UNIX) as dead:
        here = os.getcwd()
        os.chdir(directory)
        try:
            dead.bind(path.name)
        finally:
            os.chdir(here)
    result = subprocess.run([BUILD / "inkoctl", "status"], capture_output=True, text=True,
                            env={"INKO_RUNTIME_DIR": str(directory), "PATH": os.environ["PATH"]},
                            timeout=30)
    if len(str(path)) < 108:
        assert result.returncode == 3, result
    else:
        assert result.returncode == 2 and "shorter" in result.stderr


@pytest.mark.parametrize("arguments, said", [
    (("scale", "web", "1001"), "N is out of range; it may be 0 to 1000"),
    (("spawn", "other", "--instances=1001", "--", "true"),
     "--instances is out of range; it may be 0 to 1000"),
    (("spawn", "other", "--drain=25h", "--", "true"),
     "--drain is out of range; it may be 1ms to 24h"),
    (("spawn", "other", "--intensity=5/0s", "--", "true"),
     "--intensity is out of range; it may be 1ms to 24h"),
    (("spawn", "other", "--intensity=1001/1s", "--", "true"),
     "--intensity is out of range; it may be 0 to 1000"),
    (("spawn", "other", "--opens", "a/b", "--", "true"), "--opens: 'a/b' "),
    (("listen", "tcp://127.0.0.1:0", "--to", "web", "--hold=25h"),
     "--hold is out of range; it may be 0s to 24h"),
])
def test_errors_name_what_was_typed(busy, arguments, said):
    """Not the member that it is sent as. They are wrong on the command line alone, as a time is
    that does not parse."""
    assert refused(busy, *arguments, status=2).startswith(f"inkoctl: {said}")
    result = busy.ctl("--json", *arguments, check=False)
    assert result.returncode == 2 and "InvalidValue" in result.stdout


@pytest.mark.parametrize("option", ["--user=nobody-of-that-name", "--capability=none",
                                    "--directory=/no/such/place"])
def test_what_depends_on_the_host_is_refused(busy, option):
    refused(busy, "spawn", "other", option, "--", "true")


def test_name_in_use(busy):
    assert "web" in refused(busy, "spawn", "web", "--", HELLO)
    assert "front" in refused(busy, "listen", "tcp://127.0.0.1:0", "--to", "web",
                              "--name", "front")


def test_reserved_names(busy):
    for name in ("acceptor", "gateway"):
        assert name in refused(busy, "spawn", name, "--", HELLO)


@pytest.mark.parametrize("name", ["a/b", "../a", "", ".a", "-a", "a b", "a:b", "ä", "a" * 64,
                                  "a\nb"])
def test_bad_names(busy, name):
    for method, parameters in (
            ("Spawn", {"name": name, "command": [str(HELLO)]}),
            ("Listen", {"address": "tcp://127.0.0.1:0", "to": "web", "name": name})):
        with pytest.raises(VarlinkError) as caught:
            busy.call(method, parameters)
        assert caught.value.error == f"{INTERFACE}.InvalidValue"
        assert caught.value.parameters["parameter"] == "name"


def test_name_with_slash_on_the_command_line(busy):
    assert "a/b" in refused(busy, "spawn", "a/b", "--", HELLO, status=2)


def test_longest_name(inko):
    """The last one that is allowed works throughout, with its files."""
    name = "a" * 63
    inko.spawn(name, HELLO)
    assert http_get(inko.listen(name, name="b" * 63)) == "Hello, HTTP!"
    inko.call("Close", {"listener": "b" * 63})
    inko.call("Remove", {"actor": name})


def test_port_in_use(busy):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert str(port) in refused(busy, "listen", f"tcp://127.0.0.1:{port}", "--to", "web")
    assert str(busy.port) in refused(busy, "listen", f"tcp://127.0.0.1:{busy.port}",
                                     "--to", "web", "--name", "other")


def test_unix_path_in_use(busy):
    """Neither a socket that somebody serves nor a file is taken away."""
    path = busy.directory / "taken.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert str(path) in refused(busy, "listen", f"unix://{path}", "--to", "web")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    datagrams = busy.directory / "datagrams"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(datagrams))
        assert f"{datagrams} is in use" in refused(
            busy, "listen", f"unix://{datagrams}", "--to", "web")
        assert datagrams.is_socket()
    plain = busy.directory / "plain"
    plain.write_text("keep me")
    assert f"{plain} is there and is no socket" in refused(
        busy, "listen", f"unix://{plain}", "--to", "web")
    assert plain.read_text() == "keep me"


@pytest.mark.parametrize("address", [
    "127.0.0.1:80", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:-1", "tcp://127.0.0.1:080x", "tcp://300.0.0.1:80", "tcp://::1:80",
    "tcp://[::1:80", "tcp://example.com:80", "tcp://127.0.0.1:80/path", "udp://127.0.0.1:80",
    "unix://relative", "unix:///", "unix://" + "/long" * 30, "tcp:// 127.0.0.1:80", "", "web"])
def test_address_that_does_not_parse(busy, address):
    for name in ({}, {"name": "other"}):
        with pytest.raises(VarlinkError) as caught:
            busy.call("Listen", {"address": address, "to": "web", **name})
        assert caught.value.error == f"{INTERFACE}.InvalidValue"
        assert caught.value.parameters["parameter"] == "address"
    assert address in refused(busy, "listen", address, "--to", "web", status=2)


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:80", "unix:///no/such/directory/a.sock"])
def test_address_that_cannot_be_bound(busy, address):
    assert address in refused(busy, "listen", address, "--to", "web")


def test_listen_to_both_or_neither(busy):
    for target in ({}, {"to": "web", "give": "web"}):
        with pytest.raises(VarlinkError):
            busy.call("Listen", {"address": "tcp://127.0.0.1:0", **target})


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program-anywhere", "/etc",
                                     "/etc/passwd"])
def test_no_such_program(busy, program):
    assert program in refused(busy, "spawn", "other", "--", program)


@pytest.mark.parametrize("words, said", [
    (("completion", "nosh"), "'nosh': write one of bash|zsh|fish"),
    (("spawn", "a", "--adapter", "sdtio", "--", "/bin/cat"),
     "--adapter 'sdtio': write one of mailbox|activation|stdio")])
def test_what_is_none_of_the_choices(busy, words, said):
    result = busy.ctl(*words, check=False)
    assert result.returncode == 2 and said in result.stderr, result


def test_a_relative_program_is_looked_for_where_one_is(busy):
    program = Path.cwd() / "relative"
    assert f"'{program}' does not exist" in refused(busy, "spawn", "other", "--", "./relative")


def test_program_that_cannot_be_executed(busy):
    """It looks like a program and is none: the kernel's word comes back."""
    program = busy.directory / "broken"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    assert str(program) in refused(busy, "spawn", "other", "--", program)


def test_program_that_exits_at_once(busy):
    said = refused(busy, "spawn", "other", "--", "false")
    assert "other" in said and "status 1" in said
    assert not list((busy.runtime / "log").glob("other*"))
    assert not list((busy.runtime / "notify").glob("other*"))
    # The gateway closes its endpoint when it hears of the end.
    wait_until(lambda: not list((busy.runtime / "nng").glob("other*")))


def test_program_that_complains_is_quoted(busy):
    said = refused(busy, "spawn", "other", "--", "sh", "-c", "echo no licence found >&2; exit 7")
    assert "status 7" in said and "no licence found" in said


def test_one_of_several_exits(busy):
    """All or none: those that did start are ended."""
    script = f'[ "$INKO_INSTANCE" = other/2 ] && exit 3; exec {HELLO}'
    before = set(busy.processes())
    said = refused(busy, "spawn", "other", "--instances", "4", "--", "sh", "-c", script)
    assert "status 3" in said
    # What shared a killed group may take a moment to be gone.
    wait_until(lambda: set(busy.processes()) == before)


@pytest.mark.parametrize("parameters", [
    {"instances": -1}, {"instances": 1001}, {"instances": 1e300}, {"queue": 0}, {"queue": 5},
    {"queue": 1 << 30}, {"backoffUSec": 0}, {"intensity": -1}, {"drainUSec": -1},
    {"directory": "relative"}, {"environment": ["NOVALUE"]}, {"environment": ["=x"]},
    {"opens": ["a/b"]}, {"command": []}, {"command": [""]}])
def test_values_out_of_range(busy, parameters):
    with pytest.raises(VarlinkError) as caught:
        busy.call("Spawn", {"name": "other", "command": [str(HELLO)], **parameters})
    assert caught.value.error in (f"{INTERFACE}.InvalidValue", f"{INTERFACE}.NoSuchProgram",
                                  "org.varlink.service.InvalidParameter")
    assert "other" not in [a["name"] for a in busy.status()["actors"]]


def test_directory_that_is_not_there(busy):
    said = refused(busy, "spawn", "other", "--directory", "/no/such/place", "--", HELLO)
    assert "/no/such/place" in said


# On the wire

@pytest.mark.parametrize("frame", [
    b"this is not JSON", b"{", b"[]", b'"text"', b"42", b"null", b"", b'{"method":1}', b"{}",
    b'{"method":"io.inkod.Supervisor.GetStatus"} trailing',
    b'{"method":"io.inkod.Supervisor.GetStatus","method":"io.inkod.Supervisor.GetStatus"}',
    b'{"method":"io.inkod.Supervisor.GetStatus\\u0000"}',
    b'{"method":"io.inkod.Supervisor.GetStatus","parameters":{"a":"\xff\xfe"}}',
    b'{"method":"io.inkod.Supervisor.GetStatus","parameters":' + b'{"a":' * 40 + b"1"
    + b"}" * 41 + b"",
    b'{"method":"io.inkod.Supervisor.GetStatus","parameters":[]}',
    b'{"method":"io.inkod.Supervisor.GetStatus","surprise":true}',
    b'{"method":"io.inkod.Supervisor.GetStatus","more":true,"oneway":true}',
])
def test_frame_that_is_no_call(busy, frame):
    """The connection is dropped without a reply."""
    with busy.varlink(timeout=10) as control:
        control.send_bytes(frame + b"\0")
        assert control.receive() is None


def test_oversize_frame(busy):
    """Two MiB without an end: the connection is dropped, and nobody keeps what came."""
    supervisor = busy.supervisor_pid()
    with busy.varlink(timeout=10) as control:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(64):
                control.send_bytes(b"x" * 65536)
            assert control.receive() is None
            raise BrokenPipeError
    assert busy.supervisor_pid() == supervisor


def test_largest_frame(busy):
    """A call of just under one MiB is a call."""
    text = "x" * (1_000_000)
    with pytest.raises(VarlinkError) as caught:
        busy.call("Start", {"actor": text})
    assert caught.value.error == f"{INTERFACE}.NoSuchActor"


def test_silent_clients(busy):
    """Who connects and says nothing, or half a call, holds up nobody."""
    silent = []
    try:
        for _ in range(10):
            silent.append(busy.varlink())
        silent[0].send_bytes(b'{"method":')
        for _ in range(5):
            assert busy.call("ListRoutes")["routes"]
    finally:
        for client in silent:
            client.close()


def test_client_that_does_not_read(busy):
    """Asks and asks and takes no answer: it is dropped at a bound, or waits; others are served."""
    supervisor = busy.supervisor_pid()
    with busy.varlink() as client:
        client.socket.setblocking(False)
        call = json.dumps({"method": f"{INTERFACE}.GetStatus"}).encode() + b"\0"
        end = time.monotonic() + 1
        while time.monotonic() < end:
            try:
                client.socket.send(call * 100)
            except BlockingIOError:
                time.sleep(0.01)
            except (BrokenPipeError, ConnectionResetError):
                break
        assert busy.supervisor_pid() == supervisor
        with open(f"/proc/{supervisor}/status", encoding="ascii") as file:
            rss = [line for line in file if line.startswith("VmRSS")][0]
        assert int(rss.split()[1]) < 32 * 1024


def test_client_leaves_before_the_answer(busy):
    """The call is carried out or undone, and nothing of the caller is kept."""
    with busy.varlink() as control:
        control.send("Spawn", {"name": "slow", "command": ["sleep", "1000"],
                               "startUSec": 300_000})
    wait_until(lambda: "slow" not in [a["name"] for a in busy.status()["actors"]],
               what="the actor that never was ready is gone")
    wait_until(lambda: "sleep" not in busy.processes().values())


def test_too_many_clients(busy):
    """A uid has so many connections, and one more is turned away; closing one lets one in."""
    clients = []
    try:
        for _ in range(MANY):
            clients.append(busy.varlink(timeout=5))
        answered = 0
        for client in clients:
            try:
                client.call("ListRoutes")
                answered += 1
            except (ConnectionResetError, BrokenPipeError):
                pass
        assert answered == 32
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: reachable(busy), what="there is room again")


def reachable(inko):
    try:
        return inko.call("ListRoutes")
    except (ConnectionResetError, BrokenPipeError):
        return None


def test_client_with_descriptors(busy):
    """No method takes any: what comes along is not kept."""
    with busy.varlink(timeout=10) as control:
        with open("/dev/null", "rb") as null:
            call = json.dumps({"method": f"{INTERFACE}.ListRoutes"}).encode() + b"\0"
            socket.send_fds(control.socket, [call], [null.fileno()] * 200)
            control.receive()


@pytest.mark.parametrize("method, error", [
    ("io.inkod.Supervisor.Frobnicate", "MethodNotFound"),
    ("io.inkod.Other.GetStatus", "MethodNotFound"),
    ("GetStatus.", "MethodNotFound"),
    ("org.varlink.service.Frobnicate", "MethodNotFound"),
])
def test_unknown_method(busy, method, error):
    with pytest.raises(VarlinkError) as caught:
        busy.call(method, {})
    assert caught.value.error == f"org.varlink.service.{error}"


@pytest.mark.parametrize("method, parameters, parameter", [
    ("GetStatus", {"surprise": 1}, "surprise"),
    ("Stop", {"actor": "web", "surprise": None}, "surprise"),
    ("Stop", {}, "actor"),
    ("Stop", {"Actor": "web"}, "Actor"),
    ("Stop", {"actor": 5}, "actor"),
    ("Scale", {"actor": "web", "instances": "2"}, "instances"),
    ("Scale", {"actor": "web", "instances": 1.5}, "instances"),
    ("Scale", {"actor": "web", "instances": True}, "instances"),
    ("Spawn", {"name": "other", "command": "true"}, "command"),
    ("Spawn", {"name": "other", "command": [1]}, "command"),
    ("Spawn", {"name": "other", "command": [["true"]]}, "command"),
    ("Spawn", {"name": "other", "command": ["true"], "environment": {"A": "b"}}, "environment"),
    ("Send", {"mailbox": "web", "text": {}}, "text"),
])
def test_wrong_parameter(busy, method, parameters, parameter):
    with pytest.raises(VarlinkError) as caught:
        busy.call(method, parameters)
    assert caught.value.error == "org.varlink.service.InvalidParameter"
    assert caught.value.parameters == {"parameter": parameter}


@pytest.mark.parametrize("data", ["%%%", "YQ", "YQ=", "Y Q==", "YQ==x", "=", "=="])
def test_base64_that_is_not(busy, data):
    with pytest.raises(VarlinkError):
        busy.call("Send", {"mailbox": "web", "base64": data})


def test_send_text_and_base64(busy):
    for parameters in ({}, {"text": "a", "base64": "YQ=="}):
        with pytest.raises(VarlinkError):
            busy.call("Send", {"mailbox": "web", **parameters})


def test_builtin_actors_cannot_be_removed(busy):
    for verb in ("remove", "stop"):
        result = busy.ctl(verb, "acceptor", check=False)
        assert result.returncode == 1, result
    assert alive(busy.pids("acceptor")[0])


@pytest.mark.parametrize("arguments", [("--frobnicate",), ("superfluous",), ("--runtime-dir",)])
def test_wrong_command_line_of_inkod(arguments):
    result = subprocess.run([BUILD / "inkod", *arguments], capture_output=True, text=True,
                            env={"PATH": os.environ["PATH"]}, timeout=30)
    assert result.returncode == 1 and "inkod --help" in result.stderr


def test_runtime_directory_that_cannot_be(tmp_path):
    """A path too long for sockets, one in a file, one that is not there: each has its sentence."""
    (tmp_path / "file").write_text("")
    for path in ("/tmp/" + "long/" * 30, tmp_path / "file" / "r", "/proc/ik-none"):
        result = subprocess.run([BUILD / "inkod", "--runtime-dir", path], capture_output=True,
                                text=True, env={"PATH": os.environ["PATH"]}, timeout=30)
        assert result.returncode in (1, 2) and result.stderr, path


def test_free_port_is_free(inko):
    """Closing a listener gives its port back at once."""
    port = free_port()
    inko.spawn("web", HELLO)
    for _ in range(3):
        inko.listen("web", f"tcp://127.0.0.1:{port}", name="front")
        http_get(port)
        inko.call("Close", {"listener": "front"})
