"""SIP messages for the lab's own far end (RFC 3261 §7): enough to be exact with, in plain data."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_COMPACT_MORE: Final = {"c": "content-type", "k": "supported", "x": "session-expires", "s": "subject"}
REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


@dataclass(slots=True)
class Message:
    """One SIP message. `start` is its first line; header names are lower case and long, in their order."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @property
    def method(self) -> str:
        """The request's method, or the CSeq's for a response."""
        return self.start.split(" ", 1)[0] if self.status == 0 else self.get("cseq").split()[-1]

    @property
    def status(self) -> int:
        """The response's code, 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def uri(self) -> str:
        """The Request-URI."""
        return self.start.split(" ")[1]

    def get(self, name: str) -> str:
        """The first header of that name, empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a header that may be repeated or joined by commas."""
        found = [value for key, value in self.headers if key == name]
        return [part.strip() for value in found for part in re.split(r",(?=\s*<)", value)]

    def tag(self, name: str) -> str:
        """The tag of From or To."""
        return parameter(self.get(name), "tag")

    def encode(self) -> bytes:
        """The bytes for the wire, Content-Length counted."""
        body = self.body.encode()
        lines = [
            self.start,
            *(f"{key.title()}: {value}" for key, value in self.headers if key != "content-length"),
        ]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse(data: bytes) -> Message | None:
    """A message from a datagram; None for keep-alives and rubbish."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head.decode(errors="replace")).split("\r\n")
    if len(lines) < 2 or "SIP/2.0" not in lines[0]:
        return None
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers.append((_COMPACT.get(key, _COMPACT_MORE.get(key, key)), value.strip()))
    return Message(lines[0], headers, body.decode(errors="replace"))


def parameter(value: str, name: str) -> str:
    """The parameter of a header value, empty if it is not there."""
    found = re.search(rf";\s*{re.escape(name)}\s*=\s*\"?([^;\s,\">]+)", value)
    return found[1] if found else ""


def address(value: str) -> str:
    """The URI in a name-addr or addr-spec."""
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0].strip()


def user(uri: str) -> str:
    """The user part of a SIP URI."""
    found = re.match(r"sips?:([^@;>]*)@", address(uri))
    return found[1] if found else ""


def host_port(uri: str) -> tuple[str, int]:
    """Host and port that a SIP URI names, 5060 if it names none."""
    found = re.match(r"sips?:(?:[^@]*@)?(\[[^\]]*\]|[^:;>?]*)(?::(\d+))?", address(uri))
    if not found:
        raise ValueError(f"no SIP URI: {uri!r}")
    return found[1].strip("[]"), int(found[2] or 5060)


def reply(
    request: Message, status: int, *, tag: str = "", headers: dict[str, str] | None = None, body: str = ""
) -> Message:
    """A response with the headers that RFC 3261 §8.2.6 copies; `tag` goes into To if it has none."""
    copied = [(k, v) for k, v in request.headers if k in ("via", "from", "call-id", "cseq", "record-route")]
    to = request.get("to")
    copied.append(("to", to if "tag=" in to or not tag else f"{to};tag={tag}"))
    extra = [(key.lower(), value) for key, value in (headers or {}).items()]
    return Message(f"SIP/2.0 {status} {REASONS.get(status, 'Answer')}", copied + extra, body)


def branch() -> str:
    """A new Via branch."""
    return "z9hG4bK" + secrets.token_hex(8)


def digest(method: str, uri: str, challenge: str, login: str, password: str) -> str:
    """The Authorization value for a challenge (RFC 7616, MD5, qop=auth)."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    realm = re.search(r'realm="([^"]*)"', challenge)
    nonce = re.search(r'nonce="([^"]*)"', challenge)
    if not realm or not nonce:
        raise ValueError(f"no challenge: {challenge!r}")
    cnonce = secrets.token_hex(8)
    ha1, ha2 = md5(f"{login}:{realm[1]}:{password}"), md5(f"{method}:{uri}")
    response = md5(f"{ha1}:{nonce[1]}:00000001:{cnonce}:auth:{ha2}")
    return (
        f'Digest username="{login}", realm="{realm[1]}", nonce="{nonce[1]}", uri="{uri}", '
        f'response="{response}", qop=auth, nc=00000001, cnonce="{cnonce}", algorithm=MD5'
    )
