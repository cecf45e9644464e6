"""Any events, in any order, for (virtually) twelve hours: no illegal state, and no line that is stuck."""

import random
from collections.abc import Callable
from itertools import count
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import DialPlan, Weight
from gateway.phones.line import Event, Line, Options, State

EXTENSIONS = frozenset({"11", "12", "20", "201"})


def weigh(digits: str) -> Weight:
    """A country with seven-digit numbers that begin with 5, and 112."""
    if digits == "112":
        return "emergency"
    if not digits.isdigit():
        return "may" if len(digits) > 2 else "more"
    if not digits.startswith("5"):
        return "never" if len(digits) > 2 else "more"
    return "whole" if len(digits) == 7 else "never" if len(digits) > 7 else "more"


class House:
    """What a line's actions make of the world: calls, the ear, the bell. It knows what must not be."""

    def __init__(self, options: Options) -> None:
        self.numbers = count(1)
        self.line = Line(DialPlan(weigh, EXTENSIONS), lambda: next(self.numbers), options)
        self.now = 0.0
        self.calls: set[int] = set()
        self.held: set[int] = set()
        self.tone = ""
        self.listening = self.ringing = self.mixed = self.deaf = self.reversed = False

    def feed(self, event: Event | None) -> None:
        if isinstance(event, c.Offered) or (isinstance(event, c.PickedUp) and event.call):
            self.calls.add(event.call)
        elif isinstance(event, c.Over):
            self.calls.discard(event.call)
            self.held.discard(event.call)
        elif isinstance(event, c.Became) and event.call in self.calls:
            self.calls.remove(event.call)
            self.calls.add(event.new)
            if event.call in self.held:
                self.held.remove(event.call)
                self.held.add(event.new)
        elif isinstance(event, c.Spoken) and self.tone == "words":
            self.tone = ""
        for action in self.line.receive(event, self.now):
            self.perform(action)
        self.check()

    def perform(self, action: object) -> None:
        match action:
            case c.Place(call):
                assert call not in self.calls
                assert self.listening, "nobody dials with the handset down"
                self.calls.add(call)
            case c.Take(call):
                assert call in self.calls
            case c.Drop(call):
                assert call in self.calls, "a call is ended once"
                self.calls.remove(call)
                self.held.discard(call)
            case c.Hold(call, on):
                assert call in self.calls
                assert on != (call in self.held), "held once, taken back once"
                (self.held.add if on else self.held.remove)(call)
            case c.HandOver(call, inside):
                assert {call, inside} <= self.calls
                self.calls -= {call, inside}
                self.held -= {call, inside}
            case c.SendDigit(call):
                assert call in self.calls
            case c.Mix(on):
                assert self.mixed != on
                self.mixed = on
            case c.PlayTone(tone):
                assert self.listening, "no tone into a handset that is down"
                self.tone = tone
            case c.Speak() | c.SayState():
                assert self.listening
                self.tone = "words"
            case c.Hush():
                self.tone = ""
            case c.Deafen(on):
                self.deaf = on
            case c.Listen(on):
                assert self.listening != on
                self.listening = on
            case c.RingWith():
                assert not self.listening
                self.ringing = True
            case h.StopRing():
                self.ringing = False
            case h.Reverse(on):
                self.reversed = on
            case _:
                pass

    def check(self) -> None:
        line = self.line
        assert set(line.calls) == self.calls, "the line knows of every call of its own, and of no other"
        assert self.ringing == (line.state == "ringing")
        assert self.listening == (line.state not in ("gone", "idle", "ringing"))
        assert self.mixed == (line.state == "three")
        assert not (line.held and line.waiting), "two calls are enough"
        if line.state in ("gone", "idle"):
            assert not self.calls and line.due is None
        if not self.listening:
            assert not self.tone and not self.deaf and line.active is None
        if line.state in ("placing", "talking", "menu", "three"):
            assert line.active
        if line.state == "three":
            assert line.held and not self.held
        if line.state in ("dial", "told", "pin", "howling", "parked"):
            assert line.active is None
            assert line.due is not None or line.state == "parked", "something always comes next"
        if line.held and line.state != "three":
            assert line.held.call in self.held

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.line.due) is not None and due <= until:
            self.now = max(self.now, due)
            self.feed(None)
        self.now = until

    def put_down(self) -> None:
        """Whatever was: the handset down, and every call that rings on in vain."""
        self.feed(h.OnHook(self.now))
        self.pass_s(60)
        for call in list(self.calls):
            self.feed(c.Over(call, 487, "cancelled"))
        assert self.line.state in ("idle", "gone")
        assert not self.ringing and not self.tone


