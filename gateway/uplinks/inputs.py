"""What comes into the loop of the uplinks room: from its doors, from the daemon, from tasks of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.uplinks.admitting import Admit, Observe, Release, Rescue
from gateway.uplinks.applying import Apply
from gateway.uplinks.choice import Calls, Order
from gateway.uplinks.model import (
    AddressesSeen,
    KernelChanged,
    LeaseSeen,
    LinkSeen,
    MediaBack,
    MediaSilent,
    ProbeAnswered,
    ProbeRefused,
    RouterSeen,
)
from gateway.uplinks.names import NamesFound
from gateway.uplinks.talk import Confirmed


@dataclass(frozen=True, slots=True)
class Media:
    """What the calls process hears, or does not, by one uplink."""

    uplink: str
    event: MediaSilent | MediaBack


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Which addresses are confirmed from now on, by uplink."""

    confirmed: Mapping[str, Confirmed]


FromDoors = LinkSeen | AddressesSeen | LeaseSeen | RouterSeen | KernelChanged | ProbeAnswered | ProbeRefused
FromDaemon = Calls | Order | Admit | Release | Rescue | Observe | Apply | Media | Confirmations
Input = FromDoors | FromDaemon | NamesFound


class Post(Protocol):
    """Where the doors post and the room reads: an Inbox."""

    def post(self, item: Input) -> None:
        """Safe from any thread."""

    async def next(self, until: float | None = None) -> Input | None:
        """The oldest item, or None once the loop's time has reached `until`."""
