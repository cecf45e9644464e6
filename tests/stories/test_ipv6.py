"""The whole gateway in the laboratory, with IPv6 on the main channel: calls, guard, routers that announce.

Real kernel, real provider, real routers; main speaks IPv6 alone unless a story says otherwise.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import messages as m
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.lab import Lab

pytestmark = pytest.mark.root

STATIC4 = f'addresses = ["{plan.MAIN.address}/{plan.MAIN.prefix_length}"]\ngateways = ["{plan.MAIN.router}"]'
STATIC6 = (
    f'addresses = ["{plan.MAIN_ADDRESS6}/{plan.MAIN_PREFIX6_LENGTH}"]\ngateways = ["{plan.MAIN_ROUTER6}"]'
)
BOTH = (
    f'addresses = ["{plan.MAIN.address}/{plan.MAIN.prefix_length}", '
    f'"{plan.MAIN_ADDRESS6}/{plan.MAIN_PREFIX6_LENGTH}"]\n'
    f'gateways = ["{plan.MAIN.router}", "{plan.MAIN_ROUTER6}"]'
)
SLAAC = "slaac = true"


def settings(main: str, server: str = plan.PROVIDER_DOMAIN) -> str:
    """The plan's settings with other addresses on main; its far host for pings speaks IPv6."""
    text = settings_text(failback_after_s=1.0)
    for old, new in (
        (STATIC4, main),
        (f'resolvers = ["{plan.MAIN.resolver}"]\n', "" if main != BOTH else None),
        (
            f'networks = ["{plan.PROVIDER_PREFIX}"]',
            f'networks = ["{plan.PROVIDER_PREFIX}", "{plan.PROVIDER_PREFIX6}"]',
        ),
        (
            f'hosts = ["{plan.PROBE_TARGETS[0]}"',
            f'hosts = ["{plan.PROVIDER_MEDIA6}", "{plan.PROBE_TARGETS[0]}"',
        ),
        (f'server = "{plan.PROVIDER_DOMAIN}"', f'server = "{server}"'),
    ):
        assert old in text
        text = text.replace(old, new) if new is not None else text
    return text


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    logs: Path = tmp_path_factory.mktemp("ipv6")
    with Lab(logs) as lab:
        yield lab


@contextmanager
def gateway(lab: Lab, text: str, *confirmed: plan.Uplink, six: str = plan.MAIN_ADDRESS6) -> Iterator[Box]:
    """A gateway with these settings; main and backup1 are confirmed unless others are named."""
    with Box(lab, text) as box:
        box.confirm_in_advance(*(confirmed or (plan.MAIN, plan.BACKUP1)), six=six)
        box.start()
        try:
            yield box
        finally:
            for call in box.status().calls:
                box.request(m.HangUp(phone=call.phone))
            lab.restore_carrier("main")
    lab.site.ip(f"addr flush dev {plan.MAIN.device}\nlink set {plan.MAIN.device} down", "box")


def await_state(box: Box, state: str, uplink: int = 0, timeout_s: float = 20.0) -> None:
    box.await_status(lambda s: s.uplinks[uplink].state == state, f"the channel to be {state}", timeout_s)


def dial(box: Box) -> None:
    box.ask(m.Dial(phone="desk", digits=plan.ANSWERS))
    box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "the call to be up")


def heard_after(lab: Lab, at_s: float) -> None:
    """Wait until the far end hears the phone."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if any(frame.at_s > at_s for frame in lab.far.heard(lab.far.calls(number=plan.ANSWERS)[-1])):
            return
        time.sleep(0.05)
    raise AssertionError("the far end hears nothing")


def test_call_leaves_by_ipv6_and_goes_on_by_an_ipv4_channel_when_main_dies(lab: Lab) -> None:
    with gateway(lab, settings(STATIC6)) as box:
        box.await_ready(plan.MAIN, plan.BACKUP1)
        with lab.capture("box", expression="ip6") as wires:
            dial(box)
            heard_after(lab, time.time())
        since_s = time.time()
        packets = [p for p in wires.packets() if p.outgoing and (p.rtp or p.sip.startswith("INVITE"))]
        assert {(p.device, p.source) for p in packets} == {("wan0", plan.MAIN_ADDRESS6)}
        assert {p.destination for p in packets if p.rtp} == {plan.PROVIDER_MEDIA6}
        lab.cut_carrier("main")
        moved = box.await_event(lambda e: e.kind == "moved", "the call to move", since_s=since_s)
        assert (moved.uplink, "replaced" in moved.text) == ("backup1", True), (
            "its route binds a re-INVITE to IPv6"
        )
        heard_after(lab, moved.at)
        assert lab.far.calls(number=plan.ANSWERS)[-1].source.startswith(plan.BACKUP1.public)


def test_channel_with_both_takes_the_version_that_the_provider_speaks(lab: Lab) -> None:
    with gateway(lab, settings(BOTH, plan.PROVIDER_DOMAIN6)) as box:
        await_state(box, "up")
        await_state(box, "no_trunk", 1)
        assert box.status().uplinks[0].address == plan.MAIN_ADDRESS6
        box.await_status(
            lambda s: s.calls_process == "running" and s.active_uplink == "main", "calls by main"
        )
        dial(box)
        assert box.status().calls[0].uplink == "main"


def test_without_a_confirmed_ipv6_address_nothing_reaches_the_provider_by_ipv6(lab: Lab) -> None:
    with gateway(lab, settings(STATIC6), plan.BACKUP1) as box:
        await_state(box, "up_unconfirmed")
        with lab.capture("box", expression="ip6") as wires:
            for address, device in (("::", None), (plan.MAIN_ADDRESS6, None), (plan.MAIN_ADDRESS6, "wan0")):
                with lab.udp("box", address, device=device) as stray, pytest.raises(OSError):
                    stray.sendto(b"stray", (plan.PROVIDER_SERVER6, plan.SIP_PORT))
        assert not [p for p in wires.packets() if p.payload == b"stray"]
        rules = lab.box_exec(["ip", "-6", "rule"])
        assert f"to {plan.PROVIDER_PREFIX6} prohibit" in rules


def test_announced_router_and_address_carry_calls_until_the_announcement_runs_out(lab: Lab) -> None:
    lab.announce(6)
    with gateway(lab, settings(SLAAC), six=plan.MAIN_FORMED6) as box:
        box.await_ready(plan.MAIN, plan.BACKUP1)
        dial(box)
        assert box.status().calls[0].uplink == "main"
        assert "default via fe80::" in lab.box_exec(["ip", "-6", "route", "show", "table", "101"])
        since_s = time.time()
        lab.fall_silent()
        await_state(box, "no_address")
        box.await_event(lambda e: e.kind == "moved", "the call to move", since_s=since_s)
        assert "default" not in lab.box_exec(["ip", "-6", "route", "show", "table", "101", "type", "unicast"])
        lab.announce(6)
        await_state(box, "up")
    lab.fall_silent()


def test_address_that_another_host_has_is_a_conflict_until_that_host_goes(lab: Lab) -> None:
    lab.steal_address("main", plan.MAIN_ADDRESS6)
    with gateway(lab, settings(STATIC6)) as box:
        await_state(box, "conflict")
        lab.return_address("main")
        await_state(box, "up", timeout_s=30)
