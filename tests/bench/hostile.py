"""10,000 hostile messages, half from a stranger and half from the trunk's own addresses: REFER, Replaces,
302, odd Via and Route.

The box may ring its phones for the provider; it may dial nobody, and answers no stranger.

Every message names one number; that number in a request of the box, or a call that nobody dialled, is a miss.
"""

import random
import re
import socket
import time
from collections.abc import Iterator

from gateway.messages import Dial
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import message as sip
from tests.lab import plan
from tests.lab.capture import Packet
from tests.lab.netns import LabError

PREMIUM = "8829900000666"
"""What every message would have us call."""
RATE = 150
"""Of one sender, a second: under the guard's limit for new requests, so that they reach the engine."""


class Dialog:
    """What a message needs to be taken for one of a call that is up, as it was on the wire."""

    def __init__(self, packets: list[Packet]) -> None:
        texts = [p.payload.decode(errors="replace") for p in packets if p.sip]
        answer = next(t for t in texts if t.startswith("SIP/2.0 200") and "INVITE" in _header(t, "CSeq"))
        self.call_id = _header(answer, "Call-ID")
        self.ours, self.theirs = _header(answer, "From"), _header(answer, "To")
        self.via = _header(answer, "Via")
        self.replaces = f"{self.call_id};to-tag={_tag(self.ours)};from-tag={_tag(self.theirs)}"


