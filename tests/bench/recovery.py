"""How long control does not answer: when the supervisor is killed, and while inkod is upgraded."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import time

from harness import ACTORS, BRIEF, BUILD, DEADLINE, Inkod

# Actors, of one instance each, and what the median may be of them, in milliseconds.
BOUNDS = {100: 50, 1000: 200}
# Between two kills: a supervisor that served for less is taken for one that is no good.
REST_SECONDS = 0.2
# Between two questions while it is upgraded, so that they do not hold it up.
PAUSE_SECONDS = 0.001


@contextlib.contextmanager
def running(n):
    """An inkod with so many actors."""
    inko = Inkod()
    try:
        inko.start()
        for number in range(n):
            inko.spawn(f"a{number}", ACTORS / "notifier", **BRIEF)
        inko.settle()
        yield inko
        inko.stop()
    finally:
        inko.abandon(show=False)


def ask(inko, parameters):
    """GetStatus's reply as it came, or None when who was to answer has gone."""
    answer = b""
    with contextlib.suppress(ConnectionError, FileNotFoundError), \
            inko.varlink(timeout=DEADLINE) as control:
        control.send("GetStatus", parameters)
        while part := control.socket.recv(1 << 20):
            answer += part
            if part.endswith(b"\0"):
                return answer
    return None


def supervisor_of(answer):
    return int(re.search(rb'"supervisorPid":(\d+)', answer)[1])


def time_a_kill(inko):
    """Until the next one has said how everything is."""
    victim = inko.supervisor_pid()
    time.sleep(REST_SECONDS)
    begun = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    while not (answer := ask(inko, {})) or supervisor_of(answer) == victim:
        pass
    return time.monotonic() - begun


def time_an_upgrade(inko):
    """The longest time between two answers, until inkoctl has said that it is done."""
    time.sleep(REST_SECONDS)
    last, longest = time.monotonic(), 0
    with subprocess.Popen([BUILD / "inkoctl", "--json", "upgrade"], env=inko.environment,
                          stdout=subprocess.PIPE) as upgrade:
        while upgrade.poll() is None:
            answered = ask(inko, {"actor": "gateway"})
            now = time.monotonic()
            longest = max(longest, now - last)
            last = now if answered else last
            time.sleep(PAUSE_SECONDS)
        done = json.loads(upgrade.stdout.read())
    assert done["supervisorPid"] != done["before"]["supervisorPid"], done
    return longest


def measure(rounds):
    """The times of each, interleaved."""
    times = {(what, n): [] for what in (time_a_kill, time_an_upgrade) for n in (0, *BOUNDS)}
    with contextlib.ExitStack() as stack:
        inkods = {n: stack.enter_context(running(n)) for n in (0, *BOUNDS)}
        for _ in range(rounds):
            for (what, n), taken in times.items():
                taken.append(1000 * what(inkods[n]))
    return times


def bench(rounds):
    times = measure(rounds)
    start = statistics.median(times[time_a_kill, 0])
    held = True
    print(f"{'':40}{'median ms':>12}{'worst':>8}{'bound':>8}{'of a start':>12}")
    for (what, n), taken in times.items():
        name = f"{n} actors, " + ("killed" if what is time_a_kill else "upgraded")
        median, bound = statistics.median(taken), BOUNDS.get(n)
        held = held and (not bound or median <= bound)
        print(f"{name:40}{median:12.1f}{max(taken):8.1f}{bound or '':>8}{median / start:12.1f}")
    print(f"\nuntil control answers again, {rounds} times each; a start is that of the supervisor "
          "of 0 actors\n")
    return held
