"""What a spec says of a process, as the process and the kernel see it."""

import contextlib
import ctypes
import grp
import json
import os
import pwd
import re
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from harness import ACTORS, BRIEF, BUILD, PYTHON, SANITIZED, SOURCE, VarlinkError, alive, \
    assert_all_answered, http_get, wait_until
from test_contract import replace_supervisor

HELLO = BUILD / "http-hello"
NOBODY = pwd.getpwnam("daemon")
PATIENT = {"backoffUSec": 10_000, "intensity": 0, **BRIEF}

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# Says that it is ready, then waits for the end or does what it is told.
READY = """
import os, signal, socket, sys, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
"""
WAIT = READY + "signal.pause()\n"


def read_status(pid):
    """/proc/PID/status by its names."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t") for line in lines if ":\t" in line)


def spawn_waiting(inko, name="a", code=WAIT, **spec):
    """The pid of an actor of one instance that waits."""
    # It reads no mailbox, and so would not hear that it is to stop.
    inko.spawn(name, PYTHON, "-c", code, **{"drainUSec": 100_000, **spec})
    return inko.pids(name)[0]


def ready_other(inko, name, pid):
    """The pid of a ready instance that is not pid, out of one answer; or None."""
    ready = [i["pid"] for i in inko.instances(name) if i["state"] == "ready" and i["pid"] != pid]
    return ready[0] if ready else None


def refusal(inko, **spec):
    """The parameter that Spawn does not take, and why."""
    with pytest.raises(VarlinkError) as caught:
        inko.spawn("a", HELLO, **spec)
    assert caught.value.error.endswith(".InvalidValue"), caught.value
    assert not any(actor["name"] == "a" for actor in inko.status()["actors"])
    return caught.value.parameters["parameter"], caught.value.parameters["reason"]


def environment_of(pid):
    text = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(line.split("=", 1) for line in text.split("\0") if line)


# What is said of a process.

def test_what_is_not_said_is_safe(inko):
    """A process keeps no capability and gets no privilege by what it executes."""
    status = read_status(spawn_waiting(inko))
    assert status["NoNewPrivs"] == "1"
    for which in "CapPrm", "CapEff", "CapInh", "CapAmb":
        assert int(status[which], 16) == 0, status
    if os.geteuid() == 0:
        assert int(status["CapBnd"], 16) == 0
    assert status["Umask"] == "0022"


def test_umask_nice_limits_environment(inko):
    pid = spawn_waiting(inko, umask="027", nice=7, concurrency=3, environment=["A=b=c"],
                        limits=["nofile=100:200", "core=0", "cpu=infinity"], directory="/usr")
    status = read_status(pid)
    assert status["Umask"] == "0027"
    assert os.getpriority(os.PRIO_PROCESS, pid) == 7
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"^Max open files +100 +200 ", limits, re.M), limits
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits
    assert re.search(r"^Max cpu time +unlimited +unlimited ", limits, re.M), limits
    environment = environment_of(pid)
    assert environment["A"] == "b=c" and environment["INKO_CONCURRENCY"] == "3"
    assert environment["LISTEN_PID"] == str(pid)
    assert os.readlink(f"/proc/{pid}/cwd") == "/usr"


def test_the_same_by_flags(inko):
    inko.ctl("spawn", "a", "--umask", "077", "--nice", "3", "--limit", "nofile=64", "--limit",
             "nproc=9000:9001", "--drain", "100ms", "--restart", "on-failure", "--stop-signal", "INT", "--watchdog", "1h",
             "--description", "what it is for", "--no-new-privileges", "no", "--concurrency=9",
             "--network", "host", "--", PYTHON, "-c", WAIT)
    actor = inko.actor("a")
    said = {name: actor[name] for name in (
        "umask", "nice", "limits", "restart", "stopSignal", "watchdogUSec", "description",
        "noNewPrivileges", "concurrency", "network")}
    assert said == {
        "umask": "077", "nice": 3, "limits": ["nofile=64", "nproc=9000:9001"], "restart": "onFailure",
        "stopSignal": "INT", "watchdogUSec": 3_600_000_000, "description": "what it is for",
        "noNewPrivileges": False, "concurrency": 9, "network": "host"}
    assert "what it is for" in inko.ctl("list").stdout
    pid = inko.pids("a")[0]
    assert read_status(pid)["NoNewPrivs"] == "0"
    environment = environment_of(pid)
    assert environment["WATCHDOG_USEC"] == "3600000000" and environment["WATCHDOG_PID"] == str(pid)


@only_root
def test_another_user(inko):
    extra = grp.getgrnam("games")
    actor = inko.spawn("a", PYTHON, "-c", WAIT, user=NOBODY.pw_name,
                       supplementaryGroups=[extra.gr_name], **BRIEF)
    assert actor["user"] == NOBODY.pw_name
    pid = inko.pids("a")[0]
    status = read_status(pid)
    assert status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert status["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert {str(NOBODY.pw_gid), str(extra.gr_gid)} <= set(status["Groups"].split())
    assert "0" not in status["Groups"].split()
    environment = environment_of(pid)
    assert environment["USER"] == environment["LOGNAME"] == NOBODY.pw_name
    assert environment["HOME"] == NOBODY.pw_dir
    # Its life is as any other's: killed, started again, adopted, stopped.
    inko.kill(pid)
    again = wait_until(lambda: ready_other(inko, "a", pid))
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    assert inko.pids("a") == [again]
    inko.ctl("restart", "a")
    assert read_status(inko.pids("a")[0])["Uid"].split()[0] == str(NOBODY.pw_uid)


@only_root
def test_a_user_and_a_group_by_number(inko):
    pid = spawn_waiting(inko, user="4242", group="4343")
    status = read_status(pid)
    environment = environment_of(pid)
    assert environment["HOME"] == "/" and not {"USER", "LOGNAME", "SHELL"} & set(environment)
    assert status["Uid"].split()[0] == "4242" and status["Gid"].split()[0] == "4343"
    assert status["Groups"].split() == ["4343"]


def need_build_for_all():
    if subprocess.run(["test", "-x", HELLO], user=NOBODY.pw_uid).returncode:
        pytest.skip(f"nobody but root can look into {BUILD}")


@only_root
def test_connections_and_messages_pass_between_users(inko):
    need_build_for_all()
    inko.spawn("web", HELLO, user=NOBODY.pw_name, instances=2)
    port = inko.listen("web")
    inko.settle()
    assert all(http_get(port).startswith("Hello") for _ in range(10))
    inko.ctl("send", "web", "hello")
    wait_until(lambda: "hello" in inko.ctl("logs", "web").stdout)


@only_root
@pytest.mark.parametrize("user", [None, NOBODY.pw_name])
def test_capabilities(inko, user):
    """Exactly those that it keeps, root or not, and it can use them."""
    code = READY + "socket.socket().bind(('127.0.0.2', 81)); notify.send(b'STATUS=bound')\n"
    spec = {"user": user} if user else {}
    code += "signal.pause()\n"
    status = read_status(spawn_waiting(
        inko, code=code, capabilities=["CAP_NET_BIND_SERVICE"], **spec))
    for which in "CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd":
        assert int(status[which], 16) == 1 << 10, (which, status)
    wait_until(lambda: inko.instances("a")[0].get("status") == "bound")


@only_root
def test_all_capabilities(inko):
    own = read_status(inko.supervisor_pid())["CapPrm"]
    status = read_status(spawn_waiting(inko, capabilities=["all"], noNewPrivileges=False))
    assert status["CapEff"] == own and status["NoNewPrivs"] == "0"


@only_root
def test_no_network(inko):
    """It answers who is handed to it, and reaches nobody."""
    inko.spawn("web", HELLO)
    target = inko.listen("web")
    results = {}
    for network in "host", "none":
        inko.spawn(network, ACTORS / "outward", "127.0.0.1", target, network=network)
        results[network] = http_get(inko.listen(network))
    assert results == {"host": "connected", "none": "ENETUNREACH"}
    own = os.readlink(f"/proc/{inko.supervisor_pid()}/ns/net")
    assert os.readlink(f"/proc/{inko.pids('host')[0]}/ns/net") == own
    assert os.readlink(f"/proc/{inko.pids('none')[0]}/ns/net") != own


# What is refused, by name.

@pytest.mark.parametrize("spec, parameter, words", [
    ({"user": "no-such-user"}, "user", "no user 'no-such-user'"),
    ({"group": "no-such-group"}, "group", "no group 'no-such-group'"),
    ({"supplementaryGroups": ["no-such-group"]}, "supplementaryGroups", "no group"),
    ({"umask": "0899"}, "umask", "octal"),
    ({"umask": "7777"}, "umask", "0777"),
    ({"umask": ""}, "umask", "octal"),
    ({"nice": -21}, "nice", "-20 to 19"),
    ({"limits": ["files=3"]}, "limits", "nofile"),
    ({"limits": ["nofile"]}, "limits", "nofile"),
    ({"limits": ["nofile=x"]}, "limits", "SOFT"),
    ({"limits": ["nofile=3:"]}, "limits", "SOFT"),
    ({"limits": ["nofile=-1"]}, "limits", "SOFT"),
    ({"limits": ["nofile=20:10"]}, "limits", "above"),
    ({"limits": ["cpu=99999999999999999999999"]}, "limits", "SOFT"),
    ({"capabilities": ["CAP_FLY"]}, "capabilities", "CAP_FLY"),
    ({"network": "some"}, "network", "host, none"),
    ({"restart": "sometimes"}, "restart", "always"),
    ({"restart": "on-failure"}, "restart", "always"),
    ({"stopSignal": "SIGNAL"}, "stopSignal", "SIGTERM"),
    ({"stopSignal": "SIGRTMIN+99"}, "stopSignal", "SIGTERM"),
    ({"watchdogUSec": 10}, "watchdogUSec", "too short"),
    ({"concurrency": 0}, "concurrency", "out of range"),
    ({"instances": 1_000_000}, "instances", "0 to 1000"),
    ({"description": "a\nb"}, "description", "one line"),
    ({"description": "x" * 1000}, "description", "longer"),
    *[({name: value}, name, "out of range")
      for name in ("startUSec", "drainUSec", "stopUSec", "backoffUSec", "intensityUSec")
      for value in (0, 100 * 365 * 86_400_000_000)],
    ({"watchdogUSec": 100 * 365 * 86_400_000_000}, "watchdogUSec", "out of range"),
])
def test_refused_by_name(inko, spec, parameter, words):
    named, reason = refusal(inko, **spec)
    assert named == parameter and words in reason, (named, reason)


@pytest.mark.parametrize("spec, parameter", [
    ({"fyi": 1}, "fyi"), ({"noNewPrivileges": "yes"}, "noNewPrivileges"),
    ({"limits": "nofile=3"}, "limits"), ({"nice": "3"}, "nice")])
def test_unknown_fields_and_types(inko, spec, parameter):
    with pytest.raises(VarlinkError) as caught:
        inko.spawn("a", HELLO, **spec)
    assert caught.value.error == "org.varlink.service.InvalidParameter"
    assert caught.value.parameters["parameter"] == parameter


@pytest.mark.parametrize("flags, words", [
    (("--restart", "sometimes"), "always|on-failure|never"), (("--no-new-privileges", "1"), "yes or no"),
    (("--nice", "low"), "whole number"), (("--watchdog", "soon"), "500ms")])
def test_flags_are_checked(inko, flags, words):
    result = inko.ctl("spawn", "a", *flags, "--", HELLO, check=False)
    assert result.returncode == 2 and words in result.stderr, result


# An inkod that may not: what takes a privilege is refused when it is asked for, not skipped.

UNPRIVILEGED = [
    ({"user": "root"}, "user", "CAP_SETGID"),
    ({"group": "games"}, "group", "CAP_SETGID"),
    ({"supplementaryGroups": ["games"]}, "supplementaryGroups", "CAP_SETGID"),
    ({"nice": -20}, "nice", "CAP_SYS_NICE"),
    ({"limits": ["nofile=infinity"]}, "limits", "CAP_SYS_RESOURCE"),
    ({"network": "none"}, "network", "CAP_SYS_ADMIN"),
    ({"capabilities": ["net_raw"]}, "capabilities", "net_raw"),
]
REFUSALS = """
import json, sys
sys.path.insert(0, {tests!r})
from harness import private_inkod, VarlinkError, BUILD
found = []
with private_inkod() as inko:
    for spec, _, _ in {cases!r}:
        try:
            inko.spawn("a", BUILD / "http-hello", **spec)
            found.append(["", "was spawned"])
        except VarlinkError as refusal:
            found.append([refusal.parameters.get("parameter"), refusal.parameters["reason"]])
    for n, spec in enumerate({accepted!r}):
        assert inko.spawn("b%d" % n, BUILD / "http-hello", **spec)["state"] == "ready"
