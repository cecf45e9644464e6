"""The packets of the three probes: ICMP echo (RFC 792, RFC 4443), SIP OPTIONS (RFC 3261), STUN (RFC 8489).

Pure. Each probe carries random bytes that its answer must bring back; what does not fit is None, whatever it
is: these readers meet packets of strangers.
"""

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from gateway.uplinks.model import Address

USER_AGENT: Final = "Steadyline"
TOKEN_BYTES: Final = 8
MAX_BYTES: Final = 8192
"""Longer answers than this are not read."""

_COOKIE: Final = 0x2112A442
_STATUS: Final = re.compile(r"SIP/2\.0 ([2-6][0-9]{2})(?: .*)?")
_BRANCH: Final = "z9hG4bK"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one packet says: the bytes that it brings back, and what it tells of us."""

    token: bytes
    observed: Address | None = None
    sip_code: int | None = None


# --- ICMP -----------------------------------------------------------------------------------------------


def echo_request(version: int, identifier: int, sequence: int, token: bytes) -> bytes:
    """An echo request; the kernel fills in the checksum for IPv6."""
    kind = 8 if version == 4 else 128
    packet = struct.pack("!BBHHH", kind, 0, 0, identifier, sequence & 0xFFFF) + token
    if version == 6:
        return packet
    return packet[:2] + struct.pack("!H", _checksum(packet)) + packet[4:]


def read_echo(version: int, packet: bytes, identifier: int) -> Answer | None:
    """An echo reply to `identifier`. An IPv4 packet comes with its IP header, an IPv6 one without."""
    if version == 4:
        if len(packet) < 20:
            return None
        packet = packet[(packet[0] & 0x0F) * 4 :]
    if len(packet) < 8 + TOKEN_BYTES:
        return None
    kind, code, _, theirs, _ = struct.unpack_from("!BBHHH", packet)
    if (kind, code, theirs) != (0 if version == 4 else 129, 0, identifier):
        return None
    return Answer(packet[8 : 8 + TOKEN_BYTES])


def _checksum(packet: bytes) -> int:
    """RFC 1071; `packet` has an even length."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


# --- SIP ------------------------------------------------------------------------------------------------


def options_request(target: Address, port: int, local: Address, local_port: int, token: bytes) -> bytes:
    """OPTIONS outside of any dialogue, with a branch, tag and Call-ID of its own (RFC 3261 §11)."""
    word = token.hex()
    us = _host(local)
    lines = (
        f"OPTIONS sip:{_host(target)}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {us}:{local_port};rport;branch={_BRANCH}{word}",
        "Max-Forwards: 70",
        f"From: <sip:ping@{us}>;tag={word}",
        f"To: <sip:{_host(target)}:{port}>",
        f"Call-ID: {word}@{us}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:ping@{us}:{local_port}>",
        f"User-Agent: {USER_AGENT}",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def read_options(packet: bytes) -> Answer | None:
    """A final response to an OPTIONS of ours. Only the code and the topmost Via are believed.

    `observed` is its `received` parameter (RFC 3581 §4: always there, as we asked for rport); a server that
    leaves it out says nothing about our address.
    """
    head = packet[:MAX_BYTES].partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        return None
    headers = [
        (name.strip().lower(), value) for name, colon, value in (x.partition(":") for x in lines[1:]) if colon
    ]
    via = next((value for name, value in headers if name in ("via", "v")), "")
    method = next((value for name, value in headers if name == "cseq"), "").split()
    if method[1:] != ["OPTIONS"]:
        return None
    parameters = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in via.split(",")[0].split(";")[1:])
    }
    branch = parameters.get("branch", "")
    if not re.fullmatch(_BRANCH + f"[0-9a-f]{{{2 * TOKEN_BYTES}}}", branch):
        return None
    return Answer(
        bytes.fromhex(branch[len(_BRANCH) :]), _address(parameters.get("received", "")), int(status[1])
    )


def _host(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def _address(text: str) -> Address | None:
    if "%" in text:
        return None
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None


# --- STUN -----------------------------------------------------------------------------------------------


def binding_request(token: bytes) -> bytes:
    """A binding request without attributes (RFC 8489 §5); the transaction id is the token, then zeros."""
    return struct.pack("!HHI", 0x0001, 0, _COOKIE) + token.ljust(12, b"\0")


def read_binding(packet: bytes) -> Answer | None:
    """A success response with XOR-MAPPED-ADDRESS (RFC 8489 §14.2). MAPPED-ADDRESS is not believed: some
    routers rewrite it."""
    if len(packet) < 20 or len(packet) % 4:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", packet)
    if (kind, length, cookie) != (0x0101, len(packet) - 20, _COOKIE) or packet[16:20] != bytes(4):
        return None
    observed, at = None, 20
    while at + 4 <= len(packet):
        attribute, size = struct.unpack_from("!HH", packet, at)
        value = packet[at + 4 : at + 4 + size]
        if len(value) < size:
            return None
        if attribute == 0x0020 and observed is None:
            observed = _unxor(value, packet[4:20])
        at += 4 + (size + 3) // 4 * 4
    return Answer(packet[8 : 8 + TOKEN_BYTES], observed) if observed is not None else None


def _unxor(value: bytes, key: bytes) -> Address | None:
    sizes = {1: 4, 2: 16}
    if len(value) < 4 or sizes.get(value[1]) != len(value) - 4:
        return None
    plain = bytes(a ^ b for a, b in zip(value[4:], key, strict=False))
    return IPv4Address(plain) if len(plain) == 4 else IPv6Address(plain)
