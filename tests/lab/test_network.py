"""The laboratory's uplinks, seen with real packets: each verb does what it says, and to that uplink alone."""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest

from tests.lab import plan
from tests.lab.lab import DNS, Lab, LabError

pytestmark = pytest.mark.root

SOURCES = {up.name: up.address or plan.DHCP_FIRST for up in plan.UPLINKS}


def observed(handle: socket.socket, server: tuple[str, int] = plan.STUN_SERVERS[0]) -> tuple[str, int]:
    """The mapped address that a STUN server tells."""
    transaction = time.monotonic_ns().to_bytes(12, "big")
    handle.sendto(struct.pack("!HHI12s", 1, 0, 0x2112A442, transaction), server)
    answer = handle.recv(200)
    port, address = struct.unpack_from("!HI", answer, 26)
    return socket.inet_ntoa((address ^ 0x2112A442).to_bytes(4, "big")), port ^ 0x2112


def echoes(lab: Lab, uplink: plan.Uplink, timeout_s: float = 0.3) -> bool:
    """Whether a datagram from that uplink's address comes back from the Internet."""
    with lab.udp("box", SOURCES[uplink.name]) as handle:
        handle.settimeout(timeout_s)
        word = str(time.monotonic_ns()).encode()
        handle.sendto(word, (plan.INTERNET_HOST, plan.ECHO_PORT))
        try:
            return handle.recv(100) == word
        except OSError:
            return False


@pytest.mark.parametrize("uplink", plan.UPLINKS, ids=lambda up: up.name)
def test_each_uplink_is_seen_under_its_public_address(lab: Lab, uplink: plan.Uplink) -> None:
    with lab.udp("box", SOURCES[uplink.name]) as handle:
        assert {observed(handle, server)[0] for server in plan.STUN_SERVERS} == {lab.public_address(uplink)}
        assert echoes(lab, uplink)


def test_the_round_trip_has_the_delay_of_both_directions(lab: Lab) -> None:
    lab.impair("main", direction="up", delay_ms=5)
    lab.impair("main", direction="down", delay_ms=80)
    with lab.udp("box", SOURCES["main"]) as handle:
        sent_s = time.monotonic()
        handle.sendto(b"?", (plan.INTERNET_HOST, plan.ECHO_PORT))
        handle.recv(10)
        assert time.monotonic() - sent_s >= 0.085


def test_a_hole_swallows_one_direction(lab: Lab) -> None:
    with lab.udp("internet", plan.INTERNET_HOST, 9999) as host, lab.udp("box", SOURCES["main"]) as box:
        host.settimeout(0.3)
        box.settimeout(0.3)
        lab.blackhole("main", "down")
        box.sendto(b"there", (plan.INTERNET_HOST, 9999))
        assert host.recv(10) == b"there"
        host.sendto(b"and back", box.getsockname())
        with pytest.raises(TimeoutError):
            box.recv(10)
        lab.heal("main")
        lab.blackhole("main", "up")
        box.sendto(b"nowhere", (plan.INTERNET_HOST, 9999))
        with pytest.raises(TimeoutError):
            host.recv(10)
        host.sendto(b"but back", box.getsockname())
        assert box.recv(10) == b"but back"


def test_a_hole_leaves_the_other_uplinks_and_the_router_alone(lab: Lab) -> None:
    lab.blackhole(plan.MAIN)
    assert not echoes(lab, plan.MAIN)
    assert echoes(lab, plan.BACKUP1)
    assert echoes(lab, plan.BACKUP2)
    lab.box_exec(["ping", "-c1", "-W1", plan.MAIN.router])
    lab.heal(plan.MAIN)
    assert echoes(lab, plan.MAIN)


