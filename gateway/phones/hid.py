"""Law: a descriptor comes from a stranger: whatever its bytes are, it is read in bounded time, or refused.

Report descriptors as the HID specification 1.11 §6.2.2 has them, reduced to what a telephone needs: which
bits of which report mean which usage. A usage is one number, page << 16 | id, as in the HID usage tables.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

MAX_DESCRIPTOR_BYTES: Final = 4096
"""As the kernel's HID_MAX_DESCRIPTOR_SIZE: nothing longer reaches us."""
MAX_REPORT_BYTES: Final = 1024
MAX_FIELDS: Final = 1024
MAX_DEPTH: Final = 64
MAX_RANGES: Final = 256

TELEPHONY: Final = 0x0B0000
LED: Final = 0x080000
_APPLICATION: Final = 1

# The flags of a main item, §6.2.2.5.
_CONSTANT, _VARIABLE, _RELATIVE = 0x01, 0x02, 0x04

Kind = Literal["input", "output"]


class DescriptorError(ValueError):
    """A descriptor that is no descriptor; the text names the fault and the byte."""


@dataclass(frozen=True, slots=True)
class Field:
    """Some bits of a report. `offset_bits` counts from the byte after the report's number.

    `values` elements of `size_bits` each. Of a variable field each is a control of its own; of an array each
    names the one that is on (§6.2.2.5). `ranges` are the usages in order, both ends included. `application`
    is the usage of the outermost collection of applications.
    """

    kind: Kind
    report: int
    offset_bits: int
    size_bits: int
    values: int
    ranges: tuple[tuple[int, int], ...]
    minimum: int
    maximum: int
    constant: bool
    variable: bool
    relative: bool
    application: int

    def find(self, wanted: Iterable[int]) -> dict[int, int]:
        """Where the wanted usages stand: {place in the list: usage}, each once."""
        end = self.values if self.variable else self.maximum - self.minimum + 1
        found: dict[int, int] = {}
        start = 0
        for first, last in self.ranges:
            for usage in wanted:
                place = start + usage - first
                if first <= usage <= last and place < end and usage not in found.values():
                    found[place] = usage
            start += last - first + 1
        return found

    def read(self, report: bytes, place: int) -> int | None:
        """The value of one element of a report (without its number); None where the report is too short."""
        start = self.offset_bits + place * self.size_bits
        end = start + self.size_bits
        if end > len(report) * 8:
            return None
        whole = int.from_bytes(report[start // 8 : (end + 7) // 8], "little")
        value = whole >> (start % 8) & ((1 << self.size_bits) - 1)
        if self.minimum < 0 and value >> (self.size_bits - 1):
            value -= 1 << self.size_bits
        return value


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`fields` in order; `numbered`: reports begin with their number; `output_bytes` are without it."""

    fields: tuple[Field, ...]
    numbered: bool
    output_bytes: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Globals:
    page: int = 0
    minimum: int = 0
    maximum: int = 0
    size_bits: int = 0
    count: int = 0
    report: int = 0


def parse(data: bytes) -> Descriptor:
    """Read a report descriptor. Raises DescriptorError.

    Feature reports, units, strings and delimiters are passed over. A collection that is not closed at the end
    is no fault: the kernel lets it pass too.
    """
    if len(data) > MAX_DESCRIPTOR_BYTES:
        raise DescriptorError(f"{len(data)} bytes are more than the {MAX_DESCRIPTOR_BYTES} of any descriptor")
    return _Reader().read(data)


def _items(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(place, tag and type, data) of each short item; long items (§6.2.2.3) are passed over."""
    at = 0
    while at < len(data):
        prefix = data[at]
        start = at + 1
        size = (0, 1, 2, 4)[prefix & 3]
        if prefix == 0xFE:
            if start + 2 > len(data):
                raise DescriptorError(f"byte {at}: a long item without its length")
            start, size = start + 2, data[start]
        if start + size > len(data):
            raise DescriptorError(f"byte {at}: an item of {size} bytes goes beyond the end")
        if prefix != 0xFE:
            yield at, prefix & 0xFC, data[start : start + size]
        at = start + size


class _Reader:
    def __init__(self) -> None:
        self.globals = _Globals()
        self.stack: list[_Globals] = []
        self.depth = 0
        self.application = 0
        self.application_depth = 0
        self.ranges: list[tuple[int, int, bool]] = []
        self.first: tuple[int, bool] | None = None
        self.fields: list[Field] = []
        self.bits: dict[tuple[Kind, int], int] = {}
        self.numbered = False

    def read(self, data: bytes) -> Descriptor:
        for at, tag, body in _items(data):
            try:
                self._item(tag, body)
            except DescriptorError as error:
                raise DescriptorError(f"byte {at}: {error}") from None
        outputs = {report: (bits + 7) // 8 for (kind, report), bits in self.bits.items() if kind == "output"}
        return Descriptor(tuple(self.fields), self.numbered, outputs)

    def _item(self, tag: int, body: bytes) -> None:
        value = int.from_bytes(body, "little")
        signed = int.from_bytes(body, "little", signed=True) if body else 0
        match tag:
            # Main items, §6.2.2.4.
            case 0x80 | 0x90:
                self._field("input" if tag == 0x80 else "output", value)
                self._forget()
            case 0xA0:
                self._open(value)
                self._forget()
            case 0xC0:
                self._close()
                self._forget()
            case 0xB0:
                self._forget()
            # Global items, §6.2.2.7.
            case 0x04:
                self.globals = replace(self.globals, page=value & 0xFFFF)
            case 0x14:
                self.globals = replace(self.globals, minimum=signed)
            case 0x24:
                # Many devices write 255 as one byte, which is -1 by the letter.
                maximum = value if self.globals.minimum >= 0 else signed
                self.globals = replace(self.globals, maximum=maximum)
            case 0x74:
                self.globals = replace(self.globals, size_bits=value)
            case 0x84:
                if not 1 <= value <= 255:
                    raise DescriptorError(f"{value} is no report's number")
                self.numbered = True
                self.globals = replace(self.globals, report=value)
            case 0x94:
                self.globals = replace(self.globals, count=value)
            case 0xA4:
                if len(self.stack) >= MAX_DEPTH:
                    raise DescriptorError("pushed too often")
                self.stack.append(self.globals)
            case 0xB4:
                if not self.stack:
                    raise DescriptorError("popped more often than pushed")
                self.globals = self.stack.pop()
            # Local items, §6.2.2.8: four bytes bring their own page.
            case 0x08:
                self._usages(value, value, len(body) == 4)
            case 0x18:
                self.first = (value, len(body) == 4)
            case 0x28:
                if self.first is not None:
                    first, paged = self.first
                    if paged != (len(body) == 4):
                        raise DescriptorError("a range of usages with the page at one end only")
                    self._usages(first, value, paged)
                    self.first = None
            case _:
                pass

    def _usages(self, first: int, last: int, paged: bool) -> None:
        if last < first:
            raise DescriptorError("a range of usages that ends before it begins")
        if len(self.ranges) >= MAX_RANGES:
            raise DescriptorError("too many usages for one field")
        self.ranges.append((first, last, paged))

    def _listed(self) -> tuple[tuple[int, int], ...]:
        """The usages with their page: without one they have that of the main item, as the kernel has it."""
        page = self.globals.page << 16
        return tuple((a, z) if paged else (page | a, page | z) for a, z, paged in self.ranges)

    def _forget(self) -> None:
        self.ranges, self.first = [], None

    def _open(self, kind: int) -> None:
        if self.depth >= MAX_DEPTH:
            raise DescriptorError("collections are nested too deep")
        self.depth += 1
        # Some headsets nest one application in another: the outermost one is it.
        if kind == _APPLICATION and not self.application_depth:
            self.application = self._listed()[0][0] if self.ranges else 0
            self.application_depth = self.depth

    def _close(self) -> None:
        if not self.depth:
            raise DescriptorError("a collection is closed that was not opened")
        if self.depth == self.application_depth:
            self.application = self.application_depth = 0
        self.depth -= 1

    def _field(self, kind: Kind, flags: int) -> None:
        now = self.globals
        key = (kind, now.report)
        start = self.bits.get(key, 0)
        end = start + now.size_bits * now.count
        if end > MAX_REPORT_BYTES * 8:
            raise DescriptorError(f"report {now.report} is longer than {MAX_REPORT_BYTES} bytes")
        self.bits[key] = end
        if not self.ranges or not now.count or not 1 <= now.size_bits <= 32:
            return  # padding, or nothing that a telephone would say
        if len(self.fields) >= MAX_FIELDS:
            raise DescriptorError("too many fields")
        self.fields.append(
            Field(
                kind=kind,
                report=now.report,
                offset_bits=start,
                size_bits=now.size_bits,
                values=now.count,
                ranges=self._listed(),
                minimum=now.minimum,
                maximum=now.maximum,
                constant=bool(flags & _CONSTANT),
                variable=bool(flags & _VARIABLE),
                relative=bool(flags & _RELATIVE),
                application=self.application,
            )
        )
