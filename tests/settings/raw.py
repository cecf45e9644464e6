"""Secrets on a real file system in an image file: planted by living with them, looked for in the raw
image."""

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.opening import open_box
from gateway.settings.books import Revision
from gateway.settings.passwords import Passwords
from gateway.settings.reset import Reset, Wanted, Write
from gateway.settings.strongroom import Strongroom
from tests.settings.writers import EXAMPLE, Paths

IMAGE_BYTES = 32 << 20


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """An ext4 file system in `image`, made at first use. Raises CalledProcessError where it cannot be
    mounted."""
    if not image.exists():
        image.write_bytes(b"")
        with open(image, "r+b") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop,noatime", str(image), str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def live(root: Path) -> list[bytes]:
    """Live with twenty secrets: in settings of five revisions, three of which are gone again from the file,
    in recordings, calls, notes, confirmations, a spoilt hand edit and a trial. Gives them."""
    found = [secrets.token_hex(12) for _ in range(20)]
    names = iter(found)
    for name in ("etc", "state", "recordings", "run", "state/history"):
        (root / name).mkdir(parents=True)
    paths = Paths(root)
    room = Strongroom(paths.state, paths.vault, paths.keys)

    def settings() -> str:
        text = EXAMPLE.replace("free-secret", next(names)).replace('"trunk4444"', f'"{next(names)}"')
        return text + f"# {next(names)}\n"

    paths.file.write_text(settings())
    asyncio.run(open_box(paths.shelf, paths.ruins, room))
    asyncio.run(room.seal(1))
    for number in range(2, 5):
        text = settings()
        paths.shelf.note_trial("anna", text)
        paths.shelf.keep(Revision(revision=number, at=0, who=next(names), why="", differences=1, text=text))
        paths.shelf.forget_trial()
        asyncio.run(room.seal(number))
    (paths.recordings / "8888.wav").write_text(next(names) * 5000)
    (paths.state / "history" / "calls.db").write_text(next(names) * 3000)
    (paths.state / "confirmations.json").write_text(next(names))
    with open(
        paths.file, "r+"
    ) as file:  # an editor that writes elsewhere leaves the old text to the free space
        file.truncate(file.write(next(names)))
    paths.shelf.note_trial("anna", next(names))
    Passwords(paths.state).set("correct horse")
    subprocess.run(["sync", "-f", str(root)], check=True)
    return [name.encode() for name in found]


def give_away(root: Path) -> None:
    """Decommission the box, as the daemon does it."""
    paths = Paths(root)
    wanted = Wanted("decommission", "anna")
    for action in Reset(paths.ruins.record()).receive(wanted, paths.ruins.now()):
        if isinstance(action, Write):
            paths.ruins.write(action.record)
    room = Strongroom(paths.state, paths.vault, paths.keys)
    opened = asyncio.run(open_box(paths.shelf, paths.ruins, room))
    assert opened.begun.origin == "none"


def left(image: Path, wanted: list[bytes]) -> list[bytes]:
    """Those that stand anywhere in the raw image, in free blocks too."""
    raw = image.read_bytes()
    return [secret for secret in wanted if secret in raw]
