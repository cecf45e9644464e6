"""Tones as samples: the frequencies, levels and cadences that were asked for, and no clicks."""

import io
import math
import wave
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.phones.model import Step, Tone
from gateway.phones.profiles import known, profile
from gateway.phones.tones import FULL_SCALE_DBM0, RAMP_MS, clip, sine, tone

RATE = 8000


def level_dbm0(samples: "array[int]", hz: float = 0.0) -> float:
    """Of all, or of one frequency alone."""
    if hz:
        turn = 2 * math.pi * hz / RATE
        real = sum(s * math.cos(turn * n) for n, s in enumerate(samples))
        imaginary = sum(s * math.sin(turn * n) for n, s in enumerate(samples))
        peak = 2 * math.hypot(real, imaginary) / len(samples)
    else:
        peak = math.sqrt(2 * sum(s * s for s in samples) / len(samples))
    return 20 * math.log10(max(peak, 1e-3) / 32767) + FULL_SCALE_DBM0


def test_notation() -> None:
    assert tone("t", "425").steps == (Step((425.0,)),)
    assert tone("t", "400+450 400,200 400,2000").steps == (
        Step((400.0, 450.0), 400, 200),
        Step((400.0, 450.0), 400, 2000),
    )
    stutter = tone("t", "3x 350+440 100,100 | 350+440")
    assert (len(stutter.steps), stutter.repeat_from) == (4, 3)
    assert tone("t", "400*25").steps[0].am_hz == 25
    assert tone("t", "425 375,375; 425@-10 375,375").steps[1].relative_db == -10
    sit = tone("t", "950 330,0; 1400 330,0; 1800 330,1000")
    assert [(s.freqs_hz, s.off_ms) for s in sit.steps] == [((950.0,), 0), ((1400.0,), 0), ((1800.0,), 1000)]


@pytest.mark.parametrize("text", ["", "hum", "425 500", "425+", "425 500,500,", "425/500"])
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not FREQUENCIES"):
        tone("odd", text)


@pytest.mark.parametrize("freqs", [(425.0,), (350.0, 440.0), (1400.0, 2060.0, 2450.0, 2600.0)])
def test_level_is_of_the_whole_and_shared(freqs: tuple[float, ...]) -> None:
    samples = clip(Tone("t", (Step(freqs),), -13.0)).samples
    assert level_dbm0(samples) == pytest.approx(-13.0, abs=0.05)
    for hz in freqs:
        assert level_dbm0(samples, hz) == pytest.approx(-13 - 10 * math.log10(len(freqs)), abs=0.1)


def test_modulation_keeps_the_level_and_shows_side_bands() -> None:
    samples = clip(tone("t", "400*25", -13.0)).samples
    assert level_dbm0(samples) == pytest.approx(-13.0, abs=0.05)
    assert level_dbm0(samples, 375) == pytest.approx(level_dbm0(samples, 400) - 6, abs=0.1)
    assert level_dbm0(samples, 425) == pytest.approx(level_dbm0(samples, 375), abs=0.1)


def test_cadence_and_silence() -> None:
    found = clip(tone("busy", "425 480,480"))
    assert found.loops
    assert len(found.samples) == 2 * 480 * 8
    assert level_dbm0(found.samples[: 480 * 8]) > -13.3
    assert not any(found.samples[480 * 8 :])


def test_a_softer_step_is_softer() -> None:
    samples = clip(tone("t", "425 375,375; 425@-10 375,375")).samples
    assert level_dbm0(samples[:3000]) - level_dbm0(samples[6000:9000]) == pytest.approx(10, abs=0.1)


def test_beginning_that_is_not_repeated_plays_once_and_long() -> None:
    found = clip(tone("stutter", "10x 350+440 100,100 | 350+440"), longest_ms=6000)
    assert not found.loops
    assert len(found.samples) == 6000 * 8
    assert not any(found.samples[100 * 8 : 200 * 8])
    assert level_dbm0(found.samples[3000 * 8 : 4000 * 8]) == pytest.approx(-13, abs=0.1)
    once = clip(Tone("once", (Step((440.0,), 300, 0),), repeat_from=None), longest_ms=1000)
    assert (len(once.samples), any(once.samples[300 * 8 :])) == (8000, False)


@pytest.mark.parametrize("country", known())
def test_no_clicks_in_any_tone_of_any_country(country: str) -> None:
    """No step between two samples is steeper than the tone's own frequencies make it, over the seam too."""
    for wanted in profile(country).tones:
        found = clip(wanted, longest_ms=3000)
        seam = found.samples[:1] if found.loops else array("h")
        steepest = max(abs(b - a) for a, b in zip(found.samples, (found.samples + seam)[1:], strict=False))
        hz = max(max(step.freqs_hz) for step in wanted.steps)
        many = max(len(step.freqs_hz) for step in wanted.steps)
        modulated = 2 / math.sqrt(1.5) if any(step.am_hz for step in wanted.steps) else 1.0
        peak = 10 ** ((wanted.level_dbm0 - FULL_SCALE_DBM0) / 20) * 32767 * math.sqrt(many) * modulated
        assert max(map(abs, found.samples)) <= peak + 2
        assert steepest <= 1.15 * 2 * math.pi * hz / RATE * peak + 4


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(300, 3400), min_size=1, max_size=4),
    st.integers(2 * RAMP_MS, 900),
    st.integers(0, 900),
    st.floats(-40, -6),
    st.sampled_from([8000, 16000]),
)
def test_any_tone_has_its_length_and_stays_within_the_scale(
    freqs: list[int], on_ms: int, off_ms: int, level: float, rate: int
) -> None:
    wanted = Tone("t", (Step(tuple(map(float, freqs)), on_ms, off_ms),), level)
    found = clip(wanted, rate)
    assert len(found.samples) == (on_ms + off_ms) * rate // 1000
    assert max(map(abs, found.samples)) <= 32767


def test_wav_is_what_players_read() -> None:
    found = clip(tone("dial", "425"))
    with wave.open(io.BytesIO(found.wav())) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (8000, 1, 2)
        assert read.readframes(8000) == found.samples.tobytes()


def test_sine_is_of_that_level_each() -> None:
    samples = sine((2130.0, 2750.0), 100, -16.0)
    assert len(samples) == 800
    assert level_dbm0(samples, 2130) == pytest.approx(-16, abs=0.5)
