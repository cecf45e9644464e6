"""DTMF as the box hears it from a phone: noise, twist and dial tone at once; speech that holds no digit.

    python -m tests.bench dtmf

SNR is the power of both tones against white noise of 0-4 kHz. Digits of 50 ms, 50 ms apart, 10,000 for each
figure. Twist is -8, 0, 8 dB and between; the dial tone of a country is as loud as the digit and goes on.
Speech: espeak-ng in all its languages and voices, fast and slow, high and low, at -24 to -12 dBm0, with noise
of 10 to 40 dB SNR, two hours. Recorded voices would be better; none come with Debian.
"""

import re
import subprocess
import time
from pathlib import Path
from typing import Final

import numpy as np

from gateway.phones.dsp import DtmfReceiver
from gateway.phones.model import DigitBegan, Tone
from gateway.phones.profiles import known, profile
from gateway.phones.tones import clip
from tests.bench.figures import Figure
from tests.phones import sounds

DIGITS: Final = 10_000
IN_A_ROW: Final = 100
SPEECH_S: Final = 7200
TEXT: Final = Path(__file__).resolve().parents[2] / "README.md"


def run(quick: bool) -> list[Figure]:
    """Shares of digits heard, digits too many, false digits in speech, delay, CPU."""
    part = 10 if quick else 1
    luck = np.random.default_rng(4733)
    figures: list[Figure] = []
    for snr_db, limit in ((12.0, 100.0), (10.0, 99.0)):
        for dial in (False, True):
            heard, extra, began_ms, cpu = _digits(DIGITS // part, snr_db, dial, luck)
            what = f"DTMF at {snr_db:g} dB SNR, twist to +-8 dB{', under dial tone' if dial else ''}"
            figures.append(Figure(what, "%", [heard], limit, "least", note=f"{DIGITS // part} digits"))
            figures.append(Figure(f"{what}: digits too many", "", [extra], 0, "worst"))
            if snr_db == 12.0:
                figures.append(Figure(f"{what}: until it is known that a digit began", "ms", began_ms, None))
                figures.append(Figure(f"{what}: CPU of a port", "%", [cpu], None))
    wanted_s = SPEECH_S / part
    false, spoken_s, voices, cpu = _speech(wanted_s, luck)
    note = f"{spoken_s / 3600:.2f} h, {voices} voices of espeak-ng"
    figures.append(Figure("false digits in speech", "", [false], 0, "worst", note=note))
    figures.append(Figure("DTMF receiver during speech: CPU of a port", "%", [cpu], None))
    return figures


def _digits(
    count: int, snr_db: float, dial: bool, luck: np.random.Generator
) -> tuple[float, float, list[float], float]:
    """(% heard, digits too many, ms from a digit's begin to DigitBegan, CPU %)."""
    right = extra = 0
    began_ms: list[float] = []
    cpu_s = sound_s = 0.0
    countries = known()
    for row in range(count // IN_A_ROW):
        tone = profile(countries[row % len(countries)]).dial if dial else None
        keys = sounds.random_keys(IN_A_ROW, luck)
        parts, begins = [np.zeros(1600)], []
        for key in keys:
            begins.append(sum(map(len, parts)) / sounds.RATE_HZ)
            twist = luck.choice([-8.0, 0.0, 8.0, luck.uniform(-8, 8)])
            parts += [sounds.press(key, luck, twist_db=twist), np.zeros(400)]
        line = np.concatenate([*parts, np.zeros(1600)])
        of = sounds.peak(-10) ** 2 / 2
        line += sounds.white(len(line), of, snr_db, luck)
        if tone is not None:
            line += _dial_tone(tone, len(line))
        receiver = DtmfReceiver()
        receiver.playing(tone)
        began = time.process_time()
        events = [e for at_s, frame in sounds.frames(sounds.pcm(line)) for e in receiver.feed(frame, at_s)]
        cpu_s += time.process_time() - began
        sound_s += len(line) / sounds.RATE_HZ
        receiver.close()
        got = sounds.keys(events)
        common = _common(keys, got)
        right += common
        extra += len(got) - common
        starts = [event.at_s for event in events if isinstance(event, DigitBegan)]
        for begin in begins:
            began_ms += [(at - begin) * 1000 for at in starts if begin < at <= begin + 0.1][:1]
    return right / count * 100, float(extra), began_ms, cpu_s / sound_s * 100


def _dial_tone(tone: Tone, length: int) -> sounds.Sound:
    """As loud as the digits, in whatever cadence it has."""
    samples = np.array(clip(tone).samples, float)
    return np.resize(samples, length) * sounds.peak(-10) / sounds.peak(tone.level_dbm0)


def _common(sent: str, got: str) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(got) + 1)
    for key in sent:
        last = 0
        for place, other in enumerate(got, 1):
            last, row[place] = row[place], last + 1 if key == other else max(row[place], row[place - 1])
    return row[-1]


def _speech(wanted_s: float, luck: np.random.Generator) -> tuple[float, float, int, float]:
    """(digits heard, seconds of speech, voices, CPU %)."""
    listed = subprocess.run(["espeak-ng", "--voices"], capture_output=True, text=True, check=True).stdout
    languages = re.findall(r"^ *\d+ +(\S+)", listed, re.MULTILINE)
    variants = [
        "",
        "+f1",
        "+f2",
        "+f3",
        "+f4",
        "+f5",
        "+m1",
        "+m2",
        "+m3",
        "+m4",
        "+m5",
        "+m6",
        "+m7",
        "+croak",
    ]
    sentences = [line for line in re.split(r"(?<=[.:|])\s+", TEXT.read_text()) if len(line) > 20]
    false, spoken_s, voices, cpu_s = 0, 0.0, set[str](), 0.0
    while spoken_s < wanted_s:
        voice = luck.choice(languages) + luck.choice(variants)
        text = (
            " ".join(luck.choice(sentences, 4)) + " " + " ".join(str(n) for n in luck.integers(0, 10**6, 4))
        )
        pace, pitch, level = luck.integers(110, 300), luck.integers(0, 99), luck.uniform(-24, -12)
        try:
            said = sounds.speech(text, voice, int(pace), int(pitch), float(level))
        except subprocess.CalledProcessError:
            continue  # a voice that needs another program
        if len(said) < sounds.RATE_HZ:
            continue
        said += sounds.white(len(said), sounds.power(said), float(luck.uniform(10, 40)), luck)
        receiver = DtmfReceiver()
        began = time.process_time()
        for at_s, frame in sounds.frames(sounds.pcm(said)):
            false += len(sounds.keys(receiver.feed(frame, at_s)))
        cpu_s += time.process_time() - began
        receiver.close()
        spoken_s += len(said) / sounds.RATE_HZ
        voices.add(voice)
    return float(false), spoken_s, len(voices), cpu_s / spoken_s * 100
