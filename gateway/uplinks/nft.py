"""Door: libnftables. Loads text as one transaction, and reads back what stands.

Calls block for well under a millisecond and run on the loop; the owner's other tables are never looked at.
"""

import json
from typing import Any

from nftables import Nftables

from gateway.errors import DoorError
from gateway.uplinks import guard
from gateway.uplinks.guard import Element, Guard


class Nft:
    """The guard in the kernel of this namespace. All errors are DoorError with nft's own words."""

    def __init__(self) -> None:
        self._nft = Nftables()
        self._nft.set_numeric_proto_output(True)
        self._stands: Guard | None = None

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
        """Read back: do our chains and exactly these elements stand in the kernel?"""
        found = self.read()
        if found != wanted.sets:
            self._stands = None
            return False
        return True

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