print(json.dumps(found))
"""


def check_refusals(cases, accepted, **restrictions):
    """Of an inkod in a process of its own, which is restricted so."""
    code = REFUSALS.format(tests=str(SOURCE / "tests" / "system"), cases=cases, accepted=accepted)
    result = subprocess.run([PYTHON, "-B", "-c", code], capture_output=True, text=True, timeout=120,
                            env={"PATH": os.environ["PATH"], "INKO_BUILD": str(BUILD)},
                            **restrictions)
    assert result.returncode == 0, result.stdout + result.stderr
    for (spec, parameter, needs), (named, reason) in zip(
            cases, json.loads(result.stdout.splitlines()[-1])):
        assert named == parameter and needs in reason and "root" in reason, (spec, named, reason)


@only_root
def test_without_privileges(tmp_path):
    need_build_for_all()
    check_refusals(UNPRIVILEGED, [{"user": NOBODY.pw_name, "limits": ["core=0"], "nice": 19}],
                   user=NOBODY.pw_uid, group=NOBODY.pw_gid, extra_groups=[])


@only_root
def test_without_privileges_at_a_nice_of_its_own():
    """What is less than that is refused before it fails, unless a limit allows it."""
    CAP_SYS_RESOURCE = 24
    can_raise = int(read_status(os.getpid())["CapEff"], 16) >> CAP_SYS_RESOURCE & 1

    def restrict():
        os.nice(10)
        if can_raise:
            resource.setrlimit(resource.RLIMIT_NICE, (20 - 8, 20 - 8))
        os.setgroups([])
        os.setresgid(*[NOBODY.pw_gid] * 3)
        os.setresuid(*[NOBODY.pw_uid] * 3)

    need_build_for_all()
    check_refusals([({"nice": nice}, "nice", "CAP_SYS_NICE") for nice in (-1, 5, 7)],
                   [{"nice": 0}, {"nice": 19}] +
                   [{"nice": 8}, {"nice": 8, "limits": ["nice=0"]}] * can_raise,
                   preexec_fn=restrict)


def drop_setpcap():
    PR_CAPBSET_DROP, CAP_SETPCAP = 24, 8
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SETPCAP, 0, 0, 0) == 0


@only_root
def test_root_without_setpcap():
    """It could take no capabilities away from root, which would have all of them."""
    check_refusals([({"noNewPrivileges": False}, "noNewPrivileges",
                    "inkod lacks CAP_SETPCAP although it is root")],
                   [{}, {"noNewPrivileges": False, "capabilities": ["all"]},
                    {"noNewPrivileges": False, "user": NOBODY.pw_name}],
                   preexec_fn=drop_setpcap)


@only_root
def test_a_user_who_cannot_reach_the_runtime_directory(inko):
    inko.directory.chmod(0o700)
    parameter, reason = refusal(inko, user=NOBODY.pw_name)
    assert parameter == "user" and str(inko.runtime) in reason and "chmod" in reason


@only_root
def test_what_fails_after_the_fork_is_named(inko):
    """It can be said, and the kernel does not take it."""
    for spec, words in (({"directory": "/root", "user": NOBODY.pw_name}, "could not enter"),
                        ({"limits": ["nofile=99999999999"]}, "limits")):
        with pytest.raises(VarlinkError) as caught:
            inko.spawn("a", HELLO, **spec)
        assert words in caught.value.parameters["reason"], caught.value


# Its end.

@pytest.mark.parametrize("restart, code, state", [
    ("never", 0, "ended"), ("never", 3, "failed"), ("onFailure", 0, "ended"),
    ("onFailure", 3, "ready"), ("always", 0, "ready")])
def test_restart(inko, restart, code, state):
    go = inko.directory / "go"
    inko.spawn("a", PYTHON, "-c", READY + f"""
