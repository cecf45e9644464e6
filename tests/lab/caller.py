"""A small SIP caller for the lab's own tests: what the gateway does on the wire, without the gateway."""

import secrets
import time
from dataclasses import dataclass, field

from tests.lab import message as sip
from tests.lab import plan, rtp
from tests.lab.lab import Lab
from tests.lab.stream import Sdp, parse_sdp


@dataclass(slots=True)
class Dialog:
    """A call that the caller made: what a later request needs."""

    call_id: str
    tag: str
    caller: str
    number: str
    cseq: int = 1
    remote: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    peer: tuple[str, int] | None = None

    @property
    def remote_tag(self) -> str:
        """The far end's tag."""
        return sip.parameter(self.remote, "tag")


class Caller:
    """One UDP socket for SIP and one for RTP at `address`; `public` is what it writes into messages."""

    def __init__(self, lab: Lab, address: str, *, public: str | None = None, name: str = "box") -> None:
        self.public = public or address
        self.socket = lab.udp(name, address, 5060)
        self.rtp = lab.udp(name, address, 16000 + 2 * secrets.randbelow(4000))
        self.six = ":" in address
        self.server = plan.PROVIDER_SERVER6 if self.six else plan.PROVIDER_SERVER

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.rtp.close()

    def _host(self) -> str:
        return f"[{self.public}]" if self.six else self.public

    def send(
        self,
        method: str,
        uri: str,
        *,
        dialog: Dialog,
        headers: tuple[tuple[str, str], ...] = (),
        body: str = "",
        via: str = "",
    ) -> sip.Message:
        """Put a request of a dialog on the wire; gives it."""
        typed = [("content-type", "application/sdp")] if body else []
        request = sip.Message(
            f"{method} {uri} SIP/2.0",
            [
                ("via", via or f"SIP/2.0/UDP {self._host()}:5060;rport;branch={sip.branch()}"),
                ("max-forwards", "70"),
                *(("route", route) for route in dialog.routes),
                ("from", f"<sip:{dialog.caller}@{plan.PROVIDER_DOMAIN}>;tag={dialog.tag}"),
                ("to", dialog.remote or f"<sip:{dialog.number}@{plan.PROVIDER_DOMAIN}>"),
                ("call-id", dialog.call_id),
                ("cseq", f"{dialog.cseq} {method}"),
                ("contact", f"<sip:gw@{self._host()}:5060>"),
                ("supported", "timer, replaces"),
                *headers,
                *typed,
            ],
            body,
        )
        self.socket.sendto(request.encode(), (self.server, plan.SIP_PORT))
        return request

    def receive(self, timeout_s: float = 3.0, *, call_id: str | None = None) -> sip.Message:
        """The next message (of a call); a TimeoutError if none comes."""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            found = sip.parse(self.socket.recv(65535))
            if found is not None and call_id in (None, found.get("call-id")):
                return found
        raise TimeoutError("no SIP message")

    def final(self, dialog: Dialog, method: str, timeout_s: float = 5.0) -> sip.Message:
        """The final response to a request of the dialog, or of the transaction numbered by its CSeq."""
        while True:
            found = self.receive(timeout_s, call_id=dialog.call_id)
            if found.status >= 200 and found.get("cseq") == f"{dialog.cseq} {method}":
                return found

    def ask(
        self, method: str, user: str, *, caller: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> sip.Message:
        """A request outside of dialogs; gives the final response."""
        dialog = Dialog(secrets.token_hex(8), secrets.token_hex(4), caller or plan.LONDON_CALLER_ID, user)
        uri = f"sip:{plan.PROVIDER_DOMAIN}" if method == "REGISTER" else f"sip:{user}@{plan.PROVIDER_DOMAIN}"
        self.send(method, uri, dialog=dialog, headers=headers)
        return self.final(dialog, method)

    def offer(self, direction: str = "sendrecv") -> str:
        """The body of an offer for this caller's RTP socket."""
        body = Sdp(self.public, self.rtp.getsockname()[1], rtp.PCMA, direction, 101).encode(1)
        return body.replace("IN IP4", "IN IP6") if self.six else body

    def invite(
        self,
        number: str,
        *,
        caller: str = plan.LONDON_CALLER_ID,
        headers: tuple[tuple[str, str], ...] = (),
        uri: str = "",
        body: str = "",
        timeout_s: float = 5.0,
    ) -> tuple[Dialog, sip.Message]:
        """Call a number (or a URI); gives the dialog and the final response, acknowledged."""
        dialog = Dialog(secrets.token_hex(8), secrets.token_hex(4), caller, number)
        uri = uri or f"sip:{number}@{plan.PROVIDER_DOMAIN}"
        request = self.send("INVITE", uri, dialog=dialog, headers=headers, body=body or self.offer())
        response = self.final(dialog, "INVITE", timeout_s)
        dialog.remote = response.get("to")
        if response.status < 300:
            dialog.target, dialog.routes = (
                sip.address(response.get("contact")),
                response.all("record-route")[::-1],
            )
            self._take(dialog, response)
            self.send("ACK", dialog.target, dialog=dialog)
        else:
            self.send("ACK", uri, dialog=dialog, via=request.get("via"))
        return dialog, response

    def _take(self, dialog: Dialog, response: sip.Message) -> None:
        answer = parse_sdp(response.body)
        if answer is not None:
            dialog.peer = (answer.host, answer.port)

    def reinvite(self, dialog: Dialog, *, timeout_s: float = 5.0) -> sip.Message:
        """Move a dialog to this caller's address, or refresh it there; acknowledged."""
        dialog.cseq += 1
        self.send("INVITE", dialog.target, dialog=dialog, body=self.offer())
        response = self.final(dialog, "INVITE", timeout_s)
        if response.status < 300:
            self._take(dialog, response)
        self.send("ACK", dialog.target, dialog=dialog)
        return response

    def bye(self, dialog: Dialog) -> sip.Message:
        """End a dialog; gives the response."""
        dialog.cseq += 1
        self.send("BYE", dialog.target, dialog=dialog)
        return self.final(dialog, "BYE")

    def talk(self, dialog: Dialog, frames: int, *, first: int = 0) -> list[tuple[float, int | None]]:
        """Send numbered frames at their pace, and give (Unix time, number) of what came in meanwhile."""
        assert dialog.peer is not None
        heard = []
        start_s = time.time()
        for index in range(frames):
            packet = rtp.pack(
                rtp.PCMA, first + index, (first + index) * 160, 0x1234, rtp.frame(first + index)
            )
            self.rtp.sendto(packet, dialog.peer)
            while (left := start_s + (index + 1) * rtp.FRAME_S - time.time()) > 0:
                self.rtp.settimeout(left)
                try:
                    came = rtp.unpack(self.rtp.recv(2048))
                except (TimeoutError, BlockingIOError):
                    break
                if came is not None:
                    heard.append((time.time(), rtp.number_of(came[4])))
        return heard
