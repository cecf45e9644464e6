"""The calls process with a daemon that is only a socket: it links, plans, refuses in words, and stays."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway import messages as m
from gateway.control import Admission, Peer, PeerCame, PeerGone, PeerSaid, Sockets
from gateway.exchange import Exchange
from gateway.inbox import Inbox
from gateway.link import keep_linked
from gateway.service import Service

M = TypeVar("M")
PORT = 5360


class Daemon:
    """The hub's side of the calls socket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inbox: Inbox[PeerCame | PeerSaid | PeerGone] = Inbox()
        self.sockets = Sockets(self.inbox)
        self.peer: Peer | None = None
        self.heard: list[Any] = []

    async def open(self) -> None:
        await self.sockets.listen(self.directory, [Admission("calls")])

    async def hear(self, kind: type[M], re: int = 0) -> M:
        """The next message of this kind (and in answer to `re`)."""
        async with asyncio.timeout(5):
            while True:
                for envelope in list(self.heard):
                    if isinstance(envelope.body, kind) and envelope.re == re:
                        self.heard.remove(envelope)
                        return envelope.body
                event = await self.inbox.next()
                if isinstance(event, PeerCame):
                    self.peer = event.peer
                elif isinstance(event, PeerSaid):
                    self.heard.append(event.envelope)

    def say(self, message: m.AnyMessage, id: int = 0) -> None:
        assert self.peer
        self.sockets.send(self.peer, message, id=id)


def plan(directory: Path) -> m.TrunkPlan:
    return m.TrunkPlan(
        domain="sip.provider.test",
        servers=(m.Server(address="127.0.0.3", port=PORT, transport="udp"),),
        login="trunk4444",
        country="GB",
        default_caller_id="443069990100",
        caller_ids=(),
        caller_id_rules=(),
        confirm_number="8888",
        assert_identity=False,
        codecs=("PCMA",),
        srtp="off",
        session_expires_s=1800,
        provider_networks=(),
        registration=None,
        incoming=(),
        phones=(m.PhonePlan(name="desk", kind="virtual"),),
        sip_port=PORT,
        rtp_ports=(16_000, 16_200),
        recordings=str(directory),
    )


def main_path(state: m.PathState) -> m.Paths:
    path = m.Path(
        uplink="main", device="lo", local_address="127.0.0.1", public_address="127.0.0.1", state=state
    )
    return m.Paths(paths=(path,), active="main" if state == "fit" else "", cause="test")


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator[tuple[Daemon, list[str]]]:
    """A daemon and a calls process that has found it; what systemd was told."""
    notified: list[str] = []
    daemon = Daemon(directory)
    await daemon.open()
    inbox: Inbox[Any] = Inbox()
    exchange = Exchange(inbox, Service(notified.append, {"WATCHDOG_USEC": "1000000"}))
    tasks = [
        asyncio.create_task(keep_linked(directory / "calls.sock", inbox)),
        asyncio.create_task(exchange.run()),
    ]
    try:
        yield daemon, notified
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        exchange.stop()
        await daemon.sockets.close()


def run(story: Callable[[Daemon, list[str]], Awaitable[None]], directory: Path) -> None:
    async def told() -> None:
        async with house(directory) as (daemon, notified):
            await story(daemon, notified)

    asyncio.run(told())


def test_it_says_what_it_is_and_needs_a_plan_before_it_dials(tmp_path: Path) -> None:
    async def story(daemon: Daemon, notified: list[str]) -> None:
        ready = await daemon.hear(m.CallsReady)
        assert ready.max_calls == 128
        daemon.say(m.Dial(phone="desk", digits="02079460001"), id=1)
        assert "settings have not come" in (await daemon.hear(m.Refused, re=1)).what
        assert any(line.startswith("READY=1") for line in notified)

    run(story, tmp_path)


def test_plan_and_paths_make_it_dial_and_its_log_tell(tmp_path: Path) -> None:
    async def story(daemon: Daemon, notified: list[str]) -> None:
        await daemon.hear(m.CallsReady)
        daemon.say(plan(tmp_path))
        daemon.say(main_path("fit"))
        daemon.say(m.Dial(phone="desk", digits="020 7946 0001"), id=1)
        assert (await daemon.hear(m.Done, re=1)).data["number"] == "442079460001"
        assert [c.uplink for c in (await daemon.hear(m.CallsNow)).calls] in ([], ["main"])
        daemon.say(m.HangUp(phone="desk"), id=2)
        await daemon.hear(m.Done, re=2)
        assert (await daemon.hear(m.CallEnded)).remote == "+44 20 7946 0001"
        daemon.say(m.HangUp(phone="desk"), id=3)
        assert "in no call" in (await daemon.hear(m.Refused, re=3)).what
        assert any(line.startswith("WATCHDOG=1") for line in notified)

    run(story, tmp_path)


