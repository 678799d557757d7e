"""The inkod that is struck: started by hand (Alone), or by a systemd that is in charge (Systemd).

Each says how inkod is started and stopped there, and how the keeper is told to leave for another.
"""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

from harness import BUILD, DEADLINE, Inkod, alive, wait_until


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
        wrong += re.findall(r"^.*(?:ERROR: \w+Sanitizer|runtime error: ).*$", log, re.M)
        assert not wrong, f"{wrong}:\n{log}"

    def check_gone(self):
        wait_until(lambda: not self.processes(), what=lambda: f"all end: {self.processes()}")
        assert not self.runtime.exists(), f"left behind: {list(self.runtime.rglob('*'))}"


class Alone(Service):
    def start(self):
        forbid_core_files()
        super().start()

    def stop(self):
        """A later keeper is none of our children. Without any the supervisor stops all."""
        keeper = self.keeper_pid()
        os.kill(keeper if alive(keeper) else self.supervisor_pid(), signal.SIGTERM)
        self.check_gone()
        self.keeper.wait(timeout=DEADLINE)

    def tell_keeper_to_leave(self, pid):
        os.kill(pid, signal.SIGUSR1)


UNIT = """\
[Unit]
Description=inkod under the kill matrix
StartLimitIntervalSec=0

[Service]
Type=exec
Environment=INKO_RUNTIME_DIR={service.runtime} PATH={service.environment[PATH]} LANG=C.UTF-8
ExecStart={build}/inkod
StandardError=append:{service.log}
Restart=always
RestartSec=10ms
KillMode=process
RestartKillSignal=SIGUSR1
Delegate=yes
OOMPolicy=continue
LimitNOFILE=524288
LimitCORE=0
"""


class Systemd(Service):
    """Inside tests/with-systemd. The unit is as the installed one where that matters for what dies
    and lives, and has a directory of its own."""

    def systemctl(self, *arguments):
        subprocess.run(["systemctl", *arguments], check=True, timeout=DEADLINE,
                       stdin=subprocess.DEVNULL)

    def start(self):
        self.log.touch()
        Path("/run/systemd/system/inkod.service").write_text(
            UNIT.format(service=self, build=BUILD))
        self.systemctl("daemon-reload")
        self.systemctl("start", "inkod.service")
        wait_until(self.answers, what=lambda: f"inkod answers: {self.log.read_text()}")

    def stop(self):
        self.systemctl("stop", "inkod.service")
        self.check_gone()

    def tell_keeper_to_leave(self, _):
        """systemd does, and starts the next."""
        self.systemctl("restart", "--no-block", "inkod.service")


SERVICES = {"alone": Alone, "systemd": Systemd}
