"""Patterns against a slower reading of Asterisk's rules: a regular expression and pairwise comparison."""

import re
from functools import cmp_to_key

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.patterns import Match, best, import_extensions, parse, parse_extensions

SEED = """exten => _4420XXXXXXX,1,Set(CALLERID(num)=442012345678)
same => n,Dial(SIP/zadarma/${EXTEN})
"""


# --- the reference --------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    return [t for t in re.findall(r"\[[^\]]*\]|.", text.removeprefix("_")) if t not in ("-", "[]")]


def members(token: str) -> set[str]:
    if not token.startswith("["):
        return set({"X": "0123456789", "Z": "123456789", "N": "23456789"}.get(token.upper(), token))
    return {c for c in map(chr, range(128)) if re.fullmatch(token, c)}


def reference_full(text: str, digits: str) -> bool:
    if not text.startswith("_"):
        return text.replace("-", "") == digits
    parts = {".": ".+", "!": ".*"}
    expression = "".join(
        parts.get(t) or "[" + "".join(re.escape(c) for c in sorted(members(t))) + "]" for t in tokens(text)
    )
    return re.fullmatch(expression, digits) is not None


def reference_compare(left: str, right: str) -> int:
    """Negative: Asterisk tries `left` first. Sets of one size are compared as 256-bit maps."""
    if left.startswith("_") != right.startswith("_"):
        return 1 if left.startswith("_") else -1
    for a, b in zip([*tokens(left), ""], [*tokens(right), ""], strict=False):
        ranks = {".": 1000, "!": 2000, "": 3000}
        difference = ranks.get(a, len(members(a))) - ranks.get(b, len(members(b)))
        if not difference and a not in ranks:
            bitmap = [sum(1 << (255 - ord(c)) for c in members(t)) for t in (a, b)]
            difference = (bitmap[0] < bitmap[1]) - (bitmap[0] > bitmap[1])
        if difference:
            return difference
    return 0


place = st.sampled_from(
    [*"0123459", "X", "x", "Z", "N", "n", "[1-37]", "[24]", "[15]", "[2-9]", "[]", "-", "[0]"]
)
patterns = st.builds(
    lambda body, tail: "_" + "".join(body) + tail,
    st.lists(place, min_size=0, max_size=4),
    st.sampled_from(["", ".", "!"]),
).filter(lambda text: bool(tokens(text)))
texts = st.one_of(patterns, st.text("0123459", min_size=1, max_size=4))
dialled = st.text("01234579", min_size=1, max_size=6)


@given(texts, dialled)
def test_full_match_is_the_regular_expression(text: str, digits: str) -> None:
    assert (Match.FULL in parse(text).matches(digits)) == reference_full(text, digits)


@given(st.lists(texts, min_size=1, max_size=8), dialled)
def test_best_is_the_first_in_asterisks_order(rules: list[str], digits: str) -> None:
    ordered = [t for t in sorted(rules, key=cmp_to_key(reference_compare)) if reference_full(t, digits)]
    chosen = best([parse(t) for t in rules], digits)
    assert (chosen and chosen.text) == (ordered[0] if ordered else None)


@given(texts, texts)
def test_order_agrees_with_the_reference(left: str, right: str) -> None:
    if not left.startswith("_") and not right.startswith("_"):
        return
    a, b, c = parse(left).order, parse(right).order, reference_compare(left, right)
    assert (a > b) - (a < b) == (c > 0) - (c < 0)


@given(texts, dialled)
def test_more_means_that_some_longer_number_matches(text: str, digits: str) -> None:
    pattern = parse(text)
    longer = [digits[:n] for n in range(len(digits))]
    if Match.FULL in pattern.matches(digits) and pattern.tail != "!":
        assert all(Match.MORE in pattern.matches(prefix) for prefix in longer)
    if pattern.matches(digits) == Match.NO:
        assert pattern.matches(digits + "5") == Match.NO


# --- words that owners write ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "digits", "expected"),
    [
        (["_44.", "_4420XXXXXXX", "_X."], "44207946012", "_4420XXXXXXX"),
        (["_44.", "_4420XXXXXXX", "_X."], "442079460123", "_44."),
        (["_X.", "_44."], "441612345678", "_44."),
        (["_NXX", "_ZXX", "_XXX"], "999", "_NXX"),
        (["_[2-9]1X", "_91X", "911"], "911", "911"),
        (["_1!", "_1."], "12", "_1."),
        (["_1X", "_1."], "12", "_1X"),
        (["_1234", "_12!"], "1234", "_1234"),
        (["_44-20-7946-0XXX"], "442079460123", "_44-20-7946-0XXX"),
        (["_49."], "44", None),
    ],
)
def test_the_most_specific_wins(rules: list[str], digits: str, expected: str | None) -> None:
    chosen = best([parse(r) for r in rules], digits)
    assert (chosen and chosen.text) == expected


