"""One line by scripts: what a hand does, what the calls say, and what the line wants done."""

from itertools import count

import pytest

from gateway.calls import numbers
from gateway.phones import callside as c
from gateway.phones import model as h
from gateway.phones.digits import DialPlan
from gateway.phones.keys import DTMF_S, NOISE_S, TOLD_S
from gateway.phones.line import HOWL_S, RECALL_S, Event, Line, Options

LONDON = "02079460001"
FAR = h.Caller("447700900123")


class Hand:
    """A line, a clock, and short words for gestures. `did` holds the last actions."""

    def __init__(self, options: Options | None = None) -> None:
        plan = DialPlan(lambda digits: numbers.weigh(digits, "GB"), frozenset({"21", "22"}))
        calls = count(1)
        self.line = Line(plan, lambda: next(calls), options)
        self.now = 100.0
        self.did: list[object] = []
        self(h.Plugged(h.AudioDevice("", ""), self.now))

    def __call__(self, event: Event | None) -> list[object]:
        self.did = list(self.line.receive(event, self.now))
        return self.did

    def lift(self) -> list[object]:
        return self(h.OffHook(self.now))

    def down(self) -> list[object]:
        return self(h.OnHook(self.now))

    def flash(self) -> list[object]:
        return self(h.Flash(self.now))

    def keys(self, keys: str) -> list[object]:
        done: list[object] = []
        for key in keys:
            done += self(h.Digit(key, "keypad", self.now))
        self.did = done
        return done

    def wait(self, seconds: float) -> list[object]:
        done: list[object] = []
        until = self.now + seconds
        while (due := self.line.due) is not None and due <= until:
            self.now = due
            done += self(None)
        self.now = until
        self.did = done
        return done

    def talk(self, digits: str = LONDON) -> int:
        """A call that is up; its number."""
        if self.line.state == "idle":
            self.lift()
        (place,) = [a for a in self.keys(digits) if isinstance(a, c.Place)]
        self(c.Sound(place.call))
        self(c.Answered(place.call))
        return place.call


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_dial_tone_stops_with_the_first_key_and_the_last_one_places_the_call(hand: Hand) -> None:
    assert c.PlayTone("dial") in hand.lift()
    assert hand.keys("0") == [c.Hush()]
    assert hand.keys(LONDON[1:-1]) == []
    assert hand.keys("1") == [c.Place(1, LONDON, "outside")]


def test_ringback_and_busy(hand: Hand) -> None:
    hand.lift()
    hand.keys(LONDON)
    assert hand(c.Ringback(1, True)) == [c.PlayTone("ringback")]
    assert c.PlayTone("busy") in hand(c.Over(1, 486, "busy"))
    assert c.Listen(False) in hand.down()


def test_reason_is_spoken_then_congestion_then_the_warning_then_silence(hand: Hand) -> None:
    hand.lift()
    hand.keys(LONDON)
    assert c.Speak(("all_down",)) in hand(c.Over(1, 0, "all_down"))
    assert hand(c.Spoken()) == [c.PlayTone("congestion")]
    assert c.Speak(("hang_up",)) in hand.wait(TOLD_S)
    assert hand(c.Spoken()) == [c.PlayTone("howler")]
    assert hand.wait(HOWL_S) == [c.Hush()]
    assert hand.line.due is None
    hand.down()
    assert hand.line.state == "idle"


def test_nothing_dialled_is_a_handset_beside_its_cradle(hand: Hand) -> None:
    hand.lift()
    hand.wait(hand.line.options.first_digit_s)
    assert hand.line.state == "howling"


def test_pause_sends_what_is_there_and_hash_at_once(hand: Hand) -> None:
    hand.lift()
    hand.keys("150")
    assert c.Place(1, "150", "outside") in hand.wait(10)
    hand.down()
    hand.lift()
    assert c.Place(2, "150", "outside") in hand.keys("150#")


def test_noise_is_no_digit(hand: Hand) -> None:
    hand.lift()
    assert hand(h.DigitBegan("dtmf", hand.now)) == [c.Hush()]
    assert hand.wait(NOISE_S) == [c.PlayTone("dial")]


