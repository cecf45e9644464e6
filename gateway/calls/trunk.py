"""The loop of the calls room: events of the engine, the daemon and the phones in; commands to the engine out.

It keeps no rule of its own: what becomes of a call is decided by its table (call.py), what is dialled by
numbers.py and callerid.py. Here their words are turned into the engine's, and numbers are given out.
"""

import itertools
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from gateway import messages as m
from gateway.calls import callerid, model, numbers, quiet, routing
from gateway.calls.call import Call
from gateway.calls.confirming import Confirming
from gateway.calls.gate import Book, Gate
from gateway.calls.incoming import BUSY, GiveUp, Offer, Ringing, rule_for, within
from gateway.calls.live import Live
from gateway.calls.quality import Report
from gateway.calls.reach import Reach
from gateway.calls.sip import values as v
from gateway.errors import RefusedError
from gateway.status import PhoneView

log = logging.getLogger(__name__)

OPEN_WITHIN_S = 0.3
"""A call for help waits so long for the guard to open channels that are not confirmed, if no other is fit."""
RESERVED = 4
"""So many legs of the engine are kept for calls for help, and for those that move."""
CHANNELS_TAKEN = frozenset({480, 486, 503, 600})
"""What providers answer when all lines of a trunk are in use."""
FALLBACK_CODECS = ("PCMA", "PCMU", "G722", "opus")


class Phones(Protocol):
    """Whoever serves the phones. They know a call by its number; `reason` is a key of routing.WORDS."""

    def free(self, names: Iterable[str], *, waiting: bool) -> tuple[str, ...]: ...
    def offer(self, call: int, names: Iterable[str], number: str, name: str) -> None: ...
    def withdraw(self, call: int) -> None: ...
    def ringback(self, call: int, on: bool) -> None: ...
    def sound(self, call: int) -> None: ...
    def answered(self, call: int) -> None: ...
    def told(self, call: int, reason: str) -> None: ...
    def over(self, call: int, code: int, reason: str) -> None: ...
    def views(self) -> tuple[PhoneView, ...]: ...


Tell = Callable[[m.FromCalls], None]


