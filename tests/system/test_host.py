"""inkoctl --host: another host's inkod through ssh, which is played by a script here: it runs what
it is told to in the environment of that other host."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import BUILD, DEADLINE, INTERFACE, Inkod, alive, wait_until
from terminal import on_terminal

INKOCTL = BUILD / "inkoctl"
HELLO = BUILD / "http-hello"

# Words that ssh has no shell for are said to it in one: that is how a real one does it.
SSH = """#!/bin/bash
printf '%s\\n' "$*" >>{log}
echo $$ >>{log}.pids
[ "$1 $2" = "-xT --" ] || exit 255
host=$3; shift 3
case $host in
	root@far) ;;
	quiet) exec sleep 1000 ;;
	without) sh -c inkoctl-is-not-there; exit ;;
	*) echo "ssh: connect to host $host port 22: Connection refused" >&2; exit 255 ;;
esac
exec env -i PATH={build}:$PATH INKO_RUNTIME_DIR={runtime} sh -c "$*"
"""


@pytest.fixture
def here(inko):
    """An inkoctl where no inkod runs, and inko is on root@far."""
    programs = inko.directory / "programs"
    programs.mkdir()
    here = Inkod()
    here.ssh_log = inko.directory / "ssh.log"
    ssh = programs / "ssh"
    ssh.write_text(SSH.format(log=here.ssh_log, build=BUILD, runtime=inko.runtime))
    ssh.chmod(0o755)
    here.environment["PATH"] = f"{programs}:{here.environment['PATH']}"
    yield here
    here.abandon(show=False)
    pids = [int(pid) for pid in (here.ssh_log.with_name("ssh.log.pids")).read_text().split()]
    wait_until(lambda: not any(map(alive, pids)), what=f"every ssh has ended: {pids}")


def test_status_of_another_host(inko, here):
    inko.spawn("web", HELLO)
    status = here.ctl("--host", "root@far", "status").stdout
    assert status == inko.ctl("status").stdout
    assert here.json("-H", "root@far", "list")["actors"][-1]["name"] == "web"
    assert here.ssh_log.read_text().splitlines()[0] == "-xT -- root@far inkoctl 'bridge'"


def test_runtime_directory_there(inko, here):
    """It is told to the other side, as one word of its shell's."""
    odd = inko.directory / "it's a; $(directory)"
    odd.symlink_to(inko.runtime)
    said = here.json("--host=root@far", "--runtime-dir", odd, "status")
    assert said["supervisorPid"] == inko.supervisor_pid()


def test_verbs_there(inko, here):
    """What takes programs, files and time over there."""
    here.ctl("-H", "root@far", "spawn", "web", "--", HELLO)
    assert inko.actor("web")["command"] == [str(HELLO)]
    here.ctl("-H", "root@far", "send", "web", input=b"\x00\xffbytes")
    here.ctl("-H", "root@far", "send", "web", "it's a message")
    wait_until(lambda: "message: it's a message" in here.ctl("-H", "root@far", "logs",
                                                             "web").stdout)
    pid = inko.supervisor_pid()
    assert "upgraded: inkod" in here.ctl("-H", "root@far", "upgrade").stdout
    assert inko.supervisor_pid() != pid
    refused = here.ctl("-H", "root@far", "stop", "nobody", check=False)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert here.ctl("-H", "root@far", "logs", "nobody", check=False).returncode == 1


def test_large_answer(inko, here):
    """More than any pipe holds at once."""
    for name in ("web", "shop", "mail"):
        inko.spawn(name, HELLO, instances=0,
                   environment=[f"V{n}=" + "x" * 4000 for n in range(25)])
    assert len(here.ctl("-H", "root@far", "--json", "list").stdout) > 240_000
    text = "y" * 900_000
    said = here.ctl("-H", "root@far", "send", "web", input=text, check=False)
    assert said.returncode == 1 and "web" in said.stderr, said


@pytest.mark.parametrize("arguments", [
    ("status",), ("list",), ("monitor",), ("logs", "web"), ("upgrade",), ("stop", "web")])
def test_errors_are_said_once(here, arguments):
    """Those of ssh, those of inkoctl over there, and that there is none; and of which host."""
    refused = here.ctl("-H", "nowhere", *arguments, check=False)
    assert refused.returncode == 3
    assert refused.stderr == ("ssh: connect to host nowhere port 22: Connection refused\n"
                              "inkoctl: the inkod on nowhere could not be asked\n")
    without = here.ctl("-H", "without", *arguments, check=False)
    assert without.returncode == 3
    assert without.stderr.count("\n") == 2 and "inkoctl-is-not-there" in without.stderr
    gone = here.ctl("-H", "root@far", "--runtime-dir", "/nowhere", *arguments, check=False)
    assert gone.returncode == 3
    assert gone.stderr.count("\n") == 2 and "no inkod runs in /nowhere" in gone.stderr
    assert gone.stderr.endswith("inkoctl: the inkod on root@far could not be asked\n")


