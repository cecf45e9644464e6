"""Door: AF_PACKET sockets, for what is spoken beside an address or before there is one: ARP and DHCP.

Whoever holds one hears nothing but its protocol: the filter is in the kernel and locked. This file loads next
to nothing, for the lender (gateway/lender.py) is made of it.
"""

import array
import socket
import struct
from typing import Final, Literal

Kind = Literal["arp", "dhcp"]

ETH_P_IP: Final = 0x0800
ETH_P_ARP: Final = 0x0806
_DHCP_CLIENT_PORT: Final = 68
_SO_ATTACH_FILTER, _SO_LOCK_FILTER = 26, 44
_PROTOCOL: Final = 0xFFFFF000  # SKF_AD_PROTOCOL

# Classic BPF, (code, jump if true, jump if false, value).
_ARP: Final = (
    (0x28, 0, 0, _PROTOCOL),
    (0x15, 0, 1, ETH_P_ARP),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
_DHCP: Final = (  # on the IP header: UDP, no fragment, port 68
    (0x28, 0, 0, _PROTOCOL),
    (0x15, 0, 8, ETH_P_IP),
    (0x30, 0, 0, 9),
    (0x15, 0, 6, socket.IPPROTO_UDP),
    (0x28, 0, 0, 6),
    (0x45, 4, 0, 0x1FFF),
    (0xB1, 0, 0, 0),
    (0x48, 0, 0, 2),
    (0x15, 0, 1, _DHCP_CLIENT_PORT),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
_MADE_OF: Final = {
    "arp": (socket.SOCK_RAW, ETH_P_ARP, _ARP),
    "dhcp": (socket.SOCK_DGRAM, ETH_P_IP, _DHCP),
}


def open_packet_socket(kind: Kind, device: str) -> socket.socket:
    """A socket on `device` that does not block: `arp` with the Ethernet header, `dhcp` from the IP header on.

    Raises OSError with the kernel's number: ENODEV, EPERM without CAP_NET_RAW, EAFNOSUPPORT where a unit
    forbids the family.
    """
    shape, protocol, code = _MADE_OF[kind]
    # Of protocol 0 it hears nothing until the filter stands and it is bound.
    made = socket.socket(socket.AF_PACKET, shape | socket.SOCK_NONBLOCK)
    try:
        kept = array.array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in code))
        program = struct.pack("@HP", len(code), kept.buffer_info()[0])
        made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        made.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
        made.bind((device, protocol))
    except OSError:
        made.close()
        raise
    return made
