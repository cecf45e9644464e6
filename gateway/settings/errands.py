"""What the strongroom sends to the sealer and gets back. Pure."""

import msgspec


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of all of these."""


class Places(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folders: what is confirmed, where it is sealed, what holds the key."""

    state: str
    vault: str
    keys: str


class Seal(_Value, frozen=True, kw_only=True):
    """See that what is confirmed is sealed, as this revision. Answer: SealedNow."""

    places: Places
    revision: int


class Open(_Value, frozen=True, kw_only=True):
    """The newest snapshot, or the one `back` different settings before it. Answer: Opened."""

    places: Places
    back: int


class Export(_Value, frozen=True, kw_only=True):
    """What is confirmed as an age file. Answer: Exported."""

    places: Places
    passphrase: str


class OpenBackup(_Value, frozen=True, kw_only=True):
    """An age file's content. Answer: OpenedBackup."""

    data: bytes
    passphrase: str


class SealedNow(_Value, frozen=True, kw_only=True):
    """`texts`: settings of all sound snapshots; `told`: what was found damaged; `sentence`: of the key."""

    generation: int
    texts: tuple[bytes, ...]
    told: tuple[str, ...]
    sentence: str


class Opened(_Value, frozen=True, kw_only=True):
    """Generation 0: there is no such snapshot."""

    generation: int = 0
    revision: int = 0
    text: bytes = b""
    files: dict[str, bytes] = {}
    told: tuple[str, ...] = ()


class Exported(_Value, frozen=True, kw_only=True):
    """The age file."""

    data: bytes


class OpenedBackup(_Value, frozen=True, kw_only=True):
    """What the age file holds."""

    text: bytes
    confirmations: bytes | None


class Trouble(_Value, frozen=True, kw_only=True):
    """It was not done."""

    what: str
    where: str
    remedy: str


Errand = Seal | Open | Export | OpenBackup
Answer = SealedNow | Opened | Exported | OpenedBackup | Trouble
