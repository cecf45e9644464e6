"""A box that is reset, robbed of its settings, given away: the real daemon as a process, the real vault."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.changes import (
    AskPresence,
    CheckPassword,
    Decommission,
    FactoryReset,
    GetSettings,
    KeepTrial,
    Seen,
    SetPassword,
    SettingsNow,
    TrialNow,
    TrySettings,
)
from gateway.client import Client
from gateway.messages import AnyMessage, Done, Refused, Verb
from gateway.settings.keys import Keys
from gateway.settings.vault import Vault
from gateway.status import Status
from tests.test_daemon import EXAMPLE, House

TEXT = EXAMPLE.read_text()


class Box(House):
    """A house whose daemon ends itself for a reset, and is started again as systemd would."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.marker = directory / "steadyline-reset"
        self.vault, self.key = directory / "state-vault", directory / "state-key"
        self.daemon: subprocess.Popen[str] | None = None

    def up(self) -> "subprocess.Popen[str]":
        words = (str(self.settings), str(self.state), str(self.run), str(self.marker))
        self.daemon = self.start("daemon", *words)
        self.hear("READY=1")
        return self.daemon

    def again(self) -> str:
        """The daemon has ended by itself, in good order; start it. Gives what the old one had logged."""
        assert self.daemon is not None
        _, log = self.daemon.communicate(timeout=10)
        assert self.daemon.returncode == 0, log
        self.up()
        return log

    def ask(self, verb: Verb) -> AnyMessage:
        with Client(self.run / "ctl.sock") as client:
            return client.request(verb, 10)

    def done(self, verb: Verb) -> Done:
        answer = self.ask(verb)
        assert isinstance(answer, Done), answer
        return answer

    def status(self) -> Status:
        return self.await_status(lambda now: True).status

    def change(self, text: str) -> None:
        now = self.ask(GetSettings())
        assert isinstance(now, SettingsNow)
        tried = self.ask(TrySettings(text=text, base=now.revision, who="anna"))
        assert isinstance(tried, TrialNow) and tried.trial is not None, tried
        self.done(KeepTrial(trial=tried.trial.trial))

    def name(self) -> str:
        now = self.ask(GetSettings())
        assert isinstance(now, SettingsNow)
        return now.text.partition('name = "')[2].partition('"')[0]

    def reset(self) -> None:
        self.done(FactoryReset(who="anna"))
        self.again()

    def sealed(self) -> list[str]:
        vault = Vault(self.vault, Keys(self.key, {}))
        return [slot.text.decode() for slot in vault.distinct(vault.look().sound)]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def test_a_factory_reset_heals_by_itself(box: Box) -> None:
    box.up()
    box.start_calls()
    box.await_status(lambda now: now.status.calls_process == "running")
    assert box.ctl("trunk", "confirm", "backup1").returncode == 0
    proof = str(box.done(AskPresence(why="test")).data["proof"])
    box.done(SetPassword(password="correct horse", proof=proof))
    (box.state / "recordings" / "8888.wav").write_bytes(b"RIFF")
    box.done(FactoryReset(who="the page"))
    log = box.again()
    assert "Factory reset by the page" in log

    checked = box.await_status(lambda now: "provider answers" in now.status.settings.restored).status
    assert "After a factory reset by the page the box restored its settings" in checked.settings.restored
    assert "The provider answers on backup1." in checked.settings.restored
    assert checked.settings.origin == "vault" and checked.settings.access == ""
    assert box.settings.read_text() == TEXT, "comments and all"
    assert not list((box.state / "recordings").iterdir())
    assert checked.settings.restored in checked.verdict, "told until somebody has seen it"
    refused = box.ask(CheckPassword(password="correct horse"))
    assert isinstance(refused, Refused) and "no password is set" in refused.what
    box.done(Seen())
    assert box.status().settings.restored == ""
    confirmed = box.await_status(
        lambda now: any(u.confirmed_at or u.state == "up" for u in now.status.uplinks)
    )
    assert {u.name for u in confirmed.status.uplinks if u.state == "up"} == {"main", "backup1"}


def test_second_goes_back_third_is_empty_fourth_restores(box: Box) -> None:
    box.up()
    box.change(TEXT.replace('"office"', '"branch"'))
    box.await_status(lambda now: now.status.settings.revision == 2)
    box.reset()
    assert box.name() == "branch"
    box.reset()
    assert box.name() == "office", "who resets again has wrong settings"
    assert "as they were before the last change" in box.status().settings.restored
    box.reset()
    empty = box.status()
    assert empty.lamp == "setup" and empty.settings.origin == "none" and not box.settings.exists()
    assert "One more brings back" in empty.settings.restored
    box.reset()
    assert box.name() == "office", "what was in force last"


