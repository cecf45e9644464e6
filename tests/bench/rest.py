"""Memory and CPU of both processes while nothing happens but watching: three uplinks, no call."""

import time

from tests.bench import scene
from tests.bench.figures import Figure
from tests.bench.scene import Scene


def run(quick: bool) -> list[Figure]:
    """Each process for itself, and their CPU together."""
    seconds = 10.0 if quick else 30.0
    with Scene("rest") as stage:
        time.sleep(3.0)  # starting is not resting
        pids = {"daemon": stage.box.pid("daemon"), "calls": stage.box.pid("calls")}
        before = {process: scene.usage(pid) for process, pid in pids.items()}
        time.sleep(seconds)
        after = {process: scene.usage(pid) for process, pid in pids.items()}
    cpu = {p: 100 * (after[p].cpu_s - before[p].cpu_s) / seconds for p in pids}
    note = f"over {seconds:g} s"
    return [
        Figure("at rest: daemon, resident memory", "MB", [after["daemon"].rss_mb], 50, "worst"),
        Figure("at rest: calls process, resident memory", "MB", [after["calls"].rss_mb], 50, "worst"),
        Figure(
            "at rest: CPU of both, of one core",
            "%",
            [sum(cpu.values())],
            2,
            "worst",
            note=note,
            steps={"daemon": [cpu["daemon"]], "calls process": [cpu["calls"]]},
        ),
    ]
