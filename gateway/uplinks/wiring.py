"""What one uplink is made of right now: its settings, its device, its addresses, its lease; and what follows
for the kernel, the probes and its identity. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address

from gateway.messages import Server
from gateway.schema import Trunk, Uplink, Watching
from gateway.uplinks.model import (
    Address,
    AddressesSeen,
    Identity,
    Interface,
    LeaseSeen,
    LinkSeen,
    Network,
    RouterSeen,
    Target,
    UplinkPath,
)
from gateway.uplinks.routes import probe_mark

STUN_PORT = 3478


@dataclass(frozen=True, slots=True)
class Ask:
    """A way to ask for names: from `source` out of `device`, marked, to one of `resolvers` in turn."""

    uplink: str
    device: str
    source: Address
    mark: int
    resolvers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Servers in order, and for how long they are good."""

    servers: tuple[Server, ...]
    good_for_s: float


@dataclass(frozen=True)
class Wire:
    """One uplink. `index` 1..8, its own while it lives; `lease`: the last word of DHCP; `router`: that of the
    router that announces IPv6."""

    index: int
    uplink: Uplink
    link: LinkSeen
    seen: AddressesSeen
    lease: LeaseSeen
    router: RouterSeen
    surveyed: frozenset[str] = field(default_factory=frozenset)
    spoken: frozenset[int] = field(default_factory=frozenset)
    """The IP versions of the trunk's servers; empty while they are not known."""

    @staticmethod
    def bare(index: int, uplink: Uplink) -> "Wire":
        """Before anything has been seen."""
        return Wire(
            index,
            uplink,
            LinkSeen(uplink.device, present=False, up=False, carrier=False),
            AddressesSeen(uplink.device, frozenset()),
            LeaseSeen(uplink.device, None, None),
            RouterSeen(uplink.device, None, None),
        )

    def with_seen(self, event: LinkSeen | AddressesSeen | LeaseSeen | RouterSeen) -> "Wire":
        """After one more thing has been seen of its device."""
        match event:
            case LinkSeen():
                return replace(self, link=event, surveyed=self.surveyed | {"link"})
            case AddressesSeen():
                return replace(self, seen=event, surveyed=self.surveyed | {"addresses"})
            case LeaseSeen():
                return replace(self, lease=event, surveyed=self.surveyed | {"lease"})
            case RouterSeen():
                return replace(self, router=event, surveyed=self.surveyed | {"router"})

    @cached_property
    def interfaces(self) -> tuple[Interface, ...]:
        """The addresses that its device shall bear, IPv4 first."""
        found = (*self.uplink.addresses, self.lease.address, self.announced)
        return tuple(sorted((i for i in found if i is not None), key=lambda interface: interface.version))

    @property
    def looked_at(self) -> bool:
        """All that its device bears by itself has been seen once."""
        return self.surveyed >= {"link", "addresses", *(["router"] if self.uplink.slaac else [])}

    @property
    def announced(self) -> Interface | None:
        """The address that the kernel formed by itself, where it may."""
        return self.router.address if self.uplink.slaac else None

    @cached_property
    def own(self) -> Address | None:
        """The address that trunk traffic bears on the wire: the first that a server of the trunk can hear."""
        addresses = [interface.ip for interface in self.interfaces]
        heard = [address for address in addresses if address.version in self.spoken]
        return next(iter((*heard, *addresses)), None)

    @property
    def declared(self) -> Address | None:
        """What the owner says that the provider sees, of the family that trunk traffic takes."""
        public, own = self.uplink.public_address, self.own
        return public if public is not None and (own is None or own.version == public.version) else None

    @property
    def served(self) -> bool:
        """Some server of the trunk can hear its address, as far as is known."""
        return self.own is None or not self.spoken or self.own.version in self.spoken

    @property
    def resolvers(self) -> tuple[Address, ...]:
        """The resolvers to ask through this uplink."""
        return self.uplink.resolvers or self.lease.resolvers

    @cached_property
    def missing(self) -> tuple[Interface, ...]:
        """Addresses that its device shall bear and does not."""
        ready = self.link.present and self.link.up and "addresses" in self.surveyed
        if not self.uplink.enabled or not ready:
            return ()
        borne = self.seen.addresses
        others = {interface.ip for interface in borne - self.seen.ours} | self.seen.conflict
        return tuple(
            i for i in self.interfaces if i not in borne and i.ip not in others and i != self.announced
        )

    @cached_property
    def superfluous(self) -> tuple[Interface, ...]:
        """Addresses that this box once put on the device and that are not to be there any more. None while
        another is still missing: the old way stands until the new one does."""
        unspoken = self.uplink.dhcp and "lease" not in self.surveyed
        if not self.uplink.enabled or unspoken or self.missing:
            return ()
        return tuple(sorted(self.seen.ours - set(self.interfaces), key=str))

    @property
    def refused(self) -> tuple[Interface, ...]:
        """IPv6 addresses that it was to bear when another host had them: the kernel does not try again."""
        return tuple(i for i in self.interfaces if i.version == 6 and i.ip in self.seen.conflict)

    def ask(self) -> Ask | None:
        """How to ask this uplink's resolvers; None while it cannot be used."""
        for path in self.paths(False):
            resolvers = tuple(r for r in self.resolvers if r.version == path.address.version)
            if resolvers:
                return Ask(
                    self.uplink.name, self.uplink.device, path.address, probe_mark(self.index), resolvers
                )
        return None

    def gateway(self, version: int) -> Address | None:
        """Its next hop; None: point-to-point."""
        if self.uplink.slaac and version == 6:
            return self.router.gateway
        if self.uplink.dhcp:
            gateway = self.lease.gateway
            return gateway if gateway is not None and gateway.version == version else None
        return next((g for g in self.uplink.gateways if g.version == version), None)

    def identity(self, confirmed: Address | None) -> Identity:
        """What it is known as. A confirmation of another address than the settings name counts for nothing;
        but where the wire gives the address, another one than the confirmed is drift."""
        own, declared = self.own, self.declared
        public = declared or own
        by_owner = declared is not None or own in {interface.ip for interface in self.uplink.addresses}
        return Identity(
            own=own,
            public=public,
            confirmed=None if by_owner and confirmed != public else confirmed,
            declared=declared is not None,
        )

    def paths(self, admitted: bool) -> tuple[UplinkPath, ...]:
        """What routes and guard need: one for each address that the device really bears while it is up.

        `admitted` is the verdict on the trunk's address alone; the other family is never for the trunk.
        """
        if not self.uplink.enabled or not (self.link.present and self.link.up):
            return ()
        have = {interface.ip for interface in self.seen.addresses}
        return tuple(
            UplinkPath(
                index=self.index,
                name=self.uplink.name,
                device=self.uplink.device,
                address=interface.ip,
                prefix=interface.network,
                gateway=self.gateway(interface.version),
                admitted=admitted and interface.ip == self.own,
            )
            for interface in self.interfaces
            if interface.ip in have
        )

    def targets(
        self, servers: tuple[Server, ...], watching: Watching, stun: tuple[str, ...]
    ) -> tuple[Target, ...]:
        """Whom to probe by this uplink, in its own address family. `stun`: resolved `address:port`."""
        version = self.own.version if self.own is not None else 4
        theirs = list(dict.fromkeys(s.address for s in servers if ip_address(s.address).version == version))
        hosts = [str(host) for host in watching.hosts if host.version == version]
        if not hosts:
            hosts = [str(resolver) for resolver in self.resolvers if resolver.version == version]
        return (
            *(
                Target("options", endpoint_text(s.address, s.port), True)
                for s in servers
                if s.address in theirs
            ),
            *(Target("icmp", host, False) for host in hosts),
            *(Target("icmp", address, True) for address in theirs),
            *(Target("stun", name, False) for name in stun if endpoint(name)[0].version == version),
        )


