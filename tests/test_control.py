"""One suite for both carriers of the control protocol: a socket pair, and real socket files."""

import asyncio
import contextlib
import grp
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway import control, wire
from gateway import link as links
from gateway.control import (
    Admission,
    Peer,
    PeerCame,
    PeerEvent,
    PeerGone,
    PeerSaid,
    Role,
    Sockets,
)
from gateway.errors import DoorError, RefusedError, WireError
from gateway.inbox import Inbox
from gateway.link import Link, LinkDown, LinkEvent, LinkSaid, LinkUp
from gateway.messages import (
    AnyMessage,
    CallsReady,
    Dial,
    Done,
    Envelope,
    Event,
    Follow,
    GetStatus,
    MediaHeard,
    Paths,
    Refused,
)

READY = CallsReady(pid=1, engine="fake", max_calls=4)
Open = Callable[[Role], Awaitable[socket.socket]]


@contextlib.asynccontextmanager
async def _pair_world() -> AsyncIterator[tuple[Sockets, Open]]:
    sockets = Sockets(Inbox[PeerEvent]())

    async def open_one(role: Role) -> socket.socket:
        ours, theirs = socket.socketpair()
        await sockets.adopt(theirs, Admission(role))
        return ours

    try:
        yield sockets, open_one
    finally:
        await sockets.close()


@contextlib.asynccontextmanager
async def _file_world(directory: Path) -> AsyncIterator[tuple[Sockets, Open]]:
    sockets = Sockets(Inbox[PeerEvent]())
    await sockets.listen(directory, [Admission("ctl"), Admission("calls"), Admission("web")])

    async def open_one(role: Role) -> socket.socket:
        ours = socket.socket(socket.AF_UNIX)
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_connect(ours, str(directory / f"{role}.sock"))
        return ours

    try:
        yield sockets, open_one
    finally:
        await sockets.close()


