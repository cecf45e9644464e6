"""The scenes of the demo, in order. Each does what an owner or the world would do, waits for what must
follow, and tells what was measured.
"""

import shutil
import subprocess
import sys
import time
import wave
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.calls.wav import heard_ms
from gateway.errors import GatewayError
from gateway.messages import Event
from gateway.status import Status, UplinkStatus
from tests.demo import sound
from tests.demo.picture import Cut, Hearing
from tests.demo.report import Figure, Report
from tests.lab import plan, rtp
from tests.lab.box import Box
from tests.lab.capture import Capture, Packet
from tests.lab.farend import FarCall
from tests.lab.lab import Lab
from tests.lab.netns import LabError

SETTINGS: Final = Path(__file__).with_name("settings.toml")
PHONE: Final = "desk"
SPEECH: Final = (
    "Good morning, this is the desk of the office speaking, and I shall simply go on speaking, on and on, "
    "for whoever hears every one of these words knows that not much of the call can have been lost, "
    "and whoever misses a few of them will be able to say exactly which ones they were."
)

RTT_MS: Final = plan.DEFAULT_RTT_MS
FRAME_MS: Final = 1000 * rtp.FRAME_S
CARRIER_SILENCE_MS: Final = 100 + 2 * RTT_MS + FRAME_MS
BLACKHOLE_SILENCE_MS: Final = 250 + 2 * RTT_MS + FRAME_MS
"""What the benchmarks allow at their 95th percentile, and a frame more: here one run has to do."""
CARRIER_PACKET_MS: Final = 60.0
BLACKHOLE_PACKET_MS: Final = 200 + RTT_MS + CARRIER_PACKET_MS
"""To notice, and then as long as when there is nothing to notice."""
CALLS_BACK_MS: Final = 2000.0
DRIFT_MS: Final = 250.0
"""From the first answer that tells the new address to the verdict."""
SPOKEN_AT_LEAST_MS: Final = 1500
"""Of speech at each end, in a call of seconds: enough for a sentence."""

_BEFORE_S: Final = 3.4
"""Into a call, where both speeches have no pause: it looks better in the picture."""
_AFTER_S: Final = 2.5
"""A call stays up so long after a failure, to hear that it goes on."""


def settings_text(directory: Path) -> str:
    """settings.toml with the directory of this run."""
    return SETTINGS.read_text().replace("@DEMO@", str(directory))


def make_speech(path: Path) -> None:
    """The phone's voice, made by espeak-ng. Raises CalledProcessError or FileNotFoundError without it."""
    say = ["espeak-ng", "-v", "en-gb+f3", "-s", "165", "--stdout", SPEECH]
    spoken = subprocess.run(say, capture_output=True, check=True).stdout
    change = ["sox", "-V1", "-t", "wav", "-", "-r", "8000", "-c", "1", "-b", "16", str(path)]
    subprocess.run(change, input=spoken, check=True)


@dataclass(slots=True)
class _Talk:
    """A call of the phone, and what listens to it."""

    number: int
    far: FarCall
    capture: Capture


