"""What star codes set outlives a restart, and a spoilt file does not stop a phone from ringing."""

from pathlib import Path

import pytest

from gateway.phones.kept import Kept


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    Kept(tmp_path / "phones").put("desk", "dnd", "on")
    again = Kept(tmp_path / "phones")
    assert (again.get("desk", "dnd"), again.get("desk", "forward"), again.get("shop", "dnd")) == (
        "on",
        "",
        "",
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"desk": 3}', '{"desk": {"dnd": null}}'])
def test_spoilt_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "phones.json").write_text(text)
    kept = Kept(tmp_path)
    assert kept.get("desk", "dnd") in ("", "None")
    kept.put("desk", "dnd", "off")
    assert Kept(tmp_path).get("desk", "dnd") == "off"


def test_place_that_cannot_be_written_loses_nothing_now(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file")
    kept.put("desk", "dnd", "on")
    assert kept.get("desk", "dnd") == "on"
