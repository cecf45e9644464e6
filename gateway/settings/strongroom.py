"""Door to the vault and to backups: each errand is a process of its own that ends with it (sealer.py).

So the daemon stays as small as it was (the library takes 15 MB), never has the key of the vault in its
memory, and what a hostile backup makes the library do ends with the errand."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.errors import DoorError, RefusedError
from gateway.settings.books import Backup, Sealed, Snapshot
from gateway.settings.errands import (
    Answer,
    Errand,
    Export,
    Exported,
    Open,
    OpenBackup,
    Opened,
    OpenedBackup,
    Places,
    Seal,
    SealedNow,
    Trouble,
)

PATIENCE_S = 45.0
"""A Pi 3 needs ten seconds for the passphrase of a faster box."""
MAX_ANSWER_BYTES = 64 << 20

AnswerT = TypeVar("AnswerT", SealedNow, Opened, Exported, OpenedBackup)


class Strongroom:
    """The vault at `vault`, its key in `keys`; it seals what is confirmed in `state`."""

    def __init__(self, state: Path, vault: Path, keys: Path) -> None:
        self._places = Places(state=str(state), vault=str(vault), keys=str(keys))

    async def seal(self, revision: int) -> Sealed:
        """See that the newest snapshot is what is confirmed on the disk. Raises GatewayError."""
        now = await _run(Seal(places=self._places, revision=revision), SealedNow)
        texts = frozenset(text.decode(errors="replace") for text in now.texts)
        return Sealed(now.generation, texts, now.told, now.sentence)

    async def open(self, back: int) -> Snapshot | None:
        """The newest sound snapshot, or the one `back` different settings before it; None: there is none.
        Raises GatewayError."""
        got = await _run(Open(places=self._places, back=back), Opened)
        if not got.generation:
            return None
        text = got.text.decode(errors="replace")
        return Snapshot(got.generation, got.revision, text, got.files, got.told)

    async def export(self, passphrase: str) -> bytes:
        """What is confirmed on the disk as an age file. Raises GatewayError."""
        return (await _run(Export(places=self._places, passphrase=passphrase), Exported)).data

    async def open_backup(self, data: bytes, passphrase: str) -> Backup:
        """What the age file holds, not yet looked at. Raises GatewayError."""
        got = await _run(OpenBackup(data=data, passphrase=passphrase), OpenedBackup)
        try:
            return Backup(got.text.decode(), got.confirmations)
        except UnicodeDecodeError:
            raise RefusedError(
                "its settings are no UTF-8 text", where="backup", remedy="Give the file that was exported"
            ) from None


async def _run(errand: Errand, wanted: type[AnswerT]) -> AnswerT:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "gateway.settings.sealer"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_ANSWER_BYTES,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, _ = await child.communicate(msgspec.msgpack.encode(errand))
    except TimeoutError:
        raise DoorError(
            f"the sealer did not answer in {PATIENCE_S:g} s",
            where="vault",
            remedy="Try again",
        ) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    try:
        answer = msgspec.msgpack.decode(out, type=Answer)
    except msgspec.DecodeError:
        raise DoorError(
            f"the sealer ended with code {child.returncode}",
            where="vault",
            remedy="See: journalctl -u gateway",
        ) from None
    if isinstance(answer, Trouble):
        raise DoorError(answer.what, where=answer.where, remedy=answer.remedy)
    if not isinstance(answer, wanted):
        raise DoorError("the sealer answered something else", where="vault", remedy="Restart the box")
    return answer
