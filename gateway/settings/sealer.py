"""The sealer's main (`python -I -m gateway.settings.sealer`): one errand of the strongroom, then it ends.

The request stands on stdin, the answer goes to stdout, one msgpack value each. Keys and cryptography live
here only, for a tenth of a second, in at most MEMORY_BYTES."""

import contextlib
import resource
import sys
import time
from pathlib import Path

import msgspec

from gateway.errors import GatewayError, RefusedError
from gateway.settings import confirmations, servers, store
from gateway.settings.errands import (
    Answer,
    Errand,
    Export,
    Exported,
    Open,
    OpenBackup,
    Opened,
    OpenedBackup,
    Seal,
    SealedNow,
    Trouble,
)

MEMORY_BYTES = 1 << 30
_FILES = (confirmations.FILE, servers.FILE)
_MAX_BYTES = 1 << 20


def do(errand: Errand, now: float) -> Answer:
    """The errand, to its end. Raises GatewayError."""
    from gateway.settings import agefile
    from gateway.settings.keys import Keys
    from gateway.settings.vault import TEXT, Vault

    match errand:
        case Seal(places=places):
            vault = Vault(Path(places.vault), Keys(Path(places.keys)))
            found = vault.seal(confirmed(Path(places.state)), errand.revision, now)
            seen = vault.look()
            return SealedNow(
                generation=seen.sound[0].generation,
                texts=tuple({slot.text for slot in seen.sound}),
                told=found.told,
                sentence=vault.protects(),
            )
        case Open(places=places):
            vault = Vault(Path(places.vault), Keys(Path(places.keys)))
            view = vault.look()
            slots = vault.distinct(view.sound)
            if errand.back >= len(slots):
                return Opened(told=view.told)
            slot = slots[errand.back]
            files = slot.content.files
            return Opened(
                generation=slot.generation,
                revision=slot.content.revision,
                text=files.get(TEXT, b""),
                files={name: data for name, data in files.items() if name in _FILES},
                told=view.told,
            )
        case Export(places=places):
            return Exported(data=agefile.export(confirmed(Path(places.state)), errand.passphrase))
        case OpenBackup():
            files = agefile.open_file(errand.data, errand.passphrase)
            if TEXT not in files:
                raise RefusedError(
                    "it holds no settings", where="backup", remedy="Give the file that was exported"
                )
            return OpenedBackup(text=files[TEXT], confirmations=files.get(confirmations.FILE))


def confirmed(state: Path) -> dict[str, bytes]:
    """What is confirmed on the disk: settings, and what spares typing them. Raises RefusedError,
    DoorError."""
    from gateway.settings.vault import TEXT

    files = {}
    for name, path in {TEXT: state / store.GOOD_COPY, **{n: state / n for n in _FILES}}.items():
        try:
            files[name] = store.read(path, max_bytes=_MAX_BYTES)
        except FileNotFoundError:
            continue
    if TEXT not in files:
        raise RefusedError("nothing is confirmed yet", where="settings", remedy="Set the box up first")
    return files


def main() -> int:
    """One errand; gives the exit code."""
    with contextlib.suppress(OSError, ValueError):  # where the unit forbids it, its own limits hold
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with contextlib.suppress(OSError):  # when memory is short, this goes before the daemon does
        Path("/proc/self/oom_score_adj").write_text("900")
    answer: Answer
    try:
        answer = do(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Errand), time.time())
    except GatewayError as error:
        answer = Trouble(what=error.what, where=error.where, remedy=error.remedy)
    except MemoryError:
        answer = Trouble(what="it needs more memory than the box has", where="sealer", remedy="Try again")
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
