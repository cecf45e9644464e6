"""Which phones ring for a call from outside, for how long, and what its caller gets to hear."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.incoming import BUSY, NOBODY, GiveUp, Offer, Ringing, rule_for, within
from gateway.messages import IncomingRule


class House:
    """Phones that are free, and phones in a call at which another can wait."""

    def __init__(self, free: str = "", waiting: str = "") -> None:
        self.idle, self.waiting = set(free.split()), set(waiting.split())

    def free(self, names: Sequence[str], waiting: bool) -> tuple[str, ...]:
        return tuple(n for n in names if n in self.idle or (waiting and n in self.waiting))


def ringing(house: House, **rule: object) -> Ringing:
    made = IncomingRule(number="", phones=("a", "b", "c"), **rule)  # type: ignore[arg-type]
    return Ringing(made, house.free)


@pytest.mark.parametrize(
    ("when_busy", "free", "waiting", "expected"),
    [
        ("ring_free", "a c", "b", Offer(("a", "c"))),
        ("ring_free", "", "b", GiveUp(BUSY, "busy")),
        ("call_waiting", "a", "b", Offer(("a", "b"))),
        ("call_waiting", "", "c", Offer(("c",))),
        ("busy", "a b", "c", GiveUp(BUSY, "busy")),
        ("busy", "a b c", "", Offer(("a", "b", "c"))),
    ],
)
def test_who_rings_when_some_are_busy(
    when_busy: str, free: str, waiting: str, expected: Offer | GiveUp
) -> None:
    assert ringing(House(free, waiting), when_busy=when_busy).begin(0.0) == expected


def test_in_order_the_busy_are_passed_over_when_their_turn_comes() -> None:
    house = House("a b c")
    call = ringing(house, ring="in_order", ring_s=10)
    assert call.begin(0.0) == Offer(("a",))
    assert call.tick(9.9) is None
    house.idle.discard("b")
    assert call.tick(10.0) == Offer(("c",))
    assert call.tick(20.0) == GiveUp(NOBODY, "no_answer")


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["tick", "refused"]), st.floats(0, 30)), min_size=6, max_size=12
    ),
    ring=st.sampled_from(["all", "in_order"]),
    free=st.sets(st.sampled_from(["a", "b", "c"]), min_size=1),
)
def test_nobody_rings_twice_and_every_call_ends(
    steps: list[tuple[str, float]], ring: str, free: set[str]
) -> None:
    call, now = ringing(House(" ".join(free)), ring=ring, ring_s=10), 0.0
    offers = [call.begin(now)]
    for what, pause_s in steps:
        if isinstance(offers[-1], GiveUp):
            break
        now += pause_s
        step = call.tick(now) if what == "tick" else call.refused(now, 603)
        offers += [step] if step else []
    rang = [name for offer in offers if isinstance(offer, Offer) for name in offer.phones]
    assert len(rang) == len(set(rang)) and set(rang) <= free
    if not isinstance(offers[-1], GiveUp):
        assert call.due is not None


def test_rule_of_the_number_comes_before_the_one_for_any() -> None:
    any_number, own = IncomingRule(number="", phones=("a",)), IncomingRule(number="4420", phones=("b",))
    assert rule_for((any_number, own), "+4420") is own
    assert rule_for((any_number, own), "4421") is any_number
    assert rule_for((own,), "4421") is None
    assert rule_for((own,), "") is None


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.10:5060", True),
        ("192.0.2.10", True),
        ("192.0.3.10:5060", False),
        ("[2001:db8::10]:5060", True),
        ("2001:db8::10", True),
        ("[2001:db9::10]:5060", False),
        ("sip.example.com:5060", False),
        ("", False),
    ],
)
def test_networks_that_may_call(address: str, inside: bool) -> None:
    assert within(address, ("192.0.2.0/24", "2001:db8::/32")) is inside
