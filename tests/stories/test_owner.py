"""An owner at the command line: the real daemon as a process, gatewayctl as another, and a spare box."""

import contextlib
import io
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import ctl
from gateway.changes import GetTrial, TrialNow
from gateway.client import Client
from tests.ctl.terminal import Terminal
from tests.stories.test_resets import Box

PASSPHRASE = "correct horse battery staple"


class Owner(Box):
    """A box, and its owner's commands: in this process, for a start of each would take most of the time."""

    def ctl(self, *words: str) -> "subprocess.CompletedProcess[str]":
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = ctl.main(["--run", str(self.run), *words])
            except SystemExit as ended:
                code = int(ended.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def says(self, *words: str) -> str:
        """Done: what it printed."""
        done = self.ctl(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def refuses(self, *words: str, code: int = 1) -> str:
        """Not done: the one line that says why."""
        done = self.ctl(*words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    def settings_text(self) -> str:
        return self.says("settings", "show")

    def await_end_of_trial(self) -> None:
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with Client(self.run / "ctl.sock") as client:
                answer = client.request(GetTrial(), 5)
            if isinstance(answer, TrialNow) and answer.trial is None:
                return
            time.sleep(0.05)
        raise AssertionError("the trial never ended")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Owner]:
    (tmp_path / "box").mkdir()
    owner = Owner(tmp_path / "box")
    yield owner
    owner.close()


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Owner]:
    """Out of its carton: without settings."""
    (tmp_path / "spare").mkdir()
    owner = Owner(tmp_path / "spare")
    owner.settings.unlink()
    yield owner
    owner.close()


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    return "--passphrase-file", str(file)


def test_a_change_is_kept_dropped_or_returns_by_itself(box: Owner) -> None:
    box.up()
    out = box.says(
        "settings", "set", "appliance.name=hall", "uplinks.main.metered=true", "--yes", "--why", "new hall"
    )
    assert '~ appliance.name: "office" -> "hall"' in out and "~ uplinks.main.metered: false -> true" in out
    assert 'name = "hall"' in box.settings_text() and 'name = "hall"' in box.settings.read_text()
    assert "free-secret" not in box.settings_text() and "free-secret" in box.settings.read_text()

    told = box.says("settings", "unset", "uplinks.main.metered", "--yes", "--trial")
    name = told.rpartition("trial keep ")[2].strip()
    assert name and "metered" in box.says("trial", "show")
    assert "on trial: gatewayctl trial show" in box.says("status")
    assert "on trial" in box.refuses("settings", "set", "appliance.name=x", "--yes")
    box.says("trial", "drop")
    assert "no change is on trial" in box.refuses("trial", "keep", name)
    assert "metered = true" in box.settings_text()

    box.says("settings", "set", "appliance.name=attic", "--yes", "--trial", "--seconds", "5")
    assert '"attic"' in box.says("trial", "show") and box.name() == "hall", "what is confirmed is shown"
    box.await_end_of_trial()
    assert box.name() == "hall", "nobody kept it"

    history = json.loads(box.says("settings", "history", "--json"))
    assert (history[0]["why"], history[0]["differences"]) == ("new hall", 2)
    assert history[0]["who"].endswith("(gatewayctl)")
    first = str(history[-1]["revision"])
    assert '"hall" -> "office"' in box.says("settings", "diff", "--revision", first)
    assert '"hall" -> "office"' in box.says("settings", "rollback", first, "--yes")
    assert box.name() == "office" and len(json.loads(box.says("settings", "history", "--json"))) == 3
    assert "revision 99" in box.refuses("settings", "rollback", "99", "--yes")


def test_wrong_settings_change_nothing_and_every_problem_is_named(box: Owner, tmp_path: Path) -> None:
    box.up()
    before = box.settings.read_text()
    err = box.refuses("settings", "set", "appliance.country=UK", "uplinks.main.device=wan1", "--yes")
    assert len(err.splitlines()) == 2 and "appliance.country" in err and "appears twice" in err
    assert "not known" in box.refuses("settings", "set", "appliance.nam=x", "--yes")
    (tmp_path / "broken.toml").write_text("[appliance\n")
    assert "(line 1)" in box.refuses("settings", "try", str(tmp_path / "broken.toml"), "--yes")
    err = box.refuses("settings", "set", "incoming.registration.password=hunter22", "--yes", code=2)
    assert "hunter22" not in err
    assert (
        box.settings.read_text() == before and len(json.loads(box.says("settings", "history", "--json"))) == 1
    )


def test_two_owners_at_once_and_an_import_of_rules(box: Owner, tmp_path: Path) -> None:
    box.up()
    text = box.settings_text()
    box.says("settings", "set", "appliance.name=hall", "--yes")
    extensions = tmp_path / "extensions.conf"
    extensions.write_text(
        "exten => _49.,1,Set(CALLERID(num)=442012345678)\nsame => n,Dial(SIP/x/${EXTEN})\n"
        "exten => 1,1,Hangup()\n"
    )
    done = box.ctl("callerid", "import", str(extensions), "--yes")
    assert done.returncode == 0 and "line 3 becomes no rule" in done.stderr
    assert 'pattern = "_49."' in box.settings_text()
    # A text that was read before both changes, with the secret masked, is a change like any other.
    (tmp_path / "old.toml").write_text(text)
    assert '"hall" -> "office"' in box.says("settings", "diff", str(tmp_path / "old.toml"))


def test_the_box_was_reset_and_nobody_does_anything(box: Owner) -> None:
    box.up()
    box.says("settings", "set", "appliance.name=hall", "--yes")
    assert box.refuses("reset", code=2).endswith("Add --yes if that is what you want\n")
    box.says("reset", "--yes")
    box.again()
    out = box.says("status")
    assert "factory reset" in out and "gatewayctl seen" in out and box.name() == "hall"
    box.says("seen")
    assert "gatewayctl seen" not in box.says("status")


@pytest.mark.parametrize("kind", ["box.age", "sheet.txt"])
def test_a_spare_box_becomes_the_old_one(
    box: Owner, spare: Owner, tmp_path: Path, key: tuple[str, str], kind: str
) -> None:
    box.up()
    box.says("settings", "set", "appliance.name=hall", "--yes")
    file = str(tmp_path / kind)
    box.says("backup", "export" if kind == "box.age" else "sheet", file, *key)
    assert box.daemon
    box.daemon.kill()
    spare.up()
    assert "There are no settings yet" in spare.says("status")
    (tmp_path / "wrong").write_text("another passphrase\n")
    assert "passphrase" in spare.refuses(
        "backup", "import", file, "--passphrase-file", str(tmp_path / "wrong"), "--yes"
    )
    out = spare.says("backup", "import", file, *key, "--yes")
    assert 'appliance.name = "hall"' in out and "free-secret" not in out
    assert spare.name() == "hall" and "free-secret" in spare.settings.read_text()
    spare.says("reset", "--yes")
    spare.again()
    assert spare.name() == "hall", "it heals by itself, like the old one"


def test_given_away(box: Owner, tmp_path: Path) -> None:
    box.up()
    (tmp_path / "password").write_text("correct horse\n")
    box.says("password", "--presence", "--new-password-file", str(tmp_path / "password"))
    (tmp_path / "wrong").write_text("another one\n")
    box.refuses("decommission", "--yes", "--password-file", str(tmp_path / "wrong"))
    assert box.name() == "office"
    box.says("decommission", "--yes", "--password-file", str(tmp_path / "password"))
    box.again()
    assert "There are no settings yet" in box.says("status") and box.settings_text() == ""


def test_the_support_bundle_of_a_real_daemon_has_no_secret(box: Owner, tmp_path: Path) -> None:
    import tarfile

    box.up()
    box.says("support", str(tmp_path / "bundle.tar.gz"))
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        names = [member.name.partition("/")[2] for member in archive]
        files = [archive.extractfile(member) for member in archive]
        everything = b"".join(file.read() for file in files if file)
    assert {"status.json", "settings.toml", "history.json", "README.txt"} <= set(names)
    assert b"free-secret" not in everything and b"sip.provider.test" in everything


def test_a_person_at_a_terminal(box: Owner, tmp_path: Path) -> None:
    box.up()
    terminal = Terminal(box.run, tmp_path)
    try:
        terminal.start("settings", "set", "appliance.name=hall").expect('"office" -> "hall"')
        terminal.expect("Apply? [y/N] ").type("y\n").expect("evision")
        assert terminal.end() == 0 and box.name() == "hall"
        terminal.start("watch").expect("Calls").interrupt()
        assert terminal.end() == 0
    finally:
        terminal.close()