def test_keys_of_a_call_go_out_once_and_their_tones_do_not(hand: Hand) -> None:
    call = hand.talk()
    assert hand(h.DigitBegan("dtmf", hand.now)) == [c.Deafen(True)]
    assert hand(h.Digit("5", "dtmf", hand.now)) == [c.SendDigit(call, "5")]
    assert hand.wait(DTMF_S) == [c.Deafen(False)]
    assert hand.keys("6") == [c.SendDigit(call, "6")], "a keypad sounds nowhere"


def test_mute_outlasts_a_key(hand: Hand) -> None:
    hand.talk()
    assert hand(h.Mute(None, hand.now)) == [h.Light("mute", True), c.Deafen(True)]
    hand(h.Digit("5", "dtmf", hand.now))
    assert c.Deafen(False) not in hand.wait(1)


def test_flash_holds_and_comes_back(hand: Hand) -> None:
    call = hand.talk()
    assert hand.flash() == [c.Hold(call, True), c.PlayTone("second")]
    assert hand.flash() == [c.Hush(), c.Hold(call, False)]


@pytest.mark.parametrize("kind", ["menu", "plain"])
def test_three_together_and_apart(kind: str) -> None:
    hand = Hand(Options(flash="plain" if kind == "plain" else "menu"))
    first = hand.talk()
    hand.flash()
    second = hand.talk()
    hand.flash()
    if kind == "menu":
        hand.keys("3")
    assert hand.did == [c.Hold(first, False), c.Mix(True)]
    assert hand.flash() == [c.Mix(False), c.Drop(second)]
    assert hand.line.state == "talking"
    assert c.Drop(first) in hand.down()


def test_swap(hand: Hand) -> None:
    first = hand.talk()
    hand.flash()
    second = hand.talk()
    hand.flash()
    assert hand.keys("2") == [c.Hold(second, True), c.Hold(first, False)]


def test_held_call_rings_back_when_the_handset_goes_down(hand: Hand) -> None:
    first = hand.talk()
    hand.flash()
    done = hand.down()
    assert [a.ring for a in done if isinstance(a, c.RingWith)] == ["recall"]
    assert hand.lift()[-1] == c.Hold(first, False)
    hand.flash()
    hand.down()
    assert hand.wait(RECALL_S) == [c.Drop(first), h.StopRing()]


@pytest.mark.parametrize("answered", [True, False])
def test_putting_down_connects_with_a_phone_of_the_house(hand: Hand, answered: bool) -> None:
    first = hand.talk()
    hand.flash()
    (place,) = [a for a in hand.keys("21") if isinstance(a, c.Place)]
    assert place.kind == "inside"
    hand(c.Ringback(place.call, True))
    if answered:
        hand(c.Answered(place.call))
    assert [a for a in hand.down() if isinstance(a, c.HandOver)] == [
        c.HandOver(first, place.call, h.Caller(LONDON))
    ]
    assert hand.line.state == "idle"


def test_two_strangers_are_never_connected(hand: Hand) -> None:
    first = hand.talk()
    hand.flash()
    second = hand.talk()
    done = hand.down()
    assert not [a for a in done if isinstance(a, c.HandOver)]
    assert c.Drop(second) in done
    assert hand.line.calls == (first,)


def test_call_that_waits_is_heard_shown_and_taken(hand: Hand) -> None:
    first = hand.talk()
    assert hand(c.Offered(9, FAR)) == [c.PlayTone("waiting"), h.ShowCaller(FAR)]
    assert hand(c.Offered(10, FAR)) == [c.Drop(10, 486)], "two are enough"
    hand.flash()
    assert hand.keys("2") == [c.Hold(first, True), c.Hush(), c.Take(9)]


def test_call_that_waits_rings_when_the_handset_goes_down(hand: Hand) -> None:
    first = hand.talk()
    hand(c.Offered(9, FAR))
    assert {c.Drop(first), c.RingWith("outside", FAR)} <= set(hand.down())
    assert c.Take(9) in hand.lift()


def test_codes_before_a_number(hand: Hand) -> None:
    hand.lift()
    assert hand.keys("*67")[-1] == c.PlayTone("second")
    assert c.Place(1, LONDON, "outside", hidden=True) in hand.keys(LONDON)
    hand.down()
    hand.talk("*70" + LONDON)
    assert hand(c.Offered(9, FAR)) == [c.Drop(9, 486)]


