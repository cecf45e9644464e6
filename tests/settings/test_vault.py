"""The vault: what is sealed comes back, whatever happens to slots; nothing else is ever taken for it."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.settings import keys
from gateway.settings.keys import Keys
from gateway.settings.vault import OLDER, SLOTS, TEXT, Vault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path, tmp_path: Path) -> Vault:
    return Vault(folder, Keys(tmp_path / "key", {}))


def seal(vault: Vault, text: str, ledger: str = "") -> None:
    vault.seal({TEXT: text.encode(), "confirmations.json": ledger.encode()}, 1, 0.0)


def texts(vault: Vault) -> list[str]:
    return [slot.text.decode() for slot in vault.distinct(vault.look().sound)]


def test_newest_first_and_each_text_once(vault: Vault) -> None:
    for text in ("a", "b", "c", "a"):
        seal(vault, text)
    assert texts(vault) == ["a", "c", "b"]


def test_both_slots_hold_the_first_settings(vault: Vault, folder: Path) -> None:
    seal(vault, "a")
    assert {path.name for path in folder.iterdir()} == set(SLOTS)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700


def test_sealing_the_same_again_writes_nothing(vault: Vault, folder: Path) -> None:
    seal(vault, "a")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    seal(vault, "a")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_confirmations_do_not_drive_older_settings_out(vault: Vault) -> None:
    seal(vault, "old")
    seal(vault, "new")
    for number in range(40):
        seal(vault, "new", str(number))
    assert texts(vault) == ["new", "old"]
    assert vault.look().sound[0].content.files["confirmations.json"] == b"39"


def test_two_slots_and_ten_older_ones(vault: Vault, folder: Path) -> None:
    for number in range(30):
        seal(vault, str(number))
    assert texts(vault) == [str(n) for n in range(29, 29 - 2 - OLDER, -1)]
    assert len(list(folder.iterdir())) == 2 + OLDER


@pytest.mark.parametrize("victim", SLOTS)
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "noise", "gone"])
def test_a_damaged_slot_falls_back_and_is_mended(vault: Vault, folder: Path, victim: str, how: str) -> None:
    seal(vault, "a")
    seal(vault, "b")
    path = folder / victim
    data = bytearray(path.read_bytes())
    match how:
        case "flip":
            data[-1] ^= 1
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "empty":
            path.write_bytes(b"")
        case "noise":
            path.write_bytes(os.urandom(len(data)))
        case _:
            path.unlink()
    found = vault.look()
    assert len(found.sound) == 1
    assert any(victim in sentence for sentence in found.told) == (how != "gone")
    seal(vault, "b")
    mended = vault.look()
    assert not mended.told and mended.sound[0].text == b"b" and len(mended.sound) >= 2
    assert mended.sound[0].generation > found.sound[0].generation


def test_both_slots_damaged_fall_back_to_older_ones(vault: Vault, folder: Path) -> None:
    for text in ("a", "b", "c", "d"):
        seal(vault, text)
    for name in SLOTS:
        (folder / name).write_bytes(b"")
    assert texts(vault) == ["b", "a"]
    assert any("newest sound" in sentence for sentence in vault.look().told)
    seal(vault, "e")
    assert texts(vault) == ["e", "b", "a"] and not vault.look().told


def test_every_flipped_bit_is_refused(vault: Vault, folder: Path) -> None:
    seal(vault, "a" * 50)
    path = folder / SLOTS[0]
    whole = path.read_bytes()
    picks = random.Random(1)
    for _ in range(300):
        place = picks.randrange(len(whole) * 8)
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        sound = [slot.path.name for slot in vault.look().sound]
        # The three spare bytes of the head are authenticated like all else.
        assert sound == [SLOTS[1]], place


def test_an_older_slot_cannot_pass_for_a_newer_one(vault: Vault, folder: Path) -> None:
    seal(vault, "a")
    old = (folder / SLOTS[0]).read_bytes()
    for text in ("b", "c", "d"):
        seal(vault, text)
    (folder / SLOTS[0]).write_bytes(old)
    (folder / "older-000000999999").write_bytes(old)
    newest = vault.look().sound[0]
    assert newest.text in (b"c", b"d") and newest.generation > 2


def test_another_box_cannot_open_it(vault: Vault, folder: Path, tmp_path: Path) -> None:
    seal(vault, "a")
    other = Vault(folder, Keys(tmp_path / "other", {}))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / keys.FILE).write_bytes(bytes(32))
    assert not other.look().sound and len(other.look().told) == 2
    (tmp_path / "key" / keys.FILE).unlink()
    lost = vault.look()
    assert not lost.sound and all("key file is not there" in sentence for sentence in lost.told)
    assert not (tmp_path / "key" / keys.FILE).exists(), "looking makes no key"
    seal(vault, "b")
    assert texts(vault) == ["b"], "a new key seals anew, and counts on"
    assert vault.look().sound[0].generation > 2


def test_hardware_holds_half_of_the_key(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    environment = {"STEADYLINE_KEYS": str(given)}
    plain = Vault(folder, Keys(tmp_path / "key", environment))
    seal(plain, "a")
    assert "file on the same disk" in plain.protects()
    (given / "steadyline-otp").write_bytes(bytes(32))
    assert "file on the same disk" in plain.protects(), "rows that nobody burnt are no secret"
    (given / "steadyline-otp").write_bytes(os.urandom(32))
    assert "OTP" in plain.protects()
    (given / "steadyline-tpm").write_bytes(os.urandom(32))
    assert "TPM" in plain.protects()
    seal(plain, "b")
    assert texts(plain) == ["b", "a"], "what the file alone has sealed still opens"
    stolen = Vault(folder, Keys(tmp_path / "key", {}))
    assert texts(stolen) == ["a"] and "key of tpm is not there" in " ".join(stolen.look().told)
    (tmp_path / "key" / keys.FILE).unlink()
    assert texts(plain) == [], "without the file's half the hardware opens nothing"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["seal", "ledger", "spoil"]), st.integers(0, 5)), max_size=20))
def test_whatever_happens_the_last_sealed_is_the_newest(steps: list[tuple[str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "vault"
        vault = Vault(folder, Keys(Path(place) / "key", {}))
        last = None
        for what, number in steps:
            match what:
                case "seal":
                    last = str(number)
                    seal(vault, last)
                case "ledger" if last is not None:
                    seal(vault, last, str(number))
                case "spoil" if last is not None:
                    (folder / SLOTS[number % 2]).write_bytes(b"x" * number)
                    seal(vault, last)
            if last is not None:
                assert texts(vault)[0] == last
                view = vault.look()
                assert not view.told
                generations = [slot.generation for slot in view.sound]
                assert len(set(generations)) == len(generations)
