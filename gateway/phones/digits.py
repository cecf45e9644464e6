"""Law: digits are dialled as soon as nothing can follow, and never guessed at; a call for help goes first.

    a call for help                    at once, with whatever codes before it
    a star code                        at once; one that takes something goes on collecting
    an extension of the house          at once, unless a longer one or a call for help begins like it
    anything else                      as the numbering plan of the country weighs it; `#` ends it

What is a number is not known here: `weigh` comes from whoever has the country's plan.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.phones.callside import CallKind

Weight = Literal["more", "may", "whole", "emergency", "never"]
Weigh = Callable[[str], Weight]
"""digits -> no number yet; one that may go on; a whole one; a call for help; none begins like this."""

CodeName = Literal[
    "status",
    "redial",
    "last_caller",
    "hide_number",
    "show_number",
    "do_not_disturb_on",
    "do_not_disturb_off",
    "call_waiting_off",
    "forward",
    "forward_off",
    "pick_up",
    "presence",
]
BEFORE_A_NUMBER: Final = frozenset[CodeName]({"hide_number", "show_number", "call_waiting_off"})
TAKES_DIGITS: Final = frozenset[CodeName]({"forward", "presence"})
CODES: Final[dict[str, CodeName]] = {
    "***": "status",
    "*66": "redial",
    "*69": "last_caller",
    "*67": "hide_number",
    "*82": "show_number",
    "*78": "do_not_disturb_on",
    "*79": "do_not_disturb_off",
    "*70": "call_waiting_off",
    "*72": "forward",
    "*73": "forward_off",
    "*09": "pick_up",
    "*55": "presence",
}
"""Used where the settings name none."""


@dataclass(frozen=True, slots=True)
class More:
    """Go on collecting. `may`: what is there could be dialled; `anew`: a code is complete, and a number is
    wanted after it."""

    may: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """Call it. `before`: the codes that stood before the number."""

    digits: str
    kind: CallKind
    before: frozenset[CodeName] = frozenset()


@dataclass(frozen=True, slots=True)
class Code:
    """Do what the code says; `digits` are what it takes."""

    name: CodeName
    digits: str = ""


@dataclass(frozen=True, slots=True)
class No:
    """Nothing can become of this; `reason` is a key of the prompts."""

    reason: str = "invalid_number"


Verdict = More | Go | Code | No


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How digits are read in this house. `extensions` are those of the box's own phones."""

    weigh: Weigh
    extensions: frozenset[str] = frozenset()
    codes: Mapping[str, CodeName] = field(default_factory=lambda: CODES)

    def read(self, keyed: str) -> Verdict:
        """What the keys pressed so far mean."""
        if self.weigh(keyed) == "emergency":
            return Go(keyed, "emergency")
        before, code, rest = self._split(keyed)
        if code in TAKES_DIGITS:
            return self._taken(code, rest)
        if code is not None:
            return Code(code) if not rest else No()
        if self.weigh(rest) == "emergency":
            return Go(rest, "emergency", before)
        if not rest:
            return More(anew=bool(before))
        if any(text.startswith(rest) for text in self.codes):
            return More()
        if len(rest) > 1 and rest.endswith("#") and not self._code_of_the_network(rest):
            return self._end(rest[:-1], before)
        return self._number(rest, before)

    def end(self, keyed: str) -> Verdict:
        """No more keys come (a pause, `#`, or digits given at once): call what is there, or say no."""
        verdict = self.read(keyed)
        if not isinstance(verdict, More):
            return verdict
        before, code, rest = self._split(keyed)
        if code in TAKES_DIGITS:
            return Code(code, rest) if rest else No("incomplete_number")
        return self._end(rest.removesuffix("#") if len(rest) > 1 else rest, before)

    def _end(self, rest: str, before: frozenset[CodeName]) -> Verdict:
        if rest in self.extensions:
            return Go(rest, "inside", before)
        if not rest or rest in "*#":
            return No("incomplete_number")
        return Go(rest, "outside", before)  # the calls room has the last word, and words for its refusal

    def _split(self, keyed: str) -> tuple[frozenset[CodeName], CodeName | None, str]:
        """(codes before a number, a code of its own, what follows them)"""
        before: set[CodeName] = set()
        rest = keyed
        while True:
            code = next((text for text in self.codes if text and rest.startswith(text)), None)
            if code is None:
                return frozenset(before), None, rest
            name = self.codes[code]
            rest = rest.removeprefix(code)
            if name not in BEFORE_A_NUMBER:
                return frozenset(before), name, rest
            before.add(name)

    def _taken(self, name: CodeName, rest: str) -> Verdict:
        if rest.endswith("#"):
            return Code(name, rest[:-1]) if rest[:-1] else No("incomplete_number")
        if name == "forward" and isinstance(self._number(rest, frozenset()), Go):
            return Code(name, rest)
        return More(may=bool(rest), anew=not rest)

    def _number(self, rest: str, before: frozenset[CodeName]) -> Verdict:
        weight = self.weigh(rest)
        if rest in self.extensions:
            longer = any(other != rest and other.startswith(rest) for other in self.extensions)
            helps = any(self.weigh(rest + key) == "emergency" for key in "0123456789")
            return More(may=True) if longer or helps else Go(rest, "inside", before)
        if any(other.startswith(rest) for other in self.extensions):
            return More(may=weight in ("may", "whole"))
        match weight:
            case "whole":
                return Go(rest, "outside", before)
            case "may":
                return More(may=True)
            case "never":
                return No()
            case _:
                return More()

    @staticmethod
    def _code_of_the_network(rest: str) -> bool:
        """`*21*…#` and `#31#…` are codes of networks: their `#` is part of them."""
        return rest.startswith("#") or (rest.startswith("*") and "*" in rest[1:])
