"""The functions that our pjsua2 adds: a call stuck on a dead path is freed, moved, and goes on with audio."""

import subprocess
import sys

import pytest

from tests.image.shim_scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_shim(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.image.shim_scenarios", name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
