"""`Box`: the gateway of this checkout at work in the laboratory: settings from the plan, both processes under
a supervisor as systemd would be, and the control socket to ask and to follow.
"""

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from gateway.client import Client
from gateway.errors import GatewayError
from gateway.messages import AnyMessage, Done, Event, Follow, GetStatus, Refused, StatusNow, Verb
from gateway.settings.confirmations import Confirmation, Ledger, save
from gateway.status import Status
from tests.lab import plan
from tests.lab.lab import Lab
from tests.lab.netns import LabError

Process = Literal["daemon", "calls"]

_UNITS: Final = Path(__file__).resolve().parents[2] / "systemd"
_SUPERVISOR: Final = """
notes=$1; shift
trap 'kill "$pid" 2>/dev/null; wait "$pid"; exit 0' TERM
while :; do
  setpriv --pdeathsig KILL -- "$@" & pid=$!
  echo "$pid" >>"$notes"
  wait "$pid"
  sleep 0.2 & pid=$!; wait "$pid"
done
"""
"""Restart=always, RestartSec=200ms (systemd/); every pid that it has started stands in a file."""


def settings_text(
    *,
    phones: int = 1,
    play: Path | None = None,
    record: Path | None = None,
    failback_after_s: float = 30.0,
    auto_answer: bool = True,
) -> str:
    """settings.toml of the box that the plan describes. Phones are called desk, desk2, desk3…

    `record`: a directory; each call is recorded into `<phone>-<number of the call>.wav` there.
    """
    lines = ["schema = 2", "", "[appliance]", 'name = "box"', 'country = "GB"', ""]
    for up in plan.UPLINKS:
        lines += ["[[uplinks]]", f'name = "{up.name}"', f'device = "{up.device}"']
        if up.address is None:
            lines += ["dhcp = true"]
        else:
            lines += [f'addresses = ["{up.address}/{up.prefix_length}"]', f'gateways = ["{up.router}"]']
            lines += [f'resolvers = ["{up.resolver}"]']
        lines += [f'public_address = "{up.public}"', ""] if up.nat else [""]
    lines += ["[lan]", f'devices = ["{plan.LAN_DEVICE}"]', ""]
    lines += ["[trunk]", f'server = "{plan.PROVIDER_DOMAIN}"', f'login = "{plan.TRUNK_LOGIN}"']
    lines += [f'networks = ["{plan.PROVIDER_PREFIX}"]', f'default_caller_id = "{plan.DEFAULT_CALLER_ID}"']
    lines += [f"caller_ids = {list(plan.CONNECTED_NUMBERS)}".replace("'", '"')]
    lines += [f'confirm_number = "{plan.CONFIRM_NUMBER}"', ""]
    lines += ["[[trunk.caller_id_rules]]", 'pattern = "_4420XXXXXXXX"']
    lines += [f'caller_id = "{plan.LONDON_CALLER_ID}"', ""]
    lines += [
        "[incoming.registration]",
        f'login = "{plan.FREE_LOGIN}"',
        f'password = "{plan.FREE_PASSWORD}"',
        "",
    ]
    lines += ["[[incoming.rules]]", 'phones = ["desk"]', ""]
    # A laboratory makes more calls in an hour than an office in a week.
    lines += ["[calling]", "parallel_calls = 128", "calls_per_hour = 10000", "minutes_per_day = 100000", ""]
    for name in phone_names(phones):
        lines += ["[[phones]]", f'name = "{name}"', 'kind = "virtual"']
        lines += [f'play = "{play}"'] if play else []
        lines += [f'record = "{record}/{name}-{{call}}.wav"'] if record else []
        lines += [f"auto_answer = {str(auto_answer).lower()}", ""]
    targets = ", ".join(f'"{host}"' for host in plan.PROBE_TARGETS)
    stun = ", ".join(f'"{host}:{port}"' for host, port in plan.STUN_SERVERS)
    lines += ["[watching]", f"hosts = [{targets}]", f"stun_servers = [{stun}]"]
    lines += [f"failback_after_s = {failback_after_s:.1f}", ""]
    return "\n".join(lines)


def phone_names(count: int) -> list[str]:
    """The names of the first `count` phones."""
    return ["desk", *(f"desk{n}" for n in range(2, count + 1))][:count]


def own_address(uplink: plan.Uplink) -> str:
    """What the box wears on it (backup2: its first lease)."""
    return uplink.address or plan.DHCP_FIRST


def _environment(process: Process) -> dict[str, str]:
    """What the process's unit sets: figures of the laboratory are to be those of an appliance."""
    unit = _UNITS / ("gateway.service" if process == "daemon" else "gateway-calls.service")
    return dict(re.findall(r"^Environment=(\w+)=(\S+)$", unit.read_text(), re.MULTILINE))