def test_address_that_is_not_there_cannot_be_confirmed(tmp_path: Path) -> None:
    async def story(daemon: Daemon, notified: list[str]) -> None:
        await daemon.hear(m.CallsReady)
        daemon.say(plan(tmp_path))
        daemon.say(m.ConfirmAddress(uplink="main"), id=1)
        assert "no address" in (await daemon.hear(m.Refused, re=1)).what

    run(story, tmp_path)


def test_it_outlives_the_daemon_and_tells_a_new_one_everything(tmp_path: Path) -> None:
    async def story(daemon: Daemon, notified: list[str]) -> None:
        await daemon.hear(m.CallsReady)
        daemon.say(plan(tmp_path))
        daemon.say(main_path("fit"))
        daemon.say(m.Dial(phone="desk", digits="020 7946 0001"), id=1)
        await daemon.hear(m.Done, re=1)
        await daemon.sockets.close()
        again = Daemon(tmp_path)
        await again.open()
        try:
            await again.hear(m.CallsReady)
            assert [c.phone for c in (await again.hear(m.CallsNow)).calls] == ["desk"]
        finally:
            await again.sockets.close()

    run(story, tmp_path)


def test_other_ports_and_names_do_not_end_what_runs(tmp_path: Path) -> None:
    async def story(daemon: Daemon, notified: list[str]) -> None:
        await daemon.hear(m.CallsReady)
        daemon.say(plan(tmp_path))
        daemon.say(main_path("fit"))
        daemon.say(m.Dial(phone="desk", digits="020 7946 0001"), id=1)
        await daemon.hear(m.Done, re=1)
        new = msgspec.structs.replace(plan(tmp_path), sip_port=PORT + 4, rtp_ports=(16_300, 16_400))
        daemon.say(new)
        fibre = msgspec.structs.replace(main_path("fit").paths[0], uplink="fibre")
        daemon.say(m.Paths(paths=(fibre,), active="fibre", cause="test"))
        while True:
            calls = (await daemon.hear(m.CallsNow)).calls
            if [call.uplink for call in calls] == ["fibre"]:
                break
        daemon.say(m.ConfirmAddress(uplink="fibre"), id=2)
        daemon.say(m.HangUp(phone="desk"), id=3)
        await daemon.hear(m.Done, re=3)
        assert (await daemon.hear(m.CallEnded)).uplink == "fibre"

    run(story, tmp_path)


def test_engine_that_mixes_at_another_rate_is_started_when_no_call_is_up(tmp_path: Path) -> None:
    async def story() -> None:
        daemon = Daemon(tmp_path)
        await daemon.open()
        inbox: Inbox[Any] = Inbox()
        exchange = Exchange(inbox, Service(lambda line: None, {}))
        link = asyncio.create_task(keep_linked(tmp_path / "calls.sock", inbox))
        running = asyncio.ensure_future(_ending(exchange))
        await daemon.hear(m.CallsReady)
        daemon.say(plan(tmp_path))
        daemon.say(main_path("fit"))
        daemon.say(m.Dial(phone="desk", digits="020 7946 0001"), id=1)
        await daemon.hear(m.Done, re=1)
        daemon.say(msgspec.structs.replace(plan(tmp_path), codecs=("opus", "PCMA")))
        daemon.say(m.ExplainNumber(digits="020 7946 0001"), id=2)
        await daemon.hear(m.Done, re=2)
        assert not running.done(), "a call is up"
        daemon.say(m.HangUp(phone="desk"), id=3)
        async with asyncio.timeout(5):
            assert "another rate" in await running
        link.cancel()
        with suppress(asyncio.CancelledError):
            await link
        exchange.stop()
        await daemon.sockets.close()

    asyncio.run(story())


async def _ending(exchange: Exchange) -> str:
    """With what the process would end."""
    try:
        await exchange.run()
    except SystemExit as end:
        return str(end)
    return ""
