"""The table of resets: what each leaves, and that a cut at any step ends in the same place."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.reset import (
    AGAIN_S,
    Blank,
    Destroy,
    Forget,
    Moment,
    Record,
    Reset,
    ResetAction,
    Restart,
    Restore,
    Started,
    Wanted,
    Wipe,
    Write,
    soon,
)


def at(up_s: float, *, boot: str = "b1", wall_s: float | None = None, trusted: bool = True) -> Moment:
    return Moment(boot=boot, up_s=up_s, wall_s=1.8e9 + up_s if wall_s is None else wall_s, trusted=trusted)


def play(record: Record, now: Moment, who: str = "the button") -> tuple[Record, list[ResetAction]]:
    """A whole reset, from the wish to the end of the start after it."""
    write, restart = Reset(record).receive(Wanted("reset", who), now)
    assert isinstance(write, Write) and isinstance(restart, Restart)
    actions = Reset(write.record).receive(Started(), now)
    last = actions[-1]
    assert isinstance(last, Write) and not last.record.pending, "the note goes last"
    return last.record, actions


def test_first_second_third_and_again() -> None:
    record, actions = play(Record(), at(100))
    assert actions[:-1] == [Wipe(), Restore(0)]
    record, actions = play(record, at(200))
    assert actions[:-1] == [Wipe(), Restore(1)]
    assert Reset(record).next_is_empty(at(300))
    record, actions = play(record, at(300))
    assert actions[:-1] == [Wipe()], "empty, and the vault is kept"
    record, actions = play(record, at(400))
    assert actions[:-1] == [Wipe(), Restore(0)], "one more brings the last settings back"


def test_a_reset_long_after_another_is_a_first_one() -> None:
    record, _ = play(Record(), at(100))
    _, actions = play(record, at(100 + AGAIN_S + 1))
    assert Restore(0) in actions


def test_a_cut_at_any_step_begins_again_at_the_first() -> None:
    write, _ = Reset(Record()).receive(Wanted("reset", "ctl"), at(100))
    assert isinstance(write, Write)
    first = Reset(write.record).receive(Started(), at(3, boot="b2"))
    again = Reset(write.record).receive(Started(), at(3, boot="b3"))
    assert [type(a) for a in first] == [type(a) for a in again] == [Wipe, Restore, Write]


def test_wanted_twice_is_one_reset() -> None:
    reset = Reset(Record())
    reset.receive(Wanted("reset", "ctl"), at(100))
    assert reset.receive(Wanted("reset", "page"), at(101)) == [Restart()]
    assert reset.record.count == 1 and reset.record.who == "ctl"


def test_decommissioning_ends_with_no_record() -> None:
    write, _ = Reset(Record(count=2, at=at(1))).receive(Wanted("decommission", "page"), at(100))
    assert isinstance(write, Write) and write.record.pending == "decommission"
    assert Reset(write.record).receive(Started(), at(5)) == [Destroy(), Wipe(), Blank(), Forget()]


def test_a_marker_file_is_obeyed_once() -> None:
    reset = Reset(Record())
    asked, *steps, done = reset.receive(Started("12 face"), at(5))
    assert isinstance(asked, Write) and asked.record.pending == "reset"
    assert steps == [Wipe(), Restore(0)]
    assert isinstance(done, Write) and done.record.marker == "12 face"
    # On a partition that cannot be written it is still there at the next start.
    assert Reset(done.record).receive(Started("12 face"), at(5, boot="b2")) == []
    # A cut after the record was written: the same marker, the same reset.
    cut = Reset(asked.record).receive(Started("12 face"), at(5, boot="b2"))
    assert [type(a) for a in cut] == [Wipe, Restore, Write]
    # Another file later is another wish; and when the file has gone, its face is forgotten.
    assert Wipe() in Reset(done.record).receive(Started("13 other"), at(5, boot="b2"))
    (gone,) = Reset(done.record).receive(Started(""), at(5, boot="b2"))
    assert isinstance(gone, Write) and gone.record.marker == ""


@pytest.mark.parametrize(
    ("before", "now", "again"),
    [
        (at(100), at(100 + AGAIN_S), True),
        (at(100), at(100 + AGAIN_S + 1), False),
        (at(100, wall_s=1.8e9), at(5, boot="b2", wall_s=1.8e9 + 60), True),
        (at(100, wall_s=1.8e9), at(5, boot="b2", wall_s=1.8e9 + 86_400), False),
        # No clock chip: it begins anew at each boot. Who pulls the plug between two resets is at it.
        (at(100, wall_s=100, trusted=False), at(20, boot="b2", wall_s=20, trusted=False), True),
        (at(100, wall_s=100, trusted=False), at(AGAIN_S + 1, boot="b2", wall_s=0, trusted=False), False),
        # The clock was set back.
        (at(100, wall_s=1.9e9), at(20, boot="b2", wall_s=1.8e9), True),
    ],
)
def test_ten_minutes_on_a_box_without_a_clock(before: Moment, now: Moment, again: bool) -> None:
    assert soon(before, now) is again


moments = st.builds(
    Moment,
    boot=st.sampled_from(["b1", "b2"]),
    up_s=st.floats(0, 2000),
    wall_s=st.floats(0, 2e9),
    trusted=st.booleans(),
)
wishes = st.one_of(
    st.builds(Wanted, st.sampled_from(["reset", "decommission"]), st.just("x")),
    st.builds(Started, st.sampled_from(["", "m1", "m2"])),
)


@given(st.lists(st.tuples(wishes, moments, st.integers(0, 4)), max_size=30))
def test_whatever_is_cut_it_never_restores_after_decommissioning(
    steps: list[tuple[Wanted | Started, Moment, int]],
) -> None:
    disk: Record = Record()
    for event, now, cut_after in steps:
        actions = Reset(disk).receive(event, now)
        destroyed = False
        for action in actions[:cut_after]:
            match action:
                case Write(record):
                    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record
                    disk = record
                case Restore(back):
                    assert disk.pending == "reset" and back in (0, 1) and not destroyed
                case Wipe() | Destroy() | Blank():
                    assert disk.pending, "nothing is wiped that was not written down first"
                    destroyed = destroyed or isinstance(action, Destroy)
                case Forget():
                    assert destroyed
                    disk = Record()
                case Restart():
                    assert disk.pending
