"""What inkoctl prints for a person: in colours and within the width of a terminal, and only
there."""

import re

import pytest

from harness import BUILD, wait_until
from terminal import on_terminal

INKOCTL = BUILD / "inkoctl"
HELLO = BUILD / "http-hello"
RED, GREEN, BOLD = "\x1b[31m", "\x1b[32m", "\x1b[1m"
LONG = "a-name-that-is-as-long-as-any-name-may-be-which-is-63-characters"[:63]


def shown(inko, *arguments, columns=80, program=INKOCTL, **environment):
    """The lines that it prints on a terminal."""
    with on_terminal([program, *arguments], {**inko.environment, **environment},
                     columns=columns) as terminal:
        assert terminal.wait() == 0, terminal.text()
        return terminal.text().replace("\r", "").splitlines()


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def fail(inko, name):
    """An actor that has failed as a whole."""
    flag = inko.directory / name
    flag.touch()
    program = inko.directory / f"{name}.sh"
    program.write_text(f"#!/bin/sh\n[ -e {flag} ] && rm {flag} && exec {HELLO}\nexit 1\n")
    program.chmod(0o755)
    inko.spawn(name, program, intensity=1, intensityUSec=60_000_000, backoffUSec=1000)
    inko.kill(inko.pids(name)[0])


def test_states_are_coloured(inko):
    inko.spawn("web", HELLO)
    fail(inko, "bad")
    wait_until(lambda: inko.actor("bad")["state"] == "failed", what="bad has failed")
    lines = shown(inko, "list")
    assert BOLD in lines[0]
    assert [f"{GREEN}ready\x1b[0m" in line for line in lines if line.startswith("web")] == [True]
    assert [f"{RED}failed\x1b[0m" in line for line in lines if line.startswith("bad")] == [True]


@pytest.mark.parametrize("options, environment, coloured", [
    ((), {}, True),
    ((), {"NO_COLOR": "1"}, False),
    ((), {"NO_COLOR": ""}, True),
    ((), {"TERM": "dumb"}, False),
    (("--color=never",), {}, False),
    (("--color=always",), {"NO_COLOR": "1", "TERM": "dumb"}, True),
    (("--color", "auto"), {}, True),
])
def test_colours_on_a_terminal(inko, options, environment, coloured):
    text = "\n".join(shown(inko, *options, "list", **environment))
    assert ("\x1b[" in text) == coloured, text


def test_colours_elsewhere(inko):
    """Only who asks for them has them in a pipe."""
    assert "\x1b" not in inko.ctl("list").stdout
    assert "\x1b" not in inko.ctl("--color=auto", "status").stdout
    assert f"{BOLD}NAME" in inko.ctl("status", "--color=always").stdout
    wrong = inko.ctl("--color=pink", "status", check=False)
    assert wrong.returncode == 2 and "auto|always|never" in wrong.stderr


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40, 20, 10, 3])
def test_tables_fit(inko, columns):
    """No line is wider than the terminal, and what is cut says so."""
    inko.spawn(LONG, HELLO)
    inko.listen(LONG, name="a-listener-with-a-name")
    for what in ("actors", "listeners", "routes"):
        lines = [plain(line) for line in shown(inko, "list", what, columns=columns)]
        assert max(map(len, lines)) <= columns, lines
        assert len(lines) == len(inko.ctl("list", what).stdout.splitlines())
        # A name is cut where it is wider than the terminal, and nowhere else.
        if what == "actors":
            assert any(line.startswith(LONG) for line in lines) == (columns >= len(LONG)), lines
            assert (columns >= len(LONG)) or any("…" in line for line in lines), lines
    tables = shown(inko, "status", columns=columns)[2:]
    assert max(len(plain(line)) for line in tables) <= columns, tables


def test_what_matters_least_goes_first(inko):
    """The command is cut before the name, and is left out before the state."""
    inko.spawn("a-name-of-twenty-two-c", HELLO, environment=["A=b"])
    wide = plain(shown(inko, "list", columns=90)[0]).split()
    assert wide == ["NAME", "STATE", "ORIGIN", "READY", "RESTARTS", "MESSAGES", "COMMAND"]
    lines = [plain(line) for line in shown(inko, "list", columns=80)]
    assert any(line.startswith("a-name-of-twenty-two-c  ready") and line.endswith("…")
               for line in lines), lines
    lines = [plain(line) for line in shown(inko, "list", columns=32)]
    assert lines[0].split() == ["NAME", "STATE"]
    assert any(line.startswith("a-name-of-twenty-two-c ") for line in lines)


@pytest.mark.parametrize("columns", [100, 80])
def test_listeners_are_shown_whole(inko, columns):
    """What `close` wants, and where it listens: how it hands over is left out before."""
    inko.spawn("web", HELLO)
    inko.spawn("warehouse", BUILD / "http-shared")
    port = inko.listen("web")
    inko.call("Listen", {"address": "tcp://[::1]:0", "give": "warehouse"})
    given, taken = sorted(inko.status()["listeners"], key=lambda listener: "to" in listener)
    lines = [plain(line).split() for line in shown(inko, "list", "listeners", columns=columns)]
    whole = ["LISTENER", "ADDRESS", "STATE", "ORIGIN", "LEADS", "TO"]
    assert lines[0][:6] == whole
    assert [taken["name"], f"tcp://127.0.0.1:{port}", "open", "by", "hand",
            "web"] in [line[:6] for line in lines]
    assert [given["name"], given["address"], "open", "by", "hand", "warehouse",
            "(given)"] in [line[:7] for line in lines]
    wide = plain(shown(inko, "list", "listeners", columns=120)[0]).split()
    assert wide == [*whole, "BALANCE", "HOLD"]


def test_addresses_are_cut_within(inko):
    """Both ends of a path are worth more than what stands between them."""
    inko.spawn("web", HELLO)
    directory = inko.directory / ("a-directory-" * 4)
    directory.mkdir()
    inko.call("Listen", {"address": f"unix://{directory}/front.sock", "to": "web", "name": "it"})
    line = plain(shown(inko, "list", "listeners", columns=60)[1])
    assert re.match(r"it +unix:///\S+…\S*/front\.sock +open", line), line


def test_columns(inko):
    """COLUMNS stands for the terminal's width, and cuts nothing in a pipe."""
    inko.spawn(LONG, HELLO)
    # Not by way of libtool's script, whose shell sets COLUMNS anew.
    program = BUILD / ".libs" / "inkoctl"
    lines = shown(inko, "list", columns=80, COLUMNS="30", LD_LIBRARY_PATH=str(BUILD / ".libs"),
                  program=program if program.exists() else INKOCTL)
    assert max(len(plain(line)) for line in lines) <= 30
    inko.environment["COLUMNS"] = "30"
    assert LONG in inko.ctl("list").stdout and str(HELLO) in inko.ctl("list").stdout
