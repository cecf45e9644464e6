"""Where things stand in a TOML text: the line of every key and item, so that an error can name its place, and
the characters of every section, key and value, so that one can be changed and all else stay as it is.

`tomllib` has accepted the text before it comes here; this reader only has to follow it, not to judge it.
"""

import re
import tomllib
from dataclasses import dataclass, field
from typing import Final

Place = tuple[str | int, ...]

DEEPEST: Final = 8
"""Parts of a path that are kept; settings are never deeper."""

_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_KEY = re.compile(r"""\s*("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*(\.?)""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'", re.DOTALL
)
_WORD = re.compile(r"[^,\]}\n#]+")
# Nearly every line is of this kind, and one look at it is a quarter of the work.
_PLAIN_LINE = re.compile(
    r"""([A-Za-z0-9_-]+)[ \t]*=[ \t]*("[^"\\\n]*"(?!")|[^\s"'\[{#][^\n#"']*?)(?=[ \t]*(?:#|\r?\n|\Z))"""
)


@dataclass(frozen=True, slots=True)
class Header:
    """`[place]`, or `[[place]]` for the item `place`. Characters of the whole, and of the key within."""

    place: Place
    several: bool
    start: int
    end: int
    key_start: int
    key_end: int


@dataclass(frozen=True, slots=True)
class Pair:
    """`key = value` in the section `table`, which may be an inline one. Its value stands at `place`, which is
    more than one part below `table` when the key is dotted."""

    place: Place
    table: Place
    inline: bool
    start: int
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an array in brackets."""

    place: Place
    start: int
    end: int


@dataclass(slots=True)
class Outline:
    """All of a text, in its order."""

    headers: list[Header] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)


def places(text: str) -> dict[Place, int]:
    """The 1-based line of every table, key and item in a valid TOML text, as far as DEEPEST."""
    reader = _Reader(text, None)
    reader.document()
    return reader.found


def outline(text: str) -> Outline:
    """The characters of every section, pair, item and comment in a valid TOML text."""
    found = Outline()
    _Reader(text, found).document()
    return found


class _Reader:
    def __init__(self, text: str, outline: Outline | None) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Place, int] = {}
        self._outline = outline
        self._line, self._counted = 1, 0
        self._arrays: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        while self._skip_blank():
            start = self.at
            if several := self.text.startswith("[[", self.at):
                self.at += 2
                keys, line = self._key()
                place = (*self._below((), keys[:-1]), keys[-1])
                self._arrays[place] = self._arrays.get(place, -1) + 1
                self.found.setdefault(place, line)
                table = (*place, self._arrays[place])
                self._header(table, line, start, several)
            elif self.text[self.at] == "[":
                self.at += 1
                keys, line = self._key()
                table = self._below((), keys)
                self._header(table, line, start, several)
            else:
                self._pair(table, inline=False)

    def _header(self, table: Place, line: int, start: int, several: bool) -> None:
        self._note(table, line)
        width = 2 if several else 1
        end = self.at + width
        if self._outline is not None:
            key_start = start + width
            self._outline.headers.append(Header(table, several, start, end, key_start, self.at))
        self.at = end

    def _pair(self, table: Place, *, inline: bool) -> None:
        start = self.at
        plain = None if inline else _PLAIN_LINE.match(self.text, start)
        if plain:
            place = (*table, plain[1])
            self._note(place, self._line_now())
            self.at = plain.end()
            if self._outline is not None:
                self._outline.pairs.append(Pair(place, table, False, start, plain.start(2), plain.end(2)))
            return
        keys, line = self._key()
        place = self._below(table, keys)
        if line:
            for depth in range(len(table) + 1, len(place) + 1):
                self.found.setdefault(place[:depth], line)
        self.at += 1  # =
        self._skip_blank()
        value_start = self.at
        end = self._value(place)
        if self._outline is not None:
            self._outline.pairs.append(Pair(place, table, inline, start, value_start, end))

    def _value(self, place: Place) -> int:
        """Past the value; gives where it ended, without the blanks after it."""
        self._skip_blank()
        first = self.text[self.at]
        if first == "[":
            self._array(place)
        elif first == "{":
            self._inline_table(place)
        elif found := _STRING.match(self.text, self.at):
            self.at = found.end()
        elif found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return found.start() + len(found[0].rstrip(" \t\r"))
        return self.at

    def _array(self, place: Place) -> None:
        self.at += 1
        number = 0
        while self._skip_blank() and self.text[self.at] != "]":
            start = self.at
            self._note((*place, number), self._line_now())
            end = self._value((*place, number))
            if self._outline is not None:
                self._outline.items.append(Item((*place, number), start, end))
            number += 1
            if self._skip_blank() and self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, place: Place) -> None:
        self.at += 1
        while self._skip_blank() and self.text[self.at] != "}":
            self._pair(place, inline=True)
            if self._skip_blank() and self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def _key(self) -> tuple[tuple[str, ...], int]:
        """A dotted key and its line; stands on what follows it afterwards."""
        self._skip_blank()
        line = self._line_now()
        parts: list[str] = []
        while found := _KEY.match(self.text, self.at):
            self.at = found.end()
            parts.append(_unquoted(found[1]))
            if not found[2]:
                break
        return tuple(parts), line

    def _below(self, table: Place, keys: tuple[str, ...]) -> Place:
        """`keys` below `table`; a name that is an array of tables stands for its newest table."""
        place = table
        for key in keys[:DEEPEST]:
            place = (*place, key)
            if place in self._arrays:
                place = (*place, self._arrays[place])
        return place

    def _note(self, place: Place, line: int) -> None:
        if line:
            for depth in range(1, min(len(place), DEEPEST) + 1):
                self.found.setdefault(place[:depth], line)

    def _skip_blank(self) -> bool:
        """Past blanks and comments; False at the end of the text."""
        found = _BLANK.match(self.text, self.at)
        assert found
        if self._outline is not None and "#" in found[0]:
            for comment in re.finditer(r"#[^\n]*", found[0]):
                start = self.at + comment.start()
                self._outline.comments.append((start, start + len(comment[0].rstrip("\r"))))
        self.at = found.end()
        return self.at < len(self.text)

    def _line_now(self) -> int:
        """The line; 0 while characters are wanted: counting lines takes half the time."""
        if self._outline is not None:
            return 0
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line


def _unquoted(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        return str(tomllib.loads(f"k = {key}")["k"])
    return key