while not os.path.exists("{go}"):
    time.sleep(0.01)
os.unlink("{go}")
sys.exit({code})
""", restart=restart, **PATIENT)
    pid = inko.pids("a")[0]
    go.touch()

    def instance():
        return inko.instances("a")[0]

    wait_until(lambda: instance()["state"] == state and instance().get("pid") != pid, what=instance)
    assert instance()["lastExit"] == f"exited with status {code}"
    if state == "ready":
        return
    # Adopted, it is not started either; somebody who wants it to run starts it.
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    assert instance()["state"] == state
    assert inko.actor("a")["state"] == {"ended": "stopped", "failed": "failed"}[state]
    inko.ctl("start", "a")
    assert instance()["state"] == "ready"


def test_one_that_ends_before_it_is_ready(inko):
    with pytest.raises(VarlinkError) as caught:
        inko.spawn("a", "/bin/true", restart="never")
    assert "exited with status 0 before it was ready" in caught.value.parameters["reason"]


def test_stop_signal(inko):
    code = READY.replace("notify.send", """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGRTMIN + 2, lambda *_: sys.exit(7))
notify.send""") + "while True: time.sleep(60)\n"
    spawn_waiting(inko, code=code, stopSignal="SIGRTMIN+2", drainUSec=50_000)
    inko.ctl("stop", "a")
    assert inko.instances("a")[0]["lastExit"] == "exited with status 7"


def test_one_that_ignores_its_stop_signal(inko):
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
    spawn_waiting(inko, code=code + "while True: time.sleep(60)\n", drainUSec=50_000,
                  stopUSec=200_000)
    inko.ctl("stop", "a")
    last = inko.instances("a")[0]["lastExit"]
    assert last == "killed by SIGKILL, as it did not end within 200 ms of SIGTERM"
    assert last in inko.ctl("status").stdout


def test_watchdog(inko):
    """Who says WATCHDOG=1 lives; who stops to is aborted, and that counts as a failure."""
    go = inko.directory / "go"
    code = READY + f"""
