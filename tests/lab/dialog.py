"""One call of the exact far end: its dialog (RFC 3261 §12), its stream, and the messages they make."""

import asyncio
from dataclasses import dataclass, field

from tests.lab import message as sip
from tests.lab import plan
from tests.lab.behaviour import Behaviour
from tests.lab.stream import Sdp, Stream, mirror, parse_sdp


@dataclass(slots=True, eq=False)
class Call:
    """`local` and `remote` are what From and To hold; `remote_tag` and `target` are known when it answers."""

    call_id: str
    number: str
    local: str
    remote: str
    local_tag: str
    stream: Stream
    behaviour: Behaviour
    remote_tag: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    cseq: int = 1
    version: int = 0
    invite: sip.Message | None = None
    direction: str = "sendrecv"
    answered: bool = False
    ended: bool = False
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    script: "asyncio.Task[None] | None" = None

    def take_media(self, body: str) -> bool:
        """Send where an offer or answer says, and how; False if there is no G.711 in it."""
        offer = parse_sdp(body)
        if offer is None:
            return False
        self.direction = mirror(offer.direction)
        self.stream.peer = (offer.host, offer.port)
        self.stream.payload_type, self.stream.event_type = offer.payload_type, offer.event_type
        self.stream.sending = self.direction in ("sendrecv", "sendonly") and offer.host != "0.0.0.0"
        return True

    def sdp(self, direction: str | None = None) -> str:
        """The next offer or answer."""
        self.version += 1
        event = self.stream.event_type
        if event is None and self.invite is None:
            event = 101
        kind, way = self.stream.payload_type, direction or self.direction
        return Sdp(self.stream.address, self.stream.port, kind, way, event).encode(self.version)

    def headers(self, **more: str) -> dict[str, str]:
        """Contact and Supported, and what else is given."""
        return {
            "Contact": f"<sip:far@{self.stream.address}:{plan.SIP_PORT}>",
            "Supported": "timer, replaces",
            **more,
        }

    def request(self, method: str, *, headers: dict[str, str] | None = None, body: str = "") -> sip.Message:
        """A request of this dialog with the present CSeq."""
        local, remote = self.local, self.remote
        if "tag=" not in local:
            local += f";tag={self.local_tag}"
        if self.remote_tag and "tag=" not in remote:
            remote += f";tag={self.remote_tag}"
        return sip.Message(
            f"{method} {self.target} SIP/2.0",
            [
                ("via", f"SIP/2.0/UDP {self.stream.address}:{plan.SIP_PORT};branch={sip.branch()}"),
                ("max-forwards", "70"),
                *(("route", route) for route in self.routes),
                ("from", local),
                ("to", remote),
                ("call-id", self.call_id),
                ("cseq", f"{self.cseq} {method}"),
                *((key.lower(), value) for key, value in (headers or {}).items()),
            ],
            body,
        )
