"""The calls process: opens the engine, the phones and the link to the daemon; lets trunk and desk work.

It decides nothing. Without the daemon it goes on with what it was told last; running calls do not need it.
"""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from gateway import messages as m
from gateway.analog import AnalogPhones, WantedPort
from gateway.calls import quiet
from gateway.calls.aliases import Aliases
from gateway.calls.ears import Ears
from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v
from gateway.calls.tally import Tally
from gateway.calls.trunk import Trunk
from gateway.errors import DoorError, GatewayError
from gateway.inbox import Inbox
from gateway.link import Link, LinkDown, LinkEvent, LinkSaid, LinkUp, keep_linked
from gateway.phones.addresses import addresses
from gateway.phones.desk import Desk
from gateway.phones.kept import Kept
from gateway.phones.model import Digit, DigitBegan, FromPhone
from gateway.phones.sounds import Sounds
from gateway.phones.usb import UsbPhones
from gateway.phones.usbmodel import Wanted
from gateway.service import Service

log = logging.getLogger(__name__)

MAX_CALLS = 128
ENGINE_SILENT_S = 5.0
"""An engine thread that has not turned for so long hangs: the watchdog is not fed any more."""
TURN_S = 1.0
LINK_AGAIN_S = 0.2
"""A daemon that was killed is back within a second: do not sleep past it."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_Event = LinkEvent | v.Event | quiet.Quiet | quiet.Heard | FromPhone

_OF_PHONES = (m.Dial, m.Lift, m.Press, m.Flash, m.Answer, m.HangUp, m.Hold, m.SendDigits, m.PlayFile)


class _HearingEars(Ears):
    """Ears whose phones are listened to: who hears their keys is told what they hear."""

    def __init__(self, engine: v.Engine, analog: AnalogPhones) -> None:
        super().__init__(engine)
        self._analog = analog

    def play_into(self, end: str, paths: tuple[str, ...], loop: bool) -> None:
        self._analog.hears(end, paths)
        super().play_into(end, paths, loop)

    def hush(self, end: str) -> None:
        self._analog.hears(end, ())
        super().hush(end)


class Exchange:
    """Everything of the calls process, for one life of its engine."""

    def __init__(self, inbox: Inbox[_Event], service: Service) -> None:
        self._inbox = inbox
        self._service = service
        self._link: Link | None = None
        self._engine: Engine | None = None
        self._options: EngineOptions | None = None
        self._trunk: Trunk | None = None
        self._desk: Desk | None = None
        self.usb = UsbPhones(inbox, {})
        self.analog = AnalogPhones(inbox)
        """Their tasks are the main's to run."""
        self._sounds: Sounds | None = None
        self._directory = Path(tempfile.mkdtemp(prefix="steadyline-sounds-"))
        self._paths: m.Paths | None = None
        self._aliases = Aliases()
        self._outgrown = False

    async def run(self) -> None:
        """Until the engine ends (DoorError: systemd starts us anew), or no call is up and new settings need
        another engine."""
        self._service.ready()
        while True:
            due = time.monotonic() + TURN_S
            if self._trunk and self._trunk.due is not None:
                due = min(due, self._trunk.due)
            if self._desk and self._desk.due is not None:
                due = min(due, self._desk.due)
            event = await self._inbox.next(until=due)
            if event is not None:
                self._take(event)
            if self._trunk and self._desk:
                self._trunk.tick()
                self._desk.tick()
                if self._outgrown and self._trunk.idle:
                    raise SystemExit("the SIP engine is to mix at another rate; starting anew")
            self._feed_watchdog()

    def _take(self, event: _Event) -> None:
        match event:
            case LinkUp():
                self._link = event.link
                self._send(m.CallsReady(pid=os.getpid(), engine="pjsip", max_calls=MAX_CALLS))
                if self._trunk:
                    self._trunk.publish(always=True)
            case LinkDown():
                self._link = None
                log.warning("the daemon is gone (%s); calls go on as they are", event.why)
            case LinkSaid():
                self._said(event)
            case FromPhone():
                if self._desk:
                    self._desk.heard(event)
                    self.analog.follow(event)
            case v.KeyHeard(end, DigitBegan() | Digit() as heard):
                if self._desk:
                    self._desk.heard(FromPhone(end, heard))
            case v.EndSpoken(end):
                if self._desk:
                    self._desk.spoken(end)
            case _:
                if self._trunk:
                    self._trunk.engine_event(event)

    def _said(self, said: LinkSaid) -> None:
        body, number = said.envelope.body, said.envelope.id
        try:
            match body:
                case m.TrunkPlan():
                    self._planned(body)
                case m.Paths():
                    renames = self._aliases.renames
                    self._paths = self._aliases.inward(body)
                    self._follow(self._paths)
                    if self._trunk and self._aliases.renames > renames:
                        self._trunk.publish(always=True)
                case m.ConfirmAddress():

                    def confirmed(result: m.ConfirmResult) -> None:
                        if number:
                            said.link.send(self._aliases.outward(result), re=number)

                    self._ready().confirm(self._aliases.key(body.uplink), confirmed)
                case _ if isinstance(body, m.Verb):
                    trunk = self._ready()
                    done = (
                        self._desk.verb(body)
                        if self._desk and isinstance(body, _OF_PHONES)
                        else trunk.verb(body)
                    )
                    if number:
                        said.link.send(done, re=number)
                case _:
                    log.warning("the daemon sent a %s; it is ignored", type(body).__name__)
        except GatewayError as error:
            if number:
                refused = m.Refused(what=error.what, where=error.where, remedy=error.remedy)
                said.link.send(refused, re=number)
            else:
                log.error("%s", error)

    def _ready(self) -> Trunk:
        if self._trunk is None:
            raise DoorError(
                "the trunk's settings have not come yet", where="calls process", remedy="Try again"
            )
        return self._trunk

    def _planned(self, plan: m.TrunkPlan) -> None:
        options = EngineOptions(
            max_calls=MAX_CALLS,
            sip_port=plan.sip_port,
            rtp_ports=plan.rtp_ports,
            codecs=plan.codecs,
            srtp=plan.srtp,
            session_expires_s=plan.session_expires_s,
        )
        if self._trunk is not None and self._desk is not None and self._options is not None:
            self._trunk.replan(plan)
            self._desk.replan(plan.phones, plan.dialling, self._sounds_of(plan))
            self._connect_phones(plan, self._desk)
            self._outgrown = options.wideband != self._options.wideband
            return
        self._options = options
        self._engine = Engine(self._inbox.post, options, self.analog.listener)
        self._engine.start()
        sounds = self._sounds_of(plan)
        self._desk = Desk(
            _HearingEars(self._engine, self.analog), sounds, addresses, kept=Kept(Path(plan.recordings))
        )
        self._trunk = Trunk(
            plan,
            self._engine,
            self._desk,
            self._send,
            book=Tally(Path(plan.recordings)),
            capacity=MAX_CALLS,
        )
        self._desk.connect(self._trunk, self._trunk.publish)
        self._desk.replan(plan.phones, plan.dialling, sounds)
        self._connect_phones(plan, self._desk)
        if self._paths:
            self._follow(self._paths)

    def _connect_phones(self, plan: m.TrunkPlan, desk: Desk) -> None:
        """The doors of the phones that are hardware."""
        usb = {phone.name: Wanted(phone.usb, phone.keys) for phone in plan.phones if phone.kind == "usb"}
        for name in usb:
            desk.attach(name, self.usb.hardware(name))
        self.usb.want(usb)
        analog = {
            phone.name: WantedPort(phone.port, phone.country or plan.country, phone.ring_hz)
            for phone in plan.phones
            if phone.kind == "analog"
        }
        assert self._engine is not None
        self.analog.want(analog, Ears(self._engine), self._directory)
        for name in analog:
            if (hardware := self.analog.hardware(name)) is not None:
                desk.attach(name, hardware)

    def _sounds_of(self, plan: m.TrunkPlan) -> Sounds:
        if self._sounds is None:
            self._sounds = Sounds(self._directory, plan.country, plan.dialling.language)
        self._sounds.settle(plan.country, plan.dialling.language)
        return self._sounds

    def _follow(self, paths: m.Paths) -> None:
        """The daemon's picture of the uplinks, for calls and for what the handsets tell of it."""
        if self._trunk is None or self._desk is None:
            return
        self._trunk.paths(paths)
        names = [path.uplink for path in paths.paths]
        self._desk.channel(names.index(paths.active) if paths.active in names else None)

    def _send(self, message: m.FromCalls) -> None:
        if self._link is not None:
            self._link.send(self._aliases.outward(message))

    def _feed_watchdog(self) -> None:
        if self._engine is None:
            self._service.watchdog()
            return
        if not self._engine.running:
            raise DoorError("the SIP engine ended", where="calls process", remedy="See the lines above")
        if time.monotonic() - self._engine.alive_at < ENGINE_SILENT_S or not self._engine.alive_at:
            self._service.watchdog()

    def stop(self) -> None:
        """Hang up what is up, in order."""
        self._service.stopping()
        if self._engine is not None:
            self._engine.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


async def serve(run_directory: Path) -> None:
    """The calls process until it is told to stop (SIGTERM) or its engine ends."""
    inbox: Inbox[_Event] = Inbox()
    exchange = Exchange(inbox, Service())
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signal_number in _STOP_SIGNALS:
        loop.add_signal_handler(signal_number, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(
                    keep_linked(run_directory / "calls.sock", inbox, longest_wait_s=LINK_AGAIN_S), name="link"
                ),
                tasks.create_task(exchange.run(), name="exchange"),
                tasks.create_task(exchange.usb.run(), name="usb"),
                tasks.create_task(exchange.analog.run(), name="analog"),
            ]
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        exchange.stop()
