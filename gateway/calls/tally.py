"""Door: the file in which the fraud rules' book outlives the calls process. Written whole, beside its place.

It is not forced to the disk at every call: a process that dies loses nothing, a power cut at worst the calls
of the last seconds. A file that cannot be read is said and begun anew: caps then count from now.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.calls.fraud import Kept

log = logging.getLogger(__name__)

_NAME: Final = "called.json"


class Tally:
    """The file in `directory`, which is made where it does not exist."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME

    def load(self) -> tuple[Kept, ...]:
        """What the process before has kept."""
        try:
            rows = json.loads(self._path.read_text())
            return tuple(
                Kept(float(at), int(day), None if spoken is None else float(spoken))
                for at, day, spoken in rows
            )
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError) as error:
            log.error("%s cannot be read; the caps on calls count from now: %s", self._path, error)
            return ()

    def save(self, kept: Iterable[Kept]) -> None:
        """In place of what was kept before; what cannot be written is logged."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps([(k.began_at, k.day, k.spoken_s) for k in kept]))
            fresh.replace(self._path)
        except OSError as error:
            log.error("the count of calls cannot be kept: %s", error)
