"""Law: trunk traffic leaves by an unconfirmed address for one confirmation call or one call for help alone,
and not a moment longer than that takes.

Who is let out for now, and who waits for the guard's word or for the provider's. Pure.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import RefusedError
from gateway.messages import Path
from gateway.uplinks.model import ProbeAnswered
from gateway.uplinks.talk import Reply

CONFIRMING_S: Final = 60.0
"""The longest that a confirmation call may leave by an unconfirmed address."""
RESCUE_GRACE_S: Final = 5.0
"""The guard stays open so long after a call for help: its BYE has to get out."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Let a confirmation call out by this uplink; answered with its path once the guard stands."""

    uplink: str
    reply: Reply[Path]


@dataclass(frozen=True, slots=True)
class Release:
    """The confirmation call is over."""

    uplink: str


@dataclass(frozen=True, slots=True)
class Rescue:
    """A call for help runs, or has ended."""

    on: bool


@dataclass(frozen=True, slots=True)
class Observe:
    """Answered with our address as the provider sees it on this uplink."""

    uplink: str
    reply: Reply[str]


class Admissions:
    """All that is let out for now."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._rescue_ends_s = 0.0
        self._asked: list[Admit] = []
        self._observing: list[Observe] = []

    @property
    def confirming(self) -> frozenset[str]:
        """Uplinks that a confirmation call may leave by."""
        return frozenset(self._until)

    @property
    def dues(self) -> tuple[float, ...]:
        """When `expire` has something to do (monotonic seconds)."""
        return (*self._until.values(), *([self._rescue_ends_s] if self._rescue_ends_s else []))

    @property
    def waiting(self) -> bool:
        """Somebody waits for the guard."""
        return bool(self._asked)

    def lets(self, uplink: str) -> bool:
        """Whether trunk traffic may leave by this uplink though its address is not confirmed."""
        return bool(self._rescue_ends_s) or uplink in self._until

    def admit(self, event: Admit, now: float) -> None:
        """It is let out from the next step of the guard on."""
        self._until[event.uplink] = now + CONFIRMING_S
        self._asked.append(event)

    def release(self, uplink: str) -> None:
        """It is not any more."""
        self._until.pop(uplink, None)

    def rescue(self, on: bool, now: float) -> None:
        """Everybody is let out, or was."""
        self._rescue_ends_s = math.inf if on else now + RESCUE_GRACE_S if self._rescue_ends_s else 0.0

    def expire(self, now: float) -> bool:
        """Take back what has lasted long enough; True: something was."""
        over = [uplink for uplink, until in self._until.items() if until <= now]
        for uplink in over:
            del self._until[uplink]
        rescued = bool(self._rescue_ends_s) and self._rescue_ends_s <= now
        if rescued:
            self._rescue_ends_s = 0.0
        return bool(over) or rescued

    def settle(self, guard_stands: bool, path: Callable[[str], Path]) -> bool:
        """The guard has been led: answer who waits for it. True: an admission was taken back."""
        asked, self._asked = self._asked, []
        for event in asked:
            if event.reply.done():
                continue
            if guard_stands and event.uplink in self._until:
                event.reply.set_result(path(event.uplink))
                continue
            self._until.pop(event.uplink, None)
            event.reply.set_exception(
                RefusedError("the guard is missing", where=event.uplink, remedy="See: journalctl -u gateway")
            )
        return bool(asked) and not guard_stands

    @property
    def observing(self) -> bool:
        """Somebody waits for the next answer."""
        return bool(self._observing)

    def observe(self, event: Observe) -> None:
        """The next word of the provider is for this one."""
        self._observing.append(event)

    def heard(self, answer: ProbeAnswered) -> None:
        """The provider's word on an address, if that is what came."""
        if answer.kind != "options" or answer.observed is None:
            return
        for waiting in [o for o in self._observing if o.uplink == answer.uplink or o.reply.done()]:
            self._observing.remove(waiting)
            if not waiting.reply.done():
                waiting.reply.set_result(str(answer.observed))

    def follow(self, renamed: Mapping[str, str], names: Collection[str]) -> None:
        """New settings: what has another name keeps its admission, what is gone loses it."""
        until = {renamed.get(uplink, uplink): at for uplink, at in self._until.items()}
        self._until = {uplink: at for uplink, at in until.items() if uplink in names}
        self._asked = [replace(a, uplink=renamed.get(a.uplink, a.uplink)) for a in self._asked]
        self._observing = [replace(o, uplink=renamed.get(o.uplink, o.uplink)) for o in self._observing]
