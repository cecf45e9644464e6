"""Values and dotted paths as TOML writes them (TOML 1.0)."""

import json
import math
import re
from collections.abc import Iterable

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r"""\s*(?:"((?:\\.|[^"\\\n])*)"|'([^'\n]*)'|([^\s."']+))\s*(\.|$)""")


def value(given: object) -> str:
    """A value on one line. Addresses, networks and the like as their text; a mapping as an inline table.

    Raises ValueError for what TOML has no word for.
    """
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int):
        return str(given)
    if isinstance(given, float):
        if math.isfinite(given):
            return repr(given)
        return "nan" if math.isnan(given) else "inf" if given > 0 else "-inf"
    if isinstance(given, dict):
        inner = ", ".join(f"{key(name)} = {value(item)}" for name, item in given.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(given, list | tuple):
        return f"[{', '.join(value(item) for item in given)}]"
    if given is None:
        raise ValueError("there is no such value in TOML")
    text = str(given)
    text.encode()  # half a surrogate pair is no text: UnicodeEncodeError is a ValueError
    # JSON escapes what TOML escapes, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def block(text: str) -> str:
    """A text of several lines as a multi-line string."""
    lines = [value(line)[1:-1] for line in text.split("\n")]
    # A quote at the end of the text would join those that close it.
    return '"""\n' + "\n".join(line.replace('\\"', '"').replace('""', '"\\"') for line in lines) + '"""'


def key(name: str) -> str:
    """One part of a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def path(parts: Iterable[str | int]) -> str:
    """A dotted path."""
    return ".".join(key(str(part)) for part in parts)


def parts(text: str) -> tuple[str, ...]:
    """The parts of a dotted path; a part with a dot in it stands in quotes. Raises ValueError."""
    found: list[str] = []
    at, more = 0, True
    while more:
        match = _PART.match(text, at)
        if not match:
            raise ValueError(f"not a path of settings: {text[:60]!r}")
        quoted, literal, bare, dot = match.groups()
        if quoted is not None:
            try:
                found.append(json.loads(f'"{quoted}"'))
            except ValueError:
                raise ValueError(f"not a path of settings: {text[:60]!r}") from None
        else:
            found.append(literal if literal is not None else bare)
        at, more = match.end(), dot == "."
    if at < len(text):
        raise ValueError(f"not a path of settings: {text[:60]!r}")
    return tuple(found)
