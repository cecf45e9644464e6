"""What is made from the parser: the manual page is good troff, and each shell completes what may follow."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from gateway.ctl import completion, tree
from gateway.ctl.parser import EXIT_CODES, parser
from tests.ctl.fake import FakeDaemon
from tests.ctl.terminal import ROOT, Run, Terminal

TREE = tree.read(parser())
LEAVES = [verb for verb in TREE.all() if not verb.verbs]


def test_every_verb_has_an_act_a_help_and_a_page(run: Run) -> None:
    assert len(LEAVES) > 40
    page = run("man")[1].replace("\\-", "-")
    for verb in LEAVES:
        assert verb.help[:1].islower(), verb.path
        code, out, _ = run(*verb.path, "--help")
        assert code == 0 and out.startswith(f"usage: gatewayctl {' '.join(verb.path)} ")
        assert f"\\fB{' '.join(verb.path)}\\fP" in page
        later = parser()
        for word in verb.path:
            action = next(a for a in later._actions if hasattr(a, "_name_parser_map"))
            later = action.choices[word].built  # type: ignore[index]
        module, _, name = later.get_default("act").partition(".")
        assert callable(getattr(import_module(f"gateway.ctl.{module}"), name))
        flags = {flag for option in verb.options for flag in option.flags}
        assert "--json" in flags or verb.path[-1] in ("edit", "schema", "completion", "man"), verb.path
    for code, what in EXIT_CODES.items():
        assert f"\\fB{code}\\fP" in page and what[1:] in page


def test_the_manual_page_is_good_troff(run: Run, tmp_path: Path) -> None:
    page = run("man")[1]
    drawn = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=100n"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
    )
    assert drawn.stderr == ""
    for wanted in (
        "GATEWAYCTL(8)",
        "settings set PATH=VALUE... [--json]",
        "EXIT STATUS",
        "--passphrase-file FILE",
    ):
        assert wanted in drawn.stdout
    assert "uplinks.main.metered=true" in drawn.stdout


@pytest.fixture
def shell(daemon: FakeDaemon, tmp_path: Path) -> dict[str, str]:
    """An environment whose gatewayctl asks the fake daemon."""
    program = tmp_path / "bin" / "gatewayctl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m gateway.ctl --run {tmp_path / "run"} "$@"\n'
    )
    program.chmod(0o755)
    return os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}


COMPLETED = [
    ("gatewayctl sta", {"status"}),
    ("gatewayctl settings r", {"rollback"}),
    ("gatewayctl settings try --s", {"--seconds"}),
    ("gatewayctl uplinks ", {"list", "use", "test"}),
    ("gatewayctl uplinks use ", {"main", "backup1", "off", "auto"}),
    ("gatewayctl trunk confirm b", {"backup1"}),
    ("gatewayctl dial d", {"desk"}),
    ("gatewayctl settings rollback ", {"1"}),
    ("gatewayctl settings unset phones.d", {"phones.desk", "phones.desk.name", "phones.desk.kind"}),
    ("gatewayctl settings set trunk.log", {"trunk.login"}),
    ("gatewayctl completion z", {"zsh"}),
    ("gatewayctl --run /tmp trunk con", {"confirm"}),
    ("gatewayctl settings validate zz", {"zz-file.toml"}),
    ("gatewayctl backup export --passphrase-file zz", {"zz-file.toml"}),
]


@pytest.mark.parametrize(("line", "wanted"), COMPLETED)
def test_bash_completes(shell: dict[str, str], tmp_path: Path, line: str, wanted: set[str]) -> None:
    (tmp_path / "zz-file.toml").touch()
    (tmp_path / "script").write_text(completion.script(TREE, "bash"))
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = (
        f". ./script; compopt() {{ :; }}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        '_gatewayctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-uc", ask], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    offered = set(done.stdout.split())
    assert {one for one in offered if not one.startswith("-") or words[-1].startswith("-")} == wanted


@pytest.mark.parametrize(("line", "wanted"), COMPLETED)
def test_fish_completes(shell: dict[str, str], tmp_path: Path, line: str, wanted: set[str]) -> None:
    if not shutil.which("fish"):
        pytest.fail("fish is needed (image/packages.txt, [lab])")
    (tmp_path / "zz-file.toml").touch()
    (tmp_path / "script").write_text(completion.script(TREE, "fish"))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source ./script; complete -C {line!r}"],
        cwd=tmp_path, env=shell, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert {row.split("\t")[0] for row in done.stdout.splitlines()} == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("gatewayctl sta", "status"),
        ("gatewayctl settings rol", "rollback"),
        ("gatewayctl trunk confirm b", "backup1"),
    ],
)
def test_zsh_completes(
    shell: dict[str, str], terminal: Terminal, tmp_path: Path, line: str, wanted: str
) -> None:
    if not shutil.which("zsh"):
        pytest.fail("zsh is needed (image/packages.txt, [lab])")
    folder = tmp_path / "completions"
    folder.mkdir()
    (folder / "_gatewayctl").write_text(completion.script(TREE, "zsh"))
    terminal.run("zsh", "-f", "-i", PATH=shell["PATH"], HOME=shell["HOME"], PS1="ready> ")
    terminal.expect("ready> ").type(
        f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo s''et\n"
    )
    terminal.expect("\nset")
    terminal.seen = ""
    terminal.type(f"{line}\t").expect(wanted).type("\x15exit\n")
    assert terminal.end() == 0


def test_names_that_cannot_be_known_are_none(run: Run) -> None:
    assert run("names", "uplinks") == (0, "", "")
    assert "names" not in run("--help")[1]