class Story:
    """`directory` gets recordings; `cuts` is what the picture shows. Raises LabError when it cannot go on."""

    def __init__(self, lab: Lab, box: Box, report: Report, directory: Path) -> None:
        self._lab, self._box, self._report, self._directory = lab, box, report, directory
        self._watcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watcher")
        self.cuts: list[Cut] = []

    def tell(self) -> None:
        """All scenes."""
        self._start()
        self._confirm()
        self._caller_ids()
        self._carrier()
        self._blackhole()
        self._calls_killed()

    # --- scenes -----------------------------------------------------------------------------------

    def _start(self) -> None:
        self._report.scene(
            "The office box, fresh: three Internet channels, a trunk that knows addresses alone"
        )
        self._box.start()
        status = self._box.await_status(
            lambda s: s.calls_process == "running" and all(u.state == "up_unconfirmed" for u in s.uplinks),
            "the daemon, the calls process and three channels with Internet",
        )
        self._report.claim(True, "daemon and calls process run; three channels reach the Internet")
        self._report.quote(f"“{status.verdict}”")

    def _confirm(self) -> None:
        self._report.scene("Each channel calls 8888, and the provider confirms the address that it sees")
        names = [up.name for up in plan.UPLINKS]
        children = {name: self._spawn("trunk", "confirm", name) for name in names}
        self._report.quote(f"$ gatewayctl trunk confirm {names[0]}    (and {', '.join(names[1:])} beside it)")
        for child in children.values():
            self._report.quote(_output(child))
        agreed = [up.public for up in plan.UPLINKS if self._lab.provider.confirmed(up.public)]
        self._report.claim(
            all(not child.returncode for child in children.values()) and len(agreed) == len(names),
            f"{len(agreed)} of {len(names)} addresses stand confirmed at the provider: {', '.join(agreed)}",
        )
        self._box.await_ready()
        self._gatewayctl("status")

    def _caller_ids(self) -> None:
        self._report.scene(
            "CallerID by destination (the owner's Asterisk line: _4420… shows the London number)"
        )
        for dialled, number, expected in (
            ("020 7946 0001", plan.ANSWERS, plan.LONDON_CALLER_ID),
            ("0161 496 0001", plan.MANCHESTER, plan.DEFAULT_CALLER_ID),
        ):
            far = self._dial(dialled, number)
            self._report.claim(
                far.caller == expected, f"dialled {dialled}: the far end sees {far.caller} calling"
            )
            self._hang_up()

    def _carrier(self) -> None:
        self._report.scene("A call, and the cable of main is pulled")
        talk = self._talk(lambda: self._dial("020 7946 0002", plan.SPEAKS))
        self._report.note("both sides speak, by main")
        self._let_speak(talk)
        cut_s = self._lab.cut_carrier(plan.MAIN)
        self._report.note("the cable of main is pulled")
        switch = self._switched(cut_s)
        time.sleep(_AFTER_S / 2)
        self._lab.restore_carrier(plan.MAIN)
        time.sleep(_AFTER_S / 2)
        status = self._box.await_status(
            lambda s: _uplink(s, plan.MAIN).state == "up", "main is up again after its cable is back"
        )
        time.sleep(2.2)  # longer than failback_after_s: main could take over now, but a call is up
        status = self._box.status()
        stays = bool(status.calls) and status.calls[0].uplink == status.active_uplink == plan.BACKUP1.name
        self._hang_up()
        hung_up_s = time.time()
        self._judge(talk, cut_s, switch, "The cable of main is pulled", "cable pulled", CARRIER_SILENCE_MS)
        self._report.claim(stays, "main was back meanwhile; the call was left where it is, not split")
        self._return(hung_up_s)

    def _blackhole(self) -> None:
        self._report.scene("A call from outside; backup2 changes its address; main swallows every packet")
        talk = self._talk(self._ring)
        self._report.note(f"+{plan.LONDON_CALLER_ID} was called; both sides speak, by main")
        self._let_speak(talk)
        now_as = self._lab.shift_public_address(plan.BACKUP2)
        shift_s = time.time()
        taken_out = self._watcher.submit(self._await_drift)
        self._report.note(f"the carrier-grade NAT of backup2 takes another address: {now_as}")
        time.sleep(0.2)
        cut_s = self._lab.blackhole(plan.MAIN)
        self._report.note("main swallows every packet, both ways; its cable is still in")
        switch = self._switched(cut_s)
        time.sleep(_AFTER_S)
        before = self._kernel()
        killed_s = self._box.kill("daemon")
        stands = self._kernel() == before
        self._report.note("kill -9 of the daemon")
        self._box.await_status(
            lambda s: (
                self._box.starts("daemon") >= 2
                and s.calls_process == "running"
                and s.guard == "standing"
                and bool(s.calls)
            ),
            "the daemon is back and knows the call",
        )
        back_s = time.time()
        time.sleep(max(0.0, killed_s + 2.0 - time.time()))
        alive = [call.uplink for call in self._box.status().calls]
        self._lab.heal(plan.MAIN)
        self._hang_up()
        hung_up_s = time.time()
        heard, packets = self._judge(
            talk, cut_s, switch, "Main swallows every packet", "blackhole", BLACKHOLE_SILENCE_MS
        )
        self._judge_drift(packets, shift_s, taken_out.result(), now_as)
        there = [one.sequence for one in heard if killed_s <= one.at_s <= killed_s + 2]
        here = [p.rtp.sequence for p in _audio(packets) if p.rtp and killed_s <= p.at_s <= killed_s + 2]
        noticed = alive != [plan.BACKUP1.name] or min(len(there), len(here)) < 90
        self._report.claim(
            stands and not noticed,
            "routes and guard stood, the call went on",
            Figure("daemon_kill_lost_far", "packets lost to the far end", sound.lost(there), "", 0),
            Figure("daemon_kill_lost_box", "to the box", sound.lost(here), "", 0),
            Figure("daemon_back_ms", "daemon back after", (back_s - killed_s) * 1000, "ms"),
        )
        self._return(hung_up_s)

    def _await_drift(self) -> float:
        """Unix time at which the box says so."""
        self._box.await_status(lambda s: _uplink(s, plan.BACKUP2).state == "drifted", "backup2 is taken out")
        return time.time()

    def _judge_drift(self, packets: list[Packet], shift_s: float, out_s: float, now_as: str) -> None:
        """The reserve was found to have another address: at once, with the first answer that tells it."""
        told = next(
            (
                p
                for p in packets
                if p.device == plan.BACKUP2.device
                and not p.outgoing
                and p.at_s > shift_s
                and p.destination_port != plan.SIP_PORT
                and (p.sip or p.source_port in {port for _, port in plan.STUN_SERVERS})
            ),
            None,
        )
        found = _uplink(self._box.status(), plan.BACKUP2)
        self._report.claim(
            found.state == "drifted" and not found.carries_trunk,
            f"{plan.BACKUP2.name}, asked for help, is {now_as} now: out of the trunk",
            Figure("drift_out_ms", "after", _ms(out_s - told.at_s if told else None), "ms", DRIFT_MS),
        )
        self._report.quote(f"“{found.sentence}”")

    def _calls_killed(self) -> None:
        self._report.scene("kill -9 of the calls process")
        killed_s = self._box.kill("calls")
        self._box.await_status(
            lambda s: (
                self._box.starts("calls") >= 2
                and s.calls_process == "running"
                and len(self._listening()) == len(plan.UPLINKS)
            ),
            "the calls process is back and listens",
        )
        back_s = time.time()
        self._report.claim(
            True,
            f"it listens again on {', '.join(sorted(self._listening()))}",
            Figure("calls_back_ms", "after", (back_s - killed_s) * 1000, "ms", CALLS_BACK_MS),
        )
        far = self._dial("020 7946 0002", plan.SPEAKS)
        self._report.claim(
            far.source.startswith(plan.MAIN.public), f"and calls again: answered, by {far.source}"
        )
        self._hang_up()

    # --- calls ------------------------------------------------------------------------------------

    def _talk(self, begin: Callable[[], FarCall]) -> _Talk:
        capture = self._lab.capture("box", expression="udp", length=1500)
        far = begin()
        status = self._box.await_status(
            lambda s: any(c.state == "up" for c in s.calls), "the call is up at the box"
        )
        return _Talk(status.calls[0].call, far, capture)

    def _let_speak(self, talk: _Talk) -> None:
        answered_s = talk.far.answered_s or time.time()
        time.sleep(max(0.0, answered_s + _BEFORE_S - time.time()))

    def _dial(self, digits: str, number: str) -> FarCall:
        at_s = time.time()
        self._report.quote(
            f"$ gatewayctl dial {PHONE} '{digits}'\n{_output(self._spawn('dial', PHONE, digits))}"
        )
        return self._lab.far.await_call(
            lambda call: call.answered_s is not None and call.at_s >= at_s and call.number == number
        )

    def _ring(self) -> FarCall:
        call_id = self._lab.far.call(plan.LONDON_CALLER_ID, behaviour=plan.SPEAKS)
        return self._lab.far.await_call(lambda c: c.call_id == call_id and c.answered_s is not None)

    def _hang_up(self) -> None:
        output = _output(self._spawn("hangup", PHONE))
        self._box.await_status(lambda s: not s.calls, f"{PHONE} hung up ({output.strip()})")

    def _switched(self, since_s: float) -> Event:
        """The daemon's own word that the trunk goes another way."""
        return self._box.await_event(
            lambda event: event.kind == "switch" and event.uplink == plan.BACKUP1.name,
            f"calls go to {plan.BACKUP1.name}",
            since_s=since_s,
        )

    def _return(self, since_s: float) -> None:
        self._box.await_status(
            lambda s: s.active_uplink == plan.MAIN.name, "calls return to main", timeout_s=12
        )
        self._report.claim(True, f"main carries again {time.time() - since_s:.1f} s after the call has ended")

    # --- judging ----------------------------------------------------------------------------------

    def _judge(
        self, talk: _Talk, cut_s: float, switch: Event, title: str, label: str, limit_ms: float
    ) -> tuple[list[rtp.Heard], list[Packet]]:
        """Measure one failure when the call is over: tell it, and keep it for the picture. Gives the packets
        that the far end received and those at the box."""
        talk.capture.stop()
        packets = talk.capture.packets()
        to_s = cut_s + _AFTER_S
        legs = [c for c in self._lab.far.calls(number=talk.far.number) if c.at_s >= talk.far.at_s]
        heard = sorted((one for leg in legs for one in self._lab.far.heard(leg)), key=lambda one: one.at_s)
        came = _audio(packets)
        recording = self._directory / f"{PHONE}-{talk.number}.wav"
        samples = _samples(recording)
        played = sound.lay_over(samples, [(p.at_s, _frame(p)) for p in came])
        there = sound.longest_silence([one.at_s for one in heard], cut_s - 0.1, to_s)
        wire = sound.longest_silence([p.at_s for p in came], cut_s - 0.1, to_s)
        here = played.longest_silence(cut_s - 0.1, to_s) if played else None
        first = _first_by(packets, plan.BACKUP1.device, cut_s)
        reinvite = next(
            (
                seen
                for seen in self._lab.provider.seen(event="request", method="INVITE")
                if seen.at_s >= cut_s and seen.in_dialog and seen.source == plan.BACKUP1.public
            ),
            None,
        )
        carrier = label == "cable pulled"
        name = "carrier" if carrier else "blackhole"
        self._report.quote(f"“{switch.text}”")
        self._report.claim(
            first is not None,
            f"the call leaves by {plan.BACKUP1.name}",
            Figure(
                f"{name}_first_packet_ms",
                "first packet after",
                _ms(first.at_s - cut_s if first else None),
                "ms",
                CARRIER_PACKET_MS if carrier else BLACKHOLE_PACKET_MS,
            ),
        )
        self._report.claim(
            reinvite is not None and len(legs) == 1,
            f"it moved inside its dialog: re-INVITE from {reinvite.source if reinvite else '?'}, "
            + ("the same call at the far end" if len(legs) == 1 else f"{len(legs)} calls at the far end"),
        )
        self._report.claim(
            here is not None and there is not None,
            "and goes on; silence",
            Figure(f"{name}_silence_far_ms", "at the far end", there.ms if there else None, "ms", limit_ms),
            Figure(f"{name}_silence_phone_ms", "at the phone", here.ms if here else None, "ms", limit_ms),
        )
        self._report.keep(Figure(f"{name}_silence_wire_ms", "in packets", wire.ms if wire else None, "ms"))
        far_wav = self._lab.far.recording(talk.far)
        shutil.copy(far_wav, self._directory / f"far-{name}.wav")
        shutil.copy(recording, self._directory / f"phone-{name}.wav")
        spoke = heard_ms(far_wav), heard_ms(recording)
        self._report.claim(
            min(spoke) >= SPOKEN_AT_LEAST_MS,
            f"the far end heard {spoke[0] / 1000:.1f} s of speech, the phone {spoke[1] / 1000:.1f} s",
        )
        if here and there and played and first and heard:
            window = cut_s - 1.0, cut_s + 2.0
            far_lane = sound.lane(_samples(far_wav), heard[0].at_s, *window)
            phone_lane = sound.lane(samples, played.start_s, *window)
            hearings = Hearing("the far end", far_lane, there), Hearing("the phone", phone_lane, here)
            names = plan.MAIN.name, plan.BACKUP1.name
            self.cuts.append(Cut(title, label, cut_s, first.at_s, *names, *window, hearings))
        return heard, packets

    def _listening(self) -> set[str]:
        """Local addresses on which something listens for SIP in the box."""
        lines = self._lab.box_exec(["ss", "-Huln", f"sport = :{plan.SIP_PORT}"]).splitlines()
        return {line.split()[3].rpartition(":")[0] for line in lines}

    def _kernel(self) -> str:
        """What the daemon has put into the kernel: it must not go with it."""
        show = "ip -4 rule; ip -4 route show table all; nft list tables"
        return self._lab.box_exec(["sh", "-c", show])

    # --- gatewayctl -------------------------------------------------------------------------------

    def _spawn(self, *words: str) -> Any:
        argv = [sys.executable, "-m", "gateway", "ctl", "--run", str(self._box.run), *words]
        return self._lab.box_popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def _gatewayctl(self, *words: str) -> None:
        self._report.quote(f"$ gatewayctl {' '.join(words)}\n{_output(self._spawn(*words))}")