Play = Callable[[Callable[[Sockets, Open], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["pair", "files"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scene with the hub's side and a way to open a client's socket."""

    def run(scene: Callable[[Sockets, Open], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            world = _pair_world() if request.param == "pair" else _file_world(tmp_path)
            async with asyncio.timeout(20), world as (sockets, open_one):
                await scene(sockets, open_one)

        asyncio.run(main())

    return run


async def _heard(sockets: Sockets) -> PeerEvent:
    assert isinstance(sockets.inbox, Inbox)
    async with asyncio.timeout(5):
        event: PeerEvent | None = await sockets.inbox.next()
    assert event is not None
    return event


async def _came(sockets: Sockets) -> Peer:
    event = await _heard(sockets)
    assert isinstance(event, PeerCame)
    return event.peer


async def _said(sockets: Sockets) -> PeerSaid:
    event = await _heard(sockets)
    assert isinstance(event, PeerSaid), event
    return event


async def _rest(client: socket.socket) -> bytes:
    """All that comes until the hub closes."""
    client.setblocking(False)
    loop, data = asyncio.get_running_loop(), b""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):
            while piece := await loop.sock_recv(client, 1 << 16):
                data += piece
    client.close()
    return data


def test_request_and_answer(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link = await links.adopt(await open_one("ctl"))
        peer = await _came(sockets)
        assert (peer.role, peer.pid, peer.uid) == ("ctl", os.getpid(), os.getuid())
        asked = asyncio.create_task(link.request(GetStatus(), 5))
        said = await _said(sockets)
        assert said.peer == peer and said.envelope.body == GetStatus()
        assert sockets.send(peer, Done(text="so"), re=said.envelope.id)
        assert await asked == Done(text="so")
        await link.close()
        assert await _heard(sockets) == PeerGone(peer, "it closed")
        assert not sockets.send(peer, Done(text="nobody"))

    play(scene)


def test_answers_find_their_request_in_any_order(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link = await links.adopt(await open_one("web"))
        peer = await _came(sockets)
        asked = [asyncio.create_task(link.request(Dial(phone="desk", digits=d), 5)) for d in "1234"]
        said = [await _said(sockets) for _ in asked]
        for one in reversed(said):
            assert isinstance(one.envelope.body, Dial)
            sockets.send(peer, Done(text=one.envelope.body.digits), re=one.envelope.id)
        assert [await a for a in asked] == [Done(text=d) for d in "1234"]
        await link.close()

    play(scene)


def test_events_come_unasked(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link = await links.adopt(await open_one("ctl"))
        peer = await _came(sockets)
        asked = asyncio.create_task(link.request(Follow(), 5))
        said = await _said(sockets)
        sockets.send(peer, Done(text="following"), re=said.envelope.id)
        events = [Event(at=float(n), kind="system", text=str(n)) for n in range(3)]
        for event in events:
            sockets.send(peer, event)
        sockets.drop(peer, "enough")
        assert await asked == Done(text="following")
        assert [e.body async for e in link] == events
        assert link.end is not None and "closed" in link.end.what
        await link.close()

    play(scene)


def test_hub_asks_and_calls_answers(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link = await links.adopt(await open_one("calls"))
        peer = await _came(sockets)
        link.send(READY)
        assert (await _said(sockets)).envelope == Envelope(body=READY)
        sockets.send(peer, Dial(phone="desk", digits="8888"), id=7)
        asked = await anext(aiter(link))
        link.send(Done(text="ringing"), re=asked.id)
        assert (await _said(sockets)).envelope == Envelope(body=Done(text="ringing"), re=7)
        await link.close()

    play(scene)


NOT_FOR_THEM: list[tuple[Role, Envelope]] = [
    ("ctl", Envelope(body=READY, id=1)),
    ("ctl", Envelope(body=MediaHeard(uplink="main"), id=1)),
    ("web", Envelope(body=Paths(paths=(), active="", cause=""), id=1)),
    ("ctl", Envelope(body=Done(text="x"), id=1)),
    ("ctl", Envelope(body=GetStatus(), id=1, re=1)),
    ("ctl", Envelope(body=GetStatus())),
    ("ctl", Envelope(body=GetStatus(), id=-1)),
    ("calls", Envelope(body=GetStatus(), id=1)),
    ("calls", Envelope(body=Dial(phone="desk", digits="1"), id=1)),
    ("calls", Envelope(body=Done(text="to nothing"))),
    ("calls", Envelope(body=Event(at=0.0, kind="system", text="forged"))),
]


@pytest.mark.parametrize(("role", "envelope"), NOT_FOR_THEM)
def test_a_role_says_only_what_it_may(play: Play, role: Role, envelope: Envelope) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        client = await open_one(role)
        peer = await _came(sockets)
        client.send(wire.encode(envelope) + wire.encode(envelope))
        [line] = (await _rest(client)).splitlines()
        answer = wire.decode(line)
        assert isinstance(answer.body, Refused) and answer.re == envelope.id
        assert await _heard(sockets) == PeerGone(peer, answer.body.what)

    play(scene)


@pytest.mark.parametrize(
    "bad",
    [
        b"hello\n",
        b"{}\n",
        b"\xff\xfe\n",
        b'{"body":{"type":"Dial","phone":"a"},"id":1}\n',
        b'{"body":{"type":"GetStatus"},"id":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b"x" * (wire.MAX_LINE_BYTES + 2),
    ],
    ids=["words", "empty", "not-utf8", "field-missing", "deep", "long"],
)
def test_a_bad_line_gets_one_answer_and_the_door(play: Play, bad: bytes) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        client = await open_one("ctl")
        client.setblocking(False)
        peer = await _came(sockets)

        async def push() -> None:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(client, bad)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(push())
            event = await _heard(sockets)
        assert isinstance(event, PeerGone) and event.peer == peer
        answer = wire.decode((await _rest(client)).splitlines()[0])
        assert isinstance(answer.body, Refused) and answer.body.remedy

    play(scene)


def test_a_link_reports_the_refusal_that_ended_it(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        raw = await open_one("ctl")
        link = await links.adopt(raw)
        await _came(sockets)
        pending = asyncio.create_task(link.request(GetStatus(), 5))
        await _said(sockets)
        raw.send(b"nonsense\n")
        with pytest.raises(WireError, match="not a message of this protocol"):
            await pending
        with pytest.raises(WireError):
            await link.request(GetStatus(), 5)
        await link.close()

    play(scene)


def test_silence_of_the_hub_is_an_error_with_a_remedy(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link = await links.adopt(await open_one("ctl"))
        with pytest.raises(DoorError, match="no answer to GetStatus within"):
            await link.request(GetStatus(), 0.01)
        await link.close()

    play(scene)


def test_too_many_open_requests_end_the_connection(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        client = await open_one("ctl")
        await _came(sockets)
        for n in range(1, control.MAX_OPEN_REQUESTS + 2):
            client.send(wire.encode(Envelope(body=GetStatus(), id=n)))
        answer = wire.decode((await _rest(client)).splitlines()[0])
        assert isinstance(answer.body, Refused) and "open already" in answer.body.what
        assert answer.re == control.MAX_OPEN_REQUESTS + 1

    play(scene)


def test_too_many_clients_are_told_so(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        good = [await open_one("web") for _ in range(control.MAX_CLIENTS["web"])]
        for _ in good:
            await _came(sockets)
        answer = wire.decode((await _rest(await open_one("web"))).splitlines()[0])
        assert isinstance(answer.body, Refused) and "connected already" in answer.body.what
        assert len(sockets.inbox) == 0
        for client in good:
            client.close()

    play(scene)


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_served(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        deaf = await open_one("ctl")
        deaf_peer = await _came(sockets)
        link = await links.adopt(await open_one("ctl"))
        good_peer = await _came(sockets)
        event = Event(at=0.0, kind="system", text="x" * 60_000)
        for _ in range(200):
            sockets.send(good_peer, event)
            sockets.send(deaf_peer, event)
            await asyncio.sleep(0)
            if sockets.peers("ctl")[0] != deaf_peer:
                break
            async with asyncio.timeout(5):
                assert (await anext(aiter(link))).body == event
        gone = await _heard(sockets)
        assert isinstance(gone, PeerGone) and gone.peer == deaf_peer and "unread" in gone.why
        sockets.send(good_peer, Done(text="still here"))
        await link.close()
        deaf.close()

    play(scene)


def test_a_flood_waits_in_the_client_not_in_the_hub(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        client = await open_one("calls")
        client.setblocking(False)
        await _came(sockets)
        line = wire.encode(Envelope(body=MediaHeard(uplink="main")))
        count = 60_000

        async def flood() -> None:
            await asyncio.get_running_loop().sock_sendall(client, line * count)

        sending = asyncio.create_task(flood())
        while len(sockets.inbox) <= control.MAX_WAITING:  # noqa: ASYNC110  (the inbox has one reader: us)
            await asyncio.sleep(0.001)
        most, seen = 0, 0
        while seen < count:
            most = max(most, len(sockets.inbox))
            await _said(sockets)
            seen += 1
        assert most < control.MAX_WAITING + (1 << 18) // len(line) + 1
        await sending
        client.close()

    play(scene)


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    """Another user, let through by the file's mode, is known by the kernel's word."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    nobody = 65534

    async def ask(gid: int) -> bytes:
        script = (
            "import os, socket, sys\n"
            f"os.setgroups([]); os.setgid({gid}); os.setuid({nobody})\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.connect(sys.argv[1])\n"
            'try: s.sendall(b\'{"body":{"type":"GetStatus"},"id":1}\\n\')\n'
            "except BrokenPipeError: pass\n"
            "print(s.recv(65536).decode(), end='')\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(tmp_path / "ctl.sock"), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return output

    async def main() -> None:
        sockets = Sockets(Inbox[PeerEvent]())
        await sockets.listen(tmp_path, [Admission("ctl", gids=frozenset({60_001}))])
        os.chmod(tmp_path / "ctl.sock", 0o666)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.owner() == "root" and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        refused = wire.decode(await ask(nobody))
        assert isinstance(refused.body, Refused) and f"user {nobody}" in refused.body.what
        assert len(sockets.inbox) == 0
        asking = asyncio.create_task(ask(60_001))
        peer = await _came(sockets)
        assert peer.uid == nobody
        said = await _said(sockets)
        sockets.send(peer, Done(text="a member"), re=said.envelope.id)
        assert wire.decode(await asking).body == Done(text="a member")
        await sockets.close()

    asyncio.run(main())


def test_files_have_their_modes_and_only_one_daemon_has_them(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "ctl.sock").write_text("left by somebody")
        first, second = Sockets(Inbox[PeerEvent]()), Sockets(Inbox[PeerEvent]())
        await first.listen(tmp_path, [Admission("ctl"), Admission("calls", group="no-such-group")])
        for role in ("ctl", "calls"):
            mode = (tmp_path / f"{role}.sock").stat().st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
        with pytest.raises(RefusedError, match="another daemon"):
            await second.listen(tmp_path, [Admission("ctl")])
        await second.close()
        link = await links.connect(tmp_path / "ctl.sock")
        await link.close()
        await first.close()
        assert not (tmp_path / "ctl.sock").exists()
        with pytest.raises(DoorError, match="systemctl start gateway"):
            await links.connect(tmp_path / "ctl.sock")
        third = Sockets(Inbox[PeerEvent]())
        await third.listen(tmp_path, [Admission("ctl")])
        await third.close()
        with pytest.raises(DoorError, match="cannot open the control sockets"):
            await Sockets(Inbox[PeerEvent]()).listen(tmp_path / "nowhere", [Admission("ctl")])

    asyncio.run(main())


def test_a_socket_gets_its_group_from_its_nursery(tmp_path: Path) -> None:
    """For a daemon that may not chown: the set-group-id directory gives the group, the rename keeps it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to another group")

    async def main() -> None:
        nursery = tmp_path / ".calls"
        nursery.mkdir()
        os.chown(nursery, -1, grp.getgrnam("audio").gr_gid)
        nursery.chmod(0o2700)
        sockets = Sockets(Inbox[PeerEvent]())
        await sockets.listen(tmp_path, [Admission("ctl"), Admission("calls")])
        assert (tmp_path / "calls.sock").group() == "audio" and list(nursery.iterdir()) == []
        assert (tmp_path / "ctl.sock").group() == grp.getgrgid(os.getegid()).gr_name
        await (await links.connect(tmp_path / "calls.sock")).close()
        await sockets.close()

    asyncio.run(main())


HUB = """
import asyncio, sys
from pathlib import Path
from gateway.control import Admission, PeerSaid, Sockets
from gateway.inbox import Inbox
from gateway.messages import Done, Event

async def main():
    sockets = Sockets(Inbox())
    await sockets.listen(Path(sys.argv[1]), [Admission("calls")])
    print("ready", flush=True)
    while event := await sockets.inbox.next():
        if isinstance(event, PeerSaid):
            sockets.send(event.peer, Event(at=0.0, kind="process", text="welcome"), id=1)

asyncio.run(main())
"""


def test_a_lasting_client_outlives_killed_hubs(tmp_path: Path) -> None:
    async def start() -> asyncio.subprocess.Process:
        hub = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HUB, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert hub.stdout and await hub.stdout.readline() == b"ready\n"
        return hub

    async def main() -> None:
        inbox = Inbox[LinkEvent]()
        path = tmp_path / "calls.sock"
        keeping = asyncio.create_task(links.keep_linked(path, inbox, longest_wait_s=0.1))
        for _ in range(3):
            hub = await start()
            up = await inbox.next()
            assert isinstance(up, LinkUp)
            up.link.send(READY)
            said = await inbox.next()
            assert isinstance(said, LinkSaid) and said.envelope.id == 1
            hub.send_signal(signal.SIGKILL)
            await hub.wait()
            assert isinstance(await inbox.next(), LinkDown)
            up.link.send(READY)  # lost, and harmless
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


def test_a_message_too_long_for_the_wire_is_answered_as_such(play: Play) -> None:
    async def scene(sockets: Sockets, open_one: Open) -> None:
        link: Link = await links.adopt(await open_one("ctl"))
        peer = await _came(sockets)
        asked = asyncio.create_task(link.request(GetStatus(), 5))
        said = await _said(sockets)
        huge: AnyMessage = Done(text="x" * wire.MAX_LINE_BYTES)
        sockets.send(peer, huge, re=said.envelope.id)
        answer = await asked
        assert isinstance(answer, Refused) and "too long" in answer.what
        await link.close()

    play(scene)
