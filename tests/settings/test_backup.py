"""Backups: what was exported comes back; everything else is one clear error, at a bounded cost."""

import random
import resource
import time
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import RefusedError
from gateway.settings import agefile

PHRASE = "correct horse battery"
FILES = {"settings.toml": b"schema = 2\n" * 40, "confirmations.json": b"{}"}


@pytest.fixture(scope="module")
def backup() -> bytes:
    return agefile.export(FILES, PHRASE)


def test_there_and_back(backup: bytes) -> None:
    assert agefile.open_file(backup, PHRASE) == FILES
    assert b"schema" not in backup


def test_a_wrong_passphrase_is_said(backup: bytes) -> None:
    with pytest.raises(RefusedError, match="passphrase does not open it, or it is damaged"):
        agefile.open_file(backup, PHRASE + "!")


def test_flips_and_truncations(backup: bytes) -> None:
    picks = random.Random(3)
    body = backup.index(b"--- ")
    spoilt = [backup[: picks.randrange(len(backup))] for _ in range(6)]
    for place in [picks.randrange(len(backup)) for _ in range(4)] + [body + 10, len(backup) - 1]:
        flipped = bytearray(backup)
        flipped[place] ^= 1 << picks.randrange(8)
        spoilt.append(bytes(flipped))
    for data in spoilt:
        with pytest.raises(RefusedError):
            agefile.open_file(data, PHRASE)


def test_a_file_that_asks_for_all_memory_is_refused_unread(backup: bytes) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for work in (b"19", b"22", b"30", b"99"):
        start, _, rest = backup.partition(b" 1")
        hostile = start + b" " + work + rest[1:]
        with pytest.raises(RefusedError, match="more memory than the box has"):
            agefile.open_file(hostile, PHRASE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss == before
    assert time.process_time() - began < 1


def test_too_long_is_refused_unread() -> None:
    with pytest.raises(RefusedError, match="longer than 1048576 bytes"):
        agefile.open_file(bytes(agefile.MAX_BYTES + 1), PHRASE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        zlib.compress(b""),
        zlib.compress(b"\xc1" * 20),
        zlib.compress(msgspec.msgpack.encode({"version": 1})),
        zlib.compress(msgspec.msgpack.encode({"version": 1, "files": {"settings.toml": 5}})),
        zlib.compress(msgspec.msgpack.encode({"version": 1, "files": {}, "more": 1})),
        zlib.compress(b"\x81" * 5000),
        zlib.compress(bytes(200 << 20)),
        zlib.compress(msgspec.msgpack.encode({"version": 1, "files": {}}))[:-1],
        zlib.compress(msgspec.msgpack.encode({"version": 1, "files": {}})) + b"more",
        b"no zlib",
    ],
)
def test_an_honest_age_file_with_something_else_inside(content: bytes) -> None:
    with pytest.raises(RefusedError, match="holds no settings of a box"):
        agefile.open_file(agefile._seal(content, PHRASE), PHRASE)


def test_a_backup_of_a_later_version_says_so() -> None:
    later = agefile._packed(agefile.Kept(version=2, files=FILES))
    with pytest.raises(RefusedError, match="version 2"):
        agefile.open_file(agefile._seal(later, PHRASE), PHRASE)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(data: bytes, headed: bool) -> None:
    head = b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n" if headed else b""
    with pytest.raises(RefusedError):
        agefile.open_file(head + data, PHRASE)