while not os.path.exists("{go}"):
    notify.send(b"WATCHDOG=1")
    time.sleep(0.02)
signal.pause()
"""
    pid = spawn_waiting(inko, code=code, watchdogUSec=2_000_000, restart="onFailure", **PATIENT)
    with pytest.raises(AssertionError):
        wait_until(lambda: inko.pids("a") != [pid], timeout=5)
    go.touch()
    wait_until(lambda: inko.restarts("a") > 0)
    assert "WATCHDOG=1 within 2000 ms" in inko.instances("a")[0]["lastExit"]


def test_watchdog_of_one_that_catches_its_abort(inko):
    code = "import signal; signal.signal(signal.SIGABRT, signal.SIG_IGN)\n" + READY
    pid = spawn_waiting(inko, code=code + "while True: time.sleep(60)\n", watchdogUSec=100_000,
                        stopUSec=200_000, restart="never")
    wait_until(lambda: inko.actor("a")["state"] == "failed")
    assert not Path(f"/proc/{pid}").exists()


# One table.

def options():
    """What inkoctl says of spawn: flag, value, default."""
    text = subprocess.run([BUILD / "inkoctl", "help", "spawn"], capture_output=True, text=True,
                          check=True).stdout
    found = re.findall(r"^  (--[\w-]+) (\S+)\s+(.*)$", text, re.M)
    return [(flag, value, re.search(r" \(([^()]+)\)$", help)) for flag, value, help in found]


def test_the_man_page_has_every_flag():
    page = (SOURCE / "libclient" / "man" / "inkoctl.1").read_text()
    begin, end = page.index(".SS spawn"), page.index(".SS start")
    page = re.sub(r"\\f.|\\|\"", "", page[begin:end])
    assert len(options()) > 20
    paragraphs = dict(re.findall(r"^\.TP\n\.BI (--[\w-]+) (.*?)(?=^\.TP|\Z)", page, re.M | re.S))
    assert list(paragraphs) == [flag for flag, _, _ in options()]
    for flag, value, default in options():
        shown = re.sub(r"[^\w|/:=-]", "", paragraphs[flag].partition("\n")[0])
        assert shown.startswith(re.sub(r"[][]", "", value)), (flag, value, shown)
        if default:
            assert f"({default[1]})" in paragraphs[flag], (flag, default[1])


def test_every_option_of_spawn_is_a_flag():
    """But those that stand by position, and the second half of a rate."""
    members = re.search(r"method Spawn\((.*?)\)", (
        SOURCE / "proto" / "io.inkod.Supervisor.varlink").read_text(), re.S)[1]
    assert len(re.findall(r"\w+:", members)) == len(options()) + 3


# inkod's own.

@only_root
@pytest.mark.parametrize("name", ["acceptor", "gateway"])
def test_own_actors_have_no_privileges(inko, name):
    inko.spawn("web", HELLO)
    port = inko.listen("web")
    inko.settle()
    pid = inko.pids(name)[0]
    status = read_status(pid)
    uid = int(status["Uid"].split()[0])
    assert uid != 0 and status["Uid"].split() == [str(uid)] * 4
    assert "0" not in status["Groups"].split() + status["Gid"].split()
    assert all(int(status[which], 16) == 0
               for which in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd")), status
    assert status["NoNewPrivs"] == "1"
    others = {int(read_status(other)["Uid"].split()[0])
              for actor in ("acceptor", "gateway", "web") if actor != name
              for other in inko.pids(actor)}
    assert uid not in others
    # They do their work all the same, in their next lives and under the next supervisor too.
    inko.kill(pid)
    inko.kill(inko.supervisor_pid())
    wait_until(inko.answers)
    again = wait_until(lambda: ready_other(inko, name, pid))
    assert int(read_status(again)["Uid"].split()[0]) == uid
    assert http_get(port).startswith("Hello")


@only_root
def test_own_actors_where_nobody_else_may_enter(inko):
    """They run as inkod's own user, still without capabilities, and the log says so."""
    inko.directory.chmod(0o700)
    inko.spawn("web", HELLO)
    port = inko.listen("web")
    assert http_get(port).startswith("Hello")
    for name in "acceptor", "gateway":
        status = read_status(inko.pids(name)[0])
        assert status["Uid"].split()[0] == "0" and int(status["CapEff"], 16) == 0
        assert f"{name} runs as inkod's own user, without capabilities" in inko.log.read_text()


