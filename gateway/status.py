"""What the appliance is now, as frozen values. The verdict that sums it up is made in verdict.py alone."""

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

Lamp = Literal[
    "starting",  # not all is there yet; it takes a moment
    "setup",  # the owner has to set it up, or to confirm the first address
    "main",  # calls work on the main channel
    "backup",  # calls work on a backup channel, and nobody has to do anything
    "attention",  # calls work, and something needs a hand
    "no_calls",  # nobody can call out
    "updating",  # keep it plugged in
    "recovery",  # it was started by the button's way out
    "identify",  # somebody asked which box it is; never a verdict, only shown
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
    """One phone. `state`: idle, dialling, ringing, talking, gone; `hears`: the tone or the words that the box
    plays into its ear now; `remote`: who is shown on it, or was dialled."""

    name: str
    kind: str
    state: str
    hears: str = ""
    remote: str = ""


Origin = Literal[
    "owner",  # the owner's file
    "good_copy",  # the last good copy, because the owner's file was refused
    "vault",  # a sealed snapshot, after a reset or a loss
    "none",  # nothing: the box waits to be set up
]


class SettingsStatus(Frozen, frozen=True, kw_only=True):
    """Where the settings in force came from, and what goes on around them.

    `trial`: whose change is on trial (empty: none). `presence`: what a tap of the button would approve now.
    `access`: a name that changes whenever the page's password does, so that older sessions are void (empty:
    no password is set). `restored`: what the box did by itself after a reset, until somebody has seen it.
    `vault`: what holds its key and what that protects against; `vault_trouble`: why a reset would lose
    something (empty: it would not).
    """

    origin: Origin = "owner"
    revision: int = 0
    trial: str = ""
    presence: str = ""
    access: str = ""
    restored: str = ""
    vault: str = ""
    vault_trouble: str = ""


class Verdict(Frozen, frozen=True, kw_only=True):
    """The appliance in one value: lamp, page, `gatewayctl status`, systemd's line and the log all show it.

    `sentence`: what works and what it costs; `action`: what the owner has to do, or "Nothing to do.".
    """

    lamp: Lamp
    sentence: str
    action: str


class Status(Frozen, frozen=True, kw_only=True):
    """The whole appliance. `active_uplink` carries new trunk calls; empty: none can. `verdict`, `action` and
    `lamp` are the parts of one Verdict."""

    verdict: str
    active_uplink: str
    internet_uplink: str
    calls_process: Literal["running", "starting", "absent"]
    guard: Literal["standing", "absent"]
    uplinks: tuple[UplinkStatus, ...]
    calls: tuple[CallView, ...] = ()
    phones: tuple[PhoneView, ...] = ()
    action: str = ""
    lamp: Lamp = "starting"
    settings: SettingsStatus = SettingsStatus()
