"""The hub: routes messages between ctl, web, the calls process and the uplinks room.

Law: every request gets exactly one answer, in time, whatever dies meanwhile. The hub knows who asked whom;
what is done with channels the uplinks room decides, and what is done with calls the calls process decides.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, Never, Protocol

from gateway import wire
from gateway.changes import ChangeVerb, GetSupport, SupportNow
from gateway.control import Peer, PeerCame, PeerEvent, PeerGone, PeerSaid, Sockets
from gateway.errors import GatewayError, RefusedError
from gateway.inbox import Inbox
from gateway.messages import (
    AddressRefused,
    AnyMessage,
    AudioMissing,
    CallBlocked,
    CallEnded,
    CallMoved,
    CallsNow,
    CallsReady,
    Changed,
    ConfirmAddress,
    ConfirmResult,
    DevicesNow,
    DeviceView,
    Done,
    EmergencyCalls,
    Envelope,
    Event,
    EventKind,
    Follow,
    FromCalls,
    GetDevices,
    GetRecording,
    GetStatus,
    HangUp,
    HelpCalled,
    Identify,
    MediaHeard,
    MediaQuiet,
    ObserveAddress,
    Path,
    Paths,
    RecordingNow,
    Refused,
    StatusNow,
    TrunkPlan,
    UseUplink,
    Verb,
)
from gateway.records import RecordVerb
from gateway.schema import Settings
from gateway.status import CallView, SettingsStatus, Status, UplinkStatus
from gateway.verdict import Facts, Judge, Note

CALLS_ANSWER_S = 10.0
CONFIRM_ANSWER_S = 90.0
OBSERVE_S = 4.0
TURN_S = 1.0
"""The loop turns at least this often: its beat feeds the watchdog."""
RECENT = 200
"""So many lines of the timeline are kept for who asks for help."""

log = logging.getLogger("gateway.hub")


class Picture(Protocol):
    """What the uplinks room knows of the channels, as clients see it."""

    @property
    def uplinks(self) -> tuple[UplinkStatus, ...]: ...

    @property
    def active_uplink(self) -> str: ...

    @property
    def internet_uplink(self) -> str: ...

    @property
    def guard(self) -> Literal["standing", "absent"]: ...

    @property
    def provider_silent(self) -> bool: ...

    @property
    def ordered(self) -> str:
        """The owner's standing order of a channel; empty: by health."""


class Uplinks(Protocol):
    """The uplinks room as the hub needs it. It posts an `UplinksChanged` whenever one of the views has."""

    def now(self) -> Picture: ...

    def paths(self) -> Paths: ...

    def standing(self) -> bool:
        """Routes and guard are in the kernel as planned."""

    def use(self, uplink: str) -> str:
        """The owner's order (empty: by health). A sentence; raises RefusedError."""

    def media_quiet(self, report: MediaQuiet) -> None: ...

    def media_heard(self, uplink: str) -> None: ...

    def calls(self, counts: Mapping[str, int]) -> None:
        """Live calls by uplink."""

    async def admit(self, uplink: str) -> Path:
        """Let a confirmation call out by this uplink: guard first, then the path. Raises RefusedError."""

    async def observe(self, uplink: str, timeout_s: float) -> str:
        """Our address as the provider sees it on this uplink, asked now by OPTIONS; empty: no answer."""

    def release(self, uplink: str) -> None:
        """The confirmation call is over; what the ledger says counts again."""

    def rescue(self, on: bool) -> None:
        """A call for help: let trunk traffic out by every channel that has an address, while this is on."""


class Confirmations(Protocol):
    """Where verdicts on addresses are kept, and who is told of them."""

    async def settle(self, result: ConfirmResult, observed: str) -> Done | Refused:
        """Judge, store, tell the uplinks room; the answer for the one who asked."""

    async def revoke(self, uplink: str) -> None:
        """The provider has refused this uplink's address: it is not confirmed any more."""

    async def rename(self, names: Mapping[str, str]) -> None:
        """Uplinks have other names: old to new. What is confirmed stays confirmed."""

    async def recording(self, uplink: str) -> RecordingNow:
        """What was heard when this uplink was confirmed. Raises RefusedError, DoorError."""


