"""What is tried where the numbers of processes are given again: inside_pids.py CASE, as the first
process of a pid namespace of its own. See test_pids.py, which runs them.

Instances die while the supervisor is stopped, and strangers get their numbers before it, or the
next one, finds out.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import (ACTORS, PYTHON, private_inkod, process_state, programs_on_this_kernel,
                     wait_until, without_pidfd_info)
from test_contract import replace_supervisor, supervisor_pid

SKIPPED = 77
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
PATIENT = {"backoffUSec": 10_000, "intensity": 0}
BY_KILL, UNSEEN = "killed by SIGKILL", "ended, nobody saw how"


def stop(inko, pid):
    inko.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process_state(pid) == "T")


def end(inko, pid):
    """Kills it and has it waited for, by its parent or by this process, so that its number is
    free."""
    inko.kill(pid)

    def is_gone():
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return process_state(pid) == "X"

    wait_until(is_gone, what=f"{pid} was waited for")


def give_number(pid, *command):
    """A stranger of that number, in a process group of its own, so that it is hit by who means
    that number's group, too."""
    for _ in range(100):
        LAST_PID.write_text(str(pid - 1))
        stranger = subprocess.Popen(command, start_new_session=True)
        if stranger.pid == pid:
            return stranger
        # Somebody else was started in between.
        stranger.kill()
        stranger.wait()
    raise AssertionError(f"nobody gets {pid}")


def give_to_all(victims):
    """Half of the strangers live on, and half have ended when one looks: of such a one the kernel
    tells how, until it is waited for, which Popen does when it is let go of."""
    living = [give_number(pid, "sleep", "1000") for pid in victims[::2]]
    ended = [give_number(pid, "sh", "-c", "exit 7") for pid in victims[1::2]]
    wait_until(lambda: all(process_state(s.pid) == "Z" for s in ended))
    return living, ended


def assert_unharmed(strangers):
    """By a signal that ends them, or stops them."""
    states = [process_state(stranger.pid) for stranger in strangers]
    assert strangers and set(states) <= set("RSD"), states


def orphan(inko):
    """Has it that neither keeper nor supervisor is the parent of what runs, but this process."""
    inko.kill(inko.keeper.pid)
    inko.keeper.wait()
    inko.begin()
    wait_until(lambda: inko.keeper_pid() == inko.keeper.pid and inko.status()["keeperVersion"],
               what="the next keeper has said who it is")
    replace_supervisor(inko)


def give_again(inko, is_orphan, is_for_next, how):
    """Two die; it is noticed, they are started again, and nobody else comes to harm when the actor
    goes."""
    inko.spawn("web", ACTORS / "recorder", instances=3, **PATIENT)
    # Else its own children wait for it.
    (orphan if is_orphan else replace_supervisor)(inko)
    supervisor, victims = inko.supervisor_pid(), inko.pids("web")[:2]
    keeper, third = inko.keeper_pid(), inko.pids("web")[2]
    stop(inko, supervisor)
    for pid in victims:
        end(inko, pid)
    if is_for_next:
        stop(inko, keeper)
        inko.kill(supervisor)
    strangers, zombies = give_to_all(victims)
    os.kill(keeper if is_for_next else supervisor, signal.SIGCONT)
    wait_until(lambda: supervisor_pid(inko) not in ((0, supervisor) if is_for_next else (0,)))
    for pid in victims:
        inko.wait_restarted("web", pid)
    instances = inko.instances("web")
    assert [(i["restarts"], i.get("lastExit")) for i in instances] == \
        [(1, how)] * 2 + [(0, None)], instances
    assert instances[2]["pid"] == third
    assert all(process_state(zombie.pid) == "Z" for zombie in zombies)
    assert_unharmed(strangers)
    inko.ctl("stop", "web")
    inko.ctl("remove", "web")
    assert_unharmed(strangers)


def stop_what_is_gone(inko):
    """It is asked for before the end is known, so that the stop signal is sent first."""
    inko.spawn("web", ACTORS / "notifier", adapter="activation", **PATIENT)
    replace_supervisor(inko)
    supervisor, victim = inko.supervisor_pid(), *inko.pids("web")
    with inko.varlink() as control:
        # It is accepted by now.
        control.call("GetStatus")
        stop(inko, supervisor)
        control.send("Stop", {"actor": "web"})
        end(inko, victim)
        strangers, _ = give_to_all([victim])
        os.kill(supervisor, signal.SIGCONT)
        assert "error" not in control.receive()
    assert inko.actor("web")["state"] == "stopped"
    assert_unharmed(strangers)
    inko.ctl("remove", "web")
    assert_unharmed(strangers)


# Has its child start another when the first file is there, which ends when the second is; then
# inkod is its parent.
MOTHER = """
import os, socket, sys, time
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)
    return path
if os.fork() == 0:
    wait_for(sys.argv[1])
    if os.fork() == 0:
        wait_for(sys.argv[2])
        os._exit(7)
    os._exit(0)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
os.wait()
time.sleep(1000)
"""


def end_beneath_the_same_keeper(inko):
    """The keeper waits for two of the same number, and tells of each what it was."""
    first, second = inko.directory / "first", inko.directory / "second"
    inko.spawn("web", ACTORS / "recorder", **PATIENT)
    inko.spawn("mother", PYTHON, "-c", MOTHER, first, second, drainUSec=1000)
    replace_supervisor(inko)
    supervisor, victim = inko.supervisor_pid(), *inko.pids("web")
    stop(inko, supervisor)
    end(inko, victim)
    # Nobody else starts anything now.
    LAST_PID.write_text(str(victim - 1))
    first.touch()
    wait_until(lambda: process_state(victim) != "X", what="there is another of that number")
    second.touch()
    wait_until(lambda: process_state(victim) == "X", what="the keeper waited for it")
    inko.kill(supervisor)
    wait_until(lambda: supervisor_pid(inko) not in (0, supervisor))
    inko.wait_restarted("web", victim)
    assert inko.instances("web")[0]["lastExit"] == BY_KILL


def tells_kernel():
    """Does it tell who is not the parent how a process ended that was waited for (6.15)?"""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 15)


def make_cases():
    """What is to be called with an inkod, and which programs that is to have."""
    for is_orphan, is_for_next, programs_on in itertools.product(
            (False, True), (False, True), (programs_on_this_kernel, without_pidfd_info)):
        is_told = not is_orphan or programs_on is programs_on_this_kernel and tells_kernel()
        name = f"{'nobody' if is_orphan else 'the keeper'} tells, " \
               f"{'the next' if is_for_next else 'the same'} supervisor, {programs_on.__name__}"
        how = BY_KILL if is_told else UNSEEN
        yield name, (programs_on, lambda inko, orphan=is_orphan, for_next=is_for_next, how=how:
                     give_again(inko, orphan, for_next, how))
    for case in stop_what_is_gone, end_beneath_the_same_keeper:
        yield case.__name__, (without_pidfd_info, case)


CASES = dict(make_cases())


def main():
    assert os.getpid() == 1
    try:
        LAST_PID.write_text("1000")
    except OSError as error:
        print(f"skipped: {LAST_PID} cannot be written: {error}")
        return SKIPPED
    programs_on, case = CASES[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="ik-") as directory:
        os.chmod(directory, 0o711)
        with private_inkod(programs_on(Path(directory))) as inko:
            case(inko)
    return 0


if __name__ == "__main__":
    sys.exit(main())
