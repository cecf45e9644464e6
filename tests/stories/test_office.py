"""The office's own Internet in the laboratory: a PC behind the box works on while channels come and go.

Real kernel, real NAT, real routers; what the Internet sees is read off the wires.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.capture import Packet
from tests.lab.lab import DNS, Lab
from tests.lab.netns import LabError

pytestmark = pytest.mark.root

WEB_PORT = 8080
PATIENCE_S = 8.0


class Flow:
    """A UDP flow of the PC, to the echo server unless told otherwise: one socket, one NAT entry."""

    def __init__(self, lab: Lab) -> None:
        self._socket = lab.udp("lan", plan.LAN_PC)
        self._socket.settimeout(0.1)
        self.port = int(self._socket.getsockname()[1])
        self.close = self._socket.close

    def send(self, host: str = plan.INTERNET_HOST, port: int = plan.ECHO_PORT) -> bytes:
        token = secrets.token_bytes(16)
        self._socket.sendto(token, (host, port))
        return token

    def talks(self, patience_s: float = PATIENCE_S) -> bytes:
        """Send until an echo comes back; the token that did."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            token = self.send()
            with suppress(TimeoutError):
                while True:
                    if self._socket.recv(100) == token:
                        return token
        raise AssertionError("the flow is dead")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("office")
    with Lab(logs) as lab:
        office = f"addr add {plan.LAN_ADDRESS}/{plan.LAN_PREFIX_LENGTH} dev {plan.LAN_DEVICE}"
        lab.site.ip(f"{office}\nlink set {plan.LAN_DEVICE} up", "box")
        yield lab


@pytest.fixture
def box(lab: Lab) -> Iterator[Box]:
    """The daemon alone, with all channels up; the office needs no calls process."""
    with Box(lab, settings_text(failback_after_s=1.0)) as box:
        box.confirm_in_advance()
        box.start("daemon")
        await_internet(box, "main", all_up=True)
        yield box
    for uplink in plan.UPLINKS:
        lab.heal(uplink)
        lab.restore_carrier(uplink)


NewFlow = Callable[[], Flow]


@pytest.fixture
def flow(lab: Lab) -> Iterator[NewFlow]:
    """Makes flows."""
    with ExitStack() as stack:

        def new() -> Flow:
            flow = Flow(lab)
            stack.callback(flow.close)
            return flow

        yield new


