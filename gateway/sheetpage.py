"""A recovery sheet on paper: A4 pages as SVG, the QR codes first, then the lines to type.

Values in, text out; lengths are millimetres. Black on white, no fonts of its own, nothing fetched.
"""

from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Final

import segno

from gateway import sheet

_PAGE_MM: Final = (210, 297)
_EDGE_MM: Final = 15
_CODE_MM: Final = 80
_QUIET: Final = 4  # modules of white around a code (ISO/IEC 18004)
_CODES_ON_PAGE: Final = 4
_LINES_ON_PAGE: Final = 52
_TELLS: Final = (
    "With this sheet and its passphrase a spare box becomes this one, or this one becomes itself again.",
    "Scan every code with a telephone into one text file, or type the lines into one, then on the box:",
    "gatewayctl backup import FILE.txt",
    "Nobody can read it without the passphrase, and nobody can help you when you have lost that.",
)


@dataclass(frozen=True, slots=True)
class About:
    """What the head of each page says of the backup."""

    box: str
    made: str


def text(data: bytes, about: About) -> str:
    """The sheet as plain text. Raises RefusedError when it is too long."""
    notes = [f"# {about.box}, {about.made}", *(f"# {line}" for line in _TELLS)]
    return "\n".join([*notes, "", *sheet.lines(data), ""])


def pages(data: bytes, about: About) -> list[str]:
    """SVG documents, one a page. Raises RefusedError when it is too long."""
    codes = sheet.codes(data)
    lines = sheet.lines(data)
    bodies = [
        "".join(_code(n, codes[n], len(codes)) for n in range(at, min(at + _CODES_ON_PAGE, len(codes))))
        for at in range(0, len(codes), _CODES_ON_PAGE)
    ]
    bodies += [
        "".join(_type_line(n, line) for n, line in enumerate(lines[at : at + _LINES_ON_PAGE]))
        for at in range(0, len(lines), _LINES_ON_PAGE)
    ]
    return [_page(body, n, len(bodies), sheet.digest(data), about) for n, body in enumerate(bodies, start=1)]


def document(data: bytes, about: About) -> str:
    """One HTML document that prints one page on each sheet of paper. Raises RefusedError: too long."""
    style = (
        "@page{size:A4;margin:0}body{margin:0}svg{display:block;break-after:page;width:210mm;height:297mm}"
    )
    title = escape(f"Recovery sheet of {about.box}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"{''.join(pages(data, about))}</html>\n"
    )


def _page(body: str, number: int, count: int, digest: str, about: About) -> str:
    width, height = _PAGE_MM
    head = _text(_EDGE_MM, 20, 7, f"Recovery sheet of {about.box}", weight="bold")
    head += _text(_EDGE_MM, 27, 4, f"Steadyline, {about.made}, check {digest}, page {number} of {count}")
    for row, line in enumerate(_TELLS):
        head += _text(_EDGE_MM, 36 + 5.5 * row, 3.6, line, mono=line.startswith("gatewayctl"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
        f'viewBox="0 0 {width} {height}"><rect width="100%" height="100%" fill="#fff"/>{head}{body}</svg>'
    )


def _code(number: int, content: str, count: int) -> str:
    """One QR code with its caption, at its place of the page."""
    row, column = divmod(number % _CODES_ON_PAGE, 2)
    left, top = _EDGE_MM + column * (_CODE_MM + 20), 64 + row * (_CODE_MM + 20)
    matrix = segno.make_qr(content, error="m", boost_error=False).matrix
    runs = []
    for y, modules in enumerate(matrix):
        x = 0
        for dark, run in groupby(modules):
            length = len(list(run))
            if dark:
                runs.append(f"M{x + _QUIET} {y + _QUIET}h{length}v1h-{length}z")
            x += length
    scale = _CODE_MM / (len(matrix) + 2 * _QUIET)
    caption = _text(left, top - 1, 4.5, f"Code {number + 1} of {count}", weight="bold")
    path = f'<path transform="translate({left} {top}) scale({scale:.5f})" d="{"".join(runs)}"/>'
    return caption + path


def _type_line(row: int, line: str) -> str:
    return _text(_EDGE_MM, 66 + 4.3 * row, 3.5, line, mono=True)


def _text(
    x: float, y: float, size: float, content: str, *, weight: str = "normal", mono: bool = False
) -> str:
    family = "monospace" if mono else "sans-serif"
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{family}" font-size="{size:g}" font-weight="{weight}" '
        f'xml:space="preserve">{escape(content)}</text>'
    )
