"""The switch itself: from the decision to routes, guard and connections that are read back as wanted.

A namespace with three uplinks, two provider networks, an office and 300 tracked connections. The uplink that
carried the trunk dies: another one takes over, and its address is no longer admitted; then back again.
"""

import asyncio
import contextlib
import socket
import subprocess
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any, Final

from gateway.inbox import Inbox
from gateway.uplinks.guard import contents
from gateway.uplinks.model import KernelPlan, LinkSeen, UplinkPath
from gateway.uplinks.netlink import Kernel
from gateway.uplinks.nft import Nft
from gateway.uplinks.routes import desired, diff
from tests.bench.figures import Figure
from tests.netns import Net, Space

RUNS: Final = 200
CUTS: Final = 60
CONNECTIONS: Final = 300
STEPS: Final = ("routes and rules", "guard and NAT", "connections forgotten", "read back")


def run(quick: bool) -> list[Figure]:
    """Two figures: the switch with its steps, and how fast a lost carrier is heard."""
    with Net() as net:
        box, far = net.space("box"), net.space("far")
        for index in (1, 2, 3):
            net.wire(box, f"w{index}", far, f"i{index}")
            box.ip("addr", "add", f"10.0.{index}.2/24", "dev", f"w{index}")
            far.ip("addr", "add", f"10.0.{index}.1/24", "dev", f"i{index}")
            box.ip("addr", "add", f"2001:db8:{index}::2/64", "dev", f"w{index}", "nodad")
        steps = box.inside(lambda: _switches(20 if quick else RUNS))
        heard = box.inside(lambda: _cuts(far, 10 if quick else CUTS))
    whole = [sum(parts) for parts in zip(*steps.values(), strict=True)]
    return [
        Figure(
            "the switch itself (routes, nft, conntrack, read back)",
            "ms",
            whole,
            5.0,
            judged="p50",
            steps=steps,
            note=f"3 uplinks, IPv4 and IPv6, an office, {CONNECTIONS} connections of the uplink that dies",
        ),
        Figure(
            "carrier loss -> heard by the daemon",
            "ms",
            heard,
            60.0,
            note="far end set down -> LinkSeen; polled every 40 ms beside netlink; with the run of `ip`",
        ),
    ]


def _plan(trunk: int) -> KernelPlan:
    """Main and backup take turns; the one that does not carry the trunk has lost its admission."""
    paths = tuple(
        UplinkPath(
            index,
            f"u{index}",
            f"w{index}",
            ip_address(f"10.0.{index}.2" if version == 4 else f"2001:db8:{index}::2"),
            ip_network(f"10.0.{index}.0/24" if version == 4 else f"2001:db8:{index}::/64"),
            ip_address(f"10.0.{index}.1" if version == 4 else "fe80::1"),
            index in (trunk, 3),
        )
        for index in (1, 2, 3)
        for version in (4, 6)
    )
    return KernelPlan(
        paths=paths,
        providers=(ip_network("192.0.2.0/28"), ip_network("2001:db8:f::/64")),
        trunk=trunk,
        internet=(trunk, 3 - trunk, 3),
        lan=("lan0",),
    )


async def _switches(runs: int) -> dict[str, list[float]]:
    kernel, guard = Kernel(Inbox(), ("w1", "w2", "w3")), Nft()
    await kernel.open()
    before = _plan(1)
    guard.apply(contents(before))
    await kernel.apply(diff(await kernel.snapshot(), desired(before)))
    took: dict[str, list[float]] = {step: [] for step in STEPS}
    for number in range(runs):
        plan = _plan(2 - number % 2)
        _connect(1 + number % 2)
        marks = [time.perf_counter()]
        await kernel.apply(diff(desired(before), desired(plan)))
        marks.append(time.perf_counter())
        guard.apply(contents(plan))
        marks.append(time.perf_counter())
        await kernel.flush_conntrack(before.trunk or 0)
        marks.append(time.perf_counter())
        if not guard.stands(contents(plan)) or await kernel.snapshot() != desired(plan):
            raise AssertionError(f"run {number}: what was read back is not what was wanted")
        marks.append(time.perf_counter())
        for step, began, ended in zip(STEPS, marks, marks[1:], strict=False):
            took[step].append(1000 * (ended - began))
        before = plan
        await asyncio.sleep(0.01)
    await kernel.close()
    return took


def _connect(index: int) -> None:
    """Tracked connections of uplink `index`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((f"10.0.{index}.2", 0))
        for port in range(20_000, 20_000 + CONNECTIONS):
            with contextlib.suppress(OSError):
                made.sendto(b"x", (f"10.0.{index}.1", port))


async def _cuts(far: Space, cuts: int) -> list[float]:
    inbox: Inbox[Any] = Inbox()
    kernel = Kernel(inbox, ("w1", "w2", "w3"))
    await kernel.open()
    watching = asyncio.create_task(kernel.run())
    heard = []
    for number in range(cuts):
        await _carrier(inbox, True, give_up_s=2.0 if number else 0.5)
        await asyncio.sleep(0.1 + number % 7 * 0.011)  # any phase of the poll
        began = time.perf_counter()
        await asyncio.to_thread(_ip, far, "down")
        await _carrier(inbox, False, give_up_s=5.0)
        heard.append(1000 * (time.perf_counter() - began))
        await asyncio.to_thread(_ip, far, "up")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await kernel.close()
    return heard


def _ip(far: Space, state: str) -> None:
    subprocess.run(["ip", "-n", far.name, "link", "set", "i1", state], check=True)


async def _carrier(inbox: Inbox[Any], state: bool, give_up_s: float) -> None:
    until = time.monotonic() + give_up_s
    while (item := await inbox.next(until)) is not None:
        if isinstance(item, LinkSeen) and item.device == "w1" and item.carrier == state:
            return
    raise AssertionError(f"the carrier of w1 was not seen {'up' if state else 'down'}")


if __name__ == "__main__":
    for figure in run(quick=False):
        print(replace(figure, values=()).name, f"{figure.unit}: p50 {figure.p50:.2f}, p95 {figure.p95:.2f}")
        for step, values in figure.steps.items():
            part = replace(figure, values=values)
            print(f"    {step}: p50 {part.p50:.2f}, p95 {part.p95:.2f}")
