"""The guide's IP addresses."""

import subprocess

from harness import BUILD


def test_prints_what_the_guide_says():
    done = subprocess.run([BUILD / "ip-addresses"], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "1.2.3.4\n127.0.0.1\n::1\n"
