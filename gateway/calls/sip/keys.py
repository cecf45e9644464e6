"""The keys of analog phones: what a phone says, 20 ms at a time, for a listener that hears DTMF in it.

The one place where samples come to Python: one to two per cent of a core (x86) for a phone that is off the
hook, nothing for one that is not. It runs on the clock thread of the bridge, hence the law: it never waits,
and nothing that goes wrong leaves it.
"""

import logging
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

import pjsua2 as pj

log = logging.getLogger(__name__)

RATE_HZ = 8000
FRAME_US = 20_000


class Listener(Protocol):
    """Hears keys in 16-bit samples of 8 kHz, the last of which is of `at_s`, monotonic seconds."""

    def feed(self, samples: "array[int]", at_s: float) -> Sequence[object]: ...


class KeyTap(pj.AudioMediaPort):
    """A sink of the bridge: link a phone's mouth to it. What the listener hears goes to `heard`, at once, on
    another thread."""

    def __init__(self, name: str, listener: Listener, heard: Callable[[object], None]) -> None:
        super().__init__()
        self._listener: Listener | None = listener
        self._heard = heard
        form = pj.MediaFormatAudio()
        form.type = pj.PJMEDIA_TYPE_AUDIO
        form.clockRate = RATE_HZ
        form.channelCount = 1
        form.bitsPerSample = 16
        form.frameTimeUsec = FRAME_US
        self.createPort(f"keys of {name}", form)

    def onFrameReceived(self, frame: pj.MediaFrame) -> None:
        """From the bridge's clock."""
        try:
            if self._listener is None or frame.type != pj.PJMEDIA_FRAME_TYPE_AUDIO:
                return
            samples = array("h", bytes(frame.buf))
            for event in self._listener.feed(samples, time.monotonic()):
                self._heard(event)
        except Exception:
            self._listener = None
            log.exception("the listener to keys fell over; this phone's keys are deaf")

    def stop(self) -> None:
        """Hear nothing more; before the tap is let go of."""
        self._listener = None
