"""pjsua2's bridge with a phone that speaks DTMF: `python -m tests.doors.keys WAV` prints what the tap hears.

A process of its own: there is one pjsua2 in each, and the suite of the engine has it.
"""

import sys
import time

import pjsua2 as pj

from gateway.calls.sip.keys import KeyTap
from gateway.phones.dsp import DtmfReceiver
from gateway.phones.model import Digit


class Deaf:
    """A listener that falls over."""

    def feed(self, samples: object, at_s: float) -> list[object]:
        raise RuntimeError("deaf")


def main(path: str) -> None:
    """Until sixteen keys are heard, or ten seconds are over."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.clockRate = 16_000
    endpoint.libInit(config)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    player = pj.AudioMediaPlayer()
    player.createPlayer(path, pj.PJMEDIA_FILE_NO_LOOP)
    heard: list[object] = []
    taps = [KeyTap("good", DtmfReceiver(), heard.append), KeyTap("bad", Deaf(), heard.append)]
    for tap in taps:
        player.startTransmit(tap)
    keys = ""
    deadline = time.monotonic() + 10
    while len(keys) < 16 and time.monotonic() < deadline:
        endpoint.libHandleEvents(10)
        keys = "".join(event.key for event in heard if isinstance(event, Digit))
    print(f"heard {keys}")
    for tap in taps:
        player.stopTransmit(tap)
        tap.stop()
    for _ in range(10):
        endpoint.libHandleEvents(10)
    del taps, tap, player
    endpoint.libDestroy()


if __name__ == "__main__":
    main(sys.argv[1])
