"""Law 16: what is in force at the start is decided here, from what stands on the disk; each way but the plain
one is told. The owner's file counts, else the last good copy, else the vault, else nothing.

A change is confirmed by three writes: its entry in the history, the owner's file, the good copy. A power cut
between them shows in which of the three agree; a file that agrees with neither was edited by hand. Pure.
"""

from dataclasses import dataclass, field
from typing import Literal

from gateway.errors import SettingsError
from gateway.status import Origin

BY_HAND = "the settings file, edited by hand"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the history knows of one revision."""

    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What stands on the disk. Texts are None when refused or absent; `refused`: why the owner's file is,
    when there is one; `entries` newest first; `tried`: whose change was on trial when the box stopped (empty:
    nobody's), and its text."""

    file: str | None
    refused: SettingsError | None
    copy: str | None
    entries: tuple[Entry, ...] = ()
    tried: str = ""
    tried_text: str = ""


@dataclass(frozen=True, slots=True)
class DropEntry:
    """This revision was never confirmed."""

    revision: int


@dataclass(frozen=True, slots=True)
class AddEntry:
    """The text in force is a new revision."""

    revision: int
    who: str


@dataclass(frozen=True, slots=True)
class CopyFile:
    """The good copy is to become the text in force."""


@dataclass(frozen=True, slots=True)
class OpenVault:
    """Nothing sound stands on the disk: look into the vault, which has the last word."""


Step = DropEntry | AddEntry | CopyFile | OpenVault


@dataclass(frozen=True, slots=True)
class Start:
    """What is in force, where it came from, what to do on the disk, and what to tell."""

    origin: Origin
    text: str
    revision: int
    steps: tuple[Step, ...] = ()
    told: tuple[str, ...] = field(default=())


def decide(found: Found) -> Start:
    """The start. With an OpenVault among the steps, `text` is empty."""
    told: list[str] = []
    if found.tried and found.file != found.tried_text:
        told.append(
            f"A change of {found.tried} was on trial when the box stopped. It was not kept: "
            "the settings before it are in force."
        )
    newest = found.entries[0] if found.entries else None
    if found.file is None:
        return _without_file(found, newest, told)
    if newest is None:
        who = "the settings file" if found.copy in (None, found.file) else BY_HAND
        return _added("owner", found.file, 1, who, told)
    if found.file == newest.text:
        copy = () if found.copy == found.file else (CopyFile(),)
        return Start("owner", found.file, newest.revision, copy, tuple(told))
    if found.file == found.copy:
        # Its entry was written, and then the power went: nobody was told that it was kept.
        older = next((e for e in found.entries if e.text == found.file), None)
        if older is not None:
            drop = tuple(DropEntry(e.revision) for e in found.entries if e.revision > older.revision)
            return Start("owner", found.file, older.revision, drop, tuple(told))
    told.append(f"The settings file was edited by hand; it is revision {newest.revision + 1} now.")
    return _added("owner", found.file, newest.revision + 1, BY_HAND, told)


def _without_file(found: Found, newest: Entry | None, told: list[str]) -> Start:
    refused = "The settings file is missing" if found.refused is None else "The settings were refused"
    details = f" {found.refused}" if found.refused else ""
    if found.copy is None:
        if found.refused is not None:
            told.append(f"{refused}.{details}")
        return Start("none", "", newest.revision if newest else 0, (OpenVault(),), tuple(told))
    told.append(f"{refused}, and the last good ones are in force.{details}")
    entry = next((e for e in found.entries if e.text == found.copy), None)
    if entry is None:
        revision = newest.revision + 1 if newest else 1
        return _added("good_copy", found.copy, revision, "the last good copy", told)
    drop = tuple(DropEntry(e.revision) for e in found.entries if e.revision > entry.revision)
    return Start("good_copy", found.copy, entry.revision, drop, tuple(told))


def _added(
    origin: Literal["owner", "good_copy"], text: str, revision: int, who: str, told: list[str]
) -> Start:
    return Start(origin, text, revision, (AddEntry(revision, who), CopyFile()), tuple(told))
