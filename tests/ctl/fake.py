"""A daemon for gatewayctl: the real protocol on a real unix socket, and behind it a small box with settings,
a trial, a history, a password and a button, which can also be away, be stubborn, or be asked by two at once.
"""

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import editing, masking, schema, wire
from gateway.changes import (
    AskPresence,
    BackupNow,
    CheckPassword,
    Decommission,
    DropTrial,
    ExportBackup,
    FactoryReset,
    GetHistory,
    GetSettings,
    GetSupport,
    GetTrial,
    HistoryNow,
    ImportBackup,
    KeepTrial,
    ProblemView,
    RevisionView,
    RollBack,
    SetPassword,
    SettingsNow,
    SupportNow,
    TrialNow,
    TrialView,
    TrySettings,
)
from gateway.differences import difference
from gateway.errors import SettingsError
from gateway.messages import AnyMessage, Done, Envelope, Event, Follow, GetStatus, Refused, StatusNow
from gateway.status import CallView, PhoneView, Status, UplinkStatus

TEXT = editing.current((Path(__file__).parents[1] / "example.toml").read_text())
STATUS = Status(
    verdict="Calls work over backup1. The cable of main is out.",
    action="Check the cable between the box and the router of main.",
    lamp="attention",
    active_uplink="backup1",
    internet_uplink="backup1",
    calls_process="running",
    guard="standing",
    uplinks=(
        UplinkStatus(
            name="main", role="main", device="wan0", state="no_carrier", sentence="The cable of main is out."
        ),
        UplinkStatus(
            name="backup1", role="backup", device="wan1", state="up", sentence="backup1 works.",
            address="192.168.20.2", public_address="198.51.100.20", observed_address="198.51.100.20",
            confirmed_at=1_700_000_000.0, rtt_ms=41.4, loss=0.015, mos=4.32, carries_trunk=True,
        ),
        UplinkStatus(name="off", role="backup", device="wan2", state="disabled", sentence="Switched off."),
    ),
    calls=(
        CallView(
            call=7, phone="desk", direction="out", state="up", remote="442079460001",
            caller_id="442012345678", uplink="backup1", started_at=0.0, moves=1, codec="PCMA",
        ),
    ),
    phones=(PhoneView(name="desk", kind="virtual", state="talking"),),
)  # fmt: skip
REFUSED = Refused(what="there is no such phone", where="phones", remedy="Name another")
STALE = "the settings are at revision {} now; yours were made from revision {}"

Spoken = AnyMessage | bytes | None
"""What the box says to one request: a message, raw bytes and then nothing more, or a hang-up."""


