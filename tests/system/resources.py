"""What the processes of a service hold, to compare before and after."""

import time
from pathlib import Path

from harness import SANITIZED, alive, count_descriptors, wait_until

# What a process may have grown by: malloc's and nng's own caches, in pages that were touched for
# the first time. A sanitizer keeps what was freed, so that it says nothing there.
MEMORY_TOLERANCE_KIB = 512
# What one may have more than the one in whose place it is, which has done no less (8 KiB were seen
# where both are small), or a share of what a large one has.
REPLACED_TOLERANCE_KIB = 128
REPLACED_SHARE = 0.1
LOOKS = 5


def private_dirty_kib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError(f"no Private_Dirty of {pid}")


def find_processes(service):
    """By name: inkod's own two, and each instance."""
    status = service.status()
    pids = {"keeper": status["keeperPid"], "supervisor": status["supervisorPid"]}
    for actor in status["actors"]:
        pids.update({i["name"]: i["pid"] for i in actor["instances"] if i.get("pid")})
    return {name: pid for name, pid in pids.items() if alive(pid)}


class Resources:
    def __init__(self, service):
        self.service = service
        self.pids = find_processes(service)
        self.descriptors = self.count()
        self.kib = {name: private_dirty_kib(pid) for name, pid in self.pids.items()}

    def count(self):
        """The fewest of some looks: a connection to the control socket that was just closed may be
        still there at the other end."""
        looks = []
        for _ in range(LOOKS):
            time.sleep(0.01)
            looks.append({name: count_descriptors(pid) for name, pid in self.pids.items()})
        return {name: min(look[name] for look in looks) for name in self.pids}

    def tolerance(self, now, name):
        if now.pids[name] == self.pids[name]:
            return MEMORY_TOLERANCE_KIB
        return max(REPLACED_TOLERANCE_KIB, REPLACED_SHARE * self.kib[name])

    def more_memory(self, now):
        """One line for each that has more than then, whichever process has the name now."""
        more = {name: kib - self.kib[name] for name, kib in now.kib.items() if name in self.kib}
        return [f"{name} has {kib} KiB more private memory" for name, kib in more.items()
                if kib > self.tolerance(now, name) and not SANITIZED]

    def growth(self):
        """The same of descriptors, too."""
        now = Resources(self.service)
        return self.more_memory(now) + [
            f"{name} has {n} descriptors and had {self.descriptors[name]}"
            for name, n in now.descriptors.items() if n > self.descriptors.get(name, n)]

    def difference(self):
        """The same, and who has lost descriptors or is not there."""
        now = Resources(self.service)
        return self.more_memory(now) + [
            f"{name} has {now.descriptors.get(name)} descriptors and had {n}"
            for name, n in self.descriptors.items() if now.descriptors.get(name) != n]

    def wait_for_none(self):
        """What is more and stays so: what ended may take a moment to be let go of."""
        try:
            wait_until(lambda: not self.growth(), timeout=10)
        except AssertionError:
            pass
        return self.growth()

    def assert_same(self):
        wait_until(lambda: not self.difference(), timeout=10, what=self.difference)
