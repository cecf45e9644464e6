"""Where the trunk's server name led last: so that a box which starts while DNS is down can still call.

Law: a convenience, never a reason to fail. What cannot be read or written counts as not there.
"""

import logging
from ipaddress import ip_address
from pathlib import Path

import msgspec

from gateway.errors import DoorError
from gateway.messages import Server
from gateway.settings import store

FILE = "servers.json"
MAX_FILE_BYTES = 1 << 16

log = logging.getLogger("gateway.settings")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` and `transport` are the question, `servers` the answer in the order of RFC 2782."""

    name: str
    transport: str
    servers: tuple[Server, ...]


def load(state: Path, name: str, transport: str) -> tuple[Server, ...]:
    """The last answer to this very question; empty when there is none that can be used. Never raises."""
    try:
        held = msgspec.json.decode(store.read(state / FILE, max_bytes=MAX_FILE_BYTES), type=_File)
        for server in held.servers:
            ip_address(server.address)
    except FileNotFoundError:
        return ()
    except (DoorError, msgspec.DecodeError, ValueError, RecursionError) as error:
        log.warning("%s cannot be used (%s); names are asked anew", state / FILE, error)
        return ()
    return held.servers if (held.name, held.transport) == (name, transport) else ()


def save(state: Path, name: str, transport: str, servers: tuple[Server, ...]) -> None:
    """Remember an answer. What cannot be written is logged."""
    try:
        store.write(state / FILE, msgspec.json.encode(_File(name=name, transport=transport, servers=servers)))
    except DoorError as error:
        log.warning("the trunk's servers are not remembered: %s", error)
