"""Keeps Python's OpenSSL out of the daemon and the calls process, which never use it: 5 and 1 MB.

Before any of them is imported; where it is imported already, nothing is done. What needs OpenSSL (the vault,
backups, the password) runs in processes of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

_OPENSSL = ("ssl", "_hashlib")
_modules = cast("dict[str, Any]", sys.modules)


def without_openssl() -> None:
    """From now on this process has none."""
    for name in _OPENSSL:
        _modules.setdefault(name, None)


@contextmanager
def feigned_ssl() -> Iterator[None]:
    """For a library that imports `ssl` and never uses it here."""
    missing = "ssl" in _modules and _modules["ssl"] is None
    if missing:
        _modules["ssl"] = ModuleType("ssl")
    try:
        yield
    finally:
        if missing:
            _modules["ssl"] = None
