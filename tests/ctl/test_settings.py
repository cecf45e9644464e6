"""The settings by parts, in an editor, whole, and compared; secrets go in and never come out."""

import json
import stat
from pathlib import Path

import pytest

from gateway.changes import GetSettings, SettingsNow, TrySettings
from tests.ctl.fake import REFUSED, TEXT, FakeDaemon
from tests.ctl.terminal import Run, Terminal


def test_show_masks_secrets(daemon: FakeDaemon, run: Run) -> None:
    code, out, _ = run("settings", "show")
    assert code == 0 and "free-secret" not in out and "(kept)" in out
    assert "free-secret" not in run("settings", "show", "--json")[1]
    code, _, err = run("settings", "show", "--revision", "9")
    assert code == 1 and "there is no revision 9" in err
    daemon.says[GetSettings] = lambda asked: SettingsNow(text="", revision=0, origin="none")
    code, out, err = run("settings", "show")
    assert (code, out) == (0, "") and "gatewayctl settings edit" in err
    assert run("settings", "set", "trunk.login=1", "--yes")[0] == 1


def test_set_changes_values_and_leaves_comments(daemon: FakeDaemon, run: Run) -> None:
    daemon.text = daemon.texts[1] = "# mine\n" + TEXT
    code, out, err = run(
        "settings", "set", "uplinks.main.metered=true", "trunk.login=4444", "appliance.name=hall", "--yes"
    )
    assert (code, err) == (0, "") and '~ appliance.name: "office" -> "hall"' in out
    assert "~ uplinks.main.metered: false -> true" in out and '"trunk4444" -> "4444"' in out
    assert daemon.text.startswith("# mine\n") and "free-secret" in daemon.text
    code, out, _ = run("settings", "unset", "uplinks.main.metered", "--yes")
    assert code == 0 and "~ uplinks.main.metered: true -> false" in out and "metered" not in daemon.text


def test_what_cannot_be_set_is_said(daemon: FakeDaemon, run: Run) -> None:
    for words, told in (
        (["set", "trunk.logn=1"], "trunk.logn"),
        (["set", "uplinks.attic.metered=true"], "attic"),
        (["set", "=5"], "names no setting"),
        (["set", "trunk.login"], "no value is given"),
        (["set", "appliance.country=UK"], "GB"),
        (["unset", "phones.nowhere"], "nowhere"),
        (["unset", "trunk.server"], "trunk.server"),
        (["set", "uplinks=none"], "uplinks"),
        (["set", '"=1'], "settings"),
    ):
        code, out, err = run("settings", *words, "--yes")
        assert code in (1, 2) and out == "" and told in err, (words, err)
        assert all(line.startswith("gatewayctl: ") for line in err.splitlines())
    assert daemon.revision == 1 and daemon.trial is None


def test_secrets_are_asked_for_or_read_from_a_file(
    daemon: FakeDaemon, run: Run, terminal: Terminal, tmp_path: Path
) -> None:
    path = "incoming.registration.password"
    code, _, err = run("settings", "set", f"{path}=hunter22", "--yes")
    assert code == 2 and "not taken from the command line" in err and "hunter22" not in err
    assert run("settings", "set", path, "--yes")[0] == 2, "nobody is there to ask"
    terminal.start("settings", "set", path, "--yes").expect(f"New value of {path}: ").type("n3w-secret\n")
    assert terminal.end() == 0 and "n3w-secret" not in terminal.seen and "n3w-secret" in daemon.text
    (tmp_path / "secret").write_text("from-a-file\nnot this\n")
    code, out, _ = run("settings", "set", path, "--secret-file", str(tmp_path / "secret"), "--yes")
    assert code == 0 and "from-a-file" in daemon.text and "not this" not in daemon.text
    assert "from-a-file" not in out
    (tmp_path / "secret").write_text("")
    code, _, err = run("settings", "set", path, "--secret-file", str(tmp_path / "secret"), "--yes")
    assert code == 1 and "its first line is empty" in err


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """An editor that does to the file what stands in `<editor>.todo`, a line each time (sed)."""
    program = tmp_path / "editor"
    program.write_text(
        '#!/bin/sh\nset -e\nsed -n 1p "$0.todo" >"$0.now"\nsed -i 1d "$0.todo"\n'
        'stat -c %a "$(dirname "$1")" >"$0.mode"\nsed -i -f "$0.now" "$1"\n'
    )
    program.chmod(0o755)
    return program


def todo(editor: Path, *lines: str) -> None:
    editor.with_suffix(".todo").write_text("\n".join(lines) + "\n")


def test_edit_comes_back_until_it_is_sound(daemon: FakeDaemon, terminal: Terminal, editor: Path) -> None:
    todo(editor, 's/"GB"/"UK"/; s/"wan1"/"wan0"/', 's/"UK"/"DE"/; 0,/"wan0"/!s/"wan0"/"wan1"/')
    terminal.start("settings", "edit", EDITOR=str(editor)).expect("2 problems; nothing was changed:")
    terminal.expect("appliance.country (line 5)").expect("uplinks.1.device").expect("Press Enter").type("\n")
    terminal.expect('~ appliance.country: "GB" -> "DE"').expect("Apply? [y/N] ").type("y\n")
    terminal.expect("Kept as revision 2.")
    assert terminal.end() == 0 and "free-secret" in daemon.text and "(kept)" not in daemon.text
    assert editor.with_suffix(".mode").read_text() == "700\n", "what is typed is for nobody else"


