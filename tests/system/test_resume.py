"""A supervisor that dies between deciding something of an instance and doing it: the next one does
it, and does it once."""

import contextlib
import socket
import textwrap

import pytest

from harness import PYTHON, private_inkod, wait_until
from test_contract import Contract, supervisor_pid

# So many puts no setup here takes.
PUTS_MAX = 128
TRIES = 5


class TooEarly(Exception):
    """The supervisor died in what comes before that which is looked at."""


def end_path(inko):
    """Is there when the test is over."""
    return inko.directory / "end"


def own_are_ready(inko):
    return all(a["state"] == "ready" for a in inko.status()["actors"] if a["builtin"])


def run(n, prepare, act, check):
    """Has the supervisor killed after its nth put. Did that come to pass while act was done?"""
    with private_inkod(INKO_FAULT=f"put:{n}") as inko:
        supervisor = inko.supervisor_pid()
        subject, is_early = None, True
        with contextlib.suppress(ConnectionError):
            subject = prepare(inko)
            wait_until(lambda: own_are_ready(inko))
            is_early = inko.supervisor_pid() != supervisor
        if is_early:
            end_path(inko).touch()
            wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
            raise TooEarly
        with contextlib.suppress(ConnectionError):
            act(inko, subject)
        wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
        has_died = inko.supervisor_pid() != supervisor
        try:
            check(inko, subject)
        finally:
            end_path(inko).touch()
        return has_died


def run_in_time(n, prepare, act, check):
    """What comes before may put one more or less each time, where the machine is busy."""
    for _ in range(TRIES):
        with contextlib.suppress(TooEarly):
            return run(n, prepare, act, check)
    raise AssertionError(f"what was looked at did not begin before put {n}, {TRIES} times")


def each_fault(prepare, act, check):
    """Has the supervisor killed after each of its puts in act. How many those were."""
    low, high, died = 1, PUTS_MAX, {}
    while low < high:
        middle = (low + high) // 2
        try:
            died[middle] = run(middle, prepare, act, check)
            high = middle
        except TooEarly:
            low = middle + 1
    n = low
    while died.get(n) if n in died else run_in_time(n, prepare, act, check):
        n += 1
    return n - low


def waiting_in(inko, name, n):
    """Where the n messages to that actor wait, once it is as many."""
    waiting = {i["name"]: i["messages"] for i in inko.instances(name)}
    return waiting if sum(waiting.values()) == n else None


def assert_left(inko, subject, state):
    """The first instance is in that state, and handed nothing: its sibling gets all."""
    contract, port = subject
    contract.wait_for("state", state)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    waiting = wait_until(lambda: waiting_in(inko, "contract", 4))
    assert waiting == {"contract/0": 0, "contract/1": 4}
    for client in clients:
        client.close()


@pytest.mark.parametrize("order, state", [("notify STOPPING=1", "leaving"), ("exit 1", "failed")])
def test_who_ends_leaves_its_routes_all_the_same(order, state):
    """Said before or not. One that is never started again stays so, though nobody saw how it
    ended."""
    def prepare(inko):
        contract = Contract(inko, instances=2, restart="never", stopUSec=60000000)
        return contract, inko.listen("contract")

    def act(inko, subject):
        subject[0].order(order)
        wait_until(lambda: subject[0].instance()["state"] == state)

    assert each_fault(prepare, act, lambda inko, subject: assert_left(inko, subject, state)) > 0


# Counts the stop signals that it gets, and ends when the test does.
STUBBORN = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("got SIGTERM", flush=True))
print("is there", flush=True)
if "ready" in sys.argv:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
"""


def require_begun(inko, state_before):
    """Who died before it was told to stop the actor has nothing to leave to the next one."""
    if inko.actor("a")["state"] == state_before:
        raise TooEarly


def signals(inko):
    return inko.ctl("logs", "a").stdout.count("got SIGTERM")


@pytest.mark.parametrize("state, spec", [
    ("draining", {"adapter": "activation", "drainUSec": 60000000}),
    ("terminating", {"adapter": "mailbox", "drainUSec": 1000}),
    ("terminating", {"adapter": "activation", "drainUSec": 1000}),
], ids=["draining", "after the drain", "drained on it"])
def test_one_stop_signal(state, spec):
    """However often the supervisor dies: none would be SIGKILL, and two mean at once."""
    def prepare(inko):
        inko.spawn("a", PYTHON, "-c", STUBBORN, end_path(inko), "ready",
                   stopUSec=60000000, **spec)

    def act(inko, _):
        with inko.begin_call("Stop", {"actor": "a"}):
            wait_until(lambda: inko.instances("a")[0]["state"] == state)

    def check(inko, _):
        require_begun(inko, "ready")
        wait_until(lambda: inko.instances("a")[0]["state"] == state)
        wait_until(lambda: signals(inko) > 0)
        inko.kill(inko.supervisor_pid())
        wait_until(inko.answers)
        inko.ctl("upgrade")
        assert inko.instances("a")[0]["state"] == state
        assert signals(inko) == 1

    assert each_fault(prepare, act, check) > 0


def test_a_start_that_is_broken_off_is_signalled():
    """It is not ready, and told to end by the signal alone."""
    def prepare(inko):
        call = inko.begin_call("Spawn", {"name": "a", "startUSec": 60000000, "stopUSec": 60000000,
                                         "command": [PYTHON, "-c", STUBBORN, str(end_path(inko))]})
        wait_until(lambda: "is there" in inko.ctl("logs", "a", check=False).stdout)
        return call

    def act(inko, _):
        with inko.begin_call("Stop", {"actor": "a"}):
            wait_until(lambda: inko.instances("a")[0]["state"] == "terminating")

    def check(inko, call):
        call.close()
        require_begun(inko, "starting")
        wait_until(lambda: signals(inko) > 0)

    assert each_fault(prepare, act, check) > 0
