"""Door to the vault."""

from pathlib import Path

from gateway.errors import RefusedError
from gateway.settings.books import Backup, Sealed, Snapshot


class Strongroom:
    """The vault at `vault`, its key in `keys`; it seals what is confirmed in `state`."""

    def __init__(self, state: Path, vault: Path, keys: Path) -> None:
        self._state, self._vault, self._keys = state, vault, keys

    async def seal(self) -> Sealed:
        """See that the newest snapshot is what is confirmed on the disk."""
        return Sealed(0, frozenset(), (), "There is no vault yet.")

    async def open(self, back: int) -> Snapshot | None:
        """The newest sound snapshot, or the one `back` different settings before it; None: there is none."""
        return None

    async def export(self, passphrase: str) -> bytes:
        """What is confirmed on the disk as an age file."""
        raise RefusedError("there are no backups yet", where="backup", remedy="Copy the settings file")

    async def open_backup(self, data: bytes, passphrase: str) -> Backup:
        """What the age file holds, not yet looked at."""
        raise RefusedError("there are no backups yet", where="backup", remedy="Copy the settings file")
