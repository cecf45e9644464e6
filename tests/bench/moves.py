"""A running call and a dying uplink: how soon it is seen and left, and what each end misses.

One call goes on from uplink to uplink: whatever carries it is cut (carrier) or swallows every packet
(blackhole) in turn; both ends' audio is watched on the wire. A daemon that starts anew between forgets its
damping, and adopts what stands.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.bench import scene
from tests.bench.figures import ASTERISK, DPINGER, MWAN3, OPNSENSE, Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.capture import Packet
from tests.lab.farend import FarCall
from tests.lab.netns import LabError

Cut = Literal["carrier", "blackhole"]
RTT_MS = plan.DEFAULT_RTT_MS
SPAN_S = 2.0
BURST_GAP_S = 0.016


@dataclass(slots=True)
class _Times:
    """Of one kind of cut, in milliseconds, one entry for each run."""

    route: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    invite: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    suspected: list[float] = field(default_factory=list)
    proved: list[float] = field(default_factory=list)
    silence_far: list[float] = field(default_factory=list)
    silence_box: list[float] = field(default_factory=list)


def run(quick: bool) -> list[Figure]:
    """The figures of carrier loss and of a blackhole, with a call up."""
    times: dict[Cut, _Times] = {"carrier": _Times(), "blackhole": _Times()}
    lost = 0
    with Scene("moves") as stage:
        (call,) = stage.dial()
        for number in range(6 if quick else 60):
            if number % (2 * scene.DAMPED_AFTER) == 0 and number:
                stage.fresh_daemon()
            kind: Cut = "blackhole" if number % 4 in (1, 2) else "carrier"
            stage.await_up(plan.MAIN, plan.BACKUP1)
            time.sleep(1.0)  # a call that has run for a while, not one that is just being negotiated
            _one(stage, call, kind, times[kind])
            stage.heal()
            if stage.now(call).ended_s is not None:
                lost += 1
                (call,) = stage.dial()
        stage.hang_up()
    return [*_figures(times), Figure("calls lost among these", "", [lost], 0, "worst", (ASTERISK,))]


def _one(stage: Scene, call: FarCall, kind: Cut, times: _Times) -> None:
    old = stage.active()
    with (
        stage.capture(expression=f"({scene.TO_PROVIDER}) or icmp") as capture,
        stage.routes_watched() as routes,
    ):
        time.sleep(0.15)
        at = stage.lab.cut_carrier(old) if kind == "carrier" else stage.lab.blackhole(old)
        time.sleep(SPAN_S)
        changes = [t for t in routes() if t > at]
        packets = capture.packets()
    new = [p for p in scene.outgoing_call_packets(packets) if p.device != old.device and p.at_s > at]
    if not new:
        raise LabError(f"after {kind} of {old.name} nothing left by another uplink; logs in {stage.logs}")
    invites = [p for p in new if p.sip]
    heard = [p.at_s for p in scene.arrivals(packets)]
    last = max((p.at_s for p in scene.arrivals(packets) if p.device == old.device), default=at)
    at_far = stage.heard_times(call)
    times.first.append((new[0].at_s - at) * 1000)
    if invites:
        times.decided.append((invites[0].at_s - last) * 1000)
        times.invite.append((invites[0].at_s - at) * 1000)
        times.answered += [
            (p.at_s - invites[0].at_s) * 1000
            for p in packets
            if p.sip.startswith("SIP/2.0 200") and p.call_id == invites[0].call_id and p.at_s > at
        ][:1]
        times.suspected += [(t - last) * 1000 for t in _burst(packets, old, last)]
        times.proved += [(changes[0] - t) * 1000 for t in _burst(packets, old, last) if changes]
    times.route += [(t - at) * 1000 for t in changes[:1]]
    span = at - 0.1, at + SPAN_S - 0.2
    times.silence_far.append(scene.largest_gap_ms(at_far, *span))
    times.silence_box.append(scene.largest_gap_ms(heard, *span))


def _burst(packets: list[Packet], old: plan.Uplink, since_s: float) -> list[float]:
    """When the probes that follow one another closely began, if they did: regular ones are far apart."""
    asked = [
        p.at_s
        for p in packets
        if p.outgoing and p.device == old.device and p.at_s > since_s
        if p.protocol == "icmp" or p.sip.startswith("OPTIONS ")
    ]
    return [a for a, b in itertools.pairwise(asked) if b - a < BURST_GAP_S][:1]


def _figures(times: dict[Cut, _Times]) -> list[Figure]:
    carrier, hole = times["carrier"], times["blackhole"]
    watchers = (MWAN3, OPNSENSE, DPINGER)

    def steps(of: _Times) -> dict[str, Sequence[float]]:
        return {
            "cut -> route of the trunk changed": of.route,
            "cut -> re-INVITE on the new path": of.invite,
            "re-INVITE -> 200 from the provider": of.answered,
        }

    def silence(name: str, values: list[float], limit: float) -> Figure:
        return Figure(name, "ms", values, limit, anchors=(ASTERISK,))

    return [
        Figure(
            "carrier loss -> first packet of the new path",
            "ms",
            carrier.first,
            60,
            anchors=watchers[:2],
            steps=steps(carrier),
        ),
        Figure(
            "blackhole with a call up -> decided",
            "ms",
            hole.decided,
            200 + RTT_MS,
            anchors=watchers,
            note="last RTP that came in by the old path -> first INVITE on the new one, both on the wire",
            steps={
                "last RTP in -> burst of probes": hole.suspected,
                "burst of probes -> route of the trunk changed": hole.proved,
                **steps(hole),
            },
        ),
        silence("silence at the far end, carrier loss", carrier.silence_far, 100 + 2 * RTT_MS),
        silence("silence at the box, carrier loss", carrier.silence_box, 100 + 2 * RTT_MS),
        silence("silence at the far end, blackhole", hole.silence_far, 250 + 2 * RTT_MS),
        silence("silence at the box, blackhole", hole.silence_box, 250 + 2 * RTT_MS),
    ]
