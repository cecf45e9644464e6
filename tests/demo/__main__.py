"""`python -m tests.demo`: tell the story, draw the picture, write the report. HOLD=1 keeps everything up.

Exit code 0 only if every claim held. The directory gets the picture, report.json, recordings and logs.
"""

import argparse
import fcntl
import os
import platform
import shutil
import signal
import sys
import textwrap
import time
from pathlib import Path
from typing import Final

from tests.demo import picture
from tests.demo.desk import PHONE, make_speech
from tests.demo.report import Figure, Report
from tests.demo.story import FAILURES, RTT_MS, Story, settings_text
from tests.lab.__main__ import prompt, show
from tests.lab.box import Box
from tests.lab.lab import Lab

LONGEST_S: Final = 90.0


def _hold(lab: Lab, box: Box, directory: Path) -> None:
    enter = f"ip netns exec {lab.site.full('box')}"
    ctl = f"{enter} {sys.executable} -m gateway ctl --run {box.run}"
    print(
        f"\nEverything stays up until Ctrl-C or `quit`. From another shell, in this directory:\n\n"
        f"  alias gatewayctl='{ctl}'\n"
        "  gatewayctl status\n"
        "  gatewayctl follow\n"
        f"  gatewayctl dial {PHONE} '020 7946 0002'      # the far end speaks; its numbers are listed below\n"
        f"  gatewayctl hangup {PHONE}\n"
        "  gatewayctl uplinks use backup1\n\n"
        f"Recordings of {PHONE}: {_shown(directory)}/{PHONE}-*.wav. And here is the world's prompt:\n"
    )
    print(show(lab), flush=True)
    prompt(lab)


def _shown(path: Path) -> str:
    """As one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _last_words(logs: Path) -> list[str]:
    """The end of what each process of the gateway said, for when something did not hold."""
    found = []
    for path in (logs / "box-daemon.log", logs / "box-calls.log"):
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        found.append(
            f"{_shown(path)}: {next((x for x in reversed(lines) if x.strip()), '(empty)').strip()[:200]}"
        )
    return found


def _excuse() -> list[str]:
    """Figures of a machine that has other things to do are not those of the gateway."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= cores:
        return []
    return [f"This machine was busy (load {load:.1f} on {cores} CPUs): try again when it is calm."]


def _finish(report: Report, story: Story | None, directory: Path, started_at: float) -> None:
    drawn = directory / "picture.svg"
    if story is not None and story.cuts:
        day = time.strftime("%-d %B %Y", time.localtime(started_at))
        foot = (
            "Measured in one run: at the far end by arrival of packets, at the phone by its recording. "
            f"What it makes up to hide a gap counts as silence. {RTT_MS:.0f} ms there and back."
        )
        drawn.write_text(picture.svg("A running call outlives its uplink", day, story.cuts, foot))
        report.note(f"picture: {_shown(drawn)}; recordings and logs beside it")
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}"
    figures = directory / "report.json"
    figures.write_text(report.to_json(started_at=started_at, machine=machine, rtt_ms=RTT_MS))
    report.note(f"figures: {_shown(figures)}")


def _run(directory: Path, report: Report, *, hold: bool) -> None:
    started_at = time.time()
    make_speech(directory / f"{PHONE}.wav")
    with Lab(directory / "logs") as lab, Box(lab, settings_text(directory)) as box:
        story = Story(lab, box, report, directory)
        try:
            story.tell()
        except FAILURES as error:
            report.claim(False, textwrap.shorten(str(error), 250))
        report.scene("In the end")
        held = f"{report.claims - len(report.failed)} of {report.claims} claims held"
        report.claim(not report.failed, held, Figure("duration_s", "in", report.clock(), "s", LONGEST_S))
        _finish(report, story, directory, started_at)
        if report.failed:
            report.quote("\n".join(["Where to look:", *_last_words(directory / "logs"), *_excuse()]))
        if hold:
            _hold(lab, box, directory)


def main() -> int:
    """0: all held; 1: something did not, or it was interrupted before the end."""
    parser = argparse.ArgumentParser(prog="tests.demo", description="the demo")
    parser.add_argument("--directory", type=Path, default=Path("build/demo"), help="(%(default)s)")
    directory: Path = parser.parse_args().directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    started_s = time.monotonic()
    report = Report(
        lambda: time.monotonic() - started_s,
        lambda line: print(line, flush=True),
        colour=sys.stdout.isatty(),
    )
    with directory.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"a demo is running in {directory}: wait for it, or give --directory", file=sys.stderr)
            return 1
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        try:
            _run(directory, report, hold=os.environ.get("HOLD", "0") not in ("", "0"))
        except KeyboardInterrupt:
            print("\nInterrupted; everything is taken down.", file=sys.stderr)
            return int(not (directory / "report.json").exists() or bool(report.failed))
        except FAILURES as error:
            report.claim(False, f"the demo could not start: {textwrap.shorten(str(error), 250)}")
            _finish(report, None, directory, time.time())
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
