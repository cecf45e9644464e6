"""The wiring: which namespaces, devices, addresses, routes and NAT make up the laboratory. Pure text, no I/O.

    lan --- box ---+-- ispa --+
                   +-- ispb --+-- core --+-- provider --- far
                   +-- ispc --+          +-- internet
                                         +-- stranger

Inside each ISP a packet from the box goes br0 -> up0 -> (impairment) -> down0 -> NAT -> core, and back so.
The bridge br0 is the wire between box and ISP, so that another host can sit on it (address conflicts).
"""

from ipaddress import ip_interface
from typing import Final

from tests.lab import plan

ISPS: Final = ("a", "b", "c")
NAMESPACES: Final = (
    "box",
    "lan",
    "ispa",
    "ispb",
    "ispc",
    "core",
    "provider",
    "far",
    "internet",
    "stranger",
    "thief",
)
TRANSIT: Final = {"a": "198.18.1", "b": "198.18.2", "c": "198.18.3"}
CORE_INTERNET: Final = "198.51.100.193"
CORE_STRANGER: Final = "198.51.100.65"
CORE_PROVIDER: Final = "192.0.2.1"

ROUTER_SYSCTLS: Final = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.keep_addr_on_down": "1",
}
HOST_SYSCTLS: Final = {
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv4.conf.default.arp_notify": "1",
}


def links(full: dict[str, str]) -> str:
    """iproute2 batch, run outside: every veth pair, born in place. `full`: short name -> real name."""
    pairs = [("lan", "eth0", "box", plan.LAN_DEVICE)]
    pairs += [(f"isp{isp}", "core", "core", f"isp{isp}") for isp in ISPS]
    pairs += [(there, "eth0", "core", there) for there in ("provider", "internet", "stranger")]
    pairs += [("far", "eth0", "provider", "far")]
    lines = [
        f"link add {here} netns {full[a]} type veth peer name {there} netns {full[b]}"
        for a, here, b, there in pairs
    ]
    lines += [wire(uplink, full) for uplink in plan.UPLINKS]
    return "\n".join(lines)


def wire(uplink: plan.Uplink, full: dict[str, str]) -> str:
    """The cable of one uplink: `device` in the box, `box` in the ISP."""
    return (
        f"link add {uplink.device} netns {full['box']} address {uplink.mac} "
        f"type veth peer name box netns {full['isp' + uplink.isp]}"
    )


def isp(uplink: plan.Uplink) -> str:
    """iproute2 batch inside an ISP; the tun devices must exist."""
    core = TRANSIT[uplink.isp]
    lines = [
        "link add br0 type bridge forward_delay 0",
        f"addr add {uplink.router}/{uplink.prefix_length} dev br0",
        "link set br0 up",
        "link set box master br0",
        "link set box up",
        f"addr add {core}.2/30 dev core",
        "link set core up",
        "link set up0 up txqueuelen 5000",
        "link set down0 up txqueuelen 5000",
        f"route add default via {core}.1",
        "rule add pref 10 iif br0 lookup 10",
        "rule add pref 11 iif core lookup 11",
        "route add default dev up0 table 10",
        "route add default dev down0 table 11",
    ]
    if uplink.isp == "a":
        lines += [
            f"addr add {plan.MAIN_ROUTER6}/{plan.MAIN_PREFIX6_LENGTH} dev br0",
            "addr add 2001:db8:ff::2/64 dev core",
            "route add ::/0 via 2001:db8:ff::1",
            "-6 rule add pref 10 iif br0 lookup 10",
            "-6 rule add pref 11 iif core lookup 11",
            "route add ::/0 dev up0 table 10",
            "route add ::/0 dev down0 table 11",
        ]
    return "\n".join(lines)


