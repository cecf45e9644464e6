"""Keys as they come: when a number is whole, what a star code takes, and that help is never waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls import numbers
from gateway.phones.digits import Code, DialPlan, Go, More, No, Verdict

PLAN = DialPlan(lambda digits: numbers.weigh(digits, "GB", "8888"), frozenset({"21", "22", "220", "11"}))
LONDON = "02079460001"


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ("", More()),
        (LONDON[:-1], More(may=True)),
        (LONDON, Go(LONDON, "outside")),
        ("999", Go("999", "emergency")),
        ("*67999", Go("999", "emergency", frozenset({"hide_number"}))),
        ("21", Go("21", "inside")),
        ("22", More(may=True)),  # 220 begins like it
        ("11", More(may=True)),  # 112 begins like it
        ("*67", More(anew=True)),
        ("*67" + LONDON, Go(LONDON, "outside", frozenset({"hide_number"}))),
        ("*70*67" + LONDON, Go(LONDON, "outside", frozenset({"hide_number", "call_waiting_off"}))),
        ("*", More()),
        ("***", Code("status")),
        ("*69", Code("last_caller")),
        ("*72", More(anew=True)),
        ("*7221", Code("forward", "21")),
        ("*55123#", Code("presence", "123")),
        ("8888#", Go("8888", "outside")),
        ("#31#", More(may=True)),
        ("00999123", No()),
        ("020794600012", No()),
    ],
)
def test_keys_mean(keys: str, verdict: Verdict) -> None:
    assert PLAN.read(keys) == verdict


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ("22", Go("22", "inside")),
        ("8888", Go("8888", "outside")),
        ("*98", Go("*98", "outside")),
        ("*551234", Code("presence", "1234")),
        ("*55", No("incomplete_number")),
        ("*67", No("incomplete_number")),
        ("#", No("incomplete_number")),
    ],
)
def test_a_pause_ends_a_number(keys: str, verdict: Verdict) -> None:
    assert PLAN.end(keys) == verdict


@given(st.text(alphabet="0123456789*#", max_size=20))
def test_an_end_is_never_asked_to_go_on(keys: str) -> None:
    assert not isinstance(PLAN.end(keys), More)


@given(st.lists(st.sampled_from(["*67", "*82", "*70"]), max_size=3), st.sampled_from(["999", "112"]))
def test_help_is_called_with_its_last_key(before: list[str], number: str) -> None:
    verdict = PLAN.read("".join(before) + number)
    assert isinstance(verdict, Go)
    assert (verdict.digits, verdict.kind) == (number, "emergency")
