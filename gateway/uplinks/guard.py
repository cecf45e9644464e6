"""Law: whatever routing, sockets or stale NAT entries say, a packet to the provider leaves only as a
confirmed pair of device and source address; no stranger reaches the SIP and RTP ports; an empty set means no.

Pure: a plan in, nftables text out. The chains are fixed, loaded before the network is (`boot`), and look only
into sets; a change of the plan changes elements of sets, in one transaction (`update`).

Choices, and why:
- The way out is judged after SNAT (postrouting 300): a stale NAT entry still carries its old source there.
- What bears the ports of the calls process goes to providers only, so no one else gets our audio.
- The box's own trunk packets are not tracked (notrack): a full or stale connection table, an ALG or
  somebody's masquerading cannot touch a call, and a switch has nothing to flush for it. A firewall of the
  owner that accepts by `ct state` has to accept `untracked` too. The office's connections are tracked.
- Strangers are dropped before connection tracking (priority -310), so 20,000 packets a second cost little.
- Packets from the provider are marked like the uplink's probes, so that a reverse-path filter finds the way
  of an address that is not confirmed yet (src_valid_mark).
- The page is never served towards an uplink. On a box without an office side of its own, whose hosts come by
  the device of an uplink, it is served to addresses of hosts nearby.
- The office's connections get source ports from 20000 up, away from the ports of the calls process.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Final

from gateway.uplinks.model import KernelPlan, Network, UplinkPath
from gateway.uplinks.routes import MARK_MASK, flow_mark, probe_mark

TABLE: Final = "steadyline_guard"
NAT_TABLE: Final = "steadyline_nat"
NAT_PORTS: Final = (20_000, 65_535)
NEW_REQUESTS_S: Final = 200
"""New requests a second that one uplink may bring in from the provider's addresses; burst twice as many."""
ALL_REQUESTS_S: Final = 2_000
"""SIP packets a second of any kind, likewise."""

Element = tuple[str, ...]
"""One element of a set, field by field; of a map, the value comes last."""

_OLD = "0x5349502f, 0x41434b20, 0x42594520, 0x43414e43, 0x50524143, 0x55504441"
"""How packets of known dialogues begin: `SIP/`, `ACK `, `BYE `, `CANC`, `PRAC`, `UPDA`."""

_PAGE = "80, 443"
_HOME4 = "10.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16"
_HOME6 = "fc00::/7, fe80::/10"
"""Addresses of hosts nearby: RFC 1918, RFC 3927, RFC 4193."""

_SETS: Final[Mapping[str, str]] = {
    "providers4": "type ipv4_addr; flags interval;",
    "providers6": "type ipv6_addr; flags interval;",
    "admitted4": "type ifname . ipv4_addr;",
    "admitted6": "type ifname . ipv6_addr;",
    "declared4": "type ifname . ipv4_addr;",
    "declared6": "type ifname . ipv6_addr;",
    "probes4": "type ifname . ipv4_addr . mark;",
    "probes6": "type ifname . ipv6_addr . mark;",
    "sip_ports": "type inet_service;",
    "call_ports": "type inet_service; flags interval;",
    "outside": "type ifname;",
    "shared": "type ifname;",
}
MAPS: Final[Mapping[str, str]] = {"probe_marks": "type ifname : mark;"}
NAMES: Final = frozenset({*_SETS, *MAPS})
_INTERVALS: Final = frozenset({"providers4", "providers6", "call_ports"})