@pytest.fixture
def web(lab: Lab) -> Iterator[socket.socket]:
    """A TCP server on the Internet host."""
    with lab.site.socket("internet", kind=socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((plan.INTERNET_HOST, WEB_PORT))
        server.listen()
        server.settimeout(PATIENCE_S)
        yield server


def await_internet(box: Box, uplink: str, *, all_up: bool = False) -> None:
    """Wait until new connections leave by `uplink`."""
    box.await_status(
        lambda s: s.internet_uplink == uplink and (not all_up or {u.state for u in s.uplinks} == {"up"}),
        f"the Internet by {uplink}",
    )


def entry(box: Box, flow: Flow) -> str:
    """The kernel's number of the flow's entry in the connection table."""
    listed = box.lab.box_exec(["conntrack", "-L", "-p", "udp", "--orig-port-src", str(flow.port), "-o", "id"])
    return listed.rpartition("id=")[2].strip()


def source_of(packets: list[Packet], token: bytes) -> tuple[str, str]:
    """Where the packet with `token` left the box: device and source address."""
    (packet,) = (p for p in packets if p.outgoing and p.payload == token and p.device.startswith("wan"))
    return packet.device, packet.source


def public_source(packets: list[Packet], token: bytes) -> str:
    """The source that the Internet host saw."""
    return next(p.source for p in packets if p.payload == token and p.device == "internet" and p.outgoing)


def test_a_pc_reaches_the_internet_by_ping_udp_and_tcp(
    lab: Lab, box: Box, flow: NewFlow, web: socket.socket
) -> None:
    with lab.capture("core") as core:
        lab.site.run(["ping", "-c1", "-W2", plan.INTERNET_HOST], name="lan")
        token = flow().talks()
        with lab.site.socket("lan", kind=socket.SOCK_STREAM) as pc:
            pc.settimeout(PATIENCE_S)
            pc.connect((plan.INTERNET_HOST, WEB_PORT))
            server, (seen, _) = web.accept()
            server.close()
    assert seen == plan.MAIN.public
    assert public_source(core.packets(), token) == plan.MAIN.public


@pytest.mark.parametrize("trouble", ["carrier", "blackhole"])
def test_established_flow_and_new_ones_go_on_by_the_backup(
    lab: Lab, box: Box, flow: NewFlow, trouble: str
) -> None:
    old = flow()
    old.talks()
    with lab.capture("box", expression="udp") as wires, lab.capture("core", expression="udp") as core:
        lab.cut_carrier("main") if trouble == "carrier" else lab.blackhole("main")
        await_internet(box, "backup1")
        late = old.talks()
        new = flow().talks()
    assert source_of(wires.packets(), late) == ("wan1", str(plan.BACKUP1.address))
    assert source_of(wires.packets(), new) == ("wan1", str(plan.BACKUP1.address))
    assert public_source(core.packets(), late) == plan.BACKUP1.public
    own = {up.device: up.address for up in (plan.MAIN, plan.BACKUP1)}
    office = [p for p in wires.packets() if p.outgoing and p.destination_port == plan.ECHO_PORT]
    assert {(p.device, p.source) for p in office if p.device.startswith("wan")} <= set(own.items()), (
        "no packet bears the address of another channel"
    )


def test_tcp_connection_cannot_move_but_its_ends_are_told(
    lab: Lab, box: Box, flow: NewFlow, web: socket.socket
) -> None:
    with lab.site.socket("lan", kind=socket.SOCK_STREAM) as pc:
        pc.settimeout(PATIENCE_S)
        pc.connect((plan.INTERNET_HOST, WEB_PORT))
        server, _ = web.accept()
        with server:
            lab.blackhole("main")
            await_internet(box, "backup1")
            pc.sendall(b"still there?")
            with pytest.raises(ConnectionResetError):
                pc.recv(1)


def test_failback_leaves_flows_where_they_are_and_the_other_channels_flows_alone(
    lab: Lab, box: Box, flow: NewFlow
) -> None:
    lab.cut_carrier("main")
    await_internet(box, "backup1")
    draining = flow()
    draining.talks()
    lab.restore_carrier("main")
    await_internet(box, "main")
    fresh = flow()
    before = entry(box, draining)
    with lab.capture("box", expression="udp") as wires:
        drained, new = draining.talks(), fresh.talks()
        lab.blackhole("main")
        await_internet(box, "backup1")
        moved, still = fresh.talks(), draining.talks()
    packets = wires.packets()
    assert [source_of(packets, t)[0] for t in (drained, new, moved, still)] == [
        "wan1",
        "wan0",
        "wan1",
        "wan1",
    ]
    assert entry(box, draining) == before, "the flow of the living channel was not touched"


def test_flow_that_drains_on_a_channel_leaves_it_when_that_channel_dies(
    lab: Lab, box: Box, flow: NewFlow
) -> None:
    lab.cut_carrier("main")
    await_internet(box, "backup1")
    draining = flow()
    draining.talks()
    lab.restore_carrier("main")
    await_internet(box, "main", all_up=True)
    lab.cut_carrier("backup1")
    box.await_status(lambda s: s.uplinks[1].state == "no_carrier", "backup1 to be seen dead")
    with lab.capture("box", expression="udp") as wires:
        token = draining.talks()
    assert source_of(wires.packets(), token) == ("wan0", plan.MAIN.address)


def test_nothing_is_forgotten_while_there_is_nowhere_to_go(lab: Lab, box: Box, flow: NewFlow) -> None:
    pc = flow()
    pc.talks()
    before = entry(box, pc)
    lab.cut_carrier("backup1")
    lab.cut_carrier("backup2")
    box.await_status(lambda s: [u.state for u in s.uplinks][1:] == 2 * ["no_carrier"], "main alone")
    lab.cut_carrier("main")
    box.await_status(lambda s: {u.state for u in s.uplinks} == {"no_carrier"}, "all channels to be dead")
    assert entry(box, pc) == before
    lab.restore_carrier("main")
    pc.talks()
    assert entry(box, pc) == before, "it is the same flow by the same channel"


def test_flow_of_a_channel_whose_address_changes_takes_the_new_one(lab: Lab, box: Box, flow: NewFlow) -> None:
    for uplink in (plan.MAIN, plan.BACKUP1):
        lab.cut_carrier(uplink)
    await_internet(box, "backup2")
    pc = flow()
    pc.talks()
    old = address_of(lab, plan.BACKUP2.device)
    lab.change_lease()
    box.kill("daemon")  # the next one asks anew, and finds what this one has left in the kernel
    box.await_status(lambda s: s.uplinks[2].address not in ("", old), "another lease", timeout_s=20)
    new = address_of(lab, plan.BACKUP2.device)
    with lab.capture("box", expression="udp") as wires:
        token = pc.talks()
    assert source_of(wires.packets(), token) == ("wan2", new)


def address_of(lab: Lab, device: str) -> str:
    return lab.box_exec(["ip", "-4", "-o", "address", "show", "dev", device]).split()[3].partition("/")[0]


def test_pc_never_reaches_the_provider_by_an_unconfirmed_channel(lab: Lab, flow: NewFlow) -> None:
    with Box(lab, settings_text(failback_after_s=1.0)) as box:
        box.confirm_in_advance(plan.MAIN)
        box.start("daemon")
        await_internet(box, "main")
        ping = ["ping", "-c1", "-W1", "-p", b"office".hex()]
        with lab.capture("box") as wires:
            lab.site.run([*ping, plan.PROVIDER_SERVER], name="lan")
            pc = flow()
            sent = [pc.send(plan.PROVIDER_SERVER, plan.SIP_PORT)]
            lab.cut_carrier("main")
            await_internet(box, "backup1")
            for _ in range(3):
                sent.append(pc.send(plan.PROVIDER_SERVER, plan.SIP_PORT))
                with pytest.raises(LabError):
                    lab.site.run([*ping, plan.PROVIDER_SERVER], name="lan")
            flow().talks()
    lab.restore_carrier("main")
    packets = [p for p in wires.packets() if p.outgoing and p.device.startswith("wan")]
    assert {p.device for p in packets if p.payload in sent} == {"wan0"}, "by the confirmed channel alone"
    pings = [p.device for p in packets if p.protocol == "icmp" and b"office" in p.payload]
    assert set(pings) == {"wan0"}


def test_names_resolve_while_the_resolver_of_main_is_dead(lab: Lab) -> None:
    lab.block("main", DNS)
    with Box(lab, settings_text(failback_after_s=1.0)) as box:
        box.confirm_in_advance()
        box.start("daemon")
        # Up means that the provider answers there: its name was learnt by another channel.
        await_internet(box, "main", all_up=True)
    lab.heal("main")
