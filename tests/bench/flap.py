"""A cable that comes and goes every second: the trunk leaves it, waits for peace, and nothing piles up."""

import time

from tests.bench import scene
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan

SWITCHES_AN_HOUR = 12


def run(quick: bool) -> list[Figure]:
    """Switches, leaks and growth over so many minutes of flapping."""
    minutes = 0.5 if quick else 10.0
    with Scene("flap", failback_after_s=30.0) as stage:
        stage.dial()
        stage.hang_up()  # what is allocated once shall be allocated
        time.sleep(2.0)
        before, fewest = _held(stage), _memory(stage)
        since_s, until = time.time(), time.monotonic() + minutes * 60
        while time.monotonic() < until:
            stage.lab.cut_carrier(plan.MAIN)
            time.sleep(0.5)
            stage.lab.restore_carrier(plan.MAIN)
            time.sleep(0.5)
        switches = len(stage.events("switch", since_s))
        stage.await_up(plan.MAIN)
        time.sleep(2.0)
        after, most = _held(stage), _memory(stage)
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
            [most - fewest],
            2,
            "worst",
            note=note,
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


def _memory(stage: Scene) -> float:
    return scene.usage(stage.box.pid("daemon")).rss_mb + scene.usage(stage.box.pid("calls")).rss_mb
