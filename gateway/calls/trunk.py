"""The loop of the calls room: events of the engine, the daemon and the phones in; commands to the engine out.

It keeps no rule of its own: what becomes of a call is decided by its table (call.py), what is dialled by
numbers.py and callerid.py. Here their words are turned into the engine's, and numbers are given out.
"""

import itertools
import logging
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from gateway import emodel
from gateway import messages as m
from gateway.calls import callerid, model, numbers, quiet, routing
from gateway.calls.call import Call
from gateway.calls.confirming import Confirming
from gateway.calls.live import Live
from gateway.calls.reach import Reach
from gateway.calls.sip import values as v
from gateway.errors import RefusedError
from gateway.status import PhoneView

log = logging.getLogger(__name__)

OPEN_WITHIN_S = 0.3
"""A call for help waits so long for the guard to open channels that are not confirmed, if no other is fit."""
FALLBACK_CODECS = ("PCMA", "PCMU", "G722", "opus")


class Phone(Protocol):
    """A phone of any kind, as this loop uses it."""

    def audio(self, call: int) -> tuple[str, str]: ...
    def ring(self, caller_id: str) -> list[m.Verb]: ...
    def dialling(self) -> None: ...
    def talking(self) -> None: ...
    def idle(self) -> None: ...
    def tell(self, reason: str) -> None: ...
    def view(self) -> PhoneView: ...


Tell = Callable[[m.FromCalls], None]


