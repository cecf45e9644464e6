"""20,000 INVITEs a second from a host in nobody's list, while a call is up.

They are sent at the last hop before the box, with the stranger's address, so that no other part of the
laboratory has to carry them.
"""

import subprocess
import time
from pathlib import Path

from tests.bench import scene
from tests.bench.figures import Figure
from tests.bench.scene import ROOT, Scene
from tests.lab import plan, rtp
from tests.lab.netns import LabError

RATE = 20_000
_INVITE = (
    f"INVITE sip:442079460000@{plan.MAIN.public} SIP/2.0\r\n"
    f"Via: SIP/2.0/UDP {plan.STRANGER}:5060;branch=z9hG4bK%08u;rport\r\n"
    f"From: <sip:900@{plan.STRANGER}>;tag=1\r\nTo: <sip:442079460000@{plan.MAIN.public}>\r\n"
    f"Call-ID: flood@{plan.STRANGER}\r\nCSeq: 1 INVITE\r\nContact: <sip:900@{plan.STRANGER}>\r\n"
    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def run(quick: bool) -> list[Figure]:
    """Replies, CPU, and the call, during the flood and before it."""
    seconds = 5.0 if quick else 30.0
    sender = _compile()
    with Scene("strangers") as stage:
        (call,) = stage.dial()
        pid = stage.box.pid("calls")
        time.sleep(2.0)
        cpu_before = scene.cpu_percent(pid, seconds)
        with stage.capture(expression=f"host {plan.STRANGER} and outbound") as replies:
            began = time.time()
            flood = stage.lab.site.popen(
                "ispa",
                [sender, plan.STRANGER, plan.MAIN.public, str(plan.SIP_PORT), str(RATE), str(seconds + 1)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            flood.stdin.write(_INVITE.encode())
            flood.stdin.close()
            cpu_during = scene.cpu_percent(pid, seconds)
            said = flood.stdout.read().split()
            flood.wait(10)
            ended = time.time()
            answered = len(replies.packets())
        time.sleep(0.5)
        heard = stage.lab.far.heard(stage.now(call))
        alive = stage.now(call).ended_s is None
        calls_now = len(stage.box.status().calls)
        dropped = _dropped(stage)
        stage.hang_up()
    if len(said) != 2:
        raise LabError(f"the flood did not run: exit code {flood.returncode}")
    rate = int(said[0]) / float(said[1])
    before = _lost(heard, call.answered_s or 0.0, began)
    during = _lost(heard, began, ended)
    note = f"{rate:.0f} INVITEs/s for {float(said[1]):.0f} s; the guard dropped {dropped}"
    return [
        Figure("strangers: INVITEs a second that were sent", "1/s", [rate], RATE * 0.95, "least"),
        Figure("strangers: replies", "", [answered], 0, "worst", note=note),
        Figure(
            "strangers: CPU of the calls process, in addition",
            "%",
            [cpu_during - cpu_before],
            2,
            "worst",
            note=f"{cpu_before:.1f} % of one core with one call, {cpu_during:.1f} % during the flood",
        ),
        Figure(
            "strangers: frames of the running call that were lost",
            "",
            [during if alive and calls_now == 1 else float("inf")],
            before,
            "worst",
            note=f"before the flood: {before}",
        ),
    ]


def _compile() -> str:
    """The sender, for this machine. Raises LabError without a C compiler."""
    source = Path(__file__).with_name("flood.c")
    program = ROOT / "flood"
    done = subprocess.run(["cc", "-O2", "-o", str(program), str(source)], capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"flood.c does not compile: {done.stderr[:400]}")
    return str(program)


def _lost(heard: list[rtp.Heard], since_s: float, until_s: float) -> int:
    """Frames that the far end missed, by their sequence numbers."""
    numbers = [one.sequence for one in heard if since_s <= one.at_s <= until_s]
    return (numbers[-1] - numbers[0]) % 65536 + 1 - len(numbers) if numbers else 0


def _dropped(stage: Scene) -> int:
    listed = stage.lab.box_exec(["nft", "list", "counter", "inet", "steadyline_guard", "strangers"])
    words = listed.split()
    return int(words[words.index("packets") + 1])
