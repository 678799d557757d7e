"""Where actors print to: a file that is bounded, or the journal's stream."""

import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, PYTHON, wait_until

KEPT_BYTES = 4 << 20
JOURNALD = Path("/lib/systemd/systemd-journald")

TALKER = """#!/usr/bin/python3
import os, socket, sys, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
for number in range(400_000):
    print(f"line {number:07} " + "." * 50)
print("the end", flush=True)
socket.socket(fileno=3).recv(1 << 16)
"""

FLOOD = """
import os, socket
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
while True:
    os.write(2, b"x" * 65536)
"""

# In namespaces of its own: a journal in an empty /run, and an inkod that finds it there.
WITH_JOURNAL = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log || exit 99
mkdir -p /run/systemd/journal /run/log/journal
{journald} & journal=$!
until [ -S /run/systemd/journal/stdout ]; do sleep 0.05; done
export INKO_RUNTIME_DIR=/run/inko
{build}/inkod & keeper=$!
until {build}/inkoctl list >/dev/null 2>&1; do sleep 0.05; done
{build}/inkoctl spawn web -- {build}/http-hello
{build}/inkoctl send web to-the-journal
until {build}/inkoctl logs web | grep -q to-the-journal; do sleep 0.1; done
{build}/inkoctl logs web
{build}/inkoctl --json logs web
kill $keeper && wait $keeper; echo inkod ended with $?
kill $journal
"""


def test_output_does_not_drive_the_terminal(inko):
    """What anybody may have an actor print reaches a terminal without its control characters, and a
    pipe as it was."""
    printed = "a\x1b]0;owned\x07b\x9b\tc"
    inko.spawn("web", BUILD / "http-hello")
    inko.ctl("send", "web", printed)
    wait_until(lambda: printed in inko.ctl("logs", "web").stdout)
    screen, terminal = pty.openpty()
    try:
        subprocess.run([BUILD / "inkoctl", "logs", "web"], env=inko.environment, stdout=terminal,
                       stdin=subprocess.DEVNULL, check=True, timeout=60)
        shown = os.read(screen, 4096).decode()
    finally:
        os.close(screen)
        os.close(terminal)
    assert "a?]0;owned?b?\tc" in shown and "\x1b" not in shown


def test_file_is_bounded(inko):
    """A talkative actor keeps the end of what it said, and the disk is not filled."""
    talker = inko.directory / "talker.py"
    talker.write_text(TALKER)
    talker.chmod(0o755)
    inko.spawn("talker", talker)
    log = inko.runtime / "log" / "talker.0.log"
    wait_until(lambda: log.read_bytes().endswith(b"the end\n"))
    assert log.stat().st_size > 5 * KEPT_BYTES
    wait_until(lambda: log.stat().st_blocks * 512 <= KEPT_BYTES * 5 // 4 + 8192,
               what=lambda: f"at most so many bytes on disk: {log.stat().st_blocks * 512}")
    lines = inko.ctl("logs", "talker").stdout.splitlines()
    assert lines[-1] == "the end"
    assert lines[0].startswith("line "), lines[0]
    assert len(lines) > 50_000


def on_disk(file):
    return file.stat().st_blocks * 512


def test_files_are_bounded_under_a_flood(inko):
    """Each of several that print without end, while they do, and after."""
    names = [f"flood{number}" for number in range(8)]
    for name in names:
        inko.spawn(name, PYTHON, "-c", FLOOD, drainUSec=1000, stopUSec=1000)
    files = [inko.runtime / "log" / f"{name}.0.log" for name in names]
    # None is left out while all of them print.
    for file in files:
        wait_until(lambda: file.stat().st_size > 4 * max(on_disk(file), 10 * KEPT_BYTES),
                   what=lambda: f"it is cut: {file.stat()}")
    for name in names:
        os.kill(inko.pids(name)[0], signal.SIGSTOP)
    wait_until(lambda: max(on_disk(file) for file in files) <= KEPT_BYTES * 5 // 4,
               what=lambda: f"at most so many bytes on disk: {[on_disk(f) for f in files]}")


def test_file_is_bounded_that_grew_without_a_supervisor(inko):
    """Nothing tells the next one of it."""
    inko.spawn("flood", PYTHON, "-c", FLOOD, drainUSec=1000, stopUSec=1000)
    file, flooder, pid = inko.runtime / "log" / "flood.0.log", inko.pids("flood")[0], \
        inko.supervisor_pid()
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: on_disk(file) > 4 * KEPT_BYTES)
    os.kill(flooder, signal.SIGSTOP)
    inko.kill(pid)
    wait_until(lambda: on_disk(file) <= KEPT_BYTES * 5 // 4,
               what=lambda: f"at most so many bytes on disk: {on_disk(file)}")


@pytest.mark.skipif(os.geteuid() != 0 or not JOURNALD.exists() or not shutil.which("unshare"),
                    reason="needs root, unshare and systemd-journald")
def test_journal():
    script = WITH_JOURNAL.format(journald=JOURNALD, build=BUILD)
    result = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c",
         script], capture_output=True, text=True, timeout=60)
    if result.returncode == 99 or "Operation not permitted" in result.stderr:
        pytest.skip(f"namespaces are not allowed here: {result.stderr}")
    assert "message: to-the-journal" in result.stdout, result.stdout + result.stderr
    assert '"journal":"web/0"' in result.stdout
    assert "inkod ended with 0" in result.stdout
