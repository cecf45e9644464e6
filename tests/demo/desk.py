"""Whoever sits at the office's only phone: dials, is called, speaks, hangs up; all by `gatewayctl`."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.demo.report import Report
from tests.lab import plan
from tests.lab.box import Box
from tests.lab.capture import Capture
from tests.lab.farend import FarCall
from tests.lab.lab import Lab

PHONE: Final = "desk"
SPEECH: Final = (
    "Good morning, this is the desk of the office speaking, and I shall simply go on speaking, on and on, "
    "for whoever hears every one of these words knows that not much of the call can have been lost, "
    "and whoever misses a few of them will be able to say exactly which ones they were."
)
_CONFIRM_S: Final = 100.0


def make_speech(path: Path) -> None:
    """The phone's voice, made by espeak-ng. Raises CalledProcessError or FileNotFoundError without it."""
    say = ["espeak-ng", "-v", "en-gb+f3", "-s", "165", "--stdout", SPEECH]
    spoken = subprocess.run(say, capture_output=True, check=True).stdout
    change = ["sox", "-V1", "-t", "wav", "-", "-r", "8000", "-c", "1", "-b", "16", str(path)]
    subprocess.run(change, input=spoken, check=True)


@dataclass(frozen=True, slots=True)
class Talk:
    """A call of the phone, and what listens to it. `number`: the box's own for it."""

    number: int
    far: FarCall
    capture: Capture

    def await_second(self, second: float) -> None:
        """Let both speak until so long after the answer."""
        answered_s = self.far.answered_s or time.time()
        time.sleep(max(0.0, answered_s + second - time.time()))


class Desk:
    """Raises LabError when a call does not come to be, or does not end."""

    def __init__(self, lab: Lab, box: Box, report: Report) -> None:
        self._lab, self._box, self._report = lab, box, report

    # --- gatewayctl -------------------------------------------------------------------------------

    def spawn(self, *words: str) -> Any:
        """gatewayctl at work in the box; `output` waits for it."""
        argv = [sys.executable, "-m", "gateway", "ctl", "--run", str(self._box.run), *words]
        return self._lab.box_popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def gatewayctl(self, *words: str) -> None:
        """Run it, and show what it printed."""
        shown = " ".join(f"'{word}'" if " " in word else word for word in words)
        self._report.quote(f"$ gatewayctl {shown}\n{output(self.spawn(*words))}")

    # --- calls ------------------------------------------------------------------------------------

    def dial(self, digits: str, number: str) -> FarCall:
        """A call that is answered, as the far end sees it. `number`: what the far end is called by."""
        at_s = time.time()
        self.gatewayctl("dial", PHONE, digits)
        return self._lab.far.await_call(
            lambda call: call.answered_s is not None and call.at_s >= at_s and call.number == number
        )

    def ring(self) -> FarCall:
        """A call from outside; the phone answers by itself."""
        call_id = self._lab.far.call(plan.LONDON_CALLER_ID, behaviour=plan.SPEAKS)
        return self._lab.far.await_call(lambda c: c.call_id == call_id and c.answered_s is not None)

    def talk(self, begin: Callable[[], FarCall]) -> Talk:
        """A call with everything recorded: `dial` or `ring`."""
        capture = self._lab.capture("box", expression="udp", length=1500)
        far = begin()
        status = self._box.await_status(
            lambda s: any(c.state == "up" for c in s.calls), "the call is up at the box"
        )
        return Talk(status.calls[0].call, far, capture)

    def hang_up(self) -> float:
        """Unix time at which no call is left."""
        said = output(self.spawn("hangup", PHONE))
        self._box.await_status(lambda s: not s.calls, f"{PHONE} hung up ({said.strip()})")
        return time.time()


def output(child: "subprocess.Popen[str]") -> str:
    """All that it printed, when it has ended."""
    return child.communicate(timeout=_CONFIRM_S)[0]
