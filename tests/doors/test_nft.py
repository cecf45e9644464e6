"""The nftables door, and the guard's chains with real packets."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest

from gateway.errors import DoorError
from gateway.uplinks.guard import NEW_REQUESTS_S, Element, boot, contents
from gateway.uplinks.model import KernelPlan
from gateway.uplinks.nft import Nft
from tests.doors.test_netlink import PLAN, path
from tests.netns import Net, Space

pytestmark = pytest.mark.root

T = TypeVar("T")
INVITE = b"INVITE sip:x SIP/2.0\r\n\r\n"
BOTH = replace(PLAN, paths=(path(1), path(2)))


@pytest.fixture
def spaces() -> Iterator[tuple[Space, Space, Space]]:
    """A box; behind both uplinks one far end, at once provider (192.0.2.10) and stranger (198.51.100.66);
    an office."""
    with Net() as net:
        box, far, office = net.space("box"), net.space("far"), net.space("lan")
        for index in (1, 2):
            net.wire(box, f"w{index}", far, f"i{index}")
            box.ip("addr", "add", f"10.0.{index}.2/24", "dev", f"w{index}")
            far.ip("addr", "add", f"10.0.{index}.1/24", "dev", f"i{index}")
        box.ip("route", "add", "default", "via", "10.0.1.1")
        for address in ("192.0.2.10", "198.51.100.66"):
            far.ip("addr", "add", f"{address}/32", "dev", "lo")
        net.wire(box, "lan0", office, "eth0")
        box.ip("addr", "add", "192.168.50.1/24", "dev", "lan0")
        office.ip("addr", "add", "192.168.50.10/24", "dev", "eth0")
        office.ip("route", "add", "default", "via", "192.168.50.1")
        box.sysctl("net.ipv4.ip_forward", "1")
        yield box, far, office


def udp(space: Space, address: str, port: int, device: str = "") -> socket.socket:
    """A UDP socket in `space`."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(0.3)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        if device:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind((address, port))
        return made

    return space.call(make)


def arrives(
    sender: socket.socket, receiver: socket.socket, port: int, address: str, data: bytes = b"x"
) -> bool:
    """Whether one packet gets through."""
    try:
        sender.sendto(data, (address, port))
        return receiver.recv(100) == data
    except (TimeoutError, PermissionError):
        return False


def guarded(space: Space, work: Callable[[Nft], T], plan: KernelPlan = BOTH) -> T:
    """`work` inside, with the guard of `plan` standing."""

    def inside() -> T:
        door = Nft()
        door.apply(contents(plan))
        return work(door)

    return space.call(inside)


def test_what_is_loaded_is_read_back(spaces: tuple[Space, Space, Space]) -> None:
    box = spaces[0]
    box.run("nft", "table ip owner { chain c { type filter hook input priority 0; udp dport 1 drop; }; }")
    owners = box.run("nft", "list table ip owner")

    def work() -> None:
        door = Nft()
        assert door.read() is None
        door.load(boot(PLAN.providers))
        assert not door.stands(contents(PLAN))
        for plan in (PLAN, BOTH, replace(BOTH, lan=(), providers=PLAN.providers[:1]), PLAN):
            door.apply(contents(plan))
            assert door.stands(contents(plan))
        again = Nft()  # a restarted daemon finds it standing
        assert again.stands(contents(PLAN))
        assert set(door.counters()) == {"strangers", "floods", "astray", "leaks"}

    box.call(work)
    assert box.run("nft", "list table ip owner") == owners


def test_what_somebody_else_changed_is_seen_and_mended(spaces: tuple[Space, Space, Space]) -> None:
    box = spaces[0]

    def work(door: Nft) -> None:
        box.run("nft", "flush set inet steadyline_guard admitted4")
        assert not door.stands(contents(BOTH))
        door.apply(contents(BOTH))
        assert door.stands(contents(BOTH))
        box.run("nft", "delete table inet steadyline_guard")
        door.apply(contents(PLAN))
        assert door.stands(contents(PLAN))

    guarded(box, work)


def test_it_lists_again_only_after_a_transaction(spaces: tuple[Space, Space, Space]) -> None:
    box = spaces[0]

    class Counting(Nft):
        reads = 0

        def read(self) -> dict[str, frozenset[Element]] | None:
            self.reads += 1
            return super().read()

    def work() -> None:
        door = Counting()
        door.load(boot(PLAN.providers))
        door.apply(contents(PLAN))
        assert [door.stands(contents(PLAN)) for _ in range(3)] == [True] * 3
        assert door.reads == 1
        assert not door.stands(contents(BOTH))
        assert door.stands(contents(PLAN))
        assert door.reads == 3
        box.run("nft", "add table ip owner")
        assert [door.stands(contents(PLAN)) for _ in range(2)] == [True] * 2
        assert door.reads == 4

    box.call(work)


def test_a_wrong_text_changes_nothing_and_says_why(spaces: tuple[Space, Space, Space]) -> None:
    def work(door: Nft) -> None:
        with pytest.raises(DoorError, match="nftables refused: Error: No such file"):
            door.load("flush set inet steadyline_guard admitted4\nadd element inet nosuch x { 1 }\n")
        assert door.stands(contents(BOTH))

    guarded(spaces[0], work)


