"""The words of this room: what the doors report, what the tables decide. Frozen values, no behaviour."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Literal

from gateway.status import UplinkState

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network
ProbeKind = Literal["icmp", "options", "stun"]

MAX_UPLINKS = 8
PROTOCOL = 201
"""The routing protocol number that marks our routes and rules (RTA_PROTOCOL, FRA_PROTOCOL)."""


# --- what the doors report ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """The state of one device. `present` False: the kernel has no such device."""

    device: str
    present: bool
    up: bool
    carrier: bool
    ifindex: int = 0


@dataclass(frozen=True, slots=True)
class AddressesSeen:
    """All addresses of one device, tentative and deprecated ones left out.

    `conflict` holds those that another host on the wire claims (IPv4: ARP, RFC 5227; IPv6: dadfailed);
    `ours` those that we put there, in this life or an earlier one, tentative ones too (IFA_PROTO).
    """

    device: str
    addresses: frozenset[Interface]
    conflict: frozenset[Address] = frozenset()
    ours: frozenset[Interface] = frozenset()


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """What DHCP gave one device; `address` None: the lease is lost (expired, refused, no server)."""

    device: str
    address: Interface | None
    gateway: Address | None
    resolvers: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class RouterSeen:
    """What a router announced on one device and the kernel made of it (RFC 4861, 4862): the box's address and
    the next hop, or neither once the announcement has run out."""

    device: str
    address: Interface | None
    gateway: Address | None


@dataclass(frozen=True, slots=True)
class KernelChanged:
    """Routes or rules changed under us, or events were lost (ENOBUFS): reconcile against a fresh snapshot."""

    why: str


@dataclass(frozen=True, slots=True)
class ProbeAnswered:
    """One probe came back. `rtt_s` seconds; `observed`: our address as the far side saw it (OPTIONS, STUN);
    `sip_code`: final code of OPTIONS; `unread_s`: how long it lay unread. Stale answers (after the verdict)
    are reported too."""

    uplink: str
    kind: ProbeKind
    target: str
    sequence: int
    rtt_s: float
    observed: Address | None = None
    sip_code: int | None = None
    unread_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """Answers by one uplink that were read together: none of them is late because another came first."""

    uplink: str
    answers: tuple[ProbeAnswered, ...]


@dataclass(frozen=True, slots=True)
class ProbeRefused:
    """The kernel would not send the probe (no route, no address, guard): a loss known at once."""

    uplink: str
    kind: ProbeKind
    target: str
    sequence: int
    why: str


# --- what the room tells its own tables -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """Something to probe. `name` comes back in answers; `provider`: it is one of the trunk's servers."""

    kind: ProbeKind
    name: str
    provider: bool


@dataclass(frozen=True, slots=True)
class TargetsKnown:
    """The full list of what one uplink shall probe, in order of preference. `served` False: the trunk has
    servers, and none of them speaks the IP version of this uplink."""

    targets: tuple[Target, ...]
    served: bool = True


@dataclass(frozen=True, slots=True)
class Identity:
    """What one uplink is known as. `public`: the address that the far side should see; `confirmed`: the one
    that the provider has confirmed; `declared`: `public` was given by the owner, not taken from the wire."""

    own: Address | None
    public: Address | None
    confirmed: Address | None
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Duty:
    """What one uplink carries now; it sets the pace of its probes."""

    carrying: bool
    calls: int


@dataclass(frozen=True, slots=True)
class MediaSilent:
    """No RTP has come in by one uplink for `quiet_s`, on every call that expects some."""

    quiet_s: float


@dataclass(frozen=True, slots=True)
class MediaBack:
    """RTP comes in again."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Prove now that one uplink works: it may be needed at once."""

    uplink: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Find out within some seconds how one uplink would sound: another one sounds bad."""

    uplink: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Ask the provider now which address it sees."""


@dataclass(frozen=True, slots=True)
class Damped:
    """One uplink came and went too often and is held in reserve (or, `on` False, is not any more)."""

    uplink: str
    on: bool


# --- what the tables decide -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendProbe:
    """Send one probe out of this uplink, from its own address; `sequence` comes back in the answer."""

    uplink: str
    kind: ProbeKind
    target: str
    sequence: int


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """An uplink entered `state`; `sentence` says so to the owner; `since_s` is monotonic."""

    uplink: str
    state: UplinkState
    sentence: str
    since_s: float


# --- what the kernel is to look like --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UplinkPath:
    """One uplink with one address family, as routes and guard need it.

    `index` 1..8 (not its rank) gives table 100+index and mark index. `address` is the one on the box's own
    wire. `gateway` None: point-to-point. `admitted`: any trunk traffic may leave as (device, address);
    otherwise only the daemon's marked probes may.
    """

    index: int
    name: str
    device: str
    address: Address
    prefix: Network
    gateway: Address | None
    admitted: bool


@dataclass(frozen=True, slots=True)
class KernelPlan:
    """Everything that routes.py and guard.py make real.

    `trunk`: index of the uplink that carries new trunk traffic from unbound sockets (None: prohibited).
    `internet`: indexes in order of preference for all other traffic; the first is the default.
    `providers`: signalling and media networks of the trunk. `lan`: devices whose hosts share the Internet.
    `old_ports`: ports of SIP and RTP that calls from before a change of the settings still use.
    """

    paths: tuple[UplinkPath, ...]
    providers: tuple[Network, ...]
    trunk: int | None
    internet: tuple[int, ...]
    lan: tuple[str, ...] = ()
    sip_port: int = 5060
    rtp_ports: tuple[int, int] = (10000, 10999)
    old_ports: tuple[tuple[int, tuple[int, int]], ...] = ()