def test_a_marker_file_is_obeyed_once_even_if_it_cannot_be_taken_away(box: Box) -> None:
    box.up()
    box.await_status(lambda now: "same disk" in now.status.settings.vault)
    assert box.daemon is not None
    box.daemon.send_signal(signal.SIGTERM)
    box.daemon.communicate()
    box.marker.write_text("please\n")
    seen = box.marker.stat()
    (box.state / "stray").write_text("x")
    box.up()
    assert not (box.state / "stray").exists() and not box.marker.exists() and box.name() == "office"
    assert "by the marker file" in box.status().settings.restored

    box.marker.write_text("please\n")  # as if it stood on a partition that cannot be written
    os.utime(box.marker, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    (box.state / "stray").write_text("x")
    assert box.daemon is not None
    box.daemon.send_signal(signal.SIGTERM)
    box.daemon.communicate()
    box.up()
    assert (box.state / "stray").exists(), "it was obeyed before"


def test_settings_that_got_lost_come_back_from_the_vault(box: Box) -> None:
    daemon = box.up()
    box.await_status(lambda now: "same disk" in now.status.settings.vault)
    daemon.kill()
    daemon.communicate()
    shutil.rmtree(box.state)
    box.settings.unlink()
    box.up()
    status = box.status()
    assert box.name() == "office" and status.settings.origin == "vault"
    assert "No settings stand on the disk" in status.settings.restored
    assert box.settings.read_text() == TEXT


def test_a_spoilt_file_without_a_good_copy_is_told_and_kept_aside(box: Box) -> None:
    daemon = box.up()
    box.await_status(lambda now: "same disk" in now.status.settings.vault)
    daemon.kill()
    daemon.communicate()
    shutil.rmtree(box.state)
    box.settings.write_text("[appliance\n")
    box.up()
    assert box.name() == "office"
    assert box.settings.with_name("settings.toml.aside").read_text() == "[appliance\n"
    assert "not valid TOML" in box.status().settings.restored


def test_decommissioning_is_final(box: Box, tmp_path: Path) -> None:
    box.up()
    box.await_status(lambda now: "same disk" in now.status.settings.vault)
    assert box.sealed() == [TEXT]
    shutil.copytree(box.vault, tmp_path / "copy")
    proof = str(box.done(AskPresence(why="the box is sold")).data["proof"])
    without = box.ask(Decommission(who="anna", password="", proof="guess"))
    assert isinstance(without, Refused) and "button" in without.where
    box.done(Decommission(who="anna", password="", proof=proof))
    box.again()
    status = box.status()
    assert status.lamp == "setup" and status.settings.restored == ""
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"office" in path.read_bytes()]
    assert left == [], "nothing of its past"
    assert not box.sealed() and not list(box.vault.iterdir()) and not list(box.key.iterdir())
    # Set up again by the next owner, it has a key of its own: a copy of the old vault does not open with it.
    box.change(TEXT.replace('"office"', '"theirs"'))
    box.await_status(lambda now: "same disk" in now.status.settings.vault)
    stolen = Vault(tmp_path / "copy", Keys(box.key, {}))
    assert stolen.look().sound == () and len(stolen.look().told) == 2


def test_an_empty_box_takes_its_first_settings_without_a_restart(box: Box) -> None:
    box.settings.unlink()
    daemon = box.up()
    assert box.status().lamp == "setup"
    box.change(TEXT)
    status = box.await_status(lambda now: len(now.status.uplinks) == 2).status
    assert status.settings.origin == "owner" and status.settings.revision == 1
    assert box.settings.read_text() == TEXT and daemon.poll() is None


def test_kill_9_during_a_trial(box: Box) -> None:
    daemon = box.up()
    tried = box.ask(TrySettings(text=TEXT.replace('"office"', '"branch"'), base=1, who="anna"))
    assert isinstance(tried, TrialNow)
    assert box.status().settings.trial == "anna"
    daemon.kill()
    daemon.communicate()
    box.up()
    assert box.name() == "office" and box.status().settings.trial == ""
    assert box.daemon is not None
    box.daemon.send_signal(signal.SIGTERM)
    _, log = box.daemon.communicate()
    assert "A change of anna was on trial when the box stopped" in log
