"""The laboratory's plan: every name, address and number, in one place and without code.

Addresses are documentation ranges (RFC 5737, RFC 3849), carrier-grade NAT space (RFC 6598) or private ones;
telephone numbers that nobody chose are Ofcom's numbers for drama, which ring nowhere.
"""

from dataclasses import dataclass
from typing import Final

# --- uplinks ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Uplink:
    """One of the box's ways out, as the owner and his provider would describe it.

    `address` is what the box wears (None: it comes by DHCP); `public` is what the far side sees.
    """

    name: str
    isp: str
    device: str
    address: str | None
    prefix_length: int
    router: str
    public: str
    resolver: str
    mac: str
    nat: bool


MAIN: Final = Uplink(
    name="main",
    isp="a",
    device="wan0",
    address="203.0.113.2",
    prefix_length=30,
    router="203.0.113.1",
    public="203.0.113.2",
    resolver="203.0.113.53",
    mac="02:00:5e:10:00:00",
    nat=False,
)
BACKUP1: Final = Uplink(
    name="backup1",
    isp="b",
    device="wan1",
    address="192.168.20.2",
    prefix_length=24,
    router="192.168.20.1",
    public="198.51.100.20",
    resolver="198.51.100.53",
    mac="02:00:5e:10:00:01",
    nat=True,
)
BACKUP2: Final = Uplink(
    name="backup2",
    isp="c",
    device="wan2",
    address=None,
    prefix_length=24,
    router="100.64.8.1",
    public="192.0.2.30",
    resolver="192.0.2.53",
    mac="02:00:5e:10:00:02",
    nat=True,
)
UPLINKS: Final = (MAIN, BACKUP1, BACKUP2)
"""In the owner's order: the main one first."""

MAIN_ADDRESS6: Final = "2001:db8:a::2"
MAIN_ROUTER6: Final = "2001:db8:a::1"
MAIN_PREFIX6_LENGTH: Final = 64
MAIN_FORMED6: Final = "2001:db8:a::5eff:fe10:0"
"""What the box forms of the prefix that main's router announces, and its MAC (RFC 4291, appendix A)."""

DHCP_FIRST: Final = "100.64.8.10"
DHCP_LAST: Final = "100.64.8.19"
DHCP_OTHER: Final = ("100.64.8.20", "100.64.8.29")
"""First and last address of leases after `Lab.change_lease`."""
DHCP_LEASE_S: Final = 12
BACKUP2_POOL: Final = ("192.0.2.30", "192.0.2.31", "192.0.2.32", "192.0.2.33")
"""Public addresses that the carrier-grade NAT of backup2 moves among (drift)."""

DEFAULT_RTT_MS: Final = 40.0
"""Box <-> provider, half of it each way, added in the ISP."""

# --- the office -------------------------------------------------------------------------------------------

LAN_DEVICE: Final = "lan0"
LAN_ADDRESS: Final = "192.168.50.1"
LAN_PREFIX_LENGTH: Final = 24
LAN_PC: Final = "192.168.50.10"

# --- the Internet -----------------------------------------------------------------------------------------

INTERNET_HOST: Final = "198.51.100.200"
"""Answers ICMP, and UDP on `ECHO_PORT` with the same bytes."""
INTERNET_HOST2: Final = "198.51.100.201"
ECHO_PORT: Final = 7007
STUN_SERVERS: Final = (("198.51.100.200", 3478), ("198.51.100.201", 3478))
STRANGER: Final = "198.51.100.66"
"""A host that is in nobody's list."""
PROBE_TARGETS: Final = (INTERNET_HOST, INTERNET_HOST2)
INTERNET_NAME: Final = "www.example.test"
"""Resolves to INTERNET_HOST at every ISP; TXT of `whoami.test` names the ISP whose resolver answered."""

# --- the provider -----------------------------------------------------------------------------------------

