"""Which live calls a change of the settings touches, each in a sentence. Pure.

A call is touched when the channel that it leaves by, the phone that speaks, or what binds it to the provider
is not as before. Rules for numbers and CallerIDs touch only the calls to come.
"""

from collections.abc import Sequence

from gateway.schema import Settings, Trunk, Uplink
from gateway.status import CallView

_OF_THE_CALL = ("server", "transport", "port", "login", "networks", "codecs", "srtp")
"""What of the trunk a running call lives by."""


def touches(before: Settings | None, after: Settings | None, calls: Sequence[CallView]) -> tuple[str, ...]:
    """A sentence for each call, in order; `before` None: there were no settings, `after` None: there are none
    any more."""
    if before is None:
        return ()
    told = []
    for call in calls:
        why = "the box is without settings then" if after is None else _why(before, after, call)
        if why:
            far = f"{'to' if call.direction == 'out' else 'from'} {call.remote or 'a hidden number'}"
            told.append(f"The call {far} ({call.phone or 'no phone yet'}, by {call.uplink}): {why}")
    return tuple(told)


def _why(before: Settings, after: Settings, call: CallView) -> str:
    old = {uplink.name: uplink for uplink in before.uplinks}
    new = {uplink.name: uplink for uplink in after.uplinks}
    if call.uplink in old:
        if call.uplink not in new:
            return f"its channel {call.uplink} goes."
        changed = _of_uplink(old[call.uplink], new[call.uplink])
        if changed:
            return f"its channel {call.uplink} changes ({', '.join(changed)})."
    phones = {phone.name: phone for phone in after.phones}
    was = next((phone for phone in before.phones if phone.name == call.phone), None)
    if was is not None and was.name not in phones:
        return f"its phone {call.phone} goes."
    if was is not None and was != phones[was.name]:
        return f"its phone {call.phone} changes."
    if before.ports != after.ports:
        return "the ports of calls change."
    changed = _of_trunk(before.trunk, after.trunk)
    return f"the trunk changes ({', '.join(changed)})." if changed else ""


def _of_uplink(old: Uplink, new: Uplink) -> list[str]:
    names = ("device", "enabled", "dhcp", "slaac", "addresses", "gateways", "public_address")
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _of_trunk(old: Trunk, new: Trunk) -> list[str]:
    return [name for name in _OF_THE_CALL if getattr(old, name) != getattr(new, name)]
