"""Makes the prompts: `speak.py DIRECTORY` writes DIRECTORY/<language>/<key>.wav with espeak-ng, where they
are not there yet or the words have changed.

16-bit mono at a rate of which 20 ms are a whole number of samples, as a bridge wants it; silence at both ends
is cut, and all are equally loud.
"""

import hashlib
import math
import subprocess
import sys
import tempfile
import wave
from array import array
from pathlib import Path
from typing import Final

from sentences import LANGUAGES, SENTENCES

VOICES: Final = {"en": "en-gb", "de": "de", "fr": "fr-fr", "es": "es"}
WORDS_A_MINUTE: Final = 150
RATE_HZ: Final = 16_000
SPEECH_DBFS: Final = -20.0
"""RMS of what is not silence; about -17 dBm0, as speech comes from a telephone."""
QUIET: Final = 200
LEAD_S: Final = 0.02
TAIL_S: Final = {True: 0.10, False: 0.35}
"""After a sign and after a sentence."""


def main(directory: Path) -> None:
    """Make what is missing, all of it new when a word or this file has changed."""
    stamp = directory / ".stamp"
    text = repr((SENTENCES, VOICES, Path(__file__).read_text(), _version()))
    wanted = hashlib.sha256(text.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    directory.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for number, language in enumerate(LANGUAGES):
        (directory / language).mkdir(exist_ok=True)
        for key, texts in SENTENCES.items():
            speak(
                VOICES[language], texts[number], directory / language / f"{key}.wav", sign=len(texts[0]) < 7
            )
    stamp.write_text(wanted)
    print(f"{len(LANGUAGES) * len(SENTENCES)} prompts in {directory}")


def _version() -> str:
    return subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout


def resampled(samples: "array[int]", rate_hz: int) -> "array[int]":
    """At RATE_HZ, by straight lines between samples: speech has next to nothing that would fold back."""
    count = (len(samples) - 1) * RATE_HZ // rate_hz
    made = array("h")
    for n in range(count):
        at, part = divmod(n * rate_hz, RATE_HZ)
        made.append(samples[at] + (samples[at + 1] - samples[at]) * part // RATE_HZ)
    return made


def speak(voice: str, text: str, path: Path, *, sign: bool) -> None:
    """Synthesise one prompt. Raises CalledProcessError when espeak-ng cannot."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as raw:
        command = ["espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "-w", raw.name, "--", text]
        subprocess.run(command, check=True, capture_output=True)
        with wave.open(raw.name, "rb") as file:
            rate_hz = file.getframerate()
            samples = array("h", file.readframes(file.getnframes()))
    samples, rate_hz = resampled(samples, rate_hz), RATE_HZ
    loud = [n for n, sample in enumerate(samples) if abs(sample) > QUIET]
    if not loud:
        raise ValueError(f"espeak-ng said nothing for {text!r}")
    spoken = samples[loud[0] : loud[-1] + 1]
    rms = math.sqrt(sum(s * s for s in spoken if abs(s) > QUIET) / len(loud))
    gain = min(10 ** (SPEECH_DBFS / 20) * 32768 / rms, 32000 / max(map(abs, spoken)))
    lead, tail = (array("h", bytes(2 * round(s * rate_hz))) for s in (LEAD_S, TAIL_S[sign]))
    whole = lead + array("h", (round(sample * gain) for sample in spoken)) + tail
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(whole.tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
