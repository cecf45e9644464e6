"""A blackhole with no call up: the active probe alone must see it."""

import time

from tests.bench import scene
from tests.bench.figures import DPINGER, MWAN3, OPNSENSE, Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.netns import LabError


def run(quick: bool) -> list[Figure]:
    """From the hole to the kernel's new route for the trunk."""
    values: list[float] = []
    with Scene("idle") as stage:
        for number in range(4 if quick else 40):
            if number % (2 * scene.DAMPED_AFTER) == 0 and number:
                stage.fresh_daemon()
            stage.await_up(plan.MAIN, plan.BACKUP1)
            # Every phase of the 200 ms between two probes shall have its turn.
            time.sleep(1.0 + number * 0.037 % 0.2)
            values.append(_one(stage))
            stage.heal()
    return [
        Figure(
            "blackhole, no call -> decided",
            "ms",
            values,
            700,
            anchors=(MWAN3, OPNSENSE, DPINGER),
            note="hole -> route of the trunk changed, as the kernel reports it; probe every 200 ms",
        )
    ]


def _one(stage: Scene) -> float:
    with stage.routes_watched() as routes:
        at = stage.lab.blackhole(stage.active())
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if changes := [t for t in routes() if t > at]:
                return (changes[0] - at) * 1000
            time.sleep(0.05)
    raise LabError(f"the trunk's route did not change within 5 s of the hole; logs in {stage.logs}")
