"""A terminal of one's own that a program runs on, and what stands on it."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from harness import DEADLINE


class Terminal:
    """The program gets the terminal as its controlling one, as a shell gives it."""

    def __init__(self, command, environment, lines=24, columns=80, cwd=None):
        self.screen, self.terminal = pty.openpty()
        self.resize(lines, columns)
        self.attributes = termios.tcgetattr(self.terminal)
        self.shown = b""
        self.process = subprocess.Popen(
            [str(word) for word in command], env={"TERM": "xterm", **environment},
            stdin=self.terminal, stdout=self.terminal, stderr=self.terminal,
            cwd=cwd, start_new_session=True, preexec_fn=self.take)

    def take(self):
        # Which is ignored where the tests were started in the background.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, lines, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text):
        os.write(self.screen, text.encode())

    def read(self, seconds):
        """Adds what is written within that time to what was shown."""
        if select.select([self.screen], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.shown += os.read(self.screen, 65536)

    def wait_for(self, condition, what=""):
        """Until condition(what was shown as text) is true; returns what it returned."""
        end = time.monotonic() + DEADLINE
        while True:
            value = condition(self.text())
            if value:
                return value
            assert time.monotonic() < end, f"{what} does not come: {self.shown[-4000:]!r}"
            self.read(0.05)

    def text(self):
        return self.shown.decode(errors="replace")

    def wait(self):
        """Its exit status, when it has ended and all that it wrote is in shown."""
        self.wait_for(lambda _: self.process.poll() is not None, "its end")
        while select.select([self.screen], [], [], 0)[0]:
            self.read(0)
        return self.process.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.terminal) == self.attributes

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.screen)
        os.close(self.terminal)


@contextlib.contextmanager
def on_terminal(command, environment, **options):
    terminal = Terminal(command, environment, **options)
    try:
        yield terminal
    finally:
        terminal.close()
