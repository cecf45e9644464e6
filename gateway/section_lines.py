"""Settings of the Internet channels, the office side, and how both are watched."""

from typing import ClassVar

from pydantic import StrictBool, StrictInt

from gateway.fields import AnyAddress, AnyInterface, Device, HostPort, Name, PortNumber, Seconds
from gateway.section import Section, said


class Uplink(Section):
    """One Internet channel."""

    TITLE: ClassVar = "Internet channels"
    HELP: ClassVar = "In your order: the first is the main one, the others are backups."
    KEY: ClassVar = "name"
    ORDERED: ClassVar = True

    name: Name = said("Name", "How this channel is called everywhere.", examples=["main"])
    device: Device = said("Network device", "The socket that it is plugged into.", examples=["eth1"])
    enabled: StrictBool = said("In use", "Switched off, the channel is left alone and not forgotten.", True)
    dhcp: StrictBool = said("Address by DHCP", "The router on this line gives the IPv4 address.", False)
    slaac: StrictBool = said("IPv6 by announcement", "The router announces IPv6 (RFC 4862).", False)
    addresses: tuple[AnyInterface, ...] = said(
        "Static addresses",
        "As your Internet provider gave them, with the length of the network; one of each IP version.",
        (),
    )
    gateways: tuple[AnyAddress, ...] = said(
        "Gateways", "The provider's router, one for each IP version; none with DHCP or announcement.", ()
    )
    resolvers: tuple[AnyAddress, ...] = said(
        "DNS servers", "Asked through this channel alone; with DHCP the router names its own.", ()
    )
    public_address: AnyAddress | None = said(
        "Address seen from outside",
        "Only behind NAT: the static address that the trunk's provider sees and has confirmed.",
        None,
        examples=["198.51.100.20"],
    )
    metered: StrictBool = said(
        "Metered", "Its traffic costs money (mobile data): it is watched rarely while it stands by.", False
    )
    probe_budget_mb: StrictInt = said(
        "Budget for watching",
        "What watching this channel may cost while it is metered and stands by; it is watched more rarely to"
        " hold it. 0: no limit.",
        0,
        unit="MB a month",
        expert=True,
        ge=0,
        le=100_000,
    )


class Lan(Section):
    """The office side: hosts on these devices share the Internet through the box."""

    TITLE: ClassVar = "Office side"
    HELP: ClassVar = "Hosts on these devices share the Internet through the box; its page is reached here."

    devices: tuple[Device, ...] = said(
        "Network devices", "The sockets towards the office.", (), examples=[["eth2"]]
    )
    addresses: tuple[AnyInterface, ...] = said(
        "Addresses of the box",
        "Put on the first of these devices; none: as the machine itself is set up.",
        (),
        examples=[["192.168.50.1/24"]],
    )


class Watching(Section):
    """How channels are watched. `stun_servers` are `host:port`; `hosts` answer to ping."""

    TITLE: ClassVar = "Watching"
    HELP: ClassVar = "How the channels are watched, and when calls go back to a better one."

    hosts: tuple[AnyAddress, ...] = said(
        "Hosts that answer to ping",
        "Reached through each channel, beside the trunk's own servers.",
        (),
        examples=[["192.0.2.200"]],
    )
    stun_servers: tuple[HostPort, ...] = said(
        "STUN servers", "They tell which address a channel is seen by; `host:port`.", ()
    )
    active_interval_ms: StrictInt = said(
        "Interval on the channel in use", "Between probes.", 200, unit="ms", expert=True, ge=100, le=10_000
    )
    standby_interval_ms: StrictInt = said(
        "Interval on backups", "Between probes.", 1000, unit="ms", expert=True, ge=200, le=60_000
    )
    metered_interval_ms: StrictInt = said(
        "Interval on metered backups", "Between probes.", 15_000, unit="ms", expert=True, ge=1000, le=120_000
    )
    failback_after_s: Seconds = said(
        "Quiet time before going back",
        "A better channel has to be sound for so long before new calls use it again.",
        30.0,
        unit="s",
        ge=1,
        le=3600,
    )
    failback_max_wait_s: Seconds = said(
        "Longest wait for running calls",
        "They stay where they are while the better channel comes back; after so long they are moved.",
        3600.0,
        unit="s",
        expert=True,
        ge=1,
        le=86_400,
    )


class Ports(Section):
    """UDP ports of the box towards the provider."""

    TITLE: ClassVar = "Ports"
    HELP: ClassVar = "UDP ports of the box towards the provider."

    sip: PortNumber = said("SIP", "Where signalling leaves and comes in.", 5060, expert=True)
    rtp_first: StrictInt = said(
        "First port for sound", "RTP uses the ports from here on.", 10_000, expert=True, ge=1024, le=65534
    )
    rtp_last: StrictInt = said(
        "Last port for sound", "Each call takes two.", 10_999, expert=True, ge=1025, le=65535
    )
