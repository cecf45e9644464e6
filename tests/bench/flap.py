"""A cable that comes and goes every second: the trunk leaves it, waits for peace, and nothing piles up."""

import time

from tests.bench import scene
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.box import Process

SWITCHES_AN_HOUR = 12
SAMPLES = 20


def run(quick: bool) -> list[Figure]:
    """Switches, leaks and growth over so many minutes of flapping."""
    minutes = 0.4 if quick else 10.0
    with Scene("flap", failback_after_s=30.0) as stage:
        stage.dial()
        stage.hang_up()  # what is allocated once shall be allocated
        time.sleep(2.0)
        before = _held(stage)
        memory = {"daemon": [_memory(stage, "daemon")], "calls process": [_memory(stage, "calls")]}
        since_s, began = time.time(), time.monotonic()
        while (passed := time.monotonic() - began) < minutes * 60:
            stage.lab.cut_carrier(plan.MAIN)
            time.sleep(0.5)
            stage.lab.restore_carrier(plan.MAIN)
            time.sleep(0.5)
            if passed >= len(memory["daemon"]) * minutes * 60 / SAMPLES:
                memory["daemon"].append(_memory(stage, "daemon"))
                memory["calls process"].append(_memory(stage, "calls"))
        switches = len(stage.events("switch", since_s))
        stage.await_up(*plan.UPLINKS)
        time.sleep(2.0)
        after = _held(stage)
    allowed = max(2.0, SWITCHES_AN_HOUR * minutes / 60)
    note = f"flapped for {minutes:g} min" + (", not the 10 min that the limit asks" if quick else "")
    leaks = sum(max(0, after[what] - before[what]) for what in before)
    return [
        Figure(
            "flap 1/s: switches",
            "",
            [switches],
            allowed,
            "worst",
            note=f"{note}; {SWITCHES_AN_HOUR} an hour are {SWITCHES_AN_HOUR * 10 // 60} in 10 min",
        ),
        Figure(
            "flap 1/s: leaked rules, routes, sockets, files",
            "",
            [leaks],
            0,
            "worst",
            note="; ".join(f"{what} {before[what]} -> {after[what]}" for what in before),
        ),
        Figure(
            "flap 1/s: growth of resident memory, both processes",
            "MB",
            [sum(samples[-1] - samples[SAMPLES // 5] for samples in memory.values())],
            1,
            "worst",
            note=f"{note}; from the first fifth of the time to its end",
            steps=memory,
        ),
    ]


def _held(stage: Scene) -> dict[str, int]:
    run = stage.lab.box_exec
    daemon, calls = (scene.usage(stage.box.pid("daemon")), scene.usage(stage.box.pid("calls")))
    return {
        "rules": len(run(["ip", "rule"]).splitlines()),
        "routes": len(run(["ip", "route", "show", "table", "all"]).splitlines()),
        "elements of the guard": run(["nft", "list", "table", "inet", "steadyline_guard"]).count("wan"),
        "sockets": len(run(["ss", "-Hanuw"]).splitlines()),
        "files of the daemon": daemon.files,
        "files of the calls process": calls.files,
    }


def _memory(stage: Scene, process: Process) -> float:
    return scene.usage(stage.box.pid(process)).rss_mb
