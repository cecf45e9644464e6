"""Two promises at a failover: the free login is registered by the backup, and a call for help that meets
silence is tried elsewhere. Both as they were on the wire.
"""

import itertools
import time

from gateway.messages import Dial
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.netns import LabError


def run(quick: bool) -> list[Figure]:
    """Seconds from the cut to REGISTER; between the ways of a call for help; until it is answered."""
    rounds = 2 if quick else 10
    registered = []
    with Scene("rules") as stage:
        for _ in range(rounds):
            stage.heal()
            stage.await_up(plan.MAIN, plan.BACKUP1)
            stage.box.await_status(lambda s: s.active_uplink == "main", "calls by main", 30)
            time.sleep(1.0)
            began = stage.lab.cut_carrier("main")
            registered.append(_registered(stage, began) - began)
            stage.lab.restore_carrier("main")
            stage.fresh_daemon()
    pauses, answered = [], []
    for _ in range(1 if quick else 5):
        with Scene("rules") as stage:
            stage.lab.provider.stop(plan.PROVIDER_SERVER)
            stage.lab.cut_carrier("main")
            with stage.capture(length=2000) as wire:
                began = time.time()
                stage.box.ask(Dial(phone=stage.phones[0], digits="999"))
                call = stage.lab.far.await_call(
                    lambda c: c.number == "999" and c.answered_s is not None, timeout_s=30
                )
                time.sleep(0.2)
                sent = {p.call_id: p.at_s for p in reversed(wire.packets()) if p.outgoing and _invites(p.sip)}
            ways = sorted(sent.values())
            pauses += [b - a for a, b in itertools.pairwise([began, *ways])]
            answered.append((call.answered_s or float("inf")) - began)
            stage.lab.provider.start()
            stage.hang_up()
    return [
        Figure("incoming: from the cut of main to REGISTER by the backup", "s", registered, 1.0),
        Figure("help: until the next way, main dead, first server silent", "s", pauses, 5.0, "worst"),
        Figure("help: until it was answered, likewise", "s", answered, None),
    ]


def _invites(line: str) -> bool:
    return line.startswith("INVITE sip:999@")


def _registered(stage: Scene, since_s: float) -> float:
    """When the provider had a REGISTER from another address than main's; Unix seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for one in stage.lab.provider.seen(method="REGISTER"):
            if one.at_s >= since_s and one.source != plan.MAIN.public:
                return one.at_s
        time.sleep(0.02)
    raise LabError("the free login was not registered anew")
