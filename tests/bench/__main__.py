"""`python -m tests.bench [--quick] [--strict] [NAME…]`: print the table, write report.json.

It measures; it does not test: a limit that is missed is printed as NOT MET, and the exit code is 0 (1 with
--strict). A benchmark that could not run is an error, said in its place: exit code 2.
"""

import argparse
import importlib
import json
import math
import os
import platform
import sys
import textwrap
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from tests.bench.figures import Figure
from tests.bench.scene import ROOT

BENCHMARKS: Final = {
    "moves": "a running call and a dying uplink: detection, silence at each end",
    "idle": "a dying uplink without a call",
    "false_moves": "bad weather and far ends that pause: nothing may move",
    "switch": "the switch itself: routes, nft, conntrack, read back",
    "survive": "1, 10 and 50 calls through a failover",
    "dial": "from the order to the INVITE",
    "lines": "a handset: hook to dial tone, last key to INVITE, answer to audio",
    "strays": "random link events: nothing may leave from an unconfirmed pair",
    "flap": "a cable that comes and goes every second",
    "strangers": "a flood of INVITEs from a host in nobody's list",
    "rules": "registration at a failover; calls for help when a channel and a server are dead",
    "hostile": "10,000 messages that would have the box dial, from strangers and from the trunk",
    "kill": "kill -9 of each process",
    "rest": "memory and CPU at rest",
    "resets": "factory resets at random moments, and a box that is given away",
    "settings_fuzz": "10,000 settings files with a fault: none may be taken",
    "settings": "a change of large settings: read, checked, compared",
    "apply": "a change of settings: checked, applied, read back",
    "page": "the page with a full history: time, memory, dawdlers, from an event to the browser",
    "pulse": "dial pulses and flashes of an analog phone",
    "dtmf": "DTMF in noise, with twist, under dial tone; speech that is none",
    "callerid": "caller ID of both standards in noise",
    "bells": "half periods of bells that are swung by software, idle and busy",
}
WIDTH: Final = 118


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is named (nothing: all), one after another; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="tests.bench",
        description="The figures that the product promises.",
        epilog="\n".join(f"{name:12} {what}" for name, what in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few runs, for a look; the table says how few")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a limit is missed")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these benchmarks")
    given = parser.parse_args(argv)
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if os.geteuid() != 0:
        parser.error("the laboratory needs root (network namespaces): run it as root")
    ROOT.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    took: dict[str, float] = {}
    for name in given.names or BENCHMARKS:
        print(f"{name}: {BENCHMARKS[name]} ", end="", flush=True)
        began = time.monotonic()
        (ROOT / f"{name}.error").unlink(missing_ok=True)
        try:
            found = importlib.import_module(f"tests.bench.{name}").run(given.quick)
        except Exception as error:  # noqa: BLE001  the others still run; this one is reported as failed
            (ROOT / f"{name}.error").write_text(traceback.format_exc())
            failures[name] = f"{type(error).__name__}: {error}"
            found = []
        figures += found
        took[name] = time.monotonic() - began
        print(f"({took[name]:.0f} s)", "FAILED" if name in failures else "", flush=True)
    print("\n" + table(figures))
    for name, why in failures.items():
        print(f"\n{name} could not be measured (build/bench/{name}.error): {why[:400]}")
    report(figures, failures, took, quick=given.quick)
    missed = [figure.name for figure in figures if not figure.met]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} within their limits; build/bench/report.json")
    if failures:
        return 2
    return 1 if missed and given.strict else 0


def table(figures: list[Figure]) -> str:
    """Two lines a figure: the numbers, and what stands beside them."""
    head = f"{'figure':58}{'unit':>6}{'p50':>9}{'p95':>9}{'n':>6}{'limit':>14}  verdict"
    lines = [head, "-" * WIDTH]
    for figure in figures:
        limit = "-" if figure.limit is None else f"{_SIGNS[figure.judged]} {figure.limit:g}"
        verdict = "-" if figure.limit is None and figure.values else "ok" if figure.met else "NOT MET"
        lines.append(
            f"{figure.name[:58]:58}{figure.unit:>6}{figure.p50:>9.1f}{figure.p95:>9.1f}{len(figure.values):>6}"
            f"{limit:>14}  {verdict}"
        )
        for step, values in figure.steps.items():
            of_step = Figure(step, figure.unit, values, None)
            lines.append(f"    {step[:54]:54}{'':6}{of_step.p50:>9.1f}{of_step.p95:>9.1f}{len(values):>6}")
        for text in (figure.note, *(f"{anchor.says} ({anchor.source})" for anchor in figure.anchors)):
            lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


_SIGNS: Final = {"p50": "p50 <=", "p95": "p95 <=", "worst": "all <=", "least": "all >="}


def report(figures: list[Figure], failures: dict[str, str], took: dict[str, float], *, quick: bool) -> None:
    """The same for programs, with every value."""
    entries = [
        {
            **asdict(figure),
            "values": [_number(value) for value in figure.values],
            "steps": {step: [_number(value) for value in values] for step, values in figure.steps.items()},
            "p50": _number(figure.p50),
            "p95": _number(figure.p95),
            "met": figure.met,
        }
        for figure in figures
    ]
    whole = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "quick": quick,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "seconds": {name: round(value, 1) for name, value in took.items()},
        "figures": entries,
        "failures": failures,
    }
    (ROOT / "report.json").write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n")


def _number(value: float) -> float | None:
    """As JSON has numbers: nothing was measured (NaN) or it never ended (infinity) is null."""
    return round(value, 3) if math.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(main())
