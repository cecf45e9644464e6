"""What people dial, in several countries; numbers are those kept free for drama and documentation."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.calls.numbers import dialled, is_emergency, weigh

LONDON = "442079460001"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("020 7946 0001", "GB"),
        ("(020) 7946-0001", "GB"),
        ("+44 20 7946 0001", "GB"),
        ("00442079460001", "GB"),
        ("011442079460001", "GB"),
        (LONDON, "GB"),
        ("011442079460001", "US"),
        ("00442079460001", "US"),
        ("+442079460001", "US"),
        (LONDON, "US"),
        ("00442079460001", "DE"),
    ],
)
def test_every_way_to_dial_london(text: str, country: str) -> None:
    result = dialled(text, country)
    assert (result.kind, result.digits, result.shown, result.region) == (
        "international",
        LONDON,
        "+44 20 7946 0001",
        "GB",
    )


@pytest.mark.parametrize(
    ("text", "country", "kind", "digits"),
    [
        ("999", "GB", "emergency", "999"),
        ("1 1 2", "GB", "emergency", "112"),
        ("911", "US", "emergency", "911"),
        ("110", "DE", "emergency", "110"),
        ("112", "TK", "emergency", "112"),
        ("911", "GB", "service", "911"),
        ("8888", "GB", "service", "8888"),
        ("4444", "GB", "service", "4444"),
        ("8888", "DE", "service", "8888"),
        ("*98", "GB", "service", "*98"),
        ("118118", "GB", "service", "118118"),
        ("2125550123", "US", "international", "12125550123"),
        ("12125550123", "US", "international", "12125550123"),
        ("06 1234 5678", "IT", "international", "390612345678"),
        ("4930123456", "GB", "international", "4930123456"),
        ("07700 900123", "GB", "international", "447700900123"),
    ],
)
def test_kinds(text: str, country: str, kind: str, digits: str) -> None:
    result = dialled(text, country)
    assert (result.kind, result.digits) == (kind, digits)


def test_a_code_of_the_provider_passes_whatever_it_looks_like() -> None:
    assert dialled("02079460001", "GB", "02079460001").kind == "service"


def test_a_range_that_is_not_known_is_dialled_and_said() -> None:
    assert "not known here" in dialled("07700900123", "GB").words
    assert "not known here" not in dialled("02079460001", "GB").words


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("", "GB", "Nothing"),
        ("office", "GB", "only digits"),
        ("++44", "GB", "only digits"),
        ("٠٢٠٧٩٤٦٠٠٠١", "GB", "only digits"),
        ("+999123456", "GB", "no such country code"),
        ("+442079460001234", "GB", "too long"),
        ("+4420", "GB", "too short"),
        ("020794600", "GB", "begins like this"),
        ("5550123", "US", "area code is missing"),
        ("+44", "GB", "no telephone number"),
    ],
)
def test_what_cannot_be_dialled_is_explained(text: str, country: str, why: str) -> None:
    result = dialled(text, country)
    assert (result.kind, result.digits) == ("invalid", "")
    assert why in result.words


countries = st.sampled_from(["GB", "US", "DE", "IT", "TK", "RU", "AU"])


@given(st.text("0123456789+*# -()", max_size=24), countries)
@example("999+", "GB")
def test_any_text_has_one_meaning_and_its_digits_can_be_sent(text: str, country: str) -> None:
    result = dialled(text, country)
    allowed = "0123456789" if result.kind == "international" else "0123456789*#"
    assert set(result.digits) <= set(allowed)
    assert bool(result.digits) == (result.kind != "invalid")
    assert (result.kind == "emergency") == is_emergency(
        "".join(text.split()).translate(str.maketrans("", "", "-()")), country
    )
    if result.kind == "international":
        assert len(result.digits) <= 15 + 3


@given(st.sampled_from(["GB", "US", "DE", "FR", "PL"]), st.text("0123456789", min_size=7, max_size=12))
def test_dialling_what_was_shown_reaches_the_same_number(country: str, digits: str) -> None:
    once = dialled("+" + digits, country)
    if once.kind == "international":
        assert dialled(once.shown, country).digits == once.digits


@pytest.mark.parametrize(
    ("digits", "country", "before", "at_the_end"),
    [
        ("02079460001", "GB", "more may", "whole"),
        ("07700900123", "GB", "more may", "whole"),
        ("00442079460001", "GB", "more may", "whole"),
        ("12125550100", "US", "more may", "whole"),
        ("0142687000", "FR", "more", "whole"),
        ("030123456", "DE", "more may", "may"),
        ("8888", "GB", "more", "may"),
        ("*98", "GB", "more", "may"),
        ("118500", "GB", "more", "may"),
        ("999", "GB", "more", "emergency"),
        ("112", "DE", "more", "emergency"),
        ("15", "FR", "more", "emergency"),
        ("020794600012", "GB", "more may whole", "never"),
        ("00999123", "GB", "more never", "never"),
    ],
)
def test_digits_are_weighed_as_they_are_keyed(
    digits: str, country: str, before: str, at_the_end: str
) -> None:
    assert {weigh(digits[:n], country, "8888") for n in range(1, len(digits))} <= set(before.split())
    assert weigh(digits, country, "8888") == at_the_end


@given(st.text(alphabet="0123456789*#", max_size=24), st.sampled_from(["GB", "US", "DE", "AT", "XX"]))
def test_number_that_cannot_go_on_does_not_and_one_that_is_no_number_is_not_called_whole(
    digits: str, country: str
) -> None:
    weight = weigh(digits, country)
    if weight == "never":
        assert dialled(digits, country).kind == "invalid"
    if weight in ("may", "whole", "emergency"):
        assert dialled(digits, country).kind != "invalid"


@pytest.mark.parametrize(
    ("country", "digits"), [("GB", "0035316791777"), ("US", "01135316791777"), ("GB", "0035227864111")]
)
def test_number_of_a_country_with_three_digits_can_be_keyed_one_by_one(country: str, digits: str) -> None:
    assert "never" not in {weigh(digits[:n], country) for n in range(1, len(digits) + 1)}