class Changes(Protocol):
    """The settings room: the one that changes settings, and all that hangs on them."""

    def ask(self, verb: ChangeVerb, role: str, reply: Callable[[AnyMessage], None]) -> None:
        """`reply` is called exactly once."""

    def now(self) -> SettingsStatus: ...

    def settings(self) -> Settings | None:
        """What is in force; None: the box waits to be set up."""


class Past(Protocol):
    """The history room."""

    def happened(self, what: Event | CallEnded) -> None: ...

    def look(self, status: Status) -> None:
        """The appliance now; called at every turn."""

    def ask(self, verb: RecordVerb, reply: Callable[[AnyMessage], None]) -> None:
        """`reply` is called exactly once."""


@dataclass(frozen=True, slots=True)
class UplinksChanged:
    """The views of the uplinks room have changed; look again."""


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """The trunk's plan for the calls process is new (settings, or servers resolved anew)."""

    plan: TrunkPlan


@dataclass(frozen=True, slots=True)
class UplinksRenamed:
    """The owner calls uplinks by other names: old to new. Their addresses are confirmed as before."""

    names: Mapping[str, str]


HubEvent = PeerEvent | UplinksChanged | PlanChanged | UplinksRenamed | Event


@dataclass(slots=True)
class _Forward:
    """A request passed on to the calls process. `settle` gets its answer; a Refused when it is due."""

    settle: Callable[[AnyMessage], None]
    due: float


