"""Law: what was printed can be read back, by a camera or by hand, and a slip is named by its line.

A recovery sheet carries a small file twice: as texts for QR codes, each numbered and checked, and as numbered
lines to type. Both are base32 in Crockford's alphabet (no I, L, O, U; read as 1, 1, 0 where they were meant).
Each line ends with a check of its own number and content; the head carries one of the whole.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import Final

from gateway.errors import Problem, RefusedError, SettingsError

MAX_BYTES: Final = 12_000
"""More would be a book, not a sheet."""
CODE_BYTES: Final = 700
"""What one QR code carries at most: version 23 at level M, which a telephone reads off paper."""
LINE_BYTES: Final = 25
_GROUP: Final = 5
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT: Final = str.maketrans("OIL", "011")
_TITLE: Final = "STEADYLINE RECOVERY SHEET"
_HEAD = re.compile(
    rf"\W*{_TITLE}"
    r"\s+1\s*:\s*([0-9]{1,5}) LINES?\s*,\s*([0-9]{1,6}) BYTES?\s*,\s*CHECK\s+([0-9A-Z]{10})\W*"
)
_LINE = re.compile(r"([0-9]{1,4})\s*[.:)]?\s+(\S.*)")
_CODE = re.compile(r"STEADYLINE1:([0-9]{1,4})/([0-9]{1,4}):([0-9A-Z]{10}):([0-9A-Z]*):([0-9A-Z]{4})")
_MAX_PROBLEMS: Final = 50


def digest(data: bytes) -> str:
    """Ten characters that name the content: on the head, in each code, and for people to compare."""
    return _encode(hashlib.sha256(data).digest()[:7])[:10]


def lines(data: bytes) -> list[str]:
    """The sheet to type: its head, then a line for each LINE_BYTES. Raises RefusedError: too long."""
    pieces = _pieces(data, LINE_BYTES)
    head = f"{_TITLE} 1: {len(pieces)} lines, {len(data)} bytes, check {digest(data)}"
    return [head, *(_line(number, piece) for number, piece in enumerate(pieces, start=1))]


def codes(data: bytes) -> list[str]:
    """The texts of the QR codes, all of characters that QR packs tightly. Raises RefusedError: too long."""
    count = max(1, -(-len(data) // CODE_BYTES))
    pieces = _pieces(data, max(1, -(-len(data) // count)))
    whole = digest(data)
    texts = []
    for number, piece in enumerate(pieces, start=1):
        place = f"{number}/{len(pieces)}"
        chars = _encode(piece)
        texts.append(f"STEADYLINE1:{place}:{whole}:{chars}:{_check(f'{whole} {place}', chars)}")
    return texts


def read(text: str, source: str) -> bytes:
    """What a sheet carries: `text` holds its lines as typed, or the texts of all its codes, in any order and
    with anything around them. Raises SettingsError with every line that is wrong, by its number."""
    rows = [(number, row.strip().upper()) for number, row in enumerate(text.splitlines(), start=1)]
    found = [(number, match) for number, row in rows for match in _CODE.finditer(row)]
    problems = [
        Problem("code", number, "it is not whole", "Scan it again")
        for number, row in rows
        if "STEADYLINE1:" in row and not _CODE.search(row)
    ]
    data = _read_codes(found, problems) if found or problems else _read_lines(rows, problems)
    if problems:
        if len(problems) > _MAX_PROBLEMS:
            problems[_MAX_PROBLEMS:] = [Problem("sheet", 0, "there are more", "Mend these first")]
        raise SettingsError(source, tuple(problems))
    return data


def is_sheet(data: bytes) -> bool:
    """Whether a file is a sheet in some state, and not the backup itself."""
    return _TITLE.encode() in data.upper() or b"STEADYLINE1:" in data.upper()


# --- base32 -----------------------------------------------------------------------------------------------


def _pieces(data: bytes, size: int) -> list[bytes]:
    if len(data) > MAX_BYTES:
        raise RefusedError(
            f"a backup of {len(data)} bytes does not fit on paper ({MAX_BYTES} at most)",
            where="sheet",
            remedy="Keep it as a file: gatewayctl backup export FILE",
        )
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def _encode(data: bytes) -> str:
    bits, count, chars = 0, 0, []
    for byte in data:
        bits, count = bits << 8 | byte, count + 8
        while count >= 5:
            count -= 5
            chars.append(_ALPHABET[bits >> count & 31])
    if count:
        chars.append(_ALPHABET[bits << (5 - count) & 31])
    return "".join(chars)


def _decode(chars: str) -> bytes:
    bits = 0
    for char in chars:
        bits = bits << 5 | _ALPHABET.index(char)
    size, spare = divmod(5 * len(chars), 8)
    return (bits >> spare).to_bytes(size, "big")


def _check(place: str, chars: str) -> str:
    value = zlib.crc32(f"{place}:{chars}".encode())
    return "".join(_ALPHABET[value >> shift & 31] for shift in (15, 10, 5, 0))


# --- lines ------------------------------------------------------------------------------------------------


def _line(number: int, piece: bytes) -> str:
    chars = _encode(piece)
    groups = " ".join(chars[at : at + _GROUP] for at in range(0, len(chars), _GROUP))
    return f"{number:3}  {groups}  {_check(str(number), chars)}"


def _read_lines(rows: list[tuple[int, str]], problems: list[Problem]) -> bytes:
    head = next(((number, found) for number, row in rows if (found := _HEAD.fullmatch(row))), None)
    if head is None:
        place = next((number for number, row in rows if _TITLE in row), 0)
        example = f"{_TITLE} 1: 12 lines, 300 bytes, check 0123456789"
        problems.append(
            Problem("head", place, "the head of the sheet is not readable", f'Type it like "{example}"')
        )
        return b""
    at, fields = head
    count, size, whole = int(fields[1]), int(fields[2]), fields[3].translate(_MEANT)
    if size > MAX_BYTES or count != max(1, -(-size // LINE_BYTES)):
        what = f"{count} lines do not make {size} bytes"
        problems.append(Problem("head", at, what, "Compare both numbers with the sheet"))
        return b""
    read: dict[int, bytes] = {}
    for place, row in rows:
        if place <= at or not row or row.startswith("#"):
            continue
        typed = _LINE.fullmatch(row)
        if typed is None or not 1 <= int(typed[1]) <= count:
            problems.append(
                Problem("sheet", place, f"this is no line of the sheet: {row[:20]!r}", f"Lines: 1 to {count}")
            )
            continue
        number = int(typed[1])
        length = LINE_BYTES if number < count else size - LINE_BYTES * (count - 1)
        chars, fault = _typed(number, typed[2], -(-length * 8 // 5))
        if not fault and number in read and read[number] != _decode(chars):
            fault = ("it stands here for the second time, and differs", "Remove one of the two")
        if fault:
            problems.append(Problem(f"sheet line {number}", place, *fault))
        read.setdefault(number, b"" if fault else _decode(chars))
    for first, last in _gaps(set(range(1, count + 1)) - set(read)):
        which = f"sheet line {first}" if first == last else f"sheet lines {first} to {last}"
        problems.append(Problem(which, 0, "missing", "Type it as it stands on the sheet"))
    data = b"".join(read[number] for number in sorted(read))
    if not problems and digest(data) != whole:
        what = "every line is right by itself, but the whole is not that of the head"
        problems.append(Problem("head", at, what, "Compare the head's check; are all lines of one sheet?"))
    return data


def _typed(number: int, text: str, length: int) -> tuple[str, tuple[str, str] | None]:
    """The characters of a typed line without its check, and what is wrong with them (what, remedy)."""
    compact = re.sub(r"[\s-]", "", text).translate(_MEANT)
    if strange := next((char for char in compact if char not in _ALPHABET), ""):
        return "", (
            f"{strange!r} never stands on a sheet",
            "A V, perhaps?" if strange == "U" else "Compare it",
        )
    chars, check = compact[:-4], compact[-4:]
    if len(compact) != length + 4:
        groups = text.split()
        short = next((n for n, g in enumerate(groups[:-1], start=1) if len(g) != _GROUP), 0)
        place = f" (group {short} is {groups[short - 1]})" if short and len(groups) > 2 else ""
        return "", (f"{len(compact)} characters where {length + 4} are needed{place}", "Compare its groups")
    if check != _check(str(number), chars):
        return "", ("its check does not fit: something is mistyped", _likely(number, chars, check))
    return chars, None


def _likely(number: int, chars: str, check: str) -> str:
    """The remedy for a line whose check does not fit: the one slip that would explain it, if there is one."""
    slips = [
        (at, chars[:at] + char + chars[at + 1 :])
        for at in range(len(chars))
        for char in _ALPHABET
        if char != chars[at]
    ]
    slips += [
        (at, chars[:at] + chars[at + 1] + chars[at] + chars[at + 2 :])
        for at in range(len(chars) - 1)
        if chars[at] != chars[at + 1]
    ]
    fits = [(at, slip) for at, slip in slips if _check(str(number), slip) == check]
    if len(fits) != 1:
        return "Compare each group with the sheet"
    at, slip = fits[0]
    start = at // _GROUP * _GROUP
    return f"Look at group {at // _GROUP + 1}: is it {slip[start : start + _GROUP]}?"


def _gaps(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbours, first and last."""
    for first in sorted(n for n in numbers if n - 1 not in numbers):
        last = first
        while last + 1 in numbers:
            last += 1
        yield first, last


