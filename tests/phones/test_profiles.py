"""The table of countries: sound in itself, and beside libtonezone's, typed by others from the same papers."""

from collections.abc import Sequence
from typing import Final, get_args

import pytest

from gateway.phones import countries
from gateway.phones.callside import ToneName
from gateway.phones.hook import Hook
from gateway.phones.model import Tone
from gateway.phones.profiles import METHODS, TIMES, known, profile, tone_of
from tests.phones import tonezone
from tests.phones.loops import Handset, hear, keys, kinds

# Where we differ from libtonezone on purpose, and why.
EXCEPTIONS: Final = {
    ("AR", "ringback"): "the list of ITU-T gives 1.0 s and 4.0 s",
    ("AR", "ring"): "as its ringing tone",
    ("AR", "busy"): "the list of ITU-T gives 0.3 s and 0.2 s",
    ("AR", "congestion"): "the list of ITU-T gives 0.3 s and 0.4 s",
    ("AR", "waiting"): "the list of ITU-T gives two bursts of 0.4 s",
    ("AU", "dial"): "the zone has 415 Hz, its other tones 413 Hz",
    ("AU", "waiting"): "two bursts of 0.2 s in the list of ITU-T",
    ("CR", "waiting"): "the zone sounds for 8 s where a pause is meant",
    ("DE", "waiting"): "the zone stops after six; a line stops it by itself",
    ("DK", "waiting"): "the zone plays a whole once; here a round is repeated",
    ("IL", "dial"): "400 Hz in the list of ITU-T, 414 Hz in the zone",
    ("IL", "busy"): "400 Hz in the list of ITU-T, 414 Hz in the zone",
    ("IL", "ringback"): "400 Hz in the list of ITU-T, 414 Hz in the zone",
    ("IL", "congestion"): "400 Hz in the list of ITU-T, 414 Hz in the zone",
    ("IL", "waiting"): "one burst of 0.15 s in the list of ITU-T",
    ("JP", "ringback"): "400 Hz modulated by 15-20 Hz; the zone adds a 15 Hz that no phone can carry",
    ("JP", "waiting"): "modulated as well",
    ("MX", "ring"): "as its ringing tone, 1 s and 4 s",
    ("PT", "waiting"): "the zone leaves out the pauses between the bursts",
    ("TH", "waiting"): "the zone sounds 10000 Hz where a pause of 10 s is meant",
    ("TR", "waiting"): "a pause of 8 s, not 0.8 s",
    ("TW", "ring"): "as its ringing tone, 1 s and 2 s",
    ("ZA", "waiting"): "one burst of 0.4 s every 4 s in the list of ITU-T",
}
SAME_TIME = 0.03
"""0.33 s and 1/3 s, 1.20 s and 1.203 s stand for one another; frequencies must be the same."""


def rounds(tone: Tone) -> tuple[tuple[tuple[float, ...], float, int, int], ...]:
    assert tone.repeat_from is not None
    return tuple((s.freqs_hz, s.am_hz, s.on_ms, s.off_ms) for s in tone.steps[tone.repeat_from :])


def alike(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    return len(ours) == len(theirs) and all(
        abs(a - b) <= SAME_TIME * max(a, b) for a, b in zip(ours, theirs, strict=True)
    )


def test_as_libtonezone_or_for_a_reason() -> None:
    try:
        tonezone.zone("US")
    except OSError:
        pytest.skip("libtonezone2.0 is not installed")
    differ, compared = set(), 0
    for country in known():
        if (found := tonezone.zone(country)) is None:
            continue
        sounds, ring = found
        ours = {tone.name: tone for tone in profile(country).tones}
        for use, notation in sounds.items():
            compared += 1
            mine, theirs = rounds(ours[use]), tonezone.round_of(notation)
            same = [step[:2] for step in mine] == [step[:2] for step in theirs]
            if not same or not alike(*([ms for step in of for ms in step[2:]] for of in (mine, theirs))):
                differ.add((country, use))
        if not alike(profile(country).ring.periods_ms, ring):
            differ.add((country, "ring"))
    assert compared > 200
    assert differ == set(EXCEPTIONS), f"new: {differ - set(EXCEPTIONS)}, gone: {set(EXCEPTIONS) - differ}"


def test_thirty_countries_and_more() -> None:
    assert len(known()) >= 30
    assert {"US", "GB", "DE", "FR", "ES", "IT", "SE", "NZ", "JP", "IN", "BR", "AU"} <= set(known())


@pytest.mark.parametrize("country", [*known(), "XX"])
def test_a_profile_is_whole(country: str) -> None:
    it = profile(country)
    assert it.times.break_most_ms < it.times.flash_least_ms
    assert 15 <= it.ring_hz <= 50
    assert len(it.ring.periods_ms) % 2 == 0
    # A bell rings for a while and leaves room for the samples of caller ID, of 0.8 s at most.
    assert sum(it.ring.periods_ms[::2]) >= 800
    assert max(it.ring.periods_ms[1::2]) >= 2000
    for tone in it.tones:
        for step in tone.steps:
            assert all(300 <= hz <= 3400 and hz == int(hz) for hz in step.freqs_hz)
            assert step.off_ms == 0 or step.on_ms > 0
    assert len({tone.name for tone in it.tones}) == len(it.tones)
    sounds = [rounds(tone) for tone in (it.dial, it.ringback, it.busy)]
    assert len(set(sounds)) == 3


@pytest.mark.parametrize("country", known())
def test_an_ordinary_dial_and_the_r_key_work_in_every_country(country: str) -> None:
    """10 pps within a tenth with 60-67 % break, and the flash of that country's phones."""
    it = profile(country)
    flash_ms = {"america": 500, "wide": 270}.get(countries.TABLE[country].times, 100)
    for pps in (9.0, 10.0, 11.0):
        for share in (0.6, 0.667):
            handset = Handset(bounce_ms=5).lift()
            for key in "1950":
                handset.dial(key, pps, share, it.dial_pulses)
            handset.open_for(flash_ms).wait(300)
            heard = hear(Hook(it.times, it.dial_pulses), handset.edges, handset.now)
            assert keys(heard) == "1950"
            assert kinds(heard).count("Flash") == 1


@pytest.mark.parametrize("name", get_args(ToneName))
def test_every_tone_that_a_line_asks_for_is_there(name: str) -> None:
    for country in ("GB", "US", "DE", "IT", "XX"):
        assert tone_of(profile(country), name).name == name


def test_every_choice_is_used_by_somebody() -> None:
    rows = countries.TABLE.values()
    assert {row.times for row in rows} == set(TIMES)
    assert {row.caller_id for row in rows} == set(METHODS)
    assert {row.dial_pulses for row in rows} == {"normal", "sweden", "new_zealand"}
