"""A confirmation call: what counts as confirmed, and what does not."""

import pytest

from gateway.calls.confirm import ANSWER_WITHIN_S, LISTEN_S, Confirmation, HangUp

HERE, ELSEWHERE = "198.51.100.20", "192.0.2.31"


def taken(observed: str = HERE) -> Confirmation:
    confirmation = Confirmation(100.0, HERE)
    confirmation.observed = observed
    confirmation.answered(101.0)
    return confirmation


def test_heard_from_the_declared_address_is_confirmed() -> None:
    confirmation = taken()
    assert confirmation.tick(101.0 + LISTEN_S - 0.01) == []
    assert confirmation.tick(101.0 + LISTEN_S) == [HangUp()]
    assert confirmation.ended(200, "OK", 4200).verdict == "confirmed"


def test_without_options_the_call_itself_decides() -> None:
    assert taken("").ended(200, "OK", 4200).verdict == "confirmed"


@pytest.mark.parametrize(
    ("observed", "heard_ms", "verdict", "words"),
    [(ELSEWHERE, 4200, "other_address", ELSEWHERE), (HERE, 0, "failed", "nothing was heard")],
)
def test_200_alone_confirms_nothing(observed: str, heard_ms: int, verdict: str, words: str) -> None:
    result = taken(observed).ended(200, "OK", heard_ms)
    assert result.verdict == verdict
    assert words in result.reason


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (403, "refused"),
        (404, "refused"),
        (486, "refused"),
        (0, "no_answer"),
        (408, "no_answer"),
        (503, "no_answer"),
    ],
)
def test_what_the_provider_says_is_what_is_told(code: int, verdict: str) -> None:
    result = Confirmation(0.0, HERE).ended(code, "", 0)
    assert (result.verdict, result.code) == (verdict, code)
    assert result.reason


def test_silence_is_given_up_once() -> None:
    confirmation = Confirmation(100.0, HERE)
    assert confirmation.due == 100.0 + ANSWER_WITHIN_S
    assert confirmation.tick(100.0 + ANSWER_WITHIN_S) == [HangUp()]
    assert confirmation.tick(1e9) == []
    assert confirmation.ended(487, "", 0).verdict == "no_answer"