# --- codes ------------------------------------------------------------------------------------------------


def _read_codes(found: list[tuple[int, "re.Match[str]"]], problems: list[Problem]) -> bytes:
    if not found:
        return b""
    total, whole = int(found[0][1][2]), found[0][1][3]
    read: dict[int, str] = {}
    for place, code in found:
        name = f"code {code[1]}"
        if (int(code[2]), code[3]) != (total, whole):
            problems.append(Problem(name, place, "it is of another sheet", "Take all codes from one sheet"))
        elif code[5] != _check(f"{whole} {code[1]}/{code[2]}", code[4]) or set(code[4]) - set(_ALPHABET):
            problems.append(Problem(name, place, "it is damaged", "Scan it again"))
        else:
            read[int(code[1])] = code[4]
    wanted = set(range(1, min(total, MAX_BYTES) + 1))
    seen = {int(code[1]) for _, code in found}
    for first_gap, last_gap in _gaps(wanted - seen):
        which = f"code {first_gap}" if first_gap == last_gap else f"codes {first_gap} to {last_gap}"
        problems.append(Problem(which, 0, f"missing; the sheet has {total}", "Scan it too"))
    data = b"".join(_decode(read[number]) for number in sorted(read))
    if not problems and digest(data) != whole:
        problems.append(Problem("codes", 0, "together they are not what was printed", "Scan them again"))
    return data
