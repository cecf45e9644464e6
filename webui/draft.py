"""What was filled in of a first set-up, until the daemon has it: it outlives the browser, its session and the
page's own process.

Law: no secret is ever put in here; the steps that use it ask for none.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any, Final

FILE: Final = "setup.json"
MOST_BYTES: Final = 256 << 10


class Draft:
    """`folder`: where to keep it; None: in memory alone. Safe from any thread."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / FILE if folder else None
        self._lock = threading.Lock()
        self._kept: dict[str, Any] = self._read()

    def text(self) -> str:
        """The settings as far as they are filled in; empty: nothing is."""
        with self._lock:
            return str(self._kept.get("text", ""))

    def keep(self, text: str) -> None:
        """Remember it."""
        self._put("text", text)

    def heard(self) -> dict[str, str]:
        """What the owner says that the confirmation number said, by uplink."""
        with self._lock:
            return dict(self._kept.get("heard", {}))

    def hear(self, uplink: str, what: str) -> None:
        """The owner's word."""
        self._put("heard", {**self.heard(), uplink: what})

    def done(self) -> set[str]:
        """Steps that the owner has seen through."""
        with self._lock:
            return set(self._kept.get("done", ()))

    def finish(self, step: str) -> None:
        """One more of them."""
        self._put("done", sorted(self.done() | {step}))

    def forget_text(self) -> None:
        """The daemon has it."""
        self._put("text", "")

    def _put(self, name: str, value: Any) -> None:
        with self._lock:
            self._kept = {**self._kept, name: value}
            if self._path is None:
                return
            fresh = self._path.with_suffix(".new")
            with open(fresh, "w") as file:
                json.dump(self._kept, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path)

    def _read(self) -> dict[str, Any]:
        try:
            if self._path is None or self._path.stat().st_size > MOST_BYTES:
                return {}
            read = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}  # the owner types it once more
        return read if isinstance(read, dict) else {}
