"""Which addresses the provider has confirmed, when, and how we know.

Law: a file that cannot be read confirms nothing, and it is said; a call confirms an address only when the
provider saw that very address.
"""

import asyncio
import base64
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import msgspec

from gateway.errors import DoorError, RefusedError
from gateway.messages import ConfirmResult, Done, RecordingNow, Refused
from gateway.settings import store

FILE = "confirmations.json"
MAX_FILE_BYTES = 1 << 20
MAX_RECORDING_BYTES = 600_000
"""37 s of speech; in base64 it still fits into one message."""


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verdict on one uplink's address pair. `at`: Unix seconds; `heard_ms`: audio heard in the call."""

    uplink: str
    local_address: str
    public_address: str
    observed_address: str
    at: float
    sip_code: int
    heard_ms: int
    recording: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    confirmed: tuple[Confirmation, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a confirmation call amounts to: what to keep (None: not confirmed), in a sentence, with a remedy.

    `revokes`: an older confirmation of the uplink is known to be wrong now (silence proves nothing).
    """

    confirmation: Confirmation | None
    sentence: str
    remedy: str = ""
    revokes: bool = False


def judge(result: ConfirmResult, observed: str, now: float) -> Verdict:
    """Weigh the call against the address that the provider sees (`observed`, from OPTIONS; empty: unknown).

    The call alone does not confirm: the provider must have seen the very address that is to be used.
    """
    name, public = result.uplink, result.public_address
    seen = result.observed_address or observed
    if result.verdict == "confirmed" and observed and observed != seen:
        return Verdict(
            None,
            f"{name} is not confirmed: the provider saw {seen} in the call, but {observed} now",
            "The public address changes by itself; order a static one",
            revokes=True,
        )
    if result.verdict == "other_address" or (result.verdict == "confirmed" and seen and seen != public):
        return Verdict(
            None,
            f"{name} is not confirmed: the provider sees {seen or 'another address'}, not {public}",
            f"If {seen} is the static address of {name}, put it into the settings as public_address"
            if seen
            else "Check public_address in the settings",
            revokes=True,
        )
    if result.verdict == "confirmed":
        kept = Confirmation(
            uplink=name,
            local_address=result.local_address,
            public_address=public,
            observed_address=seen,
            at=now,
            sip_code=result.sip_code,
            heard_ms=result.heard_ms,
            recording=result.recording,
        )
        seen_as = f"the provider sees {seen}" if seen else "the provider does not say which address it sees"
        return Verdict(
            kept, f"{name} is confirmed: {public} was heard for {result.heard_ms / 1000:.1f} s; {seen_as}"
        )
    if result.verdict == "refused":
        return Verdict(
            None,
            f"{name} is not confirmed: the provider answered {result.sip_code} {result.reason}".rstrip(),
            f"Add {seen or public} to the trunk's addresses in your profile at the provider, then try again",
            revokes=True,
        )
    if result.verdict == "no_answer":
        return Verdict(
            None,
            f"{name} is not confirmed: the provider did not answer",
            "See `gatewayctl uplinks`, and try again when the channel is up",
        )
    return Verdict(None, f"{name} is not confirmed: {result.reason or 'the call failed'}", "Try again")


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that is confirmed, one entry an uplink; `trouble` says why a file counted for nothing."""

    confirmed: tuple[Confirmation, ...] = ()
    trouble: str = ""

    def of(self, uplink: str) -> Confirmation | None:
        """The confirmation of this uplink, if there is one."""
        return next((c for c in self.confirmed if c.uplink == uplink), None)

    def with_one(self, confirmation: Confirmation) -> "Ledger":
        """With this entry in the place of the uplink's old one."""
        return Ledger((*self.without(confirmation.uplink).confirmed, confirmation))

    def renamed(self, names: Mapping[str, str]) -> "Ledger":
        """With other names for uplinks: old to new. Entries stay under the old names too: a change on trial
        that a power cut ends leaves the box with those."""
        new = [
            msgspec.structs.replace(c, uplink=names[c.uplink]) for c in self.confirmed if c.uplink in names
        ]
        taken = {c.uplink for c in new}
        return Ledger((*(c for c in self.confirmed if c.uplink not in taken), *new))

    def without(self, uplink: str) -> "Ledger":
        """Without the uplink's entry."""
        return Ledger(tuple(c for c in self.confirmed if c.uplink != uplink))


class Register:
    """The ledger in force. `tell` hears of each new one, after it is on the disk."""

    def __init__(
        self, state: Path, ledger: Ledger, tell: Callable[[Ledger], None], recordings: Path | None = None
    ) -> None:
        self._state = state
        self._recordings = recordings
        self._tell = tell
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")  # one at a time
        self._before: Ledger | None = None
        self.ledger = ledger

    async def settle(self, result: ConfirmResult, observed: str) -> Done | Refused:
        """Judge a confirmation call, keep the verdict, and answer for it. `observed`: our address as OPTIONS
        tell it, empty when unknown. A verdict that could not be stored counts until the next start, and the
        answer says so."""
        verdict = judge(result, observed, time.time())
        kept = verdict.confirmation
        trouble = ""
        if kept:
            trouble = await self._keep(lambda ledger: ledger.with_one(kept))
        elif verdict.revokes and self.ledger.of(result.uplink):
            trouble = await self._keep(lambda ledger: ledger.without(result.uplink))
        if kept is None:
            return Refused(what=verdict.sentence + trouble, where=result.uplink, remedy=verdict.remedy)
        return Done(text=verdict.sentence + "." + trouble, data=msgspec.structs.asdict(kept))

    async def revoke(self, uplink: str) -> None:
        """The provider has refused this uplink's address and taken another: it is not confirmed any more."""
        if self.ledger.of(uplink):
            await self._keep(lambda ledger: ledger.without(uplink))

    async def recording(self, uplink: str) -> RecordingNow:
        """What was heard when this uplink was confirmed. Raises RefusedError when nothing is kept of it."""
        kept = self.ledger.of(uplink)
        name = Path(kept.recording).name if kept else ""
        if not name or self._recordings is None:
            raise RefusedError(
                f"there is no recording of a confirmation by {uplink}",
                where=uplink,
                remedy="Confirm its address by a call",
            )
        # The calls process names the file; whatever it names, only its own folder is read.
        path = self._recordings / name
        data = await asyncio.get_running_loop().run_in_executor(self._writer, _recorded, path)
        return RecordingNow(data=base64.b64encode(data).decode())

    def try_out(self, confirmations: bytes) -> None:
        """Others, such as a backup brings, in force until `keep` or `return_to_kept`. Raises RefusedError."""
        ledger = _read(confirmations)
        self._before = self._before or self.ledger
        self._put(ledger)

    def return_to_kept(self) -> None:
        """Those of before are in force again."""
        if self._before is not None:
            before, self._before = self._before, None
            self._put(before)

    def keep(self) -> None:
        """What is tried out stays: it is on the disk, with the settings that it came with."""
        self._before = None

    def _put(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._tell(ledger)

    async def rename(self, names: Mapping[str, str]) -> None:
        """Uplinks have other names: old to new. What is confirmed stays confirmed."""
        if self.ledger.renamed(names).confirmed != self.ledger.confirmed:
            await self._keep(lambda ledger: ledger.renamed(names))

    async def _keep(self, change: Callable[[Ledger], Ledger]) -> str:
        """Put a change in force and on the disk; words when it could not be stored. While others are tried
        out, the disk keeps those of before, with the same change."""
        self.ledger = stays = change(self.ledger)
        if self._before is not None:
            self._before = stays = change(self._before)
        trouble = ""
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, save, self._state, stays)
        except DoorError as error:
            trouble = f" It could not be stored, and counts until the next start: {error}."
        self._tell(self.ledger)
        return trouble


def _recorded(path: Path) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            return file.read(MAX_RECORDING_BYTES)
    except OSError as error:
        raise RefusedError(
            f"the recording cannot be read ({error.strerror})", where=str(path), remedy="Confirm once more"
        ) from None


def load(state: Path) -> Ledger:
    """The ledger in the state directory. Never raises: what cannot be read confirms nothing, and says so."""
    path = state / FILE
    try:
        return _parse(store.read(path, max_bytes=MAX_FILE_BYTES))
    except FileNotFoundError:
        return Ledger()
    except (DoorError, ValueError, RecursionError) as error:
        return Ledger(
            trouble=f"{path} cannot be used ({error}): no address counts as confirmed until called again"
        )


def _read(data: bytes) -> Ledger:
    try:
        return _parse(data)
    except (ValueError, RecursionError) as error:
        raise RefusedError(
            f"its confirmations cannot be used ({error})",
            where="backup",
            remedy="Export it again; it was made by another version, or is damaged",
        ) from None


def _parse(data: bytes) -> Ledger:
    """Raises ValueError (msgspec's errors are such), RecursionError."""
    held = msgspec.json.decode(data, type=_File)
    if held.version != 1:
        raise ValueError(f"version {held.version} is not known")
    for one in held.confirmed:
        for address in (one.local_address, one.public_address, one.observed_address or "0.0.0.0"):
            ip_address(address)
    names = [one.uplink for one in held.confirmed]
    if len(set(names)) < len(names):
        raise ValueError("an uplink appears twice")
    return Ledger(held.confirmed)


def save(state: Path, ledger: Ledger) -> None:
    """On the disk when this returns. Raises DoorError; the old file then stands."""
    text = msgspec.json.format(msgspec.json.encode(_File(version=1, confirmed=ledger.confirmed)), indent=2)
    store.write(state / FILE, text)
