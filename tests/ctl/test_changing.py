"""A change from the look to the end: shown, asked for, tried, kept by who still reaches the box, or not."""

import json
import sys
from pathlib import Path

import pytest

from gateway.changes import DropTrial, GetSettings, KeepTrial, RollBack, TrySettings
from gateway.messages import AnyMessage, Done
from tests.ctl.fake import REFUSED, STATUS, TEXT, FakeDaemon
from tests.ctl.terminal import Run, Terminal


@pytest.fixture
def changed(tmp_path: Path) -> str:
    """A file with one value changed."""
    file = tmp_path / "changed.toml"
    file.write_text(TEXT.replace('"trunk4444"', '"trunk5555"').replace("free-secret", "(kept)"))
    return str(file)


def tries(daemon: FakeDaemon) -> list[bool]:
    """Each TrySettings, RollBack so far: whether it was only to look."""
    return [m.only_look for m in daemon.asked if isinstance(m, TrySettings | RollBack)]


def test_yes_is_shown_tried_and_kept_over_a_new_connection(
    daemon: FakeDaemon, run: Run, changed: str
) -> None:
    daemon.touches = ("Call 7 of desk goes on.", "Call 8 of hall ends.")
    code, out, err = run("settings", "try", changed, "--yes", "--why", "new login")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        '~ trunk.login: "trunk4444" -> "trunk5555"',
        "",
        "It touches 2 live calls:",
        "  Call 7 of desk goes on.",
        "  Call 8 of hall ends.",
        "Kept as revision 2.",
        STATUS.verdict,
    ]
    assert tries(daemon) == [True, False]
    [kept] = [m for m in daemon.asked if isinstance(m, KeepTrial)]
    assert kept.trial and daemon.connections >= 2, "kept over another connection than the one that changed"
    change = next(m for m in daemon.asked if isinstance(m, TrySettings))
    assert (change.base, change.why, change.seconds) == (1, "new login", 90)
    assert change.who.endswith("(gatewayctl)")
    assert "free-secret" in daemon.text and "trunk5555" in daemon.text


def test_a_person_is_asked_and_may_say_no(daemon: FakeDaemon, terminal: Terminal, changed: str) -> None:
    terminal.start("settings", "try", changed).expect('"trunk5555"').expect("Apply? [y/N] ").type("\n")
    assert terminal.end() == 1 and "nothing was changed" in terminal.seen
    assert tries(daemon) == [True] and daemon.revision == 1
    terminal.start("settings", "try", changed).expect("[y/N] ").type("y\n").expect("Kept as revision 2.")
    assert terminal.end() == 0
    terminal.start("settings", "rollback", "1").expect('"trunk4444"').expect("[y/N] ").type("\x04")
    assert terminal.end() == 1, "Ctrl-D is no yes"


def test_nobody_there_to_ask_is_wrong_usage(daemon: FakeDaemon, run: Run, changed: str) -> None:
    code, _, err = run("settings", "try", changed)
    assert (
        code == 2
        and err
        == "gatewayctl: standard input: nobody can be asked here. Add --yes if that is what you want\n"
    )
    assert tries(daemon) == [True]


def test_look_changes_nothing(daemon: FakeDaemon, run: Run, changed: str) -> None:
    code, out, _ = run("settings", "try", changed, "--look")
    assert code == 0 and "trunk5555" in out and tries(daemon) == [True]
    code, out, _ = run("settings", "try", changed, "--look", "--json")
    assert json.loads(out)["trial"]["differences"][0]["path"] == "trunk.login"


