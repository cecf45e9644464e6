"""Door: where the packet sockets of this room come from.

Under its unit the daemon may not open any and borrows them (gateway/lender.py, unix(7)); on a plain machine
it opens them itself.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from pathlib import Path
from typing import Final

from gateway.uplinks.packetsocket import Kind, open_packet_socket

PATIENCE_S: Final = 5.0
"""The lender may have to be started first."""
_PASSING: Final = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)
"""The device has just gone: its return is told by others."""

log = logging.getLogger("gateway.uplinks")


class PacketSockets:
    """`lender`: the lender's socket file; where it is not served, or None, sockets are opened here."""

    def __init__(self, lender: Path | None = None) -> None:
        self._lender = lender
        self._said: set[str] = set()

    async def open(self, kind: Kind, device: str) -> socket.socket:
        """As `open_packet_socket`. Raises OSError; what the owner can mend is logged, once."""
        try:
            if self._lender is not None:
                with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                    return await _borrow(self._lender, kind, device)
            return open_packet_socket(kind, device)
        except OSError as error:
            said = f"No socket for {kind.upper()} on {device}: {error.strerror or error}"
            if error.errno not in _PASSING and said not in self._said:
                self._said.add(said)
                log.warning("%s. Start gateway-packets.socket, or the daemon as root", said)
            raise


async def _borrow(lender: Path, kind: Kind, device: str) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as line:
        line.connect(os.fspath(lender))
        line.send(f"{kind} {device}".encode())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await _readable(line)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "the lender does not answer") from None
        said, lent, _, _ = socket.recv_fds(line, 512, 1, socket.MSG_CMSG_CLOEXEC)
    if lent:
        borrowed = socket.socket(fileno=lent[0])
        borrowed.setblocking(False)
        return borrowed
    number, _, words = said.decode("utf-8", "replace").partition(" ")
    raise OSError(int(number) if number.isdigit() else errno.EPROTO, words or "the lender said nothing")


async def _readable(line: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(line, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(line)
