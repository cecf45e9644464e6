"""Door: dnspython, for building and reading messages only. Names are asked through the uplinks themselves.

Each question goes to a resolver of every usable uplink at once, from that uplink's own address, out of its
device and with its mark; the first proper answer counts. Nothing blocks the loop, and no system resolver is
asked: its answer could come from an uplink that is dead or lies.
"""

import asyncio
import random
import secrets
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import dns.exception
import dns.message
import dns.rcode
import dns.rrset

from gateway.errors import DoorError
from gateway.messages import Server
from gateway.schema import Trunk
from gateway.uplinks.model import Address
from gateway.uplinks.wiring import Ask, Resolved, default_port, endpoint_text

PORT: Final = 53
TRY_S: Final = 1.0
TRIES: Final = 3
LEAST_S: Final = 30.0
MOST_S: Final = 3600.0
_PAYLOAD: Final = 1232
"""EDNS size that no path fragments (dnsflagday.net 2020)."""
_PREFIX: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


@dataclass(frozen=True, slots=True)
class _Service:
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Resolver:
    """Looks names up. `order` decides among servers of equal rank; the same seed gives the same order, so
    that asking again does not shuffle a list that has not changed."""

    def __init__(self, seed: int | None = None, port: int = PORT) -> None:
        self._seed = secrets.randbits(32) if seed is None else seed
        self._port = port

    async def servers(self, trunk: Trunk, asks: tuple[Ask, ...]) -> Resolved:
        """The trunk's servers: SRV unless the settings name a port, then addresses (RFC 3263 §4.2), in the
        order of RFC 2782, IPv4 first. Raises DoorError when the name leads to no address."""
        services: list[_Service] = []
        ttl_s = MOST_S
        if trunk.port is None:
            services, ttl_s = await self._services(_PREFIX[trunk.transport] + trunk.server, asks)
        if not services:
            port = trunk.port or default_port(trunk.transport)
            services = [_Service(0, 0, port, trunk.server)]
        found: list[Server] = []
        for service in ordered(services, random.Random(self._seed)):
            addresses, address_ttl_s = await self._addresses(service.target, asks)
            ttl_s = min(ttl_s, address_ttl_s)
            found += [Server(address=str(a), port=service.port, transport=trunk.transport) for a in addresses]
        if not found:
            raise DoorError(
                f"the name {trunk.server} leads to no address",
                where="trunk.server",
                remedy="Check its spelling, or give the address itself",
            )
        return Resolved(tuple(dict.fromkeys(found)), min(max(ttl_s, LEAST_S), MOST_S))

    async def endpoints(self, names: tuple[str, ...], asks: tuple[Ask, ...]) -> tuple[str, ...]:
        """`address:port` for each address of each `host:port`; names that do not resolve are left out."""
        found: list[str] = []
        for name in names:
            host, _, port = name.partition(":")
            try:
                addresses, _ = await self._addresses(host, asks)
            except DoorError:
                continue
            found += [endpoint_text(str(address), int(port or 3478)) for address in addresses]
        return tuple(found)

    async def _services(self, name: str, asks: tuple[Ask, ...]) -> tuple[list[_Service], float]:
        records = await self._look_up(name, "SRV", asks)
        services = [_Service(r.priority, r.weight, r.port, r.target.to_text(True)) for r in records or ()]
        if services and all(service.target in ("", ".") for service in services):
            raise DoorError(
                f"the provider says that {name} is not served",
                where="trunk.transport",
                remedy="Choose another transport",
            )
        return services, float(records.ttl) if records else MOST_S

    async def _addresses(self, name: str, asks: tuple[Ask, ...]) -> tuple[list[Address], float]:
        answers = await asyncio.gather(*(self._look_up(name, kind, asks) for kind in ("A", "AAAA")))
        addresses = [ip_address(record.address) for answer in answers for record in answer or ()]
        return addresses, min((float(answer.ttl) for answer in answers if answer), default=MOST_S)

    async def _look_up(self, name: str, kind: str, asks: tuple[Ask, ...]) -> dns.rrset.RRset | None:
        """The records, or None when there are none. Raises DoorError when nobody answers."""
        try:
            query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
        except dns.exception.DNSException as error:
            raise DoorError(f"{name} is no name: {error}", where="DNS", remedy="Mend the name") from None
        for turn in range(TRIES):
            questions = [
                asyncio.ensure_future(self._ask(query, ask, ask.resolvers[turn % len(ask.resolvers)]))
                for ask in asks
            ]
            try:
                async with asyncio.timeout(TRY_S):
                    for question in asyncio.as_completed(questions):
                        answer = await question
                        if answer is not None:
                            return _records(answer)
            except TimeoutError:
                continue
            finally:
                for task in questions:
                    task.cancel()
                await asyncio.gather(*questions, return_exceptions=True)
        raise DoorError(
            f"no resolver answers for {name}",
            where="DNS",
            remedy="Check the resolvers of the uplinks; until then the servers known so far are used",
        )

    async def _ask(
        self, query: dns.message.QueryMessage, ask: Ask, resolver: Address
    ) -> dns.message.Message | None:
        """One question by one uplink; None when it cannot be sent or the answer is of no use."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET if resolver.version == 4 else socket.AF_INET6
        question = dns.message.make_query(
            query.question[0].name, query.question[0].rdtype, use_edns=0, payload=_PAYLOAD
        )
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
            try:
                door.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, ask.mark)
                door.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ask.device.encode())
                door.bind((str(ask.source), 0))
                door.connect((str(resolver), self._port))
                await loop.sock_sendall(door, question.to_wire())
                while True:
                    answer = _read(await loop.sock_recv(door, 4096), question)
                    if answer is not None:
                        return answer if answer.rcode() in _FINAL else None
            except OSError:
                return None  # this uplink cannot ask; the others can


_FINAL: Final = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


def _read(packet: bytes, question: dns.message.Message) -> dns.message.Message | None:
    """The answer to `question`; None for what is not one (forged, broken, late)."""
    try:
        answer = dns.message.from_wire(packet, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return answer if question.is_response(answer) else None


def _records(answer: dns.message.Message) -> dns.rrset.RRset | None:
    """The records asked for, at the end of whatever aliases."""
    if not isinstance(answer, dns.message.QueryMessage):
        return None
    try:
        return answer.resolve_chaining().answer
    except dns.exception.DNSException:
        return None


def ordered(services: list[_Service], dice: random.Random) -> list[_Service]:
    """By priority; within one, by chance in proportion to weight, zero weights first in line (RFC 2782)."""
    result: list[_Service] = []
    for priority in sorted({service.priority for service in services}):
        rest = sorted(
            (s for s in services if s.priority == priority), key=lambda s: (s.weight, s.target, s.port)
        )
        while rest:
            mark = dice.randint(0, sum(service.weight for service in rest))
            for service in rest:
                mark -= service.weight
                if mark <= 0:
                    break
            rest.remove(service)
            result.append(service)
    return result
