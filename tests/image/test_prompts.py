"""Whatever a handset may be told has words in every language, and becomes sound."""

import importlib.util
import sys
import wave
from pathlib import Path
from types import ModuleType

import pytest

from gateway.calls.routing import WORDS
from gateway.phones import spoken
from gateway.phones.keys import SILENT_REASONS
from gateway.phones.model import KEYS

HERE = Path(__file__).resolve().parents[2] / "image" / "prompts"


def module(name: str) -> ModuleType:
    """One of the scripts of image/prompts, which are no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


sentences = module("sentences")
speak = module("speak")


def test_every_reason_of_the_trunk_can_be_spoken_in_every_language() -> None:
    assert set(WORDS) <= set(sentences.SENTENCES)
    assert set(SILENT_REASONS) <= set(WORDS), "a busy tone stands for reasons, not for anything else"
    for key, texts in sentences.SENTENCES.items():
        assert len(texts) == len(sentences.LANGUAGES), key
        assert all(text.strip() for text in texts), key
    assert set(sentences.LANGUAGES) == set(speak.VOICES) >= {"en", "de", "fr", "es"}


def test_lines_say_nothing_that_is_not_recorded() -> None:
    source = "".join(
        (Path(spoken.__file__).parent / name).read_text() for name in ("line.py", "keys.py", "digits.py")
    )
    said = {key for key in sentences.SENTENCES if f'"{key}"' in source}
    assert {"hang_up", "pin_wrong", "forward_refused", "nothing_rings"} <= said
    words = set(spoken.box_state(("192.168.0.14", "fd00::be:c"), 0)) | set(spoken.box_state((), 1))
    words |= set(spoken.box_state((), None)) | set(spoken.digits(KEYS.lower()))
    assert words <= set(sentences.SENTENCES)


@pytest.mark.parametrize("language", sentences.LANGUAGES)
def test_sentence_becomes_speech_of_even_loudness(language: str, tmp_path: Path) -> None:
    path = tmp_path / "all_down.wav"
    text = sentences.SENTENCES["all_down"][sentences.LANGUAGES.index(language)]
    speak.speak(speak.VOICES[language], text, path, sign=False)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        seconds = file.getnframes() / file.getframerate()
        frames = memoryview(file.readframes(file.getnframes())).cast("h")
    assert 2.0 < seconds < 10.0
    assert 8_000 < max(map(abs, frames)) <= 32_000
