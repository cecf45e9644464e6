"""Law 10: whatever the network sends, the engine dials nothing by itself. A raw peer plays the provider."""

import contextlib
import queue
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v

PORT = 5260
BOX, PEER = ("127.0.0.1", PORT), ("127.0.0.9", PORT)
E = TypeVar("E")
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


class Peer:
    """A UDP socket that speaks SIP by hand, and an engine that it speaks to."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(PEER)
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.engine = Engine(
            self.events.put, EngineOptions(sip_port=PORT, rtp_ports=(15_000, 15_200), codecs=("PCMA",))
        )
        self.engine.start()
        self.event(v.EngineUp)
        self.engine.do(v.BindPath("main", BOX[0], BOX[0], "udp"))
        self.event(v.PathBound)
        self.number = 0

    def event(self, kind: type[E], where: Callable[[E], bool] = lambda e: True, within_s: float = 3.0) -> E:
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                event = self.events.get(timeout=left_s)
                if isinstance(event, kind) and where(event):
                    return event
        raise AssertionError(f"no {kind.__name__} came")

    def say(self, text: str, body: str = "") -> None:
        head = text.strip().replace("\n", "\r\n")
        if body:
            head += "\r\nContent-Type: application/sdp"
        self.socket.sendto(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode(), BOX)

    def hear(self, start: str, within_s: float = 3.0) -> str:
        """The next message that starts so; others are passed over."""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                text = self.socket.recv(65_535).decode(errors="replace")
                if text.startswith(start):
                    return text
        raise AssertionError(f"no {start} came")

    def all_within(self, seconds: float) -> list[str]:
        """Start lines of everything that comes within this time."""
        lines = []
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                lines.append(self.socket.recv(65_535).decode(errors="replace").split("\r\n")[0])
        return lines

    def answer(self, request: str, status: str, extra: str = "", body: str = "") -> None:
        """A response to a request of the engine."""
        kept = [
            line
            for line in request.split("\r\n")
            if re.match(r"(Via|From|To|Call-ID|CSeq|Record-Route):", line)
        ]
        kept = [f"{line};tag=far" if line.startswith("To:") and "tag=" not in line else line for line in kept]
        contact = f"Contact: <sip:far@{PEER[0]}:{PEER[1]}>"
        self.say("\n".join([f"SIP/2.0 {status}", *kept, contact, *([extra] if extra else [])]), body)

    def request(self, method: str, within: str = "", extra: str = "", body: str = "") -> None:
        """A request in the dialog of `within` (an INVITE of the engine), or outside any."""
        self.number += 1
        call_id = re.search(r"Call-ID: (.*)\r\n", within)
        near = re.search(r"From: (.*)\r\n", within)
        self.say(
            f"{method} sip:main@{BOX[0]}:{BOX[1]} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {PEER[0]}:{PEER[1]};branch=z9hG4bK{self.number}{method}\n"
            f"Max-Forwards: 70\nFrom: <sip:far@sip.provider.test>;tag=far\n"
            f"To: {near.group(1) if near else '<sip:442012345678@127.0.0.1>'}\n"
            f"Call-ID: {call_id.group(1) if call_id else f'hostile{self.number}'}\n"
            f"CSeq: {self.number} {method}\nContact: <sip:far@{PEER[0]}:{PEER[1]}>"
            + (f"\n{extra}" if extra else ""),
            body,
        )

    def call(self, leg: int) -> str:
        """A call of the engine to us, answered; its INVITE."""
        self.engine.do(
            v.StartLeg(leg, "main", v.Hop(*PEER, "udp"), "442079460000", "sip.provider.test", "442037691880")
        )
        invite = self.hear("INVITE")
        self.answer(invite, "200 OK", body=SDP)
        self.hear("ACK")
        self.event(v.LegAnswered)
        return invite

    def hang_up(self, leg: int) -> None:
        self.engine.do(v.EndLeg(leg))
        self.answer(self.hear("BYE"), "200 OK")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.engine.stop()
    peer.socket.close()


def test_refer_is_declined_and_dials_nothing(peer: Peer) -> None:
    invite = peer.call(1)
    peer.request(
        "REFER", invite, f"Refer-To: <sip:+882premium@{PEER[0]}:{PEER[1]}>\nReferred-By: <sip:far@x>"
    )
    assert " 603 " in peer.hear("SIP/2.0 ").split("\r\n")[0]
    assert not [line for line in peer.all_within(0.5) if line.startswith("INVITE")]
    peer.hang_up(1)


def test_refer_outside_a_call_dials_nothing(peer: Peer) -> None:
    peer.request("REFER", "", f"Refer-To: <sip:+882premium@{PEER[0]}:{PEER[1]}>")
    assert not [line for line in peer.all_within(0.5) if line.startswith(("INVITE", "SIP/2.0 2"))]


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Moved Temporarily", "305 Use Proxy"])
def test_redirection_is_not_followed(peer: Peer, status: str) -> None:
    leg = 10 + int(status[2])
    hop = v.Hop(*PEER, "udp")
    peer.engine.do(v.StartLeg(leg, "main", hop, "442079460000", "sip.provider.test", "442037691880"))
    peer.answer(peer.hear("INVITE"), status, f"Contact: <sip:premium@{PEER[0]}:{PEER[1]}>")
    assert peer.event(v.LegEnded, lambda e: e.leg == leg).code == int(status[:3])
    assert not [line for line in peer.all_within(0.5) if line.startswith("INVITE")]


def test_call_is_not_taken_over_by_replaces(peer: Peer) -> None:
    invite = peer.call(21)
    call_id = re.search(r"Call-ID: (.*)\r\n", invite)
    near = re.search(r"From: .*;tag=(.*)\r\n", invite)
    assert call_id and near
    replaces = f"Replaces: {call_id.group(1)};to-tag={near.group(1)};from-tag=far\nSupported: replaces"
    peer.request("INVITE", "", replaces, SDP)
    assert not re.match(r"SIP/2.0 2", peer.hear("SIP/2.0 ").split("\r\n")[0])
    assert not [line for line in peer.all_within(0.5) if line.startswith("BYE")]
    peer.hang_up(21)


def test_requests_that_the_box_does_not_serve_are_refused(peer: Peer) -> None:
    for method in ("SUBSCRIBE", "PUBLISH", "REGISTER"):
        peer.request(method, "", "Event: presence\nExpires: 60")
        status = peer.hear("SIP/2.0 ").split("\r\n")[0]
        assert not status.startswith("SIP/2.0 2"), (method, status)


def test_early_media_of_a_call_that_never_was_starts_nothing(peer: Peer) -> None:
    peer.say(
        "SIP/2.0 183 Session Progress\nVia: SIP/2.0/UDP 127.0.0.1:5260;branch=z9hG4bKghost\n"
        "From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: ghost\nCSeq: 1 INVITE",
        SDP,
    )
    assert peer.all_within(0.3) == []


def test_audio_goes_where_the_answer_says_and_not_to_who_speaks_first(peer: Peer) -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.9", 40_000))
    listener.settimeout(2)
    invite = peer.call(31)
    peer.engine.do(v.OpenEnd("silent", "", ""))
    peer.engine.do(v.Connect(31, "silent"))
    port = re.search(r"m=audio (\d+) ", invite)
    assert port
    assert len(listener.recv(2048)) == 172
    thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.bind(("127.0.0.66", 40_000))
    thief.settimeout(1)
    for sequence in range(60):
        packet = b"\x80\x08" + sequence.to_bytes(2) + bytes(8) + b"\xd5" * 160
        thief.sendto(packet, (BOX[0], int(port.group(1))))
        time.sleep(0.01)
    with pytest.raises(TimeoutError):
        thief.recv(2048)
    listener.close()
    thief.close()
    peer.hang_up(31)
