"""Door to age files (age-encryption.org/v1, on pyrage): backups under a passphrase. Runs in the sealer's
process.

Law: what comes in is bounded before anything is computed, and everything that is wrong with it is one error.
"""

import re

import msgspec
import pyrage
from pyrage import passphrase as age

from gateway.errors import RefusedError

MAX_BYTES = 1 << 20
MOST_WORK = 18
"""Binary logarithm of scrypt's N: 256 MiB, a few seconds. A file that asks for more is no backup of ours."""
SHORTEST_PASSPHRASE = 10
_VERSION = 1
_HEAD = re.compile(
    rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n[A-Za-z0-9+/]{43}\n--- "
)


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds: files by name."""

    version: int
    files: dict[str, bytes]


def export(files: dict[str, bytes], phrase: str) -> bytes:
    """An age file. Raises RefusedError for a passphrase that is too short."""
    if len(phrase) < SHORTEST_PASSPHRASE:
        raise RefusedError(
            "the passphrase is too short",
            where="backup",
            remedy=f"Give {SHORTEST_PASSPHRASE} characters or more",
        )
    sealed: bytes = age.encrypt(msgspec.msgpack.encode(Kept(version=_VERSION, files=files)), phrase)
    return sealed


def open_file(data: bytes, phrase: str) -> dict[str, bytes]:
    """The files in it. Raises RefusedError with one clear reason."""
    if len(data) > MAX_BYTES:
        raise _refused(f"it is longer than {MAX_BYTES} bytes", "Give the file that was exported")
    head = _HEAD.match(data)
    if not head:
        raise _refused("it is no age file under a passphrase", "Give the file that was exported, whole")
    if int(head[1]) > MOST_WORK:
        raise _refused("to open it would take more memory than the box has", "Export it again on a box")
    try:
        plain = age.decrypt(data, phrase)
    except pyrage.DecryptError:
        raise _refused(
            "the passphrase does not open it, or it is damaged", "Check the passphrase, or take another copy"
        ) from None
    try:
        kept = msgspec.msgpack.decode(plain, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refused("it holds no settings of a box", "Give the file that was exported") from None
    if kept.version != _VERSION:
        raise _refused(f"it is of version {kept.version}, which is not known here", "Update the box first")
    return kept.files


def _refused(what: str, remedy: str) -> RefusedError:
    return RefusedError(what, where="backup", remedy=remedy)
