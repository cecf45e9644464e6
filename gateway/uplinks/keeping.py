"""Law: the kernel and the guard are led to the plan step by step, then read back; what differs is put right.
Nothing is flushed that has no better way to go.

The hand of the room's loop: it holds no opinion, only the last plan.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import DoorError
from gateway.uplinks import guard
from gateway.uplinks.model import Address, Interface, KernelPlan
from gateway.uplinks.routes import (
    INTERNET_TABLE,
    LAST_METRIC,
    TABLE_BASE,
    TRUNK_TABLE,
    Change,
    Item,
    Route,
    desired,
    diff,
)

CHECK_S = 5.0
LOOK_S = 60.0
"""Routes and rules tell of every change by an event; so often they are listed all the same."""
RETRY_S = 0.25
RETRY_MOST_S = CHECK_S


class Kernel(Protocol):
    """Links, addresses, routes and rules; posts LinkSeen, AddressesSeen, KernelChanged. Raises DoorError."""

    def hurry(self, on: bool) -> None:
        """Calls run: look at carriers often."""

    async def snapshot(self) -> frozenset[Item]:
        """All routes and rules that are ours."""

    async def apply(self, changes: list[Change]) -> None:
        """One after the other; what is so already is no error."""

    async def set_address(self, device: str, address: Interface, instead_of: Interface | None = None) -> None:
        """Put `address` on `device`, then take `instead_of` away."""

    async def remove_address(self, device: str, address: Interface) -> None:
        """Fine when it is gone."""

    async def set_link_up(self, device: str) -> None:
        """Bring the device up."""

    async def watch(self, devices: Sequence[str], lan: Sequence[str], announced: Sequence[str]) -> None:
        """Tell of exactly these from now on, and first what is on those that are new. `lan`: the office's;
        `announced`: those where routers announce IPv6."""

    def borne(self) -> Mapping[str, frozenset[Interface]]:
        """The addresses that we put on devices, in this life or an earlier one."""

    async def flush_conntrack(self, index: int) -> None:
        """Forget the connections of uplink `index`."""


class Guard(Protocol):
    """The packet filter. Raises DoorError."""

    def apply(self, wanted: guard.Guard) -> None:
        """Make it stand, in one transaction."""

    def stands(self, wanted: guard.Guard) -> bool:
        """Read back whether it does."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an earlier run left: trunk and Internet by device; index, next hop and IPv4 address of
    devices; the addresses that it put on them."""

    trunk: str = ""
    internet: tuple[str, ...] = ()
    indexes: Mapping[str, int] = field(default_factory=dict)
    leases: Mapping[str, tuple[Address | None, Address]] = field(default_factory=dict)
    borne: Mapping[str, frozenset[Interface]] = field(default_factory=dict)


class Keeper:
    """Keeps the kernel to the plan. `due`: when to look again (monotonic seconds)."""

    def __init__(self, kernel: Kernel, packet_filter: Guard) -> None:
        self._kernel = kernel
        self._guard = packet_filter
        self._plan: KernelPlan | None = None
        self._wanted: tuple[KernelPlan, frozenset[Item], guard.Guard] | None = None
        self._look_at = 0.0
        self._actual: frozenset[Item] | None = None
        self._retry_s = RETRY_S
        self._kernel_stands = False
        self.guard_stands = False
        self._failed: set[str] = set()
        self.trouble: dict[str, str] = {}
        """What the kernel or nftables refused last, by what was to be done."""
        self.due: float | None = None

    @property
    def stands(self) -> bool:
        """Routes and guard are as planned, by the last look."""
        return self._kernel_stands and self.guard_stands

    async def adopt(self) -> Adopted:
        """What stands in the kernel from before; nothing is changed."""
        try:
            items = await self._kernel.snapshot()
        except DoorError as error:
            self.trouble["look"] = str(error)
            return Adopted(borne=self._kernel.borne())
        ways = [i for i in items if isinstance(i, Route) and i.kind == "unicast" and i.metric != LAST_METRIC]
        ways.sort(key=lambda route: (route.destination.version, route.metric))
        return Adopted(
            next((r.device for r in ways if r.table == TRUNK_TABLE), ""),
            tuple(dict.fromkeys(r.device for r in ways if r.table == INTERNET_TABLE)),
            {r.device: r.table - TABLE_BASE for r in ways if TABLE_BASE < r.table < TRUNK_TABLE},
            {
                r.device: (r.gateway, r.source)
                for r in ways
                if TABLE_BASE < r.table < TRUNK_TABLE and r.source is not None and r.source.version == 4
            },
            self._kernel.borne(),
        )

    def hurry(self, on: bool) -> None:
        """Calls run: nothing that happens to their channel may go unseen for long."""
        self._kernel.hurry(on)

    def doubt(self) -> None:
        """Somebody may have changed the kernel: look before the next step."""
        self._actual = None

    def restless(self, now: float) -> bool:
        """Whether it is time to look, whatever the plan."""
        return self._actual is None or (self.due is not None and self.due <= now)

    def needs(self, plan: KernelPlan, now: float) -> bool:
        """Whether `follow` has something to do."""
        return plan != self._plan or self.restless(now)

    async def follow(
        self,
        plan: KernelPlan,
        now: float,
        told: Callable[[], None] = lambda: None,
        forget: frozenset[int] = frozenset(),
    ) -> list[str]:
        """Lead the kernel to `plan`: routes, guard, `told()`, connections of `forget`, read back.

        A pair that is admitted no more leaves the guard before all else. Returns a sentence for each thing
        that was not as the last plan had left it. Never raises for what a door refuses: see `trouble`.
        """
        mended: list[str] = []
        same_plan = plan == self._plan
        if self._wanted is None or self._wanted[0] != plan:
            self._wanted = plan, desired(plan), guard.contents(plan)
        _, wanted, held = self._wanted
        withdrawn = bool(_admitted(self._plan) - _admitted(plan))
        looking = self.due is None or self.due <= now
        if withdrawn:
            self._hold(held)
        if self._actual is None or (looking and (not self.stands or self._look_at <= now)):
            await self._look()
            self._look_at = now + LOOK_S
        kernel = await self._lead(wanted)
        if kernel and same_plan and not self.trouble:
            mended.append(f"{kernel} of our routes and rules had been changed and were put right.")
        if not withdrawn or not self.guard_stands:
            if looking and same_plan and self.guard_stands and not self._guard_is(held):
                mended.append("The guard had been changed and was put right.")
            self._hold(held)
        self._plan = plan
        told()
        for index in forget:
            await self._try("forget connections", self._kernel.flush_conntrack(index))
        if kernel:
            await self._look()
            await self._lead(wanted)
        self._kernel_stands = self._actual == wanted
        self.guard_stands = self.guard_stands and (bool(self.trouble) or self._guard_is(held))
        self._retry_s = RETRY_S if self.stands else min(2 * self._retry_s, RETRY_MOST_S)
        self.due = now + (CHECK_S if self.stands else self._retry_s)
        return mended

    def borne(self) -> Mapping[str, frozenset[Interface]]:
        """The addresses that we put on devices, in this life or an earlier one."""
        return self._kernel.borne()

    async def bear(self, device: str, address: Interface, instead_of: Interface | None = None) -> None:
        """See that `device` bears `address`."""
        await self._try(f"address of {device}", self._kernel.set_address(device, address, instead_of))

    async def shed(self, device: str, address: Interface) -> None:
        """See that `device` does not bear `address` any more."""
        await self._try(f"address of {device}", self._kernel.remove_address(device, address))

    async def raise_link(self, device: str) -> None:
        """See that `device` is up."""
        await self._try(f"link of {device}", self._kernel.set_link_up(device))

    async def _look(self) -> None:
        try:
            self._actual = await self._kernel.snapshot()
            self.trouble.pop("look", None)
        except DoorError as error:
            self._actual = None
            self.trouble["look"] = str(error)

    async def _lead(self, wanted: frozenset[Item]) -> int:
        """Change what differs; how many steps that took. Without a picture of the kernel, nothing is done."""
        if self._actual is None:
            return 0
        changes = diff(self._actual, wanted)
        if not changes:
            self.trouble.pop("routes", None)
            return 0
        try:
            await self._kernel.apply(changes)
            self._actual = wanted
            self.trouble.pop("routes", None)
        except DoorError as error:
            self._actual = None
            self.trouble["routes"] = str(error)
        return len(changes)

    def _hold(self, held: guard.Guard) -> None:
        try:
            self._guard.apply(held)
            self.guard_stands = True
            self.trouble.pop("guard", None)
        except DoorError as error:
            self.guard_stands = False
            self.trouble["guard"] = str(error)

    def _guard_is(self, held: guard.Guard) -> bool:
        try:
            return self._guard.stands(held)
        except DoorError as error:
            self.trouble["guard"] = str(error)
            return False

    async def _try(self, what: str, step: Awaitable[None]) -> None:
        """A device may go just now, and that is told otherwise: only what fails twice running is trouble."""
        try:
            await step
            self._failed.discard(what)
            self.trouble.pop(what, None)
        except DoorError as error:
            if what in self._failed:
                self.trouble[what] = str(error)
            self._failed.add(what)


def _admitted(plan: KernelPlan | None) -> frozenset[tuple[str, Address]]:
    """The pairs of device and address that may speak to the provider."""
    return frozenset((p.device, p.address) for p in plan.paths if p.admitted) if plan else frozenset()