def test_a_block_keeps_the_provider_or_dns_from_one_uplink_alone(lab: Lab) -> None:
    def answered(uplink: plan.Uplink, port: int, to: str) -> bool:
        with lab.udp("box", SOURCES[uplink.name]) as handle:
            handle.settimeout(0.3)
            query = dns.message.make_query("whoami.test", "TXT").to_wire()
            options = (
                f"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 1.1.1.1;rport;branch=z9hG4bK{time.time_ns()}\r\n"
            )
            options += "From: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
            handle.sendto(query if port == 53 else options.encode(), (to, port))
            try:
                return bool(handle.recv(4096))
            except TimeoutError:
                return False

    def state(uplink: plan.Uplink) -> tuple[bool, bool, bool]:
        sip, names = answered(uplink, 5060, plan.PROVIDER_SERVER), answered(uplink, 53, uplink.resolver)
        return sip, names, echoes(lab, uplink)

    lab.block("main")
    assert state(plan.MAIN) == (False, True, True)
    assert state(plan.BACKUP1) == (True, True, True)
    lab.heal("main")
    lab.block("main", DNS)
    assert state(plan.MAIN) == (True, False, True)
    lab.heal("main")
    assert state(plan.MAIN) == (True, True, True)


def test_loss_loses_and_jitter_keeps_the_order_unless_told(lab: Lab) -> None:
    lab.impair("backup1", direction="up", loss=1.0)
    assert not echoes(lab, plan.BACKUP1)
    lab.heal("backup1")
    with lab.udp("internet", plan.INTERNET_HOST, 9998) as host, lab.udp("box", SOURCES["backup1"]) as box:
        for reorder in (False, True):
            lab.impair("backup1", direction="up", jitter_ms=40, reorder=reorder)
            for number in range(60):
                box.sendto(bytes([number]), (plan.INTERNET_HOST, 9998))
            came = [host.recv(10)[0] for _ in range(60)]
            assert sorted(came) == list(range(60))
            assert (came == sorted(came)) is not reorder


def test_carrier_goes_and_comes(lab: Lab) -> None:
    lab.cut_carrier("main")
    assert lab.box_exec(["cat", "/sys/class/net/wan0/carrier"]).strip() == "0"
    assert lab.box_exec(["cat", "/sys/class/net/wan1/carrier"]).strip() == "1"
    assert not echoes(lab, plan.MAIN)
    lab.restore_carrier("main")
    assert lab.box_exec(["cat", "/sys/class/net/wan0/carrier"]).strip() == "1"
    assert echoes(lab, plan.MAIN, 2.0)


def test_drift_moves_a_running_flow_to_another_public_address(lab: Lab) -> None:
    with lab.udp("box", SOURCES["backup2"]) as handle:
        before = observed(handle)[0]
        after = lab.shift_public_address("backup2")
        assert before != after
        assert observed(handle)[0] == after == lab.public_address("backup2")
    with pytest.raises(LabError, match="fixed public address"):
        lab.shift_public_address("main")


def test_nat_lets_no_stranger_in(lab: Lab) -> None:
    with lab.udp("box", SOURCES["backup1"], 5070) as box, lab.udp("stranger", plan.STRANGER) as stranger:
        box.settimeout(0.3)
        stranger.sendto(b"hello?", (plan.BACKUP1.public, 5070))
        with pytest.raises(TimeoutError):
            box.recv(100)


def test_dhcp_leases_until_it_is_stopped(lab: Lab) -> None:
    ask = ["udhcpc", "-i", "wan2", "-n", "-q", "-f", "-t", "2", "-T", "1", "-A", "1", "-s", "/bin/true"]
    done = subprocess.run(
        ["ip", "netns", "exec", lab.site.full("box"), *ask], capture_output=True, text=True, check=True
    )
    assert "100.64.8." in done.stderr + done.stdout
    lab.stop_dhcp()
    with pytest.raises(LabError):
        lab.box_exec(ask)
    lab.start_dhcp()


