"""The table of the trial: whatever comes, in whatever order, it ends confirmed or as before."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import trial
from gateway.settings.trial import (
    Applied,
    Apply,
    Change,
    Drop,
    Keep,
    Kept,
    NotApplied,
    NotStored,
    Proposed,
    Refuse,
    Return,
    Returned,
    Show,
    Store,
    Stored,
    Trial,
    TrialAction,
    TrialEvent,
)


def change(name: str = "t1", *, base: int = 7, seconds: float = 90, who: str = "anna") -> Change:
    return Change(name, who, base, seconds)


def running(seconds: float = 90) -> Trial:
    table = Trial(7, "otto")
    assert table.receive(Proposed(change(seconds=seconds)), 0) == [Apply(change(seconds=seconds))]
    assert table.receive(Applied(), 100) == []
    return table


def test_kept_in_time() -> None:
    table = running()
    assert table.due == 190 and table.left_s(120) == 70
    assert table.receive(Keep("t1"), 189) == [Store(change())]
    assert table.receive(None, 500) == [], "who asked in time is not late because the disk is slow"
    assert table.receive(Stored(8), 501) == [Kept(change(), 8)]
    assert (table.revision, table.by) == (8, "anna") and table.phase == "idle" and table.due is None


def test_time_runs_out() -> None:
    table = running()
    assert table.receive(None, 189.9) == []
    assert table.receive(None, 190) == [Return(change(), "time")]
    assert table.receive(Keep("t1"), 190)[0].__class__ is Refuse, "too late"
    table.receive(Returned(), 191)
    assert (table.phase, table.revision) == ("idle", 7)


def test_dropped_and_refused() -> None:
    assert running().receive(Drop("t1"), 110) == [Return(change(), "dropped")]
    table = Trial(7, "otto")
    table.receive(Proposed(change()), 0)
    assert table.receive(NotApplied(), 1) == [Return(change(), "refused")]


def test_a_disk_that_refuses_leaves_time_to_try_again() -> None:
    table = running()
    table.receive(Keep("t1"), 150)
    assert table.receive(NotStored(), 151) == [] and table.phase == "trying"
    assert table.receive(Keep("t1"), 160) == [Store(change())]
    table.receive(NotStored(), 200)
    assert table.receive(None, 200) == [Return(change(), "time")]


def test_the_second_editor_is_told_who_was_first() -> None:
    table = running()
    (refused,) = table.receive(Proposed(change("t2", who="bert")), 120)
    assert isinstance(refused, Refuse) and "a change of anna is on trial" in refused.what
    table.receive(Keep("t1"), 130)
    table.receive(Stored(8), 131)
    (stale,) = table.receive(Proposed(change("t2", who="bert")), 140)
    assert isinstance(stale, Refuse) and "revision 8 now (anna)" in stale.what and "revision 7" in stale.what


def test_looking_is_free() -> None:
    table = running()
    look = change("t2", who="bert")
    assert table.receive(Proposed(look, only_look=True), 120) == [Show(look)]
    assert table.change == change()


def test_only_its_own_name_keeps_a_trial() -> None:
    table = running()
    (refused,) = table.receive(Keep("other"), 120)
    assert isinstance(refused, Refuse) and "another change is on trial" in refused.what
    (nothing,) = Trial(1, "").receive(Keep("t1"), 0)
    assert isinstance(nothing, Refuse) and "no change is on trial" in nothing.what


def test_a_time_that_makes_no_sense_is_refused() -> None:
    for seconds in (0, 4, 901, float("nan"), float("inf")):
        (refused,) = Trial(7, "").receive(Proposed(change(seconds=seconds)), 0)
        assert isinstance(refused, Refuse) and "cannot last" in refused.what


events = st.one_of(
    st.none(),
    st.builds(
        Proposed,
        st.builds(
            Change,
            st.sampled_from(["t1", "t2"]),
            st.sampled_from(["anna", "bert"]),
            st.integers(6, 9),
            st.sampled_from([4.0, 5.0, 90.0]),
        ),
        st.booleans(),
    ),
    st.sampled_from([Applied(), NotApplied(), Stored(8), Stored(9), NotStored(), Returned()]),
    st.builds(Keep, st.sampled_from(["t1", "t2"])),
    st.builds(Drop, st.sampled_from(["t1", "t2"])),
)


@given(st.lists(st.tuples(events, st.floats(0, 100)), max_size=40))
def test_any_events(steps: list[tuple[TrialEvent | None, float]]) -> None:
    table = Trial(7, "otto")
    now, in_force, confirmed = 0.0, 7, 7
    for event, pause in steps:
        now += pause
        for action in table.receive(event, now):
            in_force, confirmed = _follow(action, table, in_force, confirmed)
        assert (table.change is None) == (table.phase == "idle")
        assert table.due is None or table.phase in ("trying", "keeping")
        assert table.revision == confirmed
    # Left alone, with doors that obey, every trial ends, and what is in force is what is confirmed.
    if table.phase == "applying":
        table.receive(Applied(), now)
    if table.phase == "keeping":
        table.receive(NotStored(), now)
    for action in table.receive(None, now + trial.LONGEST_S):
        assert isinstance(action, Return)
    table.receive(Returned(), now)
    assert table.phase == "idle" and table.due is None


def _follow(action: TrialAction, table: Trial, in_force: int, confirmed: int) -> tuple[int, int]:
    match action:
        case Apply():
            assert in_force == confirmed, "two trials at once"
            return -1, confirmed
        case Store(change):
            assert in_force == -1 and table.change == change
        case Kept(_, revision):
            return revision, revision
        case Return():
            return confirmed, confirmed
        case Refuse() | Show():
            pass
    return in_force, confirmed
