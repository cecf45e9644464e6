"""Writers to be cut off: each does with the box's own code what it does, and tells when it has promised
something.

`python -m tests.settings.writers WRITER FOLDER`; "bad_" writers are how it must not be done.
"""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import msgspec

from gateway.opening import Opened, open_box
from gateway.settings.books import Revision, Snapshot
from gateway.settings.errands import Errand, Open, Places, Seal
from gateway.settings.errands import Opened as Found
from gateway.settings.passwords import Passwords
from gateway.settings.reset import Reset, Wanted, Write
from gateway.settings.ruins import Ruins
from gateway.settings.shelf import Shelf
from gateway.settings.strongroom import Strongroom
from tests.settings.cuts import ACKNOWLEDGED

EXAMPLE = (Path(__file__).parent.parent / "example.toml").read_text()
CHANGES = 8
BROUGHT = b'{"version": 1, "confirmed": []}'


def text(number: int) -> str:
    """The settings of revision `number`: each longer than the one before, and sound."""
    return EXAMPLE.replace('"office"', f'"office{number}"') + f"# {'x' * number * 40}\n"


class Paths:
    """Where things are below one folder."""

    def __init__(self, root: Path) -> None:
        self.file, self.state = root / "etc" / "settings.toml", root / "state"
        self.vault, self.keys = root / "vault", root / "key"
        self.recordings, self.marker, self.run = root / "recordings", root / "marker", root / "run"
        self.shelf = Shelf(self.file, self.state)
        self.ruins = Ruins(
            self.file, self.state, self.vault, self.keys, self.recordings, self.marker, self.run
        )
        self.places = Places(state=str(self.state), vault=str(self.vault), keys=str(self.keys))


class InProcess:
    """The strongroom without a process of its own: same code, for thousands of starts."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def _do(self, errand: Errand) -> object:
        from gateway.settings import sealer

        return sealer.do(errand, time.time())

    async def seal(self, revision: int) -> object:
        return self._do(Seal(places=self._places, revision=revision))

    async def open(self, back: int) -> Snapshot | None:
        got = self._do(Open(places=self._places, back=back))
        assert isinstance(got, Found)
        if not got.generation:
            return None
        return Snapshot(got.generation, got.revision, got.text.decode(), got.files, got.told)


def open_again(places: Paths) -> Opened:
    """A start, as the daemon does it."""
    return asyncio.run(open_box(places.shelf, places.ruins, InProcess(places.places)))


def prepare(root: Path) -> None:
    """A box with one revision, sealed; a recording and a password."""
    for name in ("etc", "state", "recordings", "run", "state/history"):
        (root / name).mkdir(parents=True)
    places = Paths(root)
    places.file.write_text(text(1))
    opened = open_again(places)
    assert opened.begun.revision == 1
    InProcess(places.places)._do(Seal(places=places.places, revision=1))
    (places.recordings / "8888.wav").write_bytes(b"RIFF of the past")
    (places.state / "history" / "calls.db").write_bytes(b"calls of the past")
    Passwords(places.state).set("correct horse")


def promise(what: object) -> None:
    """Tell the trace."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(f"{ACKNOWLEDGED}{what}")


def _revision(number: int) -> Revision:
    return Revision(revision=number, at=0.0, who="anna", why="", differences=1, text=text(number))


def save(places: Paths) -> None:
    """Changes that are tried and kept."""
    for number in range(2, 2 + CHANGES):
        places.shelf.note_trial("anna", text(number))
        places.shelf.keep(_revision(number))
        promise(number)
        places.shelf.forget_trial()


def backup(places: Paths) -> None:
    """A backup that brings confirmations with it."""
    places.shelf.note_trial("anna", text(2))
    places.shelf.keep(msgspec.structs.replace(_revision(2), confirmations=BROUGHT))
    promise(2)
    places.shelf.forget_trial()


def first(places: Paths) -> None:
    """The very first settings of a box."""
    places.shelf.note_trial("anna", text(1))
    places.shelf.keep(_revision(1))
    promise(1)
    places.shelf.forget_trial()


def seal(places: Paths) -> None:
    """Changes that are kept and sealed, by the sealer in its own process."""
    room = Strongroom(places.state, places.vault, places.keys)
    for number in range(2, 2 + CHANGES // 2):
        places.shelf.keep(_revision(number))
        asyncio.run(room.seal(number))
        promise(number)


def reset(places: Paths) -> None:
    """A factory reset from the wish to the end of the start after it."""
    _want(places, "reset")
    promise("asked")
    open_again(places)
    promise("restored")


def decommission(places: Paths) -> None:
    """Giving the box away, likewise."""
    _want(places, "decommission")
    promise("asked")
    open_again(places)
    promise("wiped")


def _want(places: Paths, kind: str) -> None:
    wanted = Wanted("decommission" if kind == "decommission" else "reset", "anna")
    for action in Reset(places.ruins.record()).receive(wanted, places.ruins.now()):
        if isinstance(action, Write):
            places.ruins.write(action.record)


def bad_open_w(places: Paths) -> None:
    """How a settings file must not be written."""
    for number in range(2, 2 + CHANGES):
        with open(places.file, "w") as file:
            file.write(text(number))
        promise(number)


def bad_no_fsync(places: Paths) -> None:
    """Nor so."""
    for number in range(2, 2 + CHANGES):
        fresh = places.file.with_name(".new")
        fresh.write_text(text(number))
        fresh.rename(places.file)
        promise(number)


def bad_no_folder_fsync(places: Paths) -> None:
    """Nor so."""
    for number in range(2, 2 + CHANGES):
        fresh = places.file.with_name(".new")
        with open(fresh, "w") as file:
            file.write(text(number))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(places.file)
        promise(number)


_GOOD = (save, backup, first, seal, reset, decommission)
_BAD = (bad_open_w, bad_no_fsync, bad_no_folder_fsync)
WRITERS = {writer.__name__: writer for writer in (*_GOOD, *_BAD)}

if __name__ == "__main__":
    WRITERS[sys.argv[1]](Paths(Path(sys.argv[2])))
