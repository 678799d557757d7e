"""The cells of the matrix: what is struck, how, and what that may cost by the table of README.md.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import account
from harness import alive, wait_until

INSTANCES = 4


@dataclass
class Blow:
    """What one round did: since when, to whom, and until all was as before."""
    at_usec: int
    pids: list
    died: bool
    restored_usec: int = 0


def now_usec():
    return time.monotonic_ns() // 1000


# Who is struck in round number n. Instances in turn, so that each lives long enough to be started
# again at once.

def one_instance(service, n):
    return [service.pids("web")[n % INSTANCES]]


def all_instances(service, _):
    return service.pids("web")


def acceptor(service, _):
    return service.pids("acceptor")


def gateway(service, _):
    return service.pids("gateway")


def supervisor(service, _):
    return [service.supervisor_pid()]


def keeper(service, _):
    return [service.keeper_pid()]


# How.

def send(number):
    """The end of a process by a signal, its clean stop too if that is what it is."""
    def strike(service, pids, _):
        for pid in pids:
            os.kill(pid, number)
        wait_until(lambda: not any(map(alive, pids)), what=lambda: f"{pids} end")
        return True
    return strike


def stop_and_continue(service, pids, options):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(options.stopped_seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    return False


def scale_down_and_up(service, pids, _):
    """The stop procedure, which nobody asks for one instance by its name: it is the last one's."""
    service.ctl("scale", "web", INSTANCES - 1)
    service.ctl("scale", "web", INSTANCES)
    return False


def restart(service, pids, _):
    service.ctl("restart", "web")
    return False


def roll(service, pids, _):
    service.ctl("restart", "web", "--rolling")
    return False


def leave(service, pids, _):
    service.tell_keeper_to_leave(pids[0])
    wait_until(lambda: not alive(pids[0]), what="the keeper left")
    return True


TERMINATE = send(signal.SIGTERM)


@dataclass(frozen=True)
class Target:
    """Who that is, what his death may cost, what a clean stop of him is, and what that may cost."""
    find: Callable
    death_cost: Callable
    stop: Callable
    stop_cost: Callable = account.nothing


TARGETS = {
    "instance": Target(one_instance, account.one_in_hands, scale_down_and_up),
    "all instances": Target(all_instances, account.one_in_hands, restart),
    "acceptor": Target(acceptor, account.one_accepted, TERMINATE),
    # What nng took from the sender it does not give back, however its socket is closed.
    "gateway": Target(gateway, account.unacknowledged, TERMINATE, account.unacknowledged),
    "supervisor": Target(supervisor, account.nothing, TERMINATE),
    "keeper": Target(keeper, account.nothing, leave),
}

STRIKES = {
    "SIGKILL": send(signal.SIGKILL),
    "SIGSEGV": send(signal.SIGSEGV),
    "SIGSTOP": stop_and_continue,
    "clean stop": None,
    "rolling restart": roll,
}


@dataclass(frozen=True)
class Cell:
    what: str
    how: str

    def __str__(self):
        return f"{self.what}, {self.how}"

    def strike(self, service, n, options):
        target = TARGETS[self.what]
        pids = target.find(service, n)
        assert pids and all(alive(pid) for pid in pids), f"{self}: {pids}"
        blow = Blow(now_usec(), pids, False)
        blow.died = (STRIKES[self.how] or target.stop)(service, pids, options)
        return blow

    def explain(self):
        """What finds the losses that its rounds explain (account.py)."""
        target = TARGETS[self.what]
        return {"SIGKILL": target.death_cost, "SIGSEGV": target.death_cost,
                "clean stop": target.stop_cost}.get(self.how, account.nothing)


CELLS = [Cell(what, how) for what in TARGETS for how in STRIKES if how != "rolling restart"]
CELLS.append(Cell("all instances", "rolling restart"))
