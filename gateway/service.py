"""Door to systemd: readiness, status line, watchdog (sd_notify(3)) and the journal. Harmless without systemd.

Law: the watchdog is fed only while every loop beats; a loop that hangs brings the process down (law 20).
"""

import contextlib
import ctypes
import gc
import logging
import os
import re
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TextIO

try:
    from systemd import journal as _journal
except ImportError:  # Debian's python3-systemd is not installed
    _journal = None

Notify = Callable[[str], object]


def _notify(state: str) -> object:
    """sd_notify(3), but for one thing: libsystemd's waits while the other side does not read, and a loop must
    not. False: it was not sent, and may be tried again."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError:
            return False
    return True


class Service:
    """What systemd is told of this process. `notify` takes sd_notify text; tests give a list's `append`."""

    def __init__(self, notify: Notify = _notify, environment: Mapping[str, str] = os.environ) -> None:
        self._notify = notify
        self._said = ""
        self._ready = False
        wanted = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(wanted) / 1e6 if wanted.isdigit() and mine else 0.0
        """Seconds within which the watchdog must be fed; 0.0: there is none."""

    def ready(self) -> None:
        """The process does its work from now on; said once."""
        if not self._ready:
            self._ready = self._notify("READY=1") is not False

    def status(self, sentence: str) -> None:
        """The line that `systemctl status` shows; repeats are not sent."""
        sentence = " ".join(sentence.split())
        if sentence != self._said and self._notify(f"STATUS={sentence}") is not False:
            self._said = sentence

    def watchdog(self) -> None:
        """Feed the watchdog: call it only when all loops are known to be alive."""
        self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """The process was asked to end and is doing so."""
        self._notify("STOPPING=1")


def settle_memory() -> None:
    """Give back what starting up has used and will not be used again; the collector passes over the rest."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc alone has it


class Pulse:
    """Which loops are alive. Each registers once and beats at every turn; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._loops: dict[str, tuple[float, float]] = {}

    def register(self, name: str, longest_s: float, now: float) -> Callable[[float], None]:
        """The beat of the loop `name`, which turns at least every `longest_s` seconds."""

        def beat(now: float) -> None:
            self._loops[name] = (now + longest_s, longest_s)

        beat(now)
        return beat

    def silent(self, now: float) -> list[str]:
        """The loops that have missed their time; empty: feed the watchdog."""
        return [name for name, (due, _) in self._loops.items() if now > due]


# --- log ------------------------------------------------------------------------------------------

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_FIELD = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PRIORITY = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def fields(record: logging.LogRecord) -> dict[str, str]:
    """The journal fields of a record: what was given as `extra`, upper case; its weight and its logger."""
    extra = {name.upper(): str(value) for name, value in vars(record).items() if name not in _PLAIN}
    return {name: value for name, value in extra.items() if _FIELD.fullmatch(name)} | {
        "PRIORITY": str(next((p for level, p in _PRIORITY if record.levelno >= level), 7)),
        "LOGGER": record.name,
    }


class JournalHandler(logging.Handler):
    """Log records -> journal entries with fields. `send(message, **fields)` as systemd.journal.send."""

    def __init__(self, identifier: str, send: Callable[..., object]) -> None:
        super().__init__()
        self._identifier = identifier
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            self._send(
                text,
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName or "",
                SYSLOG_IDENTIFIER=self._identifier,
                **fields(record),
            )
        except Exception as error:  # noqa: BLE001  (a log line must never end a call)
            with contextlib.suppress(OSError):
                sys.stderr.write(f"{record.levelname} {record.name}: {record.msg!r} (not logged: {error})\n")


def log_to_journal_or_stderr(
    identifier: str,
    *,
    level: int = logging.INFO,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Set up logging for this process: the journal when systemd connected us to it, plain lines otherwise."""
    stream = stream or sys.stderr
    handler: logging.Handler
    if _journal and _is_journal(stream, environment.get("JOURNAL_STREAM", "")):
        handler = JournalHandler(identifier, _journal.send)
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.raiseExceptions = False


def _is_journal(stream: TextIO, journal_stream: str) -> bool:
    """True when `stream` is the pipe named by $JOURNAL_STREAM (`device:inode`, systemd.exec(5))."""
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{seen.st_dev}:{seen.st_ino}"
