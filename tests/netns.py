"""Small throw-away network namespaces for tests: real kernels to talk to, gone at the end.

`Net` makes them under a prefix of its own, so that test runs side by side do not meet. `Space.run` starts a
program inside; `Space.inside` runs Python inside, on a thread that has moved there (network and /sys).
"""

import asyncio
import ctypes
import errno
import os
import secrets
import subprocess
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_REC_SLAVE = 0x4000 | 0x80000
_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


class Space:
    """One namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._children: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> str:
        """`ip` inside; raises CalledProcessError with what it said."""
        return _ip("-n", self.name, *arguments)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """A program inside, to its end; its output."""
        argv = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin).stdout

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A program inside that runs until the end of the test."""
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._children.append(child)
        return child

    def sysctl(self, key: str, value: str) -> None:
        """Set one kernel setting, such as `net.ipv4.ip_forward`."""
        self.run("sysctl", "-qw", f"{key}={value}")

    def call(self, work: Callable[[], T]) -> T:
        """`work()` inside; its result or exception."""
        results: list[T] = []
        errors: list[BaseException] = []

        def move_and_work() -> None:
            try:
                with open(f"/run/netns/{self.name}", "rb") as place:
                    _must(_libc.setns(place.fileno(), _CLONE_NEWNET), "setns")
                _must(_libc.unshare(_CLONE_NEWNS), "unshare")
                _must(_libc.mount(None, b"/", None, _MS_REC_SLAVE, None), "make / a slave")
                if _libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None) and ctypes.get_errno() != errno.EBUSY:
                    _must(-1, "mount /sys")  # EBUSY: called from inside, where it stands already
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller whole
                errors.append(error)

        thread = threading.Thread(target=move_and_work, name=self.name)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def inside(self, work: Callable[[], Awaitable[T]]) -> T:
        """`await work()` inside, on an event loop of its own."""

        async def main() -> T:
            return await work()

        return self.call(lambda: asyncio.run(main()))

    def close(self) -> None:
        """End what was started here and remove the namespace."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.wait(5)
            if child.stdout:
                child.stdout.close()
        _ip("netns", "del", self.name)


class Net:
    """All namespaces of one test: `with Net() as net: box = net.space("box")`."""

    def __init__(self) -> None:
        self._prefix = f"t{os.getpid()}-{secrets.token_hex(2)}-"
        self._spaces: list[Space] = []

    def space(self, name: str) -> Space:
        """A new namespace with loopback up."""
        space = Space(self._prefix + name)
        self._spaces.append(space)
        return space

    def wire(self, a: Space, device_a: str, b: Space, device_b: str) -> None:
        """A cable between two namespaces, both ends up."""
        _ip("-n", a.name, "link", "add", device_a, "type", "veth", "peer", device_b, "netns", b.name)
        a.ip("link", "set", device_a, "up")
        b.ip("link", "set", device_b, "up")

    def __enter__(self) -> "Net":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for space in self._spaces:
            space.close()


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
