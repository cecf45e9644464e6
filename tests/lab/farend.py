"""The far ends behind the provider: the exact one (ua.py), SIPp and baresip; and what they heard."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.lab import plan, rtp
from tests.lab.netns import LabError, Site, await_ready
from tests.lab.speech import SPEECH, speech

_BARESIP_MODULES: Final = ("g711.so", "aufile.so", "sndfile.so", "account.so", "menu.so")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a call at the exact far end; Unix time in seconds."""

    at_s: float
    event: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FarCall:
    """One call as the exact far end saw it. `number`: dialled; `from_uri`, `asserted`: of its INVITE;
    `source`: "address:port" that the provider had it from; `replaces`: the header, if there was one."""

    call_id: str
    index: int
    at_s: float
    number: str
    from_uri: str = ""
    asserted: str = ""
    source: str = ""
    replaces: str = ""
    answered_s: float | None = None
    ended_s: float | None = None
    why: str = ""
    digits: str = ""
    events: list[Event] = field(default_factory=list)

    @property
    def caller(self) -> str:
        """The user part of From: the CallerID that the callee's phone shows."""
        return self.from_uri.removeprefix("sip:").partition("@")[0]

    def times(self, event: str) -> list[float]:
        """When an event of that name happened: in_dialog, reinvited, pause, resume, digit, provisional…"""
        return [one.at_s for one in self.events if one.event == event]


