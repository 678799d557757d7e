"""What the tests are given."""

import os
import random
import signal

import pytest

from harness import private_inkod

# A shell starts what is in its background with SIGINT ignored, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def inko():
    with private_inkod() as inko:
        yield inko


@pytest.fixture
def seeded():
    """Random moments that a failed run can be repeated with."""
    seed = int(os.environ.get("INKO_SEED", random.randrange(1 << 32)))
    print(f"INKO_SEED={seed}")
    return random.Random(seed)
