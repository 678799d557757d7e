"""The number of an instance that has ended is given to a stranger, who is never taken for it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inside_pids import CASES, SKIPPED

INSIDE = Path(__file__).with_name("inside_pids.py")
NAMESPACE = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")


@pytest.fixture(scope="module")
def namespace():
    """What puts a command into a pid namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can choose the number of a process")
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare(1); install the package util-linux")
    probe = subprocess.run([*NAMESPACE, "true"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True)
    if probe.returncode != 0:
        pytest.skip(f"there can be no pid namespace: {probe.stderr.strip()}")
    return NAMESPACE


@pytest.mark.parametrize("case", CASES)
def test_number_is_given_again(namespace, case):
    result = subprocess.run([*namespace, sys.executable, "-B", INSIDE, case],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    print(result.stdout, result.stderr)
    if result.returncode == SKIPPED:
        pytest.skip(re.search(r"^skipped: (.*)", result.stdout, re.M)[1])
    assert result.returncode == 0, result.stderr
