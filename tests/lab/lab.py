"""`Lab`: builds the network, holds it, and does to it what the world does to uplinks (map: README.md)."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.lab import plan, topology
from tests.lab.capture import Capture
from tests.lab.farend import FarEnds
from tests.lab.impair import Direction, Weather
from tests.lab.netns import LabError, Site, await_ready
from tests.lab.provider import Provider

_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_TOOLS: Final = (
    *("ip", "nft", "conntrack", "setpriv", "ss", "dnsmasq", "udhcpd", "tcpdump"),
    *("kamailio", "rtpengine", "espeak-ng", "sox", "openssl"),
)
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TO_PROVIDER: Final = f"iifname down0 ip daddr {plan.PROVIDER_PREFIX}"
DNS: Final = "iifname down0 meta l4proto { tcp, udp } th dport 53"
_THIEF_MAC: Final = "02:00:5e:66:66:66"


def _uplink(which: str | plan.Uplink) -> plan.Uplink:
    for uplink in plan.UPLINKS:
        if which in (uplink, uplink.name, uplink.isp, uplink.device):
            return uplink
    raise LabError(f"no uplink {which!r}: name one of {', '.join(up.name for up in plan.UPLINKS)}")


def _announcement(mac: bytes, address: bytes) -> bytes:
    """A gratuitous ARP request in its Ethernet frame (RFC 5227 §3)."""
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + address
    return b"\xff" * 6 + mac + b"\x08\x06" + arp


class Lab:
    """One laboratory, private to its caller: several may run side by side. Needs root. A context manager.

    Uplinks are named by name ("main"), ISP ("a"), device ("wan0") or `plan.Uplink`. Verbs return the Unix
    time in seconds at which they took effect: the clock of captures, of the far ends and of the provider.
    Children die with the thread that made the Lab: keep that thread.
    """

    def __init__(
        self,
        logs: Path | None = None,
        *,
        configure_addresses: bool = False,
        configure_routes: bool = False,
        rtt_ms: float = plan.DEFAULT_RTT_MS,
        forward_in: bool = False,
        provider: bool = True,
    ) -> None:
        """Build it all in about half a second. Raises LabError if this machine cannot carry it.

        `configure_addresses`: give the box its addresses; `configure_routes`: and routes by source, for tests
        without the gateway. `forward_in`: backup1's NAT router hands unsolicited packets to the box.
        `provider`: start the provider and its far ends.
        """
        if os.geteuid() != 0:
            raise LabError("the laboratory needs root (network namespaces): run it as root")
        missing = [tool for tool in _TOOLS if shutil.which(tool, path=_PATH) is None]
        if missing:
            raise LabError(
                f"the laboratory needs {', '.join(missing)}: see tests/lab/README.md for the packages"
            )
        self.logs = logs if logs is not None else Path(tempfile.mkdtemp(prefix="lab-"))
        self._configure = configure_addresses or configure_routes, configure_routes
        self._rtt_ms, self._forward_in, self._with_provider = rtt_ms, forward_in, provider
        self._public = {up.isp: up.public for up in plan.UPLINKS}
        self._dhcp: subprocess.Popen[bytes] | None = None
        self._announcer: subprocess.Popen[bytes] | None = None
        self._dhcp_range = plan.DHCP_FIRST, plan.DHCP_LAST
        self.site = Site(topology.NAMESPACES, self.logs)
        self._switches: dict[str, socket.socket] = {}
        self._blocked: set[str] = set()
        self._handles: list[Weather | FarEnds | Provider] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    # --- life ---------------------------------------------------------------------------------------------

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process and namespace of this laboratory; may be called twice."""
        for handle in (*self._switches.values(), *self._handles):
            handle.close()
        self._switches.clear()
        self._handles.clear()
        self.site.close()

    def _build(self) -> None:
        site = self.site
        full = {name: site.full(name) for name in topology.NAMESPACES}
        for name in ("ispa", "ispb", "ispc", "core"):
            site.sysctl(name, topology.ROUTER_SYSCTLS)
        for name in ("provider", "far", "internet", "stranger", "lan", "thief"):
            site.sysctl(name, topology.HOST_SYSCTLS)
        control = self.site.scratch / "weather"
        weather = self._child(
            None,
            "tests.lab.impair",
            str(control),
            *(f"{i}={full['isp' + i]}" for i in topology.ISPS),
            log="weather",
        )
        site.ip(topology.links(full), None)
        site.ip(topology.core(), "core")
        site.nft("core", topology.core_nft())
        for name, batch in topology.hosts().items():
            site.ip(batch, name)
        if self._with_provider:
            self.far = FarEnds(site, self.logs)
            self.provider = Provider(site, self.site.scratch)
            self._handles += [self.far, self.provider]
        await_ready(weather, "weather")
        for uplink in plan.UPLINKS:
            name = "isp" + uplink.isp
            site.ip(topology.isp(uplink), name)
            site.nft(name, topology.isp_nft(uplink, uplink.public, forward_in=self._forward_in))
            self._switches[uplink.isp] = site.socket(name)
        self.weather = Weather(control)
        self._handles.append(self.weather)
        for isp in topology.ISPS:
            self.weather.set(isp, "both", delay_ms=self._rtt_ms / 2)
        if self._configure[0]:
            site.ip(topology.box_addresses(), "box")
        if self._configure[1]:
            site.ip(topology.box_routes(), "box")
        internet = self._child(
            "internet", "tests.lab.hosts", plan.INTERNET_HOST, plan.INTERNET_HOST2, log="internet"
        )
        for uplink in plan.UPLINKS:
            site.popen("core", topology.resolver(uplink), log=f"dns-{uplink.isp}")
        self.start_dhcp()
        await_ready(internet, "internet")
        if self._with_provider:
            self.provider.await_ready()
            self.far.await_ready()

    def _child(self, name: str | None, module: str, *arguments: str, log: str) -> "subprocess.Popen[bytes]":
        """A Python child of ours that says "ready" on stdout."""
        with open(self.logs / f"{log}.log", "ab") as sink:
            child: subprocess.Popen[bytes] = self.site.popen(
                name, [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, stderr=sink
            )
        return child

    # --- processes and sockets ----------------------------------------------------------------------------

    def box_exec(self, argv: Sequence[str], *, timeout_s: float = 20.0, stdin: str = "") -> str:
        """Run a command in the box to its end and give its output. Raises LabError if it fails."""
        return self.site.run(argv, name="box", timeout_s=timeout_s, stdin=stdin)

    def box_popen(self, argv: Sequence[str], *, log: str | None = None, **keywords: Any) -> Any:
        """Start a process in the box (subprocess.Popen's keywords); it ends with the laboratory at latest."""
        return self.site.popen("box", argv, log=log, **keywords)

    def stop(self, child: "subprocess.Popen[Any]") -> None:
        """End a process that the laboratory started, by its pid."""
        self.site.stop(child)

    def udp(self, name: str, address: str, port: int = 0, *, device: str | None = None) -> socket.socket:
        """A bound UDP socket of the caller's process that lives in namespace `name`; its timeout is 2 s."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        handle = self.site.socket(name, family)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if device is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        handle.bind((address, port))
        handle.settimeout(2.0)
        return handle

    def capture(self, name: str = "box", *, expression: str = "", length: int = 1024) -> Capture:
        """Record the traffic of a namespace (`box`, `provider`, `core`…) into `<logs>/<name>-<n>.pcap`."""
        path = self.logs / f"{name}-{len(list(self.logs.glob(f'{name}-*.pcap')))}.pcap"
        return Capture(self.site, name, path, expression=expression, length=length)

    # --- what happens to uplinks --------------------------------------------------------------------------

    def impair(
        self,
        uplink: str | plan.Uplink,
        *,
        direction: Direction = "both",
        delay_ms: float | None = None,
        jitter_ms: float | None = None,
        loss: float | None = None,
        reorder: bool | None = None,
        rate_kbit: float | None = None,
    ) -> float:
        """Change the weather of one uplink; `delay_ms` is one way, `loss` a fraction; what is None stays."""
        given = {
            "delay_ms": delay_ms,
            "jitter_ms": jitter_ms,
            "loss": loss,
            "reorder": reorder,
            "rate_kbit": rate_kbit,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        return self.weather.set(_uplink(uplink).isp, direction, **changes)

    def blackhole(self, uplink: str | plan.Uplink, direction: Direction = "both") -> float:
        """Swallow every packet beyond the ISP's router, without a word; the router itself still answers."""
        return self.weather.set(_uplink(uplink).isp, direction, hole=True)

    def block(self, uplink: str | plan.Uplink, match: str = TO_PROVIDER) -> float:
        """Drop what matches (nftables syntax) on its way up through one ISP; all else passes, until heal().

        As it is, only the provider cannot be reached by that uplink; `DNS` blocks all name servers.
        """
        chain = f"chain forward {{ type filter hook forward priority -10;\n{match} drop\n}}\n"
        self.site.nft("isp" + _uplink(uplink).isp, f"table inet blocked {{\n{chain}}}\n")
        self._blocked.add(_uplink(uplink).isp)
        return time.time()

    def heal(self, uplink: str | plan.Uplink) -> float:
        """End holes, blocks, loss and jitter; the delay is the laboratory's again."""
        if (isp := _uplink(uplink).isp) in self._blocked:
            self._blocked.remove(isp)
            self.site.nft("isp" + isp, "delete table inet blocked\n")
        return self.weather.set(
            _uplink(uplink).isp,
            "both",
            hole=False,
            loss=0.0,
            jitter_ms=0.0,
            reorder=False,
            rate_kbit=0.0,
            delay_ms=self._rtt_ms / 2,
        )

    def cut_carrier(self, uplink: str | plan.Uplink) -> float:
        """Pull the cable at the ISP's end: the box's device says NO-CARRIER."""
        return self._switch(uplink, up=False)

    def restore_carrier(self, uplink: str | plan.Uplink) -> float:
        """Plug it in again."""
        return self._switch(uplink, up=True)

    def _switch(self, uplink: str | plan.Uplink, *, up: bool) -> float:
        handle = self._switches[_uplink(uplink).isp]
        request = fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sh22x", b"box", 0))
        (flags,) = struct.unpack_from("h", request, 16)
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        at = time.time()
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", b"box", flags))
        return at

    def remove_device(self, uplink: str | plan.Uplink) -> float:
        """The box's device vanishes, as a USB modem does."""
        at = time.time()
        self.site.ip(f"link delete {_uplink(uplink).device}", "box")
        return at

    def readd_device(self, uplink: str | plan.Uplink) -> float:
        """It comes back under the same name and MAC, down and without addresses."""
        up = _uplink(uplink)
        at = time.time()
        self.site.ip(topology.wire(up, {n: self.site.full(n) for n in ("box", "isp" + up.isp)}), None)
        self.site.ip("link set box master br0\nlink set box up", "isp" + up.isp)
        return at

    def steal_address(self, uplink: str | plan.Uplink, address: str | None = None) -> float:
        """Another host on the same wire takes the box's address and announces it (gratuitous ARP)."""
        up = _uplink(uplink)
        stolen = address or up.address or plan.DHCP_FIRST
        isp = "isp" + up.isp
        self.site.ip(f"link add thief netns {self.site.full(isp)} type veth peer name {up.device} netns "
                     f"{self.site.full('thief')}", None)  # fmt: skip
        self.site.ip("link set thief master br0\nlink set thief up", isp)
        six = f"{stolen}/{plan.MAIN_PREFIX6_LENGTH} nodad"
        wear = six if ":" in stolen else f"{stolen}/{up.prefix_length}"
        batch = f"addr add {wear} dev {up.device}\nlink set {up.device} up"
        self.site.ip(f"link set {up.device} address {_THIEF_MAC}\n{batch}", "thief")
        at = time.time()
        if ":" in stolen:
            return at
        announcement = _announcement(bytes.fromhex(_THIEF_MAC.replace(":", "")), socket.inet_aton(stolen))
        with self.site.socket("thief", socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind((up.device, 0))
            for _ in range(3):  # the bridge needs a moment to let a new port speak
                wire.send(announcement)
                time.sleep(0.05)
        return at

    def return_address(self, uplink: str | plan.Uplink) -> float:
        """The other host goes away."""
        self.site.ip(f"link delete {_uplink(uplink).device}", "thief")
        self.site.ip("neigh flush dev br0", "isp" + _uplink(uplink).isp)
        return time.time()

    def start_dhcp(self) -> None:
        """backup2's DHCP server answers (udhcpd, leases of `plan.DHCP_LEASE_S`)."""
        if self._dhcp is not None:
            return
        config = self.site.scratch / "udhcpd.conf"
        (self.site.scratch / "leases").touch()
        config.write_text(topology.dhcp_config(str(self.site.scratch), *self._dhcp_range))
        self._dhcp = self.site.popen(
            "ispc", ["udhcpd", "-f", "-I", plan.BACKUP2.router, str(config)], log="dhcp"
        )

    def stop_dhcp(self) -> None:
        """The DHCP server falls silent: leases run out."""
        if self._dhcp is not None:
            self.site.stop(self._dhcp)
            self._dhcp = None

    def change_lease(self) -> None:
        """backup2's server forgets its customers and has other addresses: the next renewal is refused."""
        self.stop_dhcp()
        (self.site.scratch / "leases").unlink()
        self._dhcp_range = plan.DHCP_OTHER
        self.start_dhcp()

    def announce(self, lifetime_s: int = 8) -> None:
        """main's router sends router advertisements (IPv6), each good for so long."""
        self.fall_silent()
        self._announcer = self.site.popen("ispa", topology.router_advertisements(lifetime_s), log="announce")

    def fall_silent(self) -> None:
        """It sends none any more, and does not take back what it has said."""
        if self._announcer is not None:
            self._announcer.kill()
            self.site.stop(self._announcer)
            self._announcer = None

    def public_address(self, uplink: str | plan.Uplink) -> str:
        """The address that the far side sees now."""
        return self._public[_uplink(uplink).isp]

    def shift_public_address(self, uplink: str | plan.Uplink) -> str:
        """Drift: backup2's NAT takes the next address of its pool, for running flows as well. Gives it."""
        up = _uplink(uplink)
        if up.isp != "c":
            raise LabError(f"uplink {up.name} has a fixed public address; only backup2's moves")
        pool = plan.BACKUP2_POOL
        public = pool[(pool.index(self._public["c"]) + 1) % len(pool)]
        self.site.nft("ispc", topology.isp_nft(up, public, forward_in=False))
        self.site.run(["conntrack", "-F"], name="ispc")
        self._public["c"] = public
        return public


__all__ = ["Lab", "LabError"]
