"""Tones of the country and words of the language, as files; what is missing is spoken in English or not."""

import wave
from pathlib import Path
from typing import get_args

from gateway.phones.callside import ToneName
from gateway.phones.model import RingCadence
from gateway.phones.sounds import Sounds


def prompt(directory: Path, language: str, name: str) -> Path:
    path = directory / language / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_every_tone_that_a_line_plays_is_there(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path / "tones", "DE", "de", tmp_path)
    for name in get_args(ToneName):
        path, loops = sounds.tone(name)
        with wave.open(path) as file:
            assert file.getnframes() > 800
        assert loops or name in ("stutter", "second", "confirm")


def test_phone_of_another_country_has_its_own_tones_and_bell(tmp_path: Path) -> None:
    sounds = Sounds(tmp_path, "GB", "en", tmp_path)
    assert sounds.tone("busy") != sounds.tone("busy", "US")
    assert sounds.tone("busy", "GB") == sounds.tone("busy")
    assert sounds.cadence("outside") == RingCadence((400, 200, 400, 2000))
    assert sounds.cadence("outside", "US") == RingCadence((2000, 4000))
    assert len({sounds.cadence("outside"), sounds.cadence("inside"), sounds.cadence("recall")}) == 3


def test_words_of_the_language_else_english_else_nothing(tmp_path: Path) -> None:
    own, english = prompt(tmp_path, "de", "done"), prompt(tmp_path, "en", "fault")
    sounds = Sounds(tmp_path / "tones", "DE", "de", tmp_path)
    assert sounds.prompts(("done", "nowhere", "fault")) == (str(own), str(english))
    sounds.settle("DE", "it")
    assert sounds.prompts(("fault",)) == (str(english),)
