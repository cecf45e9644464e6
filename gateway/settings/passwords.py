"""Door to the page's password: scrypt (RFC 7914) of what only its owner knows, and the count of wrong
guesses.

All calls block. scrypt is done by stretch.py, in a process that ends with it.
"""

import contextlib
import hmac
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from gateway.errors import DoorError
from gateway.settings import store
from gateway.settings.stretch import HASH_BYTES, SALT_BYTES

FILE = "password.json"
WRONG = "wrong-passwords"
_MAX_BYTES = 4096
_PATIENCE_S = 20.0


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`access` names this password to sessions; it says nothing of it."""

    access: str
    salt: bytes
    hash: bytes


class Passwords:
    """The one password, in the state directory."""

    def __init__(self, state: Path) -> None:
        self._path, self._wrong = state / FILE, state / WRONG

    def access(self) -> str:
        """The name of the password in force; empty: there is none. A file that cannot be read counts as
        none: to set one takes somebody at the box."""
        held = self._held()
        return held.access if held else ""

    def check(self, password: str) -> bool:
        """Whether it is this one. Raises DoorError when that cannot be told."""
        held = self._held()
        return held is not None and hmac.compare_digest(held.hash, _scrypt(password, held.salt))

    def set(self, password: str) -> None:
        """On the disk when this returns. Raises DoorError; the old one then counts."""
        salt = os.urandom(SALT_BYTES)
        fresh = _File(access=os.urandom(8).hex(), salt=salt, hash=_scrypt(password, salt))
        store.write(self._path, msgspec.json.encode(fresh))

    def forget(self) -> None:
        """There is none from now on. Raises DoorError; the old one then counts."""
        store.remove(self._path)

    def wrong(self) -> int:
        """So many wrong ones in a row."""
        with contextlib.suppress(FileNotFoundError, DoorError, ValueError):
            return max(0, int(store.read(self._wrong, max_bytes=16)))
        return 0

    def note_wrong(self, wrong: int) -> None:
        """Remember that. What cannot be written counts until the next start."""
        with contextlib.suppress(OSError, DoorError):
            if wrong:
                store.write(self._wrong, b"%d" % wrong)
            else:
                self._wrong.unlink(missing_ok=True)

    def _held(self) -> _File | None:
        try:
            return msgspec.json.decode(store.read(self._path, max_bytes=_MAX_BYTES), type=_File)
        except (FileNotFoundError, DoorError, msgspec.DecodeError):
            return None


def _scrypt(password: str, salt: bytes) -> bytes:
    data = password.encode(errors="surrogatepass")
    program = [sys.executable, "-I", "-m", "gateway.settings.stretch"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            program, input=salt + data, capture_output=True, timeout=_PATIENCE_S, check=False
        )
        if done.returncode == 0 and len(done.stdout) == HASH_BYTES:
            return done.stdout
    raise DoorError(
        "the password could not be worked with", where="password", remedy="Try again; the box may lack memory"
    )
