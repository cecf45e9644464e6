"""The power goes at every system call of every writer: what is read afterwards is whole, and nothing that was
acknowledged is lost. Short here; `-m slow` cuts everywhere and in every way, more than a thousand times.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.settings.keys import Keys
from gateway.settings.passwords import Passwords
from gateway.settings.vault import Vault
from tests.settings.cuts import WAYS, Call, Disk, Way, trace
from tests.settings.writers import BROUGHT, Paths, open_again, prepare, text

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
ROOT = Path(__file__).resolve().parents[2]

Judge = Callable[[Paths, list[str]], list[str]]


@dataclass
class Tally:
    """How many cuts, and every fault in words: unreadable, lost, half."""

    cuts: int
    faults: list[str]

    def count(self, kind: str) -> int:
        return sum(fault.startswith(kind) for fault in self.faults)


def cut_everywhere(
    tmp_path: Path, writer: str, judge: Judge, *, every: int = 1, empty: bool = False
) -> Tally:
    """Cut `writer` before its first call and after each `every`-th, in all ways; `judge` looks after a
    start."""
    root = tmp_path / "disk"
    root.mkdir()
    if empty:
        (root / "etc").mkdir()
        (root / "state").mkdir()
        (root / "run").mkdir()
    else:
        prepare(root)
    disk = Disk(root)
    log = tmp_path / "strace.log"
    argv = [sys.executable, "-m", "tests.settings.writers", writer, str(root)]
    calls = trace(argv, root, log, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)})
    assert len(calls) > 5, log.read_text()[:2000]
    tally = Tally(0, [])
    promised: list[str] = []
    seen: set[tuple[object, ...]] = set()
    for number, call in enumerate([None, *calls]):
        if isinstance(call, Call):
            disk.do(call)
            if call.name == "acknowledged":
                promised.append(call.words[0])
        if number % every and (call is None or call.name != "acknowledged"):
            continue
        for way in WAYS:
            tally.cuts += 1
            place = tmp_path / "cut"
            disk.spill(place, way)
            face = (
                tuple(promised),
                *sorted((str(p), p.is_file() and p.read_bytes()) for p in place.rglob("*")),
            )
            if face not in seen:  # many cuts leave the same disk
                seen.add(face)
                done = f"{call.name} {' '.join(call.words)}" if call else "nothing"
                for fault in _look(place, judge, promised):
                    tally.faults.append(f"{fault} (cut after call {number}, {done}; {way})")
            shutil.rmtree(place)
    return tally


def _look(place: Path, judge: Judge, promised: list[str]) -> list[str]:
    paths = Paths(place)
    try:
        return judge(paths, promised)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the finding)
        return [f"unreadable: {type(error).__name__} {error}"]


# --- what has to be so ----------------------------------------------------------------------------


def _kept(paths: Paths, promised: list[str]) -> list[str]:
    """After changes: one of them whole, none lost that was promised, file, copy and history agree."""
    opened = open_again(paths)
    last = int(promised[-1]) if promised else 1
    faults = []
    if opened.begun.origin != "owner":
        return [f"unreadable: settings came from {opened.begun.origin}: {opened.begun.told}"]
    number = next((n for n in (last, last + 1) if opened.begun.text == text(n)), 0)
    if not number:
        faults.append(f"lost: revision {last} was promised, and another one is in force")
    entries = paths.shelf.revisions()
    texts = {paths.file.read_text(), (paths.state / "settings.good.toml").read_text(), opened.begun.text}
    if len(texts) != 1 or not entries or entries[0].text not in texts:
        faults.append("half: file, copy and history do not agree")
    if number and opened.begun.revision != number:
        faults.append(f"half: revision {number} is called {opened.begun.revision}")
    missing = {int(p) for p in promised} - {entry.revision for entry in entries}
    return faults + [f"lost: the history has no revision {n}" for n in sorted(missing)]


def _imported(paths: Paths, promised: list[str]) -> list[str]:
    """After a backup: its settings with its confirmations, or the old ones with theirs."""
    faults = _kept(paths, promised)
    ledger = paths.state / "confirmations.json"
    brought = ledger.exists() and ledger.read_bytes() == BROUGHT
    if brought != (paths.file.read_text() == text(2)):
        faults.append(f"half: confirmations {'came' if brought else 'did not come'} with the settings")
    return faults


def _begun(paths: Paths, promised: list[str]) -> list[str]:
    """After the very first settings: they, or nothing, but nothing only before they were promised."""
    opened = open_again(paths)
    if opened.begun.text == text(1) and opened.begun.revision == 1:
        return []
    if opened.begun.text == "" and not promised:
        return []
    return [f"lost: {opened.begun}"]


def _sealed(paths: Paths, promised: list[str]) -> list[str]:
    faults = _kept(paths, promised)
    view = Vault(paths.vault, Keys(paths.keys, {})).look()
    last = int(promised[-1]) if promised else 1
    if not view.sound:
        return [*faults, f"unreadable: the vault has nothing sound: {view.told}"]
    if view.sound[0].text.decode() not in (text(last), text(last + 1)):
        faults.append(f"lost: the vault's newest is not revision {last}")
    if view.told:
        faults.append(f"unreadable: {view.told}")
    return faults


def _healed(paths: Paths, promised: list[str]) -> list[str]:
    """After a reset: asked for, it is finished by the start; the settings are back, the past is gone."""
    opened = open_again(paths)
    record = paths.ruins.record()
    faults = [] if opened.begun.text == text(1) else [f"lost: settings {opened.begun}"]
    if record.pending:
        faults.append("half: the reset is still pending after a start")
    if not promised and not record.count:
        return faults  # the wish was not yet on the disk: nothing was wiped
    past = [p for p in (paths.recordings / "8888.wav", paths.state / "history" / "calls.db") if p.exists()]
    past += [paths.state / "password.json"] if Passwords(paths.state).access() else []
    faults += [f"half: {p.name} was not wiped" for p in past]
    if not paths.ruins.restored():
        faults.append("half: nobody is told of the restore")
    again = open_again(paths)
    return faults + ([] if again.begun.text == text(1) else ["half: the next start has lost them"])


def _gone(paths: Paths, promised: list[str]) -> list[str]:
    """After decommissioning: nothing is left, and the key is gone before the vault is."""
    record = paths.ruins.record()
    opened = open_again(paths)
    if not promised and not record.pending and opened.begun.text == text(1):
        return []
    faults = [] if opened.begun.origin == "none" else [f"half: settings came from {opened.begun.origin}"]
    everything = paths.file.parents[1].rglob("*")
    past = [p for p in everything if p.is_file() and p.stat().st_size and p.parent != paths.run]
    return faults + [f"half: {p} was left" for p in past]


JUDGES: dict[str, Judge] = {
    "save": _kept,
    "backup": _imported,
    "seal": _sealed,
    "reset": _healed,
    "decommission": _gone,
}


@pytest.mark.parametrize("writer", JUDGES)
def test_cuts_here_and_there(tmp_path: Path, writer: str) -> None:
    tally = cut_everywhere(tmp_path, writer, JUDGES[writer], every=7)
    assert not tally.faults, "\n".join(tally.faults[:20])


def test_cuts_of_the_first_settings(tmp_path: Path) -> None:
    tally = cut_everywhere(tmp_path, "first", _begun, empty=True)
    assert not tally.faults and tally.cuts > 50, "\n".join(tally.faults[:20])


@pytest.mark.slow
def test_a_thousand_cuts_at_every_call_and_in_every_way(tmp_path: Path) -> None:
    total = 0
    for writer, judge in JUDGES.items():
        (tmp_path / writer).mkdir()
        tally = cut_everywhere(tmp_path / writer, writer, judge)
        total += tally.cuts
        kinds = {kind: tally.count(kind) for kind in ("unreadable", "lost", "half")}
        print(f"{writer}: {tally.cuts} cuts, {kinds}")
        assert not tally.faults, "\n".join(tally.faults[:20])
    assert total >= 1000


@pytest.mark.parametrize(
    ("writer", "kind"),
    [("bad_open_w", "unreadable"), ("bad_no_fsync", "unreadable"), ("bad_no_folder_fsync", "lost")],
)
def test_bad_writers_are_found_out(tmp_path: Path, writer: str, kind: str) -> None:
    def judge(paths: Paths, promised: list[str]) -> list[str]:
        last = int(promised[-1]) if promised else 1
        got = paths.file.read_text()
        if got in (text(last), text(last + 1)):
            return []
        return ["lost: an older one" if got in map(text, range(1, last)) else "unreadable: no settings"]

    tally = cut_everywhere(tmp_path, writer, judge)
    assert tally.count(kind) > 0, tally.faults[:5]


def test_the_model_itself(tmp_path: Path) -> None:
    """Only what was synced lasts, in the file and in the folder."""
    root = tmp_path / "d"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    disk = Disk(root)
    fresh = str(root / "new")

    def left(way: Way) -> dict[str, bytes]:
        disk.spill(tmp_path / "out", way)
        found = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
        shutil.rmtree(tmp_path / "out")
        return found

    disk.do(Call("create", (fresh, "")))
    disk.do(Call("write", (fresh,), b"whole"))
    assert left("drop") == {"old": b"old"} and left("all") == {"old": b"old", "new": b"whole"}
    assert left("names") == {"old": b"old", "new": b""} and left("torn")["new"] == b"wh"
    disk.do(Call("fsync", (fresh,)))
    assert left("drop") == {"old": b"old"} and left("names")["new"] == b"whole"
    disk.do(Call("rename", (fresh, str(root / "old"))))
    assert left("drop") == {"old": b"old"} and left("all") == {"old": b"whole"}
    disk.do(Call("write", (str(root / "old"),), b"\0\0\0", gone=True))
    assert left("data") == {"old": b"\0\0\0"}, "who scrubs before the new name lasts is found out"
    disk.do(Call("fsync", (str(root),)))
    assert left("drop") == {"old": b"whole"}
