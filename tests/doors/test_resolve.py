"""The resolver's door against a real name server on loopback."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from gateway import schema
from gateway.errors import DoorError
from gateway.uplinks.resolve import Resolver, _Service, ordered
from gateway.uplinks.wiring import Ask

pytestmark = pytest.mark.root

ZONE = {
    ("sip.provider.test.", "A"): ["192.0.2.10"],
    ("_sip._udp.sip.provider.test.", "SRV"): ["20 0 5070 b.provider.test.", "10 0 5060 a.provider.test."],
    ("a.provider.test.", "A"): ["192.0.2.10"],
    ("a.provider.test.", "AAAA"): ["2001:db8:f::10"],
    ("b.provider.test.", "CNAME"): ["c.provider.test."],
    ("c.provider.test.", "A"): ["192.0.2.12"],
    ("_sip._tcp.sip.provider.test.", "SRV"): ["0 0 0 ."],
    ("stun.test.", "A"): ["198.51.100.200"],
}
ASK = Ask("main", "lo", ip_address("127.0.0.1"), 0x5181, (ip_address("127.0.0.1"),))


class NameServer(asyncio.DatagramProtocol):
    """Answers from ZONE. `mood`: mute says nothing, forged lies about the question before the truth."""

    def __init__(self, mood: str = "") -> None:
        self.mood = mood
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.mood == "mute":
            return
        query = dns.message.from_wire(data)
        if self.mood == "forged":
            other = dns.message.make_query("evil.test.", "A", id=query.id)
            lie = dns.message.make_response(other)
            lie.answer.append(dns.rrset.from_text("evil.test.", 60, "IN", "A", "198.51.100.66"))
            self.transport.sendto(lie.to_wire(), addr)
            self.transport.sendto(b"\x00\xff not DNS", addr)
        if self.mood == "broken":
            refusal = dns.message.make_response(query)
            refusal.set_rcode(dns.rcode.SERVFAIL)
            self.transport.sendto(refusal.to_wire(), addr)
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        name, kind = str(query.question[0].name), query.question[0].rdtype.name
        if alias := ZONE.get((name, "CNAME")):
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", *alias))
            name = alias[0]
        if records := ZONE.get((name, kind)):
            response.answer.append(dns.rrset.from_text(name, 120, "IN", kind, *records))
        self.transport.sendto(response.to_wire(), addr)


def trunk(**words: object) -> schema.Trunk:
    return schema.Trunk.model_validate(
        {"server": "sip.provider.test", "default_caller_id": "443069990100", **words}
    )


def asking(question: Callable[[Resolver], Awaitable[object]], mood: str = "") -> object:
    """Start a name server, ask, stop."""

    async def run() -> object:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: NameServer(mood), local_addr=("127.0.0.1", 0)
        )
        try:
            return await question(Resolver(seed=1, port=transport.get_extra_info("sockname")[1]))
        finally:
            transport.close()

    return asyncio.run(run())


@pytest.mark.parametrize("mood", ["", "forged"])
def test_srv_gives_servers_in_order_with_both_families(mood: str) -> None:
    found = asking(lambda r: r.servers(trunk(), (ASK,)), mood)
    assert [(s.address, s.port) for s in found.servers] == [  # type: ignore[attr-defined]
        ("192.0.2.10", 5060),
        ("2001:db8:f::10", 5060),
        ("192.0.2.12", 5070),
    ]
    assert found.good_for_s == 120  # type: ignore[attr-defined]


def test_a_port_in_the_settings_means_no_srv() -> None:
    found = asking(lambda r: r.servers(trunk(port=5080), (ASK,)))
    assert [(s.address, s.port) for s in found.servers] == [("192.0.2.10", 5080)]  # type: ignore[attr-defined]


def test_without_srv_the_default_port_of_the_transport_counts() -> None:
    found = asking(lambda r: r.servers(trunk(transport="tls"), (ASK,)))
    assert [(s.address, s.port) for s in found.servers] == [("192.0.2.10", 5061)]  # type: ignore[attr-defined]


def test_a_transport_that_is_not_served_is_said() -> None:
    with pytest.raises(DoorError, match="not served"):
        asking(lambda r: r.servers(trunk(transport="tcp"), (ASK,)))


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(DoorError, match="leads to no address"):
        asking(lambda r: r.servers(trunk(server="nowhere.test"), (ASK,)))


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..b", "x" * 300])
def test_what_is_no_name_is_said(name: str) -> None:
    with pytest.raises(DoorError, match="no name"):
        asking(lambda r: r.servers(trunk().model_copy(update={"server": name}), (ASK,)))


def test_another_uplink_answers_when_one_cannot_ask() -> None:
    gone = Ask("backup1", "gone0", ip_address("127.0.0.1"), 0x5182, (ip_address("127.0.0.1"),))
    found = asking(lambda r: r.endpoints(("stun.test:3479", "nowhere.test:1"), (gone, ASK)))
    assert found == ("198.51.100.200:3479",)


@pytest.mark.slow
@pytest.mark.parametrize("mood", ["mute", "broken"])
def test_silence_and_failure_are_said_in_time(mood: str) -> None:
    with pytest.raises(DoorError, match="no resolver answers"):
        asking(lambda r: r.servers(trunk(), (ASK,)), mood)


def test_the_order_follows_priority_then_weight() -> None:
    dice = random.Random(1)
    services = [
        _Service(10, 3, 1, "a"),
        _Service(10, 1, 2, "b"),
        _Service(5, 0, 3, "c"),
        _Service(10, 0, 4, "d"),
    ]
    orders = [[s.target for s in ordered(list(services), dice)] for _ in range(2000)]
    assert all(order[0] == "c" for order in orders)
    first = Counter(order[1] for order in orders)
    assert first["a"] > 2 * first["b"] > 2 * first["d"] > 0
    assert all(sorted(order) == ["a", "b", "c", "d"] for order in orders)