def test_redial_and_call_back(hand: Hand) -> None:
    hand.talk()
    hand.down()
    hand.lift()
    assert c.Place(2, LONDON, "outside") in hand.keys("*66")
    hand.down()
    hand(c.Offered(9, FAR))
    hand(c.Over(9, 487, "cancelled"))
    hand.lift()
    assert c.Place(3, FAR.number, "outside") in hand.keys("*69")


def test_do_not_disturb_is_said_kept_and_undone(hand: Hand) -> None:
    hand.lift()
    assert {c.Remember("dnd", "on"), c.Speak(("dnd_on",))} <= set(hand.keys("*78"))
    assert c.PlayTone("dial") in hand(c.Spoken())
    hand.down()
    assert hand(c.Offered(9, FAR)) == [c.Drop(9, 486)]
    hand.lift()
    hand.keys("*79")
    hand.down()
    assert c.RingWith("outside", FAR) in hand(c.Offered(10, FAR))


def test_forwarding_stays_in_the_house(hand: Hand) -> None:
    hand.lift()
    assert c.Remember("forward", "22") in hand.keys("*7222")
    hand.down()
    hand.lift()
    assert c.Speak(("forward_refused",)) in hand.keys("*72" + LONDON)
    assert hand.line.memory.forward == "22"


def test_state_is_spoken_and_a_key_need_not_wait_for_its_end(hand: Hand) -> None:
    hand.lift()
    assert c.SayState() in hand.keys("***")
    hand.keys("0")
    assert hand.line.state == "dial"
    hand.down()
    hand.lift()
    hand.keys("***")
    assert c.PlayTone("dial") in hand(c.Spoken())


def test_pin_opens_what_was_refused(hand: Hand) -> None:
    hand.lift()
    hand.keys(LONDON)
    assert c.Speak(("pin_wanted",)) in hand(c.Over(1, 0, "pin_wanted"))
    assert c.Place(2, LONDON, "outside", pin="4711") in hand.keys("4711#")


@pytest.mark.parametrize("reason", ["busy", "all_down", "pin_wanted"])
def test_help_is_called_under_any_tone(hand: Hand, reason: str) -> None:
    hand.lift()
    hand.keys(LONDON)
    hand(c.Over(1, 486, reason))
    assert c.Place(2, "999", "emergency") in hand.keys("999")
    assert hand.flash() == [], "and no slip of the hook ends it"
    hand.wait(600)
    assert hand.line.calls == (2,)


def test_help_is_called_from_a_handset_that_was_forgotten(hand: Hand) -> None:
    hand.lift()
    hand.wait(500)
    assert hand.line.state == "parked"
    assert c.Place(1, "112", "emergency") in hand.keys("7112")


def test_hotline_calls_by_itself_and_leaves_time_for_something_else() -> None:
    hand = Hand(Options(hotline=LONDON, hotline_after_s=3))
    hand.lift()
    assert c.Place(1, LONDON, "outside") in hand.wait(3)
    hand.down()
    hand.lift()
    hand.keys("9")
    assert not [a for a in hand.wait(3) if isinstance(a, c.Place)]
    assert c.Place(2, "999", "emergency") in hand.keys("99")


def test_phone_that_is_pulled_ends_its_calls(hand: Hand) -> None:
    first = hand.talk()
    hand.flash()
    second = hand.talk()
    done = hand(h.Unplugged("pulled", hand.now))
    assert {c.Drop(first, 480), c.Drop(second, 480), c.Listen(False)} <= set(done)
    assert (hand.line.state, hand.line.due) == ("gone", None)


def test_dial_tone_stutters_on_a_backup(hand: Hand) -> None:
    hand.line.notice = True
    assert c.PlayTone("stutter") in hand.lift()


def test_answer_of_a_call_reverses_the_wires_until_it_is_over(hand: Hand) -> None:
    hand.lift()
    hand.keys(LONDON)
    assert h.Reverse(True) in hand(c.Answered(1))
    assert h.Reverse(False) in hand(c.Over(1, 200, "far_hung_up"))
