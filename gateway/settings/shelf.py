"""Door to the places of the settings on the disk: the owner's file, the good copy, and the revisions that
were confirmed. Law 16: what is to be kept is written in this order, entry, file, copy:
gateway/settings/start.py tells from that what a power cut left. Calls block: keep them off the loop."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateway import schema
from gateway.errors import DoorError, SettingsError
from gateway.settings import confirmations, start, store
from gateway.settings.books import Revision
from gateway.settings.start import AddEntry, CopyFile, DropEntry, Entry, Found, OpenVault, Step

REVISIONS = "revisions"
MOST_REVISIONS = 50
TRIAL = "trial.json"
ASIDE_SUFFIX = ".aside"
_MAX_ENTRY_BYTES = 2 * schema.MAX_FILE_BYTES


class _Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """`file`: the owner's; `state`: the directory of all that the box remembers between starts."""

    file: Path
    state: Path

    # --- the start ---

    def look(self) -> Found:
        """What stands on the disk, each text whole and checked."""
        text, refused = self._sound(self.file)
        copy, _ = self._sound(self.state / store.GOOD_COPY)
        entries = tuple(Entry(r.revision, r.text) for r in self.revisions())
        tried = self._tried()
        return Found(text, refused, copy, entries, tried.who if tried else "", tried.text if tried else "")

    def do(self, begun: start.Start, at: float) -> None:
        """Put the disk in the order that the start asks for. Raises DoorError; the text in force is sound
        all the same."""
        for step in begun.steps:
            self._do(step, begun, at)
        self.forget_trial()

    def _do(self, step: Step, begun: start.Start, at: float) -> None:
        match step:
            case DropEntry(revision):
                store.remove(self._entry(revision), scrub=True)
            case AddEntry(revision, who):
                entry = Revision(revision=revision, at=at, who=who, why="", differences=0, text=begun.text)
                self._add(entry)
            case CopyFile():
                confirmed = next((one for one in self.revisions() if one.text == begun.text), None)
                self._follow(begun.text.encode(), confirmed.confirmations if confirmed else None)
            case OpenVault():
                pass  # not of the disk

    def _sound(self, path: Path) -> tuple[str | None, SettingsError | None]:
        try:
            return store.sound(path)[1], None
        except SettingsError as error:
            return None, error if path.exists() else None

    # --- confirming ---

    def keep(self, revision: Revision) -> bool:
        """On the disk as the newest revision when this returns, in the file, the copy and the history.
        Whether an edit of the owner's was put aside for it. Raises DoorError; what was before is then what
        the next start finds."""
        data = revision.text.encode()
        aside = self._put_aside()
        self._add(revision)
        try:
            store.write(self.file, data, scrub=True)
        except DoorError:
            with contextlib.suppress(DoorError):
                store.remove(self._entry(revision.revision), scrub=True)
            raise
        # The owner's file counts from here on: what fails now is put right by the next start.
        with contextlib.suppress(DoorError):
            self._follow(data, revision.confirmations)
        self._prune()
        return aside

    def _follow(self, data: bytes, confirmed: bytes | None) -> None:
        """What comes after the owner's file; the copy last, which says that all is done."""
        if confirmed is not None:
            store.write(self.state / confirmations.FILE, confirmed)
        store.write(self.state / store.GOOD_COPY, data, scrub=True)

    def _put_aside(self) -> bool:
        """What stands in the owner's file and was never in force, an edit by hand or a refused one, is not
        lost when another text takes its place. Whether there was such."""
        try:
            edited = store.read(self.file, max_bytes=schema.MAX_FILE_BYTES)
            if edited == store.read(self.state / store.GOOD_COPY, max_bytes=schema.MAX_FILE_BYTES):
                return False
        except FileNotFoundError:
            if not self.file.exists():
                return False
        except DoorError:
            return False
        store.write(self.file.with_name(self.file.name + ASIDE_SUFFIX), edited, scrub=True)
        return True

    def note_trial(self, who: str, text: str) -> None:
        """Remember that a trial runs, so that a start after a power cut can tell. Raises DoorError."""
        store.make_folder(self.state)
        store.write(self.state / TRIAL, msgspec.json.encode(_Trial(who=who, text=text)), scrub=True)

    def forget_trial(self) -> None:
        """No trial runs any more."""
        with contextlib.suppress(DoorError):
            store.remove(self.state / TRIAL, scrub=True)

    def _tried(self) -> _Trial | None:
        try:
            return msgspec.json.decode(
                store.read(self.state / TRIAL, max_bytes=_MAX_ENTRY_BYTES), type=_Trial
            )
        except (OSError, DoorError, msgspec.DecodeError, RecursionError):
            return None

    # --- history ---

    def revisions(self) -> list[Revision]:
        """All that are kept, newest first; entries that cannot be read are left out."""
        found = []
        for path in self._entries():
            with contextlib.suppress(OSError, DoorError, msgspec.DecodeError, RecursionError):
                found.append(msgspec.json.decode(store.read(path, max_bytes=_MAX_ENTRY_BYTES), type=Revision))
        return sorted(found, key=lambda entry: entry.revision, reverse=True)

    def _add(self, entry: Revision) -> None:
        store.make_folder(self.state / REVISIONS)
        store.write(self._entry(entry.revision), msgspec.json.encode(entry))

    def _entry(self, revision: int) -> Path:
        return self.state / REVISIONS / f"{revision:09d}.json"

    def _entries(self) -> list[Path]:
        """By number, oldest first."""
        with contextlib.suppress(OSError):
            return sorted((self.state / REVISIONS).glob("[0-9]*.json"))
        return []

    def _prune(self) -> None:
        for path in self._entries()[:-MOST_REVISIONS]:
            with contextlib.suppress(DoorError):
                store.remove(path, scrub=True)
