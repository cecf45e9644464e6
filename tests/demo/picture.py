"""The picture of the demo: what both ends of a call heard while an uplink died, as SVG. Pure text, no I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from tests.demo.sound import Lane, Silence

_WIDTH: Final = 1200
_LEFT: Final = 170
_RIGHT: Final = 1160
_HEAD: Final = 64
_PANEL: Final = 276
_FOOT: Final = 34
_LANE: Final = 70
_INK, _FAINT, _RULE = "#1f2937", "#6b7280", "#d1d5db"
_MAIN, _BACKUP, _NONE, _CUT = "#2563eb", "#d97706", "#9ca3af", "#dc2626"
_VOICE, _PAPER = "#475569", "#f8fafc"

_Scale = Callable[[float], float]
"""Unix seconds to the picture's x."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """One end of the call: who it is, what it heard, and the silence of the failover."""

    who: str
    lane: Lane
    silence: Silence


@dataclass(frozen=True, slots=True)
class Cut:
    """One failure in mid-call. Times are Unix seconds; `moved_s`: the first packet by `after`."""

    title: str
    label: str
    cut_s: float
    moved_s: float
    before: str
    after: str
    from_s: float
    to_s: float
    hearings: tuple[Hearing, ...]


def svg(title: str, subtitle: str, cuts: Sequence[Cut], foot: str) -> str:
    """The whole picture."""
    height = _HEAD + _PANEL * len(cuts) + _FOOT
    head = _attributes(
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        font_family="DejaVu Sans, Helvetica, Arial, sans-serif",
        font_size=14,
        fill=_INK,
        role="img",
    )
    parts = [
        f"<svg{head}>",
        f"<title>{escape(title)}</title>",
        _rect(0, 0, _WIDTH, height, rx=10, fill="#ffffff", stroke=_RULE),
        _text(24, 36, title, font_size=21, font_weight="bold"),
        _text(_RIGHT, 36, subtitle, text_anchor="end", fill=_FAINT),
    ]
    for number, cut in enumerate(cuts):
        parts += _panel(cut, _HEAD + number * _PANEL)
    parts.append(_text(24, height - 14, foot, font_size=12, fill=_FAINT))
    return "\n".join([*parts, "</svg>", ""])


def _panel(cut: Cut, top: float) -> list[str]:
    scale = (_RIGHT - _LEFT) / (cut.to_s - cut.from_s)

    def x(at_s: float) -> float:
        return _LEFT + (min(max(at_s, cut.from_s), cut.to_s) - cut.from_s) * scale

    band, first = top + 34, top + 70
    bottom = first + len(cut.hearings) * (_LANE + 14) - 6
    parts = [
        _text(24, top + 20, cut.title, font_size=16, font_weight="bold"),
        _text(24, band + 15, "carried by"),
        *_band(_LEFT, x(cut.cut_s), band, _MAIN, cut.before),
        *_band(x(cut.cut_s), x(cut.moved_s), band, _NONE, ""),
        *_band(x(cut.moved_s), _RIGHT, band, _BACKUP, cut.after),
    ]
    for number, hearing in enumerate(cut.hearings):
        upper = first + number * (_LANE + 14)
        parts += [
            _text(24, upper + _LANE / 2 - 4, hearing.who),
            _text(24, upper + _LANE / 2 + 14, "heard", fill=_FAINT),
            _rect(_LEFT, upper, _RIGHT - _LEFT, _LANE, fill=_PAPER),
            _wave(hearing.lane, x, upper + _LANE / 2),
            *_gap(hearing.silence, x, upper),
        ]
    at = x(cut.cut_s)
    parts += [
        _path(f"M{at:.1f} {top + 28}V{bottom}", stroke=_CUT, stroke_width=2, stroke_dasharray="5 4"),
        _text(at - 6, top + 26, cut.label, text_anchor="end", fill=_CUT, font_size=13),
        *_axis(cut, x, bottom),
    ]
    return parts


def _band(left: float, right: float, top: float, colour: str, name: str) -> list[str]:
    middle = (left + right) / 2
    return [
        _rect(left, top, max(0.0, right - left), 21, fill=colour),
        _text(middle, top + 15, name, text_anchor="middle", fill="#ffffff", font_weight="bold"),
    ]


def _wave(lane: Lane, x: _Scale, middle: float) -> str:
    """Peaks mirrored about the middle line, the loudest one as high as the lane allows."""
    loudest = max(lane.levels, default=0.0) or 1.0
    points = [
        (x(lane.start_s + number * lane.step_s), max(0.4, level / loudest * (_LANE / 2 - 4)))
        for number, level in enumerate(lane.levels)
    ]
    upper = [f"{at:.1f} {middle - half:.1f}" for at, half in points]
    lower = [f"{at:.1f} {middle + half:.1f}" for at, half in reversed(points)]
    return _path(f"M{'L'.join([*upper, *lower])}Z", fill=_VOICE) if points else ""


def _gap(silence: Silence, x: _Scale, top: float) -> list[str]:
    if silence.length_s <= 0:
        return []
    left, right = x(silence.from_s), x(silence.to_s)
    return [
        _rect(left, top, right - left, _LANE, fill=_CUT, fill_opacity=0.16, stroke=_CUT, stroke_opacity=0.5),
        _rect(right + 6, top + 4, 120, 20, rx=4, fill="#ffffff", fill_opacity=0.85),
        _text(
            right + 12, top + 19, f"{silence.ms:.0f} ms silence", fill=_CUT, font_weight="bold", font_size=13
        ),
    ]


def _axis(cut: Cut, x: _Scale, top: float) -> list[str]:
    """A mark every half second, counted from the cut."""
    parts = [_path(f"M{_LEFT} {top}H{_RIGHT}", stroke=_RULE)]
    first = -int((cut.cut_s - cut.from_s) / 0.5)
    for number in range(first, int((cut.to_s - cut.cut_s) / 0.5) + 1):
        at = x(cut.cut_s + number * 0.5)
        label = f"{number * 0.5:+.1f} s" if number else "0"
        parts.append(_path(f"M{at:.1f} {top}v5", stroke=_FAINT))
        parts.append(_text(at, top + 19, label, font_size=12, text_anchor="middle", fill=_FAINT))
    return parts


# --- elements -------------------------------------------------------------------------------------


def _attributes(**attributes: str | float) -> str:
    """`font_size=13` becomes font-size="13"."""
    return "".join(
        f' {key.replace("_", "-")}="{escape(f"{value:.5g}" if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )


def _rect(x: float, y: float, width: float, height: float, **more: str | float) -> str:
    return f"<rect{_attributes(x=x, y=y, width=width, height=height, **more)}/>"


def _path(d: str, *, fill: str = "none", **more: str | float) -> str:
    return f"<path{_attributes(d=d, fill=fill, **more)}/>"


def _text(x: float, y: float, text: str, **more: str | float) -> str:
    return f"<text{_attributes(x=x, y=y, **more)}>{escape(text)}</text>" if text else ""