_CHAINS: Final = f"""
  counter strangers {{ }}
  counter floods {{ }}
  counter astray {{ }}
  counter leaks {{ }}
  set newcomers {{ type ifname; size 64; flags dynamic; timeout 1m; }}
  set senders {{ type ifname; size 64; flags dynamic; timeout 1m; }}
  chain arrive {{
    type filter hook prerouting priority -310; policy accept;
    iifname . ip daddr @declared4 ip saddr @providers4 meta mark set iifname map @probe_marks
    iifname . ip6 daddr @declared6 ip6 saddr @providers6 meta mark set iifname map @probe_marks
    udp dport @call_ports jump doorman
    tcp dport @sip_ports jump doorman
    tcp dport {{ {_PAGE} }} iifname @outside fib daddr type local counter name "strangers" drop
    tcp dport {{ {_PAGE} }} iifname @shared ip saddr != {{ {_HOME4} }} fib daddr type local \
counter name "strangers" drop
    tcp dport {{ {_PAGE} }} iifname @shared ip6 saddr != {{ {_HOME6} }} fib daddr type local \
counter name "strangers" drop
  }}
  chain doorman {{
    iifname "lo" accept
    iifname . ip daddr @declared4 ip saddr @providers4 goto welcome
    iifname . ip6 daddr @declared6 ip6 saddr @providers6 goto welcome
    fib daddr type {{ local, broadcast, multicast }} counter name "strangers" drop
  }}
  chain welcome {{
    udp dport @sip_ports @th,64,32 != {{ {_OLD} }} \
add @newcomers {{ iifname limit rate over {NEW_REQUESTS_S}/second burst {2 * NEW_REQUESTS_S} packets }} \
counter name "floods" drop
    udp dport @sip_ports \
add @senders {{ iifname limit rate over {ALL_REQUESTS_S}/second burst {2 * ALL_REQUESTS_S} packets }} \
counter name "floods" drop
    meta l4proto udp notrack
  }}
  chain speak {{
    type filter hook output priority -310; policy accept;
    oifname "lo" accept
    udp sport @call_ports ip daddr != @providers4 counter name "astray" drop
    udp sport @call_ports ip6 daddr != @providers6 counter name "astray" drop
    udp sport @call_ports oifname . ip saddr @admitted4 notrack
    udp sport @call_ports oifname . ip6 saddr @admitted6 notrack
  }}
  chain leave {{
    type filter hook postrouting priority 300; policy accept;
    oifname "lo" accept
    ip daddr @providers4 goto leave4
    ip6 daddr @providers6 goto leave6
  }}
  chain leave4 {{
    oifname . ip saddr @admitted4 accept
    oifname . ip saddr . meta mark @probes4 accept
    counter name "leaks" drop
  }}
  chain leave6 {{
    oifname . ip6 saddr @admitted6 accept
    oifname . ip6 saddr . meta mark @probes6 accept
    counter name "leaks" drop
  }}
"""

SKELETON: Final = f"skeleton_{zlib.crc32(repr((_SETS, MAPS, _CHAINS)).encode()):08x}"
"""The name of an empty set that tells which chains are loaded, so that a new version replaces them."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What is to stand in the kernel: the elements of each set, the NAT table's text ("": none), and the
    devices by which the office may not reach the provider."""

    sets: Mapping[str, frozenset[Element]]
    nat: str = ""
    unadmitted: frozenset[str] = frozenset()


def contents(plan: KernelPlan) -> Guard:
    """The guard that `plan` means."""
    sets: dict[str, set[Element]] = {name: set() for name in (*_SETS, *MAPS)}
    for network in _collapsed(plan.providers):
        sets[f"providers{network.version}"].add((_range(network),))
    for path in plan.paths:
        pair = (path.device, str(path.address))
        sets[f"declared{path.address.version}"].add(pair)
        sets[f"probes{path.address.version}"].add((*pair, str(probe_mark(path.index))))
        sets["outside" if plan.lan else "shared"].add((path.device,))
        sets["probe_marks"].add((path.device, str(probe_mark(path.index))))
        if path.admitted:
            sets[f"admitted{path.address.version}"].add(pair)
    ports = ((plan.sip_port, plan.rtp_ports), *plan.old_ports)
    signalling = [(sip, sip + 1) for sip, _ in ports]  # TLS has the next one
    sets["sip_ports"] = {(str(port),) for pair in signalling for port in pair}
    sets["call_ports"] = {(r,) for r in _port_ranges(*signalling, *(rtp for _, rtp in ports))}
    nat = _nat(plan)
    closed = {p.device for p in plan.paths if nat and p.address.version == 4 and not p.admitted}
    return Guard({name: frozenset(elements) for name, elements in sets.items()}, nat, frozenset(closed))


def boot(
    providers: Iterable[Network] = (),
    sip_port: int = 5060,
    rtp_ports: tuple[int, int] = (10_000, 10_999),
) -> str:
    """The text for before the network: nothing is admitted. Without known providers, the ports of the calls
    process may talk to nobody at all."""
    plan = KernelPlan(
        paths=(), providers=tuple(providers), trunk=None, internet=(), sip_port=sip_port, rtp_ports=rtp_ports
    )
    return load(contents(plan))


def load(guard: Guard) -> str:
    """Everything anew, in one transaction: what stood before goes in the same moment."""
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    for kind, kinds in (("set", _SETS), ("map", MAPS)):
        lines += [f"  {kind} {name} {{ {definition} }}" for name, definition in kinds.items()]
    lines += [_CHAINS, f"  set {SKELETON} {{ type mark; }}", "}"]
    for name, elements in guard.sets.items():
        lines += _add(name, elements)
    return "\n".join([*lines, *_nat_lines(guard), ""])


