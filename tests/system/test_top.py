"""inkoctl top: the picture, the numbers, and the terminal that it gives back."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness import BUILD, DEADLINE, alive, http_get, wait_until
from terminal import on_terminal

INKOCTL = BUILD / "inkoctl"
HELLO = BUILD / "http-hello"
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HOME = "\x1b[H"


def top(inko, *options, **size):
    return on_terminal([INKOCTL, "top", *options], inko.environment, **size)


def picture(text):
    """The lines of the last picture that was drawn as a whole."""
    whole = [one for one in text.split(HOME)[1:] if "\x1b[J" in one]
    if not whole:
        return []
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole[-1]).split("\r\n")


def row(lines, name):
    """The cells of the last row of that name."""
    found = [line.split() for line in lines if line.split()[:1] == [name]]
    return found[-1] if found else []


def busy_row(text, name):
    """The same, once it has a rate other than 0."""
    cells = row(picture(text), name)
    return cells and cells[3] not in ("-", "0") and cells


def is_running(terminal):
    return picture(terminal.text()) and not terminal.is_as_before()


def wait_for_picture(terminal):
    terminal.wait_for(lambda _: is_running(terminal), "a picture")


def children(pid):
    return [int(child) for child in
            open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()]


def test_what_it_shows(inko):
    """Rates, times and restarts of what goes on, not sums."""
    inko.spawn("web", HELLO, instances=2)
    port = inko.listen("web", name="front")
    load = inko.load(port, clients=4, until_stopped=True)
    with top(inko, "-d", "200ms") as terminal:
        lines = terminal.wait_for(
            lambda text: busy_row(text, "web/0") and busy_row(text, "web") and picture(text),
            "a rate")
        assert "inkod 0.1.0: 3 actors, 4 of 4 instances ready" in lines[0]
        name, state, messages, connections, _, p50, p99, restarts = row(lines, "web")
        assert (name, state, restarts) == ("web", "ready", "0") and messages.isdigit()
        assert re.fullmatch(r"[\d.]+(us|ms|s)", p50) and re.fullmatch(r"[\d.]+(us|ms|s)", p99)
        assert float(connections) > 0
        listener = row(lines, "front")
        assert listener[1] == "open" and float(listener[2]) > 0 and listener[4] == "web"
        assert "\x1b[32mready" in terminal.text()
        report = load.report()
        terminal.wait_for(lambda text: row(picture(text), "web")[3:7] == ["0", "0", "-", "-"],
                          "silence")
        inko.kill(inko.pids("web")[0])
        terminal.wait_for(lambda text: row(picture(text), "web")[7] == "1", "a restart")
        terminal.type("q")
        assert terminal.wait() == 0
    assert report["answered"] > 0


def test_one_actor(inko):
    inko.spawn("web", HELLO)
    inko.spawn("other", HELLO)
    inko.listen("web", name="front")
    inko.listen("other", name="back")
    with top(inko, "web") as terminal:
        lines = terminal.wait_for(lambda text: picture(text), "a picture")
        assert row(lines, "web") and row(lines, "front")
        assert not row(lines, "other") and not row(lines, "back")
    result = inko.ctl("top", "nobody", "-b", check=False)
    assert result.returncode == 1 and "no actor nobody" in result.stderr


@pytest.mark.parametrize("what, status", [
    ("q", 0), ("\x03", 0), (signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM),
    (signal.SIGHUP, -signal.SIGHUP), (signal.SIGQUIT, -signal.SIGQUIT), ("crash", 1)])
def test_terminal_is_given_back(inko, what, status):
    """Whatever ends it."""
    with top(inko) as terminal:
        wait_for_picture(terminal)
        pid = terminal.process.pid
        if what == "crash":
            os.kill(children(pid)[0], signal.SIGSEGV)
        elif isinstance(what, str):
            terminal.type(what)
        else:
            os.kill(pid, what)
        assert terminal.wait() == status
        assert terminal.is_as_before()
        text = terminal.text()
        assert text.rindex(LEAVE) > text.rindex(HOME) > text.index(ENTER)
        assert text.count("\x1b[?25h") == 1 and text.count("\x1b[?7h") == 1


def test_terminal_is_given_back_when_nobody_is_left_to(inko):
    """SIGKILL of the process that would, whose view notices it."""
    command = ["bash", "-c", f"{INKOCTL} top; sleep 1000"]
    with on_terminal(command, inko.environment) as terminal:
        wait_for_picture(terminal)
        front = children(terminal.process.pid)[0]
        view = children(front)[0]
        os.kill(front, signal.SIGKILL)
        terminal.wait_for(lambda text: LEAVE in text and not alive(view), "the end of the view")
        assert terminal.is_as_before()


def test_ctrl_z(inko):
    """A shell gets its terminal as it was, and after fg the picture is back."""
    # The leader of a session cannot be stopped from its terminal: a shell stands before it.
    command = ["bash", "--norc", "-i"]
    with on_terminal(command, {**inko.environment, "PS1": "> "}) as terminal:
        terminal.type(f"{INKOCTL} top\r")
        terminal.wait_for(lambda text: picture(text) and ENTER in text, "a picture")
        terminal.type("\x1a")
        terminal.wait_for(lambda text: "Stopped" in text.partition(LEAVE)[2], "the shell")
        terminal.shown = b""
        terminal.type("fg\r")
        terminal.wait_for(lambda text: picture(text) and ENTER in text, "a picture again")
        terminal.type("q")
        terminal.wait_for(lambda text: LEAVE in text, "its end")
        terminal.type("echo al''l is well\r")
        terminal.wait_for(lambda text: "all is well" in text, "the shell")


def test_resize(inko):
    """No line is wider than the terminal at any time, and none is one too many."""
    inko.spawn("a-name-of-more-than-thirty-characters", HELLO, instances=5)
    with top(inko, "-d", "1h", lines=8, columns=120) as terminal:
        lines = terminal.wait_for(picture, "a picture")
        assert len(lines) == 8 and "RESTARTS" in lines[2]
        for height, columns in ((30, 40), (5, 200), (8, 20)):
            terminal.shown = b""
            terminal.resize(height, columns)
            lines = terminal.wait_for(picture, f"{height} lines of {columns}")
            assert max(map(len, lines)) <= columns and len(lines) <= height
        terminal.type("q")
        assert terminal.wait() == 0


def test_scrolling(inko):
    inko.spawn("web", HELLO, instances=5)
    with top(inko, "-d", "1h", lines=6) as terminal:
        first = terminal.wait_for(picture, "a picture")
        for key in ("j", "\x1b[B"):
            terminal.shown = b""
            terminal.type(key)
            lines = terminal.wait_for(picture, f"another picture after {key!r}")
        assert lines[0] == first[0] and lines[1:4] == first[3:6]
        for _ in range(40):
            terminal.type("j")
        terminal.wait_for(lambda text: "web/4" in "".join(picture(text)), "the last line")
        terminal.shown = b""
        terminal.type("k")
        assert terminal.wait_for(picture, "one line up") != first
        terminal.type("q")
        assert terminal.wait() == 0


def test_replaced_supervisor(inko):
    """The view goes on with the next one, as do the rates."""
    inko.spawn("web", HELLO)
    port = inko.listen("web")
    with top(inko, "-d", "200ms") as terminal:
        wait_for_picture(terminal)
        before = inko.supervisor_pid()
        inko.kill(before)
        wait_until(lambda: inko.answers() and inko.supervisor_pid() != before)
        terminal.shown = b""
        end = time.monotonic() + DEADLINE
        while not busy_row(terminal.text(), "web"):
            assert time.monotonic() < end, terminal.text()
            http_get(port)
            terminal.read(0.01)
        terminal.type("q")
        assert terminal.wait() == 0


def test_silent_supervisor(inko):
    """It is said, and the key that ends it works all the same."""
    inko.spawn("web", HELLO)
    with top(inko, "-d", "100ms") as terminal:
        wait_for_picture(terminal)
        pid = inko.supervisor_pid()
        inko.kill(pid, signal.SIGSTOP)
        try:
            terminal.wait_for(lambda text: "no answer" in picture(text)[0], "that it is silent")
            assert row(picture(terminal.text()), "web")
            terminal.type("q")
            assert terminal.wait() == 0 and terminal.is_as_before()
        finally:
            inko.kill(pid, signal.SIGCONT)


def test_batch(inko):
    """Rounds for a pipe: whole tables without escapes, and the last one ends it."""
    inko.spawn("web", HELLO)
    result = inko.ctl("top", "-b", "-n", 3, "-d", "100ms").stdout
    assert "\x1b" not in result
    rounds = result.split("\n\n")
    assert result.count("instances ready") == 3 and len(rounds) == 6 + result.count("LISTENER")
    cells = [line.split() for line in result.splitlines() if line.startswith("web ")]
    assert [one[3:5] for one in cells] == [["-", "-"], ["0", "0"], ["0", "0"]]
    assert inko.ctl("top", "-n", 1).stdout.count("instances ready") == 1


def test_json(inko):
    inko.spawn("web", HELLO)
    lines = inko.ctl("--json", "top", "-n", 2, "-d", "100ms").stdout.splitlines()
    assert len(lines) == 2
    for line in map(json.loads, lines):
        assert line["status"]["supervisorPid"] == inko.supervisor_pid()
        assert {"name": "web/0"}.items() <= line["counters"]["instances"][-1].items()


def test_batch_to_a_reader_that_leaves(inko):
    process = subprocess.Popen([INKOCTL, "top", "-b", "-d", "100ms"], env=inko.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "instances ready" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(DEADLINE) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("options", [("-d", "1ms"), ("-d", "2h"), ("-n", "0"), ("-n", "x")])
def test_called_wrongly(inko, options):
    result = inko.ctl("top", "-b", *options, check=False)
    assert result.returncode == 2 and result.stdout == "" and "help top" in result.stderr


def test_no_inkod(inko):
    """What other verbs say, and nothing is drawn."""
    inko.environment["INKO_RUNTIME_DIR"] = "/nowhere"
    with top(inko) as terminal:
        assert terminal.wait() == 3
        assert "no inkod runs in /nowhere" in terminal.text() and ENTER not in terminal.text()
