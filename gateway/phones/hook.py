"""Law: edges of the hook contact are judged by the kernel's time stamps alone, never by when they were heard.

    on hook    closed, past its bounce                   -> off hook                 OffHook
               (ringing) closed for TRIP_SHARE of a trip window -> off hook          OffHook
    off hook   open for break_least                      -> (a digit may begin)      DigitBegan, once a train
               open for less than break_least            -> off hook                 nothing: chatter
               open for break_least … break_most         -> off hook                 one more pulse
               open for break_most … flash_least         -> off hook                 the train is spoilt
               open for flash_least … flash_most         -> off hook                 Flash
               open for longer than flash_most           -> on hook                  OnHook
               closed for digit_gap after a pulse        -> off hook                 Digit

A break within lift_settle of the lift is the handset wobbling: neither pulse nor flash.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.phones.model import Digit, DigitBegan, Flash, OffHook, OnHook
from gateway.phones.pulse import Dial, LoopTimes, key_of

_SAME_S: Final = 1e-9
TRIP_WINDOW_S: Final = 0.06
TRIP_SHARE: Final = 0.7
"""While it rings, the bell's own current closes the detector for a part of each half period (25 ms at 20 Hz),
and a lifted handset opens it for a moment at each reversal: what counts is the share of the time."""

Heard = OffHook | OnHook | Flash | DigitBegan | Digit


@dataclass(frozen=True, slots=True)
class Edge:
    """The hook contact changed to `closed` at `at_s`, monotonic seconds by the kernel's stamp."""

    closed: bool
    at_s: float


class Hook:
    """One line's hook contact. `receive` takes an edge, or None when `due` has passed (monotonic seconds)."""

    def __init__(self, times: LoopTimes, dial: Dial = "normal") -> None:
        self._times = times
        self._dial = dial
        self.off_hook = False
        self._closed = False  # past its bounce
        self._since_s = -1e9  # when it became so
        self._level = False  # the last edge's word
        self._moved_s: float | None = None  # the first edge of a change whose bounce still runs
        self._lifted_s = -1e9
        self._pulses = 0
        self._spoilt = False
        self._told = False  # that a digit may begin, in this break
        self._ringing = False
        self._rings_until_s = -1e9
        self._recent: deque[Edge] = deque()

    @property
    def due(self) -> float | None:
        """When `receive(None, now)` is wanted at the latest."""
        if self._listens_to_bell:
            return self._trip_due()
        if self._moved_s is not None:
            return self._moved_s + self._times.bounce_ms / 1000
        if self.off_hook and not self._closed:
            return (
                self._since_s
                + (self._times.flash_most_ms if self._told else self._times.break_least_ms) / 1000
            )
        return self._since_s + self._times.digit_gap_ms / 1000 if self._train else None

    @property
    def _train(self) -> bool:
        return self._pulses > 0 or self._spoilt

    def ringing(self, on: bool, now: float) -> list[Heard]:
        """A ring burst begins or ends: its own current must not look like a lifted handset."""
        heard: list[Heard] = []
        self._until(now, heard)
        if on and not self._ringing and not self.off_hook:
            self._moved_s = None
            self._recent = deque([Edge(self._level, now)])
            self._rings_until_s = math.inf
        elif not on and self._rings_until_s == math.inf:
            self._rings_until_s = now + TRIP_WINDOW_S
        self._ringing = on
        return heard

    def receive(self, edge: Edge | None, now: float) -> list[Heard]:
        """What the user did, by all that is known at `now`. Edges come in the order of their stamps."""
        at_s = now if edge is None else edge.at_s
        heard: list[Heard] = []
        self._until(at_s, heard)
        if edge is not None and edge.closed != self._level:
            self._level = edge.closed
            if self._listens_to_bell:
                self._recent.append(edge)
                if self._tripped(at_s):
                    heard.append(self._lift(at_s))
            elif self._moved_s is None:
                self._moved_s = edge.at_s
        return heard

    def _until(self, at_s: float, heard: list[Heard]) -> None:
        """Let time pass up to `at_s`: everything that fell due before, in its order."""
        while (due := self.due) is not None and due <= at_s:
            if self._listens_to_bell:
                if self._tripped(due):
                    heard.append(self._lift(due))
                if due >= self._rings_until_s:
                    self._rings_until_s = -1e9
                    self._moved_s = due if self._level and not self.off_hook else None
                continue
            if self._moved_s is not None:
                moved_s, self._moved_s = self._moved_s, None
                if self._level != self._closed:
                    heard += self._settled(moved_s)
            else:
                heard += self._waited(due)

    def _settled(self, at_s: float) -> Sequence[Heard]:
        """The contact has changed for good, at the first edge `at_s`."""
        lasted_ms = (at_s - self._since_s) * 1000
        broke_s = self._since_s
        self._closed = self._level
        self._since_s = at_s
        self._told = False
        if not self.off_hook:
            return [self._lift(at_s)] if self._closed else []
        if not self._closed:
            return []
        times = self._times
        if lasted_ms < times.break_least_ms or (broke_s - self._lifted_s) * 1000 < times.lift_settle_ms:
            return []
        if lasted_ms <= times.break_most_ms:
            self._pulses += 1
            return []
        if lasted_ms < times.flash_least_ms:
            self._spoilt = True
            return []
        return [*self._digit(broke_s), Flash(at_s)]

    def _waited(self, due: float) -> Sequence[Heard]:
        """The contact has stayed as it is until `due`."""
        if self._closed:
            return self._digit(due)
        if not self._told:
            self._told = True
            wobbles = (self._since_s - self._lifted_s) * 1000 < self._times.lift_settle_ms
            return [] if self._train or wobbles else [DigitBegan("pulse", due)]
        self.off_hook = False
        self._pulses, self._spoilt = 0, False
        return [OnHook(due)]

    def _lift(self, at_s: float) -> OffHook:
        self.off_hook = self._closed = True
        self._level = True
        self._since_s = self._lifted_s = at_s
        self._moved_s = None
        self._rings_until_s = -1e9
        self._pulses, self._spoilt = 0, False
        return OffHook(at_s)

    def _digit(self, at_s: float) -> Sequence[Heard]:
        key = "" if self._spoilt else key_of(self._pulses, self._dial)
        self._pulses, self._spoilt = 0, False
        return [Digit(key, "pulse", at_s)] if key else []

    # --- ring trip --------------------------------------------------------------------------------

    @property
    def _listens_to_bell(self) -> bool:
        """True during a burst, and for as long as its current may linger."""
        return self._rings_until_s > 0 and not self.off_hook

    def _tripped(self, now: float) -> bool:
        begin = now - TRIP_WINDOW_S
        while len(self._recent) > 1 and self._recent[1].at_s <= begin:
            self._recent.popleft()
        if self._recent[0].at_s > begin + _SAME_S:
            return False  # it has not rung for a whole window yet
        ends = [*(edge.at_s for edge in self._recent), now][1:]
        closed_s = sum(
            end - max(edge.at_s, begin) for edge, end in zip(self._recent, ends, strict=True) if edge.closed
        )
        return closed_s >= TRIP_SHARE * TRIP_WINDOW_S - _SAME_S

    def _trip_due(self) -> float | None:
        """When the share is reached at the latest if the contact stays closed, or the bell has died away."""
        times = [self._rings_until_s] if self._rings_until_s < math.inf else []
        if self._level:
            first, last = self._recent[0].at_s, self._recent[-1].at_s
            times.append(max(first + TRIP_WINDOW_S, last + TRIP_SHARE * TRIP_WINDOW_S))
        return min(times, default=None)
