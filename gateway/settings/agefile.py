"""Door to age files (age-encryption.org/v1): backups under a passphrase. Runs in the sealer's process.

Read by pyrage. Written here, on `cryptography`: pyrage takes as much memory for the passphrase as its machine
can fill in a second, which a smaller box could not read again. What was written is opened before it is given.

Law: what comes in is bounded before anything is computed, and everything that is wrong with it is one error.
"""

import hashlib
import hmac
import os
import re
import zlib
from base64 import b64encode

import msgspec
import pyrage
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyrage import passphrase as age

from gateway.errors import RefusedError

MAX_BYTES = 1 << 20
MAX_PLAIN_BYTES = 4 << 20
WORK = 16
"""Binary logarithm of scrypt's N: 64 MiB, which the smallest box has."""
MOST_WORK = 18
"""256 MiB, a few seconds. A file that asks for more is no backup of ours."""
SHORTEST_PASSPHRASE = 10
_VERSION = 1
_CHUNK = 64 << 10
_HEAD = re.compile(
    rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n[A-Za-z0-9+/]{43}\n--- "
)


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds: files by name."""

    version: int
    files: dict[str, bytes]


def export(files: dict[str, bytes], phrase: str) -> bytes:
    """An age file, which opens again. Raises RefusedError for a passphrase that is too short."""
    if len(phrase) < SHORTEST_PASSPHRASE:
        raise RefusedError(
            "the passphrase is too short",
            where="backup",
            remedy=f"Give {SHORTEST_PASSPHRASE} characters or more",
        )
    sealed = _seal(_packed(Kept(version=_VERSION, files=files)), phrase)
    if len(sealed) > MAX_BYTES:
        raise _refused("there is too much to keep", "Shorten the settings")
    if open_file(sealed, phrase) != files:
        raise RefusedError("the backup does not open again", where="backup", remedy="Try again")
    return sealed


def _packed(kept: Kept) -> bytes:
    """Pressed together: on a recovery sheet every byte is typed by somebody."""
    return zlib.compress(msgspec.msgpack.encode(kept), 9)


def _unpacked(packed: bytes) -> Kept:
    """Raises ValueError; never unfolds to more than MAX_PLAIN_BYTES."""
    unfolding = zlib.decompressobj()
    try:
        plain = unfolding.decompress(packed, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unfolding.eof or unfolding.unused_data:
        raise ValueError("it is not whole, or unfolds to too much")
    return msgspec.msgpack.decode(plain, type=Kept)


def _seal(plain: bytes, phrase: str) -> bytes:
    """age v1 with one scrypt stanza (C2SP age.md: header, header MAC, payload as STREAM)."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrap = hashlib.scrypt(
        phrase.encode(),
        salt=b"age-encryption.org/v1/scrypt" + salt,
        n=1 << WORK,
        r=8,
        p=1,
        dklen=32,
        maxmem=1 << (WORK + 11),
    )
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    head = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (_base64(salt), WORK, _base64(body))
    mac = hmac.digest(_derive(file_key, b"", b"header"), head, "sha256")
    stream = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    chunks = [plain[at : at + _CHUNK] for at in range(0, len(plain), _CHUNK)] or [b""]
    sealed = [
        stream.encrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None)
        for number, chunk in enumerate(chunks)
    ]
    return b"".join([head, b" ", _base64(mac), b"\n", nonce, *sealed])


def _derive(key: bytes, salt: bytes, what: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, what).derive(key)


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


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
        kept = _unpacked(plain)
    except (ValueError, RecursionError):  # msgspec.DecodeError is a ValueError
        raise _refused("it holds no settings of a box", "Give the file that was exported") from None
    if kept.version != _VERSION:
        raise _refused(f"it is of version {kept.version}, which is not known here", "Update the box first")
    return kept.files


def _refused(what: str, remedy: str) -> RefusedError:
    return RefusedError(what, where="backup", remedy=remedy)
