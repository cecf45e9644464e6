"""DHCP messages: what we say, what servers answer, and what nobody should."""

import struct
from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uplinks.dhcpwords import Query, Reply, decode, encode

HARDWARE = bytes.fromhex("02005e100002")
ADDRESS = IPv4Address("100.64.8.10")


def answer(*options: tuple[int, bytes], yours: str = "100.64.8.10", owner: bytes = HARDWARE) -> bytes:
    """A server's message with these options."""
    head = struct.pack("!BBBBIHH", 2, 1, 6, 0, 7, 0, 0) + bytes(4) + IPv4Address(yours).packed + bytes(8)
    body = b"".join(bytes((code, len(value))) + value for code, value in options)
    return head + owner.ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63" + body + b"\xff"


ACK = (53, b"\x05")
MASK = (1, b"\xff\xff\xff\x00")
SERVER = (54, IPv4Address("100.64.8.1").packed)
ROUTER = (3, IPv4Address("100.64.8.1").packed)


def test_a_whole_answer() -> None:
    times = ((51, struct.pack("!I", 12)), (58, struct.pack("!I", 6)), (59, struct.pack("!I", 10)))
    resolvers = (6, IPv4Address("192.0.2.53").packed + IPv4Address("192.0.2.54").packed)
    assert decode(answer(ACK, MASK, SERVER, ROUTER, resolvers, *times), HARDWARE) == Reply(
        kind="ack",
        transaction=7,
        address=IPv4Interface("100.64.8.10/24"),
        server=IPv4Address("100.64.8.1"),
        gateway=IPv4Address("100.64.8.1"),
        resolvers=(IPv4Address("192.0.2.53"), IPv4Address("192.0.2.54")),
        lease_s=12,
        renew_s=6,
        rebind_s=10,
    )


@pytest.mark.parametrize(
    ("routes", "gateway"),
    [
        (b"\x00\x0a\x00\x00\x01", "10.0.0.1"),
        (b"\x18\xc0\x00\x02\x0a\x00\x00\x09\x00\x0a\x00\x00\x01", "10.0.0.1"),
        (b"\x18\xc0\x00\x02\x0a\x00\x00\x09", None),
        (b"\x00\x0a", None),
    ],
)
def test_classless_routes_come_before_the_router(routes: bytes, gateway: str | None) -> None:
    reply = decode(answer(ACK, MASK, SERVER, ROUTER, (121, routes)), HARDWARE)
    assert reply is not None
    assert reply.gateway == (IPv4Address(gateway) if gateway else None)


@pytest.mark.parametrize("yours", ["0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"])
def test_addresses_that_no_host_may_bear(yours: str) -> None:
    reply = decode(answer(ACK, MASK, SERVER, yours=yours), HARDWARE)
    assert reply is not None and reply.address is None


@pytest.mark.parametrize("mask", [b"", b"\xff", b"\xff\x00\xff\x00", bytes(4)])
def test_a_mask_that_is_none_leaves_the_address_alone(mask: bytes) -> None:
    reply = decode(answer(ACK, (1, mask), SERVER), HARDWARE)
    assert reply is not None and reply.address == IPv4Interface("100.64.8.10/32")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        answer(ACK)[:240],
        answer(ACK, owner=bytes(6)),
        answer(),
        answer((53, b"")),
        answer((53, b"\x03")),
        answer((53, b"\x63")),
        encode(Query("discover", 7), HARDWARE),
    ],
)
def test_what_is_no_answer_to_us(message: bytes) -> None:
    assert decode(message, HARDWARE) is None


def test_a_request_says_what_it_wants() -> None:
    message = encode(Query("request", 7, wanted=ADDRESS, server=IPv4Address("100.64.8.1")), HARDWARE)
    assert b"\x32\x04" + ADDRESS.packed in message
    assert b"\x36\x04" in message
    assert len(message) >= 300
    assert encode(Query("request", 7, current=ADDRESS), HARDWARE)[12:16] == ADDRESS.packed


@given(st.binary(max_size=400))
def test_nothing_hostile_raises(body: bytes) -> None:
    decode(body, HARDWARE)
    decode(answer()[:240] + body, HARDWARE)
