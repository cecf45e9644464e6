"""Door to the vault, on `cryptography`. Law 18: what was confirmed lies here sealed, in two slots that take
turns and ten older ones; a damaged slot falls back to the other, then to the older, and each fall-back is
told.

A slot is MAGIC, generation, kind of key, salt, nonce, and what AES-256-GCM makes of the content with all that
as associated data; its key is HKDF-SHA256 (RFC 5869) of the box's key and the salt. The generation only
grows, so an old slot cannot pass for a new one; against a whole disk that was copied back no counter on it
helps.

Runs in a process of its own (sealer.py): neither the library's 15 MB nor the key are in the daemon.
"""

import contextlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import DoorError
from gateway.settings import store
from gateway.settings.keys import HARDWARE, PROTECTS, Keys, Kind

MAX_BYTES: Final = 4 << 20
OLDER: Final = 10
SLOTS: Final = ("slot-a", "slot-b")
_OLD_NAME: Final = "older-{:012d}"
_MAGIC: Final = b"STDLYV01"
_HEAD: Final = struct.Struct("!8sQB3x32s12s")
_KINDS: Final[tuple[Kind, ...]] = ("file", "tpm", "otp")
TEXT: Final = "settings.toml"


class Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sealed: files by name, TEXT among them."""

    revision: int
    at: float
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Slot:
    """A sound slot."""

    path: Path
    generation: int
    content: Content

    @property
    def text(self) -> bytes:
        """Of the settings."""
        return self.content.files.get(TEXT, b"")


@dataclass(frozen=True, slots=True)
class View:
    """All that is sound, newest first; `told`: what is not; `highest`: the highest generation seen, sound or
    not; `spoilt`: the names of slots that cannot be read."""

    sound: tuple[Slot, ...]
    told: tuple[str, ...]
    highest: int
    spoilt: frozenset[str]


class Vault:
    """The folder of the vault."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._folder, self._keys = folder, keys

    def look(self) -> View:
        """Open everything. Raises DoorError when the folder cannot be read at all."""
        sound, told, highest, spoilt = [], [], 0, set()
        for path in self._paths():
            try:
                data = store.read(path, max_bytes=MAX_BYTES)
                highest = max(highest, _generation(data))
                sound.append(self._open(path, data))
            except FileNotFoundError:
                continue
            except (DoorError, InvalidTag, msgspec.DecodeError, struct.error, ValueError) as error:
                why = "it is damaged, or of another box" if isinstance(error, InvalidTag) else str(error)
                told.append(f"The vault's {path.name} cannot be used: {why}.")
                spoilt.add(path.name)
        sound.sort(key=lambda slot: slot.generation, reverse=True)
        if told and sound:
            told.append(f"The newest sound snapshot is {sound[0].generation}, in {sound[0].path.name}.")
        return View(tuple(sound), tuple(told), highest, frozenset(spoilt))

    def seal(self, files: Mapping[str, bytes], revision: int, at: float) -> View:
        """See that the newest snapshot holds these files, and that both slots are sound. Gives the vault as
        it was found. Raises DoorError; what was sealed before is then still there."""
        found = self.look()
        slots = {slot.path.name: slot for slot in found.sound if slot.path.name in SLOTS}
        generation = found.highest
        newest = found.sound[0] if found.sound else None
        content = Content(revision=revision, at=at, files=dict(files))
        if newest is None or newest.path.name not in SLOTS or newest.content.files != content.files:
            generation += 1
            newest = self._put(_target(slots), generation, content, slots, found)
            slots[newest.path.name] = newest
        other = next(name for name in SLOTS if name != newest.path.name)
        if other not in slots:
            self._put(other, generation + 1, newest.content, {}, found)
        self._prune()
        return found

    def distinct(self, sound: tuple[Slot, ...]) -> list[Slot]:
        """Newest first, each text of settings once."""
        newest: dict[bytes, Slot] = {}
        for slot in sound:
            newest.setdefault(slot.text, slot)
        return list(newest.values())

    def protects(self) -> str:
        """What holds the key, and what that protects against. Raises DoorError."""
        return PROTECTS[self._keys.best().kind]

    # --- slots ------------------------------------------------------------------------------------

    def _paths(self) -> list[Path]:
        try:
            older = sorted(self._folder.glob(_OLD_NAME.partition("{")[0] + "*"))
        except OSError as error:
            raise DoorError(
                f"cannot be read: {error.strerror or error}", where=str(self._folder), remedy="Check the disk"
            ) from error
        return [*(self._folder / name for name in SLOTS), *older]

    def _put(
        self, name: str, generation: int, content: Content, slots: Mapping[str, Slot], found: View
    ) -> Slot:
        store.make_folder(self._folder)
        path = self._folder / name
        old = slots.get(name)
        stays = {content.files.get(TEXT), *(slot.text for other, slot in slots.items() if other != name)}
        if old is not None and old.text not in stays:
            self._retire(old, found)
        store.write(path, self._sealed(generation, content))
        return Slot(path, generation, content)

    def _retire(self, slot: Slot, found: View) -> None:
        """Its place is needed: it becomes an older one, instead of those with the same settings."""
        try:
            slot.path.rename(self._folder / _OLD_NAME.format(slot.generation))
            for twin in found.sound:
                if twin.path.name not in SLOTS and twin.text == slot.text:
                    twin.path.unlink(missing_ok=True)
        except OSError as error:
            raise DoorError(
                f"cannot be put away: {error.strerror or error}",
                where=str(slot.path),
                remedy="Check the disk",
            ) from error

    def _prune(self) -> None:
        for path in self._paths()[len(SLOTS) :][:-OLDER]:
            with contextlib.suppress(OSError):
                path.unlink()

    # --- cryptography -----------------------------------------------------------------------------

    def _sealed(self, generation: int, content: Content) -> bytes:
        key, salt, nonce = self._keys.best(), os.urandom(32), os.urandom(12)
        head = _HEAD.pack(_MAGIC, generation, _KINDS.index(key.kind), salt, nonce)
        return head + AESGCM(_derived(key.secret, salt)).encrypt(nonce, msgspec.msgpack.encode(content), head)

    def _open(self, path: Path, data: bytes) -> Slot:
        head = data[: _HEAD.size]
        magic, generation, kind, salt, nonce = _HEAD.unpack(head)
        if magic != _MAGIC or kind >= len(_KINDS):
            raise ValueError("it is no snapshot of this version")
        key = self._keys.of(_KINDS[kind])
        if key is None:
            where = "the key file" if _KINDS[kind] not in HARDWARE else f"the key of {_KINDS[kind]}"
            raise ValueError(f"{where} is not there")
        plain = AESGCM(_derived(key.secret, salt)).decrypt(nonce, data[_HEAD.size :], head)
        return Slot(path, generation, msgspec.msgpack.decode(plain, type=Content))


def _derived(secret: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"steadyline vault 1").derive(secret)


def _generation(data: bytes) -> int:
    """As the head says, which nothing has vouched for yet: bounded, so that noise cannot use the counter
    up."""
    magic, generation, *_ = _HEAD.unpack(data[: _HEAD.size])
    return int(generation) if magic == _MAGIC and generation < 1 << 48 else 0


def _target(slots: Mapping[str, Slot]) -> str:
    """The slot to write next: one that is not sound, else the older."""
    for name in SLOTS:
        if name not in slots:
            return name
    return min(SLOTS, key=lambda name: slots[name].generation)