class FakeDaemon:
    """Serves until closed. `says`: what to say to a kind of request instead of what the box would."""

    def __init__(self, directory: Path, text: str | None = None) -> None:
        self.directory = directory
        self.text = TEXT if text is None else text
        self.revision = 1 if self.text else 0
        self.texts = {self.revision: self.text}
        self.history = [self._line("setup", "the first one", 0)] if self.text else []
        self.trial: TrialView | None = None
        self.touches: tuple[str, ...] = ()
        self.password = ""
        self.somebody_taps = True
        self.wiped = ""
        self.asked: list[AnyMessage] = []
        self.broken: list[BaseException] = []
        self.connections = 0
        self.events: list[AnyMessage] = []
        self.says: dict[type, Callable[[Any], Spoken]] = {}
        self.away_s = 0.0
        self.longest_s = 900.0
        self._tried = ""
        self._until = 0.0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._clients: list[socket.socket] = []
        self._open()

    # --- the socket -----------------------------------------------------------------------------------

    def _open(self) -> None:
        path = self.directory / "ctl.sock"
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._start(self._accept, self._listener)

    def _start(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._clients.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        splitter = wire.LineSplitter()
        with contextlib.suppress(OSError), client:
            while data := client.recv(65536):
                for line in splitter.feed(data):
                    try:
                        if not self._answer(client, wire.decode(line)):
                            return
                    except BaseException as error:
                        self.broken.append(error)
                        raise

    def _answer(self, client: socket.socket, envelope: Envelope) -> bool:
        with self._lock:
            self.asked.append(envelope.body)
            given = self.says.get(type(envelope.body), self.receive)(envelope.body)
        if given is None:
            return False
        if isinstance(given, bytes):
            client.sendall(given)
            return False
        if self.away_s and isinstance(envelope.body, TrySettings) and not envelope.body.only_look:
            self._go_away(client)
        client.sendall(wire.encode(Envelope(body=given, re=envelope.id)))
        if isinstance(envelope.body, Follow):
            for event in self.events:
                client.sendall(wire.encode(Envelope(body=event)))
            return not self.events
        return True

    def _go_away(self, stays: socket.socket) -> None:
        """Nobody can connect for a while, as after a change of addresses."""
        self.hang_up()
        away = threading.Timer(self.away_s, self._open)
        self._threads.append(away)
        away.start()

    def hang_up(self) -> None:
        """No new connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        for thread in self._threads:
            if isinstance(thread, threading.Timer):
                thread.cancel()
        self.hang_up()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    # --- the box --------------------------------------------------------------------------------------

    def receive(self, asked: AnyMessage) -> Spoken:
        """What the box answers."""
        self._expire()
        match asked:
            case GetStatus():
                return StatusNow(status=STATUS)
            case Follow():
                return Done(text="Following.")
            case GetSettings(revision=revision):
                if revision and revision not in self.texts:
                    return self._unknown(revision)
                text = self.texts[revision] if revision else self.text
                return SettingsNow(
                    text=masking.masked(text), revision=revision or self.revision, origin="owner"
                )
            case GetHistory():
                return HistoryNow(revisions=tuple(reversed(self.history)))
            case TrySettings():
                return self._try(asked.text, asked.base, asked.who, asked.only_look, asked.seconds)
            case RollBack(revision=revision):
                if revision not in self.texts:
                    return self._unknown(revision)
                return self._try(
                    self.texts[revision], self.revision, asked.who, asked.only_look, asked.seconds
                )
            case GetTrial():
                return TrialNow(trial=self.trial)
            case KeepTrial() | DropTrial():
                return self._end(asked)
            case ExportBackup(passphrase=passphrase):
                return BackupNow(data=base64.b64encode(seal(self.text, passphrase)).decode())
            case ImportBackup():
                brought = opened(base64.b64decode(asked.data), asked.passphrase)
                if brought is None:
                    return Refused(what="the passphrase does not open it", where="backup", remedy="Try again")
                return self._try(brought, self.revision, asked.who, asked.only_look, asked.seconds)
            case AskPresence():
                if self.somebody_taps:
                    return Done(text="Somebody is there.", data={"proof": "tapped"})
                return Refused(what="nobody tapped the button", where="panel", remedy="Go to the box")
            case SetPassword():
                if asked.proof != "tapped" and (not asked.old or asked.old != self.password):
                    return Refused(what="that is not the password", where="password", remedy="Try again")
                self.password = asked.password
                return Done(text="The password is set.")
            case CheckPassword():
                return Done(text="It is.")
            case FactoryReset():
                self.wiped = "reset"
                return Done(text="The box starts again, and restores itself.")
            case Decommission():
                if (asked.password, asked.proof) != (self.password, "tapped"):
                    return Refused(what="that is not the password", where="decommission", remedy="Try again")
                self.wiped = "decommissioned"
                return Done(text="Everything is wiped.")
            case GetSupport():
                return SupportNow(
                    parts={"routes": "default via 203.0.113.1\n", "../../etc/x": "no way out\n"}
                )
            case _:
                return Done(text="Done.")

    def _try(self, text: str, base: int, who: str, only_look: bool, seconds: int) -> Spoken:
        if base != self.revision:
            what = STALE.format(self.revision, base)
            return Refused(what=what, where="settings", remedy="Read them again and repeat your change")
        try:
            text = masking.unmasked(text, self.text)
            before = schema.parse(self.text, "settings") if self.text else None
            changes = difference(before, schema.parse(text, "settings"))
        except SettingsError as error:
            problems = tuple(
                ProblemView(path=p.path, line=p.line, what=p.what, remedy=p.remedy) for p in error.problems
            )
            return Refused(what=error.what, where="settings", remedy=error.remedy, problems=problems)
        view = TrialView(
            trial="",
            who=who,
            base=base,
            differences=changes,
            touches=self.touches,
            notes=(),
            left_s=0,
        )
        if only_look:
            return TrialNow(trial=view)
        if self.trial:
            return Refused(
                what=f"a change of {self.trial.who} is on trial", where="trial", remedy="Wait, or drop it"
            )
        self._tried, self._until = text, time.monotonic() + min(seconds, self.longest_s)
        self.trial = TrialView(
            trial=f"t{len(self.asked)}",
            who=who,
            base=base,
            differences=view.differences,
            touches=self.touches,
            notes=(),
            left_s=min(seconds, self.longest_s),
        )
        return TrialNow(trial=self.trial)

    def _end(self, asked: KeepTrial | DropTrial) -> Spoken:
        if self.trial is None or self.trial.trial != asked.trial:
            return Refused(what="no change is on trial", where="trial", remedy="See the history")
        trial, self.trial = self.trial, None
        if isinstance(asked, DropTrial):
            return Done(text="The old settings are back.")
        self.text = self._tried
        self.revision += 1
        self.texts[self.revision] = self.text
        self.history.append(self._line(trial.who, "", len(trial.differences)))
        return Done(text=f"Kept as revision {self.revision}.")

    def _expire(self) -> None:
        if self.trial and time.monotonic() >= self._until:
            self.trial = None

    def _line(self, who: str, why: str, count: int) -> RevisionView:
        return RevisionView(
            revision=self.revision, at=1_700_000_000.0, who=who, why=why, differences=count, sealed=True
        )

    @staticmethod
    def _unknown(revision: int) -> Refused:
        return Refused(what=f"there is no revision {revision}", where="history", remedy="See the history")

    def tell(self, *events: Event) -> None:
        """Events for whoever follows next; then that connection ends."""
        self.events = list(events)


# --- what the box does with texts -------------------------------------------------------------------------


def seal(text: str, passphrase: str) -> bytes:
    """Not safe, only unreadable; wrong passphrases are told."""
    data = b"sound:" + text.encode()
    return b"age-encryption.org/v1\n" + _veil(data, passphrase)


def opened(data: bytes, passphrase: str) -> str | None:
    head, _, rest = data.partition(b"\n")
    plain = _veil(rest, passphrase)
    return plain.removeprefix(b"sound:").decode() if head and plain.startswith(b"sound:") else None


def _veil(data: bytes, passphrase: str) -> bytes:
    stream = hashlib.shake_256(passphrase.encode()).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))
