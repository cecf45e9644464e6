"""What the page may be called by: names that it was started with, and those in the settings."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from gateway.changes import GetSettings, SettingsNow
from gateway.errors import GatewayError
from webui import forms
from webui.box import Box

FRESH_S: Final = 30.0


class Names:
    """Call it for the names. It asks the daemon now and then; while that is away, the last answer counts."""

    def __init__(self, box: Box, given: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._box, self._given, self._clock = box, given, clock
        self._lock = threading.Lock()
        self._asked_at = -FRESH_S
        self._set: frozenset[str] = frozenset()

    def __call__(self) -> Iterable[str]:
        with self._lock:
            if self._clock() - self._asked_at >= FRESH_S:
                self._asked_at = self._clock()
                with contextlib.suppress(GatewayError, ValueError):
                    self._set = _names(self._box.ask(GetSettings(), SettingsNow).text)
            return self._given | self._set


def _names(text: str) -> frozenset[str]:
    raw = forms.read(text)
    own = str(raw.get("appliance", {}).get("name", ""))
    hosts = raw.get("web", {}).get("hosts", [])
    return frozenset({own, f"{own}.local"} if own else ()) | {str(host) for host in hosts}
