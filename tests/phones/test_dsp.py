"""spandsp through its door: digits in noise, with twist, under dial tone; caller ID there and back.

The figures are tests/bench/dtmf.py's and callerid.py's; here is enough of each to see that it works.
"""

from array import array

import numpy as np
import pytest

from gateway.errors import DoorError
from gateway.phones import callerid, dsp, fsk
from gateway.phones.dsp import DtmfReceiver, FskReceiver
from gateway.phones.model import KEYS, Caller, Digit, DigitBegan, Event, Tone
from gateway.phones.profiles import profile
from gateway.phones.tones import clip, tone
from tests.phones import sounds

CALLER = Caller("442079460001", "Jürgen Müller", "", (11, 23, 16, 5))


def hear(samples: "array[int]", playing: Tone | None = None) -> list[Event]:
    receiver = DtmfReceiver()
    receiver.playing(playing)
    return [event for at_s, frame in sounds.frames(samples) for event in receiver.feed(frame, at_s)]


def line(
    keys: str, *, twist_db: float = 0.0, on_ms: int = 50, off_ms: int = 50, seed: int = 1
) -> sounds.Sound:
    luck = np.random.default_rng(seed)
    parts = [np.zeros(800)]
    for key in keys:
        parts += [sounds.press(key, luck, twist_db=twist_db, on_ms=on_ms), np.zeros(off_ms * 8)]
    return np.concatenate([*parts, np.zeros(800)])


def noisy(sound: sounds.Sound, snr_db: float, seed: int = 2) -> sounds.Sound:
    return sound + sounds.white(len(sound), sounds.peak(-10) ** 2 / 2, snr_db, np.random.default_rng(seed))


def test_every_key_begins_before_it_is_known() -> None:
    events = hear(sounds.pcm(line(KEYS)))
    assert [type(event) for event in events] == [DigitBegan, Digit] * 16
    assert sounds.keys(events) == KEYS
    for place, event in enumerate(events[::2]):
        assert 0.01 <= event.at_s - (0.1 + 0.1 * place) <= 0.05


@pytest.mark.parametrize("twist_db", [-8.0, 0.0, 8.0])
def test_digits_in_noise_with_twist(twist_db: float) -> None:
    keys = sounds.random_keys(100, np.random.default_rng(3))
    assert sounds.keys(hear(sounds.pcm(noisy(line(keys, twist_db=twist_db), 12)))) == keys


@pytest.mark.parametrize("country", ["DE", "US", "FR", "GB", "AU", "IN", "ZA", "IT", "CN"])
def test_digits_under_the_dial_tone_of_a_country(country: str) -> None:
    keys = sounds.random_keys(50, np.random.default_rng(4))
    dial = profile(country).dial
    sound = noisy(line(keys), 15)
    sound += np.resize(np.array(clip(dial).samples, float), len(sound)) * sounds.peak(-10) / sounds.peak(-13)
    assert sounds.keys(hear(sounds.pcm(sound), dial)) == keys


def test_dial_tone_that_stops_leaves_no_digit_behind() -> None:
    dial = tone("dial", "425")
    receiver, events = DtmfReceiver(), []
    receiver.playing(dial)
    sound = line("5", off_ms=400)
    loud = np.resize(np.array(clip(dial).samples, float), len(sound))
    loud[1400:] = 0  # in the middle of the digit and of a block
    for at_s, frame in sounds.frames(sounds.pcm(sound + loud)):
        for event in receiver.feed(frame, at_s):
            events.append(event)
            receiver.playing(None)
    assert sounds.keys(events) == "5"


@pytest.mark.parametrize(("on_ms", "off_ms"), [(40, 40), (50, 45), (70, 70), (400, 60), (3000, 100)])
def test_short_and_long_presses_are_one_digit_each(on_ms: int, off_ms: int) -> None:
    keys = "11225599##00"
    assert sounds.keys(hear(sounds.pcm(line(keys, on_ms=on_ms, off_ms=off_ms)))) == keys
    assert sounds.keys(hear(sounds.pcm(noisy(line(keys, on_ms=on_ms, off_ms=off_ms), 15)))) == keys


