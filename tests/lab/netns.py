"""Door to network namespaces and child processes: all that the laboratory starts ends with it, by its pid.

Every child carries PR_SET_PDEATHSIG, so it dies with the thread that started it; a janitor of a few lines of
shell holds a pipe and deletes namespaces and scratch files when that pipe closes, however the parent ended.
"""

import contextlib
import ctypes
import os
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_REPOSITORY = Path(__file__).resolve().parents[2]

_JANITOR = """
cat >/dev/null
scratch=$1; shift
for n in "$@"; do
  for p in $(ip netns pids "$n" 2>/dev/null); do kill -TERM "$p" 2>/dev/null; done
done
for n in "$@"; do
  for i in 1 2 3 4 5 6 7 8 9 10; do [ -z "$(ip netns pids "$n" 2>/dev/null)" ] && break; sleep 0.05; done
  for p in $(ip netns pids "$n" 2>/dev/null); do kill -KILL "$p" 2>/dev/null; done
  ip netns delete "$n" 2>/dev/null
done
rm -rf -- "$scratch"
"""


class LabError(Exception):
    """The laboratory could not be built, or did not do what it was told; the text says what and why."""


def enter(namespace: str) -> None:
    """Move the calling thread into `namespace`. Raises LabError if it does not exist."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET):
            raise LabError(f"setns {namespace}: {os.strerror(ctypes.get_errno())}")


def inside(namespace: str, work: Callable[[], T]) -> T:
    """Run `work` in a short-lived thread that lives in `namespace`; sockets that it opens stay there."""
    result: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            enter(namespace)
            result.append(work())
        except BaseException as error:  # noqa: BLE001  carried to the caller below
            failure.append(error)

    thread = threading.Thread(target=body, name=f"in-{namespace}")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def await_ready(child: "subprocess.Popen[bytes]", what: str, timeout_s: float = 10.0) -> None:
    """Wait for the line "ready" of a child; its stdout stays open and unread afterwards. Raises LabError."""
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], timeout_s)
    if not ready or child.stdout.readline() != b"ready\n":
        raise LabError(f"{what} did not start (exit code {child.poll()}): see its log")


class Site:
    """The namespaces of one laboratory and the processes in them. Not thread-safe; close() is idempotent.

    `logs` stays, `scratch` (configurations, control sockets) goes with the laboratory.
    """

    def __init__(self, names: Sequence[str], logs: Path) -> None:
        self.prefix = f"sl{os.getpid():x}{secrets.token_hex(2)}"
        self.logs = logs
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self._names = {name: f"{self.prefix}-{name}" for name in names}
        self._children: list[subprocess.Popen[bytes]] = []
        logs.mkdir(parents=True, exist_ok=True)
        self._janitor = subprocess.Popen(
            ["/bin/sh", "-c", _JANITOR, "janitor", str(self.scratch), *self._names.values()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.ip("\n".join(f"netns add {full}" for full in self._names.values()), None)
        for name in names:
            self.ip("link set lo up", name)

    def full(self, name: str) -> str:
        """The namespace's name as `ip netns` knows it."""
        return self._names[name]

    def ip(self, batch: str, name: str | None) -> None:
        """Run iproute2 commands, one a line, in a namespace (None: outside). Raises LabError.

        Lines that begin with "-6 " run after the others, since a batch has one family.
        """
        place = ["-n", self.full(name)] if name else []
        lines = batch.splitlines()
        self.run(["ip", *place, "-batch", "-"], stdin="\n".join(x for x in lines if not x.startswith("-6 ")))
        if six := [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ")]:
            self.run(["ip", "-6", *place, "-batch", "-"], stdin="\n".join(six))

    def run(
        self, argv: Sequence[str], *, name: str | None = None, stdin: str = "", timeout_s: float = 20.0
    ) -> str:
        """Run a short command to its end and give its output. Raises LabError if it fails."""
        full = [*(["ip", "netns", "exec", self.full(name)] if name else []), *argv]
        done = subprocess.run(
            full, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise LabError(
                f"{' '.join(full)}: {done.stderr.strip() or done.stdout.strip()} [{stdin.strip()[:400]}]"
            )
        return done.stdout

    def popen(self, name: str | None, argv: Sequence[str], *, log: str | None = None, **keywords: Any) -> Any:
        """Start a child in a namespace (None: outside). Its output goes to `<logs>/<log>.log` if asked.

        `keywords` are subprocess.Popen's. The child gets SIGKILL when the calling thread ends.
        """
        inner = ["ip", "netns", "exec", self.full(name)] if name else []
        sink: IO[bytes] | None = None
        if log is not None:
            sink = open(self.logs / f"{log}.log", "ab")  # noqa: SIM115  closed below, the child keeps its copy
            keywords.setdefault("stdout", sink)
            keywords.setdefault("stderr", subprocess.STDOUT)
        keywords.setdefault("stdin", subprocess.DEVNULL)
        keywords.setdefault("cwd", _REPOSITORY)
        try:
            child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *inner, *argv], **keywords)
        finally:
            if sink is not None:
                sink.close()
        self._children.append(child)
        return child

    def stop(self, child: "subprocess.Popen[Any]", *, grace_s: float = 1.5) -> None:
        """End one child: SIGTERM, then SIGKILL after `grace_s`."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(grace_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        _close_pipes(child)
        with contextlib.suppress(ValueError):
            self._children.remove(child)

    def socket(
        self, name: str, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM, protocol: int = 0
    ) -> socket.socket:
        """A socket of this process that lives in a namespace."""
        return inside(self.full(name), lambda: socket.socket(family, kind, protocol))

    def sysctl(self, name: str, settings: dict[str, str]) -> None:
        """Write sysctls (slashes or dots) inside a namespace."""

        def write() -> None:
            for key, value in settings.items():
                Path("/proc/sys", key.replace(".", "/")).write_text(value)

        inside(self.full(name), write)

    def nft(self, name: str, rules: str) -> None:
        """Load an nftables ruleset into a namespace."""
        self.run(["nft", "-f", "-"], name=name, stdin=rules)

    def close(self) -> None:
        """End all children, then let the janitor delete the namespaces. Bounded: about 5 s at worst."""
        for child in self._children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        until = time.monotonic() + 1.5
        for child in self._children:
            try:
                child.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        for child in self._children:
            _close_pipes(child)
        self._children.clear()
        if self._janitor.stdin is not None and not self._janitor.stdin.closed:
            self._janitor.stdin.close()
            self._janitor.wait(15)


def _close_pipes(child: "subprocess.Popen[Any]") -> None:
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