PROVIDER_DOMAIN: Final = "sip.provider.test"
"""A and AAAA of the first server; `_sip._udp` and `_sip._tcp` SRV list both servers, the first preferred, and
`_sips._tcp` the first alone."""
PROVIDER_DOMAIN6: Final = "six.provider.test"
"""The first server's AAAA alone."""
PROVIDER_SERVER: Final = "192.0.2.10"
PROVIDER_SERVER2: Final = "192.0.2.12"
PROVIDER_SERVER6: Final = "2001:db8:f::10"
PROVIDER_MEDIA: Final = "192.0.2.11"
PROVIDER_MEDIA6: Final = "2001:db8:f::11"
PROVIDER_PREFIX: Final = "192.0.2.0/28"
"""All signalling and media of the provider: what the trunk's routes and guard must cover."""
PROVIDER_PREFIX6: Final = "2001:db8:f::/64"
SIP_PORT: Final = 5060
SIPS_PORT: Final = 5061
"""TLS, on the first server alone (and only where kamailio-tls-modules is installed)."""
MEDIA_PORT_MIN: Final = 30000
MEDIA_PORT_MAX: Final = 33999

TRUNK_LOGIN: Final = "trunk4444"
"""Identifies the trunk; it may not register."""
TRUNK_PASSWORD: Final = "trunk-secret"
FREE_LOGIN: Final = "free1001"
"""A login that is not the trunk's: it may register and receive calls."""
FREE_PASSWORD: Final = "free-secret"

CONNECTED_NUMBERS: Final = ("442037691880", "442012345678", "443069990100")
DEFAULT_CALLER_ID: Final = "443069990100"
LONDON_CALLER_ID: Final = "442012345678"
CONFIRM_NUMBER: Final = "8888"

# --- numbers that can be dialled, by what the far end does ------------------------------------------------

ANSWERS: Final = "442079460001"
"""Answers at once; sends numbered frames, logs each packet that it hears (tests/lab/rtp.py)."""
SPEAKS: Final = "442079460002"
"""Answers at once with real speech and records what it hears (same exact far end)."""
BARESIP: Final = "442079460003"
"""baresip: answers, plays speech, records."""
SIPP: Final = "442079460004"
"""SIPp: answers, holds the call, waits for BYE."""
RINGS: Final = "442079460010"
"""180 until it is cancelled (480 after 60 s)."""
BUSY: Final = "442079460011"
UNKNOWN: Final = "442079460012"
"""404."""
OVERLOADED: Final = "442079460013"
"""503 with Retry-After: 30, from the provider itself (a proxy does not pass on a 503)."""
SERVER_ERROR: Final = "442079460014"
"""500."""
DECLINES: Final = "442079460015"
"""603."""
EARLY_MEDIA: Final = "442079460020"
"""183 with media for 3 s, then answers."""
RINGS_THEN_ANSWERS: Final = "442079460021"
"""180 for 2 s, then answers."""
PAUSES: Final = "442079460022"
"""Answers; from 3 s on sends no RTP for 5 s, then goes on."""
HOLDS: Final = "442079460023"
"""Answers; re-INVITE sendonly at 3 s, sendrecv at 6 s."""
HANGS_UP: Final = "442079460024"
"""Answers; BYE after 5 s."""
REFUSES_REINVITE: Final = "442079460025"
"""Answers; 488 to every re-INVITE and UPDATE."""
IGNORES_REINVITE: Final = "442079460026"
"""Answers; no reply at all to re-INVITE and UPDATE."""
ECHOES: Final = "442079460027"
"""Answers; sends back each packet's payload."""
NO_REPLACES: Final = "442079460028"
"""Answers; does not know Replaces (an INVITE with it is a new call)."""
SESSION_TIMER: Final = "442079460029"
"""Answers with Session-Expires: 90;refresher=uac."""
MANCHESTER: Final = "441614960001"
"""Like ANSWERS, outside London: shows the other CallerID."""
EMERGENCY: Final = ("112", "999", "911")
"""Answer like ANSWERS."""

# --- inside the provider (never seen by the box) ----------------------------------------------------------

INNER_PROXY: Final = "10.99.0.1"
INNER_EXACT: Final = "10.99.0.10"
INNER_SIPP: Final = "10.99.0.20"
INNER_BARESIP: Final = "10.99.0.30"
INNER_CALLER: Final = "10.99.0.40"
INNER_PREFIX: Final = "10.99.0.0/24"
