"""Law: ring mode (RM) is high within a burst and at no other time, and no burst is longer than LONGEST_MS.

One port of a SLIC (Ag1171, KS0835F), as a table of its hook and its bell:

    rest     Burst, on the hook                -> burst   RM high; then F/R changes every half period
             Burst, off the hook               -> rest    nothing: a lifted phone does not ring
             Reverse                           -> rest    F/R at the other level
    burst    its time is over, Stop, Power off -> rest    RM low, then F/R at rest
             the handset is lifted             -> rest    RM low, then F/R at rest, then OffHook
             Burst                             -> burst   goes on for the new time, in its phase
             Reverse                           -> burst   known for when it rests

A cadence is told burst by burst by whoever keeps it: when he hangs or dies, the bell falls silent by itself.
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones.hook import Edge, Heard, Hook
from gateway.phones.pulse import Dial, LoopTimes

LONGEST_MS: Final = 5000

Wire = Literal["rm", "fr", "pd"]


@dataclass(frozen=True, slots=True)
class Burst:
    """Ring for so long from now on."""

    ms: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not ring any more."""


@dataclass(frozen=True, slots=True)
class Reverse:
    """Swap the two wires, or put them back."""

    on: bool


@dataclass(frozen=True, slots=True)
class Power:
    """The SLIC feeds the line, or sleeps (the phone is dead then)."""

    on: bool


@dataclass(frozen=True, slots=True)
class Drive:
    """Set a control wire; `high` is its meaning (ring, forward, power down), not its voltage."""

    wire: Wire
    high: bool


@dataclass(frozen=True, slots=True)
class Swing:
    """F/R is to change at this frequency by itself (hardware PWM); 0: it rests, at what was driven last."""

    hz: float


Command = Burst | Stop | Reverse | Power
Output = Drive | Swing | Heard


class Port:
    """`hz` is the bell's frequency; `pwm`: F/R hangs on hardware that swings it. Seconds are monotonic."""

    def __init__(self, times: LoopTimes, dial: Dial, hz: float, *, pwm: bool = False) -> None:
        self._hook = Hook(times, dial)
        self._half_s = 0.5 / hz
        self._hz = hz
        self._pwm = pwm
        self._reversed = False
        self._began_s = 0.0
        self._ends_s: float | None = None
        self._turns = 0

    @property
    def rings(self) -> bool:
        """True within a burst."""
        return self._ends_s is not None

    @property
    def due(self) -> float | None:
        """When `receive(None, now)` is wanted."""
        times = [self._hook.due, self._ends_s]
        if self._ends_s is not None and not self._pwm:
            times.append(self._began_s + (self._turns + 1) * self._half_s)
        return min((time for time in times if time is not None), default=None)

    def start(self) -> list[Output]:
        """What the wires are at the beginning."""
        return [Drive("rm", False), Drive("fr", True), Drive("pd", False)]

    def receive(self, what: Edge | Command | None, now: float) -> list[Output]:
        """An edge of the hook contact, a command, or None when `due` has passed."""
        out: list[Output] = []
        match what:
            case Edge() | None:
                heard = self._hook.receive(what, now)
                if self.rings and self._hook.off_hook:
                    out += self._rest(now)
                out += heard
            case Burst(ms):
                out += self._burst(min(ms, LONGEST_MS), now)
            case Stop():
                out += self._rest(now)
            case Reverse(on):
                self._reversed = on
                if not self.rings:
                    out.append(Drive("fr", not on))
            case Power(on):
                out += self._rest(now)
                out.append(Drive("pd", not on))
        out += self._swing(now)
        return out

    def _burst(self, ms: int, now: float) -> list[Output]:
        if self._hook.off_hook or ms <= 0:
            return []
        fresh = not self.rings
        begin = now if fresh else self._began_s
        # Whole periods: the wires are at the end as they were at the beginning.
        periods = max(1, round((now - begin + ms / 1000) / (2 * self._half_s)))
        self._ends_s = begin + periods * 2 * self._half_s
        if not fresh:
            return []
        self._began_s, self._turns = now, 0
        out: list[Output] = [Drive("rm", True)]
        if self._pwm:
            out.append(Swing(self._hz))
        return [*out, *self._hook.ringing(True, now)]

    def _swing(self, now: float) -> list[Output]:
        """F/R as it has to stand now; a turn that was missed is not made up for, the phase stays."""
        if self._ends_s is None:
            return []
        if now >= self._ends_s:
            return self._rest(now)
        turns = int((now - self._began_s) / self._half_s + 1e-6)
        if self._pwm or turns == self._turns:
            return []
        self._turns = turns
        return [Drive("fr", (turns % 2 == 0) != self._reversed)]

    def _rest(self, now: float) -> list[Output]:
        if not self.rings:
            return []
        self._ends_s = None
        still: list[Output] = [Swing(0.0)] if self._pwm else []
        return [Drive("rm", False), *still, Drive("fr", not self._reversed), *self._hook.ringing(False, now)]