def update(old: Guard, new: Guard) -> str:
    """The transaction that leads from `old` to `new`; "" when there is nothing to do."""
    lines: list[str] = []
    for name, elements in new.sets.items():
        before = old.sets.get(name, frozenset())
        if name in _INTERVALS and elements != before:
            # Old kernels trip over an interval that goes and an overlapping one that comes.
            lines += [f"flush set inet {TABLE} {name}", *_add(name, elements)]
        else:
            lines += _delete(name, before - elements) + _add(name, elements - before)
    if old.nat != new.nat:
        lines += _nat_lines(new)
    else:
        lines += _closed("delete", old.unadmitted - new.unadmitted)
        lines += _closed("add", new.unadmitted - old.unadmitted)
    return "\n".join([*lines, ""]) if lines else ""


def _add(name: str, elements: Iterable[Element]) -> list[str]:
    return _elements("add", name, elements, with_values=True)


def _delete(name: str, elements: Iterable[Element]) -> list[str]:
    return _elements("delete", name, elements, with_values=False)


def _elements(verb: str, name: str, elements: Iterable[Element], *, with_values: bool) -> list[str]:
    texts = sorted(_text(name, element, with_values) for element in elements)
    return [f"{verb} element inet {TABLE} {name} {{ {', '.join(texts)} }}"] if texts else []


def _text(name: str, element: Element, with_values: bool) -> str:
    # Device names stand in quotes: `a.b-c` and `5g` are no words of nftables.
    fields = [f'"{f}"' if n == 0 and "ifname" in _definition(name) else f for n, f in enumerate(element)]
    if name in MAPS:
        return " : ".join(fields) if with_values else fields[0]
    return " . ".join(fields)


def _definition(name: str) -> str:
    return _SETS.get(name) or MAPS[name]


def _collapsed(networks: Iterable[Network]) -> Iterator[Network]:
    """The same addresses without overlaps, which interval sets do not take."""
    known = list(networks)
    yield from collapse_addresses(n for n in known if isinstance(n, IPv4Network))
    yield from collapse_addresses(n for n in known if isinstance(n, IPv6Network))


def _range(network: Network) -> str:
    """As the kernel lists it: a single address without its length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _port_ranges(*ranges: tuple[int, int]) -> Iterator[str]:
    """Ranges without overlaps or neighbours, as nftables writes them."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    yield from (f"{first}-{last}" if first != last else str(first) for first, last in merged)


# --- NAT for the office -------------------------------------------------------------------------------------


def _nat(plan: KernelPlan) -> str:
    """IPv4 only: IPv6 is never translated. A connection keeps its uplink by its mark until it is flushed."""
    paths = sorted((p for p in plan.paths if p.address.version == 4), key=lambda p: p.index)
    if not plan.lan or not paths:
        return ""
    lan = "{ " + ", ".join(f'"{device}"' for device in sorted(plan.lan)) + " }"
    providers = ", ".join(_range(n) for n in _collapsed(plan.providers) if n.version == 4)
    refuse = f"    oifname @unadmitted ip daddr {{ {providers} }} return\n" if providers else ""
    return f"""table inet {NAT_TABLE} {{
  set unadmitted {{ type ifname; }}
  chain remember {{
    type filter hook postrouting priority -150; policy accept;
{"".join(_remember(path) for path in paths)}  }}
  chain recall {{
    type filter hook prerouting priority -150; policy accept;
{"".join(_recall(path) for path in paths)}  }}
  chain translate {{
    type nat hook postrouting priority 100; policy accept;
    iifname != {lan} return
{refuse}{"".join(_translate(path) for path in paths)}  }}
}}"""


def _ours(mark: int) -> str:
    """Our bits of a mark; the others stay as they are."""
    return f"and {MARK_MASK ^ 0xFFFFFFFF:#010x} or {mark:#06x}"


def _remember(path: UplinkPath) -> str:
    return f'    oifname "{path.device}" ct state new ct mark set ct mark {_ours(flow_mark(path.index))}\n'


def _recall(path: UplinkPath) -> str:
    mark = flow_mark(path.index)
    return f"    ct mark and {MARK_MASK:#06x} == {mark:#06x} meta mark set meta mark {_ours(mark)}\n"


def _translate(path: UplinkPath) -> str:
    out = f'    oifname "{path.device}"'
    first, last = NAT_PORTS
    return (
        f"{out} meta l4proto {{ tcp, udp }} snat ip to {path.address}:{first}-{last}\n"
        f"{out} snat ip to {path.address}\n"
    )


def _nat_lines(guard: Guard) -> list[str]:
    whole = [guard.nat, *_closed("add", guard.unadmitted)] if guard.nat else []
    return [f"table inet {NAT_TABLE}", f"delete table inet {NAT_TABLE}", *whole]


def _closed(verb: str, devices: Iterable[str]) -> list[str]:
    names = ", ".join(f'"{device}"' for device in sorted(devices))
    return [f"{verb} element inet {NAT_TABLE} unadmitted {{ {names} }}"] if names else []
