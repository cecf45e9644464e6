"""Door to what resets leave and take: the record beside the vault, the marker file, the note of what was
restored, and the wiping itself. All calls block, and may be repeated after a cut."""

import contextlib
import hashlib
import os
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway.errors import DoorError
from gateway.settings import store
from gateway.settings.reset import Moment, Record

RECORD = "resets.json"
RESTORED = "restored.txt"
_MAX_BYTES = 1 << 16
_CLOCK_IS_SET = 1_700_000_000.0
_CHUNK = 1 << 20
BLANK_S = 30.0
"""systemd waits 90 s for a start."""
MOST_BLANK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Ruins:
    """`file`: the owner's settings; `marker`: what asks for a reset by being there; `run`: a folder that the
    next boot empties."""

    file: Path
    state: Path
    vault: Path
    keys: Path
    recordings: Path
    marker: Path
    run: Path

    # --- the record ---

    def record(self) -> Record:
        """What stands on the disk; one that cannot be read counts as none."""
        try:
            return msgspec.json.decode(store.read(self.vault / RECORD, max_bytes=_MAX_BYTES), type=Record)
        except (FileNotFoundError, DoorError, msgspec.DecodeError):
            return Record()

    def write(self, record: Record) -> None:
        """On the disk when this returns. Raises DoorError."""
        store.make_folder(self.vault)
        store.write(self.vault / RECORD, msgspec.json.encode(record))

    def forget(self) -> None:
        """Take the record away. Raises DoorError."""
        store.remove(self.vault / RECORD)

    def now(self) -> Moment:
        """This moment."""
        wall_s = time.time()
        return Moment(
            boot=self._boot(),
            up_s=time.clock_gettime(time.CLOCK_BOOTTIME),
            wall_s=wall_s,
            trusted=wall_s > _CLOCK_IS_SET,
        )

    def _boot(self) -> str:
        """A name of this boot. Our unit hides the kernel's own, so it is a file that the next boot has
        not."""
        path = self.run / "boot"
        with contextlib.suppress(FileNotFoundError, DoorError, UnicodeDecodeError):
            return store.read(path, max_bytes=64).decode()
        name = secrets.token_hex(8)
        with contextlib.suppress(DoorError):
            store.write(path, name.encode())
        return name

    # --- the marker ---

    def marked(self) -> str:
        """What tells this marker file from another; empty: there is none."""
        try:
            seen = self.marker.stat()
            if not stat.S_ISREG(seen.st_mode):
                return ""
            content = store.read(self.marker, max_bytes=_MAX_BYTES)
        except (OSError, DoorError):
            return ""
        return f"{seen.st_size} {seen.st_mtime_ns} {hashlib.sha256(content).hexdigest()[:16]}"

    def unmark(self) -> None:
        """Take the marker away, if the partition lets us."""
        with contextlib.suppress(OSError, DoorError):
            store.remove(self.marker)

    # --- what was restored ---

    def restored(self) -> str:
        """What the box did after a reset, until somebody has seen it."""
        with contextlib.suppress(FileNotFoundError, DoorError, UnicodeDecodeError):
            return store.read(self.state / RESTORED, max_bytes=_MAX_BYTES).decode()
        return ""

    def note_restored(self, text: str) -> None:
        """Raises DoorError."""
        store.make_folder(self.state)
        store.write(self.state / RESTORED, text.encode())

    def forget_restored(self) -> None:
        """It was seen."""
        with contextlib.suppress(OSError, DoorError):
            store.remove(self.state / RESTORED)

    # --- wiping ---

    def wipe(self) -> None:
        """Overwrite and take away settings, state and recordings. Raises DoorError."""
        _empty(self.state)
        for path in self.file.parent.glob(f"*{self.file.name}*"):
            if path.name in {self.file.name, f"{self.file.name}.aside"} or path.name.startswith("."):
                _erase(path)
        _sync(self.file.parent)
        _empty(self.recordings)

    def destroy(self) -> None:
        """Overwrite and take away the key, then the vault. The record stays till last. Raises DoorError."""
        _empty(self.keys)
        _empty(self.vault, but=RECORD)

    def blank(self) -> bool:
        """Write zeros over the free space of a small disk, where editors and power cuts may have left
        something; all but what the file system keeps back (2 % of ext4). Whether it was done: not on a large
        disk."""
        try:
            disk = os.statvfs(self.state)
            if disk.f_bavail * disk.f_frsize > MOST_BLANK_BYTES:
                return False
        except OSError:
            return False
        file = self.state / "blank"
        until = time.monotonic() + BLANK_S
        for size in (_CHUNK, 512):  # until the disk is full, and then to its last corner
            zeros = bytes(size)
            with contextlib.suppress(OSError), open(file, "ab", buffering=0) as sink:
                while time.monotonic() < until and sink.write(zeros):
                    pass
        with contextlib.suppress(OSError), open(file, "rb") as sink:
            os.fsync(sink.fileno())
        with contextlib.suppress(DoorError):
            store.remove(file)
        return time.monotonic() < until


def _empty(folder: Path, but: str = "") -> None:
    """Everything in it goes, the folder stays."""
    try:
        for path in sorted(folder.iterdir()):
            if path.name == but:
                continue
            if path.is_dir() and not path.is_symlink():
                _empty(path)
                path.rmdir()
            else:
                _erase(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _door_error(folder, error) from error
    _sync(folder)


def _erase(path: Path) -> None:
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            with contextlib.suppress(PermissionError):  # a recording of the calls process: at least it goes
                store.overwrite(path)
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _door_error(path, error) from error


def _sync(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        store.sync_folder(folder)


def _door_error(path: Path, error: OSError) -> DoorError:
    return DoorError(
        f"cannot be wiped: {error.strerror or error}",
        where=str(path),
        remedy="It is tried again at the next start; check the disk",
    )
