"""Backups are age files that every age reads and a small box can open; nothing else is taken for one."""

import pyrage
import pytest

from gateway.errors import RefusedError
from gateway.settings import agefile

PHRASE = "correct horse battery"


@pytest.mark.parametrize("size", [0, 1, agefile._CHUNK - 1, agefile._CHUNK, agefile._CHUNK + 1, 200_000])
def test_another_age_reads_what_is_written_here(size: int) -> None:
    plain = bytes(number % 251 for number in range(size))
    assert pyrage.passphrase.decrypt(agefile._seal(plain, PHRASE), PHRASE) == plain


def test_what_was_exported_opens_again_and_asks_for_little_memory() -> None:
    files = {"settings.toml": b"schema = 2\n", "confirmations.json": b"{}"}
    data = agefile.export(files, PHRASE)
    assert b" 16\n" in data[:80], "64 MiB, whatever machine wrote it"
    assert agefile.open_file(data, PHRASE) == files
    assert agefile.export(files, PHRASE) != data, "salted"


def test_every_flip_and_every_other_passphrase_is_refused() -> None:
    data = agefile.export({"settings.toml": b"x"}, PHRASE)
    for at in range(0, len(data), 37):
        with pytest.raises(RefusedError):
            agefile.open_file(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], PHRASE)
    for other in (PHRASE + "x", PHRASE.upper()):
        with pytest.raises(RefusedError, match="does not open it"):
            agefile.open_file(data, other)


def test_what_asks_for_too_much_is_not_tried() -> None:
    data = agefile.export({"settings.toml": b"x"}, PHRASE)
    with pytest.raises(RefusedError, match="more memory than the box has"):
        agefile.open_file(data.replace(b" 16\n", b" 22\n", 1), PHRASE)
    with pytest.raises(RefusedError, match="longer than"):
        agefile.open_file(bytes(agefile.MAX_BYTES + 1), PHRASE)
    with pytest.raises(RefusedError, match="too short"):
        agefile.export({}, "short")
