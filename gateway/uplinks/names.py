"""Law: the loop never waits for DNS, and what was known stays in force until something better is known.

Where the names of the trunk's server and of the STUN servers lead. Pure but for the question itself, which
runs in a task of its own.
"""

from dataclasses import dataclass
from typing import Final

from gateway.errors import DoorError
from gateway.messages import Server
from gateway.schema import Trunk, Watching
from gateway.uplinks.talk import Resolver
from gateway.uplinks.wiring import Ask, Resolved, address_of, literal_servers

RESOLVE_AGAIN_S: Final = 2.0
RESOLVE_MOST_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class NamesFound:
    """What became of one question. `found` None: nothing, for the reason in `trouble`."""

    trunk: Trunk
    watching: Watching
    found: Resolved | None
    stun: tuple[str, ...]
    trouble: str


class Names:
    """`servers`: the trunk's servers as far as they are known; `stun`: `address:port` of each STUN server.

    `remembered`: the servers as they were resolved in an earlier life.
    """

    def __init__(
        self, resolver: Resolver, trunk: Trunk, watching: Watching, remembered: tuple[Server, ...], now: float
    ) -> None:
        self._resolver = resolver
        self._trunk = trunk
        self._watching = watching
        self.servers = literal_servers(trunk) or remembered
        self.stun = _literal_stun(watching)
        self._busy = False
        self._again_at = now
        self._complained = ""

    def follow(self, trunk: Trunk, watching: Watching, servers: tuple[Server, ...], now: float) -> None:
        """New settings. `servers`: what the name of another trunk leads to (empty: not known yet)."""
        if watching.stun_servers != self._watching.stun_servers:
            self.stun = _literal_stun(watching)
            self._again_at = now
        if _question(trunk) != _question(self._trunk):
            self.servers = literal_servers(trunk) or servers
            self._again_at = now
        self._trunk, self._watching = trunk, watching

    def wants(self, asks: tuple[Ask, ...], now: float) -> bool:
        """Whether to ask now."""
        wanted = bool(self._stun_names()) or not literal_servers(self._trunk)
        return wanted and bool(asks) and not self._busy and now >= self._again_at

    async def ask(self, asks: tuple[Ask, ...]) -> NamesFound:
        """Ask through these uplinks. Takes seconds when nobody answers; never raises for that."""
        self._busy = True
        trunk, watching, names = self._trunk, self._watching, self._stun_names()
        found, trouble = Resolved(self.servers, RESOLVE_MOST_S), ""
        stun: tuple[str, ...] = ()
        try:
            if not literal_servers(trunk):
                found = await self._resolver.servers(trunk, asks)
            if names:
                stun = (*_literal_stun(watching), *await self._resolver.endpoints(names, asks))
        except DoorError as error:
            trouble = str(error)
        return NamesFound(trunk, watching, None if trouble else found, stun, trouble)

    async def foresee(self, trunk: Trunk, asks: tuple[Ask, ...]) -> tuple[Server, ...]:
        """The servers of another trunk, before it is in force; empty where nobody can tell now. Raises
        DoorError when its name is known to lead nowhere."""
        if _question(trunk) == _question(self._trunk) or literal_servers(trunk) or not asks:
            return ()
        try:
            return (await self._resolver.servers(trunk, asks)).servers
        except DoorError as error:
            if error.where.startswith("trunk."):
                raise
            return ()

    def found(self, event: NamesFound, now: float) -> tuple[bool, str]:
        """Take in an answer: whether the servers are other ones now, and a complaint that is new."""
        self._busy = False
        if _question(event.trunk) != _question(self._trunk):
            return False, ""  # the settings have changed meanwhile
        if event.stun and event.watching.stun_servers == self._watching.stun_servers:
            self.stun = event.stun
        if event.found is None:
            self._again_at = now + RESOLVE_AGAIN_S
            complaint = event.trouble if event.trouble != self._complained else ""
            self._complained = event.trouble
            return False, complaint
        self._again_at = now + event.found.good_for_s
        self._complained = ""
        changed = event.found.servers != self.servers
        self.servers = event.found.servers
        return changed, ""

    def _stun_names(self) -> tuple[str, ...]:
        return tuple(s for s in self._watching.stun_servers if address_of(s) is None)


def _literal_stun(watching: Watching) -> tuple[str, ...]:
    return tuple(s for s in watching.stun_servers if address_of(s) is not None)


def _question(trunk: Trunk) -> tuple[object, ...]:
    return trunk.server, trunk.transport, trunk.port
