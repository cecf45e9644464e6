"""The error tree. Every error that an owner can meet says what is wrong, where, and what to do.

GatewayError
├── SettingsError     a settings file or change that was refused; carries every problem at once
├── RefusedError      a request that cannot be done now; nothing was changed
├── WireError         a line or message that is not of the protocol
└── DoorError         the kernel, a library or a device said no
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a settings file: `path` is dotted (`uplinks.1.device`), `line` is 1-based or 0."""

    path: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.path} (line {self.line})" if self.line else self.path
        return f"{place}: {self.what}. {self.remedy}"


class GatewayError(Exception):
    """What went wrong, where, and the remedy, in words for an owner."""

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}. {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class SettingsError(GatewayError):
    """Settings were refused whole; `problems` lists every fault, in the order of the file."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        super().__init__(
            f"{count} problem{'s' if count != 1 else ''}:\n" + "\n".join(f"  - {p}" for p in problems),
            where=source,
            remedy="Mend the places named; the settings in force were not changed",
        )
        self.problems = problems


class RefusedError(GatewayError):
    """A request that cannot be done as things stand. Nothing was changed.

    `reason`: the key of the prompt that a handset hears, where a phone asked for a call.
    """

    def __init__(self, what: str, *, where: str, remedy: str, reason: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.reason = reason


class WireError(GatewayError):
    """A line that is no message of the control protocol."""


class DoorError(GatewayError):
    """The kernel, a library or a device refused; the text carries its own words."""
