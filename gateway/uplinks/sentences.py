"""Law: every state of an uplink has one sentence: what is so and, if something is wrong, what to do."""

from dataclasses import dataclass

from gateway.status import UplinkState
from gateway.uplinks.model import Address, Identity
from gateway.uplinks.quality import Quality


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentences speak of. `observed`: our address as the far side sees it."""

    name: str
    device: str
    dhcp: bool
    slaac: bool
    identity: Identity
    observed: Address | None
    quality: Quality


def sentence(state: UplinkState, facts: Facts) -> str:
    """The state in plain English."""
    Name, name, own = facts.name.capitalize(), facts.name, facts.identity.own
    match state:
        case "disabled":
            return f"{Name} is switched off in the settings."
        case "no_device":
            return f"{Name} is missing: plug in {facts.device} again, or mend its name in the settings."
        case "no_carrier":
            return f"{Name} has no carrier: check the cable between the box and its router."
        case "no_address" if facts.dhcp:
            return f"{Name} gets no address: check that its router gives addresses (DHCP)."
        case "no_address" if facts.slaac:
            return f"{Name} gets no address: check that its router announces IPv6."
        case "no_address":
            return f"{Name} has lost its address on {facts.device}: it is being set again."
        case "conflict":
            return f"Another device uses {name}'s address {own}: find it and give it another one."
        case "probing":
            return f"{Name} is being tried."
        case "up_unconfirmed":
            return _unconfirmed(facts)
        case "up":
            return f"{Name} works."
        case "suspect":
            return f"{Name} went silent a moment ago and is being checked."
        case "degraded":
            return _degraded(facts)
        case "no_trunk":
            return (
                f"{Name} reaches the Internet, but the telephone provider does not answer there: "
                "if it lasts, ask them."
            )
        case "down":
            return f"Nothing answers over {name}: restart its router; if that is no help, call its provider."
        case "drifted":
            return _drifted(facts)
        case "damped":
            return f"{Name} comes and goes too often: it is held in reserve until it has been steady a while."


def _unconfirmed(facts: Facts) -> str:
    name, public, seen = facts.name, facts.identity.public, facts.observed
    if seen is not None and seen != public:
        return (
            f"{name.capitalize()} works for the Internet, but the world sees it as {seen}: if that is its "
            "static address, put it into the settings as public_address and confirm it."
        )
    return (
        f"{name.capitalize()} works for the Internet; for calls, confirm its address {public} "
        f"(gatewayctl trunk confirm {name})."
    )


def _drifted(facts: Facts) -> str:
    identity = facts.identity
    expected = identity.confirmed or identity.public
    seen = facts.observed if facts.observed not in (None, expected) else identity.public
    return (
        f"{facts.name.capitalize()} is seen as {seen} instead of {expected}, so calls are kept off it: "
        "ask its Internet provider for the old address, or confirm the new one."
    )


def _degraded(facts: Facts) -> str:
    quality = facts.quality
    return (
        f"{facts.name.capitalize()} is too poor for calls ({100 * (quality.loss or 0):.0f} % lost, "
        f"{quality.jitter_ms or 0:.0f} ms jitter, {quality.rtt_ms or 0:.0f} ms there and back): "
        "look for heavy downloads, then call its Internet provider."
    )
