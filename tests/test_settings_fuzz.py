"""No file that has a fault is ever taken, whatever the fault, and every refusal names its place.

Here a few hundred; `make bench` judges 10,000 (tests/bench/settings_fuzz.py), and STEADYLINE_FUZZ=10000 does
it in this test.
"""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import editing, masking
from gateway.errors import GatewayError
from tests import settings_fuzz


def test_no_fuzzed_file_is_taken() -> None:
    done = settings_fuzz.run(int(os.environ.get("STEADYLINE_FUZZ", "400")), seed=2)
    assert not done.troubles, [
        f"{case.kind}: {case.data[:300]!r}: {trouble}" for case, trouble in done.troubles[:5]
    ]
    assert len(done.kinds) == len(settings_fuzz._MAKERS)


def test_a_file_without_a_fault_is_told_from_them(tmp_path: Path) -> None:
    for base in settings_fuzz.BASES:
        verdict = settings_fuzz.judge(settings_fuzz.Case("sound", base.encode()), tmp_path / "settings.toml")
        assert verdict.trouble == "it was taken"


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10**6), st.text(max_size=12), st.sampled_from([1, "x", [], {"a": 1}, None, float("nan")])
)
def test_what_is_fuzzed_is_masked_and_edited_or_refused(seed: int, path: str, value: object) -> None:
    """Clients hand in texts before anybody has looked at them."""
    case = next(settings_fuzz.cases(seed))
    text = case.data.decode(errors="replace")
    for act in (
        lambda: masking.masked(text),
        lambda: masking.unmasked(text, settings_fuzz.BASES[1]),
        lambda: editing.current(text),
        lambda: editing.set_value(text, path, value),
        lambda: editing.unset(text, path),
        lambda: editing.add(text, path, value),
        lambda: editing.import_extensions(settings_fuzz.BASES[1], text),
    ):
        try:
            act()
        except GatewayError as error:
            assert error.what and error.where and error.remedy
            assert not any(secret in str(error) for secret in settings_fuzz.SECRETS)
