"""The story as it is told, and the figures behind it. Nothing is told that was not measured in this run."""

import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final

WIDTH: Final = 110
_MARKS: Final = {True: "✓", False: "✗", None: " "}
_COLOURS: Final = {True: "\033[32m", False: "\033[31m"}
_BOLD, _PLAIN = "\033[1m", "\033[0m"
_INDENT: Final = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `name` is for programs; `what` for people. `limit`: the most that is allowed (None:
    told, not judged). `value` None: it could not be measured, which is never good."""

    name: str
    what: str
    value: float | None
    unit: str
    limit: float | None = None

    @property
    def ok(self) -> bool:
        """Measured, and within its limit."""
        return self.value is not None and (self.limit is None or self.value <= self.limit)

    def __str__(self) -> str:
        shown = "not measured" if self.value is None else f"{_number(self.value)} {self.unit}".strip()
        if self.limit:
            shown += f" (limit {_number(self.limit)})"
        return f"{self.what} {shown}".strip()


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story. `at_s`: since the start; `ok` None: it claims nothing."""

    at_s: float
    ok: bool | None
    text: str


@dataclass(slots=True)
class Report:
    """Gathers lines and figures. `clock` gives seconds since the start; `tell` prints; `colour`: for a
    terminal."""

    clock: Callable[[], float]
    tell: Callable[[str], None] = print
    colour: bool = False
    lines: list[Line] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def scene(self, title: str) -> None:
        """A heading."""
        self.tell("")
        self.tell(f"{_BOLD}{title}{_PLAIN}" if self.colour else title)

    def note(self, text: str) -> None:
        """Something that happened; claims nothing."""
        self._add(Line(self.clock(), None, text))

    def quote(self, text: str) -> None:
        """What a program said, as it stands but for blank lines; what is too long is broken."""
        for line in filter(str.strip, text.splitlines()):
            for part in textwrap.wrap(line, WIDTH - 4, drop_whitespace=False, break_on_hyphens=False):
                self.tell(f"    {part}".rstrip())

    def claim(self, holds: bool, text: str, *figures: Figure) -> bool:
        """True only if it holds and every figure is within its limit. Figures are told after the text."""
        self.figures += figures
        ok = holds and all(figure.ok for figure in figures)
        self._add(Line(self.clock(), ok, ": ".join(p for p in (text, ", ".join(map(str, figures))) if p)))
        return ok

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        for text in laid_out(line, self.colour):
            self.tell(text)

    def keep(self, *figures: Figure) -> None:
        """Figures for the record alone."""
        self.figures += figures

    @property
    def failed(self) -> list[Line]:
        """Claims that did not hold."""
        return [line for line in self.lines if line.ok is False]

    @property
    def claims(self) -> int:
        """How many there were."""
        return sum(line.ok is not None for line in self.lines)

    def to_json(self, **more: object) -> str:
        """For programs: `ok`, the claims with their times, and every figure with unit, limit and verdict."""
        claims = [asdict(line) for line in self.lines if line.ok is not None]
        figures = [{**asdict(figure), "ok": figure.ok} for figure in self.figures]
        whole = {"ok": bool(claims) and not self.failed, **more, "figures": figures, "claims": claims}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def laid_out(line: Line, colour: bool = False) -> list[str]:
    """A line of the story, broken at WIDTH under its own text."""
    mark = _MARKS[line.ok]
    if colour and line.ok is not None:
        mark = f"{_COLOURS[line.ok]}{mark}{_PLAIN}"
    parts = textwrap.wrap(line.text, WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{line.at_s:6.1f} s  {mark} {parts[0]}", *(f"{'':{_INDENT}}{part}" for part in parts[1:])]
