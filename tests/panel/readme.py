"""Draws gateway/panel/README.md from the room's tables: `make reference` writes it, a test compares."""

from pathlib import Path
from typing import Final

from gateway.panel import lamps
from gateway.panel.gestures import BANDS, CONFIRM_S, STUCK_S, Band
from gateway.panel.lamps import ASKED, HELD, MAX_FLASHES, RESET_ARMED, STATES, Pattern
from gateway.status import Lamp

README: Final = Path(__file__).parent.parent.parent / "gateway" / "panel" / "README.md"
TICK_S: Final = 0.1
TICKS: Final = 40

MEANS: Final[dict[Lamp, str]] = {
    "starting": "starting, or the calls process is coming back",
    "setup": "set it up, or confirm the first address",
    "main": "calls work on the main channel",
    "backup": "calls work on a backup; nothing to do",
    "attention": "calls work, and something needs a hand",
    "no_calls": "nobody can call out",
    "updating": "an update is being installed: keep it plugged in",
    "recovery": "the button was held while the power came on",
    "identify": "somebody asked which box this is (30 s)",
}
DOES: Final[dict[Band, str]] = {
    "tap": "approves what a page or gatewayctl asks; else tells the number of the channel in use",
    "access": "opens the setup access for ten minutes: whoever asks is taken to be at the box",
    "password": "takes the page's password away, for a new one; settings stay",
    "reset": f"factory reset, if a tap follows within {CONFIRM_S:g} s",
    "cancel": "nothing: the way out",
}


def drawn(pattern: Pattern) -> str:
    """The first seconds of a rhythm, a character for a tenth of a second."""
    return "".join("█" if pattern.lit(n * TICK_S + TICK_S / 2)[0] else "·" for n in range(TICKS))


def lamp_table() -> str:
    """Every state and what else the lamp can say."""
    rows = [(pattern.colour, pattern, MEANS[lamp]) for lamp, pattern in STATES.items()]
    rows.append((ASKED.colour, ASKED, "somebody waits for a tap of the button"))
    rows.append((RESET_ARMED.colour, RESET_ARMED, "a factory reset waits for its tap"))
    rows.append((lamps.number(2).colour, lamps.number(2), "after a tap: calls use the second channel"))
    lines = [f"| {colour} | `{drawn(p)}` | {p.words} | {means} |" for colour, p, means in rows]
    return "\n".join([f"| colour | {TICKS * TICK_S:g} s | rhythm | means |", "|---|---|---|---|", *lines])


def button_table() -> str:
    """Every band of holding."""
    ends = [*(f"{from_s:g}" for from_s, _ in BANDS[1:]), f"{STUCK_S:g}"]
    lines = [
        f"| {from_s:g} to {until} s | {HELD[band].colour}: {HELD[band].words} | {DOES[band]} |"
        for (from_s, band), until in zip(BANDS, ends, strict=True)
    ]
    return "\n".join(["| held for | the lamp meanwhile | let go, it |", "|---|---|---|", *lines])


def text() -> str:
    """The whole file."""
    return f"""# Lamp and button

One lamp and one button on the box, wired to a GPIO chip (`[panel]` in the settings). A box without them is
a box: pages and `gatewayctl` tell and do the same. `make reference` draws the tables from the room's own.

## The lamp

Each state has a rhythm of its own, so that it can be told without colours, also with two LEDs (green and
red) or with a single one. Nothing flashes more than {MAX_FLASHES} times a second, not even while one state
follows another. The lamp, the first line of `gatewayctl status`, the page and `systemctl status gateway`
show the same verdict.

{lamp_table()}

## The button

It acts when it is let go. While it is held, the lamp counts.

{button_table()}

Held while the power comes on, and let go after {BANDS[1][0]:g} s or more: the settings before the newest
ones come back. Held for more than {STUCK_S:g} s it is stuck: that is said, and it is ignored until it is
free.

## What is where

| file | what |
|---|---|
| `gestures.py` | edges and time in, gestures out: bands, bounce, confirmation, a stuck button |
| `lamps.py` | what to show and time in, LEDs out: rhythms, and the limit on flashes |
| `front.py` | the loop: verdict and button in, lamp and wishes out |
| `board.py`, `lines.py` | gpiozero's devices over our pin factory on gpiod; edges with the kernel's time |

The lines of a GPIO chip are on or off, so nothing is dimmed. The libraries take 2.5 MB of memory and are
loaded only where something is wired. A LED keeps its last state while the daemon is away: half a second.
"""


if __name__ == "__main__":
    README.write_text(text())