Choose = Callable[[list[int]], int]


def happen(house: House, kind: str, key: str, pick: Choose) -> None:
    """One thing of the world."""
    now, some = house.now, sorted(house.calls)
    call = pick(some) if some else 0
    caller = h.Caller("5550001")
    events: dict[str, Event] = {
        "lift": h.OffHook(now),
        "down": h.OnHook(now),
        "flash": h.Flash(now),
        "began": h.DigitBegan("dtmf", now),
        "key": h.Digit(key, "dtmf", now),
        "mute": h.Mute(None, now),
        "redial": h.Redial(now),
        "plug": h.Plugged(h.AudioDevice("", ""), now),
        "unplug": h.Unplugged("pulled", now),
        "offer": c.Offered(1_000_000 + next(house.numbers), caller),
        "offer inside": c.Offered(1_000_000 + next(house.numbers), h.Caller("11"), inside=True),
        "picked": c.PickedUp(1_000_000 + next(house.numbers), caller),
        "picked nothing": c.PickedUp(0, caller),
        "back": c.Ringback(call, True),
        "back off": c.Ringback(call, False),
        "sound": c.Sound(call),
        "answered": c.Answered(call),
        "told": c.Told(call, "calling_again"),
        "over": c.Over(call, 486, "busy"),
        "over long": c.Over(call, 404, "unknown_number"),
        "pin": c.Over(call, 0, "pin_wanted"),
        "became": c.Became(call, 1_000_000 + next(house.numbers), caller, inside=False),
        "spoken": c.Spoken(),
        "all": c.DialAll("5550002"),
        "ext": c.DialAll("11"),
        "refuse": c.Refuse(),
        "hold": c.HoldKey(True),
        "unhold": c.HoldKey(False),
    }
    if kind == "wait":
        house.pass_s(float("0123456789*#".find(key)) * 4)
    else:
        house.feed(events[kind])


OFTEN = """
lift lift lift down flash flash flash began key key key mute redial plug plug offer offer picked back sound
answered answered answered answered told over pin became spoken all all ext ext refuse hold unhold wait
"""
KINDS = [*OFTEN.split(), "offer inside", "picked nothing", "back off", "over long"]
RARE = ["unplug", *["plug"] * 4, *KINDS * 4]
MENUS = [Options(flash="menu"), Options(flash="plain"), Options(hotline="5550009"), Options(hotline="112")]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(RARE), st.sampled_from("0123456*#")), max_size=60),
    st.sampled_from(MENUS),
    st.randoms(use_true_random=False),
)
def test_any_events_leave_a_line_that_can_be_put_down(
    script: list[tuple[str, str]], options: Options, choice: random.Random
) -> None:
    house = House(options)
    happen(house, "plug", "", choice.choice)
    for kind, key in script:
        happen(house, kind, key, choice.choice)
    house.put_down()


def test_twelve_hours_of_anything_for_each_kind_of_line() -> None:
    states = set()
    for seed, options in enumerate(MENUS * 3):
        choice = random.Random(seed)
        house = House(options)
        happen(house, "plug", "", choice.choice)
        while house.now < 12 * 3600:
            happen(house, choice.choice(RARE), choice.choice("0123456*#"), choice.choice)
            house.pass_s(choice.expovariate(1 / 2.0))
            states.add(house.line.state)
            if choice.random() < 0.02:
                house.put_down()
    assert states == set(get_args(State)), "and every state was seen"
