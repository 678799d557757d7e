"""Which losses the table explains. Pure: what was lost and who died go in, what is left comes out.

A death explains one loss at most, except the gateway's, which explains one run of messages: those
that followed each other and were on their way through it.
"""

import contextlib
import functools
import socket
from collections import Counter
from dataclasses import dataclass

from harness import fnv1a

# How a connection ends that its server let go of. Nothing explains a client that was refused, or
# that was still waiting when its time was up.
DROPPED = ("reset", "empty", "cut")

# What the sender pushes, and what nng's ipc sends with each. Its sockets and pipes have a message
# or two each in both processes, and the gateway has one.
MESSAGE_BYTES = 8
NNG_HEADER_BYTES = 9
NNG_HANDS = 8


@dataclass
class Client:
    """One that got no whole answer."""
    name: str
    outcome: str
    at_usec: int
    begun: bool = False         # an instance wrote that it began to serve it
    holder: int | None = None   # the pid of the one that did and never wrote that it ended

    def __str__(self):
        served = f"in the hands of {self.holder}" if self.holder else \
            "served to the end" if self.begun else "never seen by an instance"
        return f"client {self.name} {self.outcome} at {self.at_usec}, {served}"


@dataclass
class Run:
    """Messages that followed each other and never arrived."""
    first: int
    n: int
    since_usec: int             # nng took the first of them
    until_usec: float           # and the first after them

    def __str__(self):
        return (f"{self.n} messages from number {self.first}, taken from {self.since_usec} to "
                f"{self.until_usec}")


class Ledger:
    """What the recorder wrote after the first offset bytes: of the clients that are asked for, and
    of all messages."""

    def __init__(self, path, offset, clients):
        self.n_begun = 0
        self.begun, self.holders, self.messages = set(), {}, Counter()
        wanted = set(clients)
        with open(path) as record:
            record.seek(offset)
            for line in record:
                what, _, pid, detail, *rest = line.split()
                if what == "message":
                    self.messages[rest[0]] += 1
                    continue
                self.n_begun += what == "begin"
                if detail not in wanted:
                    continue
                if what == "begin":
                    self.begun.add(detail)
                    self.holders[detail] = int(pid)
                else:
                    self.holders.pop(detail, None)


def find_clients(report, ledger):
    return [Client(f["client"], f["outcome"], f["atUSec"], f["client"] in ledger.begun,
                   ledger.holders.get(f["client"])) for f in report["failures"]]


def find_runs(sent, ledger):
    """Of the messages that nng took, sent[n] at that time."""
    runs = []
    for number, usec in enumerate(sent):
        if fnv1a(b"%08d" % number) in ledger.messages:
            continue
        if not runs or runs[-1].first + runs[-1].n != number:
            runs.append(Run(number, 0, usec, 0))
        runs[-1].n += 1
        after = number + 1
        runs[-1].until_usec = sent[after] if after < len(sent) else float("inf")
    return runs


def count_doubled(report, ledger):
    """Connections that were served twice, and messages that came twice."""
    lost_begun = sum(f["client"] in ledger.begun for f in report["failures"])
    return (ledger.n_begun - report["answered"] - lost_begun,
            sum(n - 1 for n in ledger.messages.values()))


@dataclass
class Death:
    """Of one process, by a blow, and the time that what it costs falls into: what was lost to it
    was sent after the blow before, and is missed before the next."""
    pid: int
    previous_usec: int
    at_usec: int
    restored_usec: int
    next_usec: float

    def suits_client(self, client):
        return client.outcome in DROPPED and self.at_usec <= client.at_usec < self.next_usec

    def suits_run(self, run):
        return self.previous_usec <= run.since_usec <= self.restored_usec


class Deaths:
    """Each explains one thing."""

    def __init__(self, blows):
        times = [0, *(blow.at_usec for blow in blows), float("inf")]
        self.left = [Death(pid, times[n], blow.at_usec, blow.restored_usec, times[n + 2])
                     for n, blow in enumerate(blows) if blow.died for pid in blow.pids]

    def explain(self, suits):
        """One that suits is used up."""
        for death in self.left:
            if suits(death):
                self.left.remove(death)
                return True
        return False


# What the death of each may cost. Each takes the clients and runs of messages that were lost and
# the blows, and returns those that it does not explain.

def nothing(clients, runs, blows):
    return clients + runs


def one_in_hands(clients, runs, blows):
    """An instance: the one connection or message that it had received. Either it wrote that it
    began with it, or it died in between."""
    deaths = Deaths(blows)

    def explains_client(client):
        return deaths.explain(lambda death: death.suits_client(client) and
                              (not client.begun or death.pid == client.holder))

    def explains_run(run):
        return run.n == 1 and deaths.explain(lambda death: death.suits_run(run))

    # Those that name who had them come first: they leave the others no choice.
    rest = [c for c in sorted(clients, key=lambda c: not c.begun) if not explains_client(c)]
    return rest + [run for run in runs if not explains_run(run)]


def one_accepted(clients, runs, blows):
    """The acceptor: the one connection that it had accepted and not handed on, which therefore no
    instance has seen."""
    deaths = Deaths(blows)

    def explains(client):
        return not client.begun and deaths.explain(lambda death: death.suits_client(client))

    return [client for client in clients if not explains(client)] + runs


@functools.cache
def most_in_flight():
    """How many messages can be on their way from nng to nng: the kernel's queue, which is measured,
    and what the two processes have in their hands."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    n = 0
    with ours, theirs, contextlib.suppress(BlockingIOError):
        ours.setblocking(False)
        while True:
            ours.send(bytes(NNG_HEADER_BYTES + MESSAGE_BYTES))
            n += 1
    return n + NNG_HANDS


def unacknowledged(clients, runs, blows):
    """The gateway: the messages that nng had taken from the sender and the gateway not handed on.
    They are one run, no longer than what can be on its way, which began before the next gateway
    was there, and what nng took after it was taken after the death."""
    deaths = Deaths(blows)

    def explains(run):
        return run.n <= most_in_flight() and deaths.explain(
            lambda death: death.suits_run(run) and death.at_usec <= run.until_usec)

    return clients + [run for run in runs if not explains(run)]
