"""A claim holds only when its figures do; what was not measured is never good."""

import json

from tests.demo.report import WIDTH, Figure, Line, Report, laid_out


def _report(colour: bool = False) -> tuple[Report, list[str]]:
    told: list[str] = []
    return Report(lambda: 12.34, told.append, colour), told


def test_a_figure_over_its_limit_fails_the_claim_and_says_the_limit() -> None:
    report, told = _report()
    assert not report.claim(True, "the call goes on", Figure("silence_ms", "silence", 210.4, "ms", 180))
    assert told == ["  12.3 s  ✗ the call goes on: silence 210 ms (limit 180)"]
    assert json.loads(report.to_json())["ok"] is False


def test_a_figure_that_was_not_measured_fails_the_claim_even_without_a_limit() -> None:
    report, told = _report()
    assert not report.claim(True, "it is back", Figure("back_ms", "after", None, "ms"))
    assert "not measured" in told[0]


def test_what_held_is_told_with_its_figures() -> None:
    report, told = _report()
    assert report.claim(True, "decided", Figure("a", "after", 9.26, "ms", 10), Figure("b", "lost", 0, "", 0))
    assert told == ["  12.3 s  ✓ decided: after 9.3 ms (limit 10), lost 0"]
    whole = json.loads(report.to_json(rtt_ms=40))
    assert whole["ok"] is True
    assert whole["rtt_ms"] == 40
    assert whole["figures"][0] == {
        "name": "a",
        "what": "after",
        "value": 9.26,
        "unit": "ms",
        "limit": 10,
        "ok": True,
    }


def test_a_demo_without_claims_proves_nothing() -> None:
    report, _ = _report()
    report.note("started")
    assert json.loads(report.to_json())["ok"] is False


def test_a_claim_fails_although_all_its_figures_are_good() -> None:
    report, _ = _report()
    assert not report.claim(False, "the call goes on", Figure("silence_ms", "silence", 10, "ms", 180))
    assert [line.text for line in report.failed] == ["the call goes on: silence 10 ms (limit 180)"]


def test_long_lines_are_broken_under_their_own_text() -> None:
    lines = laid_out(Line(1.0, True, "word " * 60))
    assert len(lines) > 2
    assert max(map(len, lines)) <= WIDTH
    assert all(line.startswith(" " * 12 + "word") for line in lines[1:])


def test_colour_only_where_it_is_wanted() -> None:
    plain, told_plainly = _report()
    bright, told_brightly = _report(colour=True)
    for report in (plain, bright):
        report.scene("One")
        report.claim(False, "no")
    assert not any("\033" in line for line in told_plainly)
    assert "\033[31m✗\033[0m" in told_brightly[-1]


def test_what_a_program_said_keeps_its_columns_and_loses_its_blank_lines() -> None:
    report, told = _report()
    report.quote("NAME  STATE\n\n  main  up\n" + "word " * 30)
    assert told[:2] == ["    NAME  STATE", "      main  up"]
    assert len(told) == 4
    assert max(map(len, told)) <= WIDTH
