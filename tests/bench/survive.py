"""Calls through a failover: 1, 10 and 50 of them up, carrier loss and blackhole in turn.

A call has survived when the far end has it still, hears it again, and is heard in the box again.
"""

import time
from collections import Counter

from tests.bench import scene
from tests.bench.figures import ASTERISK, Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.farend import FarCall

RUNS = {1: (2, 20), 10: (1, 20), 50: (1, 10)}
"""Calls up at once -> runs, quick and in full: 50 in all."""
SETTLE_S = 3.0
STUCK_S = 34.0
"""A transaction left on the dead path would end a moved call 32 s later (RFC 3261, timer B and F)."""


def run(quick: bool) -> list[Figure]:
    """Per cent of the calls, run by run."""
    figures = []
    with Scene("survive", phones=50) as stage:
        total = 0
        for count, (few, many) in RUNS.items():
            values: list[float] = []
            runs = few if quick else many
            for number in range(runs):
                if total % (2 * scene.DAMPED_AFTER) == 0 and total:
                    stage.fresh_daemon()
                total += 1
                stays = number == runs - 1 and not quick
                values.append(_one(stage, count, total, STUCK_S if stays else SETTLE_S))
            note = "" if quick else f"the last run was watched for {STUCK_S:g} s after the cut"
            name = f"calls surviving, {count} up"
            figures.append(Figure(name, "%", values, 100, "least", (ASTERISK,), note))
    return figures


def _one(stage: Scene, count: int, number: int, watch_s: float) -> float:
    stage.await_up(plan.MAIN, plan.BACKUP1)
    calls = stage.dial(count=count)
    time.sleep(1.5)
    cut = stage.lab.cut_carrier if number % 2 else stage.lab.blackhole
    cut(stage.active())
    time.sleep(watch_s)
    with stage.capture() as capture:
        time.sleep(0.5)
        heard_in_box = Counter(p.destination_port for p in scene.arrivals(capture.packets()))
    since_s = time.time() - 0.5
    now = [stage.now(call) for call in calls]
    alive = [c for c in now if c.ended_s is None and _heard_since(stage, c, since_s)]
    stage.hang_up()
    stage.heal()
    return 100 * min(len(alive), len(heard_in_box)) / count


def _heard_since(stage: Scene, call: FarCall, since_s: float) -> bool:
    return any(packet.at_s >= since_s for packet in stage.lab.far.heard(call))