class FarEnds:
    """Starts with the laboratory; SIPp and baresip when they are asked for. Raises LabError."""

    def __init__(self, site: Site, directory: Path) -> None:
        self._site, self._directory = site, directory
        self._control: socket.socket | None = None
        self._sipp: Any = None
        with open(site.logs / "far.log", "ab") as sink:
            self._child: subprocess.Popen[bytes] = site.popen(
                "far",
                [sys.executable, "-m", "tests.lab.ua", str(directory), str(site.scratch / "far.sock")],
                stdout=subprocess.PIPE,
                stderr=sink,
            )

    def await_ready(self) -> None:
        """Wait until the exact far end listens."""
        await_ready(self._child, "the far end")
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._control.settimeout(40)
        self._control.connect(str(self._site.scratch / "far.sock"))

    def close(self) -> None:
        """Leave the control socket; the processes end with the site."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def _ask(self, **request: object) -> dict[str, Any]:
        if self._control is None:
            raise LabError("the far end is not running")
        self._control.sendall(json.dumps(request).encode() + b"\n")
        data = b""
        while not data.endswith(b"\n"):
            data += self._control.recv(65536)
        answer: dict[str, Any] = json.loads(data)
        if "error" in answer:
            raise LabError(f"far end: {answer['error']}")
        return answer

    # --- the exact far end --------------------------------------------------------------------------------

    def call(self, number: str, *, caller: str = "447700900123", behaviour: str = plan.ANSWERS) -> str:
        """Call a connected number from outside; gives the Call-ID at once.

        `behaviour`: the number of the plan whose sound and reactions the caller has."""
        uri = f"sip:{number}@{plan.INNER_PROXY}:{plan.SIP_PORT}"
        return str(self._ask(do="call", caller=caller, uri=uri, behaviour=behaviour)["call_id"])

    def hang_up(self, call_id: str | None = None) -> int:
        """BYE to one call, or to all; gives how many."""
        return int(self._ask(do="bye", call_id=call_id)["calls"])

    def reinvite(self, call_id: str, direction: str = "sendrecv") -> int:
        """The far end's own re-INVITE (sendonly: hold); gives the final status."""
        return int(self._ask(do="reinvite", call_id=call_id, direction=direction)["status"])

    def pause(self, call_id: str, paused: bool = True) -> None:
        """Stop, or go on, sending RTP."""
        self._ask(do="pause", call_id=call_id, paused=paused)

    def calls(self, *, number: str | None = None) -> list[FarCall]:
        """All calls that the exact far end saw or made, in order."""
        found: dict[tuple[str, int], FarCall] = {}
        latest: dict[str, tuple[str, int]] = {}
        path = self._directory / "far.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            raw = json.loads(line)
            at_s, event, call_id = raw.pop("at"), raw.pop("event"), raw.pop("call_id", "")
            if event == "new":
                key = latest[call_id] = (call_id, raw["index"])
                found[key] = FarCall(call_id, raw["index"], at_s, raw["number"])
            elif call_id in latest:
                key = latest[call_id]
                found[key] = _after(found[key], at_s, event, raw)
        return [call for call in found.values() if number in (None, call.number)]

    def await_call(
        self,
        test: Callable[[FarCall], bool] = lambda call: call.answered_s is not None,
        timeout_s: float = 10.0,
    ) -> FarCall:
        """The newest call that passes `test` (as it comes: answered); waits for it. Raises LabError."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for call in reversed(self.calls()):
                if test(call):
                    return call
            time.sleep(0.02)
        raise LabError(f"no such call at the far end within {timeout_s} s; it saw {self.calls()}")

    def heard(self, call: FarCall) -> list[rtp.Heard]:
        """Every RTP packet that the exact far end received in a call, in order of arrival."""
        with contextlib.suppress(LabError):
            self._ask(do="flush")
        return rtp.load(self._directory / f"rtp-{call.index}.bin")

    def recording(self, call: FarCall) -> Path:
        """WAV of what it heard, on the clock of arrival; complete when the call has ended."""
        return self._directory / f"heard-{call.index}.wav"

    # --- SIPp and baresip ---------------------------------------------------------------------------------

    def start_sipp(self) -> None:
        """SIPp answers `plan.SIPP`: 180, 200, echoes the media, accepts re-INVITEs, waits for BYE."""
        if self._sipp is None:
            argv = ["sipp", "-sf", str(Path(__file__).with_name("sipp_uas.xml")), "-nostdin"]
            argv += ["-i", plan.INNER_SIPP, "-p", str(plan.SIP_PORT)]
            argv += ["-rtp_echo", "-mi", plan.INNER_SIPP, "-mp", "6000"]
            argv += ["-trace_msg", "-message_file", str(self._directory / "sipp-messages.log")]
            argv += ["-trace_err", "-error_file", str(self._directory / "sipp-errors.log")]
            self._sipp = self._site.popen("far", argv, log="sipp")
            self._await_port(plan.INNER_SIPP)

    def start_baresip(self) -> None:
        """baresip answers `plan.BARESIP` by itself, plays speech and records both ways as WAV."""
        home = self._directory / "baresip"
        if home.exists():
            return
        (home / "heard").mkdir(parents=True)
        source = home / "speech.wav"
        raw = [
            "sox",
            "-V1",
            "-t",
            "raw",
            "-r",
            "8000",
            "-c",
            "1",
            "-e",
            "a-law",
            "-",
            "-e",
            "signed",
            "-b",
            "16",
            str(source),
        ]
        subprocess.run(raw, input=speech(SPEECH), check=True)
        modules = "\n".join(f"module {name}" for name in _BARESIP_MODULES)
        (home / "config").write_text(
            f"sip_listen {plan.INNER_BARESIP}:{plan.SIP_PORT}\n"
            f"module_path /usr/lib/baresip/modules\n{modules}\n"
            f"audio_source aufile,{source}\naudio_player aufile,{home}/played.wav\naudio_srate 8000-8000\n"
            f"audio_channels 1\nrtp_ports 50000-50999\nsnd_path {home}/heard\n"
        )
        (home / "accounts").write_text(
            f"<sip:{plan.BARESIP}@{plan.INNER_BARESIP}>;regint=0;answermode=auto;audio_codecs=pcma\n"
        )
        self._site.popen("far", ["baresip", "-4", "-f", str(home)], log="baresip")
        self._await_port(plan.INNER_BARESIP)

    def _await_port(self, address: str) -> None:
        for _ in range(200):
            if f"{address}:{plan.SIP_PORT}" in self._site.run(["ss", "-Huln"], name="far"):
                return
            time.sleep(0.02)
        raise LabError(f"nothing listens at {address}: see the logs in {self._site.logs}")

    def baresip_recordings(self) -> list[Path]:
        """What baresip heard, one WAV a call (written by its sndfile module while the call runs)."""
        return sorted((self._directory / "baresip" / "heard").glob("dump-*-dec.wav"))


def _after(call: FarCall, at_s: float, event: str, raw: dict[str, Any]) -> FarCall:
    call.events.append(Event(at_s, event, raw))
    match event:
        case "invite":
            kept = {key: raw[key] for key in ("from_uri", "asserted", "source", "replaces")}
            return replace(call, **kept)
        case "answered":
            return replace(call, answered_s=at_s)
        case "ended":
            return replace(call, ended_s=at_s, why=raw["why"])
        case "digit":
            return replace(call, digits=call.digits + raw["digit"])
        case _:
            return call
