"""What the appliance is now, as frozen values; and the one sentence that sums it up."""

from typing import Literal

import msgspec

UplinkState = Literal[
    "disabled",  # switched off by the owner
    "no_device",  # the kernel has no such device (a modem was pulled)
    "no_carrier",  # the cable is out, or the far port is dead
    "no_address",  # no lease, or the address is gone
    "conflict",  # another host uses our address
    "probing",  # fresh: not yet known to be good or bad
    "up_unconfirmed",  # Internet works; the provider has not confirmed this address
    "up",  # Internet works and trunk calls may leave here
    "suspect",  # silence was seen; a probe burst is deciding
    "degraded",  # works, but loss, delay or jitter would spoil a call
    "no_trunk",  # Internet works, the provider does not answer on this uplink alone
    "down",  # nothing answers
    "drifted",  # the provider sees another address than the confirmed one
    "damped",  # came and went too often; kept in reserve for a while
]


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every value that crosses a process border."""


class Message(Frozen, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of all messages; the class name travels as `type`."""


class UplinkStatus(Frozen, frozen=True, kw_only=True):
    """One Internet channel. Times are Unix seconds (0: never); rates are fractions of 1."""

    name: str
    role: Literal["main", "backup"]
    device: str
    state: UplinkState
    sentence: str
    address: str = ""
    public_address: str = ""
    observed_address: str = ""
    confirmed_at: float = 0.0
    rtt_ms: float | None = None
    jitter_ms: float | None = None
    loss: float | None = None
    mos: float | None = None
    carries_trunk: bool = False
    carries_internet: bool = False
    metered: bool = False


class CallView(Frozen, frozen=True, kw_only=True):
    """One live call as anybody may see it. `state`: dialling, ringing, early, up, held, moving."""

    call: int
    phone: str
    direction: Literal["out", "in"]
    state: str
    remote: str
    caller_id: str
    uplink: str
    started_at: float
    moves: int = 0
    codec: str = ""
    mos: float | None = None


class PhoneView(Frozen, frozen=True, kw_only=True):
    """One phone. `state`: idle, dialling, ringing, talking, gone."""

    name: str
    kind: str
    state: str


class Status(Frozen, frozen=True, kw_only=True):
    """The whole appliance. `active_uplink` carries new trunk calls; empty: none can."""

    verdict: str
    active_uplink: str
    internet_uplink: str
    calls_process: Literal["running", "starting", "absent"]
    guard: Literal["standing", "absent"]
    uplinks: tuple[UplinkStatus, ...]
    calls: tuple[CallView, ...] = ()
    phones: tuple[PhoneView, ...] = ()


def verdict(uplinks: tuple[UplinkStatus, ...], calls_process: str, guard: str, provider_silent: bool) -> str:
    """The sentence that stands at the top of everything: what works, what does not, what it costs."""
    usable = [u for u in uplinks if u.carries_trunk]
    enabled = [u for u in uplinks if u.state != "disabled"]
    if guard != "standing":
        return "No calls: the guard that keeps trunk traffic on confirmed addresses is missing."
    if not enabled:
        return "No calls: no Internet channel is set up."
    if provider_silent:
        return "No calls: the provider answers on no channel, although the Internet works."
    if not usable:
        unconfirmed = [u.name for u in enabled if u.state == "up_unconfirmed"]
        if unconfirmed:
            return (
                f"No calls yet: confirm the address of {unconfirmed[0]} "
                f"(gatewayctl trunk confirm {unconfirmed[0]})."
            )
        return "No calls: all Internet channels are down."
    if calls_process != "running":
        return "No calls for a moment: the calls process is starting."
    carrier = usable[0]
    troubled = [u for u in enabled if u.state not in ("up", "up_unconfirmed", "probing", "suspect")]
    if carrier.role == "backup":
        return f"Calls work over {carrier.name}. " + " ".join(u.sentence for u in troubled[:2])
    if troubled:
        return f"Calls work over {carrier.name}. " + " ".join(u.sentence for u in troubled[:2])
    return f"All is well: calls leave by {carrier.name}."
