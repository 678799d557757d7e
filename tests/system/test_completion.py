"""What the shells offer behind inkoctl, asked of real shells."""

import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import BUILD, SOURCE, private_inkod
from terminal import on_terminal

INKOCTL = BUILD / "inkoctl"
HELLO = BUILD / "http-hello"
SCRIPTS = {
    "bash": SOURCE / "libclient/ctl/completion/bash/inkoctl",
    "zsh": SOURCE / "libclient/ctl/completion/zsh/_inkoctl",
    "fish": SOURCE / "libclient/ctl/completion/fish/inkoctl.fish",
}

# Has bash take a line to pieces as readline does, at blanks and at the characters of
# COMP_WORDBREAKS, of which these two occur in words of inkoctl's.
BASH = """
source {script}
compopt() {{ :; }}
COMP_LINE=$1 COMP_POINT=${{#1}}
mapfile -t COMP_WORDS < <(python3 -c 'import re, sys
line = sys.argv[1]
words = re.findall(r"[:=]+|[^\\s:=]+", line)
print("\\n".join(words + [""] * line.endswith(" ")))' "$1")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_inkoctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def shop():
    """An inkod with something in it, which no test changes."""
    with private_inkod() as inko:
        inko.environment["PATH"] = f"{BUILD}:{inko.environment['PATH']}"
        inko.environment["HOME"] = str(inko.directory)
        inko.spawn("web", HELLO, instances=2)
        inko.spawn("warehouse", HELLO)
        inko.listen("web", name="front")
        yield inko


def shell(name):
    return pytest.param(name, marks=pytest.mark.skipif(
        not shutil.which(name), reason=f"{name} is not installed"))


def ask(inko, *words):
    """The words that inkoctl offers."""
    lines = inko.ctl("completion", "--", *words).stdout.splitlines()
    return [line.split("\t")[0] for line in lines]


def bash(inko, line):
    result = subprocess.run(["bash", "-c", BASH.format(script=SCRIPTS["bash"]), "bash", line],
                            env=inko.environment, cwd=inko.directory, capture_output=True,
                            text=True, check=True, timeout=60)
    assert result.stderr == "", result.stderr
    return result.stdout.split()


def fish(inko, line):
    result = subprocess.run(
        ["fish", "--no-config", "-c", f"source {SCRIPTS['fish']}; complete -C $argv[1]", line],
        env=inko.environment, cwd=inko.directory, capture_output=True, text=True, timeout=60)
    return [found.split("\t")[0] for found in result.stdout.splitlines()]


SHELLS = {"bash": bash, "fish": fish}


def verbs_of_help():
    text = subprocess.run([INKOCTL, "help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  (\w+)", text.split("\n\n")[1], re.M)


def flags_of_help(verb):
    text = subprocess.run([INKOCTL, "help", verb], capture_output=True, text=True,
                          check=True).stdout
    return re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M)


def test_every_verb_and_option(shop):
    """What help shows is what is offered: both come from the tables of the command line."""
    verbs = verbs_of_help()
    assert len(verbs) > 15 and ask(shop, "") == verbs == ask(shop, "help", "")
    general = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shop.ctl("help").stdout, re.M)
    assert ask(shop, "--") == general
    for verb in verbs:
        assert ask(shop, verb, "-") == flags_of_help(verb) + general, verb


@pytest.mark.parametrize("option", ["--stop-signal", "--reload-signal"])
def test_signals(shop, option):
    """As inkod takes them."""
    offered = ask(shop, "spawn", "new", option, "")
    assert {"SIGTERM", "SIGQUIT", "SIGUSR1"} <= set(offered)
    for name in offered:
        result = shop.ctl("spawn", "web", f"{option}={name}", "--", HELLO, check=False)
        assert "there is an actor web already" in result.stderr, result


@pytest.mark.parametrize("words, offered", [
    (["stop", ""], {"web", "warehouse"}),
    (["send", ""], {"web", "warehouse"}),
    (["logs", ""], {"web", "web/0", "web/1", "warehouse", "warehouse/0", "acceptor", "acceptor/0",
                    "gateway", "gateway/0"}),
    (["pause", ""], {"front"}),
    (["listen", "tcp://127.0.0.1:80", "--to", ""], {"web", "warehouse"}),
    (["listen", "--to=we"], {"--to=web", "--to=warehouse"}),
    (["listen", "--balance", ""], {"round-robin", "pull"}),
    (["list", ""], {"actors", "listeners", "routes"}),
    (["--color="], {"--color=auto", "--color=always", "--color=never"}),
    (["spawn", "new", "--opens", ""], {"web", "warehouse"}),
    (["spawn", "new", "--directory", ""], {":directories"}),
    (["spawn", "new", "--", ""], {":programs"}),
    (["spawn", "new", "--", "python3", ""], {":files"}),
    (["spawn", "new", "--", "python3", "--"], {":files"}),
    (["--runtime-dir", ""], {":directories"}),
    (["-H", ""], {":hosts"}),
    (["-H", "far", "stop", ""], set()),
    (["-H", "far", "pause", ""], set()),
    (["scale", "web", ""], set()),
    (["spawn", ""], set()),
])
def test_what_may_follow(shop, words, offered):
    assert set(ask(shop, *words)) == offered


def test_another_runtime_directory(shop, tmp_path):
    """Names are those of the inkod that the line is for."""
    assert ask(shop, "--runtime-dir", tmp_path, "stop", "") == []
    environment = dict(shop.environment)
    runtime = environment.pop("INKO_RUNTIME_DIR")
    result = subprocess.run([INKOCTL, "completion", "--", f"--runtime-dir={runtime}", "pause", ""],
                            env=environment, capture_output=True, text=True, check=True,
                            timeout=60)
    assert result.stdout.split("\t")[0] == "front" and result.stderr == ""


def test_nothing_and_soon_without_inkod(inko):
    """Nobody there, or somebody who does not answer: nothing is printed, and the shell goes on."""
    inko.environment["INKO_RUNTIME_DIR"] = "/nowhere"
    result = inko.ctl("completion", "--", "stop", "")
    assert (result.stdout, result.stderr) == ("", "")
    inko.environment["INKO_RUNTIME_DIR"] = str(inko.runtime)
    pid = inko.supervisor_pid()
    inko.kill(pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        result = inko.ctl("completion", "--", "stop", "")
        # Less than the calls of other verbs take before they give up.
        assert time.monotonic() - before < 5
        assert (result.stdout, result.stderr) == ("", "")
    finally:
        inko.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_printed(shop, name):
    assert shop.ctl("completion", name).stdout == SCRIPTS[name].read_text()


@pytest.mark.parametrize("words", [(), ("--",), ("tcsh",), ("bash", "--", "x")])
def test_completion_called_wrongly(shop, words):
    result = shop.ctl("completion", *words, check=False)
    assert result.returncode == 2 and "bash" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("name", [shell("bash"), shell("fish")])
@pytest.mark.parametrize("line, offered", [
    ("inkoctl sta", {"status", "start"}),
    ("inkoctl stop w", {"web", "warehouse"}),
    ("inkoctl status we", {"web"}),
    ("inkoctl logs web/", {"web/0", "web/1"}),
    ("inkoctl --json pause f", {"front"}),
    ("inkoctl spawn n --dir", {"--directory"}),
    ("inkoctl listen tcp://127.0.0.1:80 --to wa", {"warehouse"}),
    ("inkoctl spawn new --directory plac", {"places/"}),
    ("inkoctl spawn new -- ./progr", {"./program"}),
    (f"{INKOCTL} resume fr", {"front"}),
])
def test_shells_offer(shop, name, line, offered):
    (shop.directory / "places").mkdir(exist_ok=True)
    program = shop.directory / "program"
    program.touch()
    program.chmod(0o755)
    # With bash it is readline that marks directories.
    found = {word if name != "bash" or word != "places" else "places/"
             for word in SHELLS[name](shop, line)}
    assert found == offered


@pytest.mark.parametrize("line, offered", [
    ("inkoctl listen --to=wa", {"warehouse"}),
    ("inkoctl listen --balance=", {"round-robin", "pull"}),
    ("inkoctl spawn --directory=plac", {"places"}),
])
def test_bash_goes_on_behind_its_cuts(shop, line, offered):
    (shop.directory / "places").mkdir(exist_ok=True)
    assert set(bash(shop, line)) == offered


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_keeps_the_flag(shop):
    (shop.directory / "places").mkdir(exist_ok=True)
    assert fish(shop, "inkoctl listen --to=wa") == ["--to=warehouse"]
    assert fish(shop, "inkoctl spawn --directory=plac") == ["--directory=places/"]


@pytest.mark.parametrize("name, command, prepare", [
    pytest.param(*one, marks=pytest.mark.skipif(not shutil.which(one[0]),
                                                reason=f"{one[0]} is not installed"))
    for one in [
        ("bash", ["bash", "--norc", "--noprofile", "-i"], "source <(inkoctl completion bash)"),
        ("zsh", ["zsh", "-f", "-i"],
         "autoload -U compinit; compinit -D -u; source <(inkoctl completion zsh)"),
        ("zsh", ["zsh", "-f", "-i"], "fpath=({directory} $fpath); autoload -U compinit; "
                                     "compinit -D -u"),
        ("fish", ["fish", "--no-config", "-i"], "inkoctl completion fish | source"),
    ]])
def test_tab(shop, name, command, prepare):
    """A person's key, in a shell that has the script from inkoctl or from where it is installed."""
    with on_terminal(command, {**shop.environment, "PS1": "> "}, columns=200,
                     cwd=shop.directory) as terminal:
        terminal.type(prepare.format(directory=SCRIPTS[name].parent) + "; echo pre''pared\r")
        terminal.wait_for(lambda text: "prepared" in text, "the prompt")
        terminal.type("inkoctl pau\tfr\t >out''put\r")
        output = shop.directory / "output"
        terminal.wait_for(lambda _: output.exists() and output.read_text(), "what it ran")
        assert "front: paused" in output.read_text(), terminal.text()
        output.unlink()
        terminal.type("inkoctl resu\tf\t && echo al''l is well\r")
        terminal.wait_for(lambda text: "all is well" in text, "its end")
    assert shop.listener("front")["state"] == "open"

