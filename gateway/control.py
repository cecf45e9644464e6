"""Door to the control sockets: one unix socket for each role, one JSON object a line.

Law: a client is who the kernel says it is (SO_PEERCRED), may say only what its role says, and can slow or
stop nobody but itself: too much unread output, too many open requests or one bad line end its connection.

This is the hub's side; link.py and client.py are the others.
"""

import asyncio
import contextlib
import fcntl
import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from gateway import wire
from gateway.errors import DoorError, GatewayError, RefusedError, WireError
from gateway.inbox import Post
from gateway.messages import AnyMessage, Done, Envelope, FromCalls, Refused, Verb

Role = Literal["ctl", "calls", "web"]

RUN_DIRECTORY = Path("/run/steadyline")
MAX_UNREAD_BYTES = 4 << 20
"""A client that leaves more than this unread is dropped."""
MAX_OPEN_REQUESTS = 64
MAX_CLIENTS = {"ctl": 32, "calls": 4, "web": 8}
MAX_WAITING = 1024
"""Items in the hub's inbox above which clients are not read from for a moment."""
_RESUME_AFTER_S = 0.02
_SO_PEERGROUPS = 59  # <asm-generic/socket.h>; Python's socket module does not name it


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may use the socket of `role`. `group` owns the file (None: left as created); besides root and the
    daemon's own user, the users in `uids` and the members of the groups in `gids` are let in."""

    role: Role
    group: str | None = None
    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()


def admit(role: Role, *, group: str, user: str = "", members: bool = False) -> Admission:
    """An admission by names: `group` owns the socket, `user` may connect, and so may the members of the
    group when `members`. Names that the system does not know admit nobody."""
    gid = uid = None
    with contextlib.suppress(KeyError):
        gid = grp.getgrnam(group).gr_gid
    with contextlib.suppress(KeyError):
        uid = pwd.getpwnam(user).pw_uid
    return Admission(
        role,
        group,
        frozenset() if uid is None else frozenset({uid}),
        frozenset({gid}) if members and gid is not None else frozenset(),
    )


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection; `number` is never used again."""

    role: Role
    number: int
    pid: int
    uid: int

    def __str__(self) -> str:
        return f"{self.role} client {self.number} (pid {self.pid}, uid {self.uid})"


@dataclass(frozen=True, slots=True)
class PeerCame:
    """A client was let in."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class PeerSaid:
    """One message of a client, allowed for its role."""

    peer: Peer
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class PeerGone:
    """The connection ended; `why` in words."""

    peer: Peer
    why: str


PeerEvent = PeerCame | PeerSaid | PeerGone


def check(role: Role, envelope: Envelope) -> None:
    """Raises WireError when a client of `role` may not say this."""
    body = envelope.body
    if role == "calls":
        answers = envelope.re > 0 and isinstance(body, Done | Refused | FromCalls)
        allowed = answers or (envelope.re == 0 and isinstance(body, FromCalls))
    else:
        allowed = isinstance(body, Verb) and envelope.re == 0
    if not allowed:
        raise WireError(
            f"a {type(body).__name__} is not for a {role} client to send"
            + (" as an answer" if envelope.re else ""),
            where=f"{role}.sock",
            remedy="Send what gateway/messages.py lists for this role",
        )
    if role != "calls" and envelope.id <= 0:
        raise WireError(
            "a request needs an id of 1 or more",
            where=f"{role}.sock",
            remedy="Number the requests of a connection from 1",
        )


# --- the hub's side -------------------------------------------------------------------------------


