"""What a table of figures says must follow from the values alone."""

import json
import math
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import scene
from tests.bench.figures import ASTERISK, Figure, percentile


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 21)]
    assert percentile(values, 50) == 10
    assert percentile(values, 95) == 19
    assert percentile([7.0], 95) == 7
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("judged", "values", "met"),
    [
        ("p50", [1, 2, 9], True),
        ("p50", [1, 6, 9], False),
        ("p95", [1] * 19 + [9], True),
        ("p95", [1] * 9 + [9], False),
        ("worst", [1, 5], True),
        ("worst", [1, 5.1], False),
        ("least", [5, 6], True),
        ("least", [4.9, 6], False),
        ("worst", [], False),
        ("worst", [math.inf], False),
    ],
)
def test_a_limit_binds_what_it_names(judged: str, values: list[float], met: bool) -> None:
    assert Figure("f", "ms", values, 5, judged).met is met  # type: ignore[arg-type]


def test_the_longest_silence_touches_the_span_and_has_no_frame_in_it() -> None:
    times = [0.0, 0.02, 0.04, 0.30, 0.32]
    assert scene.largest_gap_ms(times, 0.05, 0.33) == pytest.approx(240)
    assert scene.largest_gap_ms(times[:3], 0.04, 1.04) == pytest.approx(980), "a stream that never comes back"
    assert scene.largest_gap_ms([], 0.0, 1.0) == pytest.approx(980)


def test_the_table_shows_verdict_steps_and_sources() -> None:
    figures = [
        Figure("good", "ms", [1.0], 2, anchors=(ASTERISK,), steps={"a step": [0.5]}),
        Figure("bad", "ms", [3.0], 2, "worst", note="a note"),
        Figure("empty", "ms", [], 2),
        Figure("told", "ms", [3.0], None),
    ]
    lines = {line.split()[0]: line for line in bench.table(figures).splitlines()[2:]}
    assert lines["good"].endswith("ok") and "p95 <= 2" in lines["good"]
    assert lines["bad"].endswith("NOT MET")
    assert lines["empty"].endswith("NOT MET")
    assert lines["told"].endswith("-")
    assert "    a step" in bench.table(figures)
    assert ASTERISK.source in bench.table(figures)


def test_the_report_is_json_whatever_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    figures = [Figure("f", "ms", [1.23456, math.inf], 2), Figure("empty", "ms", [], 2)]
    bench.report(figures, {"x": "why"}, {"x": 1.0}, quick=True)
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert read["figures"][0]["values"] == [1.235, None]
    assert read["figures"][1]["p95"] is None and not read["figures"][1]["met"]
    assert read["failures"] == {"x": "why"}
