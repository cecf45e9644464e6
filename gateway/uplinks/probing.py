"""Law: a probe is lost once srtt + 4 * rttvar have passed without an answer, never after a fixed time.

What is sent when, by one uplink: regular probes at the pace of its duty, bursts on suspicion, and which of
them are overdue. A target that stays silent while others answer is set aside: it costs no alarms.
"""

from dataclasses import dataclass, field, replace

from gateway.schema import Watching
from gateway.uplinks.model import Duty, ProbeAnswered, ProbeKind, ProbeRefused, SendProbe, Target

MARGIN_S = 0.040
"""The least time beyond srtt: scheduling and queueing noise of a small box."""
CEILING_S = 1.0
"""The longest wait for an answer, also before the first one (RFC 6298 §2.1)."""
PROVISIONAL = 4
"""The first answers of a target, of which the quickest counts."""
FAR_OFF = 8
"""Beyond so many deviations, an answer counts no more than one so far off."""
SET_ASIDE_AFTER = 5
"""Misses in a row after which a target no longer raises doubts, until it answers again."""
SET_ASIDE_FACTOR = 10
"""A target set aside is asked this many times more rarely."""
EARLY = 0.1
"""A regular probe goes so much of its period early when the loop is awake: one waking serves many."""
FALLBACK_OPTIONS_S = 1.0
"""The pace of OPTIONS when nothing answers to echo requests."""
BYTES: dict[ProbeKind, int] = {"icmp": 72, "options": 1000, "stun": 108}
"""IP bytes of one exchange, both ways."""
MONTH_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between regular probes: echo requests in all, OPTIONS in all, and each STUN server."""

    icmp_s: float
    options_s: float
    stun_s: float


def pace(duty: Duty, metered: bool, watching: Watching, budget_mb: int = 0) -> Pace:
    """How often to probe an uplink with this duty. A metered one is asked rarely until it carries calls, and
    as rarely while it stands by as `budget_mb` in a month (0: any) wants; OPTIONS come more often than every
    30 s, for they keep the address translation of routers open."""
    active_s, standby_s = watching.active_interval_ms / 1000, watching.standby_interval_ms / 1000
    metered_s = watching.metered_interval_ms / 1000
    if duty.carrying and (duty.calls or not metered):
        return Pace(active_s, 10.0, 30.0)
    if duty.carrying or not metered:
        return Pace(standby_s, 25.0, 30.0)
    rare = Pace(metered_s, max(60.0, 4 * metered_s), 120.0)
    servers = max(1, len(watching.stun_servers))
    a_second = (
        BYTES["icmp"] / rare.icmp_s
        + BYTES["options"] / rare.options_s
        + servers * BYTES["stun"] / rare.stun_s
    )
    factor = max(1.0, a_second * MONTH_S / (budget_mb * 1e6)) if budget_mb else 1.0
    return Pace(rare.icmp_s * factor, rare.options_s * factor, rare.stun_s * factor)


@dataclass(frozen=True, slots=True)
class Lost:
    """A probe that is overdue or was refused. `counts`: its target was in good standing; `broke`: its
    target had answered the one before; `regular`: it was not part of a burst."""

    target: Target
    sent_s: float
    counts: bool
    broke: bool
    regular: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. `on_time` False: the probe had been counted as lost."""

    target: Target
    on_time: bool


@dataclass(slots=True)
class Estimator:
    """Smoothed round trip and its deviation (RFC 6298 §2), with three liberties: the deviation falls four
    times more slowly than it rises, for a jitter that was seen comes again; one answer far off counts only
    in part, for a hiccup does not; the first ones, which may have waited for ARP, give way to a quick one.
    """

    srtt_s: float | None = None
    rttvar_s: float = 0.0
    _count: int = 0

    def heard(self, rtt_s: float) -> None:
        """Take in one round trip, late ones included."""
        self._count += 1
        if self.srtt_s is None or (self._count <= PROVISIONAL and rtt_s < self.srtt_s / 2):
            self.srtt_s, self.rttvar_s = rtt_s, min(rtt_s, CEILING_S) / 4
            return
        most = FAR_OFF * max(self.rttvar_s, MARGIN_S / 4)
        step = min(max(rtt_s - self.srtt_s, -most), most)
        gain = 1 / 4 if abs(step) > self.rttvar_s else 1 / 16
        self.rttvar_s += gain * (abs(step) - self.rttvar_s)
        self.srtt_s += step / 8

    @property
    def timeout_s(self) -> float:
        """How long after sending a probe counts as lost."""
        if self.srtt_s is None:
            return CEILING_S
        return min(CEILING_S, self.srtt_s + max(MARGIN_S, 4 * self.rttvar_s))


