"""Caller ID as spandsp's receiver reads it, in white noise (0-4 kHz) 15 dB below the signal.

python -m tests.bench callerid
"""

from typing import Final

import numpy as np

from gateway.phones import callerid, dsp, fsk
from gateway.phones.model import Caller
from tests.bench.figures import Figure
from tests.phones import sounds

MESSAGES: Final = 1000
SNR_DB: Final = 15.0


def run(quick: bool) -> list[Figure]:
    """The share of messages read whole: number, name, time, absence, waiting messages."""
    luck = np.random.default_rng(659)
    count = MESSAGES // 10 if quick else MESSAGES
    figures = []
    ways: tuple[tuple[fsk.Fsk, bool], ...] = (("class", False), ("etsi", False), ("etsi", True))
    for standard, alert in ways:
        read = sum(_read(standard, alert, luck) for _ in range(count))
        what = f"caller ID, {standard}{' after DT-AS' if alert else ''}, at {SNR_DB:g} dB SNR"
        figures.append(Figure(what, "%", [read / count * 100], 100, "least", note=f"{count} messages"))
    return figures


def _read(standard: fsk.Fsk, alert: bool, luck: np.random.Generator) -> bool:
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .-'&0123456789")
    caller = Caller(
        "".join(luck.choice(list("0123456789"), luck.integers(3, 21))),
        "".join(luck.choice(letters, luck.integers(0, 16))),
        luck.choice(["", "", "", "", "private", "unavailable"]),
        (
            int(luck.integers(1, 13)),
            int(luck.integers(1, 29)),
            int(luck.integers(24)),
            int(luck.integers(60)),
        ),
    )
    message = callerid.message(caller) if luck.random() > 0.1 else callerid.waiting(bool(luck.integers(2)))
    signal = np.array(fsk.samples(message, standard, alert=alert), float)
    loud = sounds.peak(fsk.LEVEL_DBM0) ** 2 / 2
    line = np.concatenate([np.zeros(1600), signal, np.zeros(1600)])
    line += sounds.white(len(line), loud, SNR_DB, luck)
    receiver = dsp.FskReceiver(standard)
    got = [found for _, frame in sounds.frames(sounds.pcm(line)) for found in receiver.feed(frame)]
    receiver.close()
    return message in got  # noise before it may look like another one