@pytest.mark.parametrize("uplink", plan.UPLINKS, ids=lambda up: up.name)
def test_each_isp_answers_dns_to_its_own_customers_alone(lab: Lab, uplink: plan.Uplink) -> None:
    def query(name: str, kind: str, resolver: str) -> list[str]:
        with lab.udp("box", SOURCES[uplink.name]) as handle:
            handle.settimeout(0.4)
            handle.sendto(dns.message.make_query(name, kind).to_wire(), (resolver, 53))
            answer = dns.message.from_wire(handle.recv(4096))
        kept = [rrset for rrset in answer.answer if dns.rdatatype.to_text(rrset.rdtype) == kind]
        return sorted(str(item) for rrset in kept for item in rrset)

    assert query("whoami.test", "TXT", uplink.resolver) == [f'"isp-{uplink.isp}"']
    assert query(plan.PROVIDER_DOMAIN, "A", uplink.resolver) == [plan.PROVIDER_SERVER]
    assert query(plan.PROVIDER_DOMAIN, "AAAA", uplink.resolver) == [plan.PROVIDER_SERVER6]
    services = query("_sip._udp." + plan.PROVIDER_DOMAIN, "SRV", uplink.resolver)
    assert services == ["10 10 5060 sip1.provider.test.", "20 10 5060 sip2.provider.test."]
    assert query("sip2.provider.test", "A", uplink.resolver) == [plan.PROVIDER_SERVER2]
    other = next(up for up in plan.UPLINKS if up is not uplink)
    with pytest.raises(TimeoutError):
        query("whoami.test", "TXT", other.resolver)


def test_a_thief_announces_the_address_and_takes_its_traffic(lab: Lab) -> None:
    with lab.capture("box", expression="arp") as capture:
        lab.steal_address("main")
        until = time.monotonic() + 5
        while not (claims := [p for p in capture.packets() if p.source == "203.0.113.2" and not p.outgoing]):
            assert time.monotonic() < until, "nobody announced the address"
            time.sleep(0.05)
    assert {claim.device for claim in claims} == {"wan0"}
    lab.return_address("main")
    assert echoes(lab, plan.MAIN, 2.0)


def test_a_device_vanishes_and_comes_back_bare(lab: Lab) -> None:
    lab.remove_device("backup2")
    assert "wan2" not in lab.box_exec(["ls", "/sys/class/net"]).split()
    assert echoes(lab, plan.BACKUP1)
    lab.readd_device("backup2")
    assert lab.box_exec(["cat", "/sys/class/net/wan2/address"]).strip() == plan.BACKUP2.mac
    assert "100.64" not in lab.box_exec(["ip", "addr", "show", "wan2"])
    lab.site.ip(
        "link set wan2 up\naddr add 100.64.8.10/24 dev wan2\n"
        "route add default via 100.64.8.1 dev wan2 table 103",
        "box",
    )
    assert echoes(lab, plan.BACKUP2, 2.0)


def test_bad_names_are_refused_with_the_names_that_exist(lab: Lab) -> None:
    with pytest.raises(LabError, match="name one of main, backup1, backup2"):
        lab.blackhole("wan7")
    with pytest.raises(LabError, match="no such setting gravity"):
        lab.weather.set("a", "up", gravity=9.81)


def test_the_capture_names_device_direction_and_protocol(lab: Lab) -> None:
    with lab.capture("box", expression="udp or icmp") as capture:
        assert echoes(lab, plan.BACKUP1)
    there, back = (p for p in capture.packets() if plan.ECHO_PORT in (p.source_port, p.destination_port))
    assert (there.device, there.outgoing, there.source) == ("wan1", True, "192.168.20.2")
    assert (back.device, back.outgoing, back.source, back.protocol) == (
        "wan1",
        False,
        plan.INTERNET_HOST,
        "udp",
    )
    assert there.payload == back.payload


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_everything_is_gone_when_the_parent_is_killed(tmp_path: Path) -> None:
    text = (
        "import sys, time; from pathlib import Path; from tests.lab.lab import Lab\n"
        "lab = Lab(Path(sys.argv[1]), provider=False); print(lab.site.prefix, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        prefix = parent.stdout.readline().strip()
        assert prefix.startswith("sl")
        parent.kill()
    until = time.monotonic() + 10
    while left := [*Path("/run/netns").glob(prefix + "*"), *Path(tempfile.gettempdir()).glob(prefix + "*")]:
        assert time.monotonic() < until, f"left behind: {left}"
        time.sleep(0.05)
