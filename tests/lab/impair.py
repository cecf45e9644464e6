"""The weather: delay, jitter, loss, a rate and holes on each ISP's path, each direction on its own.

One real-time process in user space for all ISPs. In each ISP's namespace it holds two tun devices: what the
kernel routes into `up0` (from the box) comes out of `down0` (towards the core) when its time has come, and
so the other way.
Run as `python -m tests.lab.impair SOCKET ISP=NAMESPACE…`; `Weather` is its client. One JSON object a line.
"""

import contextlib
import errno
import fcntl
import gc
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from tests.lab.netns import LabError, enter

Direction = Literal["up", "down", "both"]

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_BATCH: Final = 64
_QUEUE_LIMIT: Final = 20_000
_RATE_BUFFER_NS: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class OneWay:
    """One direction of one ISP. Jitter is uniform, on top of the delay; order is kept unless `reorder`."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    reorder: bool = False
    hole: bool = False
    rate_kbit: float = 0.0


class _Way:
    """One direction at work: reads from one device, writes to the other."""

    __slots__ = ("carried", "dropped", "free_ns", "last_ns", "path", "read_fd", "write_fd")

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd, self.path = read_fd, write_fd, OneWay()
        self.last_ns = self.free_ns = self.carried = self.dropped = 0


def _open_tun(name: str) -> int:
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return handle


def _obey(line: bytes, ways: dict[tuple[str, str], _Way]) -> dict[str, object]:
    """Apply one request `{"isp", "direction", <fields of OneWay>}`; gives the time and the counters."""
    try:
        request = json.loads(line)
        isp, direction = request.pop("isp"), request.pop("direction")
        for one in ("up", "down") if direction == "both" else (direction,):
            way = ways[isp, one]
            way.path = replace(way.path, **request)
        return {
            "at": time.time(),
            "carried": {f"{i}.{d}": w.carried for (i, d), w in ways.items()},
            "dropped": {f"{i}.{d}": w.dropped for (i, d), w in ways.items()},
        }
    except (KeyError, TypeError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _carry(ways: dict[tuple[str, str], _Way], listener: socket.socket) -> None:
    by_fd = {way.read_fd: way for way in ways.values()}
    clients: dict[int, socket.socket] = {}
    queue: list[tuple[int, int, _Way, bytes]] = []
    number = 0
    clock, draw, push, pop = time.monotonic_ns, random.random, heapq.heappush, heapq.heappop
    while True:
        wait = max(0.0, (queue[0][0] - clock()) / 1e9) if queue else None
        ready, _, _ = select.select([*by_fd, listener.fileno(), *clients], [], [], wait)
        now = clock()
        for fd in ready:
            way = by_fd.get(fd)
            if way is None:
                if fd == listener.fileno():
                    client, _ = listener.accept()
                    clients[client.fileno()] = client
                elif line := clients[fd].recv(65536):
                    clients[fd].sendall(json.dumps(_obey(line, ways)).encode() + b"\n")
                else:
                    clients.pop(fd).close()
                continue
            path = way.path
            for _ in range(_BATCH):
                try:
                    packet = os.read(fd, 65535)
                except BlockingIOError:
                    break
                if path.hole or (path.loss and draw() < path.loss) or len(queue) >= _QUEUE_LIMIT:
                    way.dropped += 1
                    continue
                due = now + int(path.delay_ms * 1e6)
                if path.rate_kbit:
                    start = max(now, way.free_ns)
                    if start - now > _RATE_BUFFER_NS:
                        way.dropped += 1
                        continue
                    way.free_ns = start + int(len(packet) * 8e6 / path.rate_kbit)
                    due += way.free_ns - now
                if path.jitter_ms:
                    due += int(draw() * path.jitter_ms * 1e6)
                if not path.reorder:
                    way.last_ns = due = max(due, way.last_ns)
                number += 1
                push(queue, (due, number, way, packet))
        now = clock()
        while queue and queue[0][0] <= now:
            _, _, way, packet = pop(queue)
            try:
                os.write(way.write_fd, packet)
                way.carried += 1
            except OSError as error:  # the device is down or full: a real path would lose it as well
                if error.errno not in (errno.EIO, errno.EAGAIN, errno.ENOBUFS, errno.EINVAL):
                    raise
                way.dropped += 1


def main(arguments: list[str]) -> None:
    """Open the devices, say "ready" on stdout, carry packets for ever."""
    path, *places = arguments
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    ways: dict[tuple[str, str], _Way] = {}
    for place in places:
        isp, namespace = place.split("=")
        enter(namespace)
        up, down = _open_tun("up0"), _open_tun("down0")
        ways[isp, "up"], ways[isp, "down"] = _Way(up, down), _Way(down, up)
    import ctypes

    ctypes.CDLL(None).setns(home, 0)
    os.close(home)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(40))
    gc.disable()
    print("ready", flush=True)
    _carry(ways, listener)


class Weather:
    """Client of the impairment process. Raises LabError when it refuses a request."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(5)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")
        self.dropped: dict[str, int] = {}
        self.carried: dict[str, int] = {}

    def set(self, isp: str, direction: Direction, **changes: float | bool) -> float:
        """Change fields of `OneWay` (none: read counters); gives the Unix time at which it took effect."""
        unknown = changes.keys() - asdict(OneWay()).keys()
        if unknown:
            raise LabError(f"impairment: no such setting {', '.join(sorted(unknown))}")
        self._socket.sendall(json.dumps({"isp": isp, "direction": direction, **changes}).encode() + b"\n")
        answer = json.loads(self._file.readline())
        if "error" in answer:
            raise LabError(f"impairment: {answer['error']}")
        self.carried, self.dropped = answer["carried"], answer["dropped"]
        return float(answer["at"])

    def close(self) -> None:
        """Leave; the paths stay as they are."""
        self._file.close()
        self._socket.close()


if __name__ == "__main__":
    main(sys.argv[1:])
