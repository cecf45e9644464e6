"""The desk, with a calls room and an engine that only take notes: phones, the house's own calls, verbs."""

from dataclasses import dataclass, field

import pytest

from gateway import messages as m
from gateway.errors import RefusedError
from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.desk import RECALL_S, Desk
from gateway.phones.digits import Weight

FAR = "447700900123"


@dataclass
class Notes:
    """Calls room and engine in one: what was asked of them, by name."""

    said: list[tuple[object, ...]] = field(default_factory=list)
    last: int = 0
    refuse: str = ""

    def new_call(self) -> int:
        self.last += 1
        return self.last

    def weigh(self, digits: str) -> Weight:
        return "emergency" if digits == "999" else "whole" if len(digits) == 7 else "more"

    def place(self, call: int, phone: str, digits: str, *, hidden: bool, pin: str) -> m.Done:
        if self.refuse:
            raise RefusedError("no", where=digits, remedy="none", reason=self.refuse)
        self.said.append(("place", call, phone, digits))
        return m.Done(text=f"Calling {digits}.", data={"call": call})

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *values: self.said.append((name, *values))


class Quiet:
    """Sounds without files."""

    def tone(self, name: c.ToneName, country: str = "") -> tuple[str, bool]:
        return f"/{country}{name}", True

    def prompts(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"/{name}" for name in names)

    def cadence(self, ring: c.RingName, country: str = "") -> h.RingCadence:
        return h.RingCadence((400, 200))


class Bell:
    """A phone's door that notes what it is to show."""

    def __init__(self) -> None:
        self.did: list[h.Action] = []

    def do(self, action: h.Action) -> None:
        self.did.append(action)


class House:
    def __init__(self) -> None:
        self.now = 100.0
        self.notes = Notes()
        sounds = Quiet()
        self.desk = Desk(
            self.notes,  # type: ignore[arg-type]
            sounds,
            lambda devices: ("192.168.50.1",),
            clock=lambda: self.now,
            wall=lambda: 1e9,
        )
        self.changes = 0
        self.desk.connect(self.notes, self._changed)  # type: ignore[arg-type]
        plans = [m.PhonePlan(name=n, kind="virtual", extension=e) for n, e in (("a", "21"), ("b", "22"))]
        plans += [m.PhonePlan(name="c", kind="virtual", extension="23", auto_answer=True)]
        plans += [m.PhonePlan(name="wall", kind="analog", extension="24")]
        self.plans = plans
        self.desk.replan(plans, m.DiallingPlan(), sounds)

    def _changed(self) -> None:
        self.changes += 1

    def said(self, name: str) -> list[tuple[object, ...]]:
        return [said[1:] for said in self.notes.said if said[0] == name]

    def state(self, phone: str) -> str:
        return next(view.state for view in self.desk.views() if view.name == phone)

    def hears(self, phone: str) -> str:
        return next(view.hears for view in self.desk.views() if view.name == phone)

    def lift(self, phone: str) -> None:
        self.desk.verb(m.Lift(phone=phone))

    def press(self, phone: str, keys: str) -> None:
        self.desk.verb(m.Press(phone=phone, keys=keys))

    def down(self, phone: str) -> None:
        self.desk.verb(m.HangUp(phone=phone))

    def flash(self, phone: str) -> None:
        self.desk.verb(m.Flash(phone=phone))

    def up(self, phone: str = "a") -> int:
        """A call over the trunk that is up."""
        self.lift(phone)
        self.press(phone, "5550001")
        call = self.notes.last
        self.desk.sound(call)
        self.desk.answered(call)
        return call

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.desk.due) is not None and due <= until:
            self.now = max(self.now, due)
            self.desk.tick()
        self.now = until


@pytest.fixture
def house() -> House:
    return House()


def test_keys_become_a_call_and_the_hook_ends_it(house: House) -> None:
    call = house.up()
    assert house.said("place") == [(call, "a", "5550001")]
    assert house.state("a") == "talking"
    house.down("a")
    assert house.said("drop") == [(call, 486)]
    assert house.said("close") == [("a",)]


