"""The scenes of the demo, in order. Each does what an owner or the world would do, waits for what must
follow, and tells what was measured.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway import schema
from gateway.errors import GatewayError
from gateway.messages import Event
from gateway.status import Status, UplinkStatus
from tests.demo.desk import PHONE, Desk, Talk, output
from tests.demo.evidence import Evidence, gather
from tests.demo.picture import Cut
from tests.demo.report import Figure, Report
from tests.lab import plan, rtp
from tests.lab.box import Box
from tests.lab.lab import Lab
from tests.lab.netns import LabError

SETTINGS: Final = Path(__file__).with_name("settings.toml")
RTT_MS: Final = plan.DEFAULT_RTT_MS
_FRAME_MS: Final = 1000 * rtp.FRAME_S


@dataclass(frozen=True, slots=True)
class _Failure:
    """A way to lose an uplink, and what is allowed until its calls go on: milliseconds to the first packet by
    another one, and of silence at either end."""

    name: str
    title: str
    label: str
    packet_ms: float
    silence_ms: float


# Silence: what the benchmarks allow at their 95th percentile, and a frame more, for here one run has to do.
# First packet after a blackhole: the time to notice, and then as long as when there is nothing to notice.
CARRIER: Final = _Failure(
    "carrier", "The cable of main is pulled", "cable pulled", 60, 100 + 2 * RTT_MS + _FRAME_MS
)
BLACKHOLE: Final = _Failure(
    "blackhole", "Main swallows every packet", "blackhole", 200 + RTT_MS + 60, 250 + 2 * RTT_MS + _FRAME_MS
)
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


class Story:
    """`directory` gets recordings; `cuts` is what the picture shows. Raises LabError when it cannot go on."""

    def __init__(self, lab: Lab, box: Box, report: Report, directory: Path) -> None:
        self._lab, self._box, self._report, self._directory = lab, box, report, directory
        self._desk = Desk(lab, box, report)
        self._failback_s = schema.parse(settings_text(directory), str(SETTINGS)).watching.failback_after_s
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
        children = {name: self._desk.spawn("trunk", "confirm", name) for name in names}
        self._report.quote(f"$ gatewayctl trunk confirm {names[0]}    (and {', '.join(names[1:])} beside it)")
        for child in children.values():
            self._report.quote(output(child))
        agreed = [up.public for up in plan.UPLINKS if self._lab.provider.confirmed(up.public)]
        self._report.claim(
            all(not child.returncode for child in children.values()) and len(agreed) == len(names),
            f"{len(agreed)} of {len(names)} addresses stand confirmed at the provider: {', '.join(agreed)}",
        )
        self._box.await_ready()
        self._desk.gatewayctl("status")

    def _caller_ids(self) -> None:
        self._report.scene(
            "CallerID by destination (the owner's Asterisk line: _4420… shows the London number)"
        )
        for dialled, number, expected in (
            ("020 7946 0001", plan.ANSWERS, plan.LONDON_CALLER_ID),
            ("0161 496 0001", plan.MANCHESTER, plan.DEFAULT_CALLER_ID),
        ):
            far = self._desk.dial(dialled, number)
            self._report.claim(
                far.caller == expected, f"dialled {dialled}: the far end sees {far.caller} calling"
            )
            self._desk.hang_up()

    def _carrier(self) -> None:
        self._report.scene("A call, and the cable of main is pulled")
        talk = self._desk.talk(lambda: self._desk.dial("020 7946 0002", plan.SPEAKS))
        self._report.note("both sides speak, by main")
        talk.await_second(_BEFORE_S)
        cut_s = self._lab.cut_carrier(plan.MAIN)
        self._report.note("the cable of main is pulled")
        switch = self._switched(cut_s)
        time.sleep(_AFTER_S / 2)
        self._lab.restore_carrier(plan.MAIN)
        time.sleep(_AFTER_S / 2)
        status = self._box.await_status(
            lambda s: _uplink(s, plan.MAIN).state == "up", "main is up again after its cable is back"
        )
        time.sleep(self._failback_s + 0.2)  # main might take over now, but for the call
        status = self._box.status()
        stays = bool(status.calls) and status.calls[0].uplink == status.active_uplink == plan.BACKUP1.name
        hung_up_s = self._desk.hang_up()
        self._judge(talk, cut_s, switch, CARRIER)
        self._report.claim(stays, "main was back meanwhile; the call was left where it is, not split")
        self._return(hung_up_s)

    def _blackhole(self) -> None:
        self._report.scene("A call from outside; backup2 changes its address; main swallows every packet")
        talk = self._desk.talk(self._desk.ring)
        self._report.note(f"+{plan.LONDON_CALLER_ID} was called; both sides speak, by main")
        talk.await_second(_BEFORE_S)
        now_as = self._lab.shift_public_address(plan.BACKUP2)
        shift_s = time.time()
        self._report.note(f"the carrier-grade NAT of backup2 takes another address: {now_as}")
        cut_s = self._lab.blackhole(plan.MAIN)
        self._report.note("main swallows every packet, both ways; its cable is still in")
        self._box.await_status(lambda s: _uplink(s, plan.BACKUP2).state == "drifted", "backup2 is taken out")
        out_s = time.time()
        switch = self._switched(cut_s)
        time.sleep(max(0.0, cut_s + _AFTER_S + 0.2 - time.time()))
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
        hung_up_s = self._desk.hang_up()
        found = self._judge(talk, cut_s, switch, BLACKHOLE)
        self._judge_drift(found, shift_s, out_s, now_as)
        lost_far, lost_box = found.lost(killed_s, killed_s + 2.0)
        self._report.claim(
            stands and alive == [plan.BACKUP1.name],
            "routes and guard stood, the call went on",
            Figure("daemon_kill_lost_far", "packets lost to the far end", lost_far, "", 0),
            Figure("daemon_kill_lost_box", "to the box", lost_box, "", 0),
            Figure("daemon_back_ms", "daemon back after", (back_s - killed_s) * 1000, "ms"),
        )
        self._return(hung_up_s)

    def _judge_drift(self, found: Evidence, shift_s: float, out_s: float, now_as: str) -> None:
        """The reserve was found to have another address: at once, with the first answer that tells it."""
        told_s = found.told_address(plan.BACKUP2, shift_s)
        uplink = _uplink(self._box.status(), plan.BACKUP2)
        self._report.claim(
            uplink.state == "drifted" and not uplink.carries_trunk,
            f"{plan.BACKUP2.name}, asked for help, is {now_as} now: out of the trunk",
            Figure("drift_out_ms", "after", _ms(out_s, told_s), "ms", DRIFT_MS),
        )
        self._report.quote(f"“{uplink.sentence}”")

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
        far = self._desk.dial("020 7946 0002", plan.SPEAKS)
        self._report.claim(
            far.source.startswith(plan.MAIN.public), f"and calls again: answered, by {far.source}"
        )
        self._desk.hang_up()

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

    def _judge(self, talk: Talk, cut_s: float, switch: Event, failure: _Failure) -> Evidence:
        """Measure one failure when the call is over: tell it, and keep it for the picture."""
        recording = self._directory / f"{PHONE}-{talk.number}.wav"
        found = gather(self._lab, talk.far, talk.capture, recording)
        to_s, name = cut_s + _AFTER_S, failure.name
        first_s = found.first_by(plan.BACKUP1, cut_s)
        came_from = found.reinvited_from(cut_s)
        self._report.quote(f"“{switch.text}”")
        self._report.claim(
            True,
            f"the call leaves by {plan.BACKUP1.name}",
            Figure(f"{name}_packet_ms", "first packet after", _ms(first_s, cut_s), "ms", failure.packet_ms),
        )
        self._report.claim(
            came_from == plan.BACKUP1.public and len(found.legs) == 1,
            f"it moved inside its dialog: re-INVITE from {came_from or 'nowhere'}, "
            + ("the same call at the far end" if len(found.legs) == 1 else f"{len(found.legs)} calls there"),
        )
        there, here, wire = (
            silence(cut_s, to_s) for silence in (found.silence_far, found.silence_phone, found.silence_wire)
        )
        limit_ms = failure.silence_ms
        self._report.claim(
            True,
            "and goes on; silence",
            Figure(f"{name}_silence_far_ms", "at the far end", there.ms if there else None, "ms", limit_ms),
            Figure(f"{name}_silence_phone_ms", "at the phone", here.ms if here else None, "ms", limit_ms),
        )
        self._report.keep(Figure(f"{name}_silence_wire_ms", "in packets", wire.ms if wire else None, "ms"))
        shutil.copy(found.far_wav, self._directory / f"far-{name}.wav")
        shutil.copy(found.phone_wav, self._directory / f"phone-{name}.wav")
        far_ms, phone_ms = found.spoken_ms()
        self._report.claim(
            min(far_ms, phone_ms) >= SPOKEN_AT_LEAST_MS,
            f"the far end heard {far_ms / 1000:.1f} s of speech, the phone {phone_ms / 1000:.1f} s",
        )
        window = cut_s - 1.0, cut_s + 2.0
        if first_s is not None and (hearings := found.hearings(cut_s, to_s, window)):
            names = plan.MAIN.name, plan.BACKUP1.name
            self.cuts.append(Cut(failure.title, failure.label, cut_s, first_s, *names, *window, hearings))
        return found

    def _listening(self) -> set[str]:
        """Local addresses on which something listens for SIP in the box."""
        lines = self._lab.box_exec(["ss", "-Huln", f"sport = :{plan.SIP_PORT}"]).splitlines()
        return {line.split()[3].rpartition(":")[0] for line in lines}

    def _kernel(self) -> str:
        """What the daemon has put into the kernel: it must not go with it."""
        show = "ip -4 rule; ip -4 route show table all; nft list tables"
        return self._lab.box_exec(["sh", "-c", show])


def _uplink(status: Status, wanted: plan.Uplink) -> UplinkStatus:
    return next(one for one in status.uplinks if one.name == wanted.name)


def _ms(at_s: float | None, since_s: float | None) -> float | None:
    return None if at_s is None or since_s is None else (at_s - since_s) * 1000


FAILURES: Final = (LabError, GatewayError, OSError, subprocess.SubprocessError)
"""What ends the story early; anything else is a fault of the demo itself."""
