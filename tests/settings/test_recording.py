"""What the confirmation number said is handed out of one folder alone, whatever the file is called."""

import asyncio
import base64
import time
from pathlib import Path

import pytest

from gateway.errors import RefusedError
from gateway.settings.confirmations import MAX_RECORDING_BYTES, Confirmation, Ledger, Register


def register(folder: Path, recording: str) -> Register:
    entry = Confirmation(
        uplink="main",
        local_address="203.0.113.2",
        public_address="203.0.113.2",
        observed_address="203.0.113.2",
        at=time.time(),
        sip_code=200,
        heard_ms=2000,
        recording=recording,
    )
    return Register(folder, Ledger((entry,)), lambda ledger: None, folder / "recordings")


def heard(of: Register, uplink: str = "main") -> bytes:
    return base64.b64decode(asyncio.run(of.recording(uplink)).data)


def test_a_recording_is_handed_out_and_a_long_one_is_cut(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.wav").write_bytes(b"RIFF")
    assert heard(register(tmp_path, "/var/lib/elsewhere/a.wav")) == b"RIFF"
    (tmp_path / "recordings" / "a.wav").write_bytes(bytes(MAX_RECORDING_BYTES + 1))
    assert len(heard(register(tmp_path, "a.wav"))) == MAX_RECORDING_BYTES


@pytest.mark.parametrize("name", ["", "none.wav", "link.wav", "folder", "../secret", ".."])
def test_nothing_else_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "recordings" / "folder").mkdir(parents=True)
    (tmp_path / "recordings" / "link.wav").symlink_to(tmp_path / "secret")
    with pytest.raises(RefusedError):
        heard(register(tmp_path, name))


def test_a_line_that_is_not_confirmed_has_none(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no recording"):
        heard(register(tmp_path, "a.wav"), "backup1")
