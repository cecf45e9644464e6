"""From the order on the control socket to the INVITE on the wire."""

import time

from gateway.messages import Dial, Done, HangUp
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.netns import LabError


def run(quick: bool) -> list[Figure]:
    """The daemon passes the order on, the calls process decides, pjsip sends."""
    values: list[float] = []
    with Scene("dial") as stage, stage.box.client() as client:
        orders: list[float] = []
        with stage.capture() as capture:
            for _ in range(20 if quick else 200):
                orders.append(time.time())
                answer = client.request(Dial(phone="desk", digits=plan.RINGS), 5.0)
                if not isinstance(answer, Done):
                    raise LabError(f"not dialled: {answer}")
                time.sleep(0.25)
                client.request(HangUp(phone="desk"), 5.0)
                stage.box.await_status(lambda s: not s.calls, "no calls")
            sent = [p.at_s for p in capture.packets() if p.outgoing and p.sip.startswith("INVITE ")]
        for order in orders:
            values += [(at - order) * 1000 for at in sent if at >= order][:1]
    return [Figure("dial: order written -> INVITE on the wire", "ms", values, 20)]