def isp_nft(uplink: plan.Uplink, public: str, *, forward_in: bool) -> str:
    """nftables of one ISP: only its customer's addresses go out (BCP 38), NAT where it has one.

    The bridge side is not tracked, since each packet passes this kernel twice. `forward_in`: the router hands
    unsolicited packets to the box ("DMZ host").
    """
    if not uplink.nat:
        return (
            "table ip isp { chain forward { type filter hook forward priority 0; "
            f"iifname down0 ip saddr != {uplink.address} drop;\n }}\n }}\n"
        )
    inside = f"{uplink.router}/{uplink.prefix_length}"
    pool = ", ".join(plan.BACKUP2_POOL) if uplink.isp == "c" else public
    dnat = (
        f"iifname core ip daddr {public} dnat to {uplink.address};" if forward_in and uplink.address else ""
    )
    return f"""
    table ip isp
    delete table ip isp
    table ip isp {{
      chain untracked {{ type filter hook prerouting priority raw; iifname {{ br0, up0 }} notrack;
      }}
      chain inbound {{ type nat hook prerouting priority dstnat; {dnat}
      }}
      chain forward {{ type filter hook forward priority 0;
        iifname down0 ip saddr != {inside} drop;
        iifname core ip daddr {{ {pool} }} drop;
      }}
      chain outbound {{ type nat hook postrouting priority srcnat;
        iifname down0 oifname core snat to {public};
      }}
    }}
    """


def core() -> str:
    """iproute2 batch inside the core router."""
    lines = [f"link set {name} up" for name in ("ispa", "ispb", "ispc", "provider", "internet", "stranger")]
    lines += [f"addr add {TRANSIT[isp]}.1/30 dev isp{isp}" for isp in ISPS]
    lines += [
        f"addr add {CORE_PROVIDER}/28 dev provider",
        f"addr add {CORE_INTERNET}/28 dev internet",
        f"addr add {CORE_STRANGER}/30 dev stranger",
        f"route add 203.0.113.0/30 via {TRANSIT['a']}.2",
        f"route add {plan.BACKUP1.public}/32 via {TRANSIT['b']}.2",
        *(f"route add {address}/32 via {TRANSIT['c']}.2" for address in plan.BACKUP2_POOL),
        *(f"addr add {uplink.resolver}/32 dev lo" for uplink in plan.UPLINKS),
        "addr add 2001:db8:ff::1/64 dev ispa",
        "addr add 2001:db8:f::1/64 dev provider",
        "route add 2001:db8:a::/64 via 2001:db8:ff::2",
    ]
    return "\n".join(lines)


def core_nft() -> str:
    """Each ISP's resolver answers that ISP's customers alone."""
    rules = " ".join(f"iifname != isp{up.isp} ip daddr {up.resolver} drop;" for up in plan.UPLINKS)
    return f"table ip core {{ chain input {{ type filter hook input priority 0; {rules}\n }}\n }}\n"


def hosts() -> dict[str, str]:
    """iproute2 batches of the end hosts: namespace -> commands."""
    return {
        "provider": "\n".join(
            [
                *(f"addr add {a}/28 dev eth0" for a in (plan.PROVIDER_SERVER, plan.PROVIDER_MEDIA)),
                f"addr add {plan.PROVIDER_SERVER2}/28 dev eth0",
                f"addr add {plan.PROVIDER_SERVER6}/64 dev eth0",
                f"addr add {plan.PROVIDER_MEDIA6}/64 dev eth0",
                f"addr add {plan.INNER_PROXY}/24 dev far",
                "link set eth0 up",
                "link set far up",
                f"route add default via {CORE_PROVIDER}",
                "route add ::/0 via 2001:db8:f::1",
            ]
        ),
        "far": "\n".join(
            [
                *(
                    f"addr add {a}/24 dev eth0"
                    for a in (plan.INNER_EXACT, plan.INNER_SIPP, plan.INNER_BARESIP, plan.INNER_CALLER)
                ),
                "link set eth0 up",
            ]
        ),
        "internet": "\n".join(
            [
                f"addr add {plan.INTERNET_HOST}/28 dev eth0",
                f"addr add {plan.INTERNET_HOST2}/28 dev eth0",
                "link set eth0 up",
                f"route add default via {CORE_INTERNET}",
            ]
        ),
        "stranger": "\n".join(
            [
                f"addr add {plan.STRANGER}/30 dev eth0",
                "link set eth0 up",
                f"route add default via {CORE_STRANGER}",
            ]
        ),
        "lan": "\n".join(
            [
                f"addr add {plan.LAN_PC}/{plan.LAN_PREFIX_LENGTH} dev eth0",
                "link set eth0 up",
                f"route add default via {plan.LAN_ADDRESS}",
            ]
        ),
    }


