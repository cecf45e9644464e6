"""What is on the disk after a save, a failure, and every kind of bad file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import schema
from gateway.errors import DoorError, SettingsError
from gateway.settings import store

EXAMPLE = Path(__file__).parent.parent / "example.toml"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "small"
    place.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k none {place}") != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    os.system(f"umount {place}")


def test_replaced_whole_and_private(state: Path) -> None:
    path = state / "file"
    store.write(path, b"one")
    store.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in state.iterdir()] == ["file"]


def test_what_a_power_cut_left_is_no_hindrance(state: Path) -> None:
    (state / ".file.new").write_bytes(b"torn")
    store.write(state / "file", b"whole")
    assert [p.name for p in state.iterdir()] == ["file"]


def test_a_link_planted_for_the_temporary_file_is_not_followed(state: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (state / ".file.new").symlink_to(victim)
    store.write(state / "file", b"ours")
    assert victim.read_bytes() == b"untouched" and (state / "file").read_bytes() == b"ours"


def test_a_full_disk_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "file"
    store.write(path, b"old")
    with pytest.raises(DoorError, match="No space left"):
        store.write(path, b"x" * 200_000)
    assert path.read_bytes() == b"old"
    assert [p.name for p in small_disk.iterdir()] == ["file"]
    store.write(path, b"new")


def test_what_is_replaced_can_be_scrubbed(state: Path) -> None:
    path = state / "file"
    store.write(path, b"secret")
    with open(path, "rb") as before:
        store.write(path, b"public", scrub=True)
        assert before.read() == bytes(6), "the old file itself is zeros"
    os.link(path, state / "other")
    store.remove(path, scrub=True)
    assert (state / "other").read_bytes() == bytes(6) and not path.exists()
    store.remove(path, scrub=True)


def test_a_link_is_not_followed_when_scrubbing(state: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (state / "file").symlink_to(victim)
    store.write(state / "file", b"ours", scrub=True)
    assert victim.read_bytes() == b"untouched" and not (state / "file").is_symlink()


def test_no_folder_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match="No such file"):
        store.write(tmp_path / "nowhere" / "file", b"x")


def test_reading_is_bounded_and_never_hangs(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 11)
    assert store.read(tmp_path / "long", max_bytes=11) == b"x" * 11
    with pytest.raises(DoorError, match="longer than 10 bytes"):
        store.read(tmp_path / "long", max_bytes=10)
    with pytest.raises(DoorError, match="cannot be read"):
        store.read(tmp_path, max_bytes=10)
    os.mkfifo(tmp_path / "pipe")
    assert store.read(tmp_path / "pipe", max_bytes=10) == b""
    with pytest.raises(FileNotFoundError):
        store.read(tmp_path / "none", max_bytes=10)


# --- settings -------------------------------------------------------------------------------------


def test_a_good_file_is_used_and_nothing_is_written(tmp_path: Path, state: Path) -> None:
    mine = tmp_path / "settings.toml"
    mine.write_bytes(EXAMPLE.read_bytes())
    assert store.load(mine, state).appliance.name == "office" and list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (None, 0, "there is no such file"),
        (b"", 0, "is missing"),
        (b"[appliance\n", 1, "not valid TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        (b"#" * (schema.MAX_FILE_BYTES + 1), 0, "longer than"),
    ],
)
def test_a_bad_file_never_becomes_defaults(
    tmp_path: Path, state: Path, content: bytes | None, line: int, words: str
) -> None:
    mine = tmp_path / "settings.toml"
    if content is not None:
        mine.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        store.load(mine, state)
    assert caught.value.problems[0].line == line
    assert list(state.iterdir()) == []

    (state / store.GOOD_COPY).write_bytes(EXAMPLE.read_bytes())
    assert store.load(mine, state).appliance.name == "office"
    assert (mine.read_bytes() if content is not None else None) == content, "the owner's file is his"


def test_a_bad_copy_beside_a_bad_file_is_an_error_about_the_owners(tmp_path: Path, state: Path) -> None:
    (state / store.GOOD_COPY).write_text("torn")
    mine = tmp_path / "settings.toml"
    mine.write_text("[appliance\n")
    with pytest.raises(SettingsError) as caught:
        store.load(mine, state)
    assert str(mine) in str(caught.value)


def test_a_directory_in_place_of_the_file(tmp_path: Path, state: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        store.load(tmp_path, state)
