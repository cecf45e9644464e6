"""Law: health decides what an uplink is good for; the kernel's routes do not.

The two machines of reach.py, and the facts of link, address and identity, make the one state of the uplink:
the first row of the ladder (at the end) that holds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.schema import Watching
from gateway.status import UplinkState
from gateway.uplinks.model import (
    AddressesSeen,
    Damped,
    Duty,
    Gathered,
    HealthChanged,
    Identity,
    LinkSeen,
    LookAgain,
    Measure,
    MediaBack,
    MediaSilent,
    ProbeAnswered,
    ProbeRefused,
    SendProbe,
    Target,
    TargetsKnown,
    Verify,
)
from gateway.uplinks.observed import Observed
from gateway.uplinks.probing import Lost, Schedule, pace
from gateway.uplinks.quality import LEAST, Quality
from gateway.uplinks.reach import BURSTS, FITNESS, STEADY, Fitness, Reach, ReachState
from gateway.uplinks.sentences import Facts, sentence

BURST_MOST = 6
BURST_LONGEST = 12
FALSE_VERDICT = 1e-6
MEASURE_GAP_S = 0.25
LOOKS = 3
LOOK_GAP_S = 0.5
QUIET_PARDON_S = 1.0
"""Quiet media that a burst has explained is not looked at again for so long; doubled each time."""
QUIET_PARDON_MOST_S = 30.0
SILENT_PROVIDER_S = 5.0
"""The pace of OPTIONS while the provider does not answer."""

Event = (
    LinkSeen
    | AddressesSeen
    | Identity
    | Duty
    | TargetsKnown
    | MediaSilent
    | MediaBack
    | Verify
    | Measure
    | LookAgain
    | Damped
    | ProbeAnswered
    | Gathered
    | ProbeRefused
)
Action = SendProbe | HealthChanged


@dataclass(frozen=True, slots=True)
class View:
    """What choice needs to know of one uplink. `internet`, `trunk`: good for it now, being tried, or not.

    `internet_since_s`, `trunk_since_s`: since when without an outage (None: it is not good for it).
    `silent_since_s`: since when the trouble lasts that is being or was decided. All monotonic.
    """

    name: str
    state: UplinkState
    internet: Fitness
    trunk: Fitness
    mos: float | None
    internet_since_s: float | None
    trunk_since_s: float | None
    silent_since_s: float


class Health:
    """One uplink's state, from what the doors and the calls report. `receive` returns probes to send and
    changes of state; `due` is when it wants to be called again with None (monotonic seconds)."""

    def __init__(
        self,
        name: str,
        device: str,
        watching: Watching,
        now: float,
        *,
        enabled: bool,
        dhcp: bool,
        metered: bool,
        slaac: bool = False,
        probe_budget_mb: int = 0,
    ) -> None:
        self.name = name
        self._device = device
        self._watching = watching
        self._enabled = enabled
        self._dhcp = dhcp
        self._slaac = slaac
        self._metered = metered
        self._probe_budget_mb = probe_budget_mb
        self._duty = Duty(carrying=False, calls=0)
        self._schedule = Schedule(name, pace(self._duty, metered, watching, probe_budget_mb))
        self._targets: tuple[Target, ...] = ()
        self._served = True
        self._link = LinkSeen(device, present=False, up=False, carrier=False)
        self._addresses = AddressesSeen(device, frozenset())
        self._identity = Identity(None, None, None)
        self._running = False
        self._internet = Reach("internet")
        self._provider = Reach("provider")
        self._damped = False
        self._pardon_s = QUIET_PARDON_S
        self._pardoned_until = 0.0
        self._lively_from_s = now
        self._internet_since_s: float | None = None
        self._trunk_since_s: float | None = None
        self.patient = False
        """A loss may be noticed with the next probe only."""
        self.quality = Quality()
        self.observed = Observed()
        self.state: UplinkState = "disabled" if not enabled else "no_device"
        self.since_s = now
        self._before_suspicion: tuple[UplinkState, float] = (self.state, now)

    # --- what others may ask ---

    @property
    def due(self) -> float | None:
        """When to call `receive(None, now)`."""
        times = (self._schedule.next_s if self.patient else self._schedule.due, self.quality.due)
        return min((t for t in times if t is not None), default=None) if self._running else None

    @property
    def calm(self) -> bool:
        """Nothing hangs on an answer: no burst is out, and what is known of the line is settled."""
        settled = self._internet.state == "alive" and self._provider.state in ("alive", "silent")
        return not self._running or (settled and not self._schedule.bursting)

    @property
    def probe_bytes(self) -> int:
        """IP bytes that probes have cost since the start, answers included."""
        return self._schedule.bytes_sent

    @property
    def rtt_s(self) -> float | None:
        """The smoothed round trip to the nearest target."""
        return self._schedule.srtt_s()

    @property
    def drifted(self) -> bool:
        """The provider sees, or will see, another address than the one that it has confirmed."""
        known = self._identity
        if known.confirmed is not None and known.public is not None and known.public != known.confirmed:
            return True
        expected = known.confirmed or (known.public if known.declared else None)
        return self.observed.contradicts(expected)

    def view(self, now: float) -> View:
        """The uplink as choice sees it."""
        return View(
            self.name,
            self.state,
            self._fitness_internet(),
            self._fitness_trunk(),
            _tenth(self.quality.mos) if self.quality.recent(now) else None,
            self._internet_since_s,
            self._trunk_since_s,
            self._silent_since_s(),
        )

    def _silent_since_s(self) -> float:
        for reach in (self._internet, self._provider):
            if self._running and reach.state in ("suspect", "silent"):
                return reach.doubt_from_s
        return self.since_s

    @property
    def sentence(self) -> str:
        """The state in words, and what the owner can do about it."""
        return sentence(
            self.state,
            Facts(
                self.name,
                self._device,
                self._dhcp,
                self._slaac,
                self._identity,
                self.observed.address,
                self.quality,
            ),
        )

    def adjust(
        self,
        name: str,
        device: str,
        watching: Watching,
        now: float,
        *,
        enabled: bool,
        dhcp: bool,
        metered: bool,
        slaac: bool,
        probe_budget_mb: int = 0,
    ) -> None:
        """New settings: the line keeps its history, unless it is on another device now."""
        if device != self._device:
            self._device = device
            self._link = LinkSeen(device, present=False, up=False, carrier=False)
            self._addresses = AddressesSeen(device, frozenset())
        self._watching = watching
        self._enabled, self._dhcp, self._slaac, self._metered = enabled, dhcp, slaac, metered
        self._probe_budget_mb = probe_budget_mb
        self._follow_path(now)
        self._repace(now)
        if name != self.name:
            self.name = name
            self._schedule.rename(name)
            for reach in (self._internet, self._provider) if self._running else ():
                if reach.state in ("fresh", "suspect"):
                    self._burst(reach, now)

    # --- the machine ---

    def receive(self, event: Event | None, now: float) -> list[Action]:
        """Take in one event (None: `due` has come); returns probes to send, then a change of state."""
        match event:
            case LinkSeen():
                self._link = event
                self._follow_path(now)
            case AddressesSeen():
                self._addresses = event
                self._follow_path(now)
            case Identity():
                moved = event.own != self._identity.own
                self._identity = event
                if moved:
                    self._halt()
                    self._schedule.forget()
                    self.observed.clear()
                self._follow_path(now)
            case Duty():
                self._duty = event
                self._repace(now)
            case TargetsKnown():
                self._served = event.served
                self._retarget(event.targets, now)
            case Damped():
                self._damped = event.on
            case _:
                pass
        if self._running:
            match event:
                case ProbeAnswered():
                    self._answered(event, now)
                case Gathered(_, answers):
                    for answer in answers:
                        self._answered(answer, now)
                case ProbeRefused():
                    self._schedule.refused(event)
                case MediaSilent():
                    self._quiet(event.quiet_s, now)
                case MediaBack():
                    self._heard_media(now)
                case Verify():
                    self._doubt(self._internet, now, now)
                    self._doubt(self._provider, now, now)
                    if self._provider.state == "silent":
                        self._schedule.burst("look", self._options(LOOKS), LOOK_GAP_S, now)
                case Measure():
                    targets = _repeated(self._schedule.targets("icmp"), LEAST)[:LEAST]
                    self._schedule.burst("measure", targets, MEASURE_GAP_S, now)
                case LookAgain():
                    self._schedule.burst("look", self._options(LOOKS), LOOK_GAP_S, now)
                case _:
                    pass
        return [*self._probe(now), *self._conclude(now)]

    def _has_path(self) -> bool:
        link, own = self._link, self._identity.own
        return (
            self._enabled
            and link.present
            and link.up
            and link.carrier
            and own is not None
            and own not in self._addresses.conflict
            and any(interface.ip == own for interface in self._addresses.addresses)
        )

    def _follow_path(self, now: float) -> None:
        if self._has_path() and not self._running:
            self._running = True
            self._schedule.start(now)
            self._burst(self._internet, now)
        elif not self._has_path() and self._running:
            self._halt()

    def _halt(self) -> None:
        self._running = False
        self._lively_from_s = math.inf
        self._schedule.stop()
        self.quality.clear()
        self._internet = Reach("internet")
        self._provider = Reach("provider")

    def _retarget(self, targets: tuple[Target, ...], now: float) -> None:
        self._targets = targets
        self._schedule.retarget(targets, now)
        if self._running:
            for reach in (self._internet, self._provider):
                if reach.state in ("fresh", "suspect"):
                    self._burst(reach, now)

    def _repace(self, now: float) -> None:
        wanted = pace(self._duty, self._metered, self._watching, self._probe_budget_mb)
        if self._provider.state != "alive" and not self._metered:
            wanted = replace(wanted, options_s=min(wanted.options_s, SILENT_PROVIDER_S))
        self._schedule.set_pace(wanted, now)

    # --- doubts ---

    def _quiet(self, quiet_s: float, now: float) -> None:
        if now < self._pardoned_until:
            return
        self._pardoned_until = now + self._pardon_s
        self._pardon_s = min(2 * self._pardon_s, QUIET_PARDON_MOST_S)
        self._doubt(self._internet, now - quiet_s, now)
        self._doubt(self._provider, now - quiet_s, now)

    def _heard_media(self, now: float) -> None:
        self._pardoned_until = 0.0
        self._pardon_s = QUIET_PARDON_S
        self._alive(self._internet, now)
        if self._provider.state == "suspect":
            self._alive(self._provider, now)

    def _doubt(self, reach: Reach, from_s: float, now: float) -> None:
        if not reach.signal("doubt"):
            return
        reach.doubt_from_s = from_s
        self._burst(reach, now)

    def _burst(self, reach: Reach, now: float) -> None:
        """Send what decides this reach: close together on suspicion, spread out while a path settles."""
        count, gap_s = BURSTS[reach.name, reach.state]
        if reach.state == "suspect":
            count = max(count, self._enough())
        targets = self._mixed(count) if reach is self._internet else self._options(count)
        self._schedule.burst(reach.name, targets, gap_s, now)

    def _enough(self) -> int:
        """How many probes in a row a living line like this one loses once in 1 / FALSE_VERDICT bursts."""
        loss = self.quality.loss or 0.0
        return BURST_LONGEST if loss > 0.3 else math.ceil(math.log(FALSE_VERDICT, max(loss, 1e-9)))

    def _mixed(self, count: int) -> list[Target]:
        """Targets for a burst, the provider's and others by turns, each at least once up to BURST_MOST."""
        targets = self._schedule.targets("icmp", "options")
        theirs = [t for t in targets if t.provider]
        others = [t for t in targets if not t.provider]
        mixed = [t for n in range(len(targets)) for t in (*theirs[n : n + 1], *others[n : n + 1])]
        return _repeated(mixed[:BURST_MOST], count)

    def _options(self, count: int) -> list[Target]:
        return _repeated(self._schedule.targets("options"), count)

    # --- signs of life ---

    def _answered(self, event: ProbeAnswered, now: float) -> None:
        wait_s = self._schedule.timeout_s()
        sent_s = now - event.unread_s - event.rtt_s
        # What was sent before the path came (back) to life may have waited for ARP, or in a queue.
        heard = self._schedule.answered(event, learn=sent_s >= self._lively_from_s)
        if heard is None:
            return
        if heard.on_time:
            self.quality.add(event.rtt_s, now)
        if event.observed is not None:
            if self.observed.told(event.kind, event.target, event.observed, now):
                self._schedule.hasten("options", now)
        for reach in (self._internet, self._provider):
            if reach is self._provider and event.kind != "options":
                continue
            # What was sent before the silence began may still be on its way home: no proof of life after it.
            if reach.state == "suspect" and sent_s < reach.doubt_from_s and now < reach.doubt_from_s + wait_s:
                continue
            self._alive(reach, now)

    def _alive(self, reach: Reach, now: float) -> None:
        before = reach.state
        if before in ("fresh", "suspect"):
            reach.signal("answer")
            self._schedule.cancel(reach.name)
        elif before == "silent":
            reach.signal("answer")
            reach.streak = 1
            self._burst(reach, now)
        elif before == "returning":
            reach.streak += 1
            if reach.streak >= STEADY and reach.signal("steady"):
                self._schedule.cancel(reach.name)
        if reach.state == "alive" and before != "alive":
            self._came_alive(reach, before, now)

    def _came_alive(self, reach: Reach, before: ReachState, now: float) -> None:
        if reach is self._provider:
            self._repace(now)
            return
        if before != "suspect":
            self._lively_from_s = now
        if before == "returning":
            self.quality.clear()
        if before in ("fresh", "returning"):
            self._schedule.hasten("stun", now)
            if self._provider.state == "fresh":
                self._burst(self._provider, now)

    # --- time ---

    def _probe(self, now: float) -> list[Action]:
        """Send what is due and take in what is overdue, until nothing more follows from it."""
        actions: list[Action] = []
        while self._running:
            sends, lost = self._schedule.advance(now)
            actions += sends
            for loss in lost:
                self._lost(loss, now)
            exhausted = self._exhaust(now)
            if not lost and not exhausted and not self._due_now(now):
                break
        self.quality.judge(now)
        return actions

    def _due_now(self, now: float) -> bool:
        due = self._schedule.due
        return due is not None and due <= now

    def _lost(self, loss: Lost, now: float) -> None:
        reaches = [self._internet]
        if loss.target.kind == "options":
            # In doubt, the provider is the provider's matter: the Internet was asked with the first miss.
            reaches = [self._provider] if self._provider.state != "alive" else [*reaches, self._provider]
        since_s = self._internet_since_s
        # What was lost before the path came up, or in an outage, says nothing of the path that is there now.
        if loss.counts and loss.target.kind != "stun" and since_s is not None and loss.sent_s >= since_s:
            self.quality.add(None, now)
        for reach in reaches:
            if reach.state == "returning" and loss.broke:
                reach.signal("miss")
                self._schedule.cancel(reach.name)
        if loss.target.kind == "stun" or (self._internet.state == "alive" and self._set_aside(loss)):
            return
        # A burst answers a doubt and raises none, or a lossy line would be probed without end.
        if loss.counts and loss.regular:
            for reach in reaches:
                self._doubt(reach, loss.sent_s, now)

    def _set_aside(self, loss: Lost) -> bool:
        """Others answer: this target's own silence is no news any more."""
        if loss.target.kind == "options" and self._provider.state != "alive":
            return False
        return self._schedule.set_aside(loss.target)

    def _exhaust(self, now: float) -> bool:
        changed = False
        for reach in (self._internet, self._provider):
            if reach.state not in ("fresh", "suspect") or self._schedule.open(reach.name):
                continue
            if reach is self._provider and (reach.state == "fresh" and self._internet.state != "alive"):
                continue
            if not (self._options(1) if reach is self._provider else self._mixed(1)):
                continue
            reach.signal("exhausted")
            changed = True
            if reach is self._internet:
                self._pardoned_until, self._pardon_s = 0.0, QUIET_PARDON_S
                self.quality.clear()
                self._provider = Reach("provider")
                self._schedule.cancel("provider")
            else:
                self._schedule.distrust("options")
                self._repace(now)
        return changed

    # --- conclusions ---

    def _conclude(self, now: float) -> list[Action]:
        state = next(state for state, holds in _LADDER if holds(self))
        self._internet_since_s = _since(self._fitness_internet(), self._internet_since_s, now)
        self._trunk_since_s = _since(self._fitness_trunk(), self._trunk_since_s, now)
        if state == self.state:
            return []
        before, since_s = self._before_suspicion
        if state == "suspect":
            self._before_suspicion = (self.state, self.since_s)
        self.since_s = since_s if self.state == "suspect" and state == before else now
        self.state = state
        return [HealthChanged(self.name, state, self.sentence, self.since_s)]

    def _fitness_internet(self) -> Fitness:
        if not self._running:
            return "unfit"
        return FITNESS[self._internet.state]

    def _fitness_trunk(self) -> Fitness:
        if not self._running or self._identity.confirmed is None or self.drifted:
            return "unfit"
        both = (FITNESS[self._internet.state], self._provider_fitness())
        return "unfit" if "unfit" in both else "pending" if "pending" in both else "fit"

    def _provider_fitness(self) -> Fitness:
        if not self._served:
            return "unfit"
        # Without a server to ask there is nothing to hold against the uplink.
        if not any(target.kind == "options" for target in self._targets):
            return "fit"
        return FITNESS[self._provider.state]

    # --- what the ladder asks ---

    def _blocked(self) -> bool:
        return self._identity.own is not None and self._identity.own in self._addresses.conflict