class Trunk:
    """All calls of the gateway. Not thread-safe: every method runs on one loop.

    `clock` gives monotonic seconds, `wall` Unix seconds.
    """

    def __init__(
        self,
        plan: m.TrunkPlan,
        engine: v.Engine,
        phones: Mapping[str, Phone],
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._phones = dict(phones)
        self._tell = tell
        self._clock = clock
        self._wall = wall
        self._random = random
        self._paths = m.Paths(paths=(), active="", cause="")
        self._calls: dict[int, Live] = {}
        self._legs: dict[int, Live] = {}
        self._call_numbers = itertools.count(1)
        self._new_leg = itertools.count(1).__next__
        self._confirming = Confirming(engine, self._new_leg, clock)
        self._rests = routing.Rests()
        self._reach = Reach(plan, engine, self._rests, clock)
        self._told: m.CallsNow | None = None

    # --- from the daemon --------------------------------------------------------------------------

    def replan(self, plan: m.TrunkPlan, phones: Mapping[str, Phone]) -> None:
        """New settings: for calls from now on. A phone that is in a call stays as it is until its end."""
        if plan == self._plan:
            return
        self._plan = plan
        busy = {name for live in self._calls.values() for name in live.phones}
        kept = {name: phone for name, phone in self._phones.items() if name in busy}
        self._phones = {**phones, **kept}
        self._reach.replan(plan)

    def paths(self, paths: m.Paths) -> None:
        """The daemon's picture of the uplinks: bind what is new, then let every call see it."""
        now = self._clock()
        self._paths = paths
        self._reach.paths(paths)
        ways = model.Ways.of(paths)
        for live in list(self._calls.values()):
            self._feed(live, model.PathsChanged(ways), now)
        self.publish()

    # --- verbs of people and phones ---------------------------------------------------------------

    def verb(self, verb: m.Verb) -> m.Done:
        """Do what a person asked for. Raises RefusedError in words; then nothing was done."""
        now = self._clock()
        match verb:
            case m.Dial():
                return self._dial(verb, now)
            case m.Answer():
                return self._answer(verb, now)
            case m.HangUp():
                live = self._call_of(verb.phone)
                self._feed(live, model.HangUp(), now)
                return m.Done(text=f"{verb.phone} hung up.")
            case m.Hold():
                live = self._call_of(verb.phone)
                self._feed(live, model.HoldWanted(verb.on), now)
                return m.Done(text=f"The call of {verb.phone} is {'on hold' if verb.on else 'taken back'}.")
            case m.SendDigits():
                live = self._call_of(verb.phone)
                if live.table.leg is not None:
                    self._engine.do(v.SendDigits(live.table.leg, verb.digits))
                return m.Done(text=f"Sent {verb.digits}.")
            case m.PlayFile():
                live = self._call_of(verb.phone)
                if not Path(verb.path).is_file():
                    raise RefusedError(
                        f"there is no file {verb.path}",
                        where=verb.phone,
                        remedy="Give the path of a WAV file",
                    )
                self._engine.do(v.Play(live.end, verb.path))
                return m.Done(text=f"{verb.phone} speaks {Path(verb.path).name}.")
            case m.ExplainNumber():
                dialled = self._dialled(verb.digits)
                return m.Done(text=self._choice(dialled).words)
            case _:
                raise RefusedError(
                    f"{type(verb).__name__} is not for the calls process",
                    where="calls process",
                    remedy="Ask the daemon",
                )

    def _dialled(self, digits: str) -> numbers.Dialled:
        return numbers.dialled(digits, self._plan.country, self._plan.confirm_number)

    def _choice(self, dialled: numbers.Dialled) -> callerid.Choice:
        return callerid.choose(dialled, self._plan)

    def _dial(self, verb: m.Dial, now: float) -> m.Done:
        phone = self._phone(verb.phone)
        if any(verb.phone in live.phones for live in self._calls.values()):
            raise RefusedError(
                f"{verb.phone} is in a call", where=verb.phone, remedy="Hang up first, or use another phone"
            )
        dialled = self._dialled(verb.digits)
        if dialled.kind == "invalid":
            raise RefusedError(dialled.words, where=verb.digits, remedy="Check the number")
        choice = self._choice(dialled)
        number = next(self._call_numbers)
        emergency = dialled.kind == "emergency"
        route = routing.Route(
            self._plan.servers,
            model.Ways.of(self._paths),
            self._rests,
            "emergency" if emergency else "ordinary",
        )
        live = Live(
            number=number,
            table=Call.outgoing(route, self._new_leg, self._random),
            direction="out",
            phones=[verb.phone],
            remote=dialled.shown,
            dial=dialled.digits,
            caller_id=choice.caller_id,
            started_at=self._wall(),
            headers=tuple(choice.headers(self._plan.domain, self._plan.assert_identity).items()),
            emergency=emergency,
            begins_s=now,
            taken_by=verb.phone,
        )
        self._calls[number] = live
        phone.dialling()
        self._open_end(live, phone)
        if emergency:
            self._tell_emergencies()
            if not model.Ways.of(self._paths).fit:
                live.begins_s = now + OPEN_WITHIN_S
        self._begin_due(now)
        self.publish()
        return m.Done(
            text=f"Calling {dialled.shown}; the other side sees {choice.caller_id}.",
            data={"call": number, "caller_id": choice.caller_id, "number": dialled.digits},
        )

    def _begin_due(self, now: float) -> None:
        for live in list(self._calls.values()):
            if live.begins_s is not None and live.begins_s <= now:
                live.begins_s = None
                self._feed(live, model.Begin(), now)

    def _tell_emergencies(self) -> None:
        self._tell(m.EmergencyCalls(calls=sum(live.emergency for live in self._calls.values())))

    def _answer(self, verb: m.Answer, now: float) -> m.Done:
        phone = self._phone(verb.phone)
        for live in self._calls.values():
            if live.direction == "in" and verb.phone in live.phones and not live.taken_by:
                live.taken_by = verb.phone
                for other in live.phones:
                    if other != verb.phone:
                        self._phones[other].idle()
                live.phones = [verb.phone]
                self._open_end(live, phone)
                self._feed(live, model.Lifted(), now)
                self.publish()
                return m.Done(
                    text=f"{verb.phone} took the call from {live.remote}.", data={"call": live.number}
                )
        raise RefusedError(f"{verb.phone} does not ring", where=verb.phone, remedy="Wait for a call, or dial")

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

    def _phone(self, name: str) -> Phone:
        if name not in self._phones:
            known = ", ".join(sorted(self._phones)) or "none"
            raise RefusedError(f"there is no phone {name}", where="phones", remedy=f"Phones here: {known}")
        return self._phones[name]

    def _call_of(self, phone: str) -> Live:
        self._phone(phone)
        for live in self._calls.values():
            if phone in live.phones:
                return live
        raise RefusedError(f"{phone} is in no call", where=phone, remedy="Dial or answer first")

    def _open_end(self, live: Live, phone: Phone) -> None:
        play, record = phone.audio(live.number)
        self._engine.do(v.OpenEnd(live.end, play, record))

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
            case v.EngineUp() | v.LegDigit() | v.EndSpoken():
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
                live.mos = round(emodel.mos(event.loss, event.jitter_ms, event.rtt_ms), 2)
                self._feed(live, model.Heard(leg), now)

    def _incoming(self, event: v.LegIncoming, now: float) -> None:
        called = event.called.removeprefix("+")
        names = next((r.phones for r in self._plan.incoming if r.number in ("", called)), ())
        busy = {name for live in self._calls.values() for name in live.phones}
        free = [name for name in names if name in self._phones and name not in busy]
        if not free:
            self._engine.do(v.EndLeg(event.leg, 486 if names else 404))
            return
        number = next(self._call_numbers)
        live = Live(
            number=number,
            table=Call.incoming(
                event.leg, event.uplink, model.Ways.of(self._paths), self._new_leg, self._random
            ),
            direction="in",
            phones=free,
            remote=event.caller or "unknown",
            dial=event.called,
            caller_id=event.caller,
            started_at=self._wall(),
        )
        self._calls[number] = live
        self._legs[event.leg] = live
        self._feed(live, model.Begin(), now)

    # --- the tables -------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        dues = [live.table.due for live in self._calls.values()]
        dues += [live.begins_s for live in self._calls.values()]
        dues += [self._confirming.due, self._reach.due]
        return min(d for d in dues if d is not None)

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock()
        for live in list(self._calls.values()):
            if live.table.due is not None and live.table.due <= now:
                self._feed(live, None, now)
        self._begin_due(now)
        self._confirming.tick(now)
        self._reach.tick(now)
        self.publish()

    def _feed(self, live: Live, event: model.Event | None, now: float) -> None:
        for action in live.table.receive(event, now):
            self._perform(live, action, now)

    def _perform(self, live: Live, action: model.Action, now: float) -> None:
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
                engine.do(v.Reinvite(action.leg, action.uplink, self._reach.hop(action.uplink), action.hold))
            case model.SetHold():
                engine.do(v.HoldLeg(action.leg, action.on))
            case model.Abandon():
                pass  # the engine's Reinvite gives up what is pending
            case model.EndLeg():
                engine.do(v.EndLeg(action.leg, action.code, action.uplink))
            case model.ConnectPhone():
                engine.do(v.Connect(action.leg, live.end))
                self._phones[live.taken_by].talking()
            case model.DisconnectPhone():
                engine.do(v.Disconnect(action.leg))
            case model.Ring():
                self._ring(live, action.on, now)
            case model.Ringback():
                pass  # a virtual phone hears what the far end sends
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
            case model.Tell():
                for name in live.phones:
                    self._phones[name].tell(routing.WORDS[action.reason])
            case model.Log():
                self._close(live, action)

    def _ring(self, live: Live, on: bool, now: float) -> None:
        if not on:
            for name in live.phones:
                if name != live.taken_by:
                    self._phones[name].idle()
            return
        if live.table.leg is not None:
            self._engine.do(v.AnswerLeg(live.table.leg, 180))
        for name in list(live.phones):
            for verb in self._phones[name].ring(live.remote):
                if isinstance(verb, m.Answer) and not live.taken_by:
                    self._answer(verb, now)

    def _close(self, live: Live, entry: model.Log) -> None:
        del self._calls[live.number]
        if live.emergency:
            self._tell_emergencies()
        self._engine.do(v.CloseEnd(live.end))
        for name in live.phones:
            self._phones[name].idle()
        self._tell(live.logged(entry, self._wall() - self._clock()))

    # --- what others may see ----------------------------------------------------------------------

    def publish(self, always: bool = False) -> None:
        """Tell the daemon about calls and phones, when something changed or it has to hear it anew."""
        view = m.CallsNow(
            calls=tuple(live.view() for live in self._calls.values()),
            phones=tuple(phone.view() for phone in self._phones.values()),
        )
        if always or view != self._told:
            self._told = view
            self._tell(view)
