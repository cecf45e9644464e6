"""The parts behind the pages: diagnoses, pictures of a line, what a loss would cost, the half-done set-up,
the certificate."""

import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records import CallRecord, Sample
from gateway.status import CallView, UplinkState, UplinkStatus
from webui.certificate import RENEW_DAYS, names, renew
from webui.diagnosis import diagnose
from webui.draft import FILE, Draft
from webui.graph import HEIGHT, WIDTH, if_it_died, spark

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CALL = CallRecord(
    record=1,
    direction="out",
    phone="desk",
    remote="+442079460001",
    caller_id="442012345678",
    uplink="main",
    started_at=1.0,
    answered_at=4.0,
    ended_at=60.0,
    sip_code=200,
    reason="OK",
    moves=0,
    attempts=(),
    mos=4.4,
)


def sample(at: float, rtt_ms: float | None = 40.0, loss: float | None = 0.0, usable: float = 1.0) -> Sample:
    return Sample(at=at, seconds=60, state="up", usable=usable, carried=1, rtt_ms=rtt_ms, loss=loss)


def line(
    name: str, state: UplinkState = "up", *, carries: bool = False, confirmed: float = 1.0
) -> UplinkStatus:
    return UplinkStatus(
        name=name, role="main", device=name, state=state, sentence="", carries_trunk=carries,
        confirmed_at=confirmed, rtt_ms=41.4,
    )  # fmt: skip


# --- diagnoses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "trouble", "said"),
    [
        ({}, False, "went well"),
        ({"mos": None}, False, "not measured"),
        ({"moves": 1}, False, "was moved and went on"),
        ({"mos": 2.9}, True, "is not known"),
        ({"answered_at": 0.0, "sip_code": 403}, True, "probably not confirmed"),
        ({"answered_at": 0.0, "sip_code": 486}, False, "busy"),
        ({"answered_at": 0.0, "sip_code": 0}, True, "did not reach the provider"),
        ({"answered_at": 0.0, "sip_code": 599}, True, "no more than its code"),
        ({"answered_at": 0.0, "direction": "in", "sip_code": 487}, False, "Nobody took"),
    ],
)
def test_a_call_is_explained_and_nothing_is_made_up(
    changes: dict[str, object], trouble: bool, said: str
) -> None:
    found = diagnose(msgspec.structs.replace(CALL, **changes))
    assert found.trouble is trouble and said in found.sentence


def test_a_poor_call_is_laid_to_its_line_only_where_the_line_lost_packets() -> None:
    poor = msgspec.structs.replace(CALL, mos=2.5)
    assert "its line lost packets" in diagnose(poor, (sample(0, loss=0.2),)).sentence
    assert "beyond it" in diagnose(poor, (sample(0, loss=0.0),)).sentence


# --- pictures ---------------------------------------------------------------------------------------


def test_where_nothing_was_measured_there_is_a_gap() -> None:
    drawn = spark([sample(0), sample(60), sample(120, rtt_ms=None, loss=None, usable=0), sample(180)], 0, 240)
    assert len(re.findall("M", drawn.delay)) == 2 and len(re.findall("L", drawn.delay)) == 1
    assert len(drawn.outages) == 1 and drawn.losses == () and drawn.usable == pytest.approx(0.75)
    assert spark([], 0, 240).usable is None and spark([], 0, 240).delay == ""


@given(st.lists(st.tuples(st.none() | st.floats(0, 5000), st.none() | st.floats(0, 1)), max_size=30))
def test_a_picture_stays_in_its_frame(values: list[tuple[float | None, float | None]]) -> None:
    drawn = spark([sample(60.0 * n, rtt, loss) for n, (rtt, loss) in enumerate(values)], 0, 1800)
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn.delay):
        assert 0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT
    assert all(0 < height <= HEIGHT for _, _, height in drawn.losses if height)


def test_what_a_loss_would_cost_is_said_by_what_is_known_now() -> None:
    talk = CallView(
        call=1, phone="desk", direction="out", state="up", remote="x", caller_id="", uplink="main",
        started_at=0,
    )  # fmt: skip
    main, backup = line("main", carries=True), line("backup")
    moved = if_it_died(main, [main, backup], [talk])
    assert not moved.lost and (moved.calls, moved.line, moved.ms) == (1, "backup", 41)
    for useless in (line("backup", "down"), line("backup", confirmed=0.0)):
        assert if_it_died(main, [main, useless], [talk]).lost
    assert "no call would notice" in if_it_died(backup, [main, backup], [talk]).text
    assert if_it_died(line("backup", "down"), [main], []).text.startswith("Its loss would change nothing")


# --- the half-done set-up -----------------------------------------------------------------------------


def test_a_set_up_outlives_the_process_and_a_broken_file_is_begun_anew(tmp_path: Path) -> None:
    draft = Draft(tmp_path)
    draft.keep("schema = 2\n")
    draft.finish("lines")
    draft.hear("main", "confirmed")
    again = Draft(tmp_path)
    assert (again.text(), again.done(), again.heard()) == ("schema = 2\n", {"lines"}, {"main": "confirmed"})
    again.forget_text()
    assert Draft(tmp_path).text() == ""
    for broken in ("", "{", "[]", "nul"):
        (tmp_path / FILE).write_text(broken)
        assert Draft(tmp_path).text() == ""


# --- the certificate ----------------------------------------------------------------------------------


def test_a_certificate_is_made_once_and_anew_when_names_or_time_ask_for_it(tmp_path: Path) -> None:
    assert renew(tmp_path, ["box.local", "192.168.50.1"], NOW)
    authority = (tmp_path / "authority.crt").read_bytes()
    assert (tmp_path / "page.key").stat().st_mode & 0o777 == 0o600
    assert not renew(tmp_path, ["box.local", "192.168.50.1"], NOW + timedelta(days=300))
    assert not renew(tmp_path, ["box.local"], NOW), "names that went are no reason"
    assert renew(tmp_path, ["box.local", "192.168.50.2"], NOW), "a new address"
    assert renew(tmp_path, ["box.local", "192.168.50.2"], NOW + timedelta(days=397 - RENEW_DAYS))
    (tmp_path / "page.crt").write_text("rubbish")
    assert renew(tmp_path, ["box.local"], NOW)
    assert (tmp_path / "authority.crt").read_bytes() == authority, "browsers trust the one they know"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "page.crt", tmp_path / "page.key")


def test_the_box_knows_its_own_names() -> None:
    assert {"127.0.0.1", "steadyline.local", "localhost"} <= set(names())