@dataclass(slots=True)
class _Track:
    target: Target
    rtt: Estimator = field(default_factory=Estimator)
    good: bool = False
    misses: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Flight:
    track: _Track
    sent_s: float
    overdue_s: float
    burst: str
    regular: bool


class Schedule:
    """The probes of one uplink. Bursts have names; one that is answered is cancelled by its owner."""

    def __init__(self, uplink: str, pace: Pace) -> None:
        self._uplink = uplink
        self._pace = pace
        self._tracks: dict[tuple[ProbeKind, str], _Track] = {}
        self._kinds: set[ProbeKind] = set()
        self._next_s: dict[ProbeKind, float] = {}
        self._turn: dict[ProbeKind, int] = {"icmp": 0, "options": 0, "stun": 0}
        self._planned: list[tuple[float, _Track, str]] = []
        self._flights: dict[int, _Flight] = {}
        self._sequence = 0
        self._lost: list[Lost] = []
        self.bytes_sent = 0
        """IP bytes that probes have cost so far, answers included."""

    # --- what to probe, and how often ---

    def retarget(self, targets: tuple[Target, ...], now: float) -> None:
        """Probe exactly these from now on; what is known of those that stay is kept."""
        known = self._tracks
        self._tracks = {(t.kind, t.name): known.get((t.kind, t.name)) or _Track(t) for t in targets}
        self._kinds = {kind for kind, _ in self._tracks}
        kept = {id(track) for track in self._tracks.values()}
        self._planned = [p for p in self._planned if id(p[1]) in kept]
        self._flights = {n: f for n, f in self._flights.items() if id(f.track) in kept}
        if self._next_s:
            for kind in {target.kind for target in targets} - {kind for kind, _ in known}:
                self._next_s[kind] = now

    def set_pace(self, pace: Pace, now: float) -> None:
        """Change the pace; a quicker one takes effect at once."""
        self._pace = pace
        for kind in self._next_s:
            self._next_s[kind] = min(self._next_s[kind], now + self._period_s(kind))

    def start(self, now: float) -> None:
        """Begin regular probing, all kinds at once."""
        self._next_s = dict.fromkeys(("icmp", "options", "stun"), now)

    def stop(self) -> None:
        """Forget what is under way and stay silent: there is no path to probe."""
        self._next_s = {}
        self._planned = []
        self._flights = {}

    def rename(self, uplink: str) -> None:
        """The uplink has another name; nobody waits for what is out under the old one."""
        self._uplink = uplink
        self._flights = {}

    def forget(self) -> None:
        """Another network may lie behind the same name: forget round trips and standing."""
        for track in self._tracks.values():
            track.rtt, track.good, track.misses = Estimator(), False, 0

    def hasten(self, kind: ProbeKind, now: float) -> None:
        """Send the next regular probe of `kind` at once."""
        if kind in self._next_s:
            self._next_s[kind] = now

    # --- bursts ---

    def targets(self, *kinds: ProbeKind) -> list[Target]:
        """Targets of these kinds in good standing; all of them when none is."""
        tracks = [track for track in self._tracks.values() if track.target.kind in kinds]
        return [t.target for t in tracks if t.good] or [t.target for t in tracks]

    def burst(self, name: str, targets: list[Target], gap_s: float, now: float) -> None:
        """Send to each of `targets` in turn, `gap_s` apart, the first now."""
        self.cancel(name)
        for n, target in enumerate(targets):
            self._planned.append((now + n * gap_s, self._tracks[target.kind, target.name], name))
        self._planned.sort(key=lambda planned: planned[0])

    def cancel(self, name: str) -> None:
        """Drop what this burst has not sent yet; nobody waits for what is out."""
        self._planned = [p for p in self._planned if p[2] != name]
        for n, flight in self._flights.items():
            if flight.burst == name:
                self._flights[n] = replace(flight, burst="")

    def open(self, name: str) -> bool:
        """Whether this burst still has probes to send or to wait for."""
        return any(p[2] == name for p in self._planned) or any(
            f.burst == name for f in self._flights.values()
        )

    @property
    def bursting(self) -> bool:
        """Whether any burst still has probes to send or to wait for."""
        return bool(self._planned) or any(flight.burst for flight in self._flights.values())

    # --- time and answers ---

    @property
    def due(self) -> float | None:
        """When `advance` has something to do (monotonic seconds)."""
        times = [flight.overdue_s for flight in self._flights.values()]
        if self.next_s is not None:
            times.append(self.next_s)
        return min(times, default=None)

    @property
    def next_s(self) -> float | None:
        """When the next probe is to go out."""
        times = [when for kind, when in self._next_s.items() if kind in self._kinds]
        if self._planned:  # in order
            times.append(self._planned[0][0])
        return min(times, default=None)

    def advance(self, now: float) -> tuple[list[SendProbe], list[Lost]]:
        """What is to be sent now, and what is overdue or was refused since the last call."""
        lost, self._lost = self._lost, []
        for n in [n for n, flight in self._flights.items() if flight.overdue_s <= now]:
            lost.append(self._miss(n))
        sends: list[SendProbe] = []
        while self._planned and self._planned[0][0] <= now:
            _, track, name = self._planned.pop(0)
            sends.append(self._send(track, name, now))
        for kind in self._next_s:
            period_s = self._period_s(kind)
            if self._next_s[kind] <= now + EARLY * period_s:
                self._next_s[kind] = now + period_s
                sends += [self._send(track, "", now) for track in self._regular(kind)]
        return sends, lost

    def answered(self, event: ProbeAnswered, learn: bool) -> Heard | None:
        """Take in an answer, late or not; None: its target is not ours. `learn`: its round trip counts."""
        on_time = self._flights.pop(event.sequence, None) is not None
        track = self._tracks.get((event.kind, event.target))
        if track is None:
            return None
        if learn or track.rtt.srtt_s is None:
            track.rtt.heard(event.rtt_s)
        track.good, track.misses = True, 0
        return Heard(track.target, on_time)

    def refused(self, event: ProbeRefused) -> None:
        """Count a probe that the kernel did not send as lost."""
        if event.sequence in self._flights:
            self._lost.append(self._miss(event.sequence))

    def timeout_s(self) -> float:
        """The shortest wait among the targets in good standing: how soon an answer would be back."""
        return min((t.rtt.timeout_s for t in self._tracks.values() if t.good), default=CEILING_S)

    def srtt_s(self) -> float | None:
        """The shortest smoothed round trip among the targets in good standing."""
        known = [t.rtt.srtt_s for t in self._tracks.values() if t.good and t.rtt.srtt_s is not None]
        return min(known, default=None)

    def _miss(self, sequence: int) -> Lost:
        flight = self._flights.pop(sequence)
        track = flight.track
        track.misses += 1
        return Lost(
            track.target,
            flight.sent_s,
            counts=track.good,
            broke=track.misses == 1,
            regular=flight.regular,
        )

    def distrust(self, kind: ProbeKind) -> None:
        """All of this kind have fallen silent: their misses are no news until they answer again."""
        for track in self._tracks.values():
            if track.target.kind == kind:
                track.good = False

    def set_aside(self, target: Target) -> bool:
        """Others answer and this one does not, time and again: it shall raise no doubts. True: so it is."""
        track = self._tracks[target.kind, target.name]
        if track.misses >= SET_ASIDE_AFTER:
            track.good = False
        return not track.good

    def _send(self, track: _Track, burst: str, now: float) -> SendProbe:
        self._sequence = self._sequence % 0xFFFF + 1
        overdue_s = now + track.rtt.timeout_s
        self._flights[self._sequence] = _Flight(track, now, overdue_s, burst, not burst)
        self.bytes_sent += BYTES[track.target.kind]
        return SendProbe(self._uplink, track.target.kind, track.target.name, self._sequence)

    def _period_s(self, kind: ProbeKind) -> float:
        if kind == "icmp":
            return self._pace.icmp_s
        if kind == "stun":
            return self._pace.stun_s
        echoes = any(t.good for t in self._tracks.values() if t.target.kind == "icmp")
        quick = max(self._pace.icmp_s, FALLBACK_OPTIONS_S)
        return self._pace.options_s if echoes else min(self._pace.options_s, quick)

    def _regular(self, kind: ProbeKind) -> list[_Track]:
        """Whose turn it is: STUN asks every server, the others one after another."""
        tracks = [track for track in self._tracks.values() if track.target.kind == kind]
        if kind == "stun" or not tracks:
            return tracks
        anyone_good = any(track.good for track in tracks)
        for _ in tracks:
            track = tracks[self._turn[kind] % len(tracks)]
            self._turn[kind] += 1
            if track.good or not anyone_good or not track.misses:
                return [track]
            track.skipped += 1
            if track.skipped >= SET_ASIDE_FACTOR:
                track.skipped = 0
                return [track]
        return []
