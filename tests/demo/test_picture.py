"""The picture is sound XML and shows each silence where and as long as it was."""

import xml.etree.ElementTree as ElementTree

from tests.demo.picture import Cut, Hearing, svg
from tests.demo.sound import Lane, Silence

_NAMESPACE = "{http://www.w3.org/2000/svg}"


def _cut(*hearings: Hearing) -> Cut:
    return Cut("Cable <pulled> & lost", "cut", 100.0, 100.05, "main", "backup1", 99.0, 102.0, hearings)


def _drawn(*cuts: Cut) -> ElementTree.Element:
    return ElementTree.fromstring(svg("A call", "today", cuts, "measured"))


def test_names_labels_and_silences_can_be_read() -> None:
    lane = Lane(99.0, 0.5, (0.1, 0.5, 0.0, 0.5, 0.2, 0.1))
    drawn = _drawn(
        _cut(
            Hearing("the far end", lane, Silence(100.01, 0.087)),
            Hearing("the phone", lane, Silence(100.05, 0.12)),
        )
    )
    texts = [element.text for element in drawn.iter(f"{_NAMESPACE}text")]
    for expected in ("Cable <pulled> & lost", "main", "backup1", "87 ms silence", "120 ms silence", "+1.5 s"):
        assert expected in texts


def test_a_silence_is_drawn_on_the_scale_of_the_axis() -> None:
    drawn = _drawn(_cut(Hearing("the phone", Lane(99.0, 0.5, (0.5,) * 6), Silence(100.5, 0.5))))
    marks = [e for e in drawn.iter(f"{_NAMESPACE}rect") if e.get("fill-opacity") == "0.16"]
    axis = {
        e.text: float(e.get("x", "")) for e in drawn.iter(f"{_NAMESPACE}text") if str(e.text).endswith(" s")
    }
    assert len(marks) == 1
    assert abs(float(marks[0].get("x", "")) - axis["+0.5 s"]) < 0.5
    assert abs(float(marks[0].get("width", "")) - (axis["+1.0 s"] - axis["+0.5 s"])) < 0.5


def test_no_silence_no_mark() -> None:
    drawn = _drawn(_cut(Hearing("the phone", Lane(99.0, 0.5, (0.5,) * 6), Silence(100.5, 0.0))))
    assert not [e for e in drawn.iter(f"{_NAMESPACE}rect") if e.get("fill-opacity") == "0.16"]


def test_a_lane_without_a_sound_can_be_drawn() -> None:
    _drawn(_cut(Hearing("the phone", Lane(99.0, 0.5, ()), Silence(100.5, 0.1))))
    _drawn(_cut(Hearing("the phone", Lane(99.0, 0.5, (0.0,) * 6), Silence(100.5, 0.1))))