class Hub:
    """The loop. At each turn `told` is called with the verdict's sentence, `shown` with the whole picture,
    `beat` with the time. `failback_after_s` tells how long a channel is quiet before calls go back to it."""

    def __init__(
        self,
        inbox: Inbox[HubEvent],
        sockets: Sockets,
        uplinks: Uplinks,
        confirmations: Confirmations,
        *,
        told: Callable[[str], None] = lambda sentence: None,
        beat: Callable[[float], None] = lambda now: None,
        ready: Callable[[], None] = lambda: None,
        shown: Callable[[Status], None] = lambda status: None,
        failback_after_s: Callable[[], float] = lambda: 0.0,
        changes: Changes | None = None,
        past: Past | None = None,
        identify: Callable[[], bool] = lambda: False,
        devices: Callable[[], Sequence[DeviceView]] = tuple,
    ) -> None:
        self._inbox = inbox
        self._sockets = sockets
        self._uplinks = uplinks
        self._confirmations = confirmations
        self._told, self._beat, self._ready, self._shown = told, beat, ready, shown
        self._failback_after_s = failback_after_s
        self._changes = changes
        self._past = past
        self._identify = identify
        self._devices = devices
        self._recent = deque[Event](maxlen=RECENT)
        self._judge = Judge(asyncio.get_running_loop().time())
        self._logged = ("", "")
        self._plan: TrunkPlan | None = None
        self._paths: Paths | None = None
        self._calls: Peer | None = None
        self._engine: CallsReady | None = None
        self._calls_now = CallsNow(calls=(), phones=())
        self._numbers = count(1)
        self._forwards: dict[int, _Forward] = {}
        self._followers: set[Peer] = set()
        self._watchers: set[Peer] = set()
        self._seen: object = None
        self._confirming: set[str] = set()

    async def run(self) -> Never:
        """Until cancelled. An error in here ends the process (law 20)."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                now = loop.time()
                self._beat(now)
                due = min([now + TURN_S, *(f.due for f in self._forwards.values())])
                event = await self._inbox.next(until=due)
                self._expire(loop.time())
                if event is not None:
                    self._receive(event, tasks)
                self._show(self.status())
                if self._uplinks.standing():
                    self._ready()

    def status(self) -> Status:
        """The whole appliance now; its verdict is the one that page, lamp and line all show."""
        seen = self._uplinks.now()
        calls: Literal["running", "starting", "absent"] = (
            "running" if self._engine and self._plan else "starting" if self._calls else "absent"
        )
        kept = self._changes.now() if self._changes else SettingsStatus()
        verdict = self._judge.see(
            Facts(
                mode="normal" if self._changes is None or self._changes.settings() else "setup",
                notes=_notes(kept),
                uplinks=seen.uplinks,
                calls_process=calls,
                guard=seen.guard,
                provider_silent=seen.provider_silent,
                ordered=seen.ordered,
                failback_after_s=self._failback_after_s(),
            ),
            asyncio.get_running_loop().time(),
            time.time(),
        )
        return Status(
            verdict=verdict.sentence,
            action=verdict.action,
            lamp=verdict.lamp,
            active_uplink=seen.active_uplink,
            internet_uplink=seen.internet_uplink,
            calls_process=calls,
            guard=seen.guard,
            uplinks=seen.uplinks,
            calls=self._calls_now.calls,
            phones=self._calls_now.phones,
            settings=kept,
        )

    def live(self) -> Sequence[CallView]:
        """The calls that run."""
        return self._calls_now.calls

    def hang_up(self) -> None:
        """End every call, as far as anybody is there to do it."""
        for phone in sorted({call.phone for call in self._calls_now.calls} - {""}):
            with contextlib.suppress(RefusedError):
                self._ask_calls(HangUp(phone=phone), CALLS_ANSWER_S, lambda answer: None)

    def _show(self, status: Status) -> None:
        """Tell the lamp and systemd; the log only when there is something else to see or to do."""
        told = (status.lamp, status.action)
        if told != self._logged:
            self._logged = told
            log.info("%s %s", status.verdict, status.action, extra={"lamp": status.lamp})
        self._told(status.verdict)
        self._shown(status)
        if self._watchers and (seen := _without_figures(status)) != self._seen:
            self._seen = seen
            for peer in list(self._watchers):
                self._sockets.send(peer, Changed())
        if self._past is not None:
            self._past.look(status)

    # --- events -----------------------------------------------------------------------------------

    def _receive(self, event: HubEvent, tasks: asyncio.TaskGroup) -> None:
        match event:
            case PeerCame(peer):
                self._came(peer)
            case PeerSaid(peer, envelope) if peer.role == "calls":
                self._heard_calls(peer, envelope, tasks)
            case PeerSaid(peer, envelope):
                self._answer(peer, envelope, tasks)
            case PeerGone(peer, why):
                self._gone(peer, why)
            case UplinksChanged():
                self._send_paths()
            case PlanChanged(plan):
                if plan != self._plan:  # names are resolved again and again, mostly to the same servers
                    self._plan = plan
                    self._send_plan()
            case UplinksRenamed(names):
                tasks.create_task(self._confirmations.rename(names), name="rename")
            case Event():
                self._tell(event)

    def _came(self, peer: Peer) -> None:
        if peer.role != "calls":
            return
        if self._calls is not None:
            self._sockets.drop(self._calls, "a newer calls process took its place")
            self._forget_calls("another calls process took over")
        self._calls = peer

    def _gone(self, peer: Peer, why: str) -> None:
        self._followers.discard(peer)
        self._watchers.discard(peer)
        if peer == self._calls:
            self._calls = None
            self._forget_calls(f"the calls process left: {why}")
            self._note("process", f"The calls process left: {why}")

    def _forget_calls(self, why: str) -> None:
        self._engine = None
        self._uplinks.rescue(False)
        self._calls_now = CallsNow(calls=(), phones=())
        self._uplinks.calls({})
        for number in list(self._forwards):
            self._settle(number, Refused(what=why, where="calls process", remedy="Try again in a moment"))

    def _expire(self, now: float) -> None:
        for number in [n for n, forward in self._forwards.items() if forward.due <= now]:
            self._settle(
                number,
                Refused(
                    what="the calls process did not answer in time",
                    where="calls process",
                    remedy="Try again; if it stays so, see: journalctl -u gateway-calls",
                ),
            )

    def _settle(self, number: int, answer: AnyMessage) -> None:
        if forward := self._forwards.pop(number, None):
            forward.settle(answer)

    # --- the calls process ------------------------------------------------------------------------

    def _heard_calls(self, peer: Peer, envelope: Envelope, tasks: asyncio.TaskGroup) -> None:
        if peer != self._calls:
            return
        if envelope.re:
            self._settle(envelope.re, envelope.body)
            return
        body = envelope.body
        assert isinstance(body, FromCalls)
        match body:
            case CallsReady():
                self._engine = body
                self._note(
                    "process", f"The calls process is there: {body.engine}, {body.max_calls} calls at most."
                )
                self._send_plan()
                self._paths = None
                self._send_paths()
            case CallsNow():
                self._calls_now = body
                self._uplinks.calls(Counter(call.uplink for call in body.calls))
            case MediaQuiet():
                self._uplinks.media_quiet(body)
            case MediaHeard():
                self._uplinks.media_heard(body.uplink)
            case CallMoved():
                self._note("moved", _moved(body), uplink=body.to_uplink, call=body.call)
            case CallEnded():
                self._note("call", _ended(body), uplink=body.uplink, call=body.call)
                if self._past is not None:
                    self._past.happened(body)
            case EmergencyCalls():
                self._uplinks.rescue(body.calls > 0)
            case HelpCalled():
                self._note("emergency", _for_help(body, self._plan), call=body.call)
            case CallBlocked():
                who = f"{body.phone} to {body.number}"
                self._note("fraud", f"A call from {who} was stopped: {body.why}.", call=body.call)
            case AudioMissing():
                text = f"Call {body.call}: nothing is heard from the far end since it moved to {body.uplink}."
                self._note("call", text, uplink=body.uplink, call=body.call)
            case AddressRefused():
                self._note("trunk", _refused_here(body), uplink=body.uplink)
                tasks.create_task(self._confirmations.revoke(body.uplink), name=f"revoke {body.uplink}")
            case ConfirmResult():
                log.warning("A confirmation that nobody asked for: %s", body.uplink)

    def _send_plan(self) -> None:
        if self._calls and self._engine and self._plan:
            self._sockets.send(self._calls, self._plan)

    def _send_paths(self) -> None:
        paths = self._uplinks.paths()
        if self._calls and self._engine and paths != self._paths:
            self._paths = paths
            self._sockets.send(self._calls, paths)

    def _ask_calls(self, message: AnyMessage, timeout_s: float, settle: Callable[[AnyMessage], None]) -> None:
        """Pass a request on; `settle` is called exactly once. Raises RefusedError when nobody is there."""
        if self._calls is None or self._engine is None or self._plan is None:
            raise RefusedError(
                "the calls process is starting" if self._calls else "the calls process is not running",
                where="calls process",
                remedy="Try again in a moment" if self._calls else "Start it: systemctl start gateway-calls",
            )
        number = next(self._numbers)
        self._forwards[number] = _Forward(settle, asyncio.get_running_loop().time() + timeout_s)
        self._sockets.send(self._calls, message, id=number)

    # --- requests ---------------------------------------------------------------------------------

    def _answer(self, peer: Peer, envelope: Envelope, tasks: asyncio.TaskGroup) -> None:
        verb = envelope.body
        assert isinstance(verb, Verb)

        def reply(answer: AnyMessage) -> None:
            self._sockets.send(peer, answer, re=envelope.id)

        try:
            match verb:
                case GetStatus():
                    reply(StatusNow(status=self.status()))
                case Follow():
                    self._followers.add(peer)
                    if verb.changes:
                        self._watchers.add(peer)
                    reply(Done(text="Following."))
                case UseUplink():
                    reply(Done(text=self._uplinks.use(verb.uplink)))
                case ConfirmAddress():
                    self._begin_confirming(verb.uplink)
                    tasks.create_task(self._confirm(verb, reply), name=f"confirm {verb.uplink}")
                case ObserveAddress():
                    self._begin_confirming(verb.uplink)
                    tasks.create_task(self._observe(verb.uplink, reply), name=f"observe {verb.uplink}")
                case Identify():
                    reply(self._blink())
                case GetDevices():
                    reply(DevicesNow(devices=tuple(self._devices())))
                case GetRecording():
                    tasks.create_task(self._play(verb.uplink, reply), name=f"play {verb.uplink}")
                case GetSupport():
                    self._keeper().ask(verb, peer.role, lambda answer: reply(self._with_support(answer)))
                case _ if isinstance(verb, ChangeVerb):
                    self._keeper().ask(verb, peer.role, reply)
                case _ if isinstance(verb, RecordVerb):
                    self._history().ask(verb, reply)
                case _:
                    self._ask_calls(verb, CALLS_ANSWER_S, reply)
        except GatewayError as error:
            reply(_refusal(error))

    def _blink(self) -> Done:
        if not self._identify():
            raise RefusedError(
                "no lamp works on this box", where="panel", remedy="Go by the name on its label"
            )
        return Done(text="The lamp of the box blinks for half a minute.")

    def _keeper(self) -> Changes:
        if self._changes is None:
            raise RefusedError("nobody keeps settings here", where="settings", remedy="Ask the real daemon")
        return self._changes

    def _history(self) -> Past:
        if self._past is None:
            raise RefusedError("nobody keeps a history here", where="history", remedy="Ask the real daemon")
        return self._past

    def _with_support(self, answer: AnyMessage) -> AnyMessage:
        """What the hub knows, beside what the keeper gives."""
        if not isinstance(answer, SupportNow):
            return answer
        lines = [f"{event.at:.3f} {event.kind}: {event.text}" for event in self._recent]
        mine = {"status.json": wire.to_json(self.status()), "events.txt": "\n".join(lines) + "\n"}
        return SupportNow(parts={name: masked(text) for name, text in (mine | answer.parts).items()})

    def _begin_confirming(self, uplink: str) -> None:
        if uplink in self._confirming:
            raise RefusedError(
                f"{uplink} is being confirmed already", where=uplink, remedy="Wait for the call to end"
            )
        self._confirming.add(uplink)

    async def _confirm(self, verb: ConfirmAddress, reply: Callable[[AnyMessage], None]) -> None:
        """One confirmation from the order to the answer: admit, call, observe, judge, store."""
        admitted = False
        try:
            await self._uplinks.admit(verb.uplink)
            admitted = True
            self._send_paths()
            called: asyncio.Future[AnyMessage] = asyncio.get_running_loop().create_future()
            self._ask_calls(verb, CONFIRM_ANSWER_S, called.set_result)
            self._note("confirm", f"Calling from {verb.uplink} to confirm its address.", uplink=verb.uplink)
            result = await called
            if isinstance(result, ConfirmResult):
                observed = await self._uplinks.observe(verb.uplink, OBSERVE_S)
                answer: AnyMessage = await self._confirmations.settle(result, observed)
            else:
                answer = result
        except GatewayError as error:
            answer = _refusal(error)
        finally:
            self._confirming.discard(verb.uplink)
            if admitted:
                self._uplinks.release(verb.uplink)
        if isinstance(answer, Done | Refused):
            text = answer.text if isinstance(answer, Done) else f"{answer.what}. {answer.remedy}"
            self._note("confirm", text, uplink=verb.uplink)
        reply(answer)

    async def _observe(self, uplink: str, reply: Callable[[AnyMessage], None]) -> None:
        """One OPTIONS by one channel, whether its address is confirmed or not."""
        admitted = False
        try:
            path = await self._uplinks.admit(uplink)
            admitted = True
            asked_at = time.monotonic()
            observed = await self._uplinks.observe(uplink, OBSERVE_S)
            answer: Done | Refused = _observed(path, observed, round((time.monotonic() - asked_at) * 1000))
        except GatewayError as error:
            answer = _refusal(error)
        finally:
            self._confirming.discard(uplink)
            if admitted:
                self._uplinks.release(uplink)
        reply(answer)

    async def _play(self, uplink: str, reply: Callable[[AnyMessage], None]) -> None:
        try:
            reply(await self._confirmations.recording(uplink))
        except GatewayError as error:
            reply(_refusal(error))

    # --- timeline ---------------------------------------------------------------------------------

    def _note(self, kind: EventKind, text: str, *, uplink: str = "", call: int = 0) -> None:
        self._tell(Event(at=time.time(), kind=kind, text=text, uplink=uplink, call=call))

    def _tell(self, event: Event) -> None:
        self._recent.append(event)
        log.info("%s", event.text, extra={"kind": event.kind, "uplink": event.uplink, "call": event.call})
        if self._past is not None:
            self._past.happened(event)
        for peer in list(self._followers):
            self._sockets.send(peer, event)


def _without_figures(status: Status) -> object:
    """What a look at it would show, but for what is measured anew at every moment."""
    uplinks = [
        (u.name, u.state, u.sentence, u.address, u.public_address, u.observed_address, u.confirmed_at)
        for u in status.uplinks
    ]
    calls = [(c.call, c.phone, c.state, c.remote, c.uplink, c.moves) for c in status.calls]
    return (
        *(status.verdict, status.action, status.lamp, status.active_uplink, status.internet_uplink),
        *(status.calls_process, status.guard, status.settings, uplinks, calls, status.phones),
    )


def _notes(kept: SettingsStatus) -> tuple[Note, ...]:
    """What of the settings the owner should know while calls work."""
    notes = [Note(kept.restored)] if kept.restored else []
    notes += [Note(f"A change of {kept.trial} is on trial.")] if kept.trial else []
    notes += [Note(kept.vault_trouble, "See why: gatewayctl log.")] if kept.vault_trouble else []
    return tuple(notes)


def masked(text: str) -> str:
    """Telephone numbers show their beginning and their last two digits."""
    return re.sub(r"(?<![\w.:-])(\+?\d{4})\d{3,9}(\d{2})(?![\w.:-])", r"\1…\2", text)


def _refusal(error: GatewayError) -> Refused:
    return Refused(what=error.what, where=error.where, remedy=error.remedy)


def _observed(path: Path, observed: str, took_ms: int) -> Done | Refused:
    expected = path.public_address
    if not observed:
        what = f"the provider did not answer by {path.uplink} within {OBSERVE_S:g} s"
        return Refused(what=what, where=path.uplink, remedy=f"See: gatewayctl uplinks test {path.uplink}")
    if observed != expected:
        what = f"{path.uplink} leaves as {observed}; the settings say {expected}"
        remedy = "Check which cable is in which port, or correct the address and confirm it"
        return Refused(what=what, where=path.uplink, remedy=remedy)
    return Done(
        text=f"The provider sees {path.uplink} as {observed}, as it should; it answered in {took_ms} ms.",
        data={"observed": observed, "expected": expected, "took_ms": took_ms},
    )


def _refused_here(refused: AddressRefused) -> str:
    return (
        f"The provider refused a call from {refused.uplink} ({refused.sip_code}) and took it from "
        f"{refused.taken_from}: the address of {refused.uplink} is not confirmed any more. Check the trunk's "
        f"addresses in your profile at the provider, then: gatewayctl trunk confirm {refused.uplink}."
    )


def _for_help(called: HelpCalled, plan: TrunkPlan | None) -> str:
    room = f" Call {called.ended} was ended to make room for it." if called.ended else ""
    address = plan.help.address if plan else ""
    place = f" The address of the box: {' '.join(address.split())}." if address else ""
    return f"{called.phone} calls {called.number} for help.{room}{place}"


def _moved(moved: CallMoved) -> str:
    how = {"reinvite": "moved", "replaces": "was replaced by a new one", "redial": "was dialled again"}[
        moved.how
    ]
    return f"Call {moved.call} {how} from {moved.from_uplink} to {moved.to_uplink} in {moved.took_ms} ms."


def _ended(ended: CallEnded) -> str:
    way = "to" if ended.direction == "out" else "from"
    lasted = f"after {ended.ended_at - ended.answered_at:.0f} s" if ended.answered_at else "unanswered"
    code = f" ({ended.sip_code})" if ended.sip_code else ""
    return f"Call {ended.call} {way} {ended.remote} ended {lasted}{code}: {ended.reason}"
