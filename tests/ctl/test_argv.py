"""Whatever is typed: a documented exit code, one clear line for each trouble, and never a traceback."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway import ctl
from gateway.ctl import tree
from gateway.ctl.parser import EXIT_CODES, parser
from tests.ctl.fake import TEXT, FakeDaemon
from tests.ctl.terminal import ROOT

TREE = tree.read(parser())
# Those that wait, run other programs, or ask.
LEFT_OUT = {"watch", "follow", "log", "support"}
LEAVES = [v for v in TREE.all() if not v.verbs and v.path[-1] not in LEFT_OUT]
FLAGS = sorted({flag for verb in TREE.all() for option in verb.options for flag in option.flags} - {"--run"})
WORDS = sorted({word for verb in TREE.all() for word in verb.path} - LEFT_OUT)
VALUES = [
    *("main", "desk", "auto", "1", "0", "-1", "99999999999999999999", "112", "", " ", "-", "--", "=", "a=b"),
    *("trunk.login=1", "uplinks.main.metered=true", "phones.desk", "uplinks.0.name", "incoming.registration"),
    *(
        "a.b.c.d.e.f.g.h.i.j=1",
        "trunk.asterisk=\x00",
        "..",
        ".=.",
        '"',
        "[[x]]=1",
        "trunk=[[[[[[",
        "\ud800",
        "é\n",
    ),
    *("settings.toml", "broken.toml", "nothing", ".", "x.svg", "x.html", "secret", "binary"),
]
# No slash: files are written where the test stands, and nowhere else.
ANY = st.text(st.characters(blacklist_characters="/"), max_size=12)
VALUE = st.sampled_from(VALUES) | ANY


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command line: often nearly right."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.lists(st.sampled_from([*WORDS, *FLAGS]) | VALUE, max_size=7))
    leaf = draw(st.sampled_from(LEAVES))
    words = [draw(VALUE) for word in leaf.words if not word.optional or draw(st.booleans())]
    options = [option for option in leaf.options if option.flags[0] != "-h" and draw(st.booleans())]
    for option in options:
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from(option.flags)))
        if option.value:
            words.insert(words.index(option.flags[0]) + 1, draw(VALUE))
    return [*leaf.path, *words]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeDaemon, Path]]:
    directory = tmp_path_factory.mktemp("argv")
    (directory / "run").mkdir()
    for name, content in {
        "settings.toml": TEXT.encode(),
        "broken.toml": b"[[uplinks]\nx = ",
        "secret": b"a good passphrase\n",
        "binary": bytes(range(256)),
    }.items():
        (directory / name).write_bytes(content)
    with contextlib.chdir(directory), pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDITOR", "true")
        fake = FakeDaemon(directory / "run")
        fake.longest_s = 0.2
        yield fake, directory
        fake.close()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=lines(), there=st.sampled_from([True, True, True, False]))
@example(words=["settings", "set", "trunk.login=\ud800", "--yes"], there=True)
@example(words=["backup", "sheet", "x.html", "--passphrase-file", "secret"], there=True)
@example(words=["settings", "validate", "\x00"], there=True)
@example(words=["callerid", "import", "settings.toml"], there=True)
@example(words=["play", "--", "--json", "--"], there=True)
@example(words=["settings", "set", "--", "--"], there=True)
@example(words=["uplinks", "test", "--json", "\ud800"], there=True)
@example(words=["backup", "export", "\udce9", "--passphrase-file", "secret", "--json"], there=True)
def test_any_command_line(scene: tuple[FakeDaemon, Path], words: list[str], there: bool) -> None:
    daemon, directory = scene
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = ctl.main(["--run", str(directory / "run" if there else directory / "no"), *words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    told = err.getvalue()
    assert code in EXIT_CODES
    assert "Traceback" not in told and "Error(" not in told
    # A check that fails is no error, and --json tells a list of answers on standard output alone.
    if code and "test" not in words and not ("confirm" in words and "--json" in words):
        last = told.splitlines()[-1]
        assert last.startswith("gatewayctl: ") and len(last) < 500
    if code == 2:
        assert any(way in told for way in ("--help", "Use ", "Add ", "Write ", "Leave "))
    if code == 3:
        assert "systemctl start gateway" in told or "daemon" in told or "not reached" in told
    if "--json" in words and code in (1, 3) and out.getvalue():
        json.loads(out.getvalue())
    assert "free-secret" not in out.getvalue() + told
    assert daemon.broken == []


def _shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -m gateway.ctl {line}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_streams_that_are_closed_full_or_no_text() -> None:
    full = _shell("man >/dev/full")
    assert full.returncode == 1 and full.stderr.startswith("gatewayctl: standard output: No space left")
    assert len(full.stderr.splitlines()) == 1
    assert (_shell("man >&-").returncode, _shell("man >&-").stderr) == (0, "")
    closed = _shell("settings validate - <&-")
    assert closed.returncode == 1 and "standard input: uplinks: is missing" in closed.stderr
    assert _shell("--run /nowhere status 2>&-").returncode == 3
    binary = _shell("settings validate - </bin/true")
    assert binary.returncode == 1 and len(binary.stderr.splitlines()) == 1
