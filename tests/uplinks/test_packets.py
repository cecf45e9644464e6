"""What the probes say and how their answers are read, hostile ones too."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplinks.packets import (
    Answer,
    binding_request,
    echo_request,
    options_request,
    read_binding,
    read_echo,
    read_options,
)

TOKEN = bytes.fromhex("0123456789abcdef")
TARGET, LOCAL = ip_address("192.0.2.10"), ip_address("203.0.113.2")

SEEN, SEEN6 = ip_address("198.51.100.20"), ip_address("2001:db8::5")


def response(via: str, status: str = "SIP/2.0 200 OK", cseq: str = "1 OPTIONS") -> bytes:
    """A response as a provider would send it."""
    lines = (status, via, "From: <sip:a@b>", "To: <sip:a@b>;tag=1", f"CSeq: {cseq}", "Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


VIA = f"Via: SIP/2.0/UDP 203.0.113.2:40000;branch=z9hG4bK{TOKEN.hex()}"


def test_options_ask_for_what_the_provider_sees() -> None:
    text = options_request(TARGET, 5060, LOCAL, 40000, TOKEN).decode()
    assert text.startswith("OPTIONS sip:192.0.2.10:5060 SIP/2.0\r\n")
    assert f"Via: SIP/2.0/UDP 203.0.113.2:40000;rport;branch=z9hG4bK{TOKEN.hex()}\r\n" in text
    assert text.endswith("\r\n\r\n")
    assert text.count(TOKEN.hex()) == 3
    assert "[2001:db8::1]:5060" in options_request(ip_address("2001:db8::1"), 5060, LOCAL, 1, TOKEN).decode()


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (response(VIA + ";received=198.51.100.20;rport=4321"), Answer(TOKEN, SEEN, 200)),
        (response(VIA), Answer(TOKEN, None, 200)),
        (response(VIA + ";rport=4321", "SIP/2.0 403 No"), Answer(TOKEN, None, 403)),
        (response(VIA.replace("Via", "v") + " ; RECEIVED = [2001:db8::5]"), Answer(TOKEN, SEEN6, 200)),
        (response(VIA + ";received=198.51.100.20, SIP/2.0/UDP x;received=1.1.1.1"), Answer(TOKEN, SEEN, 200)),
        (response(VIA + "\r\nVia: SIP/2.0/UDP y;received=1.1.1.1"), Answer(TOKEN, None, 200)),
        (response(VIA + ";received=999.1.1.1"), Answer(TOKEN, None, 200)),
        (response(VIA + ";received=fe80::1%eth0"), Answer(TOKEN, None, 200)),
        (response(VIA, "SIP/2.0 100 Trying"), None),
        (response(VIA, "SIP/2.0 2000 OK"), None),
        (response(VIA, "OPTIONS sip:x SIP/2.0"), None),
        (response(VIA, cseq="1 INVITE"), None),
        (response(VIA, cseq=""), None),
        (response("Via: SIP/2.0/UDP 203.0.113.2;branch=z9hG4bKother"), None),
        (response("X: y"), None),
        (b"SIP/2.0 200 OK", None),
        (b"", None),
    ],
)  # fmt: skip
def test_responses(packet: bytes, answer: Answer | None) -> None:
    assert read_options(packet) == answer


def mapped(address: str, kind: int = 0x0020) -> bytes:
    """A binding success response that tells `address`."""
    plain = ip_address(address).packed
    key = struct.pack("!I", 0x2112A442) + TOKEN + bytes(4)
    body = bytes(a ^ b for a, b in zip(plain, key, strict=False))
    value = struct.pack("!BBH", 0, 1 if len(plain) == 4 else 2, 4321) + body
    attributes = struct.pack("!HH", 0x8022, 3) + b"abc\0" + struct.pack("!HH", kind, len(value)) + value
    return struct.pack("!HH", 0x0101, len(attributes)) + key + attributes


@pytest.mark.parametrize("address", ["198.51.100.20", "2001:db8::7"])
def test_stun_tells_the_mapped_address(address: str) -> None:
    assert read_binding(mapped(address)) == Answer(TOKEN, ip_address(address))
    assert read_binding(mapped(address, kind=0x0001)) is None


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        mapped("1.2.3.4")[:-1],
        mapped("1.2.3.4")[:-4],
        mapped("1.2.3.4") + bytes(4),
        b"\x01\x11" + mapped("1.2.3.4")[2:],
        binding_request(TOKEN),
    ],
)
def test_stun_that_is_no_answer(packet: bytes) -> None:
    assert read_binding(packet) is None


@pytest.mark.parametrize("version", [4, 6])
def test_an_echo_reply_brings_the_token_back(version: int) -> None:
    request = echo_request(version, 0x1234, 70_000, TOKEN)
    assert struct.unpack_from("!H", request, 6) == (70_000 & 0xFFFF,)
    reply = bytes([0 if version == 4 else 129]) + request[1:]
    header = bytes([0x46]) + bytes(23) if version == 4 else b""
    assert read_echo(version, header + reply, 0x1234) == Answer(TOKEN)
    assert read_echo(version, header + reply, 0x1235) is None
    assert read_echo(version, header + request, 0x1234) is None
    assert read_echo(version, (header + reply)[:-1], 0x1234) is None


def test_the_checksum_of_an_echo_is_right() -> None:
    words = struct.unpack("!8H", echo_request(4, 0xFFFF, 0xFFFF, TOKEN))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


@given(st.binary(max_size=600))
def test_nothing_hostile_raises(packet: bytes) -> None:
    for prefix in (b"", b"SIP/2.0 200 \r\nVia:", b"\x01\x01"):
        read_options(prefix + packet)
        read_binding(prefix + packet)
        read_echo(4, prefix + packet, 1)
        read_echo(6, prefix + packet, 1)


@given(st.data())
def test_a_damaged_answer_is_never_mistaken_for_another_probe(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([response(VIA + ";received=198.51.100.20"), mapped("1.2.3.4")]))
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    for answer in (read_options(bytes(damaged)), read_binding(bytes(damaged))):
        if answer is not None and answer.token == TOKEN:
            assert answer.sip_code is None or 200 <= answer.sip_code <= 699


@given(st.text(max_size=40))
def test_any_text_in_received_is_an_address_or_nothing(text: str) -> None:
    answer = read_options(response(VIA + ";received=" + text))
    assert answer is None or answer.observed is None or str(answer.observed)
