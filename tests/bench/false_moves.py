"""Bad weather and far ends that pause: a call that is up must stay where it is."""

import time

from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan

LOSS = 0.02
JITTER_MS = 60.0
PAUSE_ENDS_S = 8.5
"""The far end pauses from the third second of its call to the eighth."""


def run(quick: bool) -> list[Figure]:
    """Moves and switches that nothing called for."""
    minutes = 0.5 if quick else 30.0
    with Scene("false_moves") as stage:
        paused = [_moved(stage, plan.PAUSES, PAUSE_ENDS_S) for _ in range(1 if quick else 5)]
        stage.lab.impair(plan.MAIN, loss=LOSS, jitter_ms=JITTER_MS)
        weather = _moved(stage, plan.ANSWERS, minutes * 60)
        stage.heal()
    return [
        Figure(
            "false moves at 2 % loss and 60 ms jitter",
            "",
            [weather],
            0,
            "worst",
            note=f"measured for {minutes:g} min" + (", not the 30 min that the limit asks" if quick else ""),
        ),
        Figure("false moves while the far end pauses for 5 s", "", paused, 0, "worst"),
    ]


def _moved(stage: Scene, number: str, seconds: float) -> float:
    """How often calls were moved or the trunk changed its uplink during one call of so many seconds; a call
    that ended too early counts as well."""
    stage.await_up(plan.MAIN)
    since_s = time.time()
    (call,) = stage.dial(number)
    time.sleep(seconds)
    ended = stage.now(call).ended_s is not None
    moved = len(stage.events("moved", since_s)) + len(stage.events("switch", since_s))
    if not ended:
        stage.hang_up()
    return moved + ended
