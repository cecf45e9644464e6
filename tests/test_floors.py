"""Imports go down only, and each foreign library has one door.

    ground    schema status messages errors wire inbox ...: no I/O
    pure      a room's tables and arithmetic: no clock, no socket, no loop
    doors     one foreign library or one piece of the system each
    loops     a room's loop: its own pure modules; doors arrive by constructor
    mains     open the doors, build the rooms, decide nothing

Rooms never import rooms. A file of a room that is in no list below is pure:
who wants more for it says so here.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

GROUND = {
    *("renames", "schema", "section", "section_box", "section_lines", "section_phones", "section_trunk"),
    *("fields", "hours", "relations", "relations_box", "refusals", "places", "plan", "patterns"),
    *("bounds", "differences", "document", "editing", "forms", "migrations", "masking", "tomltext", "trees"),
    *("sheet", "sheetpage"),
    *("status", "verdict", "records", "messages", "changes", "errors", "wire", "inbox", "emodel", "lean"),
}
MAINS = {
    *("__main__", "boot", "building", "channels", "daemon", "exchange", "frontpanel", "ctl", "hub", "lender"),
    *("opening", "vacancy", "analog"),
}
# gatewayctl is a main in several files; its parser, tables, texts and masks are pure.
MAINS |= {f"ctl/{name}" for name in ("__main__", "terminal", "talk", "seeing", "watching", "desk")}
MAINS |= {f"ctl/{name}" for name in ("settings", "changing", "importing", "backup", "handing")}
MAINS |= {f"ctl/{name}" for name in ("support", "paper", "past")}
# Paths below gateway/, without .py; a package counts as one door.
DOORS = {
    *("control", "link", "service", "client"),
    *("calls/sip/*", "calls/stun", "calls/tally"),
    "ctl/programs",
    *("history/store",),
    *("panel/board", "panel/lines"),
    *(
        "phones/addresses",
        "phones/usb",
        "phones/usbnode",
        "phones/usbtree",
        "phones/uevent",
        "phones/slic",
        "phones/dsp",
        "phones/gpio",
        "phones/linecard",
    ),
    *("settings/store", "settings/confirmations", "settings/servers", "settings/vault"),
    *("settings/passwords", "settings/ruins", "settings/shelf", "settings/strongroom"),
    *("settings/agefile", "settings/keys", "settings/sealer", "settings/stretch"),
    *("uplinks/arp", "uplinks/dhcp", "uplinks/netlink", "uplinks/nft", "uplinks/probe", "uplinks/resolve"),
    *("uplinks/rtnl", "uplinks/sysfs", "uplinks/lent", "uplinks/packetsocket"),
}
# What a door takes and gives: plain values, so everybody in the room may name them.
VALUES = {"calls/sip/values"}
LOOPS = {
    "history/recorder",
    "calls/trunk",
    "panel/front",
    "phones/desk",
    "phones/sockets",
    "settings/doorman",
    "settings/keeper",
    "uplinks/watch",
}

# Which files may import which library. pyproject.toml bans the same names for ruff.
LIBRARIES = {
    "cryptography": {"settings/vault", "settings/agefile"},
    "sqlite3": {"history/store"},
    "dns": {"uplinks/resolve"},
    "gpiod": {"panel/lines", "phones/gpio"},
    "gpiozero": {"panel/board", "panel/lines"},
    "msgspec": {"messages", "status", "wire", "control", "settings/*"},
    "nftables": {"uplinks/nft"},
    "phonenumbers": {"calls/numbers"},
    "pjsua2": {"calls/sip/*"},
    "pydantic": {"schema", "section", "section_*", "fields"},
    "pydantic_core": {"section", "fields"},
    "pyrage": {"settings/agefile"},
    "pyroute2": {"uplinks/netlink", "uplinks/dhcp"},
    "segno": {"sheetpage"},
    "subprocess": {"ctl/programs", "settings/passwords"},
    "systemd": {"service"},
    "tomlkit": set[str](),
}
INPUT_OUTPUT = {"asyncio", "os", "select", "selectors", "socket", "threading", "time"}
# The inbox is the one crossing from threads to the loop.
ALLOWED_INPUT_OUTPUT = {"ground": set[str](), "pure": set[str](), "loop": {"asyncio", "time"}}


def matches(name: str, patterns: set[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def floor(name: str) -> str:
    """The floor of a module, named by its path below gateway/ without .py."""
    name = name.removesuffix("/__init__")
    if name in VALUES:
        return "pure"
    if matches(name, DOORS) or matches(f"{name}/x", DOORS):
        return "door"
    if name in LOOPS:
        return "loop"
    if name in MAINS:
        return "main"
    if "/" in name:
        return "pure"
    # A room's __init__ is empty or pure; the package itself likewise.
    return "ground" if name in GROUND or name == "__init__" else "pure"


def room(name: str) -> str:
    return name.partition("/")[0] if "/" in name else ""


def imports(source: str, package: str, modules: set[str]) -> Iterator[str]:
    """Every module that a source imports, in whatever function; `from a import b` gives a.b if it is one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            below = base.replace(".", "/").partition("/")[2]
            for alias in node.names:
                path = f"{below}/{alias.name}" if below else alias.name
                yield f"{base}.{alias.name}" if base.startswith("gateway") and path in modules else base


