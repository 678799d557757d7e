"""What inkod costs while nothing happens."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from harness import ACTORS, BUILD, SANITIZED, cpu_nanoseconds, wait_until
from resources import private_dirty_kib

SECONDS = 3
# What was just changed is looked after for a moment.
REST_SECONDS = 2
KIB_OF_BOTH = 2048
KIB_OF_LIBINKO = 200


def ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def with_two_actors(inko):
    """The pids of keeper and supervisor, after everything has come to rest."""
    for name in ("web", "other"):
        inko.spawn(name, BUILD / "http-hello")
    inko.listen("web")
    inko.settle()
    status = inko.status()
    return [status["keeperPid"], status["supervisorPid"]]


def test_idle_uses_no_time(inko):
    pids = with_two_actors(inko)
    everybody = pids + inko.pids("web") + inko.pids("other") + inko.pids("acceptor")
    time.sleep(REST_SECONDS)
    before = {pid: (ticks(pid), cpu_nanoseconds(pid)) for pid in everybody}
    time.sleep(SECONDS)
    after = {pid: (ticks(pid), cpu_nanoseconds(pid)) for pid in everybody}
    assert after == before


def test_idle_again_after_load(inko):
    """No timer and no watch is left running when the load is over."""
    pids = with_two_actors(inko)
    port = inko.listen("other")
    inko.load(port, connections=3000).report()
    inko.kill(inko.pids("web")[0])
    wait_until(lambda: inko.ready("web"))
    time.sleep(REST_SECONDS)
    before = [(ticks(pid), cpu_nanoseconds(pid)) for pid in pids]
    time.sleep(1)
    assert [(ticks(pid), cpu_nanoseconds(pid)) for pid in pids] == before


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not inkod's")
def test_memory_of_inkod(inko):
    pids = with_two_actors(inko)
    sizes = [private_dirty_kib(pid) for pid in pids]
    assert sum(sizes) < KIB_OF_BOTH, sizes


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not inkod's")
def test_cost_of_the_library(inko):
    """An idle actor against a program that only waits."""
    inko.spawn("web", BUILD / "http-hello")
    pid = inko.pids("web")[0]
    plain = subprocess.Popen([ACTORS / "pause"])
    try:
        wait_until(lambda: Path(f"/proc/{plain.pid}/wchan").exists()
                   and Path(f"/proc/{plain.pid}/comm").read_text() == "pause\n")
        time.sleep(0.1)
        added = private_dirty_kib(pid) - private_dirty_kib(plain.pid)
    finally:
        plain.kill()
        plain.wait()
    assert added < KIB_OF_LIBINKO, added
    assert len(os.listdir(f"/proc/{pid}/task")) == 1