def test_acceptor_makes_no_socket(inko):
    """Its filter has no socket(2), and yet it accepts, pauses, closes and confirms."""
    inko.spawn("web", HELLO)
    port = inko.listen("web", name="front")
    inko.settle()
    pid = inko.pids("acceptor")[0]
    if SANITIZED:
        pytest.skip("a sanitizer makes calls of its own")
    status = read_status(pid)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert inko.load(port, clients=32, connections=500).report()["answered"] == 500
    inko.ctl("pause", "front")
    inko.ctl("resume", "front")
    assert http_get(port).startswith("Hello")
    inko.ctl("close", "front")
    assert inko.pids("acceptor") == [pid]


# Programs that misbehave.

# Leaves a child behind, out of its group and its session, that holds all that it was given.
FORKS = """
import os, sys, time
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.fork()
    open({path!r} + str(os.getpid()), "w").close()
    while True:
        time.sleep(60)
time.sleep(0.3)
"""


def left_by(inko, n):
    """The pids of what was left behind, each once it is there."""
    wait_until(lambda: len(list(inko.directory.glob("left.*"))) == n)
    return [int(path.suffix[1:]) for path in inko.directory.glob("left.*")]


@pytest.mark.parametrize("program, words", [
    ("/etc/passwd", "'/etc/passwd' is not executable"), ("/tmp", "'/tmp' is a directory"),
    ("/nonexistent/x", "'/nonexistent/x' does not exist"), ("./x", "'./x' is not a full path"),
    ("no-such-program", "'no-such-program' is not found; give its full path")])
