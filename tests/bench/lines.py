"""A handset: hook to dial tone, first key to silence, last key to INVITE, answer to audio both ways.

The handset is a virtual one, so its ear is a recording that keeps time (8 kHz, silence included). It begins
with the first 20 ms of the bridge after its file was made: every time in it is taken at its latest, 20 ms
late. A hook of wood and metal adds its debounce and its sound card.
"""

import threading
import time
from array import array
from pathlib import Path

from gateway.messages import Done, HangUp, Lift, Press, Verb
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.capture import Packet
from tests.lab.ear import samples_of
from tests.lab.netns import LabError

LATEST_S = 0.02
LOUD = 400
GAP = 400
"""Samples of quiet that end a sound: 50 ms."""


def run(quick: bool) -> list[Figure]:
    """One call after another, by hand."""
    hook: list[float] = []
    first_key: list[float] = []
    last_key: list[float] = []
    spoken: list[float] = []
    heard: list[float] = []
    with Scene("lines", heard=True) as stage, stage.box.client() as client:

        def do(verb: Verb) -> float:
            at_s = time.time()
            answer = client.request(verb, 5.0)
            if not isinstance(answer, Done):
                raise LabError(f"{verb} was answered by {answer}")
            return at_s

        ear = stage.logs / "desk.wav"
        for _ in range(8 if quick else 60):
            born = _Birth(ear)
            with stage.capture() as capture:
                lifted_s = do(Lift(phone="desk"))
                time.sleep(0.4)
                pressed_s = do(Press(phone="desk", keys="0"))
                time.sleep(0.3)
                do(Press(phone="desk", keys="0" + plan.SPEAKS[:-1]))
                last_s = do(Press(phone="desk", keys=plan.SPEAKS[-1]))
                stage.box.await_status(lambda s: [c.state for c in s.calls] == ["up"], "the call up")
                time.sleep(1.2)
            do(HangUp(phone="desk"))
            stage.box.await_status(lambda s: not s.calls, "no calls")
            time.sleep(0.3)
            began_s = born.at_s() + LATEST_S
            sounds = _sounds(samples_of(ear, 60))
            tone, voice = sounds[0], next(s for s in sounds if s[0] > (pressed_s - began_s) * 8000 + GAP)
            hook.append((began_s + tone[0] / 8000 - lifted_s) * 1000)
            first_key.append((began_s + tone[1] / 8000 - pressed_s) * 1000)
            packets = capture.packets()
            last_key += [(p.at_s - last_s) * 1000 for p in packets if _invites(p) and p.at_s >= last_s][:1]
            answered_s = next(p.at_s for p in packets if _answers(p))
            spoken += [
                (p.at_s - answered_s) * 1000 for p in packets if _rtp(p, True) and p.at_s > answered_s
            ][:1]
            came_s = next(p.at_s for p in packets if _rtp(p, False) and p.at_s > answered_s)
            heard.append((began_s + voice[0] / 8000 - came_s) * 1000)
    bound = "the recording's clock may be up to 20 ms ahead: each value is the latest possible"
    return [
        Figure("lines: hook -> dial tone in the ear", "ms", hook, 50, note=bound),
        Figure("lines: first key -> dial tone gone from the ear", "ms", first_key, 60, note=bound),
        Figure("lines: last key -> INVITE on the wire", "ms", last_key, 20),
        Figure("lines: answer at the box -> our first RTP on the wire", "ms", spoken, 60),
        Figure("lines: far end's first RTP at the box -> its voice in the ear", "ms", heard, 60, note=bound),
    ]


class _Birth:
    """When a file that is not there yet is made."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._path = path
        self._at_s = 0.0
        self._watch = threading.Thread(target=self._wait, daemon=True)
        self._watch.start()

    def _wait(self) -> None:
        until = time.monotonic() + 5
        while not self._path.exists() and time.monotonic() < until:
            time.sleep(0.0005)
        self._at_s = time.time()

    def at_s(self) -> float:
        """Unix time, to half a millisecond."""
        self._watch.join()
        return self._at_s


def _sounds(samples: "array[int]") -> list[tuple[int, int]]:
    """(first sample, one after the last) of everything that is loud, in order."""
    found: list[tuple[int, int]] = []
    for n, sample in enumerate(samples):
        if abs(sample) > LOUD:
            if found and n - found[-1][1] < GAP:
                found[-1] = (found[-1][0], n + 1)
            else:
                found.append((n, n + 1))
    return found


def _invites(packet: Packet) -> bool:
    return packet.outgoing and packet.sip.startswith("INVITE ")


def _answers(packet: Packet) -> bool:
    return not packet.outgoing and packet.sip.startswith("SIP/2.0 200") and b" INVITE" in packet.payload


def _rtp(packet: Packet, outgoing: bool) -> bool:
    return packet.outgoing == outgoing and packet.rtp is not None
