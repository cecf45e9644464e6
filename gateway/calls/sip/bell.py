"""Wakes the engine: pjsip sleeps on sockets and timers alone, so a command knocks on a socket of its own.

A line break is what SIP clients send as a keep-alive (RFC 5626 §4.4.1); pjsip reads it and goes on.
"""

import contextlib
import socket

import pjsua2 as pj


class Bell:
    """`ring` from any thread; `hang` and `close` by the engine."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._hung = False

    def hang(self, endpoint: pj.Endpoint) -> None:
        """Open the socket that pjsip listens to: on loopback, known to nobody else."""
        config = pj.TransportConfig()
        config.boundAddress = "127.0.0.1"
        transport = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, config)
        address = str(endpoint.transportGetInfo(transport).localAddress)
        self._socket.connect(("127.0.0.1", int(address.rsplit(":", 1)[1])))
        self._hung = True

    def ring(self) -> None:
        """Wake the engine if it sleeps. Without a bell it wakes by itself, a little later."""
        if self._hung:
            with contextlib.suppress(OSError):
                self._socket.send(b"\r\n")

    def close(self) -> None:
        """No more ringing."""
        self._hung = False
        self._socket.close()
