"""Silence of RTP, polled every 10 ms as the engine does."""

from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calls.quiet import Heard, Quiet, QuietDetector, Sample

POLL_MS = 10


class Line:
    """Polls a detector; each far end sends where its function of the time (ms) says so."""

    def __init__(self) -> None:
        self.detector = QuietDetector()
        self.now_ms = 0
        self.packets: dict[int, int] = {}
        self.events: list[tuple[int, Quiet | Heard]] = []

    def run(
        self,
        until_ms: int,
        *ends: tuple[int, str, Callable[[int], bool]],
        expects: Callable[[int], bool] = lambda leg: True,
    ) -> list[tuple[int, Quiet | Heard]]:
        since = len(self.events)
        while self.now_ms < until_ms:
            self.now_ms += POLL_MS
            samples: list[Sample] = []
            for leg, uplink, sends in ends:
                if self.now_ms % 20 == 0 and sends(self.now_ms):
                    self.packets[leg] = self.packets.get(leg, 0) + 1
                samples.append((leg, uplink, self.packets.get(leg, 0), expects(leg)))
            self.poll(samples)
        return self.events[since:]

    def poll(self, samples: Iterable[Sample]) -> None:
        self.events += [(self.now_ms, e) for e in self.detector.poll(self.now_ms / 1000, samples)]


def always(_: int) -> bool:
    return True


def never(_: int) -> bool:
    return False


def before(end_ms: int) -> Callable[[int], bool]:
    return lambda ms: ms <= end_ms


def test_a_silence_is_said_once_then_reminded_of_at_growing_distances() -> None:
    line = Line()
    events = line.run(4000, (1, "main", before(1000)))
    assert [e for _, e in events] == [Quiet("main", 1, q) for q in (80, 330, 830, 1830, 2830)]
    assert events[0][0] == 1080


def test_what_comes_again_is_heard_at_once() -> None:
    line = Line()
    line.run(1500, (1, "main", before(1000)))
    assert line.run(1540, (1, "main", always)) == [(1520, Heard("main"))]


def test_all_calls_must_be_silent() -> None:
    line = Line()
    assert line.run(3000, (1, "main", before(1000)), (2, "main", always)) == []
    events = line.run(3200, (1, "main", never), (2, "main", never))
    assert events[0] == (3080, Quiet("main", 2, 80))


def test_uplinks_are_judged_apart() -> None:
    line = Line()
    events = line.run(1200, (1, "main", before(1000)), (2, "backup1", always))
    assert [e.uplink for _, e in events] == ["main"]


def test_a_call_that_has_heard_nothing_yet_does_not_count() -> None:
    line = Line()
    assert line.run(2000, (1, "main", never)) == []


def test_a_held_call_does_not_count_until_it_hears_again() -> None:
    line = Line()
    line.run(1000, (1, "main", always))
    assert line.run(2000, (1, "main", never), expects=lambda leg: False) == []
    assert line.run(3000, (1, "main", never)) == []
    assert line.run(3200, (1, "main", before(3100))) == [(3180, Quiet("main", 1, 80))]


def test_a_moved_call_does_not_count_until_it_hears_again() -> None:
    line = Line()
    line.run(1000, (1, "main", always))
    assert line.run(2000, (1, "backup1", never)) == []
    assert line.run(3000, (1, "backup1", before(2500)))[0][1] == Quiet("backup1", 1, 80)


def test_counters_that_start_anew_are_a_new_start() -> None:
    line = Line()
    line.run(1000, (1, "main", always))
    line.packets[1] = 0
    assert line.run(1500, (1, "main", never)) == []


def test_regular_pauses_are_learned_and_forgotten() -> None:
    def pausing(ms: int) -> bool:
        return ms % 400 < 250

    line = Line()
    first = line.run(2000, (1, "main", pausing))
    assert any(isinstance(e, Quiet) for _, e in first)
    assert line.run(10_000, (1, "main", pausing)) == []
    assert line.run(60_000, (1, "main", before(59_900)))[0][1] == Quiet("main", 1, 80)


def test_patience_has_an_end() -> None:
    def pausing(ms: int) -> bool:
        return ms % 10_000 < 5000

    line = Line()
    line.run(40_000, (1, "main", pausing))
    events = line.run(46_000, (1, "main", pausing))
    assert events[0] == (45_380, Quiet("main", 1, 400))


def test_other_calls_that_never_pause_keep_the_ear_sharp() -> None:
    def pausing(ms: int) -> bool:
        return ms % 400 < 250

    line = Line()
    line.run(10_000, (1, "main", pausing), (2, "main", always))
    events = line.run(10_500, (1, "main", never), (2, "main", never))
    assert events[0] == (10_080, Quiet("main", 2, 80))


def test_our_own_stall_is_no_silence() -> None:
    line = Line()
    line.run(1000, (1, "main", always))
    line.now_ms += 700
    assert line.run(1720, (1, "main", always)) == []
    line.now_ms += 700
    assert line.run(line.now_ms + 20, (1, "main", never)) == []


def test_the_last_call_gone_ends_the_story() -> None:
    line = Line()
    line.run(1200, (1, "main", before(1000)))
    assert line.run(5000) == []
    assert line.run(6000, (2, "main", before(5500)))[0] == (5580, Quiet("main", 1, 80))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 200),
            st.lists(
                st.tuples(st.integers(1, 3), st.sampled_from(["a", "b"]), st.integers(0, 2), st.booleans()),
                max_size=3,
                unique_by=lambda s: s[0],
            ),
        ),
        max_size=60,
    )
)
def test_any_polling(polls: list[tuple[int, list[Sample]]]) -> None:
    """Heard answers a Quiet, and a Quiet never speaks of an uplink where something has just come in."""
    detector, now_ms = QuietDetector(), 0
    quiet: set[str] = set()
    for gap_ms, samples in polls:
        now_ms += gap_ms
        for event in detector.poll(now_ms / 1000, samples):
            if isinstance(event, Heard):
                assert event.uplink in quiet
                quiet.discard(event.uplink)
            else:
                assert event.quiet_ms >= 80
                assert 1 <= event.calls <= sum(1 for s in samples if s[1] == event.uplink and s[3])
                quiet.add(event.uplink)
