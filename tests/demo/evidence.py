"""What a call left behind: packets at both ends, recordings, the provider's log; and what it amounts to."""

import time
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.calls.wav import heard_ms
from tests.demo import sound
from tests.demo.picture import Hearing
from tests.demo.sound import Silence
from tests.lab import plan, rtp
from tests.lab.capture import Capture, Packet
from tests.lab.farend import FarCall
from tests.lab.lab import Lab
from tests.lab.netns import LabError

_LEAD_S: Final = 0.1
"""Nothing is cut so sharply that its silence begins before this."""
_CLOSED_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one call that is over. `legs`: the calls that the far end counted for it (one, if it moved well);
    `heard`: every packet there; `packets`: all UDP at the box; `came`: the audio that came to it; `samples`:
    what the phone recorded; `played`: those against what came."""

    lab: Lab
    legs: tuple[FarCall, ...]
    heard: tuple[rtp.Heard, ...]
    packets: tuple[Packet, ...]
    came: tuple[Packet, ...]
    far_wav: Path
    phone_wav: Path
    samples: "array[int]"
    played: sound.Played | None

    def silence_far(self, cut_s: float, to_s: float) -> Silence | None:
        """By the packets that the far end received."""
        return sound.longest_silence([one.at_s for one in self.heard], cut_s - _LEAD_S, to_s)

    def silence_wire(self, cut_s: float, to_s: float) -> Silence | None:
        """By the packets that the box received."""
        return sound.longest_silence([p.at_s for p in self.came], cut_s - _LEAD_S, to_s)

    def silence_phone(self, cut_s: float, to_s: float) -> Silence | None:
        """By what the phone recorded."""
        return self.played.longest_silence(cut_s - _LEAD_S, to_s) if self.played else None

    def first_by(self, uplink: plan.Uplink, since_s: float) -> float | None:
        """When the first packet of the call (re-INVITE or RTP) left by an uplink."""
        for packet in self.packets:
            if packet.outgoing and packet.device == uplink.device and packet.at_s >= since_s:
                if packet.rtp is not None or packet.sip.startswith("INVITE"):
                    return packet.at_s
        return None

    def reinvited_from(self, since_s: float) -> str:
        """The address that the provider saw a re-INVITE of this call come from; empty: none came."""
        for seen in self.lab.provider.seen(event="request", method="INVITE"):
            if seen.at_s >= since_s and seen.in_dialog:
                return seen.source
        return ""

    def told_address(self, uplink: plan.Uplink, since_s: float) -> float | None:
        """When the daemon got the first answer (OPTIONS or STUN) that tells an uplink's public address."""
        stun = {port for _, port in plan.STUN_SERVERS}
        for p in self.packets:
            if p.device == uplink.device and not p.outgoing and p.at_s > since_s:
                if p.source_port in stun or (p.sip and p.destination_port != plan.SIP_PORT):
                    return p.at_s
        return None

    def lost(self, from_s: float, to_s: float) -> tuple[int | None, int | None]:
        """RTP packets that were lost to the far end and to the box; None where next to nothing came."""
        there = [one.sequence for one in self.heard if from_s <= one.at_s <= to_s]
        here = [p.rtp.sequence for p in self.came if p.rtp and from_s <= p.at_s <= to_s]
        least = 0.9 * (to_s - from_s) / rtp.FRAME_S
        far, box = (sound.lost(one) if len(one) >= least else None for one in (there, here))
        return far, box

    def spoken_ms(self) -> tuple[int, int]:
        """Of sound in the recordings of the far end and of the phone."""
        return heard_ms(self.far_wav), heard_ms(self.phone_wav)

    def hearings(self, cut_s: float, to_s: float, window: tuple[float, float]) -> tuple[Hearing, ...]:
        """Both ends for the picture, as far as they can be drawn."""
        there, here = self.silence_far(cut_s, to_s), self.silence_phone(cut_s, to_s)
        drawn = []
        if there and self.heard:
            lane = sound.lane(read_wav(self.far_wav), self.heard[0].at_s, *window)
            drawn.append(Hearing("the far end", lane, there))
        if here and self.played:
            lane = sound.lane(self.samples, self.played.start_s, *window)
            drawn.append(Hearing("the phone", lane, here))
        return tuple(drawn)


def gather(lab: Lab, far: FarCall, capture: Capture, phone_wav: Path) -> Evidence:
    """When the call is over. Raises LabError if a recording is not there."""
    capture.stop()
    packets = tuple(capture.packets())
    legs = tuple(call for call in lab.far.calls(number=far.number) if call.at_s >= far.at_s)
    heard = sorted((one for leg in legs for one in lab.far.heard(leg)), key=lambda one: one.at_s)
    kinds = (rtp.PCMA, rtp.PCMU)
    came = tuple(p for p in packets if not p.outgoing and p.rtp and p.rtp.payload_type in kinds)
    samples = read_wav(phone_wav)
    return Evidence(
        lab=lab,
        legs=legs,
        heard=tuple(heard),
        packets=packets,
        came=came,
        far_wav=lab.far.recording(far),
        phone_wav=phone_wav,
        samples=samples,
        played=sound.lay_over(samples, [(p.at_s, _frame(p)) for p in came]),
    )


def _frame(packet: Packet) -> bytes:
    """The audio of a captured RTP packet (no CSRC, no extension: rtpengine adds none)."""
    assert packet.rtp is not None
    samples = rtp.linear(packet.rtp.payload_type, packet.payload[12:])
    return samples.tobytes() if samples is not None else b""


def read_wav(path: Path) -> "array[int]":
    """A whole WAV of 8 kHz; waits until its writer has closed it. Raises LabError if that does not happen."""
    until = time.monotonic() + _CLOSED_WITHIN_S
    while time.monotonic() < until:
        try:
            with wave.open(str(path), "rb") as recording:
                if recording.getframerate() != sound.RATE_HZ:
                    raise LabError(f"{path} has {recording.getframerate()} samples/s, not {sound.RATE_HZ}")
                if recording.getnframes():
                    return array("h", recording.readframes(recording.getnframes()))
        except (OSError, EOFError, wave.Error):
            pass
        time.sleep(0.05)
    raise LabError(f"no recording in {path}")
