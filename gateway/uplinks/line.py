"""One uplink as the room keeps it: its wire, its health, and what others have been told of it."""

from dataclasses import dataclass

from gateway.messages import Path, PathState
from gateway.schema import Uplink, Watching
from gateway.status import UplinkStatus
from gateway.uplinks.health import Health
from gateway.uplinks.model import Address, Duty, Identity, TargetsKnown
from gateway.uplinks.talk import Confirmed, address_text, path_of
from gateway.uplinks.wiring import Wire


@dataclass(slots=True)
class Line:
    """`duty`, `known`: what its health was told last; `said`: the state that the timeline told last."""

    wire: Wire
    health: Health
    confirmed: Confirmed | None = None
    duty: Duty | None = None
    known: tuple[Identity, TargetsKnown] | None = None
    said: str = "up"
    last_own: Address | None = None

    @staticmethod
    def new(wire: Wire, watching: Watching, now: float) -> "Line":
        """Before anything is known of it."""
        u = wire.uplink
        health = Health(
            u.name,
            u.device,
            watching,
            now,
            enabled=u.enabled,
            dhcp=u.dhcp,
            slaac=u.slaac,
            metered=u.metered,
            probe_budget_mb=u.probe_budget_mb,
        )
        return Line(wire, health)

    def adjust(self, wire: Wire, watching: Watching, now: float) -> None:
        """New settings, with what is known under them."""
        u = wire.uplink
        self.wire = wire
        self.health.adjust(
            u.name,
            u.device,
            watching,
            now,
            enabled=u.enabled,
            dhcp=u.dhcp,
            slaac=u.slaac,
            metered=u.metered,
            probe_budget_mb=u.probe_budget_mb,
        )

    @property
    def uplink(self) -> Uplink:
        """Its settings."""
        return self.wire.uplink

    @property
    def identity(self) -> Identity:
        """What it is known as."""
        return self.wire.identity(self.confirmed.address if self.confirmed else None)

    @property
    def entitled(self) -> bool:
        """Whether the provider expects trunk traffic from its address."""
        return self.identity.confirmed is not None and not self.health.drifted

    def path(self, state: PathState) -> Path:
        """As the calls process sees it: with the last address that it had."""
        self.last_own = self.wire.own or self.last_own
        return path_of(self.uplink, self.last_own, self.wire.declared, state)

    def status(self, *, first: bool, admitted: bool, trunk: bool, internet: bool) -> UplinkStatus:
        """As clients see it. `first`: in the owner's order; `trunk`, `internet`: it carries them."""
        wire, health = self.wire, self.health
        return UplinkStatus(
            name=wire.uplink.name,
            role="main" if first else "backup",
            device=wire.uplink.device,
            state=health.state,
            sentence=health.sentence,
            address=address_text(wire.own),
            public_address=address_text(wire.declared or wire.own),
            observed_address=address_text(health.observed.address),
            confirmed_at=self.confirmed.at if self.confirmed and admitted else 0.0,
            rtt_ms=health.quality.rtt_ms,
            jitter_ms=health.quality.jitter_ms,
            loss=health.quality.loss,
            mos=health.quality.mos,
            carries_trunk=trunk,
            carries_internet=internet,
            metered=wire.uplink.metered,
        )
