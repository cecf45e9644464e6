"""The first thing a start does, before any room: what a reset has left to do, then what is in force (law 16).

Runs to its end before anything is open, and each step may have been cut short and be done again.
"""

import logging
import time
from dataclasses import dataclass, replace
from typing import Protocol

from gateway import schema
from gateway.errors import DoorError, GatewayError, SettingsError
from gateway.schema import Settings
from gateway.settings import confirmations, servers, store
from gateway.settings.books import Revision, Snapshot
from gateway.settings.reset import EMPTY_AT, Blank, Destroy, Forget, Reset, Restore, Started, Wipe, Write
from gateway.settings.ruins import Ruins
from gateway.settings.shelf import Shelf
from gateway.settings.start import OpenVault, Start, decide

log = logging.getLogger("gateway.settings")


class Vault(Protocol):
    """Where snapshots are. Raises GatewayError."""

    async def seal(self, revision: int) -> object:
        """See that the newest snapshot is what is confirmed on the disk."""

    async def open(self, back: int) -> Snapshot | None:
        """The newest sound snapshot, or the one `back` different settings before it; None: there is none."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the rooms begin with."""

    begun: Start
    settings: Settings | None


async def open_box(shelf: Shelf, ruins: Ruins, vault: Vault) -> Opened:
    """Finish or begin what resets ask for, then find the settings. Raises DoorError when the disk does not
    let a reset be finished: what is half wiped must not start."""
    told: list[str] = []
    restored = await _resets(shelf, ruins, vault, told)
    begun = decide(shelf.look())
    if any(isinstance(step, OpenVault) for step in begun.steps) and not restored.empty:
        why = begun.told or ("No settings stand on the disk.",)
        if await _restore(shelf, ruins, vault, 0, " ".join(why), told):
            begun = replace(decide(shelf.look()), origin="vault")
    elif restored.done:
        begun = replace(begun, origin="vault")
    try:
        shelf.do(begun, time.time())
    except DoorError as error:
        told.append(f"The settings are in force, but the disk could not be put in order. {error}")
    settings = schema.parse(begun.text, str(shelf.file)) if begun.text else None
    return Opened(replace(begun, told=(*begun.told, *told)), settings)


@dataclass(slots=True)
class _Resets:
    done: bool = False
    empty: bool = False


async def _resets(shelf: Shelf, ruins: Ruins, vault: Vault, told: list[str]) -> _Resets:
    result = _Resets()
    before = ruins.record()
    reset = Reset(before)
    marker = ruins.marked()
    actions = reset.receive(Started(marker), ruins.now())
    record = next((a.record for a in actions if isinstance(a, Write) and a.record.pending), before)
    who = record.who or "the marker file"
    for action in actions:
        match action:
            case Write(written):
                if written.pending:  # by the marker, just now: what is confirmed has to be in the vault first
                    await _seal_first(shelf, vault, told)
                ruins.write(written)
            case Wipe():
                ruins.wipe()
                result.empty = True
            case Restore(back):
                why = f"After a factory reset by {who} the box restored its settings by itself"
                why += " as they were before the last change" if back else ""
                result.done = await _restore(shelf, ruins, vault, back, why, told)
                result.empty = not result.done
            case Destroy():
                ruins.destroy()
                told.append(
                    "The box was decommissioned: its settings, history, vault and key were overwritten."
                )
            case Blank():
                if not ruins.blank():
                    told.append("The disk is large: what is free on it was not overwritten.")
            case Forget():
                ruins.forget()
            case _:
                raise AssertionError(action)
    if result.empty and record.pending == "reset" and record.count == EMPTY_AT:
        text = (
            f"After the third factory reset in a row by {who} the box starts empty. "
            "One more brings back the last settings."
        )
        ruins.note_restored(text)
        told.append(text)
    if marker:
        ruins.unmark()
    return result


async def _seal_first(shelf: Shelf, vault: Vault, told: list[str]) -> None:
    found = shelf.look()
    if found.copy is None:
        return
    try:
        await vault.seal(found.entries[0].revision if found.entries else 1)
    except GatewayError as error:
        told.append(f"The newest settings could not be sealed before the reset. {error}")


async def _restore(shelf: Shelf, ruins: Ruins, vault: Vault, back: int, why: str, told: list[str]) -> bool:
    """Put a snapshot on the disk; whether there was one that is still sound settings."""
    wanted = back
    while True:
        try:
            snapshot = await vault.open(back)
        except GatewayError as error:
            told.append(f"The vault cannot be opened. {error}")
            return False
        if snapshot is None:
            if wanted:
                wanted = back = 0  # there is nothing older: the newest is better than nothing
                why = f"{why} (there are no older ones)"
                continue
            told.append("The vault holds no snapshot: the box waits to be set up.")
            return False
        told += snapshot.told
        try:
            schema.parse(snapshot.text, f"snapshot {snapshot.generation}")
            break
        except SettingsError as error:
            told.append(f"A snapshot could not be used, and an older one is tried. {error}")
            back += 1
    for name, data in snapshot.files.items():
        if name in (confirmations.FILE, servers.FILE):
            store.make_folder(shelf.state)
            store.write(shelf.state / name, data)
    text = f"{why}: revision {snapshot.revision}, snapshot {snapshot.generation}."
    ruins.note_restored(text)
    shelf.keep(
        Revision(
            revision=snapshot.revision + 1,
            at=time.time(),
            who="the vault",
            why=why,
            differences=0,
            text=snapshot.text,
        )
    )
    log.info("%s", text)
    return True