def test_why_a_program_is_none(inko, program, words):
    with pytest.raises(VarlinkError, match="NoSuchProgram") as refused:
        inko.call("Spawn", {"name": "none", "command": [program]})
    assert words in refused.value.parameters["reason"]


def test_a_script_without_its_interpreter(inko):
    script = inko.directory / "script"
    script.write_text("#!/nonexistent/sh\n")
    script.chmod(0o755)
    with pytest.raises(VarlinkError, match="or its interpreter"):
        inko.spawn("a", script)


def test_what_is_said_of_one_that_is_not_ready(inko):
    """What it may have lacked, by what was said of it."""
    def reason(*command, **spec):
        with pytest.raises(VarlinkError, match="StartFailed") as failed:
            inko.spawn("a", *command, **spec)
        return failed.value.parameters["reason"]
    check = {"readyCheck": "tcp://127.0.0.1:9"}
    said = reason("/bin/sleep", "1000", startUSec=200_000, **check)
    assert said.endswith("was killed; nobody listened at tcp://127.0.0.1:9"), said
    assert reason("/bin/true", **check).endswith("; nobody listened at tcp://127.0.0.1:9")
    assert "--ready-check" in reason("/bin/true")
    assert reason("/bin/true", readyAfterUSec=10_000_000).endswith(" before it was ready")