def _output(child: "subprocess.Popen[str]") -> str:
    return child.communicate(timeout=100)[0]


def _uplink(status: Status, wanted: plan.Uplink) -> UplinkStatus:
    return next(one for one in status.uplinks if one.name == wanted.name)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _audio(packets: list[Packet]) -> list[Packet]:
    """The audio that came to the box."""
    kinds = (rtp.PCMA, rtp.PCMU)
    return [p for p in packets if not p.outgoing and p.rtp and p.rtp.payload_type in kinds]


def _frame(packet: Packet) -> bytes:
    """The audio of a captured RTP packet (no CSRC, no extension: rtpengine adds none)."""
    assert packet.rtp is not None
    samples = rtp.linear(packet.rtp.payload_type, packet.payload[12:])
    return samples.tobytes() if samples is not None else b""


def _first_by(packets: list[Packet], device: str, since_s: float) -> Packet | None:
    """The first packet of the call (re-INVITE or RTP) that left by a device."""
    return next(
        (
            p
            for p in packets
            if p.outgoing
            and p.device == device
            and p.at_s >= since_s
            and (p.rtp is not None or p.sip.startswith("INVITE"))
        ),
        None,
    )


def _samples(path: Path) -> "array[int]":
    """A whole WAV; waits until its writer has closed it. Raises LabError if that does not happen."""
    until = time.monotonic() + 3
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


FAILURES: Final = (LabError, GatewayError, OSError, subprocess.SubprocessError)
"""What ends the story early; anything else is a fault of the demo itself."""
