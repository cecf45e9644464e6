"""How gatewayctl is run in tests: as a call, and by a person at a terminal (a pty)."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import ctl

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]
PATIENCE_S = 20.0


class Words:
    """gatewayctl in this process: words in; exit code, output and errors out."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = directory
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        try:
            code = ctl.main(["--run", str(self._directory), *words])
        except SystemExit as ended:  # argparse's way to say wrong usage
            code = int(ended.code or 0)
        out, err = self._capsys.readouterr()
        return code, out, err


class Terminal:
    """A person at a terminal: `start`, then `expect` and `type`, then `end`."""

    def __init__(self, directory: Path, home: Path) -> None:
        self._directory = directory
        self._home = home
        self._child: subprocess.Popen[bytes] | None = None
        self._master = -1
        self.seen = ""

    def start(self, *words: str, **environment: str) -> "Terminal":
        """gatewayctl with these words."""
        return self.run(
            sys.executable, "-m", "gateway.ctl", "--run", str(self._directory), *words, **environment
        )

    def run(self, *program: str, **environment: str) -> "Terminal":
        """Any program."""
        self.close()
        self.seen = ""
        self._master, slave = pty.openpty()
        own = {k: v for k, v in os.environ.items() if k not in ("EDITOR", "VISUAL")}
        self._child = subprocess.Popen(
            # A session of its own, whose terminal is the pty: /dev/tty is that, too.
            ["setsid", "-w", "-c", *program],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self._home,
            env=own | {"TERM": "xterm", "SSH_CONNECTION": "", "PYTHONPATH": str(ROOT)} | environment,
        )
        os.close(slave)
        return self

    def expect(self, wanted: str) -> "Terminal":
        """Read until this has been printed."""
        until = time.monotonic() + PATIENCE_S
        while wanted not in self.seen:
            assert time.monotonic() < until, f"{wanted!r} never came: {self.seen}"
            assert self._read(0.2), f"it ended before {wanted!r}: {self.seen}"
        return self

    def type(self, text: str) -> "Terminal":
        os.write(self._master, text.encode())
        return self

    def interrupt(self) -> "Terminal":
        """Ctrl-C."""
        return self.type("\x03")

    def end(self) -> int:
        """Its exit code; `seen` is then complete."""
        assert self._child
        until = time.monotonic() + PATIENCE_S
        while self._read(0.2):
            assert time.monotonic() < until, f"it does not end: {self.seen}"
        return self._child.wait(PATIENCE_S)

    def _read(self, patience_s: float) -> bool:
        """Take what has come; False when nothing can come any more."""
        if not select.select([self._master], [], [], patience_s)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGKILL)
            self._child.wait()
            os.close(self._master)
            self._child = None
