"""The lender's main (`python -m gateway.lender`): opens packet sockets for the daemon, and nothing else.

Law: it lends to the user who owns its socket file, and to nobody else, root included. A request is
`arp DEVICE` or `dhcp DEVICE`, one packet on a connection of its own; the answer is `0` with the socket
(SCM_RIGHTS, unix(7)), or the kernel's error number and its words.

So the daemon, which meets packets of strangers, need not be able to open packet sockets. systemd starts this
process when it is asked for something (gateway-packets.socket), and it ends after a while of idleness: it
keeps nothing.
"""

import contextlib
import errno
import os
import socket
import struct
import sys
from typing import Final

from gateway.uplinks.packetsocket import Kind, open_packet_socket

IDLE_S: Final = 15.0
PATIENCE_S: Final = 1.0
_FIRST_FD: Final = 3  # sd_listen_fds(3)


def serve(listener: socket.socket, idle_s: float = IDLE_S) -> None:
    """Lend by `listener`, one request after the other, until nobody has asked for `idle_s` seconds."""
    owner = os.stat(listener.getsockname()).st_uid
    while True:
        listener.settimeout(idle_s)
        try:
            line, _ = listener.accept()
        except TimeoutError:
            return
        with line, contextlib.suppress(OSError):  # who has gone does not care
            line.settimeout(PATIENCE_S)
            _answer(line, owner)


def _answer(line: socket.socket, owner: int) -> None:
    packet = line.recv(64)  # unread, it would reset the line before the answer is heard
    try:
        _, uid, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != owner:
            raise PermissionError(errno.EACCES, f"packet sockets are not lent to user {uid}")
        kind, device = _request(packet)
        with open_packet_socket(kind, device) as lent:
            socket.send_fds(line, [b"0"], [lent.fileno()])
    except OSError as error:
        line.send(f"{error.errno or errno.EPROTO} {error.strerror or error}".encode())


def _request(packet: bytes) -> tuple[Kind, str]:
    """Kind and device. Raises OSError (EINVAL) for anything else."""
    kind, _, device = packet.decode("latin-1").partition(" ")
    sound = device.isascii() and device.isprintable() and not set(device) & set("/: ")  # dev_valid_name()
    if sound and 0 < len(device) < 16:
        if kind == "arp":
            return "arp", device
        if kind == "dhcp":
            return "dhcp", device
    raise OSError(errno.EINVAL, "ask for `arp DEVICE` or `dhcp DEVICE`")


def main() -> None:
    """Serve the socket that systemd handed over."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("There is no socket to serve: start gateway-packets.socket, which starts this.")
    with socket.socket(fileno=_FIRST_FD) as listener:
        serve(listener)


if __name__ == "__main__":
    main()
