"""What the room tells of itself, in words for the timeline; what flickers is not news. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.messages import Event, EventKind
from gateway.uplinks.choice import Carry
from gateway.uplinks.line import Line
from gateway.uplinks.talk import Output, Switched

LASTING_S: Final = 1.0
"""A state is told to the owner once it has lasted so long."""


class Timeline:
    """`wall`: Unix seconds."""

    def __init__(self, publish: Callable[[Output], None], wall: Callable[[], float]) -> None:
        self._publish = publish
        self._wall = wall
        self._troubles: dict[str, str] = {}

    def note(self, kind: EventKind, text: str, uplink: str = "") -> None:
        """One line."""
        self._publish(Event(at=self._wall(), kind=kind, text=text, uplink=uplink))

    def states(self, lines: Mapping[str, Line], now: float) -> None:
        """Each state that has lasted, once."""
        for name, line in lines.items():
            health = line.health
            if health.state in ("suspect", "probing", line.said) or now < health.since_s + LASTING_S:
                continue
            line.said = health.state
            self.note("uplink", health.sentence, name)

    def switch(self, switch: Carry, took_s: float) -> None:
        """The trunk has changed its uplink."""
        self._publish(Switched(switch.uplink, switch.before, switch.cause, switch.silent_s, took_s))
        silent = f", noticed after {1000 * switch.silent_s:.0f} ms" if switch.silent_s else ""
        took = f"switched in {1000 * took_s:.1f} ms"
        self.note(
            "switch", f"Calls leave by {switch.uplink} now: {switch.cause}{silent} ({took}).", switch.uplink
        )

    def troubles(self, troubles: Mapping[str, str]) -> None:
        """What kernel or nftables refuse, once each time that it begins."""
        news = {what: text for what, text in troubles.items() if self._troubles.get(what) != text}
        self._troubles = dict(troubles)
        for what, text in news.items():
            self.note("guard" if what == "guard" else "system", text)
