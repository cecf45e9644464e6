"""Law: one verdict, made here. It says what works, what that costs and what to do; and while calls work it
asks for attention exactly when a hand is needed.

Moments are monotonic seconds, so a clock that is set does not turn minutes into years; `wall` (Unix seconds)
is looked at only for the time of day that is told.
"""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, Literal

from gateway.status import Lamp, UplinkState, UplinkStatus, Verdict

START_S: Final = 30.0
"""How long whatever is missing may still be coming: after our start, and after the calls process went."""
NOTHING: Final = "Nothing to do."
NO_HELP: Final = "Calls for help cannot get out either."
CLOCK_IS_SET: Final = 1_700_000_000.0
"""A box without a clock of its own starts in the past; then no time of day is told."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a channel: "Main is `how`"; `remedy` becomes the action after `patience_s`, because
    much goes by itself, and at once when it cannot."""

    how: str
    remedy: str
    patience_s: float


_ROUTER = "Restart the router of {name}; if that is no help, call its provider."
_TROUBLES: dict[UplinkState, Trouble] = {
    "no_device": Trouble("missing", "Plug {device} in again.", 60),
    "no_carrier": Trouble(
        "without a carrier", "Check the cable between the box and the router of {name}.", 60
    ),
    "no_address": Trouble("without an address", "Check that the router of {name} is on.", 120),
    "conflict": Trouble(
        "blocked, because another device has its address", "Find that device and change it.", 0
    ),
    "up_unconfirmed": Trouble("not confirmed", "Confirm it: gatewayctl trunk confirm {name}.", 0),
    "degraded": Trouble(
        "too poor for calls", "Look for heavy downloads on {name}, then call its provider.", 900
    ),
    "no_trunk": Trouble("without an answer from the telephone provider", "Ask the telephone provider.", 900),
    "down": Trouble("down", _ROUTER, 900),
    "drifted": Trouble(
        "seen by another address than the confirmed one",
        "Ask its provider for the old address, or confirm the new one: gatewayctl trunk confirm {name}.",
        0,
    ),
    "damped": Trouble("held in reserve, because it comes and goes", _ROUTER, 3600),
}
"""States that are not here (disabled, probing, up, suspect) are no trouble, or not yet known to be."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something of another room that the owner should know while calls work; an empty `action`: only that."""

    sentence: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is made of. `mode` "setup": there are no settings yet. `ordered`: the owner's standing
    order of a channel; `failback_after_s`: how long it is quiet before calls go back (0: not known)."""

    uplinks: tuple[UplinkStatus, ...] = ()
    calls_process: Literal["running", "starting", "absent"] = "running"
    guard: Literal["standing", "absent"] = "standing"
    provider_silent: bool = False
    mode: Literal["normal", "setup", "updating", "recovery"] = "normal"
    ordered: str = ""
    failback_after_s: float = 0.0
    notes: tuple[Note, ...] = ()


class Judge:
    """Makes the verdict. It remembers since when things are as they are; what was so at its first look has no
    beginning, for it may be older than this process. `zone`: of the times told (None: the system's)."""

    def __init__(self, now: float, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._started = now
        self._first = True
        self._carrier = ""
        self._carrier_since: float | None = None
        self._states: dict[str, tuple[UplinkState, float | None]] = {}
        self._calls_gone = now
        self._worked = False

    def see(self, facts: Facts, now: float, wall: float) -> Verdict:
        """The verdict now."""
        self._remember(facts, now)
        if facts.mode == "setup":
            return _verdict(
                "setup",
                "The box is not set up yet: it cannot place calls, not even for help.",
                "Open the box's page in a browser, or write its settings file.",
            )
        made = self._of_calls(facts, now, wall)
        if made.lamp == "no_calls" and not _help_may_get_out(facts):
            made = _verdict(made.lamp, f"{made.sentence} {NO_HELP}", made.action)
        if facts.mode == "updating":
            return _verdict(
                "updating", f"An update is being installed. {made.sentence}", "Keep the box plugged in."
            )
        if facts.mode == "recovery":
            return _verdict(
                "recovery",
                f"The box is in recovery. {made.sentence}",
                "Open its page to choose what to go back to.",
            )
        return made

    # --- memory -----------------------------------------------------------------------------------

    def _remember(self, facts: Facts, now: float) -> None:
        carrier = next((u.name for u in facts.uplinks if u.carries_trunk), "")
        beginning = None if self._first else now
        if carrier != self._carrier:
            self._carrier, self._carrier_since = carrier, beginning
        before = self._states
        self._states = {
            u.name: before[u.name] if before.get(u.name, ("", 0))[0] == u.state else (u.state, beginning)
            for u in facts.uplinks
        }
        if facts.calls_process == "running":
            self._calls_gone = now
        self._worked = self._worked or bool(carrier)
        self._first = False

    def _lasts_s(self, uplink: UplinkStatus, now: float) -> float:
        since = self._states[uplink.name][1]
        return now - (self._started if since is None else since)

    # --- judgement --------------------------------------------------------------------------------

    def _of_calls(self, facts: Facts, now: float, wall: float) -> Verdict:
        enabled = [u for u in facts.uplinks if u.state != "disabled"]
        carrier = next((u for u in enabled if u.carries_trunk), None)
        young = now - self._started < START_S
        if facts.guard != "standing":
            what = "the guard that keeps trunk traffic on confirmed addresses"
            if young:
                return _verdict("starting", f"Starting: {what} is being set up.", NOTHING)
            return _no_calls(
                f"{what} is missing", "Restart the box; if that is no help: journalctl -u gateway."
            )
        if not enabled:
            return _no_calls("every Internet channel is switched off", "Switch one on in the settings.")
        if facts.provider_silent:
            return _no_calls(
                "the telephone provider answers on no channel, although the Internet works",
                "Nothing to do but to wait; if it lasts, ask the telephone provider.",
            )
        if carrier is None:
            return self._without_carrier(enabled, young)
        if facts.calls_process != "running":
            if now - self._calls_gone < START_S:
                return _verdict("starting", "No calls for a moment: the calls process is starting.", NOTHING)
            return _no_calls(
                "the calls process does not run",
                "Restart the box; if that is no help: journalctl -u gateway-calls.",
            )
        return self._with_carrier(facts, carrier, enabled, now, wall)

    def _without_carrier(self, enabled: list[UplinkStatus], young: bool) -> Verdict:
        moving = any(u.state in ("probing", "suspect", "up") for u in enabled)
        if young and (moving or all(u.state in ("no_address", "down") for u in enabled)):
            return _verdict("starting", "Starting: the Internet channels are being tried.", NOTHING)
        unconfirmed = next((u for u in enabled if u.state == "up_unconfirmed"), None)
        if unconfirmed is not None:
            action = _remedy(unconfirmed)
            if self._worked or any(u.confirmed_at for u in enabled):
                return _no_calls("no channel that works has a confirmed address", action)
            return _verdict("setup", "You cannot call out yet: no channel has a confirmed address.", action)
        channels = (
            f"the Internet channel {enabled[0].name} is" if not enabled[1:] else "all Internet channels are"
        )
        first = next((u for u in enabled if u.state in _TROUBLES), None)
        if first is None:
            return _no_calls(f"{channels} being tried", NOTHING)
        if enabled[1:] and first.state != "down":
            return _no_calls(f"{channels} down", _remedy(first), f" {_title(first)} is {_how(first)}.")
        return _no_calls(f"{channels} {'down' if enabled[1:] else _how(first)}", _remedy(first))

    def _with_carrier(
        self, facts: Facts, carrier: UplinkStatus, enabled: list[UplinkStatus], now: float, wall: float
    ) -> Verdict:
        troubled = [u for u in enabled if u.state in _TROUBLES]
        others = [u for u in enabled if u is not carrier]
        actions = [_remedy(u) for u in troubled if self._lasts_s(u, now) >= _TROUBLES[u.state].patience_s] + [
            note.action for note in facts.notes if note.action
        ]
        on_main = carrier.role == "main"
        said = [
            f"Your phones work. Calls use {_title(carrier)}."
            if on_main
            else f"Your phones work on {_title(carrier)}{self._since(now, wall)}."
        ]
        # The channel that calls have left comes first: it is the reason.
        said += [self._trouble(u, now) for u in troubled][:2]
        if others and not any(u.state in ("up", "suspect", "probing") for u in others):
            said.append(f"Nothing could take over from {carrier.name}.")
        said += [note.sentence for note in facts.notes]
        if actions:
            return _verdict("attention", " ".join(said), actions[0])
        if on_main:
            return _verdict("main", " ".join(said), NOTHING)
        return _verdict("backup", " ".join(said), _going_back(facts, carrier))

    def _since(self, now: float, wall: float) -> str:
        if self._carrier_since is None or wall < CLOCK_IS_SET:
            return ""
        began = datetime.fromtimestamp(wall - (now - self._carrier_since), self._zone)
        today = datetime.fromtimestamp(wall, self._zone).date()
        return began.strftime(" since %H:%M" if began.date() == today else " since %d %b %H:%M")

    def _trouble(self, uplink: UplinkStatus, now: float) -> str:
        how, since = _how(uplink), self._states[uplink.name][1]
        if since is None or now - since < 60:
            return f"{_title(uplink)} is {how}."
        return f"{_title(uplink)} has been {how} for {_duration(now - since)}."


def _verdict(lamp: Lamp, sentence: str, action: str) -> Verdict:
    return Verdict(lamp=lamp, sentence=sentence, action=action)


def _no_calls(why: str, action: str, more: str = "") -> Verdict:
    return _verdict("no_calls", f"You cannot call out: {why}.{more}", action)


def _help_may_get_out(facts: Facts) -> bool:
    """A call for help asks for no confirmed address, but for a channel that works (law 12)."""
    dead = {"disabled", "no_device", "no_carrier", "no_address", "conflict", "down"}
    stands = facts.calls_process == "running" and facts.guard == "standing" and not facts.provider_silent
    return stands and any(uplink.state not in dead for uplink in facts.uplinks)


def _going_back(facts: Facts, carrier: UplinkStatus) -> str:
    if facts.ordered == carrier.name:
        return "Nothing to do; you ordered it. To have the box choose again: gatewayctl uplinks use auto."
    if facts.failback_after_s <= 0:
        return "Nothing to do; we go back by ourselves."
    quiet = facts.failback_after_s
    how_long = f"{quiet:.0f} quiet seconds" if quiet < 120 else f"{quiet / 60:.0f} quiet minutes"
    return f"Nothing to do; we go back after {how_long}."


def _remedy(uplink: UplinkStatus) -> str:
    return _TROUBLES[uplink.state].remedy.format(name=uplink.name, device=uplink.device)


def _title(uplink: UplinkStatus) -> str:
    return uplink.name.capitalize()


def _how(uplink: UplinkStatus) -> str:
    return _TROUBLES[uplink.state].how


def _duration(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 172_800 else f"{seconds // 86_400:.0f} days"
