"""A TOML text that can be changed in one place. Law: what comes out is read back, and must mean exactly the
old text with that one change; where one way of writing it does not, the next is tried. Pure.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from gateway import tomltext, trees
from gateway.errors import RefusedError
from gateway.places import Header, Item, Pair, Place, outline

Raw = dict[str, Any]
_Cut = tuple[int, int, str]
"""Characters from, to, and what takes their place."""

_COMMENTS_ABOVE = re.compile(r"(?:^[ \t]*#[^\n]*\n)+\Z", re.MULTILINE)
_COMMENTS_BELOW = re.compile(r"(?:[ \t]*#[^\n]*(?:\n|\Z))++(?![ \t]*\[)")


def refused(path: str, what: str, remedy: str) -> RefusedError:
    """The error of all that cannot be changed."""
    return RefusedError(what, where=path, remedy=remedy)


class Source(str):
    """A value as it stood in a text."""

    __slots__ = ()


class Document:
    """One text. Methods give the changed text, and leave this one as it is. Raise RefusedError."""

    def __init__(self, text: str, raw: Raw) -> None:
        self.text = text
        self.raw = raw
        self._outline = outline(text)
        self._newline: Final = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"

    # --- looking ------------------------------------------------------------------------------------

    def at(self, place: Place) -> Any:
        """The value at a place, or None."""
        here: Any = self.raw
        for part in place:
            if isinstance(here, dict) and isinstance(part, str):
                here = here.get(part)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here

    def _header(self, place: Place) -> Header | None:
        return next((header for header in self._outline.headers if header.place == place), None)

    def _pair(self, place: Place) -> Pair | None:
        return next((pair for pair in self._outline.pairs if pair.place == place), None)

    def _item(self, place: Place) -> Item | None:
        return next((item for item in self._outline.items if item.place == place), None)

    # --- changing -----------------------------------------------------------------------------------

    def with_value(self, place: Place, value: object) -> str:
        """The value at `place`, set anew or for the first time."""
        wanted = trees.with_value(self.raw, place, _plain(value))
        if pair := self._pair(place):
            written = _written(value, pair.inline)
            return self._proven(place, wanted, [[(pair.value_start, pair.value_end, written)]])
        if item := self._item(place):
            return self._proven(place, wanted, [[(item.start, item.end, tomltext.value(value))]])
        return self._proven(place, wanted, self._new_pair(place, value))

    def with_items(self, place: Place, values: Sequence[Any]) -> str:
        """The list at `place` with more items at its end; it need not be there yet."""
        if not values:
            return self.text
        old = self.at(place) or []
        wanted = trees.with_value(self.raw, place, [*old, *map(_plain, values)])
        return self._proven(place, wanted, self._new_items(place, len(old), values))

    def without(self, place: Place) -> str:
        """`place` and all that is below it, gone."""
        wanted = trees.without(self.raw, place)
        return self._proven(place, wanted, [self._cuts(place)], pruned=True)

    def moved(self, place: Place, number: int, to: int) -> str:
        """The list at `place`, its item `number` in the place `to`."""
        items = list(self.at(place))
        items.insert(to, items.pop(number))
        order = list(range(len(items)))
        order.insert(to, order.pop(number))
        wanted = trees.with_value(self.raw, place, items)
        above = [self._comment_above((*place, n)) for n in range(len(items))]
        # A comment above the first item alone is the heading of the list, and stays.
        travels = any(above[1:])
        spans = [self._span((*place, n), above[n] if travels else 0) for n in range(len(items))]
        cuts = []
        for (start, end), origin in zip(spans, order, strict=True):
            piece = self.text[slice(*spans[origin])]
            if self.text[start:end].endswith("\n") and not piece.endswith("\n"):
                piece += self._newline  # it stood at the end of a text without one
            cuts.append((start, end, piece))
        return self._proven(place, wanted, [cuts])

    def renamed(self, old: tuple[str, ...], new: tuple[str, ...], wanted: Raw) -> str:
        """What stands at `old`, at `new`: sections get new headers; a value in another section is cut out,
        without its comment, and written into the section where it belongs. `wanted`: what that means."""
        cuts: list[_Cut] = []
        for header in self._outline.headers:
            names = tuple(part for part in header.place if isinstance(part, str))
            if names[: len(old)] == old:
                key = tomltext.path((*new, *names[len(old) :]))
                cuts.append((header.key_start, header.key_end, key))
        if cuts:
            return self._proven(old, wanted, [cuts], pruned=True)
        text = _changed(self.text, self._cuts(old, keep_comments=True))
        pair = self._pair(old)
        value = self.at(old) if pair is None else Source(self.text[pair.value_start : pair.value_end])
        text = Document(text, _read(text, old)).with_value(new, value)
        if not trees.same(trees.pruned(_read(text, old)), trees.pruned(wanted)):
            raise _beyond(old)
        return text

    # --- ways of writing it -------------------------------------------------------------------------

    def _new_pair(self, place: Place, value: object) -> Iterator[list[_Cut]]:
        """Every way to write a value that is not there, the usual ones first: in its section; as a section of
        its own; by a dotted key in a section around it."""
        above = place[:-1]
        yield from self._into(above, place[-1:], value)
        if above and not any(isinstance(part, int) for part in above):
            yield [self._at_end(self._block(f"[{_dotted(above)}]", {str(place[-1]): value}))]
        for depth in range(len(above) - 1, -1, -1):
            if isinstance(place[depth], int):
                return
            yield from self._into(place[:depth], place[depth:], value)

    def _into(self, host: Place, key: Place, value: object) -> Iterator[list[_Cut]]:
        own = [pair for pair in self._outline.pairs if pair.table == host and not pair.inline]
        like = [pair for pair in own if pair.place[: len(host) + len(key) - 1] == (*host, *key[:-1])]
        line = f"{tomltext.path(key)} = {_written(value, False)}"
        header = self._header(host)
        if own:
            last = (like or own)[-1]
            yield [self._after_line(last.value_end, self._indent(last.start) + line)]
        elif header:
            yield [self._after_line(header.end, self._indent(header.start) + line)]
        elif host == ():
            yield [(0, 0, line + self._newline)]
        inline = self._pair(host) or self._item(host)
        if inline is not None:
            end = inline.value_end if isinstance(inline, Pair) else inline.end
            inner = [pair for pair in self._outline.pairs if pair.table == host and pair.inline]
            line = f"{tomltext.path(key)} = {_written(value, True)}"
            if inner:
                yield [(inner[-1].value_end, inner[-1].value_end, f", {line}")]
            elif self.text[end - 1] == "}":
                yield [(end - 1, end - 1, f" {line} ")]

    def _new_items(self, place: Place, count: int, values: Sequence[Any]) -> Iterator[list[_Cut]]:
        pair = self._pair(place)
        if pair is not None:
            yield [self._into_array(pair, place, count, values)]
            return
        if all(isinstance(value, dict) for value in values):
            blocks = [self._block(f"[[{_dotted(place)}]]", value) for value in values]
            block = (self._newline * 2).join(blocks)
            if count:
                _, end = self._span((*place, count - 1), 0)
                yield [self._after_line(end - 1, self._newline + block)]
            if not any(isinstance(part, int) for part in place):
                yield [self._at_end(block)]
        yield from self._new_pair(place, list(values))

    def _into_array(self, pair: Pair, place: Place, count: int, values: Sequence[Any]) -> _Cut:
        texts = [tomltext.value(value) for value in values]
        last = self._item((*place, count - 1)) if count else None
        if last is None:
            return pair.value_start, pair.value_end, f"[{', '.join(texts)}]"
        tail = self.text[last.end : pair.value_end - 1]
        code = re.sub(r"#[^\n]*", lambda found: " " * len(found[0]), tail)
        comma = code.find(",")
        if "\n" not in tail:
            at = last.end + comma + 1 if comma >= 0 else last.end
            return at, at, ("" if comma >= 0 else ",") + " " + ", ".join(texts)
        line_end = self._line_end(last.end + max(comma, 0))
        kept = self.text[last.end : line_end]
        indent = self._indent(last.start)
        more = ",".join(f"{self._newline}{indent}{text}" for text in texts)
        if comma >= 0:
            return line_end, line_end, more + ","
        return last.end, line_end, "," + kept + more

    # --- cutting ------------------------------------------------------------------------------------

    def _cuts(self, place: Place, *, keep_comments: bool = False) -> list[_Cut]:
        if item := self._item(place):
            return [self._item_cut(item)]
        cuts: list[_Cut] = []
        depth = len(place)
        for header in self._outline.headers:
            if header.place[:depth] == place:
                cuts.append((*self._section_span(header), ""))
        for pair in self._outline.pairs:
            # What is in a section that goes, or in an inline value that goes, goes with it.
            if pair.place[:depth] == place and pair.table[:depth] != place:
                cuts.append(self._inline_cut(pair) if pair.inline else self._pair_cut(pair, keep_comments))
        return cuts

    def _pair_cut(self, pair: Pair, keep_comment: bool) -> _Cut:
        start = self.text.rfind("\n", 0, pair.start) + 1
        end = self._line_end(pair.value_end)
        if keep_comment and self.text[pair.value_end : end].strip():
            return pair.start, pair.value_end, ""
        return start, self._past_newline(end), ""

    def _inline_cut(self, pair: Pair) -> _Cut:
        siblings = [p for p in self._outline.pairs if p.inline and p.table == pair.table]
        siblings.sort(key=lambda p: p.start)
        number = siblings.index(pair)
        if number + 1 < len(siblings):
            return pair.start, siblings[number + 1].start, ""
        if number:
            return siblings[number - 1].value_end, pair.value_end, ""
        return pair.start, pair.value_end, ""

    def _item_cut(self, item: Item) -> _Cut:
        list_place, number = item.place[:-1], item.place[-1]
        before = self._item((*list_place, int(number) - 1)) if int(number) else None
        after = re.compile(r"[ \t]*,[ \t]*").match(self.text, item.end)
        end = after.end() if after else item.end
        line_start = self.text.rfind("\n", 0, item.start) + 1
        if not self.text[line_start : item.start].strip() and self._line_end(end) == end:
            return line_start, self._past_newline(end), ""
        if after is None and before is not None and "\n" not in self.text[before.end : item.start]:
            return before.end, item.end, ""
        return item.start, end, ""

    def _section_span(self, header: Header) -> tuple[int, int]:
        """From the line of its header to its last line, and one blank line of two."""
        start = self.text.rfind("\n", 0, header.start) + 1
        end = self._section_end(header)
        blank = re.compile(r"\r?\n").match(self.text, end)
        if blank and (start == 0 or self.text[:start].endswith(("\n\n", "\n\r\n"))):
            end = blank.end()
        return start, end

    def _section_end(self, header: Header) -> int:
        """Past its last value, and the comments right below, unless they stand right above another header."""
        inner = [p for p in self._outline.pairs if p.table == header.place and not p.inline]
        last = max([header.end, *(p.value_end for p in inner if p.start > header.start)])
        end = self._past_newline(self._line_end(last))
        below = _COMMENTS_BELOW.match(self.text, end)
        return below.end() if below else end

    def _span(self, place: Place, above: int) -> tuple[int, int]:
        """The characters of an item: in brackets, or a section with `above` characters of comment above it
        and all below it."""
        if item := self._item(place):
            return item.start, item.end
        headers = self._outline.headers
        first = next((n for n, header in enumerate(headers) if header.place == place), None)
        if first is None:
            raise _beyond(place)
        end = 0
        for header in headers[first:]:
            if header.place[: len(place)] != place:
                break
            end = self._section_end(header)
        return self.text.rfind("\n", 0, headers[first].start) + 1 - above, end

    def _comment_above(self, place: Place) -> int:
        header = self._header(place)
        start = self.text.rfind("\n", 0, header.start) + 1 if header else 0
        above = _COMMENTS_ABOVE.search(self.text, 0, start)
        return start - above.start() if above else 0

    # --- lines --------------------------------------------------------------------------------------

    def _line_end(self, at: int) -> int:
        """Where the line ends on which `at` stands, before its newline."""
        end = self.text.find("\n", at)
        if end < 0:
            return len(self.text)
        return end - 1 if self.text[end - 1 : end] == "\r" else end

    def _past_newline(self, end: int) -> int:
        return end + len(re.compile(r"(\r?\n)?").match(self.text, end)[0])  # type: ignore[index]

    def _after_line(self, at: int, line: str) -> _Cut:
        end = self._line_end(at)
        return end, end, self._newline + line

    def _at_end(self, block: str) -> _Cut:
        end = len(self.text)
        between = "" if not self.text else "" if self.text.endswith("\n") else self._newline
        blank = self._newline if self.text.strip() else ""
        return end, end, between + blank + block + self._newline

    def _indent(self, at: int) -> str:
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _block(self, header: str, values: Raw) -> str:
        lines = [header, *(f"{tomltext.key(name)} = {_written(v, False)}" for name, v in values.items())]
        return self._newline.join(lines)

    def _proven(self, place: Place, wanted: Raw, ways: Iterable[list[_Cut]], *, pruned: bool = False) -> str:
        for cuts in ways:
            text = _changed(self.text, cuts)
            try:
                read = _read(text, place)
            except RefusedError:
                continue
            if trees.same(read, wanted) or (pruned and trees.same(trees.pruned(read), trees.pruned(wanted))):
                return text
        raise _beyond(place)


def _beyond(place: Place) -> RefusedError:
    return refused(
        tomltext.path(place) or "settings",
        "the file is written in a way in which this cannot be changed by itself",
        "Change it in an editor: gatewayctl settings edit",
    )


def _dotted(place: Place) -> str:
    return tomltext.path(part for part in place if isinstance(part, str))


def _written(value: object, inline: bool) -> str:
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, str) and "\n" in value and "\r" not in value and not inline:
        return tomltext.block(value)
    return tomltext.value(value)


def _changed(text: str, cuts: list[_Cut]) -> str:
    for start, end, piece in sorted(cuts, reverse=True):
        text = text[:start] + piece + text[end:]
    return text


def _read(text: str, place: Place) -> Raw:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        raise _beyond(place) from None


def _plain(value: object) -> Any:
    """As it is read back."""
    return tomllib.loads(f"v = {_written(value, True)}")["v"]
