"""Door to the disk. Law 16: temp, fsync, rename, fsync of the folder; whatever stood there stays until then.

A settings file that cannot be used never becomes silent defaults: the last good copy counts, and it is said.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gateway import schema
from gateway.errors import DoorError, Problem, SettingsError
from gateway.schema import Settings

GOOD_COPY = "settings.good.toml"


def write(path: Path, data: bytes, *, mode: int = 0o600, scrub: bool = False) -> None:
    """Replace the file, on the disk when this returns. Raises DoorError; the old file then stands.

    `scrub`: what stood there is overwritten once the new file counts, for the disk would keep it otherwise.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        # A fixed name, replaced: a power cut in mid-write leaves one stray file, not one for each.
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with contextlib.ExitStack() as old:
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                before = old.enter_context(_held_for_scrubbing(path)) if scrub else None
                fresh.rename(path)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)
            if before is not None:
                with contextlib.suppress(OSError):  # the new file counts: that is not undone
                    _blank(before)
    except OSError as error:
        raise DoorError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="Free space on the disk, or check who owns the folder; what stood there was kept",
        ) from error


def remove(path: Path, *, scrub: bool = False) -> None:
    """Take the file away, for good when this returns; fine when there is none. Raises DoorError."""
    try:
        if scrub:
            overwrite(path)
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise DoorError(
            f"cannot be taken away: {error.strerror or error}", where=str(path), remedy="Check the disk"
        ) from error


def make_folder(path: Path) -> None:
    """See that there is this folder, ours alone; it lasts when this returns. Raises DoorError."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    except OSError as error:
        raise DoorError(
            f"cannot be made: {error.strerror or error}", where=str(path), remedy="Check who owns the disk"
        ) from error
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Names in it last from here on. Raises OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def overwrite(path: Path) -> None:
    """Zeros over all that it holds, on the disk when this returns; not done to what we may not write to.
    Raises OSError."""
    with _held_for_scrubbing(path) as file:
        if file is not None:
            _blank(file)


@contextlib.contextmanager
def _held_for_scrubbing(path: Path) -> Iterator[int | None]:
    """The file itself, also when its name goes elsewhere meanwhile; None: it cannot be opened."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _blank(handle: int) -> None:
    left = os.fstat(handle).st_size
    os.lseek(handle, 0, os.SEEK_SET)
    while left > 0:
        left -= os.write(handle, bytes(min(left, 1 << 16)))
    os.fsync(handle)


def read(path: Path, *, max_bytes: int) -> bytes:
    """The file. Raises FileNotFoundError when there is none, DoorError when it is too long, not a regular
    file, or cannot be read."""
    try:
        # O_NONBLOCK: a FIFO under this name must not hang the start.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DoorError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Check the file and who owns it",
        ) from error
    if len(data) > max_bytes:
        raise DoorError(f"is longer than {max_bytes} bytes", where=str(path), remedy="Shorten it")
    return data


# --- settings -------------------------------------------------------------------------------------


def sound(path: Path) -> tuple[Settings, str]:
    """The settings in this file, and its text. Raises SettingsError with every problem, also when there is no
    file."""
    try:
        data = read(path, max_bytes=schema.MAX_FILE_BYTES)
        text = data.decode()
    except FileNotFoundError:
        problem = Problem("file", 0, "there is no such file", "Write one, or name another with --settings")
    except DoorError as error:
        problem = Problem("file", 0, error.what, error.remedy)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem("file", line, "not UTF-8 text", "Save the file as UTF-8")
    else:
        return schema.parse(text, str(path)), text
    raise SettingsError(str(path), (problem,))


def load(path: Path, state: Path) -> Settings:
    """The owner's file; when it is refused, the last good copy. Raises SettingsError (of the owner's file)
    when there is no good copy either. Changes nothing: what a start makes of the disk stands in start.py."""
    try:
        return sound(path)[0]
    except SettingsError as refused:
        try:
            return sound(state / GOOD_COPY)[0]
        except SettingsError:
            raise refused from None
