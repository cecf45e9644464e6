"""Law: nothing leaves that the owner has not allowed; who knows the PIN may have the rest; help is not asked.

    asked in this order                  refused as          the PIN helps
    the phone is for inside calls        not_allowed         no
    the phone asks for the PIN           pin_wanted          it is the way
    the country is not allowed           country_refused     yes
    the kind of number is not allowed    kind_refused        yes
    outside the hours                    outside_hours       yes
    too many at once, or in an hour      too_many_calls      yes
    the day's minutes are used up        minutes_used        yes

A call for help never comes here. A phone that may call anything is not asked; what it calls counts all the
same. Minutes belong to the local day on which the call was answered; when they are used up there are no new
calls, and those that run end by their longest length. Wrong PINs close the PIN for a while.

Moments are monotonic seconds, so a clock that is set opens no hour anew; the day is the local one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final, Literal

from gateway import hours
from gateway.messages import CallingPlan

Reason = Literal[
    "not_allowed",
    "pin_wanted",
    "pin_wrong",
    "pin_closed",
    "country_refused",
    "kind_refused",
    "outside_hours",
    "too_many_calls",
    "minutes_used",
]
MayCall = Literal["rules", "anything", "pin", "inside"]

HOUR_S: Final = 3600.0
WRONG_PINS: Final = 5
"""So many within CLOSED_S, and no PIN is taken until that time has passed."""
CLOSED_S: Final = 600.0
SAID_AGAIN_S: Final = 60.0
"""The owner is told once in so long of the same phone, refused for the same reason."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a phone wants to make. `region`: ISO 3166-1, empty where the number belongs to no country;
    `kinds`: what libphonenumber takes it for (two where a plan does not tell fixed from mobile)."""

    call: int
    phone: str
    region: str
    kinds: tuple[str, ...]
    may_call: MayCall = "rules"
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """`longest_s`: then it is to be ended; None: as long as they like."""

    longest_s: float | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """`words`: for people; `alarm`: the owner should hear of it."""

    reason: Reason
    words: str
    alarm: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A call as it is kept over a restart: Unix seconds, the local day (proleptic ordinal), seconds spoken;
    None: it was under way."""

    began_at: float
    day: int
    spoken_s: float | None


@dataclass(slots=True)
class _Made:
    began: float
    day: int
    answered: float | None = None
    spoken_s: float | None = None


