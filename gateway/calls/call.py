"""Law: a call, as its phone hears it, is never up without a leg, never heard from two, never left silent.

    state      what it is                          ends, or goes on to
    trying     INVITE sent, nothing rings yet      early, up; the next way; ended
    early      the far end rings or plays          up; another leg when its uplink must be left; ended
    ringing    a call from outside, phones ring    answering when lifted; ended
    answering  our 200 waits for its ACK           up; ended
    up         spoken; may be in a Move            up on another uplink; trying (dialled anew); ended
    ended      nothing is emitted any more

An outgoing call that is not up yet and must leave its uplink starts a new leg by the active one at once; the
caller keeps hearing ringback, and the old leg, should it still be taken, is ended. An incoming call that
rings cannot leave: the response goes where the request came from (RFC 3261 §18.2.2) and no re-INVITE may be
sent before the ACK (§14.1). So it rings on in the hope that the uplink comes back, its 200 is sent there, and
once the ACK is in, it moves like any other.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from gateway.calls.legs import Leg, Legs
from gateway.calls.model import (
    Action,
    Answered,
    AnswerLeg,
    Begin,
    CallState,
    Direction,
    Ended,
    EndLeg,
    Event,
    Failed,
    HangUp,
    Heard,
    HoldWanted,
    Lifted,
    Log,
    MediaLost,
    MediaMissing,
    MediaUp,
    Moved,
    MoveHow,
    PathsChanged,
    Progress,
    Rebound,
    RemoteHeld,
    Ring,
    SetHold,
    StartLeg,
    Tell,
    Timing,
    Ways,
)
from gateway.calls.move import ENGINE_GAVE_UP, Lost, Move, Rings, Settled, Verdict
from gateway.calls.routing import SILENCE, GiveUp, Route, Try
from gateway.messages import Server

Timer = Literal["silence", "routing", "ring", "stranded", "ack", "media"]

_SPOKE_WITHIN_S: Final = 3.0
_REPAIR_PAUSE_S: Final = 10.0
_MAX_REDIALS: Final = 3
# Transactions that died with the old uplink end the dialog after 64*T1 (RFC 3261 §17.1.1.2).
_AFTERMATH_S: Final = 40.0


class Call:
    """One call. Make it with `outgoing` or `incoming`, then give it Begin."""

    def __init__(
        self,
        direction: Direction,
        ways: Ways,
        new_leg: Callable[[], int],
        random: Callable[[], float],
        timing: Timing,
        route: Route | None,
    ) -> None:
        self.direction: Final = direction
        self.state: CallState = "trying" if direction == "out" else "ringing"
        self.leg: int | None = None
        self.moves = 0
        self.held = False
        self.remote_held = False
        self._ways = ways
        self._new_leg = new_leg
        self._random = random
        self._timing = timing
        self._route = route
        self._legs = Legs()
        self._told_hold = False
        self._move: Move | None = None
        self._server: Server | None = None
        self._redial_from: tuple[str, float] | None = None
        self._redials_left = _MAX_REDIALS
        self._timers: dict[Timer, float] = {}
        self._last_s = 0.0
        self._started_s: float | None = None
        self._answered_s: float | None = None
        self._heard_s: float | None = None
        self._moved_s: float | None = None
        self._repaired_s: float | None = None
        self._uplink = ""
        self._version = 0  # of an incoming call's dialog; it stays, wherever the call goes

    @classmethod
    def outgoing(
        cls,
        route: Route,
        new_leg: Callable[[], int],
        random: Callable[[], float],
        timing: Timing | None = None,
    ) -> "Call":
        """A call that a phone of ours makes. `new_leg` gives numbers that no other leg of the box has."""
        return cls("out", route.ways, new_leg, random, timing or Timing(), route)

    @classmethod
    def incoming(
        cls,
        leg: int,
        uplink: str,
        ways: Ways,
        new_leg: Callable[[], int],
        random: Callable[[], float],
        timing: Timing | None = None,
    ) -> "Call":
        """A call from outside that came in by `uplink` as `leg`."""
        call = cls("in", ways, new_leg, random, timing or Timing(), None)
        call.leg = leg
        call._legs.open[leg] = Leg(uplink)
        call._uplink = uplink
        call._version = ways.version(uplink)
        return call

    @property
    def uplink(self) -> str:
        """Where the call runs, or ran last."""
        return self._uplink

    @property
    def shown_state(self) -> str:
        """As CallView has it: dialling, ringing, early, up, held, moving."""
        if self.state == "up":
            return "moving" if self._move else "held" if self.held or self.remote_held else "up"
        return {"trying": "dialling", "early": "early", "ended": "ended"}.get(self.state, "ringing")

    @property
    def due(self) -> float | None:
        """When to call `receive(None, now)` at the latest."""
        times = [*self._timers.values(), *([self._move.due] if self._move and self._move.due else [])]
        return min(times, default=None)

    def replan(self, servers: Sequence[Server]) -> None:
        """The provider has other servers: a number that is called anew is called there."""
        if self._route and servers:
            self._route.replan(servers)

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """What is to be done about `event` (None: time has passed). Events that come too late do nothing."""
        if self.state == "ended":
            return []
        now = self._last_s = max(now, self._last_s)
        if event is not None:
            self._take(event, now)
        self._expire(now)
        return self._legs.drain()

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Begin():
                self._begin(now)
            case HangUp(code, reason):
                self._end(code if self.state == "ringing" else 0, reason, now)
            case Rebound(uplink) if uplink == self._uplink and self.leg is not None:
                self._rebound(self.leg, now)
            case PathsChanged(ways):
                self._paths(event, ways, now)
            case HoldWanted(on):
                self._want_hold(on)
            case RemoteHeld(on):
                self.remote_held = on
            case Lifted() if self.state == "ringing" and self.leg is not None:
                self._lifted(self.leg, now)
            case MediaUp(leg) if leg in self._legs.open and not self._legs.open[leg].ending:
                self._legs.open[leg].media = True
                self._connect(leg)
            case MediaLost(leg) if leg in self._legs.open:
                self._media_lost(leg, now)
            case Heard(leg) if leg == self.leg:
                self._heard_s = now
                self._timers.pop("media", None)
            case Answered(leg) if leg in self._legs.open and self._legs.open[leg].ending:
                self._legs.emit(EndLeg(leg, self._reach(leg)))  # its CANCEL crossed the 200
            case Failed(leg) | Ended(leg) if leg in self._legs.open:
                self._over(event, now)
            case _ if self._move:
                self._follow(self._move.receive(event, now), now)
            case Progress(leg, code) if leg == self.leg and self.state in ("trying", "early"):
                self._progress(code, now)
            case Answered(leg) if leg == self.leg and self.state in ("trying", "early", "answering"):
                self._answered(now)
            case _:
                pass

    def _expire(self, now: float) -> None:
        while self.state != "ended" and self.due is not None and self.due <= now:
            if self._move and self._move.due is not None and self._move.due <= now:
                self._follow(self._move.receive(None, now), now)
                continue
            timer = min(self._timers, key=self._timers.__getitem__)
            del self._timers[timer]
            match timer:
                case "silence" | "routing":
                    self._attempt_failed(SILENCE, None, now)
                case "ring":
                    self._end(0, "no_answer", now)
                case "stranded" if self._route and self._route.kind == "emergency":
                    self._attempt_failed(SILENCE, None, now)
                case "stranded":
                    self._end(0, "all_down", now)
                case "ack":
                    self._end(408, "lost", now)
                case "media":
                    self._legs.emit(MediaMissing(self.leg or 0, self._uplink))

    # --- before the call is up --------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        if self._started_s is not None:
            return
        self._started_s = now
        if self._route:
            self._go(self._route.begin(now), now)
        else:
            self._timers["ring"] = now + self._timing.ring_s
            self._legs.emit(Ring(True))

    def _go(self, step: Try | GiveUp, now: float) -> None:
        if isinstance(step, GiveUp):
            self._end(step.code, step.reason, now)
            return
        self._timers.clear()
        self._timers["silence"] = now + self._timing.silence_s
        self.state = "trying"
        self.leg = self._new_leg()
        self._server = step.server
        self._uplink = step.uplink
        self._legs.emit(StartLeg(self.leg, step.uplink, step.server, codecs=step.codecs))

    def _attempt_failed(self, code: int, retry_after_s: float | None, now: float) -> None:
        if self._route is None or self.leg is None:
            return
        if self.leg in self._legs.open:
            self._legs.emit(EndLeg(self.leg, self._reach(self.leg)))
        alarms, step = self._route.failed(code, retry_after_s, now)
        self._legs.emit(*alarms)
        self._go(step, now)

    def _progress(self, code: int, now: float) -> None:
        self._timers.pop("silence", None)
        if code >= 180:
            self._timers.pop("routing", None)
        elif self._route and self._route.kind == "emergency" and self.state == "trying":
            self._timers.setdefault("routing", now + self._timing.routing_s)
        self._timers.setdefault("ring", now + self._timing.ring_s)
        if self._route:
            self._legs.emit(*self._route.progress(code))
        if code >= 180:
            self.state = "early"
            if self._legs.heard is None and code != 183:
                self._legs.ring_back(True)

    def _answered(self, now: float) -> None:
        if self._route:
            self._legs.emit(*self._route.answered())
        self._timers.clear()
        self._up(now)

    def _up(self, now: float) -> None:
        self.state = "up"
        self._legs.ring_back(False)
        self._answered_s = self._answered_s or now
        if self._redial_from:
            (from_uplink, ordered_s), self._redial_from = self._redial_from, None
            self._moved(from_uplink, self._uplink, "redial", now - ordered_s, now)
        self._told_hold = False
        self._match_hold()
        if self._ways.must_leave(self._uplink):
            self._start_move(now)

    def _lifted(self, leg: int, now: float) -> None:
        self._timers.clear()
        self._timers["ack"] = now + self._timing.ack_s
        self.state = "answering"
        self._legs.emit(Ring(False), AnswerLeg(leg))
        self._connect(leg)  # its media may have come before the phone was lifted

    # --- paths ------------------------------------------------------------------------------------

    def _paths(self, event: PathsChanged, ways: Ways, now: float) -> None:
        self._ways = ways
        if self._route:
            self._route.ways = ways
        if self._move:
            self._follow(self._move.receive(event, now), now)
        elif not self._ways.must_leave(self._uplink) or self.leg is None:
            self._timers.pop("stranded", None)
        elif self.state == "up":
            self._start_move(now)
        elif self.state == "ringing":
            self._timers.setdefault("stranded", now + self._timing.stranded_s)
        elif self._route and ways.target:
            self._legs.emit(EndLeg(self.leg, ways.target))
            self._legs.ring_back(self.state == "early" or self._legs.ringback)
            self._go(self._route.again(now), now)
        elif self._route:
            self._timers.setdefault("stranded", now + self._timing.silence_s)

    def _rebound(self, leg: int, now: float) -> None:
        """The address that it runs by is another one; a move that is under way ends elsewhere, or fails."""
        if self._move or self._ways.must_leave(self._uplink):
            return
        stays = self._ways.state(self._uplink) == "fit"
        if self.state == "up" and (stays or self._ways.target):
            self._start_move(now, repair=stays)
        elif self._route and self.state in ("trying", "early") and self._ways.target:
            self._legs.emit(EndLeg(leg, self._ways.target))
            self._go(self._route.again(now), now)

    def _start_move(self, now: float, repair: bool = False) -> None:
        if self.leg is None:
            return
        self._timers.pop("media", None)
        self._move = Move(
            self.leg,
            self._uplink,
            self._server,
            self.held,
            self._new_leg,
            self._timing,
            self._random,
            self._crosses,
            self._serving,
        )
        self._follow(self._move.begin(self._ways, now, repair), now)

    def _crosses(self, uplink: str) -> bool:
        """Whether the present dialog speaks another IP version than `uplink` does."""
        if self._server is not None:
            return not self._ways.reaches(uplink, self._server)
        return self._ways.version(uplink) not in (0, self._version or self._ways.version(uplink))

    def _serving(self, uplink: str) -> Server | None:
        if self._route is None or self._server is None:
            return None
        return self._route.serving(uplink, self._server)

    def _follow(self, results: list[Action | Verdict], now: float) -> None:
        for result in results:
            match result:
                case Settled():
                    self._settled(result, now)
                case Rings(leg, uplink):
                    self._rings(leg, uplink, now)
                case Lost(reason):
                    self._lost(reason, now)
                case _:
                    self._legs.emit(result)
        if self._move and self._move.leg != self.leg:
            self.leg = self._move.leg
            self._connect(self.leg)

    def _settled(self, settled: Settled, now: float) -> None:
        self._move = None
        self.leg = settled.leg
        if settled.how:
            self._told_hold = settled.hold
            self._legs.open[settled.leg].uplink = settled.uplink
            from_uplink, self._uplink = self._uplink, settled.uplink
            if settled.how == "replaces":
                self._server = self._serving(settled.uplink)
            self._moved(from_uplink, settled.uplink, settled.how, settled.took_s, now)
        self._match_hold()
        if self._ways.must_leave(self._uplink):
            self._start_move(now)

    def _moved(self, from_uplink: str, to_uplink: str, how: MoveHow, took_s: float, now: float) -> None:
        self._moved_s = now
        silent = self.held or self.remote_held
        if self._heard_s is not None and now - took_s - self._heard_s <= _SPOKE_WITHIN_S and not silent:
            self._timers["media"] = now + self._timing.media_s
        if from_uplink != to_uplink or how == "redial":
            self.moves += 1
            self._legs.emit(Moved(from_uplink, to_uplink, how, round(took_s * 1000)))
        if self.leg is not None:
            self._connect(self.leg)

    def _rings(self, leg: int, uplink: str, now: float) -> None:
        if self._route is None or self._server is None:
            return
        self._redial_from = (self._uplink, self._order_s(now))
        self._move = None
        self.leg, self._uplink = leg, uplink
        self._server = self._serving(uplink) or self._server
        self._route.adopt(uplink, self._server)
        self._legs.emit(Tell("calling_again"))
        self.state = "early"
        self._timers = {"ring": now + self._timing.ring_s}
        self._legs.ring_back(True)

    def _lost(self, reason: str, now: float) -> None:
        emergency = self._route is not None and self._route.kind == "emergency"
        hopeful = reason == "lost" or (emergency and reason != "far_hung_up")
        if not hopeful or self._route is None or self._redials_left == 0:
            self._end(0, reason, now)
            return
        self._redials_left -= 1
        self._redial_from = (self._uplink, self._order_s(now))
        self._move = None
        self._end_legs()
        self._legs.emit(Tell("calling_again"))
        self._go(self._route.begin(now), now)

    def _order_s(self, now: float) -> float:
        ordered_s = self._move.ordered_s if self._move else None
        return now if ordered_s is None else ordered_s

    # --- while it is up ---------------------------------------------------------------------------

    def _want_hold(self, on: bool) -> None:
        self.held = on
        if self.state == "ringing":
            return
        if on:
            self._legs.silence(self.leg)
        if self._move:
            self._move.want_hold(on)
        else:
            self._match_hold()
        if not on and self.leg is not None:
            self._connect(self.leg)

    def _match_hold(self) -> None:
        if self.state == "up" and not self._move and self.leg is not None and self._told_hold != self.held:
            self._told_hold = self.held
            self._legs.emit(SetHold(self.leg, self.held))

    def _media_lost(self, leg: int, now: float) -> None:
        self._legs.open[leg].media = False
        self._legs.silence(leg)
        if leg != self.leg or self.state != "up" or self._move or self.held:
            return
        again = self._repaired_s is not None and now - self._repaired_s < _REPAIR_PAUSE_S
        self._repaired_s = now
        if again:
            self._lost("lost", now)
        else:
            self._start_move(now, repair=True)

    def _over(self, event: Failed | Ended, now: float) -> None:
        """A leg is over, by whoever."""
        self._legs.over(event.leg)
        if self._move:
            self._follow(self._move.receive(event, now), now)
        elif event.leg == self.leg:
            match self.state:
                case "trying" | "early":
                    retry_after_s = event.retry_after_s if isinstance(event, Failed) else None
                    self._attempt_failed(event.code, retry_after_s, now)
                case "up" if event.code in ENGINE_GAVE_UP:
                    recent = self._moved_s is not None and now - self._moved_s < _AFTERMATH_S
                    self._lost("lost", now) if recent else self._end(event.code, "lost", now)
                case "ringing":
                    self._end(event.code, "cancelled", now)
                case _:
                    self._end(event.code, "far_hung_up", now)

    # --- the legs and the phone -------------------------------------------------------------------

    def _reach(self, leg: int) -> str:
        """The uplink by which the leg's far end can still be told something."""
        uplink = self._legs.open[leg].uplink
        return (self._ways.target or uplink) if self._ways.must_leave(uplink) else uplink

    def _connect(self, leg: int) -> None:
        if leg == self.leg and not self.held and self.state != "ringing":
            self._legs.connect(leg)

    def _end_legs(self, code: int = 0) -> None:
        for leg in [number for number, one in self._legs.open.items() if not one.ending]:
            self._legs.emit(EndLeg(leg, self._reach(leg), code))

    def _end(self, code: int, reason: str, now: float) -> None:
        if self.state == "ringing":
            self._legs.emit(Ring(False))
        self._legs.ring_back(False)
        self._end_legs((code or 480) if self.state == "ringing" else 0)
        if reason != "hung_up":
            self._legs.emit(Tell(reason))
        attempts = tuple(self._route.attempts) if self._route else ()
        started_s = now if self._started_s is None else self._started_s
        answered_s = self._answered_s
        self._legs.emit(Log(code, reason, self._uplink, started_s, answered_s, now, self.moves, attempts))
        self.state = "ended"
        self._move = None
        self._timers.clear()
