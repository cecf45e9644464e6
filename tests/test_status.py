"""The verdict: one value for every state of the box, in an owner's words; it asks for a hand only when one is
needed."""

from datetime import UTC
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.status import Lamp, UplinkState, UplinkStatus, Verdict
from gateway.verdict import NO_HELP, NOTHING, START_S, Facts, Judge, Note

STATES: tuple[UplinkState, ...] = get_args(UplinkState)
AT_14_05 = 1_700_057_100.0
"""14:05 UTC."""


def uplink(name: str, state: UplinkState = "up", carries: bool = False, **more: Any) -> UplinkStatus:
    role: Literal["main", "backup"] = "main" if name == "main" else "backup"
    return UplinkStatus(
        name=name, role=role, device=f"dev-{name}", state=state, sentence="", carries_trunk=carries, **more
    )


class Box:
    """A judge and its clocks; `wall` runs with the monotonic one unless it is set."""

    def __init__(self, *before: UplinkStatus) -> None:
        self.now, self.offset = 1000.0, AT_14_05 - 1000.0
        self.judge = Judge(self.now, UTC)
        if before:
            self.see(*before)

    def wait(self, seconds: float) -> "Box":
        self.now += seconds
        return self

    def see(self, *uplinks: UplinkStatus, **facts: Any) -> Verdict:
        return self.judge.see(Facts(uplinks=uplinks, **facts), self.now, self.now + self.offset)


MAIN, SPARE = uplink("main", carries=True), uplink("backup1")
OLD_BOX = (MAIN, SPARE)


def test_all_is_well() -> None:
    assert Box().see(MAIN, SPARE) == Verdict(
        lamp="main", sentence="Your phones work. Calls use Main.", action="Nothing to do."
    )
    assert Box().see(MAIN).sentence == "Your phones work. Calls use Main.", "one channel is no fault"


def test_on_backup_since_and_how_long_main_has_been_down() -> None:
    box = Box(*OLD_BOX)
    on_backup = (uplink("main", "down"), uplink("backup1", carries=True), uplink("backup2"))
    assert box.see(*on_backup, failback_after_s=300.0) == Verdict(
        lamp="backup",
        sentence="Your phones work on Backup1 since 14:05. Main is down.",
        action="Nothing to do; we go back after 5 quiet minutes.",
    )
    box.wait(12 * 60 + 1)
    verdict = box.see(*on_backup, failback_after_s=30.0)
    assert verdict.sentence == "Your phones work on Backup1 since 14:05. Main has been down for 12 min."
    assert verdict.action == "Nothing to do; we go back after 30 quiet seconds."
    box.wait(48 * 3600)
    verdict = box.see(*on_backup)
    assert (
        verdict.sentence == "Your phones work on Backup1 since 15 Nov 14:05. Main has been down for 2 days."
    )
    assert verdict.lamp == "attention" and "Restart the router of main" in verdict.action


def test_what_was_so_before_the_process_has_no_beginning() -> None:
    box = Box()
    on_backup = (uplink("main", "down"), uplink("backup1", carries=True))
    box.see(*on_backup)
    assert box.wait(300).see(*on_backup).sentence == (
        "Your phones work on Backup1. Main is down. Nothing could take over from backup1."
    )


def test_a_clock_that_is_set_makes_no_years_of_minutes() -> None:
    box = Box(*OLD_BOX)
    box.offset = -box.now  # 1970: no clock of its own
    on_backup = (uplink("main", "down"), uplink("backup1", carries=True), SPARE)
    assert "since" not in box.see(*on_backup).sentence
    box.offset = AT_14_05 - box.now
    box.wait(180)
    assert "since 14:05. Main has been down for 3 min." in box.see(*on_backup).sentence


def test_the_owner_ordered_a_backup() -> None:
    box = Box(*OLD_BOX)
    verdict = box.see(
        uplink("main"), uplink("backup1", carries=True), ordered="backup1", failback_after_s=30.0
    )
    assert verdict.lamp == "backup" and "you ordered it" in verdict.action


def test_trouble_that_goes_by_itself_is_given_its_time() -> None:
    box = Box(*OLD_BOX)
    cable = (MAIN, uplink("backup1", "no_carrier"))
    verdict = box.see(*cable)
    assert (verdict.lamp, verdict.action) == ("main", NOTHING)
    assert verdict.sentence == (
        "Your phones work. Calls use Main. Backup1 is without a carrier. Nothing could take over from main."
    )
    box.wait(61)
    verdict = box.see(*cable)
    assert verdict.lamp == "attention"
    assert verdict.action == "Check the cable between the box and the router of backup1."
    assert "has been without a carrier for 1 min" in verdict.sentence
    assert box.see(*OLD_BOX).lamp == "main"
    assert box.see(*cable).lamp == "main", "it counts anew"


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("up_unconfirmed", "Confirm it: gatewayctl trunk confirm backup1."),
        ("conflict", "Find that device and change it."),
    ],
)
def test_what_cannot_go_by_itself_asks_at_once(state: UplinkState, action: str) -> None:
    verdict = Box(*OLD_BOX).see(MAIN, uplink("backup1", state))
    assert (verdict.lamp, verdict.action) == ("attention", action)


def test_a_note_of_another_room() -> None:
    verdict = Box().see(*OLD_BOX, notes=(Note("The settings were refused.", "Mend them."), Note("Snow.")))
    assert verdict == Verdict(
        lamp="attention",
        sentence="Your phones work. Calls use Main. The settings were refused. Snow.",
        action="Mend them.",
    )
    assert Box().see(*OLD_BOX, notes=(Note("Restored from the vault."),)).lamp == "main"