def test_what_is_too_short_too_soft_or_a_single_tone_is_none() -> None:
    assert not sounds.keys(hear(sounds.pcm(line("1590", on_ms=18))))
    assert not sounds.keys(hear(sounds.pcm(line("1590") * 10 ** (-45 / 20))))
    n = np.arange(16000)
    assert not hear(sounds.pcm(sounds.peak(-10) * np.sin(2 * np.pi * 697 * n / 8000)))
    assert not hear(sounds.pcm(sounds.white(80000, sounds.peak(-10) ** 2, 0, np.random.default_rng(5))))


def test_speech_is_no_digit() -> None:
    text = "The quick brown fox calls 0 1 2 3 4 5 6 7 8 9, and nobody answers. " * 3
    for voice, speed, pitch in (("en", 160, 50), ("de+f3", 200, 80), ("fr+m4", 130, 20), ("es+f5", 240, 99)):
        said = sounds.speech(text, voice, speed, pitch, -16)
        assert len(said) > 5 * 8000
        assert not sounds.keys(hear(sounds.pcm(noisy(said, 30))))


def test_frames_of_any_length() -> None:
    samples = sounds.pcm(line("1234567890"))
    for size in (37, 80, 441, 100_000):
        receiver = DtmfReceiver()
        parts = (samples[begin : begin + size] for begin in range(0, len(samples), size))
        assert sounds.keys([event for part in parts for event in receiver.feed(part, 0.0)]) == "1234567890"


def test_closed_receivers_stay_closed() -> None:
    receiver, reader = DtmfReceiver(), FskReceiver("class")
    for _ in range(2):
        receiver.close()
        reader.close()


def test_sent_digits_are_heard() -> None:
    samples = dsp.dtmf(KEYS, on_ms=70, off_ms=70, level_dbm0=-12, twist_db=2)
    assert len(samples) == 16 * 140 * 8
    assert sounds.keys(hear(array("h", bytes(1600)) + samples + array("h", bytes(1600)))) == KEYS
    with pytest.raises(DoorError, match="too many"):
        dsp.dtmf("1" * 200)


# --- caller ID ------------------------------------------------------------------------------------


def read(samples: "array[int]", standard: fsk.Fsk) -> list[bytes]:
    receiver = FskReceiver(standard)
    padded = array("h", bytes(3200)) + samples + array("h", bytes(3200))
    return [message for _, frame in sounds.frames(padded) for message in receiver.feed(frame)]


WAYS: list[tuple[fsk.Fsk, bool]] = [("class", False), ("class", True), ("etsi", False), ("etsi", True)]


@pytest.mark.parametrize(("standard", "alert"), WAYS)
@pytest.mark.parametrize(
    "message",
    [
        callerid.message(CALLER),
        callerid.message(Caller("", absent="private")),
        callerid.message(Caller("", absent="unavailable")),
        callerid.message(Caller("1" * 20, "X" * 15)),
        callerid.waiting(True),
        callerid.waiting(False),
    ],
)
def test_messages_there_and_back(standard: fsk.Fsk, alert: bool, message: bytes) -> None:
    samples = fsk.samples(message, standard, alert=alert)
    assert read(samples, standard) == [message]
    assert len(samples) / 8000 < 1.2


def test_alert_tone_is_as_long_as_the_standard_has_it() -> None:
    """EN 300 659-1: DT-AS of 88-110 ms, then at least 45 ms of silence."""
    samples = np.array(fsk.samples(callerid.waiting(True), "etsi", alert=True), float)
    loud = [bool(np.max(np.abs(samples[n : n + 80])) > 100) for n in range(0, 2400, 80)]
    assert loud.index(False) in (9, 10, 11)
    assert loud[loud.index(False) :].index(True) >= 5


def test_standards_are_not_the_same() -> None:
    assert fsk.samples(callerid.message(CALLER), "class") != fsk.samples(callerid.message(CALLER), "etsi")


def test_digits_of_a_number_are_heard_by_a_receiver() -> None:
    samples = dsp.dtmf(callerid.digits(CALLER))
    assert sounds.keys(hear(array("h", bytes(1600)) + samples + array("h", bytes(1600)))) == "A442079460001C"


def test_library_that_is_missing_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsp, "SONAME", "libnothere.so.9")
    dsp._library.cache_clear()
    with pytest.raises(DoorError, match="libspandsp2t64"):
        dsp.load()
    monkeypatch.undo()
    dsp._library.cache_clear()
    dsp.load()