class Sockets:
    """The listening sockets and their clients. Events come out of `inbox`; use on its loop only."""

    def __init__(self, inbox: Post[PeerEvent]) -> None:
        self.inbox = inbox
        self._clients: dict[int, _Client] = {}
        self._last_number = 0
        self._servers: list[tuple[asyncio.Server, Path, int]] = []
        self._lock = -1

    def claim(self, directory: Path) -> None:
        """Be the only daemon of this directory from now on. Raises RefusedError when another one is,
        DoorError when the system does not let us."""
        try:
            self._lock = os.open(directory / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                "another daemon serves this directory",
                where=str(directory),
                remedy="Stop it first, or give another directory with --run",
            ) from None
        except OSError as error:
            raise _cannot_open(directory, error) from error

    async def listen(self, directory: Path, admissions: Iterable[Admission]) -> None:
        """Open `<role>.sock` for each admission, with its mode and group set before anybody can connect.

        Sockets that a killed daemon left are replaced. Claims the directory first, if that has not been done.
        Raises RefusedError and DoorError as `claim` does.
        """
        if self._lock < 0:
            self.claim(directory)
        try:
            for admission in admissions:
                path = directory / f"{admission.role}.sock"
                listener, inode = _bind(path, admission.group)
                server = await asyncio.get_running_loop().create_unix_server(
                    partial(_Client, self, admission), sock=listener
                )
                self._servers.append((server, path, inode))
        except OSError as error:
            raise _cannot_open(directory, error) from error

    async def adopt(self, connected: socket.socket, admission: Admission) -> None:
        """Take a connected socket (one end of a pair) as a client."""
        connected.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(
            lambda: _Client(self, admission), sock=connected
        )

    def send(self, peer: Peer, message: AnyMessage, *, id: int = 0, re: int = 0) -> bool:
        """Queue `message` for `peer`; False when it is not there any more. Never blocks, never raises:
        a client that does not read is dropped, and a message too long for the wire is answered as such."""
        client = self._clients.get(peer.number)
        return client is not None and client.send(Envelope(body=message, id=id, re=re))

    def peers(self, role: Role) -> list[Peer]:
        """The clients of this role, oldest first."""
        return [c.peer for c in self._clients.values() if c.peer.role == role]

    def drop(self, peer: Peer, why: str) -> None:
        """End a connection once what is queued for it has left."""
        if client := self._clients.get(peer.number):
            client.end(why)

    async def close(self) -> None:
        """End all connections, close the sockets and remove their files (those of a successor are left)."""
        for server, path, inode in self._servers:
            server.close()
            _remove(path, inode)
        for client in list(self._clients.values()):
            client.end("the daemon is stopping")
        for server, _, _ in self._servers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await server.wait_closed()
        self._servers.clear()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _enter(self, client: "_Client", credentials: tuple[int, int]) -> Peer:
        self._last_number += 1
        peer = Peer(client.admission.role, self._last_number, *credentials)
        self._clients[peer.number] = client
        self.inbox.post(PeerCame(peer))
        return peer

    def _leave(self, peer: Peer, why: str) -> None:
        if self._clients.pop(peer.number, None):
            self.inbox.post(PeerGone(peer, why))


