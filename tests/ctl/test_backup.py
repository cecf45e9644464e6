"""The settings out of one box and into another: as a file, as lines, as codes."""

import json
import re
import stat
from pathlib import Path

import pytest

from gateway import sheet
from gateway.changes import BackupNow, ExportBackup, ImportBackup
from tests.ctl.fake import TEXT, FakeDaemon
from tests.ctl.terminal import Run, Terminal

PASSPHRASE = "four words are enough"


@pytest.fixture
def key(tmp_path: Path) -> list[str]:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    return ["--passphrase-file", str(file)]


def test_export_here_and_import_there(daemon: FakeDaemon, run: Run, key: list[str], tmp_path: Path) -> None:
    file = tmp_path / "box.age"
    code, out, err = run("backup", "export", str(file), *key)
    assert (code, out) == (0, f"Written: {file}\n") and "apart from the box" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and b"free-secret" not in file.read_bytes()
    daemon.text = daemon.texts[1] = TEXT.replace("trunk4444", "trunk5555")
    code, out, _ = run("backup", "import", str(file), *key, "--yes")
    assert code == 0 and '~ trunk.login: "trunk5555" -> "trunk4444"' in out and daemon.text == TEXT
    assert run("backup", "export", str(file), *key)[0] == 1, "a backup is never written over"
    code, out, _ = run("backup", "export", str(tmp_path / "two"), *key, "--json")
    assert json.loads(out) == {"files": [str(tmp_path / "two")]}


@pytest.mark.parametrize("kind", [".html", ".svg", ".txt"])
def test_sheet_here_and_import_there(
    daemon: FakeDaemon, run: Run, key: list[str], tmp_path: Path, kind: str
) -> None:
    """From the .svg as its codes are scanned, from .txt and .html as the lines are typed."""
    file = tmp_path / f"sheet{kind}"
    code, out, _ = run("backup", "sheet", str(file), *key)
    assert code == 0 and str(file) in out
    assert [m.passphrase for m in daemon.asked if isinstance(m, ExportBackup)] == [PASSPHRASE]
    if kind == ".svg":
        names = out.removeprefix("Written: ").strip().split(", ")
        assert names == [str(file)] + [str(tmp_path / f"sheet-{n}.svg") for n in range(2, len(names) + 1)]
        text = "".join(Path(name).read_text() for name in names)
    else:
        text = file.read_text()
    assert "office" in text
    lines = text if kind == ".txt" else "\n".join(re.findall(r">([^<]*)</text>", text))
    typed = tmp_path / "typed.txt"
    typed.write_text(lines)
    daemon.text = daemon.texts[1] = TEXT.replace("trunk4444", "trunk5555")
    code, out, err = run("backup", "import", str(typed), *key, "--yes")
    assert code == 0, err
    assert daemon.text == TEXT


def test_scanned_codes_are_taken_in_any_order(
    daemon: FakeDaemon, run: Run, key: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "box.age"
    run("backup", "export", str(file), *key)
    scanned = tmp_path / "scanned.txt"
    scanned.write_text("\n".join(reversed(sheet.codes(file.read_bytes()))))
    daemon.text = daemon.texts[1] = TEXT.replace("trunk4444", "trunk5555")
    assert run("backup", "import", str(scanned), *key, "--yes")[0] == 0 and daemon.text == TEXT


def test_a_mistyped_line_is_named(daemon: FakeDaemon, run: Run, key: list[str], tmp_path: Path) -> None:
    file = tmp_path / "sheet.txt"
    run("backup", "sheet", str(file), *key)
    lines = file.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  7  "))
    lines[at] = lines[at][:5] + ("A" if lines[at][5] != "A" else "B") + lines[at][6:]
    file.write_text("\n".join(lines))
    code, out, err = run("backup", "import", str(file), *key, "--yes")
    assert (code, out) == (1, "") and f"sheet line 7 (line {at + 1}): its check does not fit" in err
    assert "Look at group 1" in err
    assert not any(isinstance(m, ImportBackup) for m in daemon.asked)


def test_a_person_is_asked_twice_for_a_new_passphrase(
    daemon: FakeDaemon, terminal: Terminal, tmp_path: Path
) -> None:
    file = str(tmp_path / "box.age")
    terminal.start("backup", "export", file).expect("Passphrase for the backup: ").type("one two three\n")
    terminal.expect("once more: ").type("one two four\n")
    assert terminal.end() == 1 and "the two were not the same" in terminal.seen
    terminal.start("backup", "export", file).expect("backup: ").type("short\n").expect("more: ").type(
        "short\n"
    )
    assert terminal.end() == 1 and "shorter than 10" in terminal.seen
    terminal.start("backup", "export", file).expect("backup: ").type(f"{PASSPHRASE}\n")
    terminal.expect("more: ").type(f"{PASSPHRASE}\n")
    assert terminal.end() == 0 and PASSPHRASE not in terminal.seen and Path(file).exists()
    terminal.start("backup", "import", file).expect("Passphrase of the backup: ").type("another one\n")
    assert terminal.end() == 1 and "does not open it" in terminal.seen


def test_what_is_no_backup(daemon: FakeDaemon, run: Run, key: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    for data, told in (
        (b"", "is empty"),
        (b"x" * 700_001, "longer than"),
        (b"\x1f\x8b\x08", "does not open"),
        (b"STEADYLINE1:\xff\xff", "not whole"),
    ):
        file.write_bytes(data)
        code, _, err = run("backup", "import", str(file), *key, "--yes")
        assert code == 1 and told in err and len(err.splitlines()) == 1
    assert run("backup", "import", str(tmp_path), *key, "--yes")[0] == 1
    assert run("backup", "sheet", str(tmp_path / "sheet.pdf"), *key)[0] == 1
    assert run("backup", "export", str(tmp_path / "no" / "where"), *key)[0] == 1
    daemon.says[ExportBackup] = lambda asked: BackupNow(data="%")
    code, _, err = run("backup", "export", str(tmp_path / "new"), *key)
    assert code == 1 and "no base64" in err and not (tmp_path / "new").exists()
