"""The build of pjsua2 without a compiler: where it looks for sources, what it patches, what it writes."""

import base64
import hashlib
import importlib
import sys
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "image" / "pjsua2"
sys.path.insert(0, str(FOLDER))
build = importlib.import_module("build")
edits = importlib.import_module("edits")
stubs = importlib.import_module("stubs")
sys.path.remove(str(FOLDER))


def test_the_mirror_is_the_machine_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "codename", lambda: "bookworm")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example/debian bookworm main\n"
        "deb http://security.example/ bookworm-security main\n"
        "deb [arch=amd64 signed-by=/a.gpg] http://one.example/debian bookworm contrib main\n"
    )
    (parts / "debian.sources").write_text(
        "Types: deb\n# URIs: http://commented.example/debian\nURIs: http://two.example/debian http://one.example/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://security.example/\nSuites: bookworm-security\nComponents: main\n"
    )
    (parts / "other.list").write_text("deb https://tools.example/apt tools-bookworm main\n")
    assert build.mirrors(tmp_path) == ["http://one.example/debian", "http://two.example/debian"]


def test_no_mirror_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "mirrors", list)
    with pytest.raises(build.BuildError, match=r"sources\.list"):
        build.fetch(build.Progress(), tmp_path / "log")


def test_a_command_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match=r"exit 3.*\n.*the reason"):
        build.run(["sh", "-c", "echo the reason; exit 3"], tmp_path / "log")


def stand(root: Path) -> None:
    """A source tree that holds just what the edits expect."""
    for edit in edits.EDITS:
        path = root / edit.file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        path.write_text(text + (edit.old + "\n") * max(0, edit.count - text.count(edit.old)))


def test_every_edit_is_made(tmp_path: Path) -> None:
    stand(tmp_path)
    edits.apply(tmp_path)
    assert "tpdata[32];" in (tmp_path / "pjsip/include/pjsua-lib/pjsua_internal.h").read_text()
    assert "pj_assert(a)" not in (tmp_path / "pjmedia/src/pjmedia/sdp_neg.c").read_text()


def test_a_source_that_moved_on_stops_the_build(tmp_path: Path) -> None:
    stand(tmp_path)
    changed = tmp_path / "pjsip/include/pjsua-lib/pjsua_internal.h"
    changed.write_text("pjsua_transport_data tpdata[64];\n")
    with pytest.raises(ValueError, match=r"pjsua_internal\.h: expected 1 times, found 0"):
        edits.apply(tmp_path)


def test_the_wheel_records_what_it_holds(tmp_path: Path) -> None:
    target = tmp_path / "x.whl"
    for _ in range(2):
        before = target.read_bytes() if target.exists() else None
        build.write_wheel({"pjsua2.py": b"text", "_pjsua2.so": b"code"}, "2.17+deb1", {"_pjsua2.so"}, target)
    assert before == target.read_bytes()
    with zipfile.ZipFile(target) as wheel:
        lines = wheel.read("steadyline_pjsua2-2.17+deb1.dist-info/RECORD").decode().splitlines()
        record = {name: digest for name, digest, _ in (line.split(",") for line in lines)}
        assert set(record) == set(wheel.namelist())
        digest = base64.urlsafe_b64encode(hashlib.sha256(b"code").digest()).rstrip(b"=").decode()
        assert record["_pjsua2.so"] == f"sha256={digest}"
        assert wheel.getinfo("_pjsua2.so").external_attr >> 16 == 0o755


ANNOTATED = """
import _pjsua2
PJSIP_OK = _pjsua2.PJSIP_OK
class Media(object):
    id: "int" = property(_pjsua2.Media_id_get)
class MediaVector(object):
    def __getitem__(self, *args) -> "std::vector< pj::Media >::value_type const &":
        return _pjsua2.MediaVector___getitem__(self, *args)
class Call(Media):
    media: "pj::MediaVector" = property(_pjsua2.Call_media_get)
    state: "pjsip_inv_state" = property(_pjsua2.Call_state_get)
    def __init__(self, acc: "Account", call_id: "int"=PJSIP_OK):
        pass
    def dial(self, uri: "pj::string const &", data: "void *") -> "void":
        pass
    @staticmethod
    def lookup(call_id: "int") -> "pj::Call *":
        pass
def gwDialogIds(callId: "int") -> "std::string":
    pass
"""


def test_stubs_speak_python() -> None:
    lines = stubs.generate(ANNOTATED).splitlines()
    for expected in (
        "PJSIP_OK: int",
        "    media: MediaVector",
        "    state: int",
        "    def __getitem__(self, index: int) -> Media: ...",
        "class Call(Media):",
        "    def __init__(self, acc: Any, call_id: int = ...) -> None: ...",
        "    def dial(self, uri: str, data: int) -> None: ...",
        "    def lookup(call_id: int) -> Call | None: ...",
        "def gwDialogIds(callId: int) -> str: ...",
    ):
        assert expected in lines
    compile("\n".join(lines), "pjsua2.pyi", "exec")
