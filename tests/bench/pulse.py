"""Dial pulses: 10,000 digits of dials of 8-22 pps, 50-70 % break, contacts that bounce, R keys between.

    python -m tests.bench pulse

The hook table hears edges with the kernel's stamps; each deadline is kept late by up to 10 ms, as a busy loop
would. One figure counts digits that were lost, wrong or too many; the other flashes that became digits, and
digits that became flashes.
"""

import random
from typing import Final

from gateway.phones.hook import Edge, Heard, Hook
from gateway.phones.model import Digit, Flash
from gateway.phones.pulse import DIALS, LoopTimes
from tests.bench.figures import Figure
from tests.phones.loops import Handset

DIGITS: Final = 10_000
IN_A_ROW: Final = 10


def run(quick: bool) -> list[Figure]:
    """Two figures of counts: 0 is the limit of both."""
    luck = random.Random(20)
    wrong = mistaken = dialled = flashed = 0
    for _ in range((DIGITS // 10 if quick else DIGITS) // IN_A_ROW):
        dial = luck.choice(sorted(DIALS))
        handset = Handset(
            bounce_ms=luck.choice([0, luck.uniform(0, 5), 5]), seed=luck.randrange(1 << 30)
        ).lift()
        told: list[str] = []
        for _ in range(IN_A_ROW):
            if luck.random() < 0.1:
                handset.open_for(luck.uniform(101, 790)).wait(300)
                told.append("flash")
            key = luck.choice("0123456789")
            pps = luck.choice([8, 10, 20, 22, luck.uniform(8, 22)])
            handset.dial(key, pps, luck.uniform(0.5, 0.7), dial, luck.uniform(200, 900))
            told.append(key)
        heard = [
            "flash" if isinstance(event, Flash) else event.key
            for event in _late(Hook(LoopTimes(), dial), handset.edges, handset.now + 1, luck)
            if isinstance(event, Flash | Digit)
        ]
        digits = [key for key in told if key != "flash"]
        got = [key for key in heard if key != "flash"]
        wrong += sum(a != b for a, b in zip(digits, got, strict=False)) + abs(len(digits) - len(got))
        mistaken += abs(told.count("flash") - heard.count("flash")) + (told != heard and digits == got)
        dialled += len(digits)
        flashed += told.count("flash")
    note = f"{dialled} digits, {flashed} flashes, 3 kinds of dial, bounce to 5 ms, deadlines to 10 ms late"
    return [
        Figure("pulse dialling: digits lost, wrong or too many", "", [wrong], 0, "worst", note=note),
        Figure("pulse dialling: flashes and digits mistaken", "", [mistaken], 0, "worst"),
    ]


def _late(hook: Hook, edges: list[Edge], until_s: float, luck: random.Random) -> list[Heard]:
    """As `tests.phones.loops.hear`, with deadlines kept late where no edge came before."""
    heard: list[Heard] = []
    for edge in [*edges, Edge(edges[-1].closed, until_s)]:
        while (due := hook.due) is not None and (late := due + luck.uniform(0, 0.01)) < edge.at_s:
            heard += hook.receive(None, late)
        heard += hook.receive(edge, edge.at_s + luck.uniform(0, 0.01))
    return heard
