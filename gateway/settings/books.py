"""What the keeper of the settings acts through, and the values that cross there. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from gateway.messages import AnyMessage, Event
from gateway.schema import Settings
from gateway.settings.reset import Moment, Record
from gateway.status import CallView, UplinkStatus

Reply = Callable[[AnyMessage], None]


class Revision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One confirmed state. `at`: Unix seconds; `differences`: how many values it changed; `confirmations`: of
    addresses, where it brought others with it (a backup)."""

    revision: int
    at: float
    who: str
    why: str
    differences: int
    text: str
    confirmations: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """The vault as it stands. `texts`: of all sound snapshots; `told`: what was found damaged and what was
    done about it; `sentence`: what holds the key and what that protects against."""

    generation: int
    texts: frozenset[str]
    told: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One sealed state: the settings, and files of the state directory by name. `told`: what was found
    damaged on the way to it."""

    generation: int
    revision: int
    text: str
    files: Mapping[str, bytes]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup held: settings not yet checked, confirmations as they are on the disk (None: none)."""

    text: str
    confirmations: bytes | None


class Applies(Protocol):
    """What settings are put in force by."""

    async def apply(self, settings: Settings | None) -> None:
        """Put these in force whole (None: the box is empty again). Raises GatewayError when it cannot; the
        keeper then applies what was before."""

    def live(self) -> Sequence[CallView]:
        """The calls that run."""

    def uplinks(self) -> Sequence[UplinkStatus]:
        """How the channels are."""

    async def observe(self, uplink: str, timeout_s: float) -> str:
        """Our address as the provider sees it on this uplink, asked now; empty: no answer."""

    def confirmed_uplinks(self) -> tuple[str, ...]:
        """The uplinks whose address is confirmed."""


class Disk(Protocol):
    """The places of the settings (shelf.py). All block; all but `revisions` raise DoorError."""

    def keep(self, revision: Revision) -> bool: ...

    def note_trial(self, who: str, text: str) -> None: ...

    def forget_trial(self) -> None: ...

    def revisions(self) -> list[Revision]: ...


class Strongroom(Protocol):
    """The vault and what needs cryptography. Raises GatewayError."""

    async def seal(self, revision: int) -> Sealed:
        """See that the newest snapshot is what is confirmed on the disk, as this revision."""

    async def export(self, passphrase: str) -> bytes:
        """What is confirmed on the disk as an age file."""

    async def open_backup(self, data: bytes, passphrase: str) -> Backup:
        """What the age file holds, not yet looked at."""


class Addresses(Protocol):
    """The confirmations of addresses, as a backup brings others. Raises GatewayError."""

    def try_out(self, confirmations: bytes) -> None:
        """In force, not on the disk."""

    def return_to_kept(self) -> None:
        """What is on the disk is in force again."""

    def keep(self) -> None:
        """What is tried out stays: it is on the disk, with the settings that it came with."""


class Passwords(Protocol):
    """The page's password and the wrong ones. All block."""

    def access(self) -> str:
        """The name of the password in force; empty: there is none."""

    def check(self, password: str) -> bool: ...

    def set(self, password: str) -> None: ...

    def forget(self) -> None: ...

    def wrong(self) -> int: ...

    def note_wrong(self, wrong: int) -> None: ...


class Resets(Protocol):
    """The record of resets, and what a start after one has left to say. All block."""

    def record(self) -> Record: ...

    def write(self, record: Record) -> None: ...

    def now(self) -> Moment: ...

    def restored(self) -> str: ...

    def forget_restored(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """What the keeper acts through."""

    applies: Applies
    disk: Disk
    strongroom: Strongroom
    addresses: Addresses
    passwords: Passwords
    resets: Resets


@dataclass(frozen=True, slots=True)
class World:
    """Whom the keeper tells. `restart` ends the process in good order; `changed`: its status is new;
    `hang_up` ends all calls; `has_button`: the panel has one; `wall`: Unix seconds; `token`: a fresh text
    that nobody can guess."""

    publish: Callable[[Event], None]
    restart: Callable[[], None]
    wall: Callable[[], float]
    token: Callable[[], str]
    hang_up: Callable[[], None] = lambda: None
    changed: Callable[[], None] = lambda: None
    has_button: Callable[[], bool] = lambda: False
    beat: Callable[[float], None] = lambda now: None
