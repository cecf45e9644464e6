"""Laws of the engine (law 8): one thread owns pjsua2; callbacks only post; a leg lives in one dict and is
dropped on this thread once it is over; commands come by a queue, answers go by `post`; nothing raises across.

An automatic garbage collection on another thread could free a pj object there and abort the process, so
Python's cyclic collector is off while the engine runs and is called on this thread when no call is up.
"""

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pjsua2 as pj

from gateway.calls import quiet
from gateway.calls.sip import values
from gateway.calls.sip.audio import Ends
from gateway.calls.sip.bell import Bell
from gateway.calls.sip.keys import KeyTap, Listener
from gateway.calls.sip.leg import Leg
from gateway.calls.sip.options import EngineOptions
from gateway.calls.sip.paths import Account
from gateway.calls.sip.terms import Terms
from gateway.errors import DoorError

log = logging.getLogger(__name__)

LISTEN_MS = 10
"""How often received RTP is counted while a call is up."""
IDLE_MS = 250
"""How long the engine sleeps when no call is up; packets, timers and commands wake it."""
COLLECT_EVERY_S = 60.0
USER_AGENT = "Steadyline"


Out = values.Event | quiet.Quiet | quiet.Heard


class Engine:
    """pjsua2 on its own thread. `post` receives every event, from that thread or the bridge's clock.

    `listener` makes what hears the keys of an end; None: ListenKeys is not understood.
    """

    def __init__(
        self,
        post: Callable[[Out], None],
        options: EngineOptions,
        listener: Callable[[str], Listener] | None = None,
    ) -> None:
        self._post = post
        self._options = options
        self._listener = listener
        self._commands: queue.SimpleQueue[values.Command | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)
        self._bell = Bell()
        self.alive_at = 0.0
        """time.monotonic() of the last turn of the engine's loop: the watchdog judges by it."""

    def start(self) -> None:
        """Start the thread; EngineUp is posted when SIP works."""
        self._thread.start()

    def do(self, command: values.Command) -> None:
        """Queue a command; safe from any thread."""
        self._commands.put(command)
        self._bell.ring()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Hang up everything and end the thread; waits at most `timeout_s`."""
        self._commands.put(None)
        self._bell.ring()
        self._thread.join(timeout_s)
        self._bell.close()

    @property
    def running(self) -> bool:
        """False once the thread has ended, for whatever reason."""
        return self._thread.is_alive()

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        gc.disable()
        try:
            session = _Session(self._post, self._options, self._listener)
            try:
                self._bell.hang(session.endpoint)
                self._post(values.EngineUp(session.version))
                self._serve(session)
            finally:
                session.close()
        except Exception:
            log.exception("the SIP engine ended")
        finally:
            gc.enable()

    def _serve(self, session: "_Session") -> None:
        collect_at = time.monotonic() + COLLECT_EVERY_S
        while True:
            session.turn(LISTEN_MS if session.legs or session.ends.busy else IDLE_MS)
            while True:
                try:
                    command = self._commands.get_nowait()
                except queue.Empty:
                    break
                if command is None:
                    return
                session.perform(command)
            now = time.monotonic()
            self.alive_at = now
            session.listen(now)
            if now >= collect_at and not session.legs:
                collect_at = now + COLLECT_EVERY_S
                gc.collect()


class _LogWriter(pj.LogWriter):
    """pj's own log lines, into ours. pj levels: 1 error, 2 warning, 3 and up detail."""

    def write(self, entry: pj.LogEntry) -> None:
        level = {1: logging.ERROR, 2: logging.WARNING}.get(entry.level, logging.DEBUG)
        log.log(level, "%s", entry.msg.rstrip())


class _Endpoint(pj.Endpoint):
    """pj's endpoint, with the account of an incoming call chosen by the socket that it came in by."""

    def __init__(self, choose: Callable[[str], int | None]) -> None:
        super().__init__()
        self.choose: Callable[[str], int | None] | None = choose

    def onSelectAccount(self, prm: pj.OnSelectAccountParam) -> None:
        account = self.choose(pj.gwArrivedAt(prm.rdata.pjRxData)) if self.choose else None
        if account is not None:
            prm.accountIndex = account