def test_a_program_that_forks_and_exits(inko):
    """Its children do not live on, and who started it is told why it did not start."""
    code = FORKS.format(path=str(inko.directory / "left."))
    with pytest.raises(VarlinkError) as caught:
        inko.spawn("a", PYTHON, "-c", code)
    reason = caught.value.parameters["reason"]
    assert "exited with status 0 before it was ready, and left 3 processes behind" in reason, reason
    assert "foreground" in reason
    wait_until(lambda: not any(alive(pid) for pid in left_by(inko, 3)))


def replace_keeper(inko):
    former = inko.keeper_pid()
    inko.kill(former)
    inko.keeper.wait()
    wait_until(lambda: inko.status().get("keeperPid") not in (None, 0, former))


@pytest.mark.parametrize("way", ["end", "kill", "under another supervisor",
                                 "under another keeper and its supervisor"])
def test_children_that_hold_its_listener(inko, way):
    """Given the listener, they would take connections that nobody answers."""
    go = inko.directory / "go"
    code = FORKS.format(path=str(inko.directory / "left.")) + READY + f"""
while not os.path.exists("{go}"):
    time.sleep(0.01)
"""
    inko.spawn("bystander", HELLO)
    pid = spawn_waiting(inko, code=code, restart="never")
    inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "a", "name": "front"})
    children = left_by(inko, 3)
    assert all(alive(child) for child in children)
    bystander = inko.pids("bystander")
    if way == "kill":
        inko.kill(pid)
    elif way == "end":
        go.touch()
    else:
        if "keeper" in way:
            replace_keeper(inko)
        replace_supervisor(inko)
        inko.ctl("restart", "bystander")
        bystander = inko.pids("bystander")
        inko.kill(pid)
    wait_until(lambda: not any(alive(child) for child in children))
    wait_until(lambda: "left 3 processes behind" in inko.instances("a")[0].get("lastExit", ""),
               what=lambda: inko.instances("a"))
    assert "left 3 processes behind" in inko.ctl("status").stdout
    assert inko.pids("bystander") == bystander