class Rules:
    """The rules, and the book of what was called. `country`: the box's own."""

    def __init__(self, plan: CallingPlan, country: str) -> None:
        self.replan(plan, country)
        self._past: deque[_Made] = deque()
        self._running: dict[int, _Made] = {}
        self._wrong: deque[float] = deque()
        self._said: dict[tuple[str, str], float] = {}

    def replan(self, plan: CallingPlan, country: str) -> None:
        """Other rules, for calls from now on. The book stays."""
        self._plan = plan
        self._countries = {country, *plan.countries}
        self._hours = tuple(hours.parse(text) for text in plan.hours)

    @property
    def running(self) -> int:
        """Outgoing calls that are under way or up."""
        return len(self._running)

    # --- the question -----------------------------------------------------------------------------

    def ask(self, asked: Asked, now: float, local: datetime) -> Allowed | Blocked:
        """May it be? `local`: the time of day and the date at the box. Asking changes no count."""
        longest_s = self._plan.longest_call_min * 60.0
        if asked.may_call == "anything":
            return Allowed(None)
        if asked.may_call == "inside":
            return self._blocked(asked, "not_allowed", "this phone is for calls inside the house", now)
        objection = self._objection(asked, now, local)
        if objection is None and asked.may_call != "pin":
            return Allowed(longest_s)
        if not self._plan.pin:
            reason, words = objection or ("not_allowed", "this phone needs a PIN, and none is set")
            return self._blocked(asked, reason, words, now)
        return self._by_pin(asked, objection, now) or Allowed(longest_s)

    def objection(self, asked: Asked, now: float, local: datetime) -> str:
        """Why the rules refuse it, for people; empty when they do not."""
        found = self._objection(asked, now, local)
        return found[1] if found else ""

    def _objection(self, asked: Asked, now: float, local: datetime) -> tuple[Reason, str] | None:
        plan = self._plan
        if asked.region and not plan.all_countries and asked.region not in self._countries:
            return "country_refused", f"calls to {asked.region} are not allowed"
        if not set(asked.kinds) & set(plan.types):
            kind = asked.kinds[0] if asked.kinds else "other"
            return "kind_refused", f"numbers of the kind {kind} are not allowed"
        if not hours.within(self._hours, local.weekday(), local.hour * 60 + local.minute):
            return "outside_hours", f"it is {local:%a %H:%M}, outside the hours for calls"
        if len(self._running) >= plan.parallel_calls:
            return "too_many_calls", f"{plan.parallel_calls} calls are under way, and no more are allowed"
        recent = sum(made.began > now - HOUR_S for made in self._book())
        if recent >= plan.calls_per_hour:
            return "too_many_calls", f"{recent} calls were made within an hour, and no more are allowed"
        spoken_s = self.spoken_s(now, local)
        if spoken_s >= plan.minutes_per_day * 60:
            return "minutes_used", f"today's {plan.minutes_per_day} minutes are used up"
        return None

    def _by_pin(self, asked: Asked, objection: tuple[Reason, str] | None, now: float) -> Blocked | None:
        while self._wrong and self._wrong[0] <= now - CLOSED_S:
            self._wrong.popleft()
        why = objection[1] if objection else "this phone calls with the PIN alone"
        if len(self._wrong) >= WRONG_PINS:
            return self._blocked(asked, "pin_closed", f"{why}, and too many wrong PINs were given", now)
        if not asked.pin:
            return Blocked("pin_wanted", f"{why} without the PIN", alarm=False)
        if compare_digest(asked.pin.encode(), self._plan.pin.encode()):
            return None
        self._wrong.append(now)
        return self._blocked(asked, "pin_wrong", f"{why}, and the PIN was wrong", now)

    def _blocked(self, asked: Asked, reason: Reason, words: str, now: float) -> Blocked:
        key = asked.phone, reason
        said = self._said.get(key)
        alarm = said is None or now - said >= SAID_AGAIN_S
        if alarm:
            self._said = {k: at for k, at in self._said.items() if now - at < SAID_AGAIN_S} | {key: now}
        return Blocked(reason, words, alarm)

    # --- the book ---------------------------------------------------------------------------------

    def spoken_s(self, now: float, local: datetime) -> float:
        """Seconds that all outgoing calls of this local day have taken so far."""
        day = local.toordinal()
        total = 0.0
        for made in self._book():
            if made.day == day and made.spoken_s is not None:
                total += made.spoken_s
            elif made.day == day and made.answered is not None:
                total += max(0.0, now - made.answered)
        return total

    def began(self, call: int, now: float, local: datetime) -> None:
        """An outgoing call, allowed or not to be asked about, is made now."""
        self._tidy(now, local)
        self._running[call] = _Made(now, local.toordinal())

    def answered(self, call: int, now: float, local: datetime) -> None:
        """The far end has taken it. Calls that never began here are nobody's."""
        if (made := self._running.get(call)) and made.answered is None:
            made.answered, made.day = now, local.toordinal()

    def ended(self, call: int, now: float) -> None:
        """It is over."""
        if made := self._running.pop(call, None):
            made.spoken_s = 0.0 if made.answered is None else max(0.0, now - made.answered)
            self._past.append(made)

    def _book(self) -> Iterable[_Made]:
        yield from self._past
        yield from self._running.values()

    def _tidy(self, now: float, local: datetime) -> None:
        """Forget what no rule looks at any more."""
        day = local.toordinal()
        self._past = deque(m for m in self._past if m.began > now - HOUR_S or (m.day == day and m.spoken_s))

    # --- over a restart ---------------------------------------------------------------------------

    def keep(self, now: float, wall: float) -> tuple[Kept, ...]:
        """The book, to be given to `recall` in another life. `wall`: Unix seconds at `now`."""
        return tuple(Kept(wall - (now - m.began), m.day, m.spoken_s) for m in self._book())

    def recall(self, kept: Iterable[Kept], now: float, wall: float) -> None:
        """The book of an earlier life. A call that was under way when that ended is taken to have run until
        now, or for the longest time allowed; one of the future (the clock was set back) for one of now."""
        for one in kept:
            age_s = max(0.0, wall - one.began_at)
            longest_s = min(age_s, self._plan.longest_call_min * 60.0)
            spoken_s = longest_s if one.spoken_s is None else max(0.0, one.spoken_s)
            self._past.append(_Made(now - age_s, one.day, None, spoken_s))
