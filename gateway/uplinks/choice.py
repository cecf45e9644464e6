"""Law: calls leave a dead uplink at once and a living one only in peace; nothing is left without a better
place to go to; and a provider that is silent everywhere is no reason to move.

Which uplink carries the trunk and which the Internet, from the views that health gives, in the owner's order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.errors import RefusedError
from gateway.messages import PathState
from gateway.schema import Watching
from gateway.uplinks.damping import Damper
from gateway.uplinks.health import View
from gateway.uplinks.model import Damped, Measure, Verify
from gateway.uplinks.quality import LEAVE_MOS

BETTER_MOS = 0.3
"""A brownout is left only for an uplink that is known to sound so much better, and well by itself."""
MEASURE_AGAIN_S = 60.0
OUTAGE_PATIENCE_S = 3.0
START_PATIENCE_S = 3.0
"""At the start an uplink earlier in the owner's order gets so long to prove itself."""


@dataclass(frozen=True, slots=True)
class Views:
    """All uplinks in the owner's order."""

    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """Live calls per uplink; one that is not named has none."""

    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Order:
    """The owner's order: the trunk by this uplink; empty: by health again."""

    uplink: str


@dataclass(frozen=True, slots=True)
class Carry:
    """The trunk goes by `uplink` from now on. `before`: the one that it leaves ("": none); `failed`: because
    `before` does not work any more, since `silent_s` ago. `cause`: why, in words."""

    uplink: str
    before: str
    failed: bool
    cause: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class Share:
    """The Internet for all else: uplinks in order of preference. `lost`: those that served until now and are
    dead; what hangs on them has a way to go that is known to work."""

    uplinks: tuple[str, ...]
    lost: frozenset[str]


Event = Views | Calls | Order
Action = Carry | Share | Verify | Measure | Damped

_CAUSES: dict[str, str] = {
    "disabled": "{0} was switched off",
    "no_device": "the device of {0} is gone",
    "no_carrier": "{0} lost its carrier",
    "no_address": "{0} lost its address",
    "conflict": "another device uses the address of {0}",
    "probing": "{0} is not steady yet",
    "up_unconfirmed": "the address of {0} is not confirmed any more",
    "degraded": "calls by {0} sound bad",
    "no_trunk": "the provider does not answer on {0}",
    "down": "{0} fell silent",
    "drifted": "the provider sees {0} by another address",
    "damped": "{0} comes and goes too often",
}


