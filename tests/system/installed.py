"""Programs of inkod in a directory of their own, where others can be installed under what runs."""

import contextlib
import os
import shutil

from harness import BUILD, private_inkod

PROGRAMS = ("inkod", "inko-supervisor")
BUILTIN = ("inko-acceptor", "inko-gateway")


def install(directory, name, text=None):
    """As a package manager does: another file in its place, not other bytes in the file."""
    new = directory / "new"
    if text is None:
        shutil.copy(BUILD / name, new)
    else:
        new.write_text(text)
        new.chmod(0o755)
    os.replace(new, directory / name)


def install_all(directory):
    for name in PROGRAMS:
        install(directory, name)
    for name in BUILTIN:
        install(directory, name, f'#!/bin/sh\nexec {BUILD / name} "$@"\n')


@contextlib.contextmanager
def installed_inkod(directory, **environment):
    install_all(directory)
    with private_inkod(directory, **environment) as inko:
        yield inko


def install_another_build(directory):
    for name in PROGRAMS:
        install(directory, name)


def assert_runs_installed(status, directory):
    """Keeper and supervisor are the programs that are there now."""
    for pid, name in zip((status["keeperPid"], status["supervisorPid"]), PROGRAMS):
        assert os.path.samefile(f"/proc/{pid}/exe", directory / name), name