class Box:
    """Starts nothing until `start`. A context manager; ends with its laboratory at latest. Raises LabError.

    Verbs go through `ask`; what the gateway tells of itself gathers in `events`, with the time of the event.
    """

    def __init__(self, lab: Lab, settings: str | None = None) -> None:
        self.lab = lab
        self.directory = Path(tempfile.mkdtemp(prefix="box-"))
        self.run, self.state = self.directory / "run", self.directory / "state"
        self.settings = self.directory / "settings.toml"
        self.settings.write_text(settings if settings is not None else settings_text())
        self.events: list[Event] = []
        self._supervisors: dict[Process, Any] = {}
        self._closing = threading.Event()
        self._follower: threading.Thread | None = None

    def __enter__(self) -> "Box":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- life ---------------------------------------------------------------------------------------------

    def confirm_in_advance(self, *uplinks: plan.Uplink, six: str = "") -> None:
        """As if these (none: all) had been confirmed by an earlier call, here and at the provider. `six`: the
        IPv6 address that main bears instead of its own."""
        chosen = uplinks or plan.UPLINKS
        self.state.mkdir(exist_ok=True)
        entries = []
        for up in chosen:
            other = six if up is plan.MAIN else ""
            self.lab.provider.list_address(other or up.public, confirmed=True)
            entry = Confirmation(
                uplink=up.name,
                local_address=other or own_address(up),
                public_address=other or up.public,
                observed_address=other or up.public,
                at=time.time(),
                sip_code=200,
                heard_ms=2000,
                recording="",
            )
            entries.append(entry)
        save(self.state, Ledger(tuple(entries)))

    def start(self, *processes: Process) -> None:
        """Start the daemon and the calls process, or those that are named; each comes back when it ends."""
        for process in processes or ("daemon", "calls"):
            argv = [sys.executable, "-m", "gateway", process, "--run", str(self.run)]
            if process == "daemon":
                argv += ["--settings", str(self.settings), "--state", str(self.state)]
            notes = str(self.directory / f"{process}.pids")
            self._supervisors[process] = self.lab.box_popen(
                ["sh", "-c", _SUPERVISOR, "supervisor", notes, *argv],
                log=f"box-{process}",
                env={**os.environ, **_environment(process)},
            )
        if self._follower is None:
            self._follower = threading.Thread(target=self._follow, name="follow", daemon=True)
            self._follower.start()

    def stop(self, process: Process) -> None:
        """End it as systemd would, and its supervisor first of all: it does not come back."""
        if supervisor := self._supervisors.pop(process, None):
            self.lab.site.stop(supervisor, grace_s=6.0)

    def close(self) -> None:
        """Stop both and forget what they wrote (logs stay with the laboratory's)."""
        self._closing.set()
        for process in list(self._supervisors):
            self.stop(process)
        if self._follower is not None:
            self._follower.join(2)
            self._follower = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def starts(self, process: Process) -> int:
        """How often it has been started so far."""
        return len(self._pids(process))

    def pid(self, process: Process) -> int:
        """Of the process itself, not of its supervisor."""
        pids = self._pids(process)
        if not pids:
            raise LabError(f"{process} has not been started")
        return pids[-1]

    def _pids(self, process: Process) -> list[int]:
        notes = self.directory / f"{process}.pids"
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    def kill(self, process: Process) -> float:
        """kill -9; gives the Unix time. The supervisor starts it anew."""
        pid = self.pid(process)
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        return at

    # --- asking -------------------------------------------------------------------------------------------

    def client(self) -> Client:
        """A connection of its own to the control socket. Raises DoorError while the daemon is not there."""
        return Client(self.run / "ctl.sock")

    def request(self, verb: Verb, timeout_s: float = 15.0) -> AnyMessage:
        """The answer, whatever it is."""
        with self.client() as client:
            return client.request(verb, timeout_s)

    def ask(self, verb: Verb, timeout_s: float = 15.0) -> Done:
        """Have it done. Raises LabError with the gateway's own words when it is refused."""
        answer = self.request(verb, timeout_s)
        if isinstance(answer, Done):
            return answer
        if isinstance(answer, Refused):
            raise LabError(f"{answer.where}: {answer.what}. {answer.remedy}")
        raise LabError(f"{type(verb).__name__} was answered by {answer}")

    def status(self) -> Status:
        """The whole picture now."""
        answer = self.request(GetStatus())
        if not isinstance(answer, StatusNow):
            raise LabError(f"GetStatus was answered by {answer}")
        return answer.status

    def await_status(self, test: Callable[[Status], bool], what: str, timeout_s: float = 15.0) -> Status:
        """The first status that passes, also across restarts of the daemon. `what` is for the error."""
        until = time.monotonic() + timeout_s
        last: object = "the daemon does not answer"
        while time.monotonic() < until:
            with contextlib.suppress(GatewayError):
                last = status = self.status()
                if test(status):
                    return status
            time.sleep(0.02)
        raise LabError(f"not within {timeout_s:g} s: {what}; last seen: {last}; logs in {self.lab.logs}")

    def await_ready(self, *uplinks: plan.Uplink, timeout_s: float = 20.0) -> Status:
        """Calls can leave, and by each of these uplinks (none: all three); the first of them carries them."""
        names = [up.name for up in uplinks or plan.UPLINKS]

        def ready(status: Status) -> bool:
            up = {one.name for one in status.uplinks if one.state == "up"}
            return status.calls_process == "running" and up >= set(names) and status.active_uplink == names[0]

        return self.await_status(ready, f"calls by {names[0]}; up: {', '.join(names)}", timeout_s)

    # --- following ----------------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(GatewayError), self.client() as client:
                client.request(Follow(), 5.0)
                for event in client.events():
                    if isinstance(event, Event):
                        self.events.append(event)
            self._closing.wait(0.05)

    def await_event(
        self, test: Callable[[Event], bool], what: str, *, since_s: float = 0.0, timeout_s: float = 10.0
    ) -> Event:
        """The first event of `since_s` (Unix seconds) or later that passes."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for event in list(self.events):
                if event.at >= since_s and test(event):
                    return event
            time.sleep(0.01)
        raise LabError(f"no such event within {timeout_s:g} s: {what}; heard {self.events[-8:]}")