class _Session:
    """Everything that exists only on the engine's thread."""

    def __init__(
        self,
        post: Callable[[Out], None],
        options: EngineOptions,
        listener: Callable[[str], Listener] | None,
    ) -> None:
        self.post = post
        self.options = options
        self._listener = listener
        self.legs: dict[int, Leg] = {}
        self._incoming = 0
        self._quiet = quiet.QuietDetector()
        self.endpoint = _Endpoint(self._account_of)
        self.endpoint.libCreate()
        self._configure()
        self.terms = Terms(self.endpoint, options, post, self._on_incoming)
        self.ends = Ends()
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self._preferred: tuple[str, ...] = ()
        self._prefer(options.codecs)
        pj.gwKeepCallsAfterTimeout(True)
        self.version = str(self.endpoint.libVersion().full)

    def _configure(self) -> None:
        config = pj.EpConfig()
        config.uaConfig.maxCalls = self.options.max_calls
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = USER_AGENT
        config.medConfig.clockRate = config.medConfig.sndClockRate = (
            16_000 if self.options.wideband else 8_000
        )
        config.medConfig.channelCount = 1
        config.medConfig.audioFramePtime = 20
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        config.medConfig.hasIoqueue = True
        config.medConfig.threadCnt = 1
        # A bridge that is put to sleep has to be woken before the first dial tone, and loses what it is asked
        # meanwhile.
        config.medConfig.sndAutoCloseTime = -1
        self._writer = _LogWriter()
        config.logConfig.level = config.logConfig.consoleLevel = self.options.log_level
        config.logConfig.writer = self._writer
        config.logConfig.msgLogging = 0
        self.endpoint.libInit(config)

    def _prefer(self, codecs: tuple[str, ...]) -> None:
        """Offer these codecs, in this order, and no others, from now on."""
        if codecs == self._preferred:
            return
        self._preferred = codecs
        for info in self.endpoint.codecEnum2():
            rank = [n for n, name in enumerate(codecs) if info.codecId.lower().startswith(name.lower() + "/")]
            self.endpoint.codecSetPriority(info.codecId, 250 - rank[0] if rank else 0)

    @contextmanager
    def _preferring(self, codecs: tuple[str, ...]) -> Iterator[None]:
        """Offers that are made while this lasts name these codecs."""
        self._prefer(codecs)
        try:
            yield
        finally:
            self._prefer(self.options.codecs)

    def turn(self, wait_ms: int) -> None:
        """Let pjsip work for at most `wait_ms`; callbacks run here."""
        self.endpoint.libHandleEvents(wait_ms)
        for number, leg in list(self.legs.items()):
            if leg.over:
                del self.legs[number]
            else:
                leg.catch_up()
        self.terms.tidy((leg.account for leg in self.legs.values()), time.monotonic())

    def listen(self, now: float) -> None:
        """Look at what every leg has received; post suspicions of silence, and ends that are closed."""
        for end in self.ends.closed(now):
            self.post(values.EndClosed(end))
        for end in self.ends.spoken(now):
            self.post(values.EndSpoken(end))
        if not self.legs:
            return
        heard = [leg.heard() for leg in self.legs.values() if leg.has_media]
        for number, _, rx_packets, _ in heard:
            if spoke := self.legs[number].spoke(rx_packets, now):
                self.post(spoke)
        for event in self._quiet.poll(now, heard):
            self.post(event)

    def close(self) -> None:
        """The order that pjsip demands: calls, ends, accounts, library."""
        self.endpoint.hangupAllCalls()
        deadline = time.monotonic() + 0.5
        while self.legs and time.monotonic() < deadline:
            self.turn(LISTEN_MS)
        self.legs.clear()
        self.ends.close()
        while self.ends.busy:
            self.turn(LISTEN_MS)
            self.ends.closed(time.monotonic())
        self.terms.close()
        gc.collect()
        self.endpoint.libDestroy()
        # pj allows one endpoint in a process: let go of it now, not when the collector comes by.
        self.endpoint.choose = None
        del self.endpoint, self.terms

    # --- commands ---------------------------------------------------------------------------------

    def perform(self, command: values.Command) -> None:
        """Do one command; what fails is posted as an event that names it."""
        try:
            self._perform(command)
        except (pj.Error, DoorError) as error:
            why = f"{error.reason} ({error.status})" if isinstance(error, pj.Error) else error.what
            if isinstance(command, values.StartLeg):
                self.legs.pop(command.leg, None)
                self.post(values.LegEnded(command.leg, 0, why))
            elif isinstance(command, values.Reinvite):
                self.post(values.ReinviteBlocked(command.leg, why))
            elif isinstance(command, values.BindPath):
                self.post(values.PathBound(command.uplink, command.local, why))
            else:
                self.post(values.CommandFailed(command, why))

    def _perform(self, command: values.Command) -> None:
        match command:
            case values.Configure():
                self._configured(command)
            case values.BindPath():
                self.terms.bind(command, time.monotonic())
                self.post(values.PathBound(command.uplink, command.local))
            case values.StartLeg():
                self._start(command)
            case values.OpenEnd():
                self.ends.open(command.end, command.play, command.record)
            case values.HoldWith():
                self.ends.hold_with(command.path)
            case values.CloseEnd():
                self.ends.close_one(command.end, time.monotonic())
            case (
                values.OpenDevice()
                | values.Record()
                | values.Play()
                | values.PlayInto()
                | values.HushEnd()
                | values.MuteEnd()
                | values.MixEnd()
                | values.ListenKeys()
                | values.LinkEnds()
            ):
                self._perform_on_end(command)
            case values.Register():
                self.terms.now.register(command)
            case values.Unregister():
                self.terms.now.unregister()
            case values.KeepAlive():
                self.terms.now.keep_alive(command)
            case _:
                leg = self.legs.get(command.leg)
                if leg is not None and not leg.over:
                    self._perform_on(leg, command)

    def _perform_on_end(
        self,
        command: values.OpenDevice
        | values.Record
        | values.Play
        | values.PlayInto
        | values.HushEnd
        | values.MuteEnd
        | values.MixEnd
        | values.ListenKeys
        | values.LinkEnds,
    ) -> None:
        ends = self.ends
        match command:
            case values.OpenDevice():
                ends.open_device(command.end, command.capture, command.playback)
            case values.Record():
                ends.get(command.end).record(command.path)
            case values.Play():
                ends.get(command.end).play(command.path)
            case values.PlayInto():
                ends.sound(command.end, command.paths, command.loop, time.monotonic())
            case values.HushEnd():
                ends.hush(command.end)
            case values.MuteEnd():
                ends.get(command.end).mute(command.on)
            case values.MixEnd():
                ends.get(command.end).mix(command.on)
            case values.ListenKeys():
                ends.listen(command.end, self._tap(command.end) if command.on else None)
            case values.LinkEnds():
                one, other = ends.get(command.end), ends.get(command.other)
                one.join(other) if command.on else one.part(other)

    def _tap(self, end: str) -> KeyTap | None:
        if self._listener is None:
            return None
        return KeyTap(end, self._listener(end), lambda heard: self.post(values.KeyHeard(end, heard)))

    def _perform_on(
        self,
        leg: Leg,
        command: values.Reinvite
        | values.EndLeg
        | values.AnswerLeg
        | values.HoldLeg
        | values.SendDigits
        | values.Connect
        | values.Disconnect,
    ) -> None:
        match command:
            case values.Reinvite():
                paths = self.terms.of(leg.account)
                # A leg of former terms keeps its server: Contact takes its transport from there.
                hop = command.hop if paths is self.terms.now else None
                with paths.pointed(leg.account, command.uplink, hop), self._preferring(leg.codecs):
                    leg.move(command.uplink, command.hold)
            case values.EndLeg():
                self._end(leg, command)
            case values.AnswerLeg():
                leg.answer_with(command.code)
            case values.HoldLeg():
                with self._preferring(leg.codecs):
                    leg.hold(command.on)
            case values.SendDigits():
                leg.dialDtmf(command.digits)
            case values.Connect():
                leg.connect(self.ends.get(command.end))
            case values.Disconnect():
                leg.connect(None)

    def _start(self, command: values.StartLeg) -> None:
        account = self.terms.now.account(command.uplink)
        replaced = self.legs.get(command.replaces) if command.replaces is not None else None
        with self.terms.now.pointed(account, command.uplink, command.hop):
            leg = Leg(
                account,
                command.leg,
                command.uplink,
                self.post,
                command.codecs or self.options.codecs,
                self.ends.hold,
            )
            self.legs[command.leg] = leg
            with self._preferring(leg.codecs):
                leg.start(command, replaced)

    def _end(self, leg: Leg, command: values.EndLeg) -> None:
        by = command.uplink or leg.uplink
        paths = self.terms.of(leg.account)
        if by != leg.uplink and paths.alike(by, leg.uplink):
            with paths.pointed(leg.account, by, None):
                leg.turn()
                leg.end(command.code)
        else:
            leg.end(command.code)

    # --- other terms ------------------------------------------------------------------------------

    def _configured(self, terms: values.Configure) -> None:
        """Legs to come are under these terms; those that are up keep their accounts."""
        options = self.options.under(terms)
        if options == self.options:
            return
        self._prefer(options.codecs)
        if replace(options, codecs=self.options.codecs) != self.options:
            self.terms.change(options, time.monotonic())
        self.options = options

    # --- callbacks --------------------------------------------------------------------------------

    def _account_of(self, arrived_at: str) -> int | None:
        account = self.terms.now.account_at(arrived_at)
        return None if account is None else int(account.getId())

    def _on_incoming(self, account: Account, uplink: str, call_id: int, source: str) -> None:
        self._incoming -= 1
        leg = Leg(account, self._incoming, uplink, self.post, self.options.codecs, self.ends.hold, call_id)
        self.legs[leg.number] = leg
        called, caller = leg.parties()
        self.post(values.LegIncoming(leg.number, uplink, called, caller, source))