def violations(name: str, source: str, modules: set[str]) -> list[str]:
    """What a module imports against the rules.

    `name` is its path below the root without .py ("gateway/calls/trunk"), `modules`
    are the paths below gateway/ that exist, so that `from gateway import wire`
    is told from a name inside gateway.
    """
    package = name.rpartition("/")[0].replace("/", ".")
    seen = set(imports(source, package, modules))
    ours = {
        entry.replace(".", "/").partition("/")[2] for entry in seen if entry.startswith("gateway.")
    } & modules
    foreign = {entry.partition(".")[0] for entry in seen} - {"gateway", "webui", ""}

    if name.startswith("webui/"):
        return [
            f"{name}: webui imports {entry}, which is not ground"
            for entry in ours
            if floor(entry) != "ground" and (name, entry) != ("webui/box", "client")
        ]

    own = name.removeprefix("gateway/")
    here = floor(own)
    found = []
    for entry in sorted(ours):
        there = floor(entry)
        if here == "main" or there == "ground":
            continue
        if room(entry) != room(own):
            found.append(f"{name}: {here} imports {entry} of another room")
        elif (here, there) not in {
            *(("door", "door"), ("door", "pure")),
            *(("loop", "loop"), ("loop", "pure")),
            ("pure", "pure"),
        }:
            found.append(f"{name}: {here} imports {entry}, which is a {there}")
    for entry in sorted(foreign & LIBRARIES.keys()):
        if not matches(own, LIBRARIES[entry]):
            found.append(f"{name}: {entry} belongs to {sorted(LIBRARIES[entry]) or 'nobody'}")
    if here in ALLOWED_INPUT_OUTPUT and own != "inbox":
        for entry in sorted((foreign & INPUT_OUTPUT) - ALLOWED_INPUT_OUTPUT[here]):
            found.append(f"{name}: {here} imports {entry}")
    for entry in sorted(foreign - LIBRARIES.keys() - set(sys.stdlib_module_names)):
        found.append(f"{name}: {entry} has no door; name one in tests/test_floors.py and pyproject.toml")
    return found


def sources() -> dict[str, str]:
    files = [path for package in ("gateway", "webui") for path in (ROOT / package).rglob("*.py")]
    return {str(path.relative_to(ROOT).with_suffix("")): path.read_text() for path in sorted(files)}


def test_imports_go_down_only() -> None:
    texts = sources()
    modules = {
        name.removeprefix("gateway/").removesuffix("/__init__")
        for name in texts
        if name.startswith("gateway/")
    }
    assert "wire" in modules
    found = [line for name, text in texts.items() for line in violations(name, text, modules)]
    assert not found, "\n" + "\n".join(found)


def test_ruff_bans_the_same_libraries() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert set(lint["flake8-tidy-imports"]["banned-api"]) == set(LIBRARIES)


EXISTING = {
    "wire",
    "schema",
    "calls",
    "calls/call",
    "calls/sip",
    "calls/sip/values",
    "calls/trunk",
    "control",
}
EXISTING |= {"uplinks/health", "uplinks/netlink", "uplinks/watch", "daemon"}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("gateway/wire", "import socket"),
        ("gateway/schema", "from gateway.calls.call import Call"),
        ("gateway/wire", "from gateway import control"),
        ("gateway/calls/call", "import time"),
        ("gateway/calls/call", "def now():\n    from time import monotonic"),
        ("gateway/calls/call", "from gateway.uplinks import health"),
        ("gateway/calls/call", "from ..uplinks.health import Health"),
        ("gateway/calls/call", "from gateway.calls import sip"),
        ("gateway/calls/call", "import pjsua2 as pj"),
        ("gateway/calls/trunk", "from gateway.calls.sip import Engine"),
        ("gateway/calls/trunk", "import socket"),
        ("gateway/calls/sip/engine", "from gateway.calls.trunk import Trunk"),
        ("gateway/calls/sip/engine", "from gateway.uplinks.netlink import Netlink"),
        ("gateway/calls/sip/engine", "import nftables"),
        ("gateway/uplinks/netlink", "import subprocess"),
        ("gateway/uplinks/health", "import numpy"),
        ("gateway/daemon", "from pyroute2 import AsyncIPRoute"),
        ("webui/pages", "from gateway.control import serve"),
        ("webui/pages", "from gateway.calls import call"),
    ],
)
def test_a_wrong_import_is_found(name: str, source: str) -> None:
    assert violations(name, source, EXISTING)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("gateway/inbox", "import asyncio"),
        ("gateway/calls/call", "from gateway import wire\nfrom gateway.schema import Settings\nimport re"),
        ("gateway/calls/trunk", "import asyncio\nimport time\nfrom gateway.calls.sip import values"),
        ("gateway/calls/sip/engine", "import threading\nimport pjsua2\nfrom gateway.calls.sip import values"),
        ("gateway/calls/sip/__init__", "from .engine import Engine"),
        ("gateway/uplinks/netlink", "import pyroute2\nfrom gateway.uplinks import health"),
        ("gateway/daemon", "from gateway.uplinks.watch import Watch\nfrom gateway.calls.sip import Engine"),
        ("webui/pages", "import flask\nfrom gateway import wire"),
    ],
)
def test_a_right_import_is_not(name: str, source: str) -> None:
    assert violations(name, source, EXISTING) == []
