"""Door to what holds the key of the vault. Law: a key is half a file that decommissioning destroys, and half,
where the hardware can, a secret that never lies on the disk; status says plainly what that protects against.

The hardware's half is a file on a tmpfs that the unit is given at its start (image/install writes the lines):
what systemd-creds unseals by a TPM2, or the OTP rows of a Pi whose kernel shows them
(drivers/nvmem/raspberrypi-otp.c; Debian's has none). So the daemon needs no device, and starts without them
too.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.errors import DoorError
from gateway.settings import store

Kind = Literal["tpm", "otp", "file"]

FILE = "vault.key"
HARDWARE: Mapping[Kind, str] = {"tpm": "steadyline-tpm", "otp": "steadyline-otp"}
_BYTES = 32
_MAX_BYTES = 4096

PROTECTS: Mapping[Kind, str] = {
    "tpm": "The vault's key is bound to the TPM of this box: a card or disk that was taken out reveals "
    "nothing of it; whoever takes the whole box can start it.",
    "otp": "The vault's key is bound to this Pi (OTP): a card that was taken out reveals nothing of it; root "
    "on this box can read it, and whoever takes the whole box can start it.",
    "file": "The vault's key is a file on the same disk: damage and tampering are noticed, and "
    "decommissioning destroys it, but whoever takes the card or disk can read the vault.",
}


@dataclass(frozen=True, slots=True)
class Key:
    """`secret` goes into HKDF, never to a disk."""

    kind: Kind
    secret: bytes


class Keys:
    """The keys that can be had now. `folder`: of the file; `environment`: says where the hardware's halves
    are."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._path = folder / FILE
        given = environment.get("STEADYLINE_KEYS")
        self._given = Path(given) if given else None

    def best(self) -> Key:
        """The best key there is; the file is made at first need. Raises DoorError."""
        for kind in HARDWARE:
            if key := self.of(kind, make=True):
                return key
        key = self.of("file", make=True)
        assert key is not None
        return key

    def of(self, kind: Kind, *, make: bool = False) -> Key | None:
        """The key of this kind; None: it cannot be had here and now. Raises DoorError."""
        hardware = b"" if kind == "file" else self._hardware(HARDWARE[kind])
        if hardware is None:
            return None
        half = self._file(make=make)
        return Key(kind, half + hardware) if half else None

    def _hardware(self, name: str) -> bytes | None:
        if self._given is None:
            return None
        try:
            secret = store.read(self._given / name, max_bytes=_MAX_BYTES)
        except (FileNotFoundError, DoorError):
            return None
        # OTP rows that nobody has burnt read as zeros: they are no secret.
        return secret if len(secret) >= _BYTES // 2 and any(secret) else None

    def _file(self, *, make: bool) -> bytes:
        try:
            half = store.read(self._path, max_bytes=_MAX_BYTES)
            if len(half) == _BYTES:
                return half
        except FileNotFoundError:
            pass
        if not make:
            return b""
        fresh = os.urandom(_BYTES)
        store.make_folder(self._path.parent)
        store.write(self._path, fresh)
        return fresh
