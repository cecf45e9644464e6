"""What becomes of the live calls when the settings change, each in a sentence. Pure.

ends       its phone goes; or what it stands on goes, and no other channel can carry it
moves      its channel goes, is switched off, or gets another device or address
stays      all else: the trunk's servers, ports and rules count for the calls to come
"""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.renames import renames
from gateway.schema import Settings, Uplink
from gateway.status import CallView, UplinkStatus

NAMED_AT_MOST: Final = 3
"""Calls that are left alone are named one by one up to so many."""


def touches(
    before: Settings | None,
    after: Settings | None,
    calls: Sequence[CallView],
    uplinks: Sequence[UplinkStatus] = (),
) -> tuple[str, ...]:
    """Sentences: calls that end or move first, then those that are left alone. `before` None: there were no
    settings, `after` None: there are none any more. `uplinks`: how the channels are; where it is not given,
    all are taken to be up."""
    if before is None:
        return ()
    touched: list[str] = []
    alone: list[str] = []
    for call in calls:
        fate = _WITHOUT if after is None else _fate(before, after, call, uplinks)
        (touched if fate else alone).append(f"{_named(call)} {fate or 'is left alone.'}")
    if len(alone) > NAMED_AT_MOST:
        alone = [f"{len(alone)} {'other ' if touched else ''}live calls are left alone."]
    return (*touched, *alone)


_WITHOUT: Final = "will end: the box is without settings then."


def _named(call: CallView) -> str:
    way = "to" if call.direction == "out" else "from"
    return f"Call {call.call} ({call.phone or 'no phone yet'} {way} {call.remote or 'a hidden number'})"


def _fate(before: Settings, after: Settings, call: CallView, uplinks: Sequence[UplinkStatus]) -> str:
    """What becomes of it; empty: nothing."""
    here = {phone.name for phone in before.phones}
    gone = (set(call.phone.split(",")) & here) - {phone.name for phone in after.phones}
    if gone and gone == set(call.phone.split(",")):
        return f"will end: {', '.join(sorted(gone))} is taken out of the settings."
    renamed = renames(before.uplinks, after.uplinks)
    old = {uplink.name: uplink for uplink in before.uplinks}
    new = {uplink.name: uplink for uplink in after.uplinks}
    if call.uplink in old and not _stands(call.uplink, old, new, renamed):
        target = _target(call.uplink, old, new, renamed, uplinks)
        if target:
            return f"will move from {call.uplink} to {target}."
        name = renamed.get(call.uplink, call.uplink)
        if name in new and new[name].enabled:
            return f"stays on {name} and takes its new address, if the provider lets it; else it ends."
        return f"will end: no other channel than {call.uplink} can carry it now."
    if call.uplink in renamed:
        return f"stays where it is; {call.uplink} is called {renamed[call.uplink]} from then on."
    return _stays(before, after)


def _stands(
    name: str, old: Mapping[str, Uplink], new: Mapping[str, Uplink], renamed: Mapping[str, str]
) -> bool:
    """Whether calls can stay on this channel."""
    after = new.get(renamed.get(name, name))
    return after is not None and after.enabled and _ground(old[name]) == _ground(after)


def _ground(uplink: Uplink) -> tuple[object, ...]:
    """What a running call stands on: device, where the address comes from, the address of each IP version."""
    static = {address.version: address.ip for address in reversed(uplink.addresses)}
    return uplink.device, uplink.dhcp, uplink.slaac, static.get(4), static.get(6), uplink.public_address


def _target(
    name: str,
    old: Mapping[str, Uplink],
    new: Mapping[str, Uplink],
    renamed: Mapping[str, str],
    uplinks: Sequence[UplinkStatus],
) -> str:
    """Where its calls go: to the channel that carries calls now, else to the first that is up."""
    up = {status.name for status in uplinks if status.state == "up"} if uplinks else set(old)
    carries = {status.name for status in uplinks if status.carries_trunk}
    fit = [
        one.name
        for one in old.values()
        if one.enabled and one.name != name and one.name in up and _stands(one.name, old, new, renamed)
    ]
    fit.sort(key=lambda one: one not in carries)
    return renamed.get(fit[0], fit[0]) if fit else ""


def _stays(before: Settings, after: Settings) -> str:
    """A word for changes that look as if they touched it."""
    if before.ports != after.ports:
        return "keeps its ports; the new ones count for the calls to come."
    if _differ(before, after, "server", "transport", "port", "networks"):
        return "goes on by the provider's server that it has; the new one counts for the calls to come."
    if _differ(before, after, "codecs", "srtp", "session_expires_s"):
        return "goes on as it was agreed; the new codecs and keys count for the calls to come."
    return ""


def _differ(before: Settings, after: Settings, *names: str) -> bool:
    return any(getattr(before.trunk, name) != getattr(after.trunk, name) for name in names)
