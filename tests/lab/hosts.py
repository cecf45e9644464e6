"""Small servers of the lab's Internet: STUN binding (RFC 8489 §6.3) and UDP echo. Run with ADDRESS…"""

import asyncio
import ipaddress
import struct
import sys
from typing import Final, cast

from tests.lab import plan

_STUN_PORT: Final = plan.STUN_SERVERS[0][1]
_COOKIE: Final = 0x2112A442
_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_XOR_MAPPED_ADDRESS: Final = 0x0020


def stun_answer(request: bytes, source: tuple[str, int]) -> bytes | None:
    """The success response to a binding request, None for anything else."""
    if len(request) < 20:
        return None
    kind, length, cookie, transaction = struct.unpack_from("!HHI12s", request)
    if kind != _BINDING_REQUEST or cookie != _COOKIE or length != len(request) - 20:
        return None
    address = ipaddress.ip_address(source[0])
    mask = struct.pack("!I", _COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    value = struct.pack("!BBH", 0, family, source[1] ^ (_COOKIE >> 16)) + masked
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return struct.pack("!HHI12s", _BINDING_SUCCESS, len(attribute), _COOKIE, transaction) + attribute


class _Server(asyncio.DatagramProtocol):
    def __init__(self, *, stun: bool) -> None:
        self._stun = stun
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = stun_answer(data, addr) if self._stun else data
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


async def serve(addresses: list[str]) -> None:
    """Answer on every address for ever; says "ready" on stdout."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        await loop.create_datagram_endpoint(lambda: _Server(stun=True), local_addr=(address, _STUN_PORT))
        await loop.create_datagram_endpoint(lambda: _Server(stun=False), local_addr=(address, plan.ECHO_PORT))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
