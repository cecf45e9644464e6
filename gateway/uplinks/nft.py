"""Door: libnftables. Loads text as one transaction, and reads back what stands.

Calls block for well under a millisecond and run on the loop; the owner's other tables are never looked at.
"""

import json
import socket
import struct
import sys
from typing import Any, Final

from nftables import Nftables

from gateway.errors import DoorError
from gateway.uplinks import guard
from gateway.uplinks.guard import Element, Guard

_NETFILTER: Final = 12  # NETLINK_NETFILTER
_ASK_GENERATION: Final = struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0)
"""nlmsghdr and nfgenmsg: NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, NLM_F_REQUEST."""
_GENERATION: Final = struct.Struct(">HHI")
"""The first attribute of the answer, after 20 bytes: NFTA_GEN_ID. Its head is in the host's order."""


class Nft:
    """The guard in the kernel of this namespace. All errors are DoorError with nft's own words."""

    def __init__(self) -> None:
        self._nft = Nftables()
        self._nft.set_numeric_proto_output(True)
        self._stands: Guard | None = None
        self._read_back: tuple[int, Guard] | None = None
        # Kept open: to close one, the kernel waits until what the last transaction freed is gone, some 12 ms.
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER)
        self._netlink.settimeout(1.0)

    def __del__(self) -> None:
        self._netlink.close()

    def load(self, text: str) -> None:
        """Load `text`: all of it or nothing."""
        self._run(text)
        self._stands = None

    def apply(self, wanted: Guard) -> None:
        """Make `wanted` stand: by a difference where that is known, else whole; in one transaction."""
        if self._stands is not None:
            text = guard.update(self._stands, wanted)
            try:
                if text:
                    self._run(text)
                self._stands = wanted
                return
            except DoorError:
                self._stands = None  # somebody changed our sets: whole, then
        self._run(guard.load(wanted))
        self._stands = wanted

    def stands(self, wanted: Guard) -> bool:
        """Read back: do our chains and exactly these elements stand in the kernel?

        Every transaction, whoever makes it, begins a new generation of the rule set: while the generation is
        the one that was read last, nothing is listed again.
        """
        generation = self._generation()
        if generation is not None and self._read_back == (generation, wanted):
            return True
        found = self.read()
        if found != wanted.sets:
            self._stands = self._read_back = None
            return False
        self._read_back = (generation, wanted) if generation is not None else None
        return True

    def _generation(self) -> int | None:
        """The number of the last transaction in this namespace; None when the kernel does not say."""
        try:
            self._netlink.send(_ASK_GENERATION)
            answer = self._netlink.recv(256)
            _, _, generation = _GENERATION.unpack_from(answer, 20)
        except (OSError, struct.error):
            return None
        told = int.from_bytes(answer[4:6], sys.byteorder)
        return generation if told == 10 << 8 | 15 else None  # NFT_MSG_NEWGEN

    def read(self) -> dict[str, frozenset[Element]] | None:
        """The elements of all our sets; None when our chains, as they are today, do not stand."""
        table = f"inet {guard.TABLE}"
        try:
            # One at a time: libnftables 1.0.6 leaves out sets when one command lists several kinds.
            listings = [self._run(f"list sets table {table}", as_json=True)]
            listings += [self._run(f"list map {table} {name}", as_json=True) for name in sorted(guard.MAPS)]
        except DoorError:
            return None
        sets: dict[str, frozenset[Element]] = {}
        for entry in (entry for listing in listings for entry in json.loads(listing)["nftables"]):
            found = entry.get("set") or entry.get("map")
            if found is not None:
                sets[found["name"]] = frozenset(_element(e) for e in found.get("elem", []))
        if guard.SKELETON not in sets:
            return None
        return {name: elements for name, elements in sets.items() if name in guard.NAMES}

    def counters(self) -> dict[str, int]:
        """Packets dropped, by reason: strangers, floods, astray, leaks."""
        listing = self._run(f"list counters table inet {guard.TABLE}", as_json=True)
        entries = [e["counter"] for e in json.loads(listing)["nftables"] if "counter" in e]
        return {entry["name"]: entry["packets"] for entry in entries}

    def _run(self, text: str, *, as_json: bool = False) -> str:
        self._nft.set_json_output(as_json)
        code, output, error = self._nft.cmd(text)
        if code:
            words = " ".join(line.strip() for line in str(error).splitlines()[:3])
            raise DoorError(
                f"nftables refused: {words}",
                where="kernel",
                remedy="Nothing was changed; see the words of nft",
            )
        return str(output)


def _element(value: Any) -> Element:
    """An element as JSON has it (libnftables-json(5)) as a tuple of texts."""
    match value:
        case [key, data]:
            return (*_element(key), *_element(data))
        case {"concat": parts}:
            return tuple(field for part in parts for field in _element(part))
        case {"prefix": {"addr": address, "len": length}}:
            return (f"{address}/{length}",)
        case {"range": [first, last]}:
            return (f"{first}-{last}",)
        case {"elem": {"val": inner}}:
            return _element(inner)
        case _:
            return (str(value),)