class _Client(asyncio.Protocol):
    """One connection as the hub sees it."""

    peer: Peer

    def __init__(self, sockets: Sockets, admission: Admission) -> None:
        self.admission = admission
        self._sockets = sockets
        self._splitter = wire.LineSplitter()
        self._open: set[int] = set()
        self._why = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        role = self.admission.role
        pid, uid, gids = _credentials(transport.get_extra_info("socket"))
        if uid not in {0, os.geteuid()} | self.admission.uids and not gids & self.admission.gids:
            self._refuse(
                RefusedError(
                    f"user {uid} may not use {role}.sock",
                    where=f"{role}.sock",
                    remedy="Use root, or a user of the group that owns the socket",
                )
            )
        elif len(self._sockets.peers(role)) >= MAX_CLIENTS[role]:
            self._refuse(
                RefusedError(
                    f"{MAX_CLIENTS[role]} clients are connected already",
                    where=f"{role}.sock",
                    remedy="Close some of them",
                )
            )
        else:
            self.peer = self._sockets._enter(self, (pid, uid))

    def data_received(self, data: bytes) -> None:
        try:
            lines = self._splitter.feed(data)
        except WireError as error:
            return self._refuse(error)
        for line in lines:
            if self._why:
                return None
            self._take(line)
        if len(self._sockets.inbox) > MAX_WAITING:
            self._pause()
        return None

    def _take(self, line: bytes) -> None:
        re = 0
        try:
            envelope = wire.decode(line)
            re = envelope.id
            check(self.admission.role, envelope)
            if self.admission.role != "calls":
                self._open_request(envelope.id)
        except GatewayError as error:
            self._refuse(error, re)
        else:
            self._sockets.inbox.post(PeerSaid(self.peer, envelope))

    def _open_request(self, number: int) -> None:
        where = f"{self.admission.role}.sock"
        if number in self._open:
            raise WireError(
                f"request {number} is still open",
                where=where,
                remedy="Give each request of a connection its own id",
            )
        if len(self._open) >= MAX_OPEN_REQUESTS:
            raise RefusedError(
                f"{MAX_OPEN_REQUESTS} requests are open already",
                where=where,
                remedy="Wait for their answers",
            )
        self._open.add(number)

    def _pause(self) -> None:
        assert self._transport
        self._transport.pause_reading()
        asyncio.get_running_loop().call_later(_RESUME_AFTER_S, self._resume)

    def _resume(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if len(self._sockets.inbox) > MAX_WAITING:
            asyncio.get_running_loop().call_later(_RESUME_AFTER_S, self._resume)
        else:
            self._transport.resume_reading()

    def send(self, envelope: Envelope) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        self._open.discard(envelope.re)
        try:
            line = wire.encode(envelope)
        except WireError as error:
            line = wire.encode(Envelope(body=_refusal(error), re=envelope.re))
        self._transport.write(line)
        if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._why = f"it left more than {MAX_UNREAD_BYTES} bytes unread"
            self._transport.abort()
            return False
        return True

    def end(self, why: str) -> None:
        self._why = self._why or why
        if self._transport:
            self._transport.close()

    def _refuse(self, error: GatewayError, re: int = 0) -> None:
        self.send(Envelope(body=_refusal(error), re=re))
        self.end(error.what)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if hasattr(self, "peer"):
            self._sockets._leave(self.peer, self._why or (str(error) if error else "it closed"))


def _bind(path: Path, group: str | None) -> tuple[socket.socket, int]:
    """A listening socket at `path` and its inode; what stood there is replaced in one step.

    Beside `calls.sock` a directory `.calls` may stand whose set-group-id bit gives the socket its group, so
    that a daemon that may not chown needs no chown (systemd/tmpfiles.conf makes it).
    """
    nursery = path.with_name(f".{path.stem}")
    fresh = (nursery if nursery.is_dir() else path.parent) / f".{path.name}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(fresh))
        os.chmod(fresh, 0o660)
        born = fresh.stat()
        with contextlib.suppress(KeyError):  # no such group: only the owner can open the file
            if group is not None and (gid := grp.getgrnam(group).gr_gid) != born.st_gid:
                os.chown(fresh, -1, gid)
        listener.listen(64)
        os.rename(fresh, path)
    except BaseException:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener, born.st_ino


def _cannot_open(directory: Path, error: OSError) -> DoorError:
    return DoorError(
        f"cannot open the control sockets: {error}",
        where=str(directory),
        remedy="Check that the directory exists and belongs to the daemon's user",
    )


def _remove(path: Path, inode: int) -> None:
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def _refusal(error: GatewayError) -> Refused:
    return Refused(what=error.what, where=error.where, remedy=error.remedy)


def _credentials(connected: socket.socket) -> tuple[int, int, frozenset[int]]:
    """(pid, uid, all group ids) of the process at the other end, as it was when it connected (unix(7))."""
    size = struct.calcsize("3i")
    pid, uid, gid = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        raw = connected.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024)
    except OSError:  # more than 256 groups, or an old kernel: the primary one decides
        raw = b""
    return pid, uid, frozenset({gid, *struct.unpack(f"{len(raw) // 4}I", raw)})
