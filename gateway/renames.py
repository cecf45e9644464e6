"""Which channel of new settings is which of the old: known by its name, or, renamed, by its device. Pure."""

from collections.abc import Iterable

from gateway.schema import Uplink


def renames(before: Iterable[Uplink], after: Iterable[Uplink]) -> dict[str, str]:
    """Old names to new ones: a name that went while another one came on the same device."""
    old, new = tuple(before), tuple(after)
    stay = {uplink.name for uplink in old} & {uplink.name for uplink in new}
    came = {uplink.device: uplink.name for uplink in new if uplink.name not in stay}
    return {u.name: came[u.device] for u in old if u.name not in stay and u.device in came}
