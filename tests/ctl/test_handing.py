"""Reset, decommission, password: what is asked first, and what is said to the box."""

import json
from pathlib import Path

from gateway.changes import AskPresence, Decommission, FactoryReset, SetPassword
from tests.ctl.fake import FakeDaemon
from tests.ctl.terminal import Run, Terminal


def test_reset_asks_and_names_the_live_calls(daemon: FakeDaemon, run: Run, terminal: Terminal) -> None:
    terminal.start("reset").expect("1 live call will end.").expect("from its vault").expect("[y/N] ").type(
        "n\n"
    )
    assert terminal.end() == 1 and daemon.wiped == ""
    assert run("reset")[0] == 2 and daemon.wiped == ""
    assert run("reset", "--yes") == (0, "The box starts again, and restores itself.\n", "")
    assert daemon.wiped == "reset" and any(isinstance(m, FactoryReset) for m in daemon.asked)


def test_decommission_takes_name_password_and_button(daemon: FakeDaemon, terminal: Terminal) -> None:
    daemon.password = "pass-w0rd"
    terminal.start("decommission").expect("wiped for good").expect("name of the box (office)").type(
        "Office\n"
    )
    assert terminal.end() == 1 and "not its name" in terminal.seen and daemon.wiped == ""
    terminal.start("decommission").expect("(office)").type("office\n").expect("is set): ").type("pass-w0rd\n")
    terminal.expect("Tap the button").expect("Everything is wiped.")
    assert terminal.end() == 0 and daemon.wiped == "decommissioned" and "pass-w0rd" not in terminal.seen


def test_decommission_from_a_script_still_needs_the_button(
    daemon: FakeDaemon, run: Run, tmp_path: Path
) -> None:
    daemon.password, daemon.somebody_taps = "pass-w0rd", False
    file = tmp_path / "password"
    file.write_text("pass-w0rd\n")
    code, _, err = run("decommission", "--yes", "--password-file", str(file))
    assert code == 1 and "nobody tapped" in err and daemon.wiped == ""
    assert not any(isinstance(m, Decommission) for m in daemon.asked)
    assert run("decommission", "--yes")[0] == 2, "nobody is there to ask"


def test_password_by_the_old_one_or_by_the_button(
    daemon: FakeDaemon, run: Run, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.start("password").expect("Password now").type("\n").expect("Tap the button")
    terminal.expect("New password: ").type("first-one\n").expect("once more: ").type("first-one\n")
    assert terminal.end() == 0 and daemon.password == "first-one" and "first-one" not in terminal.seen
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("first-one\n")
    new.write_text("second-one\n")
    files = ["--old-password-file", str(old), "--new-password-file", str(new)]
    daemon.asked.clear()
    code, out, _ = run("password", *files, "--json")
    assert code == 0 and json.loads(out)["text"] == "The password is set." and daemon.password == "second-one"
    assert daemon.asked == [SetPassword(password="second-one", old="first-one")]
    code, _, err = run("password", *files)
    assert code == 1 and "that is not the password" in err and daemon.password == "second-one"
    daemon.asked.clear()
    assert run("password", "--presence", "--new-password-file", str(new))[0] == 0
    assert isinstance(daemon.asked[0], AskPresence)