class Choice:
    """The chooser. `adopted`, `internet`: what carried the trunk and the rest before a restart of the daemon
    (empty: nothing known); it stays until it is known to fail."""

    def __init__(
        self, watching: Watching, now: float, adopted: str = "", internet: tuple[str, ...] = ()
    ) -> None:
        self._watching = watching
        self._started_s = now
        self._views: tuple[View, ...] = ()
        self._calls: dict[str, int] = {}
        self._dampers: dict[str, Damper] = {}
        self._damped: frozenset[str] = frozenset()
        self._peace_since: dict[str, float] = {}
        self._verified_for = ""
        self._outage = False
        self._patient_until = 0.0
        self._measure_at = now
        self._moving: frozenset[str] = frozenset()
        self._leaving: frozenset[str] = frozenset()
        self._reordered = False
        self.carrier = adopted
        """The uplink of the trunk; it stays when it fails and no other one is fit. Empty: none yet."""
        self.internet = internet
        """Uplinks for everything else, the best first."""
        self._lost: frozenset[str] = frozenset()
        self._order_is_new = False
        self.ordered = ""
        """The owner's standing order."""
        self.due: float | None = None

    # --- what others may ask ---

    @property
    def active(self) -> str:
        """The uplink that new calls may take now; empty: none."""
        return self.carrier if self._holds(self._view(self.carrier)) else ""

    @property
    def provider_silent(self) -> bool:
        """The Internet works and the provider answers on no confirmed uplink."""
        tried = [v for v in self._views if v.internet == "fit" and v.state in ("no_trunk", "up", "degraded")]
        return bool(tried) and all(v.state == "no_trunk" for v in tried)

    def path_state(self, uplink: str) -> PathState:
        """Whether calls may use this uplink, must leave it, or neither."""
        view = self._view(uplink)
        if view is None or view.state in ("up_unconfirmed", "disabled"):
            return "unfit"
        if uplink == self.carrier:
            return "fit" if self.active else "unfit"
        if not self.active:
            return "fit" if view.trunk == "fit" else "unfit"
        if uplink in self._moving | self._leaving:
            return "leave"
        if view.trunk == "unfit" or view.state in ("degraded", "probing"):
            return "leave"
        return "fit"

    def damped(self, uplink: str) -> bool:
        """Whether it is held in reserve for coming and going too often."""
        return uplink in self._damped

    def refuse(self, uplink: str) -> None:
        """Raise RefusedError when the owner may not order the trunk to `uplink`, with the reason."""
        view = self._view(uplink)
        if view is None:
            names = ", ".join(v.name for v in self._views)
            raise RefusedError(
                f"there is no uplink {uplink}", where="uplinks use", remedy=f"Name one of: {names}"
            )
        if view.trunk != "fit":
            reason = _CAUSES.get(view.state, "{0} is being tried").format(uplink)
            if view.state == "up_unconfirmed":
                reason = f"the address of {uplink} is not confirmed"
            remedy = (
                f"Confirm it first: gatewayctl trunk confirm {uplink}"
                if view.state == "up_unconfirmed"
                else "See `gatewayctl uplinks`, and try again when it is up"
            )
            raise RefusedError(f"calls cannot go by {uplink}: {reason}", where=uplink, remedy=remedy)

    # --- new settings ---

    def leave(self, uplinks: frozenset[str]) -> None:
        """What these carry goes to others, if there are any: they are about to change. Replaces what was said
        before; takes effect with the next event."""
        self._leaving = uplinks

    def follow(self, watching: Watching, names: Mapping[str, str], order: tuple[str, ...]) -> None:
        """The owner has changed the uplinks: `names` gives the new name of each that stays, `order` all new
        names in his order. What is known of those that stay is kept; Views of all come next."""
        self._watching = watching
        self._leaving = frozenset()
        before = [names[view.name] for view in self._views if view.name in names]
        self._reordered = before != [name for name in order if name in before]
        self._views = tuple(replace(v, name=names[v.name]) for v in self._views if v.name in names)
        self._views = tuple(sorted(self._views, key=lambda view: order.index(view.name)))
        self._calls = {names.get(name, name): count for name, count in self._calls.items()}
        self._dampers = {names[name]: damper for name, damper in self._dampers.items() if name in names}
        self._damped = frozenset(names[name] for name in self._damped if name in names)
        self._moving = frozenset(names[name] for name in self._moving if name in names)
        self._lost = frozenset(names[name] for name in self._lost if name in names)
        self._peace_since = {names[name]: s for name, s in self._peace_since.items() if name in names}
        self.internet = tuple(names[name] for name in self.internet if name in names)
        self.carrier = names.get(self.carrier, "")
        self.ordered = names.get(self.ordered, "")
        self._verified_for = names.get(self._verified_for, "")

    # --- the machine ---

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """Take in news (None: `due` has come); returns what changes."""
        actions: list[Action] = []
        match event:
            case Views(views):
                self._count_flaps(views, now)
                self._views = views
            case Calls(counts):
                self._calls = counts
                self._moving = frozenset(u for u in self._moving if counts.get(u, 0))
            case Order(uplink):
                self.ordered, self._order_is_new = uplink, bool(uplink)
            case None:
                pass
        self.due = None
        self._outage = self._outage or self.provider_silent
        actions += self._damp(now)
        actions += self._verify()
        actions += self._measure(now)
        actions += self._choose_trunk(now)
        actions += self._choose_internet(now)
        return actions

    def _wake(self, at: float) -> None:
        self.due = at if self.due is None else min(self.due, at)

    def _view(self, name: str) -> View | None:
        return next((view for view in self._views if view.name == name), None)

    # --- damping ---

    def _count_flaps(self, views: tuple[View, ...], now: float) -> None:
        before = {view.name: view for view in self._views}
        for view in views:
            old = before.get(view.name)
            if old is None or view.state == "disabled":
                continue
            lost_trunk = old.trunk_since_s is not None and view.trunk_since_s is None
            lost_internet = old.internet_since_s is not None and view.internet_since_s is None
            if lost_internet or (lost_trunk and view.state == "no_trunk"):
                self._dampers.setdefault(view.name, Damper()).flapped(now)

    def _damp(self, now: float) -> list[Action]:
        for damper in self._dampers.values():
            damper.settle(now)
            free_at = damper.free_at()
            if free_at is not None:
                self._wake(max(free_at, now + 0.001))
        suppressed = {name for name, damper in self._dampers.items() if damper.suppressed}
        # The last one that works is never held back, whatever it did.
        for good in (
            {v.name for v in self._views if v.trunk != "unfit" and v.name not in self._leaving},
            {v.name for v in self._views if v.internet != "unfit" and v.name not in self._leaving},
        ):
            if good and good <= suppressed:
                steadiest = min(good, key=lambda name: self._dampers[name].penalty(now))
                suppressed -= {self.carrier if self.carrier in good else steadiest}
        damped = frozenset(suppressed)
        changed = damped ^ self._damped
        self._damped = damped
        return [Damped(name, name in damped) for name in sorted(changed)]

    # --- the trunk ---

    def _verify(self) -> list[Action]:
        """Once the carrier is in doubt, have all that could take over prove themselves at once."""
        carrier = self._view(self.carrier)
        if carrier is None or carrier.state != "suspect":
            self._verified_for = ""
            return []
        if self._verified_for == self.carrier:
            return []
        self._verified_for = self.carrier
        return [Verify(v.name) for v in self._views if v.name != self.carrier and v.trunk == "fit"]

    def _measure(self, now: float) -> list[Action]:
        """Once the carrier sounds bad, find out how the others would sound."""
        carrier = self._view(self.carrier)
        if carrier is None or carrier.state != "degraded" or now < self._measure_at:
            return []
        self._measure_at = now + MEASURE_AGAIN_S
        self._wake(self._measure_at)
        return [Measure(v.name) for v in self._views if v.trunk == "fit" and v.mos is None]

    def _choose_trunk(self, now: float) -> list[Action]:
        fit = [v for v in self._views if v.trunk == "fit" and v.name not in self._damped | self._leaving]
        carrier = self._view(self.carrier)
        ordered = self._view(self.ordered)
        if ordered is not None and self._order_is_new and ordered.trunk == "fit":
            self._order_is_new = False
            self._moving = frozenset(n for n, count in self._calls.items() if count and n != ordered.name)
            if ordered is carrier:
                return []
            return self._carry(ordered, "the owner ordered it", failed=False, now=now)
        if carrier is None:
            return self._start(fit, now)
        if not self._holds(carrier):
            fresh = [v for v in fit if v is not carrier]
            if not fresh:
                return []
            if carrier.name in self._leaving:
                cause = f"the settings of {carrier.name} change"
                return self._carry(fresh[0], cause, failed=False, now=now)
            if carrier.state == "no_trunk" and (waiting := self._outage_ends(carrier, now)) is not None:
                return waiting
            return self._carry(fresh[0], _CAUSES[carrier.state].format(carrier.name), failed=True, now=now)
        if (
            carrier.state == "degraded"
            and carrier is not ordered
            and (better := self._better(carrier, fit)) is not None
        ):
            return self._carry(better, _CAUSES["degraded"].format(carrier.name), failed=False, now=now)
        return self._fail_back(carrier, fit, now)

    def _holds(self, carrier: View | None) -> bool:
        """Whether the carrier may go on: it works, or its silence is not decided yet, or the provider is
        silent on all others too."""
        if carrier is None:
            return False
        if carrier.name in self._leaving:
            barred = self._damped | self._leaving
            return not any(v.trunk == "fit" and v.name not in barred for v in self._views)
        if carrier.trunk != "unfit" or carrier.state in ("suspect", "damped"):
            return True
        return carrier.state == "no_trunk" and not any(v.trunk == "fit" for v in self._views)

    def _outage_ends(self, carrier: View, now: float) -> list[Action] | None:
        """After a provider's outage one uplink is always the first to notice: let the carrier look again."""
        if self._outage:
            self._outage = False
            self._patient_until = now + OUTAGE_PATIENCE_S
            self._wake(self._patient_until)
            return [Verify(carrier.name)]
        if now < self._patient_until:
            self._wake(self._patient_until)
            return []
        return None

    def _start(self, fit: list[View], now: float) -> list[Action]:
        if not fit:
            return []
        if self._await_earlier(fit[0], now):
            return []
        return self._carry(fit[0], f"{fit[0].name} is the first that works", failed=False, now=now)

    def _await_earlier(self, view: View, now: float) -> bool:
        """At the start: whether an uplink before `view` in the owner's order is still being tried."""
        earlier = self._views[: self._views.index(view)]
        patience_ends = self._started_s + START_PATIENCE_S
        if now >= patience_ends or not any(v.state in ("probing", "suspect") for v in earlier):
            return False
        self._wake(patience_ends)
        return True

    def _better(self, carrier: View, fit: list[View]) -> View | None:
        floor = max((carrier.mos or 1.0) + BETTER_MOS, LEAVE_MOS)
        others = (v for v in fit if v is not carrier and v.state == "up")
        return next((v for v in others if v.mos is not None and v.mos >= floor), None)

    def _fail_back(self, carrier: View, fit: list[View], now: float) -> list[Action]:
        """Return to the owner's first choice: clean for a while, and no call under way or patience at end."""
        earlier = self._views[: self._views.index(carrier)]
        if (ordered := self._view(self.ordered)) is not None:
            # The owner's word stands before his order of uplinks; having failed, it returns in peace too.
            earlier = () if ordered is carrier else (ordered,)
        for view in earlier:
            eligible = view in fit and view.state == "up" and view.trunk_since_s is not None
            if not eligible:
                self._peace_since.pop(view.name, None)
                continue
            clean_at = (view.trunk_since_s or now) + self._watching.failback_after_s
            if now < clean_at:
                self._wake(clean_at)
                continue
            since = self._peace_since.setdefault(view.name, now)
            latest = since + self._watching.failback_max_wait_s
            if self._calls.get(carrier.name, 0) and now < latest:
                self._wake(latest)
                continue
            why = "comes first now, by the owner's order" if self._reordered else "has been steady again"
            return self._carry(view, f"{view.name} {why}", failed=False, now=now)
        return []

    def _carry(self, view: View, cause: str, *, failed: bool, now: float) -> list[Action]:
        before = self.carrier
        old = self._view(before)
        self.carrier = view.name
        self._peace_since.clear()
        self._verified_for = ""
        self._reordered = False
        silent_s = max(0.0, now - old.silent_since_s) if old is not None and failed else 0.0
        return [Carry(view.name, before, failed, cause, silent_s)]

    # --- the Internet ---

    def _may_recover(self, view: View) -> bool:
        """It was good and is being tried: it keeps its place meanwhile."""
        return view.internet == "pending" and view.name in self.internet

    def _choose_internet(self, now: float) -> list[Action]:
        pool = [v for v in self._views if v.internet == "fit" or self._may_recover(v)]
        pool = [v for v in pool if v.name not in self._leaving] or pool
        pool.sort(key=lambda v: v.name in self._damped)
        current = self._view("".join(self.internet[:1]))
        if not pool or (current is None and self._await_earlier(pool[0], now)):
            return []  # nowhere to go: what stands may come back
        first = next((v for v in pool if v.internet == "fit"), pool[0])
        if current in pool and current is not first:
            clean_at = (first.internet_since_s or now) + self._watching.failback_after_s
            if pool.index(first) > pool.index(current):
                first = current
            elif now < clean_at:
                self._wake(clean_at)
                first = current
        wanted = tuple(v.name for v in (first, *(v for v in pool if v is not first)))
        if wanted == self.internet and not (self._lost and first.internet == "fit"):
            return []
        self._lost = (self._lost | frozenset(self.internet)) - frozenset(wanted)
        self.internet = wanted
        lost: frozenset[str] = frozenset()
        if first.internet == "fit":
            lost, self._lost = self._lost, lost
        return [Share(wanted, lost)]
