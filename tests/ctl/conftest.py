"""A fake daemon, and gatewayctl run against it: in this process, or in a terminal of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ctl.fake import FakeDaemon
from tests.ctl.terminal import Run, Terminal, Words


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    (tmp_path / "run").mkdir()
    fake = FakeDaemon(tmp_path / "run")
    yield fake
    fake.close()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Words(tmp_path / "run", capsys)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path / "run", tmp_path)
    yield one
    one.close()
