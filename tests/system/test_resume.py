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


class TooEarly(Exception):
    """The supervisor died in what comes before that which is looked at."""


def run(n, prepare, act, check):
    """Has the supervisor killed after its nth put. Did that come to pass while act was done?"""
    with private_inkod(INKO_FAULT=f"put:{n}") as inko:
        supervisor = inko.supervisor_pid()
        subject, is_early = None, True
        with contextlib.suppress(ConnectionError):
            subject = prepare(inko)
            inko.settle()
            is_early = inko.supervisor_pid() != supervisor
        if is_early:
            wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
            inko.settle()
            raise TooEarly
        with contextlib.suppress(ConnectionError):
            act(inko, subject)
        wait_until(lambda: supervisor_pid(inko), what="a supervisor answers")
        check(inko, subject)
        return supervisor_pid(inko) != supervisor


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
    while died.get(n) if n in died else run(n, prepare, act, check):
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
