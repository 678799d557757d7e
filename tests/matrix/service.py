"""The inkod that is struck: started by hand (Alone), or by a systemd that is in charge (Systemd).

Each says how inkod is started and stopped there, and how the keeper is told to leave for another.
"""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

from harness import BUILD, DEADLINE, SOURCE, Inkod, uninstalled, wait_until


def forbid_core_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Service(Inkod):
    def answers(self):
        """Whoever the keeper is by now."""
        try:
            with self.varlink(timeout=DEADLINE) as control:
                return control.call("GetStatus")
        except (FileNotFoundError, ConnectionError):
            return None

    def check_log(self, struck):
        """Only who was struck may have ended."""
        log = self.log.read_text()
        ends = re.findall(r"^.*\(pid (\d+)\) (?:was )?(?:killed|exited|ended).*$", log, re.M)
        wrong = [pid for pid in ends if int(pid) not in struck]
        wrong += re.findall(r"ERROR: \w+Sanitizer: (?!detected memory leaks).*", log)
        wrong += re.findall(r"runtime error: .*", log)
        assert not wrong, f"{wrong}:\n{log}"

    def check_gone(self):
        wait_until(lambda: not self.processes(), what=lambda: f"all end: {self.processes()}")


class Alone(Service):
    def start(self):
        forbid_core_files()
        super().start()

    def stop(self):
        """A later keeper is none of our children."""
        os.kill(self.keeper_pid(), signal.SIGTERM)
        self.check_gone()
        self.keeper.wait(timeout=DEADLINE)
        assert not self.runtime.exists(), f"left behind: {list(self.runtime.rglob('*'))}"

    def tell_keeper_to_leave(self, pid):
        os.kill(pid, signal.SIGUSR1)


DROP_INS = {
    "service": "[Service]\nEnvironment=INKO_RUNTIME_DIR={service.runtime}\n"
               "StandardError=append:{service.log}\nLimitCORE=0\n",
    # The group inko is made when the package is installed.
    "socket": "[Socket]\nSocketGroup=root\n",
}


class Systemd(Service):
    """Inside tests/with-systemd, by the units that are installed, with the program that was
    built."""

    UNITS = Path("/run/systemd/system")

    def __init__(self):
        super().__init__()
        self.runtime = Path("/run/inko")
        self.environment["INKO_RUNTIME_DIR"] = str(self.runtime)
        self.units = []

    def systemctl(self, *arguments):
        subprocess.run(["systemctl", *arguments], check=True, timeout=DEADLINE,
                       stdin=subprocess.DEVNULL)

    def write_unit(self, kind, text):
        name = f"inkod.{kind}"
        (self.UNITS / name).write_text(text)
        (self.UNITS / f"{name}.d").mkdir(exist_ok=True)
        (self.UNITS / f"{name}.d" / "matrix.conf").write_text(DROP_INS[kind].format(service=self))
        self.units.append(name)

    def start(self):
        self.log.touch()
        self.write_unit("service", uninstalled((BUILD / "systemd" / "inkod.service").read_text()))
        self.write_unit("socket", (SOURCE / "systemd" / "inkod.socket").read_text())
        self.systemctl("daemon-reload")
        self.systemctl("start", *self.units)
        wait_until(self.answers, what=lambda: f"inkod answers: {self.log.read_text()}")

    def stop(self):
        self.systemctl("stop", *self.units)
        self.check_gone()

    def tell_keeper_to_leave(self, _):
        """systemd does, and starts the next."""
        self.systemctl("restart", "--no-block", "inkod.service")


SERVICES = {"alone": Alone, "systemd": Systemd}