def _header(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(.*?)\r?$", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


def _tag(value: str) -> str:
    return value.partition("tag=")[2].partition(";")[0]


def messages(source: str, box: str, dialog: Dialog, seed: int) -> Iterator[bytes]:
    """Endless; every kind in turn, in and out of the dialog, with odd ways of writing it."""
    dice = random.Random(seed)
    target = f"sip:{PREMIUM}@{plan.PROVIDER_DOMAIN}"
    called = f"sip:{plan.DEFAULT_CALLER_ID}@{box}"
    body = (
        f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    )
    number = 0
    while True:
        number += 1
        for kind in ("INVITE", "REFER", "REPLACES", "302", "VIA", "ROUTE", "INSIDE", "NOTIFY", "OPTIONS"):
            fresh = f"{number}-{dice.randrange(10**9)}@{source}"
            inside = kind in ("INSIDE", "302") or (kind == "REFER" and number % 2 == 0)
            method = {"REPLACES": "INVITE", "VIA": "INVITE", "ROUTE": "INVITE", "INSIDE": "REFER"}.get(
                kind, kind
            )
            via = f"SIP/2.0/UDP {source}:5099;branch={sip.branch()}"
            head = f"{method} {called} SIP/2.0"
            more: list[str] = []
            match kind:
                case "REFER" | "INSIDE":
                    more = [f"Refer-To: <{target}>", f"Referred-By: <{called}>", "Refer-Sub: false"][
                        : 1 + number % 3
                    ]
                case "REPLACES":
                    more = [f"Replaces: {dialog.replaces}", "Require: replaces"][: 1 + number % 2]
                case "302":
                    head = f"SIP/2.0 {dice.choice(('300', '301', '302', '305', '380'))} Moved"
                    via = dialog.via
                case "VIA":
                    via = dice.choice(
                        (
                            f"SIP/2.0/UDP {PREMIUM}:5060;branch=z9hG4bK0;received={plan.PROVIDER_SERVER}",
                            f"SIP/2.0/UDP {source};maddr={plan.STRANGER};branch={sip.branch()}",
                            f"SIP/2.0/UDP {source};rport=1;branch=z9hG4bK" + "a" * dice.randrange(2000),
                            f"SIP/2.0/UDP {box}:5060;branch={sip.branch()}\r\nVia: {dialog.via}",
                        )
                    )
                case "ROUTE":
                    more = [
                        f"Route: <{target};lr>",
                        f"Route: <sip:{box}:5060;lr>",
                        f"Record-Route: <{target};lr>",
                    ]
                    if number % 2:
                        head = f"{method} {target} SIP/2.0"
                case "NOTIFY":
                    more = ["Event: refer", "Subscription-State: active", "Content-Type: message/sipfrag"]
                case _:
                    pass
            content = body if method == "INVITE" else ""
            lines = [
                head,
                f"Via: {via}",
                "Max-Forwards: 70",
                f"From: {dialog.theirs if inside else f'<{target}>;tag={number}'}",
                f"To: {dialog.ours if inside else f'<{called}>'}",
                f"Call-ID: {dialog.call_id if inside else fresh}",
                f"CSeq: {1000 + number if kind != '302' else 1} {'INVITE' if kind == '302' else method}",
                f"Contact: <{target}>",
                *more,
                *(["Content-Type: application/sdp"] if content else []),
                f"Content-Length: {len(content)}",
            ]
            yield ("\r\n".join([*lines, "", content])).encode()


def redirected(stage: Scene, trunk: socket.socket) -> str:
    """Have the second phone call, and redirect that call while it rings, as only its provider could; gives
    its Call-ID."""
    with stage.capture(length=2500) as wire:
        stage.box.ask(Dial(phone=stage.phones[1], digits=plan.RINGS))
        stage.box.await_status(lambda s: any(c.state == "early" for c in s.calls), "the call rings")
        time.sleep(0.2)
        invite = next(p for p in wire.packets() if p.outgoing and p.sip.startswith("INVITE "))
    text = invite.payload.decode(errors="replace")
    copied = [f"{name}: {_header(text, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    answer = [
        "SIP/2.0 302 Moved Temporarily",
        *copied,
        f"To: {_header(text, 'To')};tag=moved",
        f"Contact: <sip:{PREMIUM}@{plan.PROVIDER_DOMAIN}>",
        "Content-Length: 0",
    ]
    trunk.sendto("\r\n".join([*answer, "", ""]).encode(), (plan.MAIN.public, plan.SIP_PORT))
    stage.box.await_status(lambda s: len(s.calls) == 1, "the redirected call is over")
    return invite.call_id


def run(quick: bool) -> list[Figure]:
    """Calls that they caused, replies to strangers; the call that ran meanwhile."""
    each = 450 if quick else 5000
    redirects = 3 if quick else 20
    with Scene("hostile", phones=2) as stage:
        with stage.capture(length=2000) as wire:
            (call,) = stage.dial()
            time.sleep(0.5)
            dialog = Dialog(wire.packets())
        stranger = stage.lab.udp("stranger", plan.STRANGER, 5099)
        trunk = stage.lab.udp("provider", plan.PROVIDER_SERVER, 5099)
        senders = [
            (stranger, messages(plan.STRANGER, plan.MAIN.public, dialog, 1)),
            (trunk, messages(plan.PROVIDER_SERVER, plan.MAIN.public, dialog, 2)),
        ]
        watched = (
            f"udp and (net {plan.PROVIDER_PREFIX} or host {plan.STRANGER}) and not portrange 10000-19999"
        )
        calls_before = len(stage.lab.far.calls())
        starts = stage.box.starts("calls")
        with stage.capture(expression=watched, length=2500) as wire:
            began = time.monotonic()
            for sent in range(each):
                for sender, source in senders:
                    sender.sendto(next(source), (plan.MAIN.public, plan.SIP_PORT))
                time.sleep(max(0.0, began + (sent + 1) / RATE - time.monotonic()))
            took_s = time.monotonic() - began
            own = {redirected(stage, trunk) for _ in range(redirects)}
            time.sleep(2.0)
            packets = [p for p in wire.packets() if p.outgoing and p.device.startswith("wan")]
        stranger.close()
        trunk.close()
        ours = [p for p in packets if p.sip and not p.sip.startswith("SIP/2.0")]
        dialled = [p for p in ours if p.sip.startswith("INVITE ") and p.call_id not in own | {dialog.call_id}]
        dialled += [p for p in ours if PREMIUM in p.sip]
        replies = [p for p in packets if p.destination == plan.STRANGER]
        answered = [p for p in packets if p.sip.startswith("SIP/2.0") and p.destination_port == 5099]
        far_calls = len(stage.lab.far.calls()) - calls_before - redirects
        alive = stage.now(call).ended_s is None and stage.box.starts("calls") == starts
        stage.hang_up()
    if not answered:
        raise LabError("no message reached the engine: nothing was tested")
    note = (
        f"{2 * each} messages and {redirects} redirected calls in {took_s:.0f} s; the engine answered "
        f"{len(answered)} of the provider's"
    )
    return [
        Figure("hostile: messages sent", "", [2 * each], 900 if quick else 10_000, "least", note=note),
        Figure("hostile: calls that they caused", "", [len(dialled) + far_calls], 0, "worst"),
        Figure("hostile: replies to strangers", "", [len(replies)], 0, "worst"),
        Figure("hostile: calls process ended, or its call", "", [0 if alive else 1], 0, "worst"),
    ]
