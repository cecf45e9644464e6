"""An analog phone between line and port: when its bell, its wires and its caller ID come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.phones import callerid
from gateway.phones.analog import Analog, Output, PlaySamples, bursts
from gateway.phones.card import Burst, Reverse, Stop
from gateway.phones.dsp import DtmfReceiver, FskReceiver
from gateway.phones.hook import Heard
from gateway.phones.model import (
    Action,
    Caller,
    Digit,
    Flash,
    Light,
    MessageWaiting,
    OffHook,
    OnHook,
    Ring,
    RingCadence,
    ShowCaller,
    StopRing,
)
from gateway.phones.model import Reverse as ReverseLine
from gateway.phones.profiles import known, profile
from gateway.phones.tones import silence
from tests.phones import sounds

CALLER = Caller("442079460001", "Reception", "", (11, 23, 16, 5))


class Desk:
    """A phone whose deadlines are kept; what it wanted, with seconds since the beginning."""

    def __init__(self, country: str) -> None:
        self.profile = profile(country)
        self.phone = Analog(self.profile)
        self.now = 0.0
        self.log: list[tuple[float, Output]] = []

    def do(self, what: Heard | Action) -> list[Output]:
        out = self.phone.receive(what, self.now)
        self.log += [(self.now, output) for output in out]
        return out

    def ring(self, caller: Caller | None = CALLER, cadence: RingCadence | None = None) -> None:
        self.do(Ring(cadence or self.profile.ring, caller))

    def wait(self, s: float) -> None:
        end = self.now + s
        while (due := self.phone.due) is not None and due <= end:
            self.now = max(self.now, due)
            self.log += [(self.now, output) for output in self.phone.receive(None, self.now)]
            assert self.phone.due is None or self.phone.due > due - 1e-9
        self.now = end

    def bursts(self) -> list[tuple[float, int]]:
        return [(round(at, 3), seen.ms) for at, seen in self.log if isinstance(seen, Burst)]

    def played(self) -> list[tuple[float, float]]:
        """(from, to) of caller ID."""
        plays = [(at, seen) for at, seen in self.log if isinstance(seen, PlaySamples)]
        return [(at, at + len(seen.samples) / 8000) for at, seen in plays]

    def samples(self) -> PlaySamples:
        return next(seen for _, seen in self.log if isinstance(seen, PlaySamples))


def test_cadence_without_a_caller() -> None:
    desk = Desk("DE")
    desk.ring(None)
    desk.wait(11)
    assert desk.bursts() == [(0.0, 1000), (5.0, 1000), (10.0, 1000)]
    desk = Desk("GB")
    desk.ring(None)
    desk.wait(4)
    assert desk.bursts() == [(0.0, 400), (0.6, 400), (3.0, 400), (3.6, 400)]


def test_class_comes_in_the_pause_after_the_first_ring() -> None:
    desk = Desk("US")
    desk.ring()
    desk.wait(13)
    assert desk.bursts() == [(0.0, 2000), (6.0, 2000), (12.0, 2000)]
    ((begin, end),) = desk.played()
    assert 0.5 <= begin - 2.0 <= 1.5
    assert end <= 5.8


def test_british_phones_are_told_before_they_ring() -> None:
    desk = Desk("GB")
    desk.ring()
    desk.wait(4)
    swapped, back = [at for at, seen in desk.log if isinstance(seen, Reverse)]
    ((begin, end),) = desk.played()
    assert swapped == 0.0
    assert begin - swapped >= 0.1
    assert back == pytest.approx(end)
    assert 0.2 <= desk.bursts()[0][0] - end <= 0.5


def read(desk: Desk) -> list[bytes]:
    standard = desk.profile.caller_id.standard
    assert standard in ("class", "etsi")
    receiver = FskReceiver("etsi" if standard == "etsi" else "class")
    padded = silence(200) + desk.samples().samples + silence(200)
    return [message for _, frame in sounds.frames(padded) for message in receiver.feed(frame)]


@pytest.mark.parametrize("country", known())
def test_every_country_says_who_calls_in_a_silence(country: str) -> None:
    desk = Desk(country)
    desk.ring()
    desk.wait(30)
    rings = [(at, at + ms / 1000) for at, ms in desk.bursts()]
    assert len(rings) >= 4
    if desk.profile.caller_id.standard == "none":
        assert not desk.played()
        return
    ((begin, end),) = desk.played()
    for rang_from, rang_to in rings:
        assert rang_to + 0.4 <= begin or end + 0.19 <= rang_from
    if desk.profile.caller_id.standard == "dtmf":
        receiver = DtmfReceiver()
        padded = silence(200) + desk.samples().samples + silence(200)
        events = [event for at, frame in sounds.frames(padded) for event in receiver.feed(frame, at)]
        method = desk.profile.caller_id
        assert sounds.keys(events) == callerid.digits(CALLER, method.dtmf_start, method.dtmf_stop)
    else:
        assert read(desk) == [callerid.message(CALLER)]
    reversals = [seen.on for _, seen in desk.log if isinstance(seen, Reverse)]
    assert reversals == ([True, False] if desk.profile.caller_id.reversal else [])


def test_a_pause_that_is_too_short_is_made_longer_once() -> None:
    desk = Desk("US")
    desk.ring(cadence=RingCadence((400, 1800)))
    desk.wait(8)
    ((_, end),) = desk.played()
    starts = [at for at, _ in desk.bursts()]
    assert starts[1] == pytest.approx(max(2.2, end + 0.3), abs=0.01)
    assert starts[2] - starts[1] == pytest.approx(2.2)


def test_lifting_and_stopping_end_all_of_it() -> None:
    for event in (OffHook(3.0), StopRing()):
        desk = Desk("US")
        desk.ring()
        desk.wait(1)
        out = desk.do(event)
        assert out[0] == Stop()
        assert (event in out) == isinstance(event, OffHook)
        before = len(desk.log)
        desk.wait(20)
        assert len(desk.log) == before
        assert not desk.phone.ringing


def test_wires_are_put_back_when_the_data_is_cut_short() -> None:
    desk = Desk("GB")
    desk.ring()
    desk.wait(0.5)
    assert desk.do(OffHook(0.5)) == [Stop(), Reverse(False), OffHook(0.5)]
    desk = Desk("GB")
    desk.do(ReverseLine(True))
    desk.ring()
    desk.wait(2)
    assert [seen.on for _, seen in desk.log if isinstance(seen, Reverse)] == [True, False, True]


def test_a_lifted_phone_does_not_ring() -> None:
    desk = Desk("DE")
    desk.do(OffHook(0.0))
    desk.ring()
    desk.wait(10)
    assert desk.bursts() == []
    desk.do(OnHook(10.0))
    desk.ring(None)
    assert desk.bursts() == [(10.0, 1000)]


def test_a_second_ring_begins_anew() -> None:
    desk = Desk("DE")
    desk.ring(None)
    desk.wait(2)
    desk.do(Ring(RingCadence((300, 200, 300, 2000)), None))
    desk.wait(3)
    assert desk.bursts() == [(0.0, 1000), (2.0, 300), (2.5, 300), (4.8, 300)]


def test_message_lamp_waits_for_its_moment() -> None:
    desk = Desk("US")
    desk.do(MessageWaiting(True))
    assert read(desk) == [callerid.waiting(True)]
    desk = Desk("DE")
    desk.do(OffHook(0.0))
    desk.do(MessageWaiting(True))
    desk.do(MessageWaiting(False))
    desk.wait(5)
    assert desk.played() == []
    desk.do(OnHook(5.0))
    desk.wait(5)
    assert read(desk) == [callerid.waiting(False)]
    assert desk.played()[0][0] >= 5.5
    desk = Desk("US")
    desk.ring(None)
    desk.do(MessageWaiting(True))
    desk.wait(3)
    assert desk.played() == []
    desk.do(StopRing())
    desk.wait(3)
    assert read(desk) == [callerid.waiting(True)]
    desk = Desk("DK")  # digits cannot say it
    desk.do(MessageWaiting(True))
    desk.wait(5)
    assert desk.log == []


def test_what_a_port_hears_goes_up_and_what_no_phone_has_goes_nowhere() -> None:
    desk = Desk("US")
    for event in (OffHook(1.0), Digit("5", "pulse", 2.0), Flash(3.0), OnHook(4.0)):
        assert desk.do(event) == [event]
    assert desk.do(Light("mute", True)) == desk.do(ShowCaller(CALLER)) == []


def test_long_rings_are_told_in_parts() -> None:
    steps = bursts(RingCadence((6000, 1000)))
    assert [(step.at_ms, step.outputs) for step in steps] == [
        (0, (Burst(2500),)),
        (2500, (Burst(2500),)),
        (5000, (Burst(1000),)),
        (7000, ()),
    ]


WORD = st.sampled_from(
    [OffHook(0), OnHook(0), StopRing(), MessageWaiting(True), ReverseLine(True), ReverseLine(False), Flash(0)]
)
CADENCE = st.lists(st.integers(0, 6000), max_size=6).map(lambda periods: RingCadence(tuple(periods)))


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([*known(), "XX"]),
    st.lists(
        st.tuples(st.one_of(WORD, st.builds(Ring, CADENCE, st.just(CALLER))), st.floats(0, 12)), max_size=8
    ),
)
def test_any_orders_are_borne(country: str, steps: list[tuple[Heard | Action, float]]) -> None:
    """Off the hook nothing rings; after a stop nothing comes; time goes on."""
    desk = Desk(country)
    off = False
    for step, wait_s in steps:
        before = len(desk.log)
        desk.do(step)
        off = isinstance(step, OffHook) or (off and not isinstance(step, OnHook))
        desk.wait(wait_s)
        fresh = [seen for _, seen in desk.log[before:]]
        if off or isinstance(step, StopRing):
            assert not any(isinstance(seen, Burst) for seen in fresh)
            assert not desk.phone.ringing
