"""What a confirmation call is worth, and what is left of it on the disk."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.messages import ConfirmResult, Done, Refused
from gateway.settings import confirmations
from gateway.settings.confirmations import Ledger, Register, judge

GOOD = ConfirmResult(
    uplink="backup1",
    local_address="192.168.20.2",
    public_address="198.51.100.20",
    observed_address="198.51.100.20",
    verdict="confirmed",
    sip_code=200,
    reason="OK",
    heard_ms=2100,
    recording="/rec/1.wav",
)

# changes to the call, what OPTIONS say, confirmed?, revokes?, words
CASES: list[tuple[dict[str, Any], str, bool, bool, str]] = [
    ({}, "198.51.100.20", True, False, "the provider sees 198.51.100.20"),
    ({}, "", True, False, "the provider sees 198.51.100.20"),
    ({"observed_address": ""}, "198.51.100.20", True, False, "the provider sees 198.51.100.20"),
    ({"observed_address": ""}, "", True, False, "does not say which address it sees"),
    ({"observed_address": ""}, "192.0.2.77", False, True, "sees 192.0.2.77, not 198.51.100.20"),
    ({}, "192.0.2.77", False, True, "saw 198.51.100.20 in the call, but 192.0.2.77 now"),
    ({"observed_address": "192.0.2.77"}, "192.0.2.77", False, True, "sees 192.0.2.77"),
    ({"verdict": "other_address", "observed_address": ""}, "", False, True, "another address"),
    ({"verdict": "other_address", "observed_address": "192.0.2.7"}, "", False, True, "192.0.2.7"),
    ({"verdict": "refused", "sip_code": 403, "reason": "Forbidden"}, "", False, True, "403 Forbidden"),
    ({"verdict": "no_answer", "sip_code": 0}, "", False, False, "did not answer"),
    ({"verdict": "failed", "reason": "no audio came"}, "", False, False, "no audio came"),
    ({"verdict": "failed", "reason": ""}, "", False, False, "the call failed"),
]


@pytest.mark.parametrize(("changes", "observed", "confirmed", "revokes", "words"), CASES)
def test_verdicts(changes: dict[str, Any], observed: str, confirmed: bool, revokes: bool, words: str) -> None:
    verdict = judge(msgspec.structs.replace(GOOD, **changes), observed, 1000.0)
    assert (verdict.confirmation is not None, verdict.revokes) == (confirmed, revokes)
    assert words in verdict.sentence and verdict.sentence.startswith("backup1 is ")
    assert bool(verdict.remedy) is not confirmed
    if verdict.confirmation:
        assert verdict.confirmation.at == 1000.0 and verdict.confirmation.recording == "/rec/1.wav"


def test_address_that_the_provider_refused_is_not_confirmed_after_a_restart_either(tmp_path: Path) -> None:
    told: list[Ledger] = []
    register = Register(tmp_path, Ledger(), told.append)
    _settle(register, GOOD)
    asyncio.run(register.revoke(GOOD.uplink))
    assert told[-1].of(GOOD.uplink) is None
    assert confirmations.load(tmp_path).of(GOOD.uplink) is None
    asyncio.run(register.revoke("nobody"))
    assert len(told) == 2


def _settle(register: Register, result: ConfirmResult, observed: str = "") -> Done | Refused:
    return asyncio.run(register.settle(result, observed))


def test_kept_told_and_read_again(tmp_path: Path) -> None:
    told: list[Ledger] = []
    register = Register(tmp_path, Ledger(), told.append)
    answer = _settle(register, GOOD)
    assert isinstance(answer, Done) and answer.data["observed_address"] == "198.51.100.20"
    _settle(register, msgspec.structs.replace(GOOD, uplink="main"))
    _settle(register, GOOD)
    read = confirmations.load(tmp_path)
    assert read == register.ledger == told[-1] and not read.trouble
    assert [c.uplink for c in read.confirmed] == ["main", "backup1"]
    kept = read.of("main")
    assert kept and kept.heard_ms == 2100 and read.of("attic") is None


def test_silence_takes_nothing_away_but_a_refusal_does(tmp_path: Path) -> None:
    told: list[Ledger] = []
    register = Register(tmp_path, Ledger(), told.append)
    _settle(register, GOOD)
    assert isinstance(_settle(register, msgspec.structs.replace(GOOD, verdict="no_answer")), Refused)
    assert len(told) == 1 and confirmations.load(tmp_path).of("backup1")
    answer = _settle(register, msgspec.structs.replace(GOOD, verdict="refused", sip_code=403))
    assert isinstance(answer, Refused) and "198.51.100.20" in answer.remedy
    assert len(told) == 2 and not told[-1].confirmed
    assert confirmations.load(tmp_path) == Ledger()


def test_what_cannot_be_stored_counts_until_the_next_start(tmp_path: Path) -> None:
    told: list[Ledger] = []
    register = Register(tmp_path / "nowhere", Ledger(), told.append)
    answer = _settle(register, GOOD)
    assert isinstance(answer, Done) and "could not be stored" in answer.text
    assert told and told[-1].of("backup1")


def test_two_at_once_are_both_kept(tmp_path: Path) -> None:
    async def main() -> None:
        register = Register(tmp_path, Ledger(), lambda ledger: None)
        results = [msgspec.structs.replace(GOOD, uplink=f"u{n}") for n in range(20)]
        await asyncio.gather(*(register.settle(result, "") for result in results))

    asyncio.run(main())
    assert {c.uplink for c in confirmations.load(tmp_path).confirmed} == {f"u{n}" for n in range(20)}


def _sound(tmp_path: Path) -> dict[str, Any]:
    _settle(Register(tmp_path, Ledger(), lambda ledger: None), GOOD)
    read: dict[str, Any] = json.loads((tmp_path / confirmations.FILE).read_text())
    return read


BAD: list[Any] = [
    b"",
    b"{}",
    b"null",
    b"\xff",
    b'{"version":1,"confirmed":[',
    b'{"version":1,"confirmed":[{}]}',
    b'{"version":2,"confirmed":[]}',
    b'{"version":1,"confirmed":[],"more":1}',
    b'{"x":' + b"[" * 100_000,
    b" " * (confirmations.MAX_FILE_BYTES + 1),
]


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_bad_file_confirms_nothing_and_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / confirmations.FILE).write_bytes(content)
    ledger = confirmations.load(tmp_path)
    assert ledger.confirmed == () and "no address counts as confirmed" in ledger.trouble


def test_addresses_and_names_are_checked(tmp_path: Path) -> None:
    sound = _sound(tmp_path)
    path = tmp_path / confirmations.FILE
    for change in ({"public_address": "nonsense"}, {"observed_address": "1.2.3"}, {"at": "yesterday"}):
        path.write_text(json.dumps({**sound, "confirmed": [{**sound["confirmed"][0], **change}]}))
        assert confirmations.load(tmp_path).trouble
    path.write_text(json.dumps({**sound, "confirmed": sound["confirmed"] * 2}))
    assert "twice" in confirmations.load(tmp_path).trouble


def test_no_file_is_no_trouble(tmp_path: Path) -> None:
    assert confirmations.load(tmp_path) == Ledger()
    (tmp_path / confirmations.FILE).mkdir()
    assert confirmations.load(tmp_path).trouble


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_read_right_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("state")
    confirmed = judge(GOOD, "", 1_700_000_000.0).confirmation
    assert confirmed
    confirmations.save(directory, Ledger((confirmed,)))
    path = directory / confirmations.FILE
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    ledger = confirmations.load(directory)
    assert bool(ledger.trouble) is (ledger.confirmed == ())


def test_uplinks_with_other_names_stay_confirmed(tmp_path: Path) -> None:
    told: list[Ledger] = []
    register = Register(tmp_path, Ledger(), told.append)
    _settle(register, GOOD)
    asyncio.run(register.rename({"backup1": "cable", "unknown": "other"}))
    entry = register.ledger.of("cable")
    assert entry is not None and entry.public_address == GOOD.public_address
    assert confirmations.load(tmp_path) == register.ledger == told[-1]
    assert register.ledger.of("backup1") is not None, "a power cut may bring the old name back"
    asyncio.run(register.rename({"cable": "backup1"}))
    before = len(told)
    asyncio.run(register.rename({"main": "fibre"}))
    assert len(told) == before and register.ledger.of("backup1") is not None
