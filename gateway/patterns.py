"""Law: a destination pattern means here what it means in Asterisk's dial plan, and the order of matching too.

    X 0-9   Z 1-9   N 2-9 (lower case too)   [1-37] one of 1 2 3 7   . one or more   ! none or more, at once
    - is ignored outside sets; without a leading _ the text is one number, taken literally

The most specific pattern wins, whatever the order in the file: numbers before patterns; then, character by
character from the left, the smaller set first; `.` after every set, `!` after `.`, the end of a pattern last.
Read from Asterisk's documentation ("Pattern Matching") and checked against the behaviour of its main/pbx.c.
Stricter than Asterisk where it would quietly never match: such a text raises ValueError with its place.
"""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gateway.bounds import MAX_LINE_LENGTH

_WILD: Final = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_DIALABLE: Final = frozenset("0123456789*#+ABCDabcd")
# Every set is smaller than these, so one comparison sorts sets and endings alike.
_TAIL_RANK: Final = {".": 0x180, "!": 0x280, "": 0x300}

SortKey = tuple[int, tuple[tuple[int, tuple[str, ...]], ...]]


class Match(enum.Flag):
    """FULL: these digits match. MORE: with further digits they may match (again). 0: never."""

    NO = 0
    FULL = enum.auto()
    MORE = enum.auto()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One parsed pattern. `sets` holds, for each place, the characters that fit there, in ASCII order."""

    text: str
    literal: bool
    sets: tuple[tuple[str, ...], ...]
    tail: Literal["", ".", "!"]

    def matches(self, digits: str) -> Match:
        """How `digits` stand to this pattern; `-` among them is ignored. `!` matches early: never MORE."""
        digits = digits.replace("-", "")
        if any(digit not in fits for digit, fits in zip(digits, self.sets, strict=False)):
            return Match.NO
        missing = len(self.sets) - len(digits)
        if missing > 0:
            return Match.MORE
        if self.tail == "!":
            return Match.FULL
        if self.tail == ".":
            return Match.MORE if missing == 0 else Match.FULL | Match.MORE
        return Match.FULL if missing == 0 else Match.NO

    @property
    def order(self) -> SortKey:
        """Sorts as Asterisk tries them: the smallest first. Equal keys are the same rule for Asterisk."""
        places = tuple((len(fits), fits) for fits in self.sets)
        return (0 if self.literal else 1), (*places, (_TAIL_RANK[self.tail], ()))


def parse(text: str) -> Pattern:
    """The pattern in `text`. Raises ValueError that says what is wrong and at which position (from 1)."""
    if not text.startswith("_"):
        return Pattern(text, True, tuple((c,) for c in _literal(text)), "")
    sets: list[tuple[str, ...]] = []
    tail: Literal["", ".", "!"] = ""
    at = 1
    while at < len(text):
        char = text[at]
        if tail:
            raise ValueError(f"nothing may follow '{tail}', but '{char}' does at position {at + 1}")
        if char == "[":
            end = text.find("]", at)
            if end < 0:
                raise ValueError(f"'[' without ']' at position {at + 1}")
            if members := _set(text, at + 1, end):
                sets.append(members)
            at = end
        elif char in (".", "!"):
            tail = "." if char == "." else "!"
        elif char.upper() in _WILD:
            sets.append(tuple(_WILD[char.upper()]))
        elif char != "-":
            _check(text, at)
            sets.append((char,))
        at += 1
    if not sets and not tail:
        raise ValueError("the pattern is empty: give digits, X, Z, N, [sets], '.' or '!' after '_'")
    return Pattern(text, False, tuple(sets), tail)


def best(patterns: Iterable[Pattern], digits: str) -> Pattern | None:
    """The pattern that Asterisk would choose for `digits`, or None. Of equals, the first given."""
    fitting = (p for p in patterns if Match.FULL in p.matches(digits))
    return min(fitting, key=lambda p: p.order, default=None)


def _literal(text: str) -> str:
    digits = text.replace("-", "")
    if not digits:
        raise ValueError("the pattern is empty")
    for at, char in enumerate(text):
        if char in ".![]" or char.upper() in _WILD:
            raise ValueError(f"'{char}' at position {at + 1} needs a pattern: begin it with '_'")
        if char != "-":
            _check(text, at)
    return digits


def _set(text: str, start: int, end: int) -> tuple[str, ...]:
    """Members of the set between the brackets; a `-` that stands first or last is only itself."""
    members: set[str] = set()
    at = start
    while at < end:
        first = last = text[at]
        if at + 2 < end and text[at + 1] == "-":
            last = text[at + 2]
            _check(text, at + 2)
            if last < first:
                raise ValueError(f"the range {first}-{last} at position {at + 1} runs backwards")
            at += 2
        if first != "-":
            _check(text, at)
        members.update(chr(c) for c in range(ord(first), ord(last) + 1))
        at += 1
    return tuple(sorted(members))


def _check(text: str, at: int) -> None:
    if text[at] == "/":
        raise ValueError(
            f"'/' at position {at + 1}: a condition on the caller's number cannot be met here, "
            "because the phones of the box have none; leave it out"
        )
    if text[at] not in _DIALABLE:
        raise ValueError(f"'{text[at]}' at position {at + 1} cannot be dialled")


# --- extensions.conf ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """For destinations that fit `pattern`, show `caller_id` (E.164 digits). `line` is 1-based; `text`: its
    words."""

    pattern: Pattern
    caller_id: str
    line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredLine:
    """A line that has no effect here, and why, for the owner to read."""

    line: int
    text: str
    why: str


_HEADER = re.compile(r"\[[^\]]+\](\([^)]*\))?$")
_EXTEN = re.compile(r"exten\s*=>?\s*(?P<exten>[^,]+?)\s*,\s*(?P<step>.+)$", re.IGNORECASE)
_SAME = re.compile(r"same\s*=>?\s*(?P<step>.+)$", re.IGNORECASE)
_STEP = re.compile(
    r"(?:\d+|n|s)(?:\s*\+\s*\d+)?(?:\([^)]*\))?\s*,\s*(?P<app>\w+)\s*(?:\((?P<args>.*)\))?$", re.IGNORECASE
)
_CALLER_ID = re.compile(
    r"CALLERID\((?:num|number|all)\)\s*=\s*(?:\"?[^\"<]*\"?\s*<\s*)?(?P<number>[^<>\s\"]*)\s*>?$",
    re.IGNORECASE,
)
_DIAL_AS_IT_IS = re.compile(
    r"(?:SIP|PJSIP|IAX2)/(?:[\w.-]+/\$\{EXTEN\}|\$\{EXTEN\}@[\w.-]+)(?:,.*)?$", re.IGNORECASE
)
_E164 = re.compile(r"[1-9][0-9]{6,14}")


def parse_extensions(text: str) -> tuple[tuple[ExtensionRule, ...], tuple[IgnoredLine, ...]]:
    """CallerID rules out of the words of an Asterisk `extensions.conf`.

    What sets CALLERID(num) becomes a rule; a Dial of ${EXTEN} unchanged is what the box does anyway;
    comments, contexts and empty lines carry nothing. All else is returned as ignored. Raises ValueError,
    with the line, when a line that sets a CallerID has a pattern or a number that cannot be meant.
    """
    rules, ignored, faults = _extensions(text)
    if faults:
        raise ValueError(f"line {faults[0].line}: {faults[0].why}")
    return rules, ignored


def import_extensions(text: str) -> tuple[tuple[ExtensionRule, ...], tuple[IgnoredLine, ...]]:
    """The same of a file that was written for Asterisk, and may hold anything: what cannot be meant is listed
    with the rest that has no effect here."""
    rules, ignored, faults = _extensions(text)
    return rules, tuple(sorted((*ignored, *faults), key=lambda line: line.line))


def _extensions(
    text: str,
) -> tuple[tuple[ExtensionRule, ...], tuple[IgnoredLine, ...], tuple[IgnoredLine, ...]]:
    rules: list[ExtensionRule] = []
    ignored: list[IgnoredLine] = []
    faults: list[IgnoredLine] = []
    orders: dict[SortKey, ExtensionRule] = {}
    exten = ""
    for number, line in _statements(text):
        if len(line) > MAX_LINE_LENGTH:
            ignored.append(IgnoredLine(number, line[:80], f"it is longer than {MAX_LINE_LENGTH} characters"))
            continue
        if _HEADER.fullmatch(line):
            exten = ""
            continue
        found = _EXTEN.fullmatch(line) or _SAME.fullmatch(line)
        step = _STEP.fullmatch(found["step"].strip()) if found else None
        if not found or not step:
            ignored.append(IgnoredLine(number, line, "it is not an exten or same line that can be read here"))
            continue
        exten = found.groupdict().get("exten", exten)
        app, args = step["app"].lower(), (step["args"] or "").strip()
        caller_id = _CALLER_ID.fullmatch(args) if app == "set" else None
        if caller_id:
            try:
                outcome = _rule(number, line, exten, caller_id["number"], orders)
            except ValueError as error:
                faults.append(IgnoredLine(number, line, str(error)))
                continue
            if isinstance(outcome, IgnoredLine):
                ignored.append(outcome)
            else:
                rules.append(outcome)
                orders[outcome.pattern.order] = outcome
        elif app == "dial" and not _DIAL_AS_IT_IS.fullmatch(args):
            ignored.append(IgnoredLine(number, line, "numbers leave by the trunk as they were dialled"))
        elif app != "dial":
            ignored.append(IgnoredLine(number, line, "only Set(CALLERID(num)=...) has an effect here"))
    return tuple(rules), tuple(ignored), tuple(faults)


def _rule(
    number: int, line: str, exten: str, caller_id: str, earlier: Mapping[SortKey, ExtensionRule]
) -> ExtensionRule | IgnoredLine:
    if not exten:
        return IgnoredLine(number, line, "no exten line stands before it")
    if re.fullmatch(r"[A-Za-z]+", exten):
        return IgnoredLine(number, line, f"nobody can dial the extension '{exten}'")
    if "$" in caller_id:
        return IgnoredLine(number, line, "a CallerID from a variable cannot be known here")
    digits = caller_id.removeprefix("+")
    if not _E164.fullmatch(digits):
        raise ValueError(
            f"the CallerID '{caller_id}' is not in international format (7 to 15 digits, country code first)"
        )
    try:
        pattern = parse(exten)
    except ValueError as error:
        raise ValueError(f"the pattern '{exten}': {error}") from None
    if rule := earlier.get(pattern.order):
        return IgnoredLine(number, line, f"line {rule.line} already says it for the same numbers")
    return ExtensionRule(pattern, digits, number, line)


def _statements(text: str) -> Iterable[tuple[int, str]]:
    """Lines with something on them, comments (`; ...` and `;-- ... --;`) taken out, numbered from 1."""
    in_block = False
    for number, raw in enumerate(text.splitlines(), start=1):
        kept, at = "", 0
        while at < len(raw):
            if in_block:
                end = raw.find("--;", at)
                in_block, at = end < 0, len(raw) if end < 0 else end + 3
            elif raw.startswith(";--", at) and not raw.startswith(";---", at):
                in_block, at = True, at + 3
            elif raw[at] == ";" and not kept.endswith("\\"):
                break
            else:
                kept += raw[at]
                at += 1
        # Runs of blanks mean no more than one, and would cost the expressions above the cube of their length.
        if line := " ".join(kept.split()):
            yield number, line
