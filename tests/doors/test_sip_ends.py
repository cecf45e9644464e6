"""Ends of audio in the real engine: who hears whom, what is played into an ear, what held far ends hear."""

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v
from tests.lab.ear import level_dbfs, samples_of, write_note

E = TypeVar("E")
PORT = 5460
FAR = v.Hop("127.0.0.3", PORT, "udp")
NOTES = {"a": 600.0, "b": 900.0, "c": 1300.0}
AUDIBLE, INAUDIBLE = -38.0, -55.0


class Room:
    """An engine with three phones that hear and speak files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._events: queue.Queue[object] = queue.Queue()
        self.engine = Engine(self._events.put, EngineOptions(sip_port=PORT, rtp_ports=(17_000, 17_200)))
        self.engine.start()
        self.wait(v.EngineUp)
        for uplink, address in (("main", "127.0.0.1"), ("far", "127.0.0.3")):
            self.do(v.BindPath(uplink, address, address, "udp"))
            assert self.wait(v.PathBound).error == ""

    def do(self, *commands: v.Command) -> None:
        for command in commands:
            self.engine.do(command)

    def wait(self, kind: type[E], where: Callable[[E], bool] = lambda event: True) -> E:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            event = self._events.get(timeout=10)
            if isinstance(event, kind) and where(event):
                return event
            assert not isinstance(event, v.CommandFailed), event
        raise AssertionError(f"no {kind.__name__}")

    def open(self, *names: str) -> None:
        for name in names:
            note = self.directory / f"note-{name}.wav"
            write_note(note, NOTES[name])
            self.do(v.OpenEnd(name, str(note), str(self.ear(name))))

    def ear(self, name: str) -> Path:
        return self.directory / f"{name}.wav"

    def hears(self, name: str, *expected: str, hz: float = 0.0) -> None:
        """Wait until it hears these notes, and none of the others."""
        wanted = {NOTES[n] for n in expected} | ({hz} if hz else set())
        heard: set[float] = set()
        until = time.monotonic() + 6
        while time.monotonic() < until:
            time.sleep(0.1)
            samples = samples_of(self.ear(name), 0.5) if self.ear(name).stat().st_size > 8200 else None
            if samples is None:
                continue
            levels = {note: level_dbfs(samples, note) for note in {*NOTES.values(), hz} - {0.0}}
            heard = {note for note, level in levels.items() if level > AUDIBLE}
            if heard == wanted and all(level < INAUDIBLE for n, level in levels.items() if n not in wanted):
                return
        raise AssertionError(f"{name} hears {heard}, not {wanted}")

    def call(self, leg: int, caller: str, called: str) -> int:
        """A call between two ends over SIP; the far leg."""
        self.do(v.StartLeg(leg, "main", FAR, "442079460000", "sip.provider.test", "442037691880"))
        far = int(self.wait(v.LegIncoming).leg)
        self.do(v.Connect(leg, caller), v.Connect(far, called), v.AnswerLeg(far, 200))
        self.wait(v.LegAnswered, lambda e: e.leg == leg)
        return far


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.engine.stop()


def test_two_phones_are_linked_and_parted(room: Room) -> None:
    room.open("a", "b")
    room.do(v.LinkEnds("a", "b", True))
    room.hears("a", "b")
    room.hears("b", "a")
    room.do(v.LinkEnds("a", "b", False))
    room.hears("a")
    room.hears("b")


def test_three_hear_each_other_while_one_mixes(room: Room) -> None:
    room.open("a", "b", "c")
    far = room.call(1, "a", "c")
    room.do(v.LinkEnds("a", "b", True))
    room.hears("a", "b", "c")
    room.hears("b", "a")
    room.hears("c", "a")
    room.do(v.MixEnd("a", True))
    room.hears("b", "a", "c")
    room.hears("c", "a", "b")
    room.do(v.MixEnd("a", False))
    room.hears("b", "a")
    room.hears("c", "a")
    room.do(v.EndLeg(1))
    room.wait(v.LegEnded, lambda e: e.leg == far)


def test_mute_is_heard_by_nobody(room: Room) -> None:
    room.open("a", "b")
    room.do(v.LinkEnds("a", "b", True))
    room.hears("b", "a")
    room.do(v.MuteEnd("a", True))
    room.hears("b")
    room.hears("a", "b")
    room.do(v.MuteEnd("a", False))
    room.hears("b", "a")


def test_tone_is_heard_beside_the_other_side_until_it_is_hushed(room: Room) -> None:
    room.open("a", "b")
    tone = room.directory / "tone.wav"
    write_note(tone, 400.0)
    room.do(v.LinkEnds("a", "b", True), v.PlayInto("a", (str(tone),), True))
    room.hears("a", "b", hz=400.0)
    room.do(v.HushEnd("a"))
    room.hears("a", "b")


def test_words_in_turn_are_told_when_they_are_over_and_missing_ones_are_left_out(room: Room) -> None:
    room.open("a")
    word = room.directory / "word.wav"
    write_note(word, 400.0)
    began = time.monotonic()
    room.do(v.PlayInto("a", (str(word), str(room.directory / "none.wav"), str(word)), False))
    assert room.wait(v.EndSpoken).end == "a"
    assert 1.9 < time.monotonic() - began < 4.0
    room.hears("a")
    room.do(v.PlayInto("a", (str(room.directory / "none.wav"),), False))
    room.wait(v.EndSpoken)


def test_far_end_that_is_held_hears_a_tone_and_then_us_again(room: Room) -> None:
    room.open("a", "b")
    tone = room.directory / "hold.wav"
    write_note(tone, 400.0)
    room.do(v.HoldWith(str(tone)))
    far = room.call(1, "a", "b")
    room.hears("b", "a")
    room.do(v.Disconnect(1), v.HoldLeg(1, True))
    room.wait(v.LegReinvited)
    room.hears("b", hz=400.0)
    room.do(v.HoldLeg(1, False), v.Connect(1, "a"))
    room.wait(v.LegReinvited)
    room.hears("b", "a")
    room.hears("a", "b")
    room.do(v.EndLeg(1))
    room.wait(v.LegEnded, lambda e: e.leg == far)


def test_ends_come_and_go_while_sounds_do(room: Room) -> None:
    tone = room.directory / "tone.wav"
    write_note(tone, 400.0)
    for _ in range(8):
        room.open("a")
        room.do(v.PlayInto("a", (str(tone),), True))
        time.sleep(0.07)
        room.open("b")
        room.do(v.LinkEnds("a", "b", True), v.HushEnd("a"))
        room.hears("b", "a")
        room.do(v.CloseEnd("a"), v.CloseEnd("b"))