def test_before_the_daemon_the_call_ports_are_dumb(spaces: tuple[Space, Space, Space]) -> None:
    box, far, _ = spaces
    box.call(lambda: Nft().load(boot()))
    with udp(box, "10.0.1.2", 5060) as here, udp(far, "0.0.0.0", 5060) as there:
        assert not arrives(here, there, 5060, "192.0.2.10")
        assert not arrives(there, here, 5060, "10.0.1.2")
    with udp(box, "10.0.1.2", 7000) as here, udp(far, "0.0.0.0", 7000) as there:
        assert arrives(here, there, 7000, "198.51.100.66")


def test_the_provider_is_heard_and_strangers_are_not(spaces: tuple[Space, Space, Space]) -> None:
    box, far, _ = spaces

    def work(door: Nft) -> None:
        with (
            udp(box, "10.0.1.2", 5060) as sip,
            udp(box, "10.0.1.2", 10500) as rtp,
            udp(far, "192.0.2.10", 5060) as provider,
            udp(far, "198.51.100.66", 5060) as stranger,
        ):
            far.ip("route", "replace", "10.0.1.0/24", "dev", "i1")
            assert arrives(provider, sip, 5060, "10.0.1.2", INVITE)
            assert arrives(provider, rtp, 10500, "10.0.1.2")
            assert arrives(sip, provider, 5060, "192.0.2.10")
            assert not arrives(stranger, sip, 5060, "10.0.1.2", INVITE)
            assert not arrives(stranger, rtp, 10500, "10.0.1.2")
            assert not arrives(rtp, stranger, 5060, "198.51.100.66")
            counters = door.counters()
            assert (counters["strangers"], counters["astray"]) == (2, 1)
            far.ip("route", "add", "10.0.1.2/32", "via", "10.0.2.2")
            assert not arrives(provider, sip, 5060, "10.0.1.2")  # by the other uplink's wire
        assert "5060" not in box.run("conntrack", "-L")

    guarded(box, work)


def test_a_flood_from_the_provider_s_addresses_spares_calls(spaces: tuple[Space, Space, Space]) -> None:
    box, far, _ = spaces

    def work(door: Nft) -> None:
        with udp(box, "10.0.1.2", 5060) as sip, udp(far, "192.0.2.10", 5060) as provider:
            with udp(box, "10.0.1.2", 10000) as rtp:
                burst = 2 * NEW_REQUESTS_S
                for _ in range(4 * burst):
                    provider.sendto(INVITE, ("10.0.1.2", 5060))
                for word in (b"BYE sip:x", b"ACK sip:x", b"SIP/2.0 200"):
                    provider.sendto(word, ("10.0.1.2", 5060))
                assert arrives(provider, rtp, 10000, "10.0.1.2")
            heard = []
            with contextlib.suppress(TimeoutError):
                while True:
                    heard.append(sip.recv(100))
            assert burst <= heard.count(INVITE) < 2 * burst
            assert heard[-3:] == [b"BYE sip:x", b"ACK sip:x", b"SIP/2.0 200"]
            assert door.counters()["floods"] == 4 * burst - heard.count(INVITE)

    guarded(box, work)


def test_the_office_leaves_by_explicit_addresses_and_keeps_its_uplink(
    spaces: tuple[Space, Space, Space],
) -> None:
    box, far, office = spaces
    box.run("nft", "table ip other { chain c { type filter hook prerouting priority -160; "
            "meta mark set 0xab000000; ct mark set 0xcd000000; }; }")  # fmt: skip

    def work(_: Nft) -> None:
        with udp(office, "192.168.50.10", 5060) as pc, udp(far, "0.0.0.0", 7000) as there:
            pc.sendto(b"x", ("198.51.100.66", 7000))
            source = there.recvfrom(100)[1]
            assert source[0] == "10.0.1.2"
            assert source[1] >= 20_000
            assert "mark=3439350017" in box.run("conntrack", "-L")  # 0xcd005101: the other bits stand
            # The default turns, the connection does not: its mark leads back to its uplink.
            box.ip("route", "replace", "default", "via", "10.0.2.1")
            box.ip("rule", "add", "fwmark", "0x5101/0xffff", "lookup", "101")
            box.ip("route", "add", "default", "via", "10.0.1.1", "table", "101")
            pc.sendto(b"x", ("198.51.100.66", 7000))
            assert there.recvfrom(100)[1] == source

    guarded(box, work)


def test_the_page_is_served_to_the_office_alone(spaces: tuple[Space, Space, Space]) -> None:
    box, far, office = spaces

    def listening() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", 443))
        made.listen()
        return made

    def reaches(space: Space, address: str, source: str) -> bool:
        def knock() -> bool:
            try:
                socket.create_connection((address, 443), 0.5, (source, 0)).close()
            except OSError:
                return False
            return True

        return space.call(knock)

    def with_office_side(door: Nft) -> None:
        assert reaches(office, "192.168.50.1", "192.168.50.10")
        assert not reaches(far, "10.0.1.2", "10.0.1.1"), "not even from the next router"
        assert not reaches(far, "192.168.50.1", "198.51.100.66"), "nor by the office's own address"

    def without(door: Nft) -> None:
        assert reaches(far, "10.0.1.2", "10.0.1.1"), "a host nearby"
        assert not reaches(far, "10.0.1.2", "198.51.100.66"), "a stranger"

    far.ip("route", "add", "192.168.50.0/24", "via", "10.0.1.2")
    with box.call(listening):
        guarded(box, with_office_side, replace(BOTH, lan=("lan0",)))
        guarded(box, without, replace(BOTH, lan=()))