def test_dial_by_word_is_put_down_by_itself_when_the_call_is_over(house: House) -> None:
    answer = house.desk.verb(m.Dial(phone="a", digits="5550001"))
    assert answer.data == {"call": 1}
    house.desk.over(1, 404, "unknown_number")
    assert house.state("a") == "idle"


def test_refusal_is_told_in_words_to_who_asked_in_words_and_spoken_to_a_hand(house: House) -> None:
    house.notes.refuse = "invalid_number"
    with pytest.raises(RefusedError, match="no"):
        house.desk.verb(m.Dial(phone="a", digits="5550001"))
    assert house.state("a") == "idle"
    house.lift("b")
    house.press("b", "5550001")
    assert house.hears("b") == "invalid_number"


def test_call_rings_all_its_phones_and_the_first_takes_it(house: House) -> None:
    assert house.desk.free(("a", "b", "gone"), waiting=False) == ("a", "b")
    house.desk.offer(7, ("a", "b"), FAR)
    assert (house.state("a"), house.state("b")) == ("ringing", "ringing")
    house.lift("b")
    assert house.said("take") == [(7, "b")]
    assert house.state("a") == "idle"


def test_offered_call_is_refused_only_when_nobody_wants_it(house: House) -> None:
    house.desk.offer(7, ("a", "b"), FAR)
    house.down("a")
    assert house.said("drop") == []
    house.down("b")
    assert house.said("drop") == [(7, 486)]


def test_phone_that_answers_by_itself(house: House) -> None:
    house.desk.offer(7, ("c",), FAR)
    assert house.said("take") == [(7, "c")]
    house.desk.over(7, 200, "far_hung_up")
    assert house.state("c") == "idle"


def test_phones_call_each_other_without_the_trunk(house: House) -> None:
    house.lift("a")
    house.press("a", "22")
    assert (house.hears("a"), house.state("b")) == ("ringback", "ringing")
    house.lift("b")
    assert house.said("link") == [("a", "b", True)]
    assert house.hears("a") == ""
    house.down("b")
    assert house.said("link")[-1] == ("a", "b", False)
    assert house.hears("a") == "busy"
    assert house.said("place") == []


@pytest.mark.parametrize(("keys", "hears"), [("22", "busy"), ("21", "unknown_number")])
def test_phone_that_is_busy_or_is_oneself(house: House, keys: str, hears: str) -> None:
    house.lift("b")
    house.lift("a")
    house.press("a", keys)
    assert house.hears("a") == hears


def test_hold_within_the_house_parts_the_two(house: House) -> None:
    house.lift("a")
    house.press("a", "22")
    house.lift("b")
    house.flash("a")
    assert house.said("link")[-1] == ("a", "b", False)
    house.flash("a")
    assert house.said("link")[-1] == ("a", "b", True)


def test_hand_over_after_a_word(house: House) -> None:
    call = house.up()
    house.flash("a")
    house.press("a", "22")
    house.lift("b")
    house.down("a")
    assert house.said("give") == [(call, "b")]
    assert house.said("hold")[-1] == (call, False)
    assert (house.state("a"), house.state("b")) == ("idle", "talking")
    house.desk.over(call, 200, "far_hung_up")
    assert house.hears("b") == "busy"


def test_hand_over_without_a_word_and_its_return(house: House) -> None:
    call = house.up()
    house.flash("a")
    house.press("a", "22")
    house.down("a")
    assert house.state("b") == "ringing"
    house.pass_s(RECALL_S)
    assert (house.state("a"), house.state("b")) == ("ringing", "idle")
    house.lift("a")
    assert house.said("give")[-1] == (call, "a")
    assert house.said("hold")[-1] == (call, False)
    assert house.state("a") == "talking"