@pytest.mark.parametrize("status", [0, 1, 2, 3, 255])
def test_ssh_that_ends_without_an_answer(inko, here, status):
    """It may say nothing, and end with what inkoctl would mean something else by."""
    here.ssh_log.with_name("ssh.log.pids").touch()
    program = inko.directory / "silent"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    here.environment["INKO_SSH"] = str(program)
    for verb in ("status", "monitor", "upgrade"):
        result = here.ctl("-H", "db", verb, check=False)
        assert result.returncode == 3, result
        assert result.stderr == "inkoctl: the inkod on db could not be asked\n"


def test_no_ssh(here):
    here.ssh_log.with_name("ssh.log.pids").touch()
    here.environment["INKO_SSH"] = "/nowhere/ssh"
    result = here.ctl("-H", "root@far", "status", check=False)
    assert result.returncode == 3 and "cannot run ssh" in result.stderr, result


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch /tmp/x"])
def test_host_that_is_an_option(here, host):
    here.ssh_log.with_name("ssh.log.pids").touch()
    result = here.ctl(f"--host={host}", "status", check=False)
    assert result.returncode == 2 and "HOST" in result.stderr
    assert not here.ssh_log.exists()


def test_monitor_there(inko, here):
    """It goes on with the next supervisor, and its end ends ssh."""
    process = subprocess.Popen([INKOCTL, "-H", "root@far", "--json", "monitor"],
                               env=here.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        assert set(json.loads(process.stdout.readline())) == {"position"}
        inko.spawn("web", HELLO)
        while json.loads(process.stdout.readline())["event"].get("to") != "ready":
            pass
        inko.kill(inko.supervisor_pid())
        while json.loads(process.stdout.readline()).get("event", {}).get("kind") != "adoption":
            pass
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0
        assert "was replaced" in process.stderr.read()


def test_silent_host_is_interrupted(here):
    """Nobody answers a password prompt: Ctrl-C ends ssh as well."""
    with on_terminal([INKOCTL, "-H", "quiet", "status"], here.environment) as terminal:
        wait_until(lambda: here.ssh_log.exists())
        time.sleep(0.05)
        terminal.type("\x03")
        assert terminal.wait() != 0


def test_logs_do_not_drive_the_terminal(inko, here):
    inko.spawn("web", HELLO)
    inko.ctl("send", "web", "a\x1b]0;owned\x07b")
    wait_until(lambda: "owned" in inko.ctl("logs", "web").stdout)
    with on_terminal([INKOCTL, "-H", "root@far", "logs", "web"], here.environment) as terminal:
        assert terminal.wait() == 0
        assert "a?]0;owned?b" in terminal.text() and "\x1b" not in terminal.text()


# The other end

def start_bridge(inko):
    return subprocess.Popen([INKOCTL, "bridge"], env=inko.environment, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)


def test_bridge(inko):
    """Frames go through as they are, and who shuts his side down still gets his answers."""
    call = json.dumps({"method": f"{INTERFACE}.GetStatus"}).encode() + b"\0"
    bridge = start_bridge(inko)
    answer, _ = bridge.communicate(call, timeout=DEADLINE)
    assert json.loads(answer.rstrip(b"\0"))["parameters"]["keeperPid"] == inko.keeper.pid
    assert bridge.returncode == 0


def test_bridge_ends_with_either_side(inko):
    bridge = start_bridge(inko)
    bridge.stdin.close()
    assert bridge.wait(DEADLINE) == 0
    bridge.stdout.close()
    ours, theirs = socket.socketpair()
    bridge = subprocess.Popen([INKOCTL, "bridge"], env=inko.environment, stdin=theirs,
                              stdout=theirs)
    theirs.close()
    ours.send(json.dumps({"method": f"{INTERFACE}.GetStatus"}).encode() + b"\0")
    assert ours.recv(1)
    os.kill(inko.supervisor_pid(), signal.SIGKILL)
    ours.settimeout(DEADLINE)
    while ours.recv(65536):
        pass
    assert bridge.wait(DEADLINE) == 0
    ours.close()


def test_leaves_nothing_behind(inko, here):
    with inko.leak_check():
        for _ in range(5):
            here.ctl("-H", "root@far", "list")
