"""Which number the far end sees, and why."""

import pytest

from gateway.calls.callerid import choose
from gateway.calls.model import Dialled
from gateway.messages import CallerIdRule, TrunkPlan

DEFAULT, LONDON, OTHER = "443069990100", "442012345678", "442037691880"


def plan(
    *rules: tuple[str, str], caller_ids: tuple[str, ...] = (DEFAULT, LONDON, OTHER), default: str = DEFAULT
) -> TrunkPlan:
    return TrunkPlan(
        domain="sip.provider.test",
        servers=(),
        login="",
        country="GB",
        default_caller_id=default,
        caller_ids=caller_ids,
        caller_id_rules=tuple(CallerIdRule(pattern=p, caller_id=c) for p, c in rules),
        confirm_number="8888",
        assert_identity=False,
        codecs=("PCMA",),
        srtp="off",
        session_expires_s=1800,
        provider_networks=(),
        registration=None,
        incoming=(),
        phones=(),
        sip_port=5060,
        rtp_ports=(10000, 10999),
        recordings="",
    )


def to(digits: str) -> Dialled:
    return Dialled("international", digits, "+" + digits, f"+{digits} is dialled as {digits}.")


@pytest.mark.parametrize(
    ("digits", "caller_id", "rule"),
    [
        ("44207946012", LONDON, "_4420XXXXXXX"),
        ("442079460123", OTHER, "_44."),
        ("493012345678", DEFAULT, ""),
    ],
)
def test_the_best_rule_says(digits: str, caller_id: str, rule: str) -> None:
    choice = choose(to(digits), plan(("_44.", OTHER), ("_4420XXXXXXX", LONDON)))
    assert (choice.caller_id, choice.rule, choice.warning) == (caller_id, rule, "")
    assert f"The other side sees {caller_id}." in choice.words


def test_a_rule_that_fails_by_its_length_alone_is_pointed_out() -> None:
    choice = choose(to("442079460123"), plan(("_4420XXXXXXX", LONDON)))
    assert choice.caller_id == DEFAULT
    assert (
        "_4420XXXXXXX fails by its length alone: it takes 11 digits, and this number has 12" in choice.words
    )


@pytest.mark.parametrize(
    ("wanted", "why"),
    [("02012345678", "not in international format"), ("442012345679", "not one of the numbers")],
)
def test_what_the_provider_would_replace_is_caught(wanted: str, why: str) -> None:
    choice = choose(to("442079460123"), plan(("_44.", wanted)))
    assert choice.caller_id == DEFAULT
    assert why in choice.warning
    assert choice.warning in choice.words


def test_without_a_list_any_international_number_is_taken() -> None:
    assert (
        choose(to("442079460123"), plan(("_44.", "442012345679"), caller_ids=())).caller_id == "442012345679"
    )


def test_a_default_that_would_be_replaced_is_said_too() -> None:
    choice = choose(to("493012345678"), plan(caller_ids=(LONDON,)))
    assert choice.caller_id == DEFAULT
    assert f"{DEFAULT} would be replaced" in choice.warning


def test_a_rule_that_cannot_be_read_hinders_no_call() -> None:
    choice = choose(to("442079460123"), plan(("_44[", LONDON), ("_4420XXXXXXXX", LONDON)))
    assert (choice.caller_id, choice.rule) == (LONDON, "_4420XXXXXXXX")
    assert "_44[ was left out: '[' without ']' at position 4" in choice.warning


def test_a_hidden_number_is_asserted_and_kept_private() -> None:
    choice = choose(to("493012345678"), plan(), hide=True)
    assert choice.headers("sip.provider.test", assert_identity=False) == {
        "P-Asserted-Identity": f"<sip:{DEFAULT}@sip.provider.test>",
        "Privacy": "user;id",
    }
    assert "sees no number" in choice.words


def test_an_emergency_call_is_never_hidden() -> None:
    help_call = Dialled("emergency", "999", "999", "999 is an emergency number.", "GB")
    choice = choose(help_call, plan(), hide=True)
    assert (choice.hidden, choice.caller_id) == (False, DEFAULT)
    assert choice.headers("sip.provider.test", assert_identity=False) == {}


def test_what_cannot_be_dialled_shows_nothing() -> None:
    assert choose(Dialled("invalid", "", "x", "x cannot be dialled."), plan()).words == "x cannot be dialled."
