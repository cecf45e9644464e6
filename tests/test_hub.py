"""The hub over real sockets, between a fake uplinks room and a fake calls process: one answer a request."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from gateway import control, hub
from gateway import link as links
from gateway.changes import GetSettings
from gateway.control import Sockets
from gateway.hub import Hub, HubEvent, PlanChanged, UplinksChanged
from gateway.inbox import Inbox
from gateway.link import Link, LinkSaid
from gateway.messages import (
    AddressRefused,
    AnyMessage,
    CallEnded,
    CallMoved,
    CallsNow,
    ConfirmAddress,
    ConfirmResult,
    Dial,
    Done,
    Event,
    Follow,
    GetStatus,
    MediaHeard,
    MediaQuiet,
    ObserveAddress,
    Refused,
    StatusNow,
    TrunkPlan,
    UseUplink,
)
from gateway.plan import trunk_plan
from gateway.schema import parse
from gateway.settings.confirmations import Ledger, Register
from gateway.status import CallView, Status
from tests.fakes import FakeCalls, FakeUplinks

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()


REFUSED_ON_MAIN = (
    "The provider refused a call from main (403) and took it from backup1: the address of main is not "
    "confirmed any more. Check the trunk's addresses in your profile at the provider, then: "
    "gatewayctl trunk confirm main."
)


class Stage:
    """A running hub; `ctl` is a client of it."""

    def __init__(self, directory: Path) -> None:
        self.inbox = Inbox[HubEvent]()
        self.sockets = Sockets(self.inbox)
        self.uplinks = FakeUplinks(changed=lambda: self.inbox.post(UplinksChanged()))
        self.told: list[str] = []
        self.shown: list[Status] = []
        self.ready = 0
        self.directory = directory
        self.ctl: Link
        self._links: list[Link] = []
        register = Register(directory, Ledger(), self.uplinks.confirmed)
        self.hub = Hub(
            self.inbox,
            self.sockets,
            self.uplinks,
            register,
            told=self.told.append,
            ready=self._ready,
            shown=self.shown.append,
        )

    def _ready(self) -> None:
        self.ready += 1

    async def connect(self, role: str) -> Link:
        link = await links.connect(self.directory / f"{role}.sock")
        self._links.append(link)
        return link

    async def start_calls(self, calls: FakeCalls, tasks: asyncio.TaskGroup, planned: bool = True) -> Link:
        """A calls process that is there, and `planned`: knows the trunk, without which it can do nothing."""
        link = await self.connect("calls")
        calls.up(link)

        async def serve() -> None:
            async for envelope in link:
                calls.hear(LinkSaid(link, envelope))

        tasks.create_task(serve())
        if planned:
            self.inbox.post(PlanChanged(trunk_plan(parse(EXAMPLE, "example.toml"), (), "/rec")))
            await self.until(lambda status: status.calls_process == "running")
        return link

    async def ask(self, message: AnyMessage) -> AnyMessage:
        return await self.ctl.request(message, 10)

    async def status(self) -> Status:
        answer = await self.ask(GetStatus())
        assert isinstance(answer, StatusNow)
        return answer.status

    async def until(self, judge: Callable[[Status], bool]) -> None:
        while not judge(await self.status()):  # each look is a round trip, so this is no busy loop
            pass

    async def close(self) -> None:
        for link in self._links:
            await link.close()
        await self.sockets.close()


def play(directory: Path, scene: Callable[[Stage, asyncio.TaskGroup], Awaitable[None]]) -> None:
    async def main() -> None:
        stage = Stage(directory)
        await stage.sockets.listen(
            directory, [control.Admission("ctl"), control.Admission("calls"), control.Admission("web")]
        )
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(stage.hub.run())
            try:
                stage.ctl = await stage.connect("ctl")
                await scene(stage, tasks)
            finally:
                running.cancel()
                await stage.close()

    asyncio.run(main())


def test_calls_process_that_does_not_know_the_trunk_yet_is_starting(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        await stage.start_calls(FakeCalls(), tasks, planned=False)
        await stage.until(lambda status: status.calls_process == "starting")
        answer = await stage.ask(Dial(phone="desk", digits="1"))
        assert isinstance(answer, Refused) and "is starting" in answer.what

    play(tmp_path, scene)


def test_plan_and_paths_go_to_the_calls_process_when_it_comes_and_when_they_change(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        plan = trunk_plan(parse(EXAMPLE, "x"), (), "/rec")
        stage.inbox.post(PlanChanged(plan))
        calls = FakeCalls()
        await stage.start_calls(calls, tasks, planned=False)
        await stage.until(lambda status: status.calls_process == "running")
        await stage.ask(UseUplink(uplink=""))
        assert calls.plans == [plan] and [p.active for p in calls.paths] == ["main"]
        stage.uplinks.confirmed_names.add("backup1")
        assert await stage.ask(UseUplink(uplink="backup1")) == Done(text="Calls leave by backup1.")
        other = msgspec.structs.replace(plan, country="DE")
        stage.inbox.post(PlanChanged(other))
        stage.inbox.post(PlanChanged(other))
        stage.inbox.post(UplinksChanged())
        await stage.ask(Dial(phone="desk", digits="1"))
        assert [p.active for p in calls.paths] == ["main", "backup1"], "told once for each change"
        assert calls.plans == [plan, other]
        again = FakeCalls()
        await stage.start_calls(again, tasks, planned=False)
        await stage.until(lambda status: status.calls_process == "running")
        await stage.ask(Dial(phone="desk", digits="1"))
        assert again.plans == [other] and again.paths == calls.paths[-1:]

    play(tmp_path, scene)


def test_a_calls_process_that_dies_answers_for_nothing(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        gone = await stage.ask(Dial(phone="desk", digits="1"))
        assert isinstance(gone, Refused) and "not running" in gone.what and "systemctl" in gone.remedy
        half = await stage.connect("calls")
        await stage.until(lambda status: status.calls_process == "starting")
        early = await stage.ask(Dial(phone="desk", digits="1"))
        assert isinstance(early, Refused) and "starting" in early.what
        await half.close()

        link = await stage.start_calls(FakeCalls(deaf=True), tasks)
        asked = [tasks.create_task(stage.ask(Dial(phone="desk", digits="1"))) for _ in range(3)]
        confirming = tasks.create_task(stage.ask(ConfirmAddress(uplink="main")))
        await stage.status()
        await link.close()
        for one in [*asked, confirming]:
            answer = await one
            assert isinstance(answer, Refused) and "the calls process left" in answer.what
        now = await stage.status()
        assert now.calls_process == "absent" and now.phones == () and stage.uplinks.counts == {}
        assert not stage.uplinks.admitted

    play(tmp_path, scene)


def test_silence_of_the_calls_process_is_answered_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CALLS_ANSWER_S", 0.05)
    monkeypatch.setattr(hub, "CONFIRM_ANSWER_S", 0.05)

    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        await stage.start_calls(FakeCalls(deaf=True), tasks)
        for verb in (Dial(phone="desk", digits="1"), ConfirmAddress(uplink="main")):
            answer = await stage.ask(verb)
            assert isinstance(answer, Refused) and "did not answer in time" in answer.what
        assert (await stage.status()).calls_process == "running"

    play(tmp_path, scene)


def test_the_newest_calls_process_counts(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        old = await stage.start_calls(FakeCalls(deaf=True), tasks)
        asked = tasks.create_task(stage.ask(Dial(phone="desk", digits="1")))
        await stage.status()
        await stage.start_calls(FakeCalls(), tasks)
        answer = await asked
        assert isinstance(answer, Refused) and "took over" in answer.what
        async for _ in old:
            pass
        assert old.end is not None
        assert isinstance(await stage.ask(Dial(phone="desk", digits="1")), Done)

    play(tmp_path, scene)


def test_a_confirmation_from_the_order_to_the_answer(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        calls = FakeCalls()
        await stage.start_calls(calls, tasks)
        watcher = await stage.connect("web")
        await watcher.request(Follow(), 5)
        stage.uplinks.observed["backup1"] = "198.51.100.20"
        answer = await stage.ask(ConfirmAddress(uplink="backup1"))
        assert isinstance(answer, Done) and answer.data["heard_ms"] == 2100
        assert not stage.uplinks.admitted and "backup1" in stage.uplinks.confirmed_names
        said = [await anext(aiter(watcher)), await anext(aiter(watcher))]
        texts = [e.body.text for e in said if isinstance(e.body, Event)]
        assert texts[0].startswith("Calling from backup1") and "backup1 is confirmed" in texts[1]

        stage.uplinks.observed["backup1"] = "192.0.2.99"
        drifted = await stage.ask(ConfirmAddress(uplink="backup1"))
        assert isinstance(drifted, Refused) and "192.0.2.99" in drifted.what
        assert "backup1" not in stage.uplinks.confirmed_names

        calls.result = Refused(what="no engine", where="calls", remedy="wait")
        assert await stage.ask(ConfirmAddress(uplink="backup1")) == calls.result
        nowhere = await stage.ask(ConfirmAddress(uplink="attic"))
        assert isinstance(nowhere, Refused) and "no channel attic" in nowhere.what

    play(tmp_path, scene)


def test_two_owners_confirm_one_uplink(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        calls = FakeCalls(deaf=True)
        link = await stage.start_calls(calls, tasks)
        first = tasks.create_task(stage.ask(ConfirmAddress(uplink="backup1")))
        while not calls.asked:
            await stage.status()
        second = await stage.ask(ConfirmAddress(uplink="backup1"))
        assert isinstance(second, Refused) and "already" in second.what
        assert stage.uplinks.admitted == {"backup1"}, "the first one's call still may leave"
        await link.close()
        assert isinstance(await first, Refused)

    play(tmp_path, scene)


def test_the_provider_is_asked_which_address_it_sees(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        silent = await stage.ask(ObserveAddress(uplink="backup1"))
        assert isinstance(silent, Refused) and "did not answer by backup1" in silent.what
        stage.uplinks.observed["backup1"] = "198.51.100.20"
        seen = await stage.ask(ObserveAddress(uplink="backup1"))
        assert isinstance(seen, Done) and seen.data["observed"] == seen.data["expected"] == "198.51.100.20"
        stage.uplinks.observed["backup1"] = "198.51.100.99"
        other = await stage.ask(ObserveAddress(uplink="backup1"))
        assert isinstance(other, Refused) and "198.51.100.99" in other.what and "correct" in other.remedy
        assert isinstance(await stage.ask(ObserveAddress(uplink="attic")), Refused)
        assert stage.uplinks.admitted == set(), "the way out is closed again"

    play(tmp_path, scene)


def test_what_calls_report_reaches_room_status_and_timeline(tmp_path: Path) -> None:
    call = CallView(
        call=1, phone="desk", direction="out", state="up", remote="442079460001", caller_id="442012345678",
        uplink="main", started_at=1.0,
    )  # fmt: skip
    moved = CallMoved(call=1, from_uplink="main", to_uplink="backup1", how="reinvite", took_ms=84)
    ended = CallEnded(
        call=1, direction="out", phone="desk", remote="442079460001", caller_id="442012345678",
        uplink="backup1", started_at=1.0, answered_at=2.0, ended_at=62.0, sip_code=200, reason="hung up",
        moves=1, attempts=("main",),
    )  # fmt: skip

    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        link = await stage.start_calls(FakeCalls(), tasks)
        await stage.ask(Follow())
        link.send(CallsNow(calls=(call, call), phones=()))
        link.send(MediaQuiet(uplink="main", calls=1, quiet_ms=100))
        link.send(MediaHeard(uplink="main"))
        link.send(moved)
        link.send(ended)
        link.send(AddressRefused(uplink="main", taken_from="backup1", sip_code=403))
        events = [(await anext(aiter(stage.ctl))).body for _ in range(3)]
        assert [e.text for e in events if isinstance(e, Event)] == [
            "Call 1 moved from main to backup1 in 84 ms.",
            "Call 1 to 442079460001 ended after 60 s (200): hung up",
            REFUSED_ON_MAIN,
        ]
        status = await stage.status()
        assert status.calls == (call, call) and stage.uplinks.counts == {"main": 2}
        assert [q.quiet_ms for q in stage.uplinks.quiet] == [100] and stage.uplinks.heard == ["main"]

    play(tmp_path, scene)


def test_verdict_and_readiness_follow_the_room(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        stage.uplinks.stands = False
        before = stage.ready
        stage.inbox.post(UplinksChanged())
        assert "guard" in (await stage.status()).verdict
        assert stage.ready == before
        stage.uplinks.stands = True
        await stage.start_calls(FakeCalls(), tasks)
        stage.uplinks.confirmed_names.add("backup1")
        status = await stage.status()
        assert (status.verdict, status.action) == ("Your phones work. Calls use Main.", "Nothing to do.")
        assert status.lamp == "main" == stage.shown[-1].lamp
        assert stage.told[-1] == (await stage.status()).verdict and stage.ready > before

    play(tmp_path, scene)


def test_forged_and_late_answers_are_nobodys(tmp_path: Path) -> None:
    forged = ConfirmResult(
        uplink="backup1", local_address="192.168.20.2", public_address="198.51.100.20",
        observed_address="198.51.100.20", verdict="confirmed", sip_code=200, reason="OK", heard_ms=1,
        recording="",
    )  # fmt: skip

    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        link = await stage.start_calls(FakeCalls(), tasks)
        link.send(Done(text="to nothing"), re=99)
        link.send(forged)
        assert isinstance(await stage.ask(Dial(phone="desk", digits="1")), Done)
        assert "backup1" not in stage.uplinks.confirmed_names, "nobody asked for this confirmation"

    play(tmp_path, scene)


def test_plans_go_to_calls_only_because_they_hold_a_password(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        await stage.ask(Follow())
        stage.inbox.post(PlanChanged(trunk_plan(parse(EXAMPLE, "x"), (), "/rec")))
        await stage.start_calls(FakeCalls(), tasks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                async for envelope in stage.ctl:
                    assert not isinstance(envelope.body, TrunkPlan)

    play(tmp_path, scene)


def test_without_a_keeper_changes_are_refused_in_words(tmp_path: Path) -> None:
    async def scene(stage: Stage, tasks: asyncio.TaskGroup) -> None:
        answer = await stage.ask(GetSettings())
        assert isinstance(answer, Refused) and answer.where == "settings"

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Call 1 to +442079460001 ended", "Call 1 to +4420…01 ended"),
        ('default_caller_id = "443069990100"', 'default_caller_id = "4430…00"'),
        ("203.0.113.2/30 and 2001:db8:1234567::1", "203.0.113.2/30 and 2001:db8:1234567::1"),
        ("at 1800000000.125 in 2026", "at 1800000000.125 in 2026"),
    ],
)
def test_numbers_are_masked_for_whoever_helps(text: str, shown: str) -> None:
    assert hub.masked(text) == shown
