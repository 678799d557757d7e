"""Plays a cell: strikes under load, waits until things are as before, again and again, and counts.

Every number is measured: what became of each client is the load's word, what was in whose hands is
the record that the instances wrote, and which messages nng took is the sender's word.
"""

import random
import time
from dataclasses import dataclass, field

import account
from cells import INSTANCES, now_usec
from harness import ACTORS, alive, wait_until
from resources import Resources
from traffic import Traffic

# Started again at once, for ever: more is killed here than ever fails by itself.
PATIENT = {"backoffUSec": 10_000, "intensity": 0}
# Between all is as before and the next blow. An instance that was ready for less than ten times its
# backoff is started again later and later.
QUIET_SECONDS = (0.1, 0.25)
WARM_UP_SECONDS = 0.3


@dataclass
class Options:
    rounds: int = 25
    clients: int = 64
    stopped_seconds: float = 1.0
    seed: int = field(default_factory=lambda: random.randrange(1 << 32))


@dataclass
class Result:
    rounds: int = 0
    connections: int = 0
    answered: int = 0
    refused: int = 0
    reset: int = 0
    slowest_usec: int = 0
    messages: int = 0
    messages_lost: int = 0
    beyond: list = field(default_factory=list)  # what the table does not explain
    growth: list = field(default_factory=list)

    def add(self, report, messages, runs, beyond, rounds):
        self.rounds += rounds
        self.connections += report["connections"]
        self.answered += report["answered"]
        self.refused += report["refused"]
        self.reset += sum(report[outcome] for outcome in account.DROPPED)
        self.slowest_usec = max(self.slowest_usec, report["slowestUSec"])
        self.messages += messages
        self.messages_lost += sum(run.n for run in runs)
        self.beyond += beyond

    def holds(self):
        return not self.beyond and not self.growth


def shape(service):
    """What status says of what there is and how it is, but for what a death or a roll changes for
    good; and the pids."""
    status = service.status()
    pids = [status["keeperPid"], status["supervisorPid"]]
    pids += [i.get("pid") for a in status["actors"] for i in a["instances"]]
    return [[(a["name"], a["state"], [i["state"] for i in a["instances"]])
             for a in status["actors"]], status["listeners"]], pids


def wait_until_as_before(service, before, blow):
    """The same objects in the same states, all alive, and nobody of the dead among them."""
    def is_as_before():
        now, pids = shape(service)
        return (now == before and all(pid and alive(pid) for pid in pids)
                and not (blow.died and set(blow.pids) & set(pids)))

    wait_until(is_as_before, what=lambda: f"all is as before: {before}, but {shape(service)}")


def judge(cell, report, sent, blows, ledger):
    """The runs of messages that were lost, and what is lost beyond the table, in words."""
    runs = account.find_runs(sent, ledger)
    clients = account.find_clients(report, ledger)
    beyond = [str(loss) for loss in cell.explain()(clients, runs, blows)]
    unnamed = report["connections"] - report["answered"] - len(clients)
    doubled, doubled_messages = account.count_doubled(report, ledger)
    if unnamed:
        beyond.append(f"{unnamed} clients without an answer that the load does not name")
    if doubled:
        beyond.append(f"{doubled} connections served twice")
    if doubled_messages:
        beyond.append(f"{doubled_messages} messages received twice")
    return runs, beyond


def settle(cell, traffic, blows):
    """Ends the traffic and judges, when messages have had the time to arrive."""
    report, sent = traffic.stop()
    verdict = None

    def arrived():
        nonlocal verdict
        names = [failure["client"] for failure in report["failures"]]
        verdict = judge(cell, report, sent, blows,
                        account.Ledger(traffic.record, traffic.offset, names))
        return not verdict[1]

    try:
        wait_until(arrived, timeout=5)
    except AssertionError:
        pass
    return report, len(sent), *verdict


def warm_up(service, port, record, clients):
    traffic = Traffic(service, port, record, clients)
    try:
        traffic.wait_until_it_flows()
        time.sleep(WARM_UP_SECONDS)
        report, _ = traffic.stop()
        assert report["answered"] == report["connections"], report
        wait_until(lambda: sum(i["messages"] for i in service.instances("web")) == 0)
    finally:
        traffic.end()


def play_rounds(cell, service, options, result):
    """On an inkod that has just started. The pids that were struck."""
    chance = random.Random(f"{options.seed} {cell}")
    record = service.record()
    service.spawn("web", ACTORS / "recorder", "--record", record, instances=INSTANCES, **PATIENT)
    port = service.listen("web")
    service.settle()
    warm_up(service, port, record, options.clients)
    held = Resources(service)
    before, _ = shape(service)
    traffic = Traffic(service, port, record, options.clients)
    blows = []
    try:
        traffic.wait_until_it_flows()
        for n in range(options.rounds):
            time.sleep(chance.uniform(*QUIET_SECONDS))
            blow = cell.strike(service, n, options)
            wait_until_as_before(service, before, blow)
            traffic.wait_until_it_flows()
            blow.restored_usec = now_usec()
            blows.append(blow)
        result.add(*settle(cell, traffic, blows), options.rounds)
    finally:
        traffic.end()
    result.growth += held.wait_for_none()
    return {pid for blow in blows for pid in blow.pids}


def play(cell, make_service, options):
    """All rounds of a cell. Raises AssertionError when inkod does not come back."""
    result = Result()
    service = make_service()
    ended = False
    try:
        service.start()
        struck = play_rounds(cell, service, options, result)
        service.stop()
        service.check_log(struck)
        ended = True
    finally:
        service.abandon(show=not ended)
    return result
