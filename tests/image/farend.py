"""A far end that does as it is told: a SIP user agent of a hundred lines, for tests of one dialog.

It answers, keeps silent, answers late or holds back its ACK, and writes down
every message with the address that it came from. RTP is echoed to the address
that the last offer named. Not a SIP stack: one dialog, UDP, no retransmission.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """One message from the gateway. `at_s` is monotonic."""

    text: str
    source: tuple[str, int]
    at_s: float

    @property
    def method(self) -> str:
        return self.text.split(" ", 1)[0]

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq").split()[0])

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def header(self, name: str) -> str:
        """The first header of that name; '' if there is none."""
        match = re.search(rf"^{name}\s*:\s*(.*?)\r$", self.text, re.MULTILINE | re.IGNORECASE)
        return match[1] if match else ""


@dataclass
class FarEnd:
    """Listens at `host` on two free ports. `deaf` names source addresses whose requests get no answer."""

    host: str = "127.0.0.3"
    deaf: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    rtp_from: dict[str, int] = field(default_factory=dict)
    tag: str = "far-end"

    def __post_init__(self) -> None:
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind((self.host, 0))
        self.rtp.bind((self.host, 0))
        self._media: tuple[str, int] | None = None
        self._threads = [threading.Thread(target=run) for run in (self._signalling, self._echo)]
        for thread in self._threads:
            thread.start()

    @property
    def uri(self) -> str:
        return f"sip:far@{self.host}:{self.sip.getsockname()[1]}"

    def close(self) -> None:
        for one in (self.sip, self.rtp):
            # A datagram to itself ends the blocking read.
            one.sendto(b"", one.getsockname())
        for thread in self._threads:
            thread.join()
        self.sip.close()
        self.rtp.close()

    def got(self, method: str, source: str | None = None) -> list[Seen]:
        """Messages of that method ("SIP/2.0" for responses), from that address if one is given."""
        return [one for one in list(self.seen) if one.method == method and source in (None, one.source[0])]

    def answer(self, request: Seen, status: str = "200 OK", follow: bool = True) -> None:
        """Answers a request; a 200 to an INVITE carries SDP and moves the echo to the offer's address.

        With `follow` false the echo stays where it is, as for an answer that came too late.
        """
        invite = request.method == "INVITE" and status.startswith("200")
        lines = [f"SIP/2.0 {status}"]
        lines += re.findall(
            r"^(?:Via|From|Call-ID|CSeq)\s*:.*?(?=\r$)", request.text, re.MULTILINE | re.IGNORECASE
        )
        to = request.header("To")
        lines.append(f"To: {to}" if ";tag=" in to else f"To: {to};tag={self.tag}")
        lines.append(f"Contact: <{self.uri}>")
        if invite and follow:
            self._media = media_address(request.body) or self._media
        self._send(lines, self._sdp() if invite else "", request.source)

    def stranger(
        self,
        address: tuple[str, int],
        body_type: str,
        body: str,
        within: Seen | None = None,
        method: str = "INVITE",
    ) -> tuple[str, int]:
        """Sends an INVITE to `address` that need not make sense; gives its Call-ID and CSeq.

        `within` is the 2xx of an earlier one: the request stays in its dialog, an ACK takes its CSeq.
        """
        number = time.monotonic_ns()
        call_id = within.header("Call-ID") if within else f"stranger-{number}"
        cseq = within.cseq if within and method == "ACK" else number // 1000 % 2**30
        lines = [
            f"{method} sip:box@{address[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.sip.getsockname()[1]};branch=z9hG4bK{number}",
            "Max-Forwards: 70",
            f"From: <{self.uri}>;tag={call_id}",
            f"To: {within.header('To')}" if within else f"To: <sip:box@{address[0]}>",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <{self.uri}>",
            f"Content-Type: {body_type}",
        ]
        self._send(lines, body, address, typed=True)
        return call_id, cseq

    def reinvite(self) -> None:
        """Sends a re-INVITE in the dialog of the INVITE that was seen first."""
        first = self.got("INVITE")[0]
        self.request("INVITE", 7000, first, self._sdp())

    def request(self, method: str, cseq: int, first: Seen, body: str = "") -> None:
        address = first.source
        contact = re.search(r"<(sip:[^>]+)>", first.header("Contact"))
        lines = [
            f"{method} {contact[1] if contact else ''} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.sip.getsockname()[1]};branch=z9hG4bK{time.monotonic_ns()}",
            "Max-Forwards: 70",
            f"From: {first.header('To')};tag={self.tag}",
            f"To: {first.header('From')}",
            f"Call-ID: {first.header('Call-ID')}",
            f"CSeq: {cseq} {method}",
            f"Contact: <{self.uri}>",
        ]
        self._send(lines, body, address)

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 {time.monotonic_ns()} IN IP4 {self.host}\r\ns=-\r\n"
            f"c=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        )

    def _send(self, lines: list[str], body: str, to: tuple[str, int], typed: bool = False) -> None:
        if body and not typed:
            lines = [*lines, "Content-Type: application/sdp"]
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self.sip.sendto(text.encode(), to)

    def _signalling(self) -> None:
        while data := self.sip.recvfrom(65536):
            packet, source = data
            if not packet:
                return
            if not packet.strip():
                continue
            message = Seen(packet.decode(), source, time.monotonic())
            self.seen.append(message)
            if source[0] not in self.deaf and message.method not in ("ACK", "SIP/2.0"):
                self.answer(message)

    def _echo(self) -> None:
        while data := self.rtp.recvfrom(2048):
            packet, source = data
            if not packet:
                return
            self.rtp_from[source[0]] = self.rtp_from.get(source[0], 0) + 1
            if self._media:
                self.rtp.sendto(packet, self._media)


def media_address(sdp: str) -> tuple[str, int] | None:
    """Where an SDP wants its audio; None without one."""
    host = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
    port = re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
    return (host[1], int(port[1])) if host and port else None


def wait(condition: Callable[[], bool], pump: Callable[[], None], timeout_s: float = 5.0) -> bool:
    """Pumps until the condition holds; False if it did not within the time."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            return False
        pump()
    return True
