"""Law: a running call whose uplink must be left is moved, replaced, dialled anew or ended, within 4 s.

    moving      re-INVITE in the dialog by the new uplink          2xx        settled
                                                                   blocked    abandon what blocks, send again
                                                                   491        glare
                                                                   481        lost: the dialog is gone
                                                                   else, 2 s  replacing (outgoing) or lost
    glare       the far end's own re-INVITE crossed ours: wait as RFC 3261 §14.1 says, then moving once more
    replacing   a new INVITE with Replaces (RFC 3891)              2xx        settled; the old dialog is ended
                                                                   18x        it rings anew: that is a redial
                                                                   else, 1.5 s  lost
    stranded    no uplink to go to: wait, after telling the phone; lost when none comes

Lost means that the call's own table dials anew (outgoing calls) or ends the call with a reason. Another
active uplink in the middle is aimed at afresh. A move says nothing of audio: that is the engine's word
(MediaUp).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.calls.model import (
    Abandon,
    Action,
    Answered,
    Ended,
    EndLeg,
    Event,
    Failed,
    MoveHow,
    MoveState,
    PathsChanged,
    Progress,
    Reinvite,
    ReinviteBlocked,
    Reinvited,
    StartLeg,
    Tell,
    Timing,
    Ways,
)
from gateway.messages import Server

# RFC 3261 §14.1: 2.1-4.0 s for the owner of the Call-ID, 0-2.0 s for the other, in steps of 10 ms. The owner
# takes the lower part of its range: later there would be no time left to decide in.
_GLARE_OWNER_S: Final = (2.1, 2.4)
_GLARE_OTHER_S: Final = (0.0, 2.0)
ENGINE_GAVE_UP: Final = frozenset({408, 481, 503})
"""Codes with which the engine ends a dialog by itself (RFC 3261 §12.2.1.2); a far end's BYE bears none."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The call runs on `leg` by `uplink`. `how` None: the old way came back and nothing was done.
    `hold` is what the far end was told; without a move it was told nothing new."""

    leg: int
    uplink: str
    how: MoveHow | None
    took_s: float
    hold: bool


@dataclass(frozen=True, slots=True)
class Rings:
    """The Replaces INVITE rings as a new call on `leg`."""

    leg: int
    uplink: str


@dataclass(frozen=True, slots=True)
class Lost:
    """It could not be moved. `reason` is a key of routing.WORDS; only `lost` is worth dialling anew."""

    reason: str


Verdict = Settled | Rings | Lost


class Move:
    """One running call on its way from one uplink to another.

    `server` None: an incoming call, which cannot be replaced. `random` gives [0, 1) for the glare delay.
    `crosses`: whether an uplink speaks another IP version than the dialog, whose route set binds re-INVITEs;
    `serving`: what that uplink talks to instead.
    """

    def __init__(
        self,
        leg: int,
        uplink: str,
        server: Server | None,
        hold: bool,
        new_leg: Callable[[], int],
        timing: Timing,
        random: Callable[[], float],
        crosses: Callable[[str], bool],
        serving: Callable[[str], Server | None],
    ) -> None:
        self.state: MoveState = "stranded"
        self.target = ""
        self.ordered_s: float | None = None
        """When the move was first ordered; None while it has nowhere to go."""
        self._leg = leg
        self._uplink = uplink
        self._server = server
        self._hold = self._offered_hold = hold
        self._new_leg = new_leg
        self._timing = timing
        self._random = random
        self._crosses = crosses
        self._serving = serving
        self._decide_s = 0.0
        self._timer_s: float | None = None
        self._pending = False  # a re-INVITE of ours is unanswered
        self._touched = False  # the far end may have heard of a new way
        self._unblocked = False
        self._repair = False
        self._glares = 0
        self._new: int | None = None
        self._old_gone: Ended | Failed | None = None

    @property
    def due(self) -> float | None:
        """When the present stage runs out."""
        return self._timer_s

    @property
    def leg(self) -> int:
        """The leg that the call stands on: the new one, once the old has ended."""
        return self._new if self._new is not None and self._old_gone else self._leg

    def begin(self, ways: Ways, now: float, repair: bool = False) -> list[Action | Verdict]:
        """The order to leave; `repair`: stay on the same uplink, but make its media anew."""
        self._repair = repair
        target = self._uplink if repair else ways.target
        return self._aim(target, now) if target else self._strand(now)

    def want_hold(self, on: bool) -> None:
        """What the next offer will say; the present one stands."""
        self._hold = on

    def receive(self, event: Event | None, now: float) -> list[Action | Verdict]:
        """None: the time may have run out. Events of other legs have no meaning here."""
        match event:
            case None:
                return self._expired(now) if self._timer_s is not None and now >= self._timer_s else []
            case PathsChanged(ways):
                return self._paths(ways, now)
            case Reinvited(leg, code) if leg == self._leg and self._pending and code >= 200:
                self._pending = False
                return self._answered(code, now)
            case ReinviteBlocked(leg) if leg == self._leg and self._pending:
                self._pending = False
                if self._unblocked or self.state != "moving":
                    return self._replace(now) if self.state == "moving" else []
                self._unblocked = True
                return [Abandon(self._leg), self._offer()]
            case Ended(leg) | Failed(leg) if leg == self._leg:
                return self._ended(event)
            case Progress(leg, code) if leg == self._new and code >= 180:
                return [EndLeg(self._leg, self.target), Rings(leg, self.target)]
            case Answered(leg) if leg == self._new:
                return [EndLeg(self._leg, self.target), self._settled(leg, "replaces", now)]
            case Failed(leg) | Ended(leg) if leg == self._new:
                self._new = None
                return [self._lost()]
            case _:
                return []

    # --- stages -----------------------------------------------------------------------------------

    def _aim(self, target: str, now: float) -> list[Action | Verdict]:
        actions: list[Action | Verdict] = list(self._drop_new())
        if self._pending:
            actions.append(Abandon(self._leg))
        if self.ordered_s is None:
            self.ordered_s = now
        self.target = target
        self._decide_s = now + self._timing.decide_s
        self._unblocked = False
        self._glares = 0
        return [*actions, *(self._replace(now) if self._crosses(target) else [self._send(now)])]

    def _send(self, now: float) -> Action:
        self.state = "moving"
        self._timer_s = min(now + self._timing.reinvite_s, self._decide_s - self._reserve_s)
        return self._offer()

    @property
    def _reserve_s(self) -> float:
        """What a Replaces needs at least, kept back from what comes before it."""
        return 0.0 if self._server is None else 2 / 3 * self._timing.replaces_s

    def _offer(self) -> Action:
        self._pending = self._touched = True
        self._offered_hold = self._hold
        return Reinvite(self._leg, self.target, self._hold)

    def _strand(self, now: float) -> list[Action | Verdict]:
        actions: list[Action | Verdict] = list(self._drop_new())
        self.state = "stranded"
        self.target = ""
        self._timer_s = now + self._timing.stranded_s
        return [*actions, Tell("please_wait")]

    def _replace(self, now: float) -> list[Action | Verdict]:
        server = self._serving(self.target)
        if server is None or now >= self._decide_s:
            return [self._lost()]
        self.state = "replacing"
        self._timer_s = min(now + self._timing.replaces_s, self._decide_s)
        self._new = self._new_leg()
        return [StartLeg(self._new, self.target, server, replaces=self._leg)]

    # --- events -----------------------------------------------------------------------------------

    def _paths(self, ways: Ways, now: float) -> list[Action | Verdict]:
        target = ways.target
        if self._old_gone and not target:
            return []
        if self.state == "stranded":
            if not self._touched and not ways.must_leave(self._uplink):
                return [self._settled(self._leg, None, now)]
            return self._aim(target, now) if target else []
        if self._repair and not ways.must_leave(self.target):
            return []
        self._repair = False
        if target and target != self.target:
            return [self._lost()] if self._old_gone else self._aim(target, now)
        if not target and ways.must_leave(self.target):
            return self._strand(now)
        return []

    def _answered(self, code: int, now: float) -> list[Action | Verdict]:
        if code < 300:
            return [*self._drop_new(), self._settled(self._leg, "reinvite", now)] if self.target else []
        if self.state != "moving":
            return []
        if code == 481:
            return [self._lost()]
        low, high = _GLARE_OWNER_S if self._server else _GLARE_OTHER_S
        again_s = now + round(low + (high - low) * self._random(), 2)
        if code == 491 and not self._glares and again_s <= self._decide_s - self._timing.replaces_s:
            self._glares += 1
            self.state = "glare"
            self._timer_s = again_s
            return []
        return self._replace(now)

    def _ended(self, event: Ended | Failed) -> list[Action | Verdict]:
        if self._new is not None:
            self._pending = False
            self._old_gone = event  # perhaps the far end has just replaced it: its 200 tells
            return []
        return [self._lost() if event.code in ENGINE_GAVE_UP else Lost("far_hung_up")]

    def _expired(self, now: float) -> list[Action | Verdict]:
        match self.state:
            case "stranded":
                return [Lost("lost_all_down")]
            case "glare":
                return [self._send(now)]
            case "moving":
                return self._replace(now)
            case "replacing":
                return [*self._drop_new(), self._lost()]

    # --- endings ----------------------------------------------------------------------------------

    def _settled(self, leg: int, how: MoveHow | None, now: float) -> Settled:
        took_s = now - (now if self.ordered_s is None else self.ordered_s)
        told_hold = how != "replaces" and self._offered_hold
        return Settled(leg, self.target or self._uplink, how, took_s, told_hold)

    def _lost(self) -> Lost:
        hung_up = self._old_gone is not None and self._old_gone.code not in ENGINE_GAVE_UP
        return Lost("far_hung_up" if hung_up else "lost")

    def _drop_new(self) -> list[Action | Verdict]:
        new, self._new = self._new, None
        return [] if new is None else [EndLeg(new, self.target)]