def test_early_match_waits_for_no_more_digits() -> None:
    assert parse("_44!").matches("44") == Match.FULL
    assert parse("_44.").matches("44") == Match.MORE
    assert parse("_44.").matches("441") == Match.FULL | Match.MORE
    assert parse("_44XX").matches("441") == Match.MORE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("_44[1-3", r"'\[' without '\]' at position 4"),
        ("_44[9-1]X", "the range 9-1 at position 5 runs backwards"),
        ("_44.5", r"nothing may follow '\.', but '5' does at position 5"),
        ("_44 20", "' ' at position 4 cannot be dialled"),
        ("_44]", r"'\]' at position 4 cannot be dialled"),
        ("_44XX/1234", "'/' at position 6: a condition on the caller's number"),
        ("44XX", "'X' at position 3 needs a pattern"),
        ("_", "empty"),
        ("", "empty"),
        ("_-[]", "empty"),
        ("office", "'o' at position 1 cannot be dialled"),
    ],
)
def test_a_bad_pattern_says_what_and_where(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@given(st.text("_0X[]-.!/ na*+", max_size=12))
def test_any_text_is_a_pattern_or_one_clear_error(text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        assert "position" in str(error) or "empty" in str(error)


# --- extensions.conf ------------------------------------------------------------------------------


def test_the_two_lines_are_accepted_as_they_stand() -> None:
    rules, ignored = parse_extensions(SEED)
    assert [(r.pattern.text, r.caller_id, r.line) for r in rules] == [("_4420XXXXXXX", "442012345678", 1)]
    assert ignored == ()


def test_comments_contexts_spaces_and_other_spellings() -> None:
    text = """
    ; our numbers
    [outgoing](!)
    exten=>_4420XXXXXXX , 1 , Set( CALLERID(num) = 442012345678 ) ; London
    same = n,Dial(PJSIP/${EXTEN}@zadarma,60)
    ;-- exten => _1.,1,Set(CALLERID(num)=1)
    exten => _2.,1,Set(CALLERID(num)=2) --;
    exten => _49[1-9]X.,1(start),NoOp()
    same => n,Set(CALLERID(all)="Berlin" <+493012345678>)
    same => n,Dial(SIP/zadarma/0${EXTEN:2})
    register => 1:2@host
    """
    rules, ignored = parse_extensions(text)
    assert [(r.pattern.text, r.caller_id, r.line) for r in rules] == [
        ("_4420XXXXXXX", "442012345678", 4),
        ("_49[1-9]X.", "493012345678", 9),
    ]
    assert [(i.line, i.why.split()[0]) for i in ignored] == [(8, "only"), (10, "numbers"), (11, "it")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exten => _44[,1,Set(CALLERID(num)=442012345678)", "line 1: the pattern '_44\\['"),
        (
            "exten => _44.,1,Set(CALLERID(num)=02012345678)",
            "line 1: the CallerID '02012345678' is not in inter",
        ),
    ],
)
def test_a_line_that_cannot_be_meant_is_an_error(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_extensions(line)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("exten => s,1,Set(CALLERID(num)=442012345678)", 1, "nobody can dial"),
        ("same => n,Set(CALLERID(num)=442012345678)", 1, "no exten line"),
        ("exten => _44.,1,Set(CALLERID(num)=${MINE})", 1, "variable"),
        (SEED + "exten => _4420xxx-xxxx,1,Set(CALLERID(num)=442012345679)", 3, "line 1 already"),
        ("hello", 1, "not an exten"),
    ],
)
def test_a_line_without_effect_is_named(text: str, line: int, words: str) -> None:
    _, ignored = parse_extensions(text)
    assert [(i.line, words in i.why) for i in ignored] == [(line, True)]


@given(
    st.lists(st.sampled_from([*SEED.splitlines(), "[a", ";--", "--;", "x", "exten", "exten => ,,", "\\;"]))
)
def test_no_line_is_lost(lines: list[str]) -> None:
    rules, ignored = parse_extensions("\n".join(lines))
    numbers = [r.line for r in rules] + [i.line for i in ignored]
    assert len(numbers) == len(set(numbers))
    assert all(1 <= n <= len(lines) for n in numbers)


@pytest.mark.parametrize(
    "line", ["exten =>{}x", 'exten => x,1,Set(CALLERID(num)="{}x', "same =>{}x", "exten => x,1{}x"]
)
def test_blanks_cost_nothing(line: str) -> None:
    """A file of such lines kept a box busy for minutes: what a blank costs must not depend on its length."""
    rules, ignored = import_extensions("\n".join([line.format(" " * 1900)] * 200))
    assert rules == () and len(ignored) == 200
    assert all(len(found.text) < 60 for found in ignored)
