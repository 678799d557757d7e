"""The kill matrix in short: every cell of `make kill-matrix`, a few rounds each."""

import os
import re
import subprocess
import sys

import pytest

from harness import BUILD, SANITIZED, SOURCE
from inside_systemd import SKIPPED

sys.path.insert(0, str(SOURCE / "tests" / "matrix"))

from cells import CELLS, Blow  # noqa: E402
from play import Options, play  # noqa: E402
from service import Alone  # noqa: E402
import account  # noqa: E402

# Of each target one; a SIGSTOP is the same whoever is in charge.
BESIDE_SYSTEMD = ("instance, SIGSEGV", "all instances, clean stop", "acceptor, clean stop",
                  "gateway, SIGKILL", "supervisor, SIGKILL", "keeper, clean stop")
SHORT = {"rounds": 2, "clients": 32, "stopped_seconds": 0.2}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell, seeded):
    if SANITIZED and cell.how == "SIGSEGV":
        pytest.skip("a sanitizer takes SIGSEGV for itself")
    result = play(cell, Alone, Options(seed=seeded.randrange(1 << 32), **SHORT))
    assert result.connections > 0 and result.messages > 0
    assert not result.beyond and not result.growth, result


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's look for leaks may hang beside systemd")
def test_beside_systemd():
    result = subprocess.run(
        [SOURCE / "tests" / "matrix" / "run", "--under", "systemd", "--rounds", "2",
         *(f"--only={cell}" for cell in BESIDE_SYSTEMD)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        env={**os.environ, "INKO_BUILD": str(BUILD)})
    print(result.stdout, result.stderr)
    if result.returncode == SKIPPED:
        pytest.skip(re.search(r"^skipped: (.*)", result.stdout, re.M)[1])
    assert result.returncode == 0 and f"{len(BESIDE_SYSTEMD)} cells hold, 0 do not" in result.stdout


# What the matrix is to be, in words of its own: CELLS is made of tables that may lose a line.
WHOLE = {f"{what}, {how}"
         for what in ("instance", "all instances", "acceptor", "gateway", "supervisor", "keeper")
         for how in ("SIGKILL", "SIGSEGV", "SIGSTOP", "clean stop")}
WHOLE.add("all instances, rolling restart")
# Those that may cost anything: a death, and of clean stops that of the gateway alone.
COSTLY = {f"{what}, {how}" for what in ("instance", "all instances", "acceptor", "gateway")
          for how in ("SIGKILL", "SIGSEGV")}
COSTLY.add("gateway, clean stop")


def test_matrix_is_whole():
    assert len(CELLS) == len(WHOLE) and set(map(str, CELLS)) == WHOLE


def test_nothing_else_is_excused():
    assert {str(cell) for cell in CELLS if cell.explain() is not account.nothing} == COSTLY


# The accounting itself: a matrix that explains too much would show zeros whatever was lost.

def lost(outcome="reset", at=15, begun=False, holder=None):
    return account.Client("127.0.0.1:1", outcome, at, begun, holder)


KILLED = Blow(10, [7], True, 20)
AGAIN = Blow(30, [8], True, 40)
STOPPED = Blow(10, [7], False, 20)
RECORDED = {"begun": True, "holder": 7}
SERVED = {"begun": True}


@pytest.mark.parametrize("rule, clients, blows, n_left", [
    (account.one_in_hands, [lost(**RECORDED)], [KILLED], 0),
    (account.one_in_hands, [lost()], [KILLED], 0),
    (account.one_in_hands, [lost(), lost(**RECORDED)], [KILLED], 1),
    (account.one_in_hands, [lost(begun=True, holder=8)], [KILLED], 1),
    (account.one_in_hands, [lost(**SERVED)], [KILLED], 1),
    (account.one_in_hands, [lost(at=9)], [KILLED], 1),
    (account.one_in_hands, [lost("refused")], [KILLED], 1),
    (account.one_in_hands, [lost("timedOut", **RECORDED)], [KILLED], 1),
    (account.one_in_hands, [lost(**RECORDED)], [STOPPED], 1),
    (account.one_in_hands, [lost(at=35), lost(at=36)], [KILLED, AGAIN], 1),
    (account.one_in_hands, [lost(), lost(at=35)], [KILLED, AGAIN], 0),
    (account.one_accepted, [lost()], [KILLED], 0),
    (account.one_accepted, [lost(), lost()], [KILLED], 1),
    (account.one_accepted, [lost(**RECORDED)], [KILLED], 1),
    (account.one_accepted, [lost("refused")], [KILLED], 1),
    (account.unacknowledged, [lost()], [KILLED], 1),
    (account.nothing, [lost()], [KILLED], 1),
])
def test_clients_explained(rule, clients, blows, n_left):
    assert len(rule(clients, [], blows)) == n_left


@pytest.mark.parametrize("rule, run, n_left", [
    (account.unacknowledged, account.Run(5, 3, 9, 25), 0),
    (account.unacknowledged, account.Run(5, account.most_in_flight(), 9, 25), 0),
    (account.unacknowledged, account.Run(5, account.most_in_flight() + 1, 9, 25), 1),
    (account.unacknowledged, account.Run(5, 3, 41, 45), 1),
    (account.unacknowledged, account.Run(5, 3, 5, 9), 1),
    (account.unacknowledged, account.Run(5, 3, 21, 29), 1),
    (account.one_in_hands, account.Run(5, 1, 9, 25), 0),
    (account.one_in_hands, account.Run(5, 1, 41, 45), 1),
    (account.one_in_hands, account.Run(5, 2, 9, 25), 1),
    (account.one_accepted, account.Run(5, 1, 9, 25), 1),
])
def test_messages_explained(rule, run, n_left):
    assert len(rule([], [run], [KILLED, AGAIN])) == n_left


def test_ledger(tmp_path):
    record = tmp_path / "record"
    hashes = [account.fnv1a(b"%08d" % n) for n in range(5)]
    lines = ["begin web/0 1 a", "begin web/0 1 b", "end web/0 1 b", "begin web/1 2 c",
             *(f"message web/0 1 8 {hashes[n]}" for n in (0, 3, 3))]
    record.write_text("begin web/0 1 earlier\n" + "".join(f"{line}\n" for line in lines))
    ledger = account.Ledger(record, len("begin web/0 1 earlier\n"), ["a", "b", "d"])
    assert ledger.begun == {"a", "b"} and ledger.holders == {"a": 1} and ledger.n_begun == 3
    runs = account.find_runs([10, 20, 30, 40, 50], ledger)
    assert [(r.first, r.n, r.since_usec, r.until_usec) for r in runs] == \
        [(1, 2, 20, 40), (4, 1, 50, float("inf"))]
    report = {"answered": 1, "failures": [{"client": "a"}, {"client": "d"}]}
    assert account.count_doubled(report, ledger) == (1, 1)
