"""`python -m tests.demo`: tell the story, draw the picture, write the report. HOLD=1 keeps everything up.

Exit code 0 only if every claim held. build/demo/ has the picture, report.json, recordings and logs.
"""

import os
import platform
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final, Never

from tests.demo import picture
from tests.demo.report import Figure, Report
from tests.demo.story import FAILURES, PHONE, RTT_MS, Story, make_speech, settings_text
from tests.lab.__main__ import prompt, show
from tests.lab.box import Box
from tests.lab.lab import Lab

DIRECTORY: Final = Path("build/demo")
LONGEST_S: Final = 90.0


def _interrupt(number: int, frame: object) -> Never:
    raise KeyboardInterrupt


def _hold(lab: Lab, box: Box) -> None:
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
        f"Recordings of {PHONE}: {DIRECTORY.resolve()}/{PHONE}-*.wav. And here is the world's prompt:\n"
    )
    print(show(lab), flush=True)
    prompt(lab)


def _last_words(logs: Path) -> list[str]:
    """The end of what each process of the gateway said, for when something did not hold."""
    found = []
    for path in (logs / "box-daemon.log", logs / "box-calls.log"):
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        found.append(f"{path}: {next((x for x in reversed(lines) if x.strip()), '(empty)').strip()[:200]}")
    return found


def _finish(report: Report, story: Story | None, started_at: float) -> None:
    drawn = DIRECTORY / "picture.svg"
    if story is not None and story.cuts:
        day = time.strftime("%-d %B %Y", time.localtime(started_at))
        foot = (
            "Measured in one run: at the far end by arrival of packets, at the phone by its recording. "
            f"{RTT_MS:.0f} ms there and back."
        )
        drawn.write_text(picture.svg("A running call outlives its uplink", day, story.cuts, foot))
        report.note(f"picture: {drawn}; recordings beside it")
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}"
    (DIRECTORY / "report.json").write_text(
        report.to_json(started_at=started_at, machine=machine, rtt_ms=RTT_MS)
    )
    report.note(f"figures: {DIRECTORY}/report.json")


def main() -> int:
    """0: all held; 1: something did not, or it was interrupted."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    directory = DIRECTORY.resolve()
    signal.signal(signal.SIGTERM, _interrupt)
    started_at, started_s = time.time(), time.monotonic()

    def since_start() -> float:
        return time.monotonic() - started_s

    report = Report(since_start, lambda line: print(line, flush=True), colour=sys.stdout.isatty())
    story: Story | None = None
    try:
        make_speech(directory / f"{PHONE}.wav")
        with Lab(directory / "logs") as lab, Box(lab, settings_text(directory)) as box:
            story = Story(lab, box, report, directory)
            try:
                story.tell()
            except FAILURES as error:
                report.claim(False, str(error))
            report.scene("In the end")
            took = Figure("duration_s", "", since_start(), "s", LONGEST_S)
            held = f"{report.claims - len(report.failed)} of {report.claims} claims held"
            report.claim(not report.failed, held, took)
            _finish(report, story, started_at)
            if report.failed:
                report.quote("\n".join(["Where to look:", *_last_words(DIRECTORY / "logs")]))
            if os.environ.get("HOLD", "0") not in ("", "0"):
                _hold(lab, box)
    except KeyboardInterrupt:
        print("\nInterrupted; everything is taken down.", file=sys.stderr)
        return 1 if report.failed or not (DIRECTORY / "report.json").exists() else 0
    except FAILURES as error:
        report.claim(False, f"the demo could not start: {error}")
        _finish(report, story, started_at)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
