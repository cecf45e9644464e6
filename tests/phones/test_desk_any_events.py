"""Three phones and anything at all: no call is lost sight of, and when all hands are off nothing is left."""

import random
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import messages as m
from gateway.errors import RefusedError
from gateway.phones import model as h
from gateway.phones.desk import Desk
from gateway.phones.digits import Weight
from tests.phones.test_desk import FAR, Quiet

PHONES = {"a": "21", "b": "22", "c": "23"}


class World:
    """Calls room and engine that keep books, and complain when something is asked that makes no sense."""

    def __init__(self) -> None:
        self.now = 0.0
        self.last = 0
        self.calls: dict[int, str] = {}
        self.links: set[frozenset[str]] = set()
        self.open: set[str] = set()
        self.desk = Desk(self, Quiet(), clock=lambda: self.now, wall=lambda: 1e9)
        self.desk.connect(self, lambda: None)
        plans = [m.PhonePlan(name=n, kind="virtual", extension=e) for n, e in PHONES.items()]
        self.desk.replan(plans, m.DiallingPlan(), Quiet())

    # --- the calls room ---------------------------------------------------------------------------

    def new_call(self) -> int:
        self.last += 1
        return self.last

    def weigh(self, digits: str) -> Weight:
        return "emergency" if digits == "112" else "whole" if len(digits) == 3 else "more"

    def place(self, call: int, phone: str, digits: str, *, hidden: bool, pin: str) -> m.Done:
        if digits == "666":
            raise RefusedError("no", where=digits, remedy="none", reason="invalid_number")
        assert call not in self.calls
        self.calls[call] = phone
        return m.Done(text="Calling.", data={"call": call})

    def take(self, call: int, phone: str) -> None:
        assert self.calls.get(call) == "", "taken once, while it is offered"
        self.calls[call] = phone

    def give(self, call: int, phone: str) -> None:
        assert self.calls[call], "only who has a call can give it"
        self.calls[call] = phone

    def drop(self, call: int, code: int) -> None:
        del self.calls[call]
        self.desk.over(call, code, "hung_up")

    def hold(self, call: int, on: bool) -> None:
        assert self.calls[call]

    def send(self, call: int, keys: str) -> None:
        assert call in self.calls

    # --- the engine -------------------------------------------------------------------------------

    def open_files(self, end: str, play: str, record: str) -> None:
        self.open.add(end)

    def close(self, end: str) -> None:
        self.open.discard(end)
        self.links = {pair for pair in self.links if end not in pair}

    def link(self, end: str, other: str, on: bool) -> None:
        if on:
            assert {end, other} <= self.open, "both handsets are lifted"
        (self.links.add if on else self.links.discard)(frozenset((end, other)))

    def _ignored(self, *values: object) -> None:
        pass

    open_device = record = play = play_into = hush = mute = mix = hold_with = _ignored

    # --- what happens -----------------------------------------------------------------------------

    def happen(self, kind: str, phone: str, key: str, choice: random.Random) -> None:
        calls = sorted(self.calls)
        call = choice.choice(calls) if calls else 0
        match kind:
            case "lift":
                ringing = [view.name for view in self.desk.views() if view.state == "ringing"]
                self.ask(m.Lift(phone=choice.choice([*ringing, *ringing, phone])))
            case "call":
                self.ask(m.HangUp(phone=phone))
                self.ask(m.Lift(phone=phone))
                self.ask(m.Press(phone=phone, keys="555"))
            case "consult":
                self.ask(m.Flash(phone=phone))
                self.ask(m.Press(phone=phone, keys=choice.choice(list(PHONES.values()))))
            case "down":
                self.ask(m.HangUp(phone=phone))
            case "flash":
                self.ask(m.Flash(phone=phone))
            case "keys":
                self.ask(m.Press(phone=phone, keys=key))
            case "dial":
                self.ask(m.Dial(phone=phone, digits=choice.choice(["555", "666", "112", "21", "22", "23"])))
            case "answer":
                self.ask(m.Answer(phone=phone))
            case "hold":
                self.ask(m.Hold(phone=phone, on=choice.random() < 0.5))
            case "offer":
                number = self.new_call()
                free = self.desk.free(tuple(PHONES), waiting=True)
                if free:
                    self.calls[number] = ""
                    self.desk.offer(number, free, FAR)
            case "answered" if call and self.calls[call]:
                self.desk.sound(call)
                self.desk.answered(call)
            case "over" if call:
                del self.calls[call]
                self.desk.over(call, 200, "far_hung_up")
            case "spoken":
                self.desk.spoken(phone)
            case "pull":
                self.desk.heard(h.FromPhone(phone, h.Unplugged("pulled", self.now)))
                self.desk.heard(h.FromPhone(phone, h.Plugged(h.AudioDevice("", ""), self.now)))
            case "wait":
                self.pass_s(choice.choice([1.0, 5.0, 50.0]))
            case _:
                pass
        self.check()

    def ask(self, verb: m.Verb) -> None:
        with suppress(RefusedError):
            self.desk.verb(verb)

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.desk.due) is not None and due <= until:
            self.now = max(self.now, due)
            self.desk.tick()
        self.now = until

    def check(self) -> None:
        lines = {name: station.line for name, station in self.desk._stations.items()}
        known = {call for line in lines.values() for call in line.calls}
        assert set(self.calls) <= known, "every call of the trunk is at some phone"
        for call, phone in self.calls.items():
            if phone and call not in self.desk._books.given:
                assert call in lines[phone].calls, "and at the one that has it"
        inside = [call for call in known if call in self.desk._inside]
        assert known == set(self.calls) | set(inside), "no phone has a call that is not there"
        for call in inside:
            assert sum(call in line.calls for line in lines.values()) == 2, "a call of the house has two ends"
            between = self.desk._inside.get(call)
            assert {name for name, line in lines.items() if call in line.calls} == {
                between.caller,
                between.callee,
            }
            assert between.joined == (between.up and not between.holders)
        joined = [self.desk._inside.get(call) for call in inside if self.desk._inside.get(call).joined]
        assert self.links == {frozenset((call.caller, call.callee)) for call in joined}
        for name, line in lines.items():
            assert (name in self.open) == line.ear.open


OFTEN = """
lift lift lift lift call call consult consult consult consult flash keys keys dial answer hold offer answered
answered answered answered down down over spoken wait
"""
KINDS = [*OFTEN.split() * 4, "pull"]
KEYS = ["21", "22", "23", "555", "112", "0", "1", "2", "3", "4", "*09", "*7221", "*73", "*78", "*79", "***"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from(sorted(PHONES)), st.sampled_from(KEYS)), max_size=60
    ),
    st.randoms(use_true_random=False),
)
def test_any_events_lose_no_call_and_leave_nothing(
    script: list[tuple[str, str, str]], choice: random.Random
) -> None:
    world = World()
    for kind, phone, key in script:
        world.happen(kind, phone, key, choice)
    for _ in range(6):
        for phone in PHONES:
            world.ask(m.HangUp(phone=phone))
        world.pass_s(60)
        world.check()
    assert not world.calls and not world.links and not world.open
    assert {view.state for view in world.desk.views()} == {"idle"}


def test_a_day_of_anything() -> None:
    choice = random.Random(7)
    world = World()
    for _ in range(20_000):
        world.happen(choice.choice(KINDS), choice.choice(sorted(PHONES)), choice.choice(KEYS), choice)
