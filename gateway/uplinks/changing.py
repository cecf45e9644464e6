"""Law: what the owner did not change is not touched: not its number, its lease, its history, nor its calls.

What new settings mean for the uplinks that are there. An uplink is known by its name; one whose name went
while another name came on the same device was renamed. It keeps its index (and with that its table and its
marks) as long as it lives, whatever its place in the owner's order. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.schema import Uplink
from gateway.uplinks.model import MAX_UPLINKS, Address, LeaseSeen, RouterSeen
from gateway.uplinks.wiring import Wire


def numbered(uplinks: Iterable[Uplink], taken: Mapping[str, int]) -> dict[str, int]:
    """An index for each uplink, by name: the one that it has in `taken`; else its place in the owner's order,
    or the lowest that nobody has."""
    names = [uplink.name for uplink in uplinks]
    given = {name: taken[name] for name in names if name in taken}
    for place, name in enumerate(names, start=1):
        if name not in given:
            free = sorted(set(range(1, MAX_UPLINKS + 1)) - set(given.values()), key=lambda n: (n != place, n))
            given[name] = free[0]
    return given


def rewired(
    wires: Mapping[str, Wire], uplinks: Iterable[Uplink], renamed: Mapping[str, str]
) -> dict[str, Wire]:
    """The wires under new settings, in the new order, with all that is known of their devices."""
    wanted = tuple(uplinks)
    before = {renamed.get(name, name): wire for name, wire in wires.items()}
    devices = {wire.uplink.device: wire for wire in wires.values()}
    indexes = numbered(wanted, {name: wire.index for name, wire in before.items()})
    return {u.name: _rewired(indexes[u.name], u, devices.get(u.device)) for u in wanted}


def _rewired(index: int, uplink: Uplink, known: Wire | None) -> Wire:
    """`known`: the wire that had this device so far."""
    if known is None or not uplink.enabled or not known.uplink.enabled:
        return Wire.bare(index, uplink)  # a device that nobody watched has to be seen first
    wire = replace(known, index=index, uplink=uplink)
    if uplink.dhcp != known.uplink.dhcp:
        # Known to have none: what the settings had put there does not wait for DHCP to speak.
        wire = replace(wire, lease=LeaseSeen(uplink.device, None, None), surveyed=wire.surveyed | {"lease"})
    if uplink.slaac != known.uplink.slaac:
        wire = replace(
            wire, router=RouterSeen(uplink.device, None, None), surveyed=wire.surveyed - {"router"}
        )
    return wire


def ground(wire: Wire) -> tuple[str, Address | None, Address | None]:
    """What a running call stands on: device, address on the wire, address that the provider sees."""
    return wire.uplink.device, wire.own, wire.declared or wire.own


def uprooted(
    before: Mapping[str, Wire], after: Mapping[str, Wire], renamed: Mapping[str, str]
) -> frozenset[str]:
    """Uplinks (by their old names) that calls cannot stay on: gone, switched off, or on other ground."""
    return frozenset(
        name
        for name, wire in before.items()
        if wire.uplink.enabled and not _stands(wire, after.get(renamed.get(name, name)))
    )


def _stands(before: Wire, after: Wire | None) -> bool:
    return after is not None and after.uplink.enabled and ground(before) == ground(after)
