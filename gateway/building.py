"""What the daemon hands to a room that is to be built."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.hub import HubEvent
from gateway.inbox import Inbox
from gateway.schema import Settings
from gateway.settings.confirmations import Ledger


@dataclass(frozen=True, slots=True)
class Building:
    """What a room is built from. `run`: where the sockets of all processes stand; `beat`: to be called with
    the loop's time at every turn."""

    settings: Settings
    ledger: Ledger
    state: Path
    run: Path
    recordings: Path
    inbox: Inbox[HubEvent]
    beat: Callable[[float], None]