def literal_servers(trunk: Trunk) -> tuple[Server, ...]:
    """The trunk's server when the settings give its address; none when they give a name."""
    address = address_of(trunk.server)
    if address is None:
        return ()
    port = trunk.port or default_port(trunk.transport)
    return (Server(address=str(address), port=port, transport=trunk.transport),)


def collapsed(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The same addresses without overlaps, IPv4 first: fewer rules for the kernel to walk."""
    known = tuple(networks)
    return (
        *collapse_addresses(n for n in known if isinstance(n, IPv4Network)),
        *collapse_addresses(n for n in known if isinstance(n, IPv6Network)),
    )


def default_port(transport: str) -> int:
    """The port of SIP over this transport (RFC 3261 §19.1.2)."""
    return 5061 if transport == "tls" else 5060


def address_of(text: str) -> Address | None:
    """The address in `192.0.2.1`, `192.0.2.1:3478`, `[2001:db8::1]:3478`; None for a name."""
    try:
        return endpoint(text)[0]
    except ValueError:
        return None


def endpoint_text(address: str, port: int) -> str:
    """`192.0.2.10:5060`, `[2001:db8::1]:5060`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@lru_cache(maxsize=256)
def endpoint(text: str, default_port: int = STUN_PORT) -> tuple[Address, int]:
    """Address and port of `endpoint_text`, or of a bare address. Raises ValueError for a name."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return ip_address(address), int(port.removeprefix(":") or default_port)
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return ip_address(address), int(port)
    return ip_address(text), default_port
