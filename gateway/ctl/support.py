"""What an engineer needs to see: the journal, and a bundle of everything without secrets (masking.py).

The bundle is made whatever is wrong: what cannot be had is named in it, with the reason.
"""

import argparse
import contextlib
import importlib.metadata
import io
import platform
import re
import tarfile
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from gateway import VERSION, wire
from gateway.changes import (
    GetHistory,
    GetSettings,
    GetSupport,
    GetTrial,
    HistoryNow,
    SettingsNow,
    SupportNow,
    TrialNow,
)
from gateway.client import Client
from gateway.ctl import DONE, programs
from gateway.ctl.masking import mask
from gateway.ctl.parser import one_line
from gateway.ctl.talk import ask, connect, status
from gateway.ctl.terminal import can_be_new, note, print_json, write_new
from gateway.errors import GatewayError

UNITS: Final = ("gateway", "gateway-calls", "gateway-web", "gateway-guard", "gateway-packets")
MAX_PART_BYTES: Final = 4 << 20
JOURNAL_LINES: Final = 5000
_ASK_S: Final = 30.0
_LIBRARIES: Final = ("msgspec", "pydantic", "pyroute2", "dnspython", "phonenumberslite", "tomlkit", "segno")
_SYSTEM: Final = {
    "services.txt": ["systemctl", "status", "--no-pager", "--lines=0", *UNITS],
    "system/addresses.txt": ["ip", "-d", "address"],
    "system/links.txt": ["ip", "-s", "link"],
    "system/routes.txt": ["ip", "route", "show", "table", "all"],
    "system/routes6.txt": ["ip", "-6", "route", "show", "table", "all"],
    "system/rules.txt": ["ip", "rule"],
    "system/rules6.txt": ["ip", "-6", "rule"],
    "system/disk.txt": ["df", "-h"],
    "system/memory.txt": ["free", "-m"],
}
_TELLS: Final = """\
A support bundle of Steadyline. Nothing in it is secret: passwords, keys and credentials were taken out, and
of every telephone number the last four digits are starred. Addresses of the network stay, to be of use.
"""


def log(arguments: argparse.Namespace) -> int:
    """`log`"""
    words = ["journalctl", "--no-pager", f"--lines={arguments.lines}", "--output=short-iso-precise"]
    words += [f"--unit={unit}" for unit in UNITS]
    if arguments.json:
        words[3] = "--output=json"
    if arguments.follow:
        with contextlib.suppress(KeyboardInterrupt):
            programs.run_here([*words, "--follow"], "Is systemd's journal here?")
        return DONE
    print(programs.output(words, max_bytes=MAX_PART_BYTES), end="")
    return DONE


def bundle(arguments: argparse.Namespace) -> int:
    """`support`"""
    can_be_new(arguments.file)
    parts, missing = _gather(arguments)
    told = [_TELLS, *(f"Not here: {name} ({why})" for name, why in missing.items()), ""]
    parts["README.txt"] = "\n".join(told)
    write_new(arguments.file, _archive(_masked(parts)))
    if arguments.json:
        print_json({"file": one_line(arguments.file), "parts": sorted(parts), "missing": missing})
        return DONE
    for name, why in missing.items():
        note(f"Not in it: {name} ({why})")
    print(f"Written: {arguments.file} ({len(parts)} parts). It holds no secrets; look before you send it.")
    return DONE


def _masked(parts: dict[str, str]) -> dict[str, str]:
    """What the system says holds counters, and no telephone number."""
    return {name: mask(text, numbers=not name.startswith("system/")) for name, text in parts.items()}


def _gather(arguments: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Texts by name, and why others could not be had."""
    parts = {"versions.txt": _versions()}
    missing: dict[str, str] = {}

    def have(name: str, get: Callable[[], str]) -> None:
        try:
            parts[name] = get()[-MAX_PART_BYTES:]
        except GatewayError as error:
            missing[name] = str(error)

    def daemon(name: str, get: Callable[[Client], str]) -> None:
        """Over a connection of its own: a daemon that ends one over a question may answer the next."""

        def asked() -> str:
            with connect(arguments) as client:
                return get(client)

        have(name, asked)

    daemon("status.json", lambda client: wire.to_json(status(client)))
    daemon("settings.toml", lambda client: ask(client, GetSettings(), SettingsNow, _ASK_S).text)
    daemon(
        "history.json", lambda client: wire.to_json(ask(client, GetHistory(), HistoryNow, _ASK_S).revisions)
    )
    daemon("trial.json", lambda client: wire.to_json(ask(client, GetTrial(), TrialNow, _ASK_S).trial))

    def own_words(client: Client) -> str:
        told = ask(client, GetSupport(), SupportNow, _ASK_S).parts
        for name, text in told.items():
            parts[f"daemon/{_file_name(name)}"] = text[-MAX_PART_BYTES:]
        return "\n".join(sorted(told)) + "\n"

    daemon("daemon/index.txt", own_words)
    for name, words in _SYSTEM.items():
        have(name, partial(programs.output, words, max_bytes=MAX_PART_BYTES))
    journal = ["journalctl", "--no-pager", f"--lines={JOURNAL_LINES}", "--output=short-iso-precise"]
    journal += [f"--unit={unit}" for unit in UNITS]
    have("journal.txt", partial(programs.output, journal, max_bytes=MAX_PART_BYTES))
    return parts, missing


def _versions() -> str:
    lines = [f"steadyline {VERSION}", f"python {platform.python_version()}", f"kernel {platform.release()}"]
    lines += [f"machine {platform.machine()}"]
    try:
        lines.append(platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system"))
    except OSError:
        lines.append("unknown system")
    for library in _LIBRARIES:
        try:
            lines.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{library} is not here")
    return "\n".join(lines) + "\n"


def _file_name(name: str) -> str:
    """A name of the daemon's that can only be that of a file in our folder."""
    safe = re.sub(r"[^A-Za-z0-9._-]|\.{2,}", "_", name).lstrip(".")[:80] or "part"
    return safe if "." in safe else f"{safe}.txt"


def _archive(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, text in sorted(parts.items()):
            data = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"steadyline-support/{name}")
            entry.size, entry.mtime, entry.mode = len(data), now, 0o644
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
