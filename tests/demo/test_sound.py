"""Silences are measured to the frame, and nothing else passes for what the far end sent."""

from array import array
from random import Random

import pytest

from tests.demo import sound
from tests.lab import rtp


def _frames(count: int, first: int = 0) -> list[bytes]:
    """Decoded frames of noise, all different."""
    found = []
    for number in range(first, first + count):
        samples = rtp.linear(rtp.PCMA, Random(number).randbytes(rtp.FRAME_SAMPLES))
        assert samples is not None
        found.append(samples.tobytes())
    return found


def _steady(count: int, start_s: float = 100.0) -> list[float]:
    return [start_s + number * rtp.FRAME_S for number in range(count)]


def test_a_steady_stream_is_never_silent() -> None:
    found = sound.longest_silence(_steady(100), 100.5, 101.5)
    assert found is not None
    assert found.ms == pytest.approx(0, abs=0.001)


def test_a_hole_counts_without_the_frame_before_it() -> None:
    arrivals = [*_steady(50), *_steady(50, 101.18)]  # the last of the first part at 100.98
    found = sound.longest_silence(arrivals, 100.5, 102.0)
    assert found is not None
    assert found.from_s == pytest.approx(101.0)
    assert found.ms == pytest.approx(180)


def test_a_hole_that_began_before_the_window_counts_whole() -> None:
    arrivals = [*_steady(50), *_steady(50, 101.18)]
    found = sound.longest_silence(arrivals, 101.1, 102.0)
    assert found is not None
    assert found.ms == pytest.approx(180)


def test_silence_to_the_end_counts() -> None:
    found = sound.longest_silence(_steady(50), 100.5, 103.0)
    assert found is not None
    assert found.to_s == pytest.approx(103.0)
    assert found.ms == pytest.approx(2000)


def test_nothing_heard_is_no_figure() -> None:
    assert sound.longest_silence([], 0.0, 1.0) is None


@pytest.mark.parametrize(
    ("sequences", "missing"),
    [
        ([], 0),
        ([7], 0),
        ([7, 8, 9], 0),
        ([7, 9, 8], 0),
        ([7, 8, 8, 9], 0),
        ([7, 10], 2),
        ([65534, 65535, 0, 1], 0),
        ([65534, 1], 2),
        ([0, 65535, 1], 0),
    ],
)
def test_lost_packets_are_counted_across_the_wrap(sequences: list[int], missing: int) -> None:
    assert sound.lost(sequences) == missing


def test_a_recording_is_laid_over_its_packets() -> None:
    """65 ms late by the jitter buffer's first fill; 5 frames in the middle are made up by the phone."""
    frames = _frames(100)
    packets = list(zip(_steady(100), frames, strict=True))
    recorded = array(
        "h", bytes(80) + b"".join([*_frames(3, 900), *frames[:40], *_frames(5, 800), *frames[45:]])
    )
    played = sound.lay_over(recorded, packets)
    assert played is not None
    assert played.start_s == pytest.approx(99.935)
    assert played.genuine == ((520, 520 + 40 * 160), (520 + 45 * 160, 520 + 100 * 160))
    found = played.longest_silence(100.5, 101.5)
    assert found is not None
    assert found.ms == pytest.approx(100)
    assert found.from_s == pytest.approx(100.8)


def test_one_frame_out_of_place_does_not_move_the_recording() -> None:
    frames = _frames(200)
    packets = list(zip(_steady(200), frames, strict=True))
    packets[50] = (packets[50][0] + 0.8, packets[50][1])
    played = sound.lay_over(array("h", b"".join(frames)), packets)
    assert played is not None
    assert played.start_s == pytest.approx(100.0)


def test_a_recording_of_something_else_is_no_measurement() -> None:
    packets = list(zip(_steady(10), _frames(10), strict=True))
    assert sound.lay_over(array("h", b"".join(_frames(10, 500))), packets) is None


def test_a_recording_that_ends_before_the_window_is_no_measurement() -> None:
    frames = _frames(10)
    played = sound.lay_over(array("h", b"".join(frames)), list(zip(_steady(10), frames, strict=True)))
    assert played is not None
    assert played.longest_silence(100.1, 105.0) is None


def test_levels_are_where_the_sound_is() -> None:
    samples = array("h", [0] * 8000 + [16384] * 800 + [0] * 8000)
    found = sound.lane(samples, 50.0, 50.5, 51.5, step_s=0.1)
    assert found.start_s == 50.5
    assert found.levels == (0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0)


def test_before_and_after_the_recording_there_is_nothing() -> None:
    found = sound.lane(array("h", [16384] * 800), 50.0, 49.8, 50.3, step_s=0.1)
    assert found.levels == (0, 0, 0.5, 0, 0)
