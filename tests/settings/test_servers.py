"""Servers that are remembered over a restart."""

from pathlib import Path

import pytest

from gateway.messages import Server
from gateway.settings import servers

NAME = "sip.provider.test"
FOUND = (
    Server(address="192.0.2.10", port=5060, transport="udp"),
    Server(address="2001:db8::1", port=5070, transport="udp"),
)


def test_what_was_found_is_there_after_a_restart(tmp_path: Path) -> None:
    servers.save(tmp_path, NAME, "udp", FOUND)
    assert servers.load(tmp_path, NAME, "udp") == FOUND


@pytest.mark.parametrize(("name", "transport"), [("sip.other.test", "udp"), (NAME, "tls")])
def test_answer_to_another_question_is_no_answer(tmp_path: Path, name: str, transport: str) -> None:
    servers.save(tmp_path, NAME, "udp", FOUND)
    assert servers.load(tmp_path, name, transport) == ()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"name":1}',
        b'{"name":"sip.provider.test","transport":"udp","servers":[{"address":"x","port":1,"transport":"udp"}]}',
        b"\xff" * 70_000,
    ],
)
def test_damage_counts_as_nothing_remembered(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / servers.FILE).write_bytes(damage)
    assert servers.load(tmp_path, NAME, "udp") == ()
    assert servers.FILE in caplog.text


def test_nothing_there_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert servers.load(tmp_path, NAME, "udp") == ()
    assert caplog.text == ""


def test_disk_that_takes_nothing_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    servers.save(tmp_path / "gone", NAME, "udp", FOUND)
    assert "not remembered" in caplog.text