def box_addresses() -> str:
    """What a configured box would wear (backup2 as if leased), devices up."""
    lines = [f"link set {up.device} up" for up in plan.UPLINKS]
    lines += [
        f"addr add {up.address or plan.DHCP_FIRST}/{up.prefix_length} dev {up.device}" for up in plan.UPLINKS
    ]
    lines += [
        f"addr add {plan.MAIN_ADDRESS6}/{plan.MAIN_PREFIX6_LENGTH} dev {plan.MAIN.device} nodad",
        f"link set {plan.LAN_DEVICE} up",
        f"addr add {plan.LAN_ADDRESS}/{plan.LAN_PREFIX_LENGTH} dev {plan.LAN_DEVICE}",
    ]
    return "\n".join(lines)


def box_routes() -> str:
    """Routes by source address, main as the default: for tests that run without the gateway."""
    lines = [f"route add default via {plan.MAIN.router} dev {plan.MAIN.device}"]
    for number, up in enumerate(plan.UPLINKS, 1):
        lines += [
            f"route add default via {up.router} dev {up.device} table {100 + number}",
            f"rule add pref {100 + number} from {up.address or plan.DHCP_FIRST} lookup {100 + number}",
        ]
    lines += [f"route add ::/0 via {plan.MAIN_ROUTER6} dev {plan.MAIN.device}"]
    return "\n".join(lines)


def resolver(uplink: plan.Uplink) -> list[str]:
    """The command line of an ISP's DNS server; it runs in the core."""
    domain = plan.PROVIDER_DOMAIN
    services = [
        f"--srv-host=_sip._{protocol}.{domain},sip{n}.provider.test,{plan.SIP_PORT},{n * 10},10"
        for protocol in ("udp", "tcp")
        for n in (1, 2)
    ]
    return [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file=",
        f"--listen-address={uplink.resolver}",
        "--bind-interfaces",
        "--local=/test/",
        "--local-ttl=30",
        f"--host-record={domain},{plan.PROVIDER_SERVER},{plan.PROVIDER_SERVER6}",
        f"--host-record=sip1.provider.test,{plan.PROVIDER_SERVER},{plan.PROVIDER_SERVER6}",
        f"--host-record={plan.PROVIDER_DOMAIN6},{plan.PROVIDER_SERVER6}",
        f"--host-record=sip2.provider.test,{plan.PROVIDER_SERVER2}",
        *services,
        f"--srv-host=_sips._tcp.{domain},sip1.provider.test,{plan.SIPS_PORT},10,10",
        f"--host-record={plan.INTERNET_NAME},{plan.INTERNET_HOST}",
        f"--txt-record=whoami.test,isp-{uplink.isp}",
    ]


def router_advertisements(lifetime_s: int) -> list[str]:
    """The command line that announces main's IPv6 prefix and router on its wire."""
    prefix = ip_interface(f"{plan.MAIN_ROUTER6}/{plan.MAIN_PREFIX6_LENGTH}").network.network_address
    return [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--port=0",
        "--user=root",
        "--pid-file=",
        "--interface=br0",
        "--enable-ra",
        f"--dhcp-range={prefix},ra-only,{plan.MAIN_PREFIX6_LENGTH}",
        f"--ra-param=br0,4,{lifetime_s}",
    ]


def dhcp_config(directory: str, first: str, last: str) -> str:
    """udhcpd's configuration for backup2, with addresses from `first` to `last`; its lease file must exist in
    `directory`."""
    return "\n".join(
        [
            f"start {first}",
            f"end {last}",
            "max_leases 10",
            "interface br0",
            f"lease_file {directory}/leases",
            f"pidfile {directory}/udhcpd.pid",
            f"min_lease {plan.DHCP_LEASE_S}",
            "conflict_time 1",
            "offer_time 2",
            f"option lease {plan.DHCP_LEASE_S}",
            "option subnet 255.255.255.0",
            f"option router {plan.BACKUP2.router}",
            f"option dns {plan.BACKUP2.resolver}",
            "",
        ]
    )
