"""What a start makes of the disk: every cut of the three writes of a change, hand edits, and losses."""

import pytest

from gateway.errors import Problem, SettingsError
from gateway.settings.start import AddEntry, CopyFile, DropEntry, Entry, Found, OpenVault, decide

REFUSED = SettingsError("settings.toml", (Problem("file", 1, "not valid TOML", "Mend this line"),))
OLD, NEW = Entry(4, "old"), Entry(5, "new")


def found(file: str | None, copy: str | None, *entries: Entry, refused: SettingsError | None = None) -> Found:
    return Found(file, refused, copy, entries)


def test_all_agree() -> None:
    start = decide(found("new", "new", NEW, OLD))
    assert (start.origin, start.text, start.revision, start.steps, start.told) == ("owner", "new", 5, (), ())


@pytest.mark.parametrize(
    ("cut", "revision", "steps"),
    [
        (found("old", "old", OLD), 4, ()),  # before the entry
        (found("old", "old", NEW, OLD), 4, (DropEntry(5),)),  # after the entry, before the file
        (found("new", "old", NEW, OLD), 5, (CopyFile(),)),  # after the file, before the copy
        (found("new", None, NEW), 5, (CopyFile(),)),  # the very first change, before the copy
    ],
)
def test_power_cuts_while_a_change_is_kept(cut: Found, revision: int, steps: tuple[object, ...]) -> None:
    start = decide(cut)
    assert (start.origin, start.text, start.revision, start.steps) == ("owner", cut.file, revision, steps)
    assert start.told == ()


def test_a_hand_edit_is_a_revision_of_its_own() -> None:
    start = decide(found("by hand", "new", NEW, OLD))
    assert start.steps == (AddEntry(6, "the settings file, edited by hand"), CopyFile())
    assert start.revision == 6 and "edited by hand; it is revision 6" in start.told[0]


def test_a_hand_edit_back_to_an_older_text_is_no_power_cut() -> None:
    start = decide(found("old", "new", NEW, OLD))
    assert start.revision == 6 and start.text == "old" and DropEntry(5) not in start.steps


def test_the_first_file_of_all() -> None:
    start = decide(found("mine", None))
    assert (start.origin, start.revision, start.told) == ("owner", 1, ())
    assert start.steps == (AddEntry(1, "the settings file"), CopyFile())


def test_a_refused_file_leaves_the_good_copy_in_force_and_says_so() -> None:
    start = decide(found(None, "new", NEW, OLD, refused=REFUSED))
    assert (start.origin, start.text, start.revision, start.steps) == ("good_copy", "new", 5, ())
    assert "The settings were refused" in start.told[0] and "line 1" in start.told[0]


def test_a_missing_file_likewise() -> None:
    start = decide(found(None, "new"))
    assert (start.origin, start.text, start.revision) == ("good_copy", "new", 1)
    assert "The settings file is missing, and the last good ones are in force." in start.told


def test_nothing_sound_is_for_the_vault() -> None:
    start = decide(found(None, None, refused=REFUSED))
    assert (start.origin, start.text, start.steps) == ("none", "", (OpenVault(),))
    assert "refused" in start.told[0]
    fresh = decide(found(None, None))
    assert (fresh.origin, fresh.steps, fresh.told) == ("none", (OpenVault(),), ())


def test_a_trial_that_the_power_ended_is_told_once() -> None:
    start = decide(Found("new", None, "new", (NEW,), "anna", "tried"))
    assert start.text == "new" and "A change of anna was on trial when the box stopped" in start.told[0]
    kept = decide(Found("tried", None, "new", (Entry(6, "tried"), NEW), "anna", "tried"))
    assert kept.revision == 6 and kept.told == (), "it was kept before the power went"
