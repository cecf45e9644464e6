"""kill -9 of each process: what the kernel holds stands, the calls process is back at once, calls go on."""

import time
from pathlib import Path

from tests.bench import scene
from tests.bench.figures import ASTERISK, Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.netns import LabError


def run(quick: bool) -> list[Figure]:
    """Each process so many times; the daemon in mid-call."""
    runs = 3 if quick else 50
    with Scene("kill") as stage:
        fallen, dropped, gaps = 0, 0, []
        (call,) = stage.dial()
        time.sleep(1.0)
        for _ in range(runs):
            before = _standing(stage)
            at = stage.box.kill("daemon")
            fallen += _standing(stage) != before
            stage.box.await_status(lambda s: s.calls_process == "running", "the daemon is back")
            time.sleep(0.5)
            fallen += _standing(stage) != before
            heard = stage.heard_times(call)
            gaps.append(scene.largest_gap_ms(heard, at - 0.2, time.time() - 0.1))
            if stage.now(call).ended_s is not None:
                dropped += 1
                (call,) = stage.dial()
        stage.hang_up()
        listening = []
        for _ in range(runs):
            before = _standing(stage)
            listening.append(_back(stage))
            stage.box.await_status(lambda s: s.calls_process == "running", "the calls process is back")
            fallen += _standing(stage) != before
            stage.await_up(plan.MAIN)
    return [
        Figure("kill -9: routes, rules or guard that fell", "", [fallen], 0, "worst", note=_note(runs)),
        Figure("kill -9 of the calls process -> listening again", "s", listening, 2, "worst"),
        Figure(
            "kill -9 of the daemon: calls dropped",
            "",
            [dropped],
            0,
            "worst",
            (ASTERISK,),
            steps={"longest silence at the far end (ms)": gaps},
        ),
    ]


def _note(runs: int) -> str:
    return f"each process {runs} times" + ("" if runs >= 50 else ", not the 50 that the limit asks")


def _standing(stage: Scene) -> tuple[str, ...]:
    """Rules, routes of every table, and the guard, as the kernel lists them."""
    run = stage.lab.box_exec
    routes = run(["ip", "route", "show", "table", "all", "type", "unicast"])
    return (
        run(["ip", "rule"]),
        "\n".join(sorted(line for line in routes.splitlines() if "proto 201" in line)),
        run(["nft", "-s", "list", "table", "inet", "steadyline_guard"]).partition("set newcomers")[0],
    )


def _back(stage: Scene) -> float:
    """Kill it; seconds until the SIP port is bound again on the address of the main uplink."""
    began = time.monotonic()
    stage.box.kill("calls")
    table = Path(f"/proc/{stage.box.pid('daemon')}/net/udp")
    wanted = f"{_hex(plan.MAIN.public)}:{plan.SIP_PORT:04X}"
    gone = False
    while time.monotonic() - began < 15:
        bound = wanted in table.read_text()
        gone = gone or not bound
        if gone and bound:
            return time.monotonic() - began
        time.sleep(0.005)
    raise LabError("the calls process does not listen again")


def _hex(address: str) -> str:
    """As /proc/net/udp writes it, on a little-endian machine."""
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