# What a program leaves behind after it has said so: DEEP, a chain of forty; HOPS, one that forks and
# ends, again and again; CLEARED, one with an environment and descriptors of its own; GROUP, one that
# stays where it is.
LEAVES = """
import os, sys, time
def stay():
    while True:
        time.sleep(60)
def leave_deep():
    for _ in range(39):
        if os.fork():
            stay()
    os.write(told, b"x")
    stay()
def leave_hops():
    os.write(told, b"x")
    while True:
        if os.fork():
            os._exit(0)
def leave_cleared():
    for fd in range(64):
        if fd != told:
            try:
                os.close(fd)
            except OSError:
                pass
    os.set_inheritable(told, True)
    code = "import os, time; os.write(%d, b'x'); time.sleep(600)" % told
    os.execve(sys.executable, [sys.executable, "-c", code, sys.argv[1]], {})
def leave_group():
    os.write(told, b"x")
    stay()
heard, told = os.pipe()
if os.fork() == 0:
    if sys.argv[2] != "group":
        os.setsid()
    globals()["leave_" + sys.argv[2]]()
os.read(heard, 1)
"""


def running(marker):
    """Everybody with marker on its command line, whatever its environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(marker).encode() in path.read_bytes() and alive(int(path.parent.name)):
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("adapter", ["mailbox", "activation"])
@pytest.mark.parametrize("what, said", [
    ("deep", "left 40 processes behind"), ("hops", "left "),
    ("cleared", "left 1 process behind"), ("group", None)])
def test_whatever_is_left_behind_is_found(inko, adapter, what, said):
    """However deep, however it hurries, without environment and descriptors; each counts once."""
    marker = inko.directory / "left"
    inko.call("Spawn", {"name": "a", "adapter": adapter, "restart": "never", "readyAfterUSec": 1000,
                        "command": [PYTHON, "-c", LEAVES, str(marker), what]})
    wait_until(lambda: inko.instances("a")[0].get("lastExit"))
    wait_until(lambda: not running(marker), what=lambda: running(marker))
    reason = inko.instances("a")[0]["lastExit"]
    assert (said in reason) if said else ("left" not in reason), reason


def test_what_a_sibling_started_lives_on(inko):
    """It holds the same listener, has left its parent and forgotten its environment."""
    marker = inko.directory / "left"
    code = LEAVES + "time.sleep(600)"
    inko.call("Spawn", {"name": "a", "adapter": "activation", "instances": 2, "restart": "never",
                        "readyAfterUSec": 1000, "listeners": ["tcp://127.0.0.1:0"], "drainUSec": 1000,
                        "command": [PYTHON, "-c", code, str(marker), "cleared"]})
    wait_until(lambda: len(running(marker)) == 4)
    first, second = inko.pids("a")
    inko.kill(first)
    wait_until(lambda: "left 1 process" in inko.instances("a")[0].get("lastExit", ""))
    left = running(marker)
    assert len(left) == 2 and second in left
    inko.kill(second)
    wait_until(lambda: not running(marker))


FLOOD = READY + """
line = (b"x" * 63 + b"\\n") * 1024
while True:
    os.write(2, line)
"""


def test_one_that_fills_its_standard_error(inko):
    """What it has on disk is bounded all the time, status says what is lost, others go on."""
    inko.spawn("web", HELLO)
    port = inko.listen("web")
    spawn_waiting(inko, code=FLOOD, drainUSec=100_000)
    log = inko.runtime / "log" / "a.0.log"
    most = 0

    def gigabyte():
        nonlocal most
        status = log.stat()
        most = max(most, status.st_blocks * 512)
        return status.st_size > 1 << 30

    wait_until(gigabyte)
    assert most < 512 << 20, f"{most >> 20} MiB on disk"
    assert_all_answered(inko.load(port, clients=8, connections=200).report())
    assert "of its output given up" in inko.ctl("status").stdout
    assert inko.instances("a")[0]["lostOutputBytes"] > 1 << 29
    inko.ctl("stop", "a")
    wait_until(lambda: log.stat().st_blocks * 512 < 6 << 20)
