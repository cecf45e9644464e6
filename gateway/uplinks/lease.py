"""Law: an address is ours from a server's ACK until the lease ends or a NAK, link or no link (RFC 2131 §4.4).

The client of one device as a table: events in, messages and reports out; it sends nothing itself.

    down        no link; a lease goes on until its end
    selecting   DISCOVER, until an offer            requesting  REQUEST of the offer, until ACK or NAK
    rebooting   REQUEST of what we had, after the link came back; an unexpired lease is used meanwhile
    bound       until T1                            renewing    asks its server, until T2
    rebinding   asks any server, until the end
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from random import Random
from typing import Final, Literal

from gateway.uplinks.dhcpwords import Query, Reply
from gateway.uplinks.model import LeaseSeen

State = Literal["down", "selecting", "requesting", "rebooting", "bound", "renewing", "rebinding"]

FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 30.0
REQUEST_TRIES: Final = 4
REBOOT_TRIES: Final = 3
LEAST_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The device has a carrier."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """It has none, or is gone."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send `query`: to `to` from our address, or to everybody where `to` is None."""

    query: Query
    to: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class _Lease:
    reply: Reply
    server: IPv4Address
    renew_at: float
    rebind_at: float
    end_at: float


Event = LinkUp | LinkDown | Reply
Action = Tell | LeaseSeen
_NEVER: Final = float("inf")


class Client:
    """One device's client. `remembered`: an address of an earlier run, asked for first."""

    def __init__(self, device: str, random: Random, remembered: IPv4Address | None = None) -> None:
        self.state: State = "down"
        self._device = device
        self._random = random
        self._remembered = remembered
        self._lease: _Lease | None = None
        self._query: Query | None = None
        self._transaction = 0
        self._tries = 0
        self._asked_at = 0.0
        self._again_at = _NEVER

    @property
    def due(self) -> float | None:
        """When `receive(None, now)` has something to do (monotonic seconds)."""
        end = self._lease.end_at if self._lease is not None else _NEVER
        soonest = min(self._again_at, end)
        return None if soonest == _NEVER else soonest

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """What follows from `event`, or from the time (None)."""
        match event:
            case LinkUp():
                return self._link_up(now) if self.state == "down" else []
            case LinkDown():
                self.state, self._query, self._again_at = "down", None, _NEVER
                return []
            case Reply():
                return self._heard(event, now)
            case None:
                return self._time(now)

    # --- the table --------------------------------------------------------------------------------------

    def _link_up(self, now: float) -> list[Action]:
        known = (
            self._lease.reply.address.ip if self._lease and self._lease.reply.address else self._remembered
        )
        if known is None:
            return self._select(now)
        return self._ask("rebooting", Query("request", self._new(), wanted=known), now)

    def _heard(self, reply: Reply, now: float) -> list[Action]:
        if self._query is None or reply.transaction != self._query.transaction or reply.server is None:
            return []
        match self.state, reply.kind:
            case "selecting", "offer" if reply.address is not None:
                query = Query("request", self._transaction, wanted=reply.address.ip, server=reply.server)
                return self._ask("requesting", query, now)
            case (("requesting" | "rebooting" | "renewing" | "rebinding"), "ack") if (
                reply.address is not None
            ):
                return self._bind(reply, reply.server, now)
            case (("requesting" | "rebooting" | "renewing" | "rebinding"), "nak"):
                return [*self._lose(), *self._select(now)]
            case _:
                return []  # late, doubled, or not for this state

    def _time(self, now: float) -> list[Action]:
        lease = self._lease
        if lease is not None and now >= lease.end_at:
            return [*self._lose(), *(self._select(now) if self.state != "down" else [])]
        if now < self._again_at:
            return []
        match self.state:
            case "bound" if lease is not None:
                return self._extend("renewing", lease, now)
            case "renewing" if lease is not None and now < lease.rebind_at:
                return self._extend("renewing", lease, now)
            case "renewing" | "rebinding" if lease is not None:
                return self._extend("rebinding", lease, now)
            case "requesting" if self._tries >= REQUEST_TRIES:
                return self._select(now)
            case "rebooting" if lease is None and self._tries >= REBOOT_TRIES:
                return self._select(now)
        return self._again(now)

    def _bind(self, reply: Reply, server: IPv4Address, now: float) -> list[Action]:
        # Times count from when we asked (RFC 2131 §4.4.1): the server's clock began no later than that.
        start = self._asked_at
        span = reply.lease_s if reply.lease_s is not None else _NEVER
        renew_s, rebind_s = reply.renew_s or span / 2, reply.rebind_s or span * 7 / 8
        if not 0 < renew_s < rebind_s < span:
            renew_s, rebind_s = span / 2, span * 7 / 8
        before = self._lease.reply if self._lease else None
        self._lease = _Lease(reply, server, start + renew_s, start + rebind_s, start + span)
        self.state, self._query, self._again_at = "bound", None, self._lease.renew_at
        same = before is not None and (before.address, before.gateway, before.resolvers) == (
            *(reply.address, reply.gateway, reply.resolvers),
        )
        return [] if same else [LeaseSeen(self._device, reply.address, reply.gateway, reply.resolvers)]

    def _extend(self, state: Literal["renewing", "rebinding"], lease: _Lease, now: float) -> list[Action]:
        """Ask for more time: half of what is left before the next step, then again (RFC 2131 §4.4.5)."""
        assert lease.reply.address is not None
        to = lease.server if state == "renewing" else None
        if state != self.state:
            self._new()
        self.state = state
        self._query = Query("request", self._transaction, current=lease.reply.address.ip)
        until = lease.rebind_at if state == "renewing" else lease.end_at
        self._asked_at = now
        self._again_at = min(now + max((until - now) / 2, LEAST_RETRY_S), max(until, now + 0.1))
        return [Tell(self._query, to)]

    def _select(self, now: float) -> list[Action]:
        self._remembered = None
        return self._ask("selecting", Query("discover", self._new()), now)

    def _lose(self) -> list[Action]:
        had, self._lease, self._remembered = self._lease is not None, None, None
        return [LeaseSeen(self._device, None, None)] if had else []

    def _ask(self, state: State, query: Query, now: float) -> list[Action]:
        self.state, self._query, self._tries = state, query, 0
        return self._again(now)

    def _again(self, now: float) -> list[Action]:
        if self._query is None:
            self._again_at = _NEVER
            return []
        wait_s = min(FIRST_RETRY_S * 2**self._tries, LAST_RETRY_S) * self._random.uniform(0.8, 1.2)
        self._tries += 1
        self._asked_at, self._again_at = now, now + wait_s
        return [Tell(self._query)]

    def _new(self) -> int:
        self._transaction = self._random.getrandbits(32)
        return self._transaction
