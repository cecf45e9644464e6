"""What the uplinks room knows, and what follows from it: for the kernel, for the calls process, for clients.

Values in, values out: it performs nothing. New settings are taken over here as a difference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_network
from typing import Final

from gateway.messages import Paths, Server
from gateway.schema import Settings
from gateway.uplinks import changing
from gateway.uplinks.admitting import Admissions
from gateway.uplinks.choice import Choice, Views
from gateway.uplinks.draining import Drain
from gateway.uplinks.health import Event as HealthEvent
from gateway.uplinks.keeping import Adopted
from gateway.uplinks.line import Line
from gateway.uplinks.model import (
    Address,
    Identity,
    Interface,
    KernelPlan,
    LookAgain,
    Network,
    TargetsKnown,
)
from gateway.uplinks.names import Names
from gateway.uplinks.talk import Confirmed, Picture
from gateway.uplinks.wiring import Ask, Wire, collapsed

NOBODY: Final = IPv4Address(0)
Strays = list[tuple[str, Interface]]
"""Addresses that we put on devices which no uplink has any more."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a change of settings leaves to be done: names that nobody has any more, addresses to be taken
    away, and what some uplinks are to be told."""

    forgotten: frozenset[str]
    strays: Strays
    news: tuple[tuple[str, HealthEvent], ...]


class Room:
    """`lines`: the uplinks in the owner's order; `live`: calls by uplink; `confirmed`: addresses by uplink;
    `stamp`: changes with all that kernel, calls process or clients may have to be told."""

    def __init__(
        self, settings: Settings, confirmed: Mapping[str, Confirmed], names: Names, now: float
    ) -> None:
        self.settings = settings
        self.confirmed = dict(confirmed)
        self.names = names
        self.lines = {
            u.name: Line.new(Wire.bare(n, u), settings.watching, now)
            for n, u in enumerate(settings.uplinks, start=1)
        }
        self.choice = Choice(settings.watching, now)
        self.admissions = Admissions()
        self.drain = Drain()
        self.live: dict[str, int] = {}
        self.stamp = 0
        self._translated: dict[int, Address] = {}

    # --- what an earlier run left, and what the owner changes ---

    def adopt(self, found: Adopted, now: float) -> Strays:
        """Go on from what stands in the kernel: each uplink keeps its number, whatever its place is now."""
        names = {line.uplink.device: name for name, line in self.lines.items()}
        taken = {names[device]: index for device, index in found.indexes.items() if device in names}
        for name, index in changing.numbered(self.settings.uplinks, taken).items():
            self.lines[name].wire = replace(self.lines[name].wire, index=index)
        internet = tuple(names[device] for device in found.internet if device in names)
        self.choice = Choice(self.settings.watching, now, names.get(found.trunk, ""), internet)
        self._translated = {found.indexes[device]: own for device, (_, own) in found.leases.items()}
        watched, office = self.devices(self.settings), self.office(self.settings)
        strays = [(d, i) for d, borne in found.borne.items() if d not in watched for i in borne]
        return [stray for stray in strays if stray not in office]

    @staticmethod
    def devices(settings: Settings) -> tuple[str, ...]:
        """Devices of all uplinks that are in use."""
        return tuple(u.device for u in settings.uplinks if u.enabled)

    @staticmethod
    def office(settings: Settings) -> frozenset[tuple[str, Interface]]:
        """The box's own addresses in the office, and the device that bears them."""
        devices = settings.lan.devices[:1]
        return frozenset((device, interface) for device in devices for interface in settings.lan.addresses)

    def rewired(self, settings: Settings, renamed: Mapping[str, str]) -> dict[str, Wire]:
        """The wires as they would be under these settings."""
        wires = {name: line.wire for name, line in self.lines.items()}
        return changing.rewired(wires, settings.uplinks, renamed)

    def uprooted(self, settings: Settings, renamed: Mapping[str, str]) -> frozenset[str]:
        """Uplinks whose calls these settings take the ground from."""
        wires = {name: line.wire for name, line in self.lines.items()}
        return changing.uprooted(wires, self.rewired(settings, renamed), renamed)

    def take_over(
        self, settings: Settings, renamed: Mapping[str, str], servers: tuple[Server, ...], now: float
    ) -> TakenOver:
        """Work by `settings` from now on. What stays keeps its number, its history and what is known of it.
        `servers`: what the trunk's new name leads to (empty: not known)."""
        old, before = self.settings, self.lines
        known = {name: (line.wire, line) for name, line in before.items()}
        stay = {name: renamed.get(name, name) for name in before}
        wires = self.rewired(settings, renamed)
        stay = {name: new for name, new in stay.items() if new in wires}
        came = {new: name for name, new in stay.items()}
        providers, calls = self.providers(), sum(self.live.values())
        self.settings, self.lines = settings, {}
        for name, wire in wires.items():
            line = before[came[name]] if name in came else Line.new(wire, settings.watching, now)
            line.adjust(wire, settings.watching, now)
            self.lines[name] = line
        owners = {wire.index: name for name, (wire, _) in known.items()}
        for name, wire in wires.items():
            if wire.index in owners and owners[wire.index] != came.get(name):
                self._translated[wire.index] = NOBODY  # what bears its marks belongs to another one
        self.live = {stay.get(name, name): count for name, count in self.live.items()}
        self.confirmed = {renamed.get(name, name): c for name, c in self.confirmed.items()}
        self.admissions.follow(renamed, wires)
        self.choice.follow(settings.watching, stay, tuple(wires))
        self.names.follow(settings.trunk, settings.watching, servers, now)
        self.drain.providers(providers, calls if providers != self.providers() else 0, now)
        self.drain.former(old.ports, settings.ports, calls, now)
        self.stamp += 1
        watched = self.devices(settings)
        return TakenOver(
            frozenset(before) - {name for name, new in stay.items() if name == new},
            [
                (wire.uplink.device, interface)
                for wire, _ in known.values()
                if wire.uplink.device not in watched
                for interface in wire.seen.ours
            ],
            tuple(self._news({new: known[name][0] for name, new in stay.items()})),
        )

    def _news(self, before: Mapping[str, Wire]) -> Iterator[tuple[str, HealthEvent]]:
        """What its health has to hear of an uplink that has another device, or another router."""
        for name, line in self.lines.items():
            wire, old = line.wire, before.get(name)
            same = old is not None and old.uplink.device == wire.uplink.device
            if old is None or not same or old.uplink.enabled != wire.uplink.enabled:
                yield name, wire.link
                yield name, wire.seen
            elif (old.uplink.gateways, old.uplink.dhcp) != (wire.uplink.gateways, wire.uplink.dhcp):
                yield name, LookAgain()

    # --- what follows ---

    def identities(self) -> Iterator[tuple[str, TargetsKnown, Identity]]:
        """Who each uplink is and whom it is to probe, where that is new."""
        servers, watching = self.names.servers, self.settings.watching
        spoken = frozenset(ip_network(server.address).version for server in servers)
        for name, line in self.lines.items():
            if line.wire.spoken != spoken:
                line.wire = replace(line.wire, spoken=spoken)
            line.confirmed = self.confirmed.get(name)
            targets = TargetsKnown(line.wire.targets(servers, watching, self.names.stun), line.wire.served)
            if line.known != (line.identity, targets):
                line.known = line.identity, targets
                yield name, targets, line.identity

    def views(self, now: float) -> Views:
        """All uplinks as choice sees them."""
        return Views(tuple(line.health.view(now) for line in self.lines.values()))

    def news(self) -> object:
        """Differs when anything does that kernel, calls process or clients are told; measurements do not
        count."""
        choice = self.choice
        healths = [line.health for line in self.lines.values()]
        return (
            self.stamp,
            choice.carrier,
            choice.active,
            choice.internet,
            choice.provider_silent,
            tuple((h.state, h.drifted, h.observed.address) for h in healths),
            tuple(choice.path_state(name) for name in self.lines),
        )

    def admits(self, name: str) -> bool:
        """Whether trunk traffic may leave from this uplink's own address."""
        return self.admissions.lets(name) or self.lines[name].entitled

    def providers(self) -> tuple[Network, ...]:
        """All that the provider is known to be, and others who may call: for kernel and guard they are alike,
        they are heard, and answered from confirmed addresses alone."""
        servers = (ip_network(server.address) for server in self.names.servers)
        sources = (network for source in self.settings.incoming.sources for network in source.networks)
        return (*self.settings.trunk.networks, *servers, *sources)

    def plan(self) -> KernelPlan:
        """What kernel and guard are to be led to."""
        lines, ports = self.lines, self.settings.ports
        paths = tuple(path for name, line in lines.items() for path in line.wire.paths(self.admits(name)))
        present = {path.index for path in paths}
        carrier = lines.get(self.choice.carrier)
        return KernelPlan(
            paths=paths,
            providers=collapsed((*self.providers(), *self.drain.networks)),
            trunk=carrier.wire.index if carrier is not None and carrier.wire.index in present else None,
            internet=tuple(i for n in self.choice.internet if (i := lines[n].wire.index) in present),
            lan=self.settings.lan.devices,
            sip_port=ports.sip,
            rtp_ports=(ports.rtp_first, ports.rtp_last),
            old_ports=self.drain.ports,
        )

    def stale(self, plan: KernelPlan) -> set[int]:
        """Uplinks that bear another address than the one that the office's connections were translated to."""
        stale = set()
        for path in plan.paths:
            if path.address.version == 4:
                if self._translated.get(path.index, path.address) != path.address:
                    stale.add(path.index)
                self._translated[path.index] = path.address
        return stale

    def asks(self) -> tuple[Ask, ...]:
        """The ways to ask for names."""
        return tuple(ask for line in self.lines.values() if (ask := line.wire.ask()) is not None)

    def paths(self, cause: str) -> Paths:
        """All uplinks as the calls process sees them; one that never had an address is left out."""
        paths = (
            line.path(self.choice.path_state(name))
            for name, line in self.lines.items()
            if line.uplink.enabled
        )
        return Paths(
            paths=tuple(path for path in paths if path.local_address), active=self.choice.active, cause=cause
        )

    def picture(self, guard_stands: bool) -> Picture:
        """All of it as clients see it."""
        first = next(iter(self.lines))
        internet = self.choice.internet[0] if self.choice.internet else ""
        uplinks = tuple(
            line.status(
                first=name == first,
                admitted=self.admits(name),
                trunk=name == self.choice.active,
                internet=name == internet,
            )
            for name, line in self.lines.items()
        )
        return Picture(
            uplinks,
            self.choice.active,
            internet,
            "standing" if guard_stands else "absent",
            self.choice.provider_silent,
            self.choice.ordered,
        )