def test_no_calls() -> None:
    box = Box(*OLD_BOX)
    box.wait(START_S)
    down = uplink("main", "down"), uplink("backup1", "no_carrier")
    assert box.see(*down) == Verdict(
        lamp="no_calls",
        sentence=f"You cannot call out: all Internet channels are down. {NO_HELP}",
        action="Restart the router of main; if that is no help, call its provider.",
    )
    assert box.see(uplink("main", "no_carrier"), uplink("backup1", "down")).sentence == (
        f"You cannot call out: all Internet channels are down. Main is without a carrier. {NO_HELP}"
    )
    assert box.see(uplink("main", "no_carrier")).sentence == (
        f"You cannot call out: the Internet channel main is without a carrier. {NO_HELP}"
    )
    assert "switched off" in box.see(uplink("main", "disabled")).sentence
    assert "being tried" in box.see(uplink("main", "probing"), uplink("backup1", "suspect")).sentence
    assert "the telephone provider answers on no channel" in box.see(*OLD_BOX, provider_silent=True).sentence
    assert "guard" in box.see(*OLD_BOX, guard="absent").sentence


def test_it_is_said_when_not_even_help_can_be_called() -> None:
    box = Box(*OLD_BOX)
    box.wait(START_S)
    for facts in (
        {"uplinks": (uplink("main", "down"),)},
        {"uplinks": OLD_BOX, "provider_silent": True},
        {"uplinks": OLD_BOX, "guard": "absent"},
    ):
        uplinks = facts.pop("uplinks")
        assert box.see(*uplinks, **facts).sentence.endswith(NO_HELP)  # type: ignore[misc]
    assert NO_HELP not in box.see(uplink("main", "up_unconfirmed"), uplink("backup1", "down")).sentence
    assert "not even for help" in Box().see(mode="setup").sentence


def test_starting_ends_in_the_truth() -> None:
    trying = uplink("main", "probing"), uplink("backup1", "no_address")
    box = Box()
    assert box.see(*trying).lamp == "starting"
    assert box.see(*OLD_BOX, guard="absent").lamp == "starting"
    assert box.see(*OLD_BOX, calls_process="absent").lamp == "starting"
    assert box.wait(START_S).see(*trying).lamp == "no_calls"
    assert box.see(*OLD_BOX, guard="absent").lamp == "no_calls"
    slow = Box()
    slow.see(*OLD_BOX, calls_process="absent")
    assert slow.wait(START_S).see(*OLD_BOX, calls_process="starting").lamp == "no_calls"


def test_the_calls_process_is_given_its_time_whenever_it_goes() -> None:
    box = Box(*OLD_BOX)
    box.wait(1000)
    box.see(*OLD_BOX)
    assert box.see(*OLD_BOX, calls_process="absent").lamp == "starting"
    assert box.wait(START_S).see(*OLD_BOX, calls_process="absent").lamp == "no_calls"


def test_the_first_address_is_set_up_and_a_lost_one_is_a_fault() -> None:
    unconfirmed = uplink("main", "up_unconfirmed")
    box = Box(unconfirmed)
    verdict = box.see(unconfirmed)
    assert (verdict.lamp, verdict.action) == ("setup", "Confirm it: gatewayctl trunk confirm main.")
    box.see(MAIN)
    assert box.see(unconfirmed).lamp == "no_calls"
    kept = uplink("main", "down", confirmed_at=1.0), uplink("backup1", "up_unconfirmed")
    assert Box().wait(START_S).see(*kept).lamp == "no_calls", "it has worked before this process was born"


def test_modes() -> None:
    assert Box().see(mode="setup").lamp == "setup"
    updating = Box().see(*OLD_BOX, mode="updating")
    assert (updating.lamp, updating.action) == ("updating", "Keep the box plugged in.")
    assert updating.sentence.endswith("Your phones work. Calls use Main.")
    assert Box().see(*OLD_BOX, mode="recovery").lamp == "recovery"


@st.composite
def boxes(draw: st.DrawFn) -> tuple[UplinkStatus, ...]:
    states = draw(st.lists(st.sampled_from(STATES), max_size=4))
    carrier = draw(st.integers(0, 4))
    return tuple(
        uplink("main" if n == 0 else f"backup{n}", state, n == carrier and state != "disabled")
        for n, state in enumerate(states)
    )


LOOKS = st.lists(
    st.tuples(
        st.floats(0, 1e6),
        boxes(),
        st.sampled_from(["running", "starting", "absent"]),
        st.sampled_from(["standing", "absent"]),
        st.booleans(),
        st.floats(-1e9, 4e9),
    ),
    min_size=1,
    max_size=8,
)


@given(LOOKS)
def test_every_life_has_a_verdict_that_keeps_the_law(looks: list[Any]) -> None:
    box = Box()
    for wait_s, uplinks, calls, guard, silent, wall in looks:
        box.wait(wait_s)
        box.offset = wall - box.now
        verdict = box.see(*uplinks, calls_process=calls, guard=guard, provider_silent=silent)
        assert verdict.lamp in get_args(Lamp) and verdict.lamp != "identify"
        assert verdict.sentence.endswith(".") and verdict.action.endswith(".")
        assert "{" not in verdict.sentence + verdict.action and "  " not in verdict.sentence
        works = any(u.carries_trunk for u in uplinks) and calls == "running" and guard == "standing"
        works = works and not silent
        assert (verdict.lamp in ("main", "backup", "attention")) == works
        assert verdict.sentence.startswith("Your phones work") == works
        if works:
            assert (verdict.lamp == "attention") == (not verdict.action.startswith("Nothing to do"))


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_channel_can_be_told(state: UplinkState) -> None:
    for mine in (uplink("main", state), uplink("main", state, carries=True)):
        box = Box(mine)
        for _ in range(3):
            verdict = box.wait(7200).see(mine)
            assert verdict.sentence and verdict.action
