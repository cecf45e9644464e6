"""Texts of settings as they are shown and taken back. Law 19: a secret leaves as KEPT, and KEPT that comes in
stands for the secret in force at that place. Pure.
"""

import re
import tomllib
from typing import Any

from gateway.changes import KEPT, Difference

_SECRET = re.compile(r'^(\s*password\s*=\s*)("(?:[^"\\]|\\.)*"|\'[^\']*\')', re.MULTILINE)


def mask(text: str) -> str:
    """The text with KEPT in the place of each secret; comments and order stay."""
    return _SECRET.sub(rf'\1"{KEPT}"', text)


def unmask(text: str, in_force: str) -> str:
    """The text with the secrets of `in_force` for each KEPT; one that has no such place stays KEPT."""
    secrets = iter([found[2] for found in _SECRET.finditer(in_force)])

    def put_back(found: re.Match[str]) -> str:
        return found[1] + (next(secrets, found[2]) if KEPT in found[2] else found[2])

    return _SECRET.sub(put_back, text)


def difference(before: str, after: str) -> tuple[Difference, ...]:
    """What is other in `after`; both are sound texts of settings, or empty."""
    old, new = _flat(tomllib.loads(before)), _flat(tomllib.loads(after))
    return tuple(
        Difference(path=path, before=_shown(path, old.get(path)), after=_shown(path, new.get(path)))
        for path in [*old, *(p for p in new if p not in old)]
        if old.get(path) != new.get(path)
    )


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        parts: dict[str, str] = {}
        for key, inner in value.items():
            parts |= _flat(inner, f"{path}.{key}" if path else key)
        return parts
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        parts = {}
        for number, inner in enumerate(value):
            parts |= _flat(inner, f"{path}.{inner.get('name', number)}")
        return parts
    return {path: repr(value)}


def _shown(path: str, value: str | None) -> str:
    if value is None:
        return ""
    return KEPT if path.endswith("password") else value
