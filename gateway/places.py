"""Where things stand in a TOML text: the line of every key and item, so that an error can name its place.

`tomllib` has accepted the text before it comes here; this reader only has to follow it, not to judge it.
"""

import re
import tomllib
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


def places(text: str) -> dict[Place, int]:
    """The 1-based line of every table, key and item in a valid TOML text, as far as DEEPEST."""
    reader = _Reader(text)
    reader.document()
    return reader.found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Place, int] = {}
        self._line, self._counted = 1, 0
        self._arrays: dict[Place, int] = {}

    def document(self) -> None:
        table: Place = ()
        while self._skip_blank():
            if self.text.startswith("[[", self.at):
                self.at += 2
                keys, line = self._key()
                place = (*self._below((), keys[:-1]), keys[-1])
                self._arrays[place] = self._arrays.get(place, -1) + 1
                self.found.setdefault(place, line)
                table = (*place, self._arrays[place])
                self._note(table, line)
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                keys, line = self._key()
                table = self._below((), keys)
                self._note(table, line)
                self.at += 1
            else:
                self._pair(table)

    def _pair(self, table: Place) -> None:
        keys, line = self._key()
        place = self._below(table, keys)
        for depth in range(len(table) + 1, len(place) + 1):
            self.found.setdefault(place[:depth], line)
        self.at += 1  # =
        self._value(place)

    def _value(self, place: Place) -> None:
        self._skip_blank()
        first = self.text[self.at]
        if first == "[":
            self._array(place)
        elif first == "{":
            self._inline_table(place)
        elif found := _STRING.match(self.text, self.at) or _WORD.match(self.text, self.at):
            self.at = found.end()

    def _array(self, place: Place) -> None:
        self.at += 1
        number = 0
        while self._skip_blank() and self.text[self.at] != "]":
            self._note((*place, number), self._line_now())
            self._value((*place, number))
            number += 1
            if self._skip_blank() and self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, place: Place) -> None:
        self.at += 1
        while self._skip_blank() and self.text[self.at] != "}":
            self._pair(place)
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
        if len(place) <= DEEPEST:
            for depth in range(1, len(place) + 1):
                self.found.setdefault(place[:depth], line)

    def _skip_blank(self) -> bool:
        """Past blanks and comments; False at the end of the text."""
        found = _BLANK.match(self.text, self.at)
        assert found
        self.at = found.end()
        return self.at < len(self.text)

    def _line_now(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line


def _unquoted(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        return str(tomllib.loads(f"k = {key}")["k"])
    return key