def _since(fitness: Fitness, before_s: float | None, now: float) -> float | None:
    """Since when without an outage; a suspicion that came to nothing does not count as one."""
    if fitness == "unfit":
        return None
    return now if before_s is None and fitness == "fit" else before_s


def _tenth(mos: float | None) -> float | None:
    """As fine as a choice between lines can be: what differs by less is the same."""
    return None if mos is None else round(mos, 1)


def _repeated(targets: list[Target], count: int) -> list[Target]:
    """`targets` over again until there are at least `count` (none stays none)."""
    return (targets * count)[: max(count, len(targets))] if targets else []


_LADDER: tuple[tuple[UplinkState, Callable[[Health], bool]], ...] = (
    # The first that holds is the state: what lies deeper hides what stands on it.
    ("disabled", lambda h: not h._enabled),
    ("no_device", lambda h: not h._link.present),
    ("no_carrier", lambda h: not (h._link.up and h._link.carrier)),
    ("conflict", lambda h: h._blocked()),
    ("no_address", lambda h: not h._running),
    ("down", lambda h: h._internet.state == "silent"),
    ("drifted", lambda h: h.drifted),
    ("probing", lambda h: h._internet.state in ("fresh", "returning")),
    ("suspect", lambda h: h._internet.state == "suspect"),
    ("up_unconfirmed", lambda h: h._identity.confirmed is None),
    ("suspect", lambda h: h._provider_fitness() == "pending" and h._provider.state == "suspect"),
    ("probing", lambda h: h._provider_fitness() == "pending"),
    ("no_trunk", lambda h: h._provider_fitness() == "unfit"),
    ("damped", lambda h: h._damped),
    ("degraded", lambda h: h.quality.degraded),
    ("up", lambda h: True),
)
