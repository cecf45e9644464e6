"""Calls to the confirmation number, one line at a time, while the page goes on answering.

Law: one call at a time, for each occupies the trunk; what it led to stays to be read until the next one.
"""

import threading
import time
from dataclasses import dataclass, replace
from typing import Final, Literal

from gateway.errors import GatewayError
from gateway.messages import ConfirmAddress, Done
from webui.box import Box

CALL_S: Final = 120.0
ADDRESS_S: Final = 20.0
LOOK_S: Final = 0.5
NOT_YET: Final = frozenset({"disabled", "no_address", "probing", "no_carrier", "no_device"})
Stage = Literal["waiting", "calling", "confirmed", "refused"]


@dataclass(frozen=True, slots=True)
class Call:
    """`said`: the daemon's sentence once it is over; `began`: Unix seconds."""

    uplink: str
    stage: Stage
    began: float
    said: str = ""
    remedy: str = ""


class Confirming:
    """All calls of this page. Safe from any thread."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}

    def now(self) -> dict[str, Call]:
        """By uplink, the newest call of each."""
        with self._lock:
            return dict(self._calls)

    def begin(self, uplink: str) -> None:
        """Call by this uplink as soon as the others are over; does nothing while it waits or calls."""
        with self._lock:
            known = self._calls.get(uplink)
            if known and known.stage in ("waiting", "calling"):
                return
            self._calls[uplink] = Call(uplink, "waiting", time.time())
        threading.Thread(target=self._call, args=(uplink,), name=f"confirm {uplink}", daemon=True).start()

    def _call(self, uplink: str) -> None:
        with self._turn:
            self._await_address(uplink)
            self._put(Call(uplink, "calling", time.time()))
            call = self.now()[uplink]
            try:
                done = self._box.ask(ConfirmAddress(uplink=uplink), Done, CALL_S)
                self._put(replace(call, stage="confirmed", said=done.text))
            except GatewayError as error:
                self._put(replace(call, stage="refused", said=f"{error.what}.", remedy=f"{error.remedy}."))

    def _await_address(self, uplink: str) -> None:
        """A line that was plugged in a moment ago has none yet; the daemon says so when it stays so."""
        until = time.monotonic() + ADDRESS_S
        while time.monotonic() < until:
            try:
                if any(u.name == uplink and u.state not in NOT_YET for u in self._box.status().uplinks):
                    return
            except GatewayError:
                pass
            time.sleep(LOOK_S)

    def _put(self, call: Call) -> None:
        with self._lock:
            self._calls[call.uplink] = call
