"""The calling rules, by hand and on a jumping clock."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calls.fraud import (
    CLOSED_S,
    HOUR_S,
    SAID_AGAIN_S,
    WRONG_PINS,
    Allowed,
    Asked,
    Blocked,
    Kept,
    Rules,
)
from gateway.calls.numbers import dialled, kinds
from gateway.messages import CallingPlan

MONDAY = datetime(2026, 11, 23, 12, 0)
WALL = 1_800_000_000.0


def rules(country: str = "GB", **plan: object) -> Rules:
    return Rules(CallingPlan(**plan), country)  # type: ignore[arg-type]


def asked(number: str = "02079460001", country: str = "GB", **more: object) -> Asked:
    region, found = kinds(dialled(number, country), country)
    return Asked(call=1, phone="desk", region=region, kinds=found, **more)  # type: ignore[arg-type]


def reason(answer: Allowed | Blocked) -> str:
    return answer.reason if isinstance(answer, Blocked) else "allowed"


@pytest.mark.parametrize(
    ("country", "number", "expected"),
    [
        ("GB", "02079460001", "allowed"),
        ("GB", "07400123456", "allowed"),
        ("GB", "08000113355", "allowed"),
        ("GB", "00353 1 679 1777", "country_refused"),
        ("GB", "01534 715411", "country_refused"),  # Jersey: +44, and not the United Kingdom
        ("GB", "0906 555 0100", "kind_refused"),
        ("GB", "0870 600 0123", "kind_refused"),
        ("GB", "07044 123456", "kind_refused"),
        ("GB", "+881 6 1234 5678", "kind_refused"),
        ("GB", "+882 16 5550 0123", "kind_refused"),
        ("GB", "+870 773 111 632", "kind_refused"),
        ("GB", "+800 1234 5678", "allowed"),  # free of charge everywhere, and of no country
        ("GB", "118118", "kind_refused"),
        ("GB", "*98", "kind_refused"),
        ("GB", "116123", "allowed"),
        ("US", "2025550123", "allowed"),
        ("US", "876 555 0123", "country_refused"),  # Jamaica, dialled like the next town
        ("US", "1 900 555 0123", "kind_refused"),
        ("DE", "0900 1 123456", "kind_refused"),
        ("DE", "0171 1234567", "allowed"),
    ],
)
def test_what_the_rules_allow_as_they_come(country: str, number: str, expected: str) -> None:
    assert reason(rules(country).ask(asked(number, country), 0.0, MONDAY)) == expected


def test_countries_and_kinds_that_the_owner_adds() -> None:
    ireland = asked("+35316791777")
    assert reason(rules(countries=("IE",)).ask(ireland, 0.0, MONDAY)) == "allowed"
    assert reason(rules(all_countries=True).ask(ireland, 0.0, MONDAY)) == "allowed"
    assert reason(rules(types=("fixed", "satellite")).ask(asked("+881612345678"), 0.0, MONDAY)) == "allowed"
    satellite = rules(all_countries=True).ask(asked("+881612345678"), 0.0, MONDAY)
    assert reason(satellite) == "kind_refused", "all countries are not all networks"


def test_longest_call_and_who_is_not_asked() -> None:
    assert rules(longest_call_min=5).ask(asked(), 0.0, MONDAY) == Allowed(300.0)
    free = asked("+881612345678", may_call="anything")
    assert rules().ask(free, 0.0, MONDAY) == Allowed(None)
    assert reason(rules(pin="2468").ask(asked(may_call="inside", pin="2468"), 0.0, MONDAY)) == "not_allowed"


def test_hours() -> None:
    book = rules(hours=("mon-fri 07:00-20:00",))
    assert reason(book.ask(asked(), 0.0, MONDAY)) == "allowed"
    assert reason(book.ask(asked(), 0.0, MONDAY.replace(hour=20))) == "outside_hours"
    assert reason(book.ask(asked(), 0.0, MONDAY + timedelta(days=5))) == "outside_hours"


def test_calls_at_once_and_in_an_hour() -> None:
    book = rules(parallel_calls=2, calls_per_hour=3)
    for call in (1, 2):
        book.began(call, 0.0, MONDAY)
    assert reason(book.ask(asked(), 1.0, MONDAY)) == "too_many_calls"
    book.ended(1, 2.0)
    assert reason(book.ask(asked(), 3.0, MONDAY)) == "allowed"
    book.began(3, 3.0, MONDAY)
    book.ended(2, 4.0)
    assert reason(book.ask(asked(), 5.0, MONDAY)) == "too_many_calls", "three within the hour"
    assert reason(book.ask(asked(), HOUR_S + 0.1, MONDAY)) == "allowed"


def test_minutes_of_a_day_come_back_at_midnight() -> None:
    book = rules(minutes_per_day=10)
    book.began(1, 0.0, MONDAY)
    book.answered(1, 5.0, MONDAY)
    assert reason(book.ask(asked(), 604.0, MONDAY)) == "allowed"
    assert reason(book.ask(asked(), 605.0, MONDAY)) == "minutes_used", "a call that runs counts"
    book.ended(1, 700.0)
    assert book.spoken_s(9000.0, MONDAY) == 695.0
    assert reason(book.ask(asked(), 9000.0, MONDAY)) == "minutes_used"
    assert reason(book.ask(asked(), 9001.0, MONDAY + timedelta(days=1))) == "allowed"


def test_pin_for_the_rest_and_how_it_closes() -> None:
    book = rules(pin="2468")
    far = "+35316791777"
    assert reason(book.ask(asked(far), 0.0, MONDAY)) == "pin_wanted"
    assert book.ask(asked(far, pin="2468"), 0.0, MONDAY) == Allowed(240 * 60.0), "the longest call holds"
    for n in range(WRONG_PINS):
        assert reason(book.ask(asked(far, pin="1111"), float(n), MONDAY)) == "pin_wrong"
    assert reason(book.ask(asked(far, pin="2468"), 10.0, MONDAY)) == "pin_closed"
    assert reason(book.ask(asked(), 10.0, MONDAY)) == "allowed", "what needs no PIN goes on"
    assert reason(book.ask(asked(far, pin="2468"), CLOSED_S + 10, MONDAY)) == "allowed"
    assert reason(book.ask(asked(may_call="pin"), 2000.0, MONDAY)) == "pin_wanted"
    assert reason(rules().ask(asked(may_call="pin"), 0.0, MONDAY)) == "not_allowed"


def test_the_owner_hears_of_it_once_a_minute() -> None:
    book = rules()
    answers = [book.ask(asked("+35316791777"), at, MONDAY) for at in (0.0, 1.0, SAID_AGAIN_S)]
    assert [a.alarm for a in answers if isinstance(a, Blocked)] == [True, False, True]


def test_book_outlives_the_process() -> None:
    before = rules(calls_per_hour=2, minutes_per_day=10)
    before.began(1, 100.0, MONDAY)
    before.answered(1, 100.0, MONDAY)
    before.ended(1, 400.0)
    before.began(2, 500.0, MONDAY)
    after = rules(calls_per_hour=2, minutes_per_day=10)
    after.recall(before.keep(600.0, WALL), 7.0, WALL + 10)
    assert reason(after.ask(asked(), 8.0, MONDAY)) == "too_many_calls"
    later = 7.0 + HOUR_S
    assert after.spoken_s(later, MONDAY) == 300.0 + 110.0, "what was under way is taken to have run on"
    assert reason(after.ask(asked(), later, MONDAY)) == "allowed"


def test_clock_that_was_set_back_frees_nobody() -> None:
    book = rules(calls_per_hour=1)
    book.recall([Kept(WALL + 1e8, MONDAY.toordinal(), 60.0)], 50.0, WALL)
    assert reason(book.ask(asked(), 51.0, MONDAY)) == "too_many_calls"
    assert reason(book.ask(asked(), 51.0 + HOUR_S, MONDAY)) == "allowed"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "end", "restart", "clock"]),
        st.floats(0.0, 5000.0),
        st.integers(0, 5),
        st.sampled_from(["", "2468", "1111"]),
        st.sampled_from(["02079460001", "+35316791777", "0906 555 0100"]),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, pin=st.sampled_from(["", "2468"]))
def test_no_run_of_events_goes_past_a_cap(steps: list[tuple[str, float, int, str, str]], pin: str) -> None:
    """What is allowed without the PIN stays under every cap, however time and restarts fall."""
    plan = CallingPlan(parallel_calls=3, calls_per_hour=5, minutes_per_day=30, pin=pin)
    book, now, wall, number = Rules(plan, "GB"), 0.0, WALL, 0
    began: list[float] = []
    running: list[int] = []
    for what, pause_s, choice, given_pin, digits in steps:
        now, wall = now + pause_s, wall + pause_s
        local = datetime.fromtimestamp(wall)
        if what == "ask":
            used_s = book.spoken_s(now, local)
            answer = book.ask(asked(digits, pin=given_pin), now, local)
            if isinstance(answer, Allowed) and not (pin and given_pin == pin):
                assert digits == "02079460001"
                assert len(running) < plan.parallel_calls
                assert sum(at > now - HOUR_S for at in began) < plan.calls_per_hour
                assert used_s < plan.minutes_per_day * 60
            if isinstance(answer, Allowed):
                number += 1
                book.began(number, now, local)
                began.append(now)
                running.append(number)
            assert not isinstance(answer, Allowed) or answer.longest_s == plan.longest_call_min * 60
        elif what == "answer" and running:
            book.answered(running[choice % len(running)], now, local)
        elif what == "end" and running:
            book.ended(running.pop(choice % len(running)), now)
        elif what == "restart":
            kept = book.keep(now, wall)
            book, running = Rules(plan, "GB"), []
            book.recall(kept, now, wall)
        elif what == "clock":
            wall += choice * 1000.0
        assert book.running == len(running)