class Trunk:
    """All calls of the gateway. Not thread-safe: every method runs on one loop.

    `clock` gives monotonic seconds, `wall` Unix seconds; `capacity`: legs that the engine has.
    """

    def __init__(
        self,
        plan: m.TrunkPlan,
        engine: v.Engine,
        phones: Phones,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
        book: Book | None = None,
        capacity: int = 128,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._phones = phones
        self._tell = tell
        self._clock = clock
        self._wall = wall
        self._random = random
        self._paths = m.Paths(paths=(), active="", cause="")
        self._calls: dict[int, Live] = {}
        self._legs: dict[int, Live] = {}
        self.new_call = itertools.count(1).__next__
        """The number of a call, which nobody else in the box has."""
        self._new_leg = itertools.count(1).__next__
        self._confirming = Confirming(engine, self._new_leg, clock)
        self._rests = routing.Rests()
        self._reach = Reach(plan, engine, self._rests, clock)
        self._told: m.CallsNow | None = None
        self._capacity = capacity
        self._gate = Gate(plan, book, tell, clock, wall)

    # --- from the daemon --------------------------------------------------------------------------

    def replan(self, plan: m.TrunkPlan) -> None:
        """New settings: for calls from now on. Those that are up go on, but those of phones that are gone."""
        if plan == self._plan:
            return
        gone = {phone.name for phone in self._plan.phones} - {phone.name for phone in plan.phones}
        self._plan = plan
        self._reach.replan(plan)
        self._gate.replan(plan)
        now = self._clock()
        for live in list(self._calls.values()):
            live.table.replan(plan.servers)
            if live.ringing:
                live.ringing.without(gone)
            if not set(live.phones) <= gone and live.taken_by not in gone:
                live.phones = [name for name in live.phones if name not in gone]
            elif live.ringing and live.table.state == "ringing":
                self._ring_on(live, live.ringing.refused(now, 480), now)
            else:
                self._feed(live, model.HangUp(480, "phone_removed"), now)
        self.publish()

    @property
    def idle(self) -> bool:
        """No call is up or under way."""
        return not self._calls and not self._confirming.busy

    def paths(self, paths: m.Paths) -> None:
        """The daemon's picture of the uplinks: bind what is new, then let every call see it."""
        now = self._clock()
        self._paths = paths
        rebound = self._reach.paths(paths)
        ways = model.Ways.of(paths)
        for live in list(self._calls.values()):
            self._feed(live, model.PathsChanged(ways), now)
            for uplink in rebound:
                self._feed(live, model.Rebound(uplink), now)
        self.publish()

    # --- verbs of people --------------------------------------------------------------------------

    def verb(self, verb: m.Verb) -> m.Done:
        """Do what a person asked for. Raises RefusedError in words; then nothing was done."""
        match verb:
            case m.ExplainNumber():
                return m.Done(text=self._explained(verb.digits))
            case _:
                raise RefusedError(
                    f"{type(verb).__name__} is not for the calls process",
                    where="calls process",
                    remedy="Ask the daemon",
                )

    # --- from the phones --------------------------------------------------------------------------

    def weigh(self, digits: str) -> numbers.Weight:
        """What digits are while they are being keyed."""
        plan = self._plan
        return numbers.weigh(digits, plan.country, plan.confirm_number, help=plan.help.numbers)

    def _dialled(self, digits: str) -> numbers.Dialled:
        plan = self._plan
        return numbers.dialled(digits, plan.country, plan.confirm_number, help=plan.help.numbers)

    def _explained(self, digits: str) -> str:
        dialled = self._dialled(digits)
        return f"{self._choice(dialled).words} {self._gate.objection(dialled)}".rstrip()

    def _choice(self, dialled: numbers.Dialled, hide: bool = False) -> callerid.Choice:
        return callerid.choose(dialled, self._plan, hide)

    def place(self, call: int, phone: str, digits: str, *, hidden: bool = False, pin: str = "") -> m.Done:
        """Call what was dialled at `phone`, under a number of `new_call`. Raises RefusedError in words, with
        the key of the words for a handset."""
        now = self._clock()
        dialled = self._dialled(digits)
        if dialled.kind == "invalid":
            raise RefusedError(
                dialled.words, where=digits, remedy="Check the number", reason="invalid_number"
            )
        emergency = dialled.kind == "emergency"
        room = len(self._legs) < self._capacity - RESERVED
        longest_s = None if emergency else self._gate.let_out(call, phone, dialled, pin, room=room)
        ended = self._make_room() if emergency else 0
        choice = self._choice(dialled, hidden)
        route = routing.Route(
            self._plan.servers,
            model.Ways.of(self._paths),
            self._rests,
            "emergency" if emergency else "ordinary",
        )
        live = Live(
            number=call,
            table=Call.outgoing(route, self._new_leg, self._random),
            direction="out",
            phones=[phone],
            remote=dialled.shown,
            dial=dialled.digits,
            caller_id=choice.caller_id,
            started_at=self._wall(),
            headers=tuple(choice.headers(self._plan.domain, self._plan.assert_identity).items()),
            emergency=emergency,
            begins_s=now,
            taken_by=phone,
            longest_s=longest_s,
        )
        self._calls[call] = live
        if emergency:
            self._tell_emergencies()
            self._tell(m.HelpCalled(call=call, phone=phone, number=dialled.digits, ended=ended))
            if not model.Ways.of(self._paths).fit:
                live.begins_s = now + OPEN_WITHIN_S
        else:
            self._gate.began(call)
        self._begin_due(now)
        self.publish()
        return m.Done(
            text=f"Calling {dialled.shown}; the other side sees "
            f"{'no number' if choice.hidden else choice.caller_id}.",
            data={"call": call, "caller_id": choice.caller_id, "number": dialled.digits},
        )

    def _make_room(self, *, refused: bool = False) -> int:
        """For a call for help, when all slots are taken, or the provider has `refused` it, maybe for that:
        end the ordinary call that began last, if possible one that is not up yet. Gives its number, or 0."""
        ordinary = [live for live in self._calls.values() if not live.emergency]
        outgoing = [live for live in ordinary if live.direction == "out"]
        if refused or len(self._legs) >= self._capacity - RESERVED // 2:
            choice = ordinary
        elif len(outgoing) >= self._plan.calling.parallel_calls:
            choice = outgoing
        else:
            return 0
        if not choice:
            return 0
        victim = max(choice, key=lambda live: (not live.up, live.started_at, live.number))
        self._feed(victim, model.HangUp(BUSY, "help_needed_it"), self._clock())
        return victim.number

    def _begin_due(self, now: float) -> None:
        for live in list(self._calls.values()):
            if live.begins_s is not None and live.begins_s <= now:
                live.begins_s = None
                self._feed(live, model.Begin(), now)

    def _tell_emergencies(self) -> None:
        self._tell(m.EmergencyCalls(calls=sum(live.emergency for live in self._calls.values())))

    def take(self, call: int, phone: str) -> None:
        """`phone` answers a call that was offered. One that is over by now is left to its own end."""
        if live := self._calls.get(call):
            live.phones, live.taken_by, live.ringing = [phone], phone, None
            self._feed(live, model.Lifted(), self._clock())
            self.publish()

    def drop(self, call: int, code: int = 486) -> None:
        """The phone's side ends a call, or refuses it with `code`: then others may ring for it."""
        if live := self._calls.get(call):
            if live.ringing and live.table.state == "ringing" and not live.taken_by:
                self._ring_on(live, live.ringing.refused(self._clock(), code), self._clock())
                self.publish()
                return
            self._feed(live, model.HangUp(code), self._clock())
            self.publish()

    def hold(self, call: int, on: bool) -> None:
        """Put a call on hold, or take it back."""
        if live := self._calls.get(call):
            self._feed(live, model.HoldWanted(on), self._clock())
            self.publish()

    def give(self, call: int, phone: str) -> None:
        """The call is another phone's; it is joined to it when it is taken back from hold."""
        if live := self._calls.get(call):
            live.phones, live.taken_by = [phone], phone
            self.publish()

    def send(self, call: int, keys: str) -> None:
        """Keys during a call, as RFC 4733 events."""
        if (live := self._calls.get(call)) and live.table.leg is not None:
            self._engine.do(v.SendDigits(live.table.leg, keys))

    def confirm(self, uplink: str, reply: Callable[[m.ConfirmResult], None]) -> None:
        """Call the confirmation number out of this uplink; `reply` gets the result. Raises RefusedError."""
        path = self._reach.path(uplink)
        if path is None:
            raise RefusedError(
                f"{uplink} has no address now",
                where=uplink,
                remedy="Bring the channel up, then confirm again",
            )
        if not self._plan.servers:
            raise RefusedError(
                "the provider's server is not known yet", where=uplink, remedy="Check the trunk's server name"
            )
        self._confirming.begin(path, self._reach.hop(uplink), self._plan, reply)

    # --- from the engine --------------------------------------------------------------------------

    def engine_event(self, event: v.Event | quiet.Quiet | quiet.Heard) -> None:
        """One event of the engine."""
        now = self._clock()
        match event:
            case quiet.Quiet():
                self._tell(m.MediaQuiet(uplink=event.uplink, calls=event.calls, quiet_ms=event.quiet_ms))
            case quiet.Heard():
                self._tell(m.MediaHeard(uplink=event.uplink))
            case v.LegIncoming():
                self._incoming(event, now)
            case v.KeptAlive():
                self._confirming.kept_alive(event)
            case v.PathBound():
                self._reach.bound(event)
                if event.error:
                    log.error("%s: no SIP socket on %s: %s", event.uplink, event.local, event.error)
            case v.Registered():
                log.info("registration by %s: %d %s", event.uplink, event.code, event.reason)
                self._reach.registered(event)
            case v.CommandFailed():
                log.error("%s: %s", event.command, event.why)
            case v.EndClosed():
                self._confirming.end_closed(event.end)
            case v.EngineUp() | v.LegDigit() | v.EndSpoken() | v.KeyHeard():
                pass
            case _:
                self._leg_event(event, now)
        self.publish()

    def _leg_event(
        self,
        event: v.LegProgress
        | v.LegAnswered
        | v.LegEnded
        | v.LegReinvited
        | v.ReinviteBlocked
        | v.LegMedia
        | v.LegSpoke,
        now: float,
    ) -> None:
        leg = event.leg
        live = self._legs.get(leg)
        if live is None:
            self._confirming.leg_event(event, now)
            return
        match event:
            case v.LegProgress():
                self._feed(live, model.Progress(leg, event.code), now)
            case v.LegAnswered():
                self._feed(live, model.Answered(leg), now)
            case v.LegEnded():
                del self._legs[leg]
                if live.emergency and not event.answered and event.code in CHANNELS_TAKEN:
                    self._make_room(refused=True)
                if event.answered or live.direction == "in":
                    self._feed(live, model.Ended(leg, event.code, event.reason), now)
                else:
                    self._feed(live, model.Failed(leg, event.code, event.reason, event.retry_after_s), now)
            case v.LegReinvited():
                if event.move:
                    self._feed(live, model.Reinvited(leg, event.code), now)
            case v.ReinviteBlocked():
                log.info("call %d: re-INVITE not sent: %s", live.number, event.why)
                self._feed(live, model.ReinviteBlocked(leg), now)
            case v.LegMedia():
                live.codec = event.codec or live.codec
                self._feed(live, model.RemoteHeld(event.state == "remote_held"), now)
                if event.state in ("up", "remote_held"):
                    self._feed(live, model.MediaUp(leg), now)
                elif event.state == "lost":
                    self._feed(live, model.MediaLost(leg), now)
            case v.LegSpoke():
                live.quality.report(
                    leg,
                    Report(
                        event.packets,
                        event.loss,
                        event.jitter_ms,
                        event.rtt_ms,
                        event.far_loss,
                        event.far_jitter_ms,
                    ),
                )
                self._feed(live, model.Heard(leg), now)

    def _incoming(self, event: v.LegIncoming, now: float) -> None:
        """Rings phones, and does nothing else, whatever it says (law 10)."""
        plan = self._plan
        source = next((s.name for s in plan.sources if within(event.source, s.networks)), "")
        if not source and not within(event.source, plan.provider_networks):
            log.error("an INVITE from %s came past the guard; it is refused", event.source)
            self._engine.do(v.EndLeg(event.leg, 403))
            return
        rule = rule_for(plan.incoming, event.called)
        if rule is None:
            self._engine.do(v.EndLeg(event.leg, 404))
            return
        ringing = Ringing(rule, lambda names, waiting: self._phones.free(names, waiting=waiting))
        first = ringing.begin(now)
        if isinstance(first, GiveUp) or len(self._legs) >= self._capacity - RESERVED:
            self._engine.do(v.EndLeg(event.leg, BUSY))
            return
        number = self.new_call()
        live = Live(
            number=number,
            table=Call.incoming(
                event.leg, event.uplink, model.Ways.of(self._paths), self._new_leg, self._random
            ),
            direction="in",
            phones=list(first.phones),
            remote=f"{source}: {event.caller}" if source else event.caller or "unknown",
            dial=event.called,
            caller_id=event.caller,
            started_at=self._wall(),
            source=source,
            ringing=ringing,
        )
        self._calls[number] = live
        self._legs[event.leg] = live
        self._feed(live, model.Begin(), now)

    def _ring_on(self, live: Live, step: Offer | GiveUp | None, now: float) -> None:
        """The next phones of its rule, or the end."""
        match step:
            case Offer(phones):
                self._phones.withdraw(live.number)
                live.phones = list(phones)
                self._phones.offer(live.number, live.phones, live.caller_id, live.source)
            case GiveUp(code, reason):
                live.ringing = None
                self._feed(live, model.HangUp(code, reason), now)
            case None:
                pass

    # --- the tables -------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        dues = [live.table.due for live in self._calls.values()]
        for live in self._calls.values():
            dues += [live.begins_s, live.ends_s, live.ringing.due if live.ringing else None]
        dues += [self._confirming.due, self._reach.due]
        return min(d for d in dues if d is not None)

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock()
        for live in list(self._calls.values()):
            if live.table.due is not None and live.table.due <= now:
                self._feed(live, None, now)
            if live.ringing and live.table.state == "ringing":
                self._ring_on(live, live.ringing.tick(now), now)
            if live.ends_s is not None and live.ends_s <= now:
                self._end_in_time(live, now)
        self._begin_due(now)
        self._confirming.tick(now)
        self._reach.tick(now)
        self.publish()

    def _end_in_time(self, live: Live, now: float) -> None:
        live.ends_s = None
        why = f"it lasted {self._plan.calling.longest_call_min} minutes, the longest time that is allowed"
        self._tell(m.CallBlocked(phone=live.phone, number=live.remote, why=why, call=live.number))
        self._feed(live, model.HangUp(reason="too_long"), now)

    def _feed(self, live: Live, event: model.Event | None, now: float) -> None:
        for action in live.table.receive(event, now):
            self._perform(live, action)
        if live.table.state == "up" and not live.up:
            live.up = True
            self._gate.answered(live.number)
            if live.longest_s is not None:
                live.ends_s = now + live.longest_s
            self._phones.answered(live.number)

    def _perform(self, live: Live, action: model.Action) -> None:
        engine = self._engine
        match action:
            case model.StartLeg():
                self._legs[action.leg] = live
                engine.do(
                    v.StartLeg(
                        action.leg,
                        action.uplink,
                        self._reach.hop(action.uplink, action.server),
                        live.dial,
                        self._plan.domain,
                        live.caller_id,
                        live.headers,
                        replaces=action.replaces,
                        codecs=FALLBACK_CODECS if action.codecs == "fallback" else (),
                    )
                )
            case model.AnswerLeg():
                engine.do(v.AnswerLeg(action.leg, 200))
            case model.Reinvite():
                engine.do(
                    v.Reinvite(action.leg, action.uplink, self._reach.again(action.uplink), action.hold)
                )
            case model.SetHold():
                engine.do(v.HoldLeg(action.leg, action.on))
            case model.Abandon():
                pass  # the engine's Reinvite gives up what is pending
            case model.EndLeg():
                engine.do(v.EndLeg(action.leg, action.code, action.uplink))
            case model.ConnectPhone():
                engine.do(v.Connect(action.leg, live.taken_by))
                self._phones.sound(live.number)
            case model.DisconnectPhone():
                engine.do(v.Disconnect(action.leg))
            case model.Ring(on):
                if on and live.table.leg is not None:
                    engine.do(v.AnswerLeg(live.table.leg, 180))
                    self._phones.offer(live.number, live.phones, live.caller_id, live.source)
            case model.Ringback(on):
                self._phones.ringback(live.number, on)
            case model.Moved():
                self._tell(
                    m.CallMoved(
                        call=live.number,
                        from_uplink=action.from_uplink,
                        to_uplink=action.to_uplink,
                        how=action.how,
                        took_ms=action.took_ms,
                    )
                )
            case model.MediaMissing():
                self._tell(m.AudioMissing(call=live.number, uplink=action.uplink))
            case model.Unauthorised():
                self._tell(
                    m.AddressRefused(uplink=action.uplink, taken_from=live.table.uplink, sip_code=action.code)
                )
            case model.Tell(reason):
                if live.table.state != "ended":
                    self._phones.told(live.number, reason)
            case model.Log():
                self._close(live, action)

    def _close(self, live: Live, entry: model.Log) -> None:
        del self._calls[live.number]
        if live.emergency:
            self._tell_emergencies()
        elif live.direction == "out":
            self._gate.ended(live.number)
        self._phones.over(live.number, entry.code, entry.reason)
        self._tell(live.logged(entry, self._wall() - self._clock()))

    # --- what others may see ----------------------------------------------------------------------

    def publish(self, always: bool = False) -> None:
        """Tell the daemon about calls and phones, when something changed or it has to hear it anew."""
        view = m.CallsNow(
            calls=tuple(live.view() for live in self._calls.values()),
            phones=self._phones.views(),
        )
        if always or view != self._told:
            self._told = view
            self._tell(view)
        self._gate.keep()
