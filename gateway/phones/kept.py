"""What users of the phones have set by star codes, kept over restarts: one small file, written whole.

A file that cannot be read is as good as none: a phone then rings, and forwards to nobody.
"""

import json
import logging
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_NAME: Final = "phones.json"


class Kept:
    """By phone and name of the setting. `directory` is made where it does not exist."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME
        self._values = self._read()

    def get(self, phone: str, name: str) -> str:
        """Empty when nothing was set."""
        return self._values.get(phone, {}).get(name, "")

    def put(self, phone: str, name: str, value: str) -> None:
        """Keep it; what cannot be written is logged, and holds until the next restart."""
        self._values.setdefault(phone, {})[name] = value
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(self._values, indent=1, sort_keys=True))
            fresh.replace(self._path)
        except OSError as error:
            log.error("what %s has set cannot be kept: %s", phone, error)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            raw = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.error("%s cannot be read, and is begun anew: %s", self._path, error)
            return {}
        if not isinstance(raw, dict):
            return {}
        return {
            str(phone): {str(name): str(value) for name, value in values.items()}
            for phone, values in raw.items()
            if isinstance(values, dict)
        }
