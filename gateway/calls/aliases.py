"""Law: what calls and engine know an uplink by never changes while they run; the owner's name for it may.

Names are exchanged at the border of this room. An uplink was renamed when its name is gone and another one
has come on the same device. Pure.
"""

from typing import TypeVar

from gateway import messages as m
from gateway.status import Frozen

Told = TypeVar("Told", bound=Frozen)


class Aliases:
    """Keys of the room to names of today. A key is the first name that an uplink had; `renames` counts."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._devices: dict[str, str] = {}
        self.renames = 0

    def inward(self, paths: m.Paths) -> m.Paths:
        """The daemon's picture with the room's keys for names."""
        names = {path.uplink for path in paths.paths}
        for path in paths.paths:
            if path.uplink not in self._keys:
                self._keys[path.uplink] = self._renamed(path, names) or self._fresh(path.uplink)
            self._devices[self._keys[path.uplink]] = path.device
        return m.renamed(paths, self.key)

    def key(self, name: str) -> str:
        """The room's key for a name of today."""
        return self._keys.get(name, name)

    def name(self, key: str) -> str:
        """The name of today for a key; the last one of an uplink that is gone."""
        return next((name for name, known in reversed(self._keys.items()) if known == key), key)

    def outward(self, message: Told) -> Told:
        """What the room says, with names of today."""
        return m.renamed(message, self.name)

    def _renamed(self, path: m.Path, names: set[str]) -> str:
        """The key of the uplink that had this device under a name that is gone."""
        for name, key in list(self._keys.items()):
            if name not in names and self._devices.get(key) == path.device:
                del self._keys[name]
                self.renames += 1
                return key
        return ""

    def _fresh(self, name: str) -> str:
        """A key that nobody has: an uplink may have had this name before it got its own."""
        key = name
        while key in self._keys.values():
            key += "'"
        return key
