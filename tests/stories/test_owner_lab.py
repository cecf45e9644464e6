"""gatewayctl in the laboratory: the real daemon, real channels, a real provider that says what it sees."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ctl.terminal import Words
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.lab import Lab

pytestmark = pytest.mark.root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "logs").mkdir()
    with Lab(tmp_path / "logs") as lab, Box(lab, settings_text(failback_after_s=1.0)) as box:
        box.confirm_in_advance()
        box.start("daemon")
        box.await_status(lambda s: all(u.state == "up" for u in s.uplinks), "all channels are up", 30)
        yield box


def test_the_provider_says_which_address_it_sees(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    run = Words(box.run, capsys)
    code, out, err = run("trunk", "test", "--json")
    answers = json.loads(out)
    assert code == 0, err
    assert [a["data"]["observed"] for a in answers] == [box.lab.public_address(up) for up in plan.UPLINKS]
    assert all(a["data"]["took_ms"] < 4000 for a in answers)

    code, out, _ = run("uplinks", "test", "main")
    assert code == 0 and out.splitlines()[0] == "main" and "BAD" not in out
    assert [line.split()[1] for line in out.splitlines()[1:]] == [
        "device", "cable", "address", "internet", "provider",
    ]  # fmt: skip

    box.lab.blackhole(plan.BACKUP1)
    code, _, err = run("trunk", "test", "backup1")
    assert code == 1 and "the provider did not answer by backup1 within 4 s" in err
    box.lab.heal(plan.BACKUP1)

    now = box.lab.shift_public_address(plan.BACKUP2)
    code, _, err = run("trunk", "test", "backup2")
    assert code == 1 and f"backup2 leaves as {now}" in err and "correct the address" in err


def test_a_change_is_in_the_kernel_while_it_is_on_trial_and_gone_when_it_is_dropped(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Words(box.run, capsys)
    code, out, err = run("settings", "set", "uplinks.backup1.enabled=false", "--yes", "--trial")
    assert code == 0 and "~ uplinks.backup1.enabled: true -> false" in out, err
    box.await_status(lambda s: s.uplinks[1].state == "disabled", "backup1 is switched off")
    assert run("trial", "drop")[0] == 0
    box.await_status(lambda s: s.uplinks[1].state == "up", "backup1 is up again", 30)
    code, out, err = run("settings", "set", "uplinks.backup1.enabled=false", "--yes")
    assert code == 0, err
    assert box.status().uplinks[1].state == "disabled"
