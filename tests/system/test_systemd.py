"""inkod as a service: its units, its sockets, and what systemd is told, with a real systemd."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import BUILD, SOURCE, uninstalled
from inside_systemd import CASES, PORT, SKIPPED, USER, USER_ID, Skip, make_users

UNITS = BUILD / "systemd"
SECONDS = 120

# A sanitizer looks for leaks at exit by attaching to its process, and waits for ever when SIGCONT
# comes in between, which systemd sends after each SIGTERM.
NO_LEAK_CHECK = "ASAN_OPTIONS=detect_leaks=0"
# Where the output of a unit is to be read where there is no journal.
OUTPUT = f"""\
[Service]
StandardOutput=append:/run/inkod.log
StandardError=append:/run/inkod.log
Environment={NO_LEAK_CHECK}
"""
# The group inko is made when the package is installed.
GROUP = "[Socket]\nSocketGroup=daemon\n"
HTTP = f"""\
[Socket]
ListenStream=127.0.0.1:{PORT}
FileDescriptorName=http
Service=inkod.service
"""
USER_MANAGER = f"""\
[Service]
Type=notify
User={USER}
Environment=XDG_RUNTIME_DIR=/run/user/{USER_ID} SYSTEMD_UNIT_PATH=/run/systemd/system/of-user
Environment={NO_LEAK_CHECK}
ExecStart=/lib/systemd/systemd --user
StandardOutput=append:/run/inkod.log
StandardError=append:/run/inkod.log
Delegate=yes
KillMode=mixed
"""
USER_TARGETS = ("basic", "default", "sockets", "shutdown")


def write_units(directory, source="."):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "inkod.service").write_text(
        uninstalled((UNITS / source / "inkod.service").read_text()))
    shutil.copy(SOURCE / "systemd" / source / "inkod.socket", directory)


def write_machine(directory):
    """What the machine inside knows: inkod's units, and what the cases need besides."""
    write_units(directory)
    write_units(directory / "of-user", "user")
    for target in USER_TARGETS:
        (directory / "of-user" / f"{target}.target").write_text(
            f"[Unit]\nDescription={target}\nDefaultDependencies=no\n")
    for name, text in (("inkod.service.d/test.conf", OUTPUT), ("inkod.socket.d/test.conf", GROUP),
                       ("http.socket", HTTP), ("user.service", USER_MANAGER)):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


@pytest.mark.parametrize("case", CASES)
def test_beside_systemd(case, tmp_path):
    write_machine(tmp_path / "units")
    result = subprocess.run(
        [SOURCE / "tests" / "with-systemd", tmp_path / "units", sys.executable, "-B",
         SOURCE / "tests" / "system" / "inside_systemd.py", case],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        env={**os.environ, "INKO_BUILD": str(BUILD)})
    print(result.stdout, result.stderr)
    if result.returncode == SKIPPED:
        pytest.skip(re.search(r"^skipped: (.*)", result.stdout, re.M)[1])
    assert result.returncode == 0


@pytest.mark.parametrize("manager", ["system", "user"])
def test_units_are_clean(manager, tmp_path):
    """Everything that systemd knows, is written correctly and leads somewhere."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze; install the package systemd")
    write_units(tmp_path, "." if manager == "system" else "user")
    (tmp_path / "http.socket").write_text(HTTP)
    result = subprocess.run(
        ["systemd-analyze", f"--{manager}", "--man=no", "--recursive-errors=no", "verify",
         *sorted(tmp_path.iterdir())],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    assert not result.stderr.strip(), result.stderr


def test_man_pages_of_the_units_exist():
    for unit in (SOURCE / "systemd").rglob("inkod.*"):
        text = unit.read_text()
        for page in re.findall(r"man:(\w+\(\d\))", text):
            name = page.replace("(", ".").rstrip(")")
            assert list(SOURCE.glob(f"*/man/{name}")), f"{unit}: {page}"


def test_group_and_users(tmp_path):
    """The group that inkod.socket names, and the users that its own actors run as, are those that
    sysusers makes; nobody can log in as one of them."""
    (tmp_path / "etc").mkdir()
    try:
        users, groups = make_users(tmp_path)
    except Skip as reason:
        pytest.skip(str(reason))
    group = re.search(r"(?m)^SocketGroup=(\w+)$",
                      (SOURCE / "systemd" / "inkod.socket").read_text())[1]
    assert re.search(rf"(?m)^{group}:", groups)
    assert {"inko-acceptor", "inko-gateway"} <= set(users), users
    for line in (tmp_path / "etc" / "passwd").read_text().splitlines():
        assert not line.startswith("inko-") or line.endswith("/nologin"), line


def test_directory(tmp_path):
    """The runtime directory of the units is one that tmpfiles makes."""
    if not shutil.which("systemd-tmpfiles"):
        pytest.skip("there is no systemd-tmpfiles; install the package systemd")
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={tmp_path}",
                    SOURCE / "systemd" / "tmpfiles.d" / "inko.conf"], check=True,
                   stdin=subprocess.DEVNULL, timeout=SECONDS)
    path = re.search(r"(?m)^ListenStream=/(.*)/io.inkod.Supervisor$",
                     (SOURCE / "systemd" / "inkod.socket").read_text())[1]
    assert (tmp_path / path).stat().st_mode & 0o777 == 0o755


def read_cgroup(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return []


@pytest.mark.parametrize("command, status, output", [
    ("echo out; echo >/run/inko-was-here; cat /proc/1/comm; exit 5", 5, "out\nsystemd\n"),
    ("setsid sleep 1000 & exec touch /etc/inko-was-here", 1, ""),
    ("kill -KILL $$", 137, ""),
])
def test_with_systemd_leaves_nothing(command, status, output, tmp_path):
    """The helper that all of this stands on."""
    write_machine(tmp_path / "units")
    helper = subprocess.Popen(
        [SOURCE / "tests" / "with-systemd", tmp_path / "units", "sh", "-c", command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, errors = helper.communicate(timeout=SECONDS)
    if helper.returncode == SKIPPED:
        pytest.skip(said)
    assert (helper.returncode, said) == (status, output), errors
    assert not os.path.exists("/run/inko-was-here")
    assert not os.path.exists("/etc/inko-was-here")
    left = [cgroup for pid in os.listdir("/proc") if pid.isdigit()
            for cgroup in read_cgroup(pid) if f"with-systemd.{helper.pid}" in cgroup]
    assert not left