def test_call_of_the_house_is_handed_over_within_it(house: House) -> None:
    house.lift("a")
    house.press("a", "22")
    house.lift("b")
    house.flash("b")
    house.press("b", "23")  # c answers by itself
    house.down("b")
    assert house.said("link")[-1] == ("a", "c", True)
    assert (house.state("a"), house.state("b"), house.state("c")) == ("talking", "idle", "talking")
    house.down("a")
    assert house.state("c") == "idle"


def test_three_within_and_without(house: House) -> None:
    call = house.up()
    house.flash("a")
    house.press("a", "22")
    house.lift("b")
    house.flash("a")
    house.press("a", "3")
    assert house.said("mix") == [("a", True)]
    assert house.said("hold")[-1] == (call, False)


def test_call_that_rings_elsewhere_is_picked_up(house: House) -> None:
    house.desk.offer(7, ("a",), FAR)
    house.lift("b")
    house.press("b", "*09")
    assert house.said("take") == [(7, "b")]
    assert (house.state("a"), house.state("b")) == ("idle", "talking")


def test_forwarded_phone_stands_aside(house: House) -> None:
    house.lift("a")
    house.press("a", "*7222")
    house.down("a")
    assert house.desk.free(("a",), waiting=False) == ("b",)


def test_state_is_spoken(house: House) -> None:
    house.desk.channel(1)
    house.lift("a")
    house.press("a", "***")
    words = "address_is 1 9 2 point 1 6 8 point 5 0 point 1 calls_by_backup"
    assert house.hears("a") == words
    house.desk.spoken("a")
    assert house.hears("a") == "dial"


def test_hardware_rings_shows_and_is_open_as_long_as_it_is_plugged_in(house: House) -> None:
    bell = Bell()
    house.desk.attach("wall", bell)
    with pytest.raises(RefusedError, match="handset of its own"):
        house.lift("wall")
    house.desk.heard(h.FromPhone("wall", h.Plugged(h.AudioDevice("plughw:0", "plughw:0"), house.now)))
    assert house.said("open_device") == [("wall", "plughw:0", "plughw:0")]
    house.desk.offer(7, ("wall",), FAR)
    assert [type(action) for action in bell.did] == [h.Ring]
    house.desk.heard(h.FromPhone("wall", h.OffHook(house.now)))
    assert h.StopRing() in bell.did
    assert house.said("take") == [(7, "wall")]
    house.desk.heard(h.FromPhone("wall", h.Unplugged("pulled", house.now)))
    assert house.said("drop") == [(7, 480)]
    assert house.state("wall") == "gone"
    assert house.said("close") == [("wall",)]


def test_phone_that_may_not_refuse_rings_whatever_was_set_before(house: House) -> None:
    house.lift("a")
    house.press("a", "*78")
    house.down("a")
    assert house.desk.free(("a",), waiting=True) == ()
    stern = m.PhonePlan(name="a", kind="virtual", extension="21", may_refuse=False)
    house.desk.replan([stern, *house.plans[1:]], m.DiallingPlan(), Quiet())
    assert house.desk.free(("a",), waiting=True) == ("a",)


def test_phone_that_is_taken_out_of_the_settings_is_put_down(house: House) -> None:
    call = house.up()
    house.desk.replan(house.plans[1:], m.DiallingPlan(), Quiet())
    assert house.said("drop") == [(call, 480)]
    assert "a" not in {view.name for view in house.desk.views()}


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (m.Lift(phone="attic"), "there is no phone attic"),
        (m.Press(phone="a", keys="1"), "on the hook"),
        (m.Flash(phone="a"), "on the hook"),
        (m.HangUp(phone="a"), "in no call"),
        (m.Answer(phone="a"), "does not ring"),
        (m.Hold(phone="a", on=True), "in no call"),
        (m.Press(phone="a", keys="x"), "no keys"),
    ],
)
def test_what_a_phone_cannot_do_is_refused_in_words(house: House, verb: m.Verb, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        house.desk.verb(verb)


def test_others_are_told_of_every_change(house: House) -> None:
    before = house.changes
    house.lift("a")
    assert house.changes > before