def test_no_difference_is_no_change(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    (tmp_path / "same.toml").write_text(TEXT)
    assert run("settings", "try", str(tmp_path / "same.toml"), "--yes") == (0, "Nothing would change.\n", "")
    assert tries(daemon) == [True]


def test_it_can_be_left_on_trial_and_kept_or_dropped_by_its_name(
    daemon: FakeDaemon, run: Run, changed: str
) -> None:
    assert run("trial", "show")[0] == 1
    code, out, _ = run("settings", "try", changed, "--yes", "--trial", "--seconds", "300")
    assert code == 0 and daemon.trial and f"gatewayctl trial keep {daemon.trial.trial}" in out
    assert daemon.trial.left_s == 300
    name = daemon.trial.trial
    assert "trunk5555" in run("trial", "show")[1]
    assert run("settings", "try", changed, "--yes")[0] == 1, "one at a time"
    assert run("trial", "keep", "another")[0] == 1 and daemon.trial is not None
    assert run("trial", "keep")[0] == 2, "nobody is there to ask"
    assert run("trial", "keep", name) == (0, "Kept as revision 2.\n", "")
    assert run("settings", "rollback", "1", "--yes", "--trial")[0] == 0
    assert run("trial", "drop") == (0, "The old settings are back.\n", "")
    assert daemon.revision == 2 and "trunk5555" in daemon.text


def test_keep_without_a_name_shows_the_change_and_asks(
    daemon: FakeDaemon, run: Run, terminal: Terminal, changed: str
) -> None:
    run("settings", "try", changed, "--yes", "--trial")
    terminal.start("trial", "keep").expect("trunk5555").expect("Keep it? [y/N] ").type("n\n")
    assert terminal.end() == 1 and daemon.trial
    terminal.start("trial", "keep").expect("Keep it? [y/N] ").type("yes\n").expect("Kept as revision 2.")
    assert terminal.end() == 0


def test_the_box_is_reached_again_after_a_while(daemon: FakeDaemon, terminal: Terminal, changed: str) -> None:
    daemon.away_s = 1.5
    terminal.start("settings", "try", changed, "--yes")
    terminal.expect("The box is not reached yet; the old settings return in 8")
    terminal.expect("Kept as revision 2.")
    assert terminal.end() == 0


def test_a_box_that_is_not_reached_any_more(daemon: FakeDaemon, run: Run, changed: str) -> None:
    daemon.away_s, daemon.longest_s = 60.0, 1.0
    code, _, err = run("settings", "try", changed, "--yes")
    assert code == 3 and "was not reached after the change, so the old settings return" in err
    assert daemon.revision == 1


def test_by_ssh_a_key_press_shows_that_the_session_still_works(
    daemon: FakeDaemon, terminal: Terminal, changed: str
) -> None:
    ssh = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
    terminal.start("settings", "try", changed, **ssh).expect("[y/N] ").type("y\n").expect(
        "Press Enter to keep"
    )
    assert daemon.trial and not any(isinstance(m, KeepTrial) for m in daemon.asked)
    terminal.type("\n").expect("Kept as revision 2.")
    assert terminal.end() == 0
    daemon.longest_s = 2.0
    terminal.start("settings", "rollback", "1", **ssh).expect("[y/N] ").type("y\n").expect("Back in 1 s")
    assert terminal.end() == 1 and "no key came through" in terminal.seen
    assert daemon.revision == 2


def test_by_ssh_and_sudo_which_forgets_it(
    daemon: FakeDaemon, terminal: Terminal, changed: str, tmp_path: Path
) -> None:
    (tmp_path / "sshd").symlink_to("/bin/sh")
    ctl = f"{sys.executable} -m gateway.ctl --run {tmp_path / 'run'} settings try {changed}"
    terminal.run(str(tmp_path / "sshd"), "-c", f"unset SSH_CONNECTION; {ctl}; exit $?")
    terminal.expect("[y/N] ").type("y\n").expect("Press Enter to keep").type("\n").expect(
        "Kept as revision 2."
    )
    assert terminal.end() == 0


def test_ctrl_c_while_it_waits_takes_the_change_back(
    daemon: FakeDaemon, terminal: Terminal, changed: str
) -> None:
    terminal.start("settings", "try", changed, SSH_CONNECTION="a b c d").expect("[y/N] ").type("y\n")
    terminal.expect("Press Enter").interrupt()
    assert terminal.end() == 1 and "The old settings are back" in terminal.seen
    assert any(isinstance(m, DropTrial) for m in daemon.asked) and daemon.trial is None


def test_two_editors_the_second_is_told(daemon: FakeDaemon, run: Run, changed: str) -> None:
    other = Path(changed).read_text().replace("trunk5555", "trunk6666")

    def meanwhile(asked: TrySettings) -> AnyMessage | bytes | None:
        if not asked.only_look and daemon.revision == 1:
            daemon.revision, daemon.text = 2, other
        return daemon.receive(asked)

    daemon.says[TrySettings] = meanwhile
    code, _, err = run("settings", "try", changed, "--yes")
    assert code == 1 and "at revision 2 now; yours were made from revision 1" in err


def test_every_problem_is_told_with_its_line(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(TEXT.replace('"GB"', '"UK"').replace('"wan1"', '"wan0"'))
    code, out, err = run("settings", "try", str(bad), "--yes")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "appliance.country (line 5)",
        "uplinks.1.device (line 16)",
    ]
    code, out, _ = run("settings", "try", str(bad), "--yes", "--json")
    assert [p["line"] for p in json.loads(out)["problems"]] == [5, 16]


def test_json_tells_what_became_of_it(daemon: FakeDaemon, run: Run, changed: str) -> None:
    told = json.loads(run("settings", "try", changed, "--yes", "--json")[1])
    assert told["kept"] is True and told["answer"]["text"] == "Kept as revision 2."
    told = json.loads(run("settings", "rollback", "1", "--yes", "--trial", "--json")[1])
    assert told["kept"] is False and daemon.trial and told["trial"]["trial"] == daemon.trial.trial
    assert json.loads(run("trial", "show", "--json")[1])["trial"]["trial"] == daemon.trial.trial


def test_a_daemon_that_does_not_know_these_verbs_yet(daemon: FakeDaemon, run: Run, changed: str) -> None:
    daemon.says[TrySettings] = lambda asked: Done(text="What?")
    assert run("settings", "try", changed, "--yes")[0] == 1
    daemon.says[GetSettings] = lambda asked: REFUSED
    assert run("settings", "show")[0] == 1
