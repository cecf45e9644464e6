"""Law: a call that runs when the settings change keeps the ports and the servers that it began with.

What the guard leaves open beside the present settings, until no call is up any more. Pure.
"""

from collections.abc import Iterable
from typing import Final

from gateway.schema import Ports
from gateway.uplinks.model import Network

DRAIN_MOST_S: Final = 4 * 3600.0
"""In a house that is never quiet, what is old is closed after so long."""


class Drain:
    """`networks` of a former provider, `ports` (SIP, RTP) of former settings."""

    def __init__(self) -> None:
        self.networks: tuple[Network, ...] = ()
        self.ports: tuple[tuple[int, tuple[int, int]], ...] = ()
        self.due: float | None = None

    def providers(self, before: Iterable[Network], calls: int, now: float) -> None:
        """The provider was known by these networks until now."""
        if calls:
            self.networks = tuple(dict.fromkeys((*self.networks, *before)))
            self.due = now + DRAIN_MOST_S

    def former(self, before: Ports, after: Ports, calls: int, now: float) -> None:
        """The ports were these until now."""
        if calls and before != after:
            old = (before.sip, (before.rtp_first, before.rtp_last))
            self.ports = tuple(dict.fromkeys((*self.ports, old)))
            self.due = now + DRAIN_MOST_S

    def calls(self, count: int) -> bool:
        """So many calls are up; True: something is closed."""
        return not count and self._close()

    def expire(self, now: float) -> bool:
        """Time has passed; True: something is closed."""
        return self.due is not None and self.due <= now and self._close()

    def _close(self) -> bool:
        if self.due is None:
            return False
        self.networks, self.ports, self.due = (), (), None
        return True
