"""The support bundle: everything that helps, nothing that hurts, and made also when much is missing."""

import json
import os
import secrets
import stat
import tarfile
from pathlib import Path

import pytest

from gateway.changes import GetSettings, GetSupport, SettingsNow, SupportNow
from gateway.messages import AnyMessage, GetStatus
from tests.ctl.fake import TEXT, FakeDaemon
from tests.ctl.terminal import Run


def parts(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        members = archive.getmembers()
        assert all(m.isfile() and not Path(m.name).is_absolute() and ".." not in m.name for m in members)
        return {m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in members}  # type: ignore[union-attr]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """journalctl and systemctl of this test: they print what stands in a file beside them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("journalctl", "systemctl"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*"\ncat "$0.says" 2>/dev/null || true\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_twenty_planted_secrets_are_not_in_it(
    daemon: FakeDaemon, run: Run, programs: Path, tmp_path: Path
) -> None:
    planted = [secrets.token_hex(8) for _ in range(20)]
    settings = "".join(
        line.format(secret)
        for line, secret in zip(
            [
                'password = "{}"\n',
                "registration_password = '{}'\n",
                'pin = "{}"\n',
                'url = "https://hook:{}@example.com/"\n',
                'smtp_password = """{}"""\n',
            ],
            planted[:5],
            strict=True,
        )
    )
    daemon.says[GetSettings] = lambda asked: SettingsNow(text=settings, revision=1, origin="owner")
    own = {
        "nft": f"table inet x # token={planted[5]}\n",
        "trace": f'Authorization: Digest response="{planted[6]}"\na=crypto:1 X inline:{planted[7]}\n',
        "vault": f"AGE-SECRET-KEY-1{planted[8].upper()}\n-----BEGIN PRIVATE KEY-----\n{planted[9]}\n",
        "web": f"Cookie: session={planted[10]}\nBearer {planted[11]}\n",
        "hash": f"scrypt:32768:8:1$s${planted[12]}\n",
    }
    daemon.says[GetSupport] = lambda asked: SupportNow(parts=own)
    (programs / "journalctl.says").write_text(
        f"password={planted[13]}\n{{'secret': '{planted[14]}'}}\nProxy-Authorization: {planted[15]}\n"
        f"passphrase: {planted[16]}\napi_key={planted[17]}\ncall to 442079460001 ended\n"
    )
    (programs / "systemctl.says").write_text(f"credential={planted[18]}\nprivate_key = {planted[19]}\n")
    file = tmp_path / "bundle.tar.gz"
    code, out, _ = run("support", str(file))
    assert code == 0 and str(file) in out and stat.S_IMODE(file.stat().st_mode) == 0o600
    everything = "\n".join(parts(file).values())
    found = [secret for secret in planted if secret.lower() in everything.lower()]
    assert found == []
    assert everything.count("(masked)") >= 20
    assert "442079460001" not in everything and "44207946****" in everything, "of the journal and the status"
    assert "198.51.100.20" in everything, "addresses stay"


def test_it_holds_what_helps(daemon: FakeDaemon, run: Run, programs: Path, tmp_path: Path) -> None:
    (programs / "journalctl.says").write_text("the journal\n")
    file = tmp_path / "bundle.tar.gz"
    code, out, _ = run("support", str(file), "--json")
    told = json.loads(out)
    found = parts(file)
    assert code == 0 and sorted(found) == told["parts"]
    assert json.loads(found["status.json"])["verdict"].startswith("Calls work over backup1")
    assert 'server = "sip.provider.test"' in found["settings.toml"] and "(kept)" in found["settings.toml"]
    assert json.loads(found["history.json"])[0]["revision"] == 1
    assert "steadyline " in found["versions.txt"] and "python 3" in found["versions.txt"]
    assert found["daemon/routes.txt"] == "default via 203.0.113.1\n"
    assert found["daemon/____etc_x.txt"] == "no way out\n", "a name of the daemon's stays in its folder"
    assert "the journal" in found["journal.txt"] and "systemctl status" in found["services.txt"]
    assert "last four digits" in found["README.txt"]
    assert run("support", str(file))[0] == 1, "never written over"


def test_it_is_made_also_without_the_daemon(run: Run, programs: Path, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    code, _, err = run("support", str(file))
    assert code == 0 and "Not in it: status.json" in err and "systemctl start gateway" in err
    found = parts(file)
    assert "Not here: settings.toml" in found["README.txt"] and "journal.txt" in found


def test_one_answer_that_is_refused_spoils_nothing_else(
    daemon: FakeDaemon, run: Run, programs: Path, tmp_path: Path
) -> None:
    daemon.says[GetSupport] = lambda asked: None
    daemon.says[GetStatus] = lambda asked: b"nonsense\n"
    file = tmp_path / "bundle.tar.gz"
    assert run("support", str(file))[0] == 0
    found = parts(file)
    assert "status.json" not in found and found["settings.toml"].startswith(TEXT[:10])


def test_log_asks_the_journal_for_our_services(run: Run, programs: Path) -> None:
    code, out, _ = run("log", "--lines", "7")
    assert code == 0 and "--lines=7" in out and "--unit=gateway-calls" in out and "short-iso" in out
    assert "--output=json" in run("log", "--json")[1]
    assert "gateway.ctl" not in run("log", "--lines", "0")[1]


def test_a_journal_that_may_not_be_read(run: Run, programs: Path) -> None:
    (programs / "journalctl").write_text("#!/bin/sh\necho 'No journal files were opened' >&2\nexit 1\n")
    code, _, err = run("log")
    assert code == 1 and "No journal files were opened" in err and "sudo" in err


def test_log_follow_runs_in_this_terminal(run: Run, programs: Path) -> None:
    assert run("log", "--follow")[0] == 0
    (programs / "journalctl").write_text("#!/bin/sh\nexit 3\n")
    assert run("log", "--follow")[0] == 1


def test_types_of_answers(daemon: FakeDaemon, run: Run, programs: Path, tmp_path: Path) -> None:
    def odd(asked: AnyMessage) -> AnyMessage:
        return SupportNow(parts={"": "", ".": "x", "a/b": "y", "ü" * 200: "z"})

    daemon.says[GetSupport] = odd
    file = tmp_path / "bundle.tar.gz"
    assert run("support", str(file))[0] == 0
    assert all(len(name) < 100 for name in parts(file))
