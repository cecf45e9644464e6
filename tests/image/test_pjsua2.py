"""Our pjsua2: a call stuck on a dead path is freed, moved and goes on; hostile SDP ends nothing."""

import subprocess
import sys

import pytest

from tests.image.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.image.scenarios", name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