def test_edit_without_a_change_is_none(daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    assert run("settings", "edit") == (0, "Nothing was changed.\n", "")
    assert not any(isinstance(m, TrySettings) for m in daemon.asked)


def test_edit_that_was_given_up_loses_nothing(daemon: FakeDaemon, terminal: Terminal, editor: Path) -> None:
    todo(editor, 's/"GB"/"UK"/')
    terminal.start("settings", "edit", EDITOR=str(editor)).expect("Press Enter").interrupt()
    assert terminal.end() == 1
    kept = terminal.seen.partition("Your text was kept: ")[2].partition(". To go on")[0]
    assert '"UK"' in Path(kept).read_text() and stat.S_IMODE(Path(kept).parent.stat().st_mode) == 0o700
    assert f"gatewayctl settings try {kept}" in terminal.seen and daemon.revision == 1
    Path(kept).unlink()
    Path(kept).parent.rmdir()


@pytest.mark.parametrize(
    ("program", "told"), [("/nowhere/editor", "No such file"), ("false", "ended with code 1"), ("'", "quot")]
)
def test_an_editor_that_does_not_work(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch, program: str, told: str
) -> None:
    monkeypatch.setenv("EDITOR", program)
    code, _, err = run("settings", "edit")
    assert code == 1 and told in err and len(err.splitlines()) == 1


def test_diff_of_a_file_and_of_a_revision(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.toml"
    file.write_text(TEXT.replace('"trunk4444"', '"trunk5555"'))
    code, out, _ = run("settings", "diff", str(file))
    assert (code, out) == (0, '~ trunk.login: "trunk4444" -> "trunk5555"\n')
    assert json.loads(run("settings", "diff", str(file), "--json")[1])[0]["after"] == '"trunk5555"'
    assert run("settings", "diff", "--revision", "1") == (0, "No difference.\n", "")
    assert run("settings", "diff", "--revision", "7")[0] == 1
    assert run("settings", "diff")[0] == 2 and run("settings", "diff", "x", "--revision", "1")[0] == 2
    assert daemon.revision == 1 and daemon.trial is None


def test_validate_needs_no_daemon(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(TEXT)
    code, out, _ = run("settings", "validate", str(file))
    assert code == 0 and "is sound: 2 channels, 1 phones" in out
    assert json.loads(run("settings", "validate", str(file), "--json")[1])["uplinks"] == 2
    file.write_text(TEXT.replace('"GB"', '"UK"').replace('"wan1"', '"wan0"'))
    code, out, err = run("settings", "validate", str(file))
    assert (code, out) == (1, "")
    assert [line.split(": ")[2].split(" (")[0] for line in err.splitlines()] == [
        "appliance.country",
        "uplinks.1.device",
    ]
    file.write_bytes(b"schema = 1\n\xff\n")
    assert "line 2 is not UTF-8" in run("settings", "validate", str(file))[2]
    assert "cannot be read" in run("settings", "validate", str(tmp_path / "none"))[2]
    assert "cannot be read" in run("settings", "validate", str(tmp_path))[2]


def test_history(daemon: FakeDaemon, run: Run) -> None:
    head, row = run("settings", "history")[1].splitlines()
    assert head.split() == ["REVISION", "WHEN", "WHO", "CHANGES", "SEALED", "WHY"]
    assert row.split()[0] == "1" and row.endswith("the first one")
    assert json.loads(run("settings", "history", "--json")[1])[0]["sealed"] is True


def test_schema_is_json_schema(run: Run) -> None:
    told = json.loads(run("settings", "schema")[1])
    assert "uplinks" in told["properties"]


EXTENSIONS = """\
[outgoing]
exten => _4420XXXXXXXX,1,Set(CALLERID(num)=442012345678)
same => n,Dial(SIP/provider/${EXTEN})
exten => _49.,1,Set(CALLERID(num)=443069990100)
exten => _33.,1,Playback(hello)
"""


def test_import_of_an_extensions_conf_names_every_line_that_becomes_no_rule(
    daemon: FakeDaemon, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "extensions.conf"
    file.write_text(EXTENSIONS)
    code, out, err = run("callerid", "import", str(file), "--yes")
    assert code == 0 and "_49." in daemon.text and '"443069990100"' in out
    assert f"{file}, line 5 becomes no rule" in err and "Playback" in err and "1 lines without effect" in err
    again = run("callerid", "import", str(file), "--yes")
    assert again[0] == 0 and "Nothing would change" in again[1]
    file.write_text("nothing here\n")
    code, _, err = run("callerid", "import", str(file), "--yes")
    assert code == 1 and "no line sets a CallerID" in err and "line 1 becomes no rule" in err
    daemon.says[GetSettings] = lambda asked: REFUSED
    assert run("callerid", "import", str(file), "--yes")[0] == 1
