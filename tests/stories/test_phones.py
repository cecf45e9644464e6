"""Handsets in the laboratory: lifted, dialled key by key, flashed, put down; what each end hears is measured.

Real pjsua2, Kamailio, rtpengine and far ends. Each phone speaks a note of its own, so that a recording tells
who was heard in it.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import messages as m
from gateway.status import PhoneView, Status
from tests.lab import plan
from tests.lab.box import Box, settings_text
from tests.lab.ear import level_dbfs, samples_of, write_note
from tests.lab.farend import FarCall
from tests.lab.lab import Lab
from tests.lab.netns import LabError

pytestmark = pytest.mark.root

NOTES_HZ = {"desk": 620.0, "desk2": 940.0, "desk3": 1300.0}
EXTENSIONS = {"desk": "21", "desk2": "22", "desk3": "23"}
AUDIBLE_DBFS = -38.0
INAUDIBLE_DBFS = -55.0


class House:
    """The box with three phones, and hands for them."""

    def __init__(self, box: Box, records: Path) -> None:
        self.box = box
        self.records = records

    def lift(self, phone: str = "desk") -> None:
        self.box.ask(m.Lift(phone=phone))

    def press(self, keys: str, phone: str = "desk") -> None:
        self.box.ask(m.Press(phone=phone, keys=keys))

    def flash(self, phone: str = "desk") -> None:
        self.box.ask(m.Flash(phone=phone))

    def put_down(self, phone: str = "desk") -> None:
        self.box.ask(m.HangUp(phone=phone))

    def call(self, number: str, phone: str = "desk") -> None:
        """Dial it key by key, and wait until it is up."""
        before = {c.call for c in self.box.status().calls}
        self.press("00" + number, phone)
        self.box.await_status(
            lambda s: any(c.state == "up" and c.call not in before for c in s.calls), f"{number} to answer"
        )

    def view(self, phone: str, status: Status | None = None) -> PhoneView:
        status = status or self.box.status()
        return next(view for view in status.phones if view.name == phone)

    def hears(self, what: str, phone: str = "desk", timeout_s: float = 15.0) -> PhoneView:
        status = self.box.await_status(
            lambda s: what in self.view(phone, s).hears.split(), f"{phone} to hear {what}", timeout_s
        )
        return self.view(phone, status)

    def is_(self, state: str, phone: str = "desk") -> None:
        self.box.await_status(lambda s: self.view(phone, s).state == state, f"{phone} to be {state}")

    def states(self) -> list[str]:
        return sorted(call.state for call in self.box.status().calls)

    def recorded(self, phone: str) -> Callable[[], Path]:
        """What this phone has heard since it was lifted."""
        return lambda: self.records / f"{phone}.wav"

    def far(self, number: str) -> FarCall:
        return self.box.lab.far.calls(number=number)[-1]

    def far_heard(self, number: str) -> Callable[[], Path]:
        """What the far end of the last call to this number has heard."""
        return lambda: self.box.lab.far.recording(self.far(number))


def audible(where: Callable[[], Path], hz: float, *, yes: bool = True, timeout_s: float = 8.0) -> None:
    """Wait until the last second there holds this note, or does not."""
    until = time.monotonic() + timeout_s
    level = 0.0
    while time.monotonic() < until:
        try:
            level = level_dbfs(samples_of(where(), 1.0), hz)
        except (OSError, ValueError, IndexError, LabError):
            level = -120.0 if yes else 0.0
        if (level > AUDIBLE_DBFS) if yes else (level < INAUDIBLE_DBFS):
            return
        time.sleep(0.1)
    raise AssertionError(f"{hz:.0f} Hz at {level:.0f} dBFS in {where()}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with Lab(tmp_path_factory.mktemp("phones")) as lab:
        lab.site.ip(
            f"addr add {plan.LAN_ADDRESS}/{plan.LAN_PREFIX_LENGTH} dev {plan.LAN_DEVICE}\n"
            f"link set {plan.LAN_DEVICE} up",
            "box",
        )
        yield lab


@pytest.fixture(scope="module")
def running(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    records = tmp_path_factory.mktemp("records")
    text = settings_text(phones=3, failback_after_s=1.0, auto_answer=False)
    for name, hz in NOTES_HZ.items():
        write_note(records / f"note-{name}.wav", hz)
        text = text.replace(
            f'name = "{name}"\nkind = "virtual"\n',
            f'name = "{name}"\nkind = "virtual"\nextension = "{EXTENSIONS[name]}"\n'
            f'play = "{records}/note-{name}.wav"\nrecord = "{records}/{name}.wav"\n',
        )
    text = text.replace('phones = ["desk"]\n', 'phones = ["desk"]\nwhen_busy = "call_waiting"\n')
    with Box(lab, text) as box:
        box.confirm_in_advance()
        box.start()
        box.await_ready()
        yield House(box, records)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    box = running.box
    for uplink in plan.UPLINKS:
        box.lab.heal(uplink)
        box.lab.restore_carrier(uplink)
    for phone in NOTES_HZ:
        box.request(m.HangUp(phone=phone))
        box.request(m.HangUp(phone=phone))
    box.await_status(
        lambda s: not s.calls and {p.state for p in s.phones} == {"idle"}, "everything to be put down"
    )
    box.await_ready()


def test_handset_that_is_lifted_hears_dial_tone_until_the_first_key(house: House) -> None:
    house.lift()
    assert house.view("desk").hears == "dial"
    audible(house.recorded("desk"), 440)
    house.press("0")
    assert house.view("desk").hears == ""
    audible(house.recorded("desk"), 440, yes=False)


def test_number_that_is_whole_is_dialled_at_once_and_ended_by_the_hook(house: House) -> None:
    house.lift()
    house.press("0207946000")
    assert house.states() == [], "it is not whole yet"
    house.press("1")
    house.is_("talking")
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"])
    house.put_down()
    far = house.box.lab.far.await_call(lambda c: c.number == plan.ANSWERS and c.ended_s is not None)
    assert far.why == "bye received"
    house.is_("idle")


def test_second_call_swap_and_three_together(house: House) -> None:
    house.lift()
    house.call(plan.ECHOES)
    audible(house.recorded("desk"), NOTES_HZ["desk"])  # its own voice comes back
    house.flash()
    house.hears("second")
    house.press(EXTENSIONS["desk2"])
    house.hears("ringback")
    assert house.view("desk2").remote == EXTENSIONS["desk"]
    house.lift("desk2")
    audible(house.recorded("desk2"), NOTES_HZ["desk"])
    audible(house.recorded("desk"), NOTES_HZ["desk"], yes=False)
    assert house.states() == ["held"]
    house.flash()
    house.press("2")  # swap: back to the far end, which echoes
    audible(house.recorded("desk"), NOTES_HZ["desk"])
    audible(house.recorded("desk2"), NOTES_HZ["desk"], yes=False)
    house.flash()
    house.press("3")
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk2"])
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk"])
    audible(house.recorded("desk"), NOTES_HZ["desk2"])
    audible(house.recorded("desk2"), NOTES_HZ["desk"])
    house.put_down()  # the two others go on without desk
    house.is_("idle")
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk2"])
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk"], yes=False)
    house.put_down("desk2")
    house.box.await_status(lambda s: not s.calls, "the far end to be told")


def test_two_far_ends_and_a_phone_hear_each_other(house: House) -> None:
    house.lift()
    house.call(plan.ANSWERS)
    house.flash()
    house.call(plan.ECHOES)
    assert house.states() == ["held", "up"]
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"], yes=False)
    house.flash()
    house.press("3")
    house.box.await_status(lambda s: [c.state for c in s.calls] == ["up", "up"], "both to be up")
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"])
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk"])


def test_call_is_handed_over_when_the_handset_is_put_down(house: House) -> None:
    house.lift()
    house.call(plan.ANSWERS)
    house.flash()
    house.press(EXTENSIONS["desk2"])
    house.is_("ringing", "desk2")
    house.put_down()
    house.is_("idle")
    house.lift("desk2")
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk2"])
    assert [c.phone for c in house.box.status().calls] == ["desk2"]


def test_call_that_is_handed_over_after_a_word(house: House) -> None:
    house.lift()
    house.call(plan.ANSWERS)
    house.flash()
    house.press(EXTENSIONS["desk2"])
    house.is_("ringing", "desk2")
    house.lift("desk2")
    audible(house.recorded("desk2"), NOTES_HZ["desk"])
    house.put_down()
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk2"])
    assert house.states() == ["up"]


def test_busy_is_heard_and_help_can_be_called_even_then(house: House) -> None:
    house.lift()
    house.press("00" + plan.BUSY)
    house.hears("busy")
    audible(house.recorded("desk"), 400)  # the United Kingdom's busy tone
    house.press("999")
    house.is_("talking")
    assert house.far("999").number == "999"


def test_wrong_number_is_explained_in_words_and_then_congestion(house: House) -> None:
    house.lift()
    house.press("00" + plan.UNKNOWN)
    house.hears("unknown_number")
    time.sleep(1.2)
    loud = [s for s in samples_of(house.records / "desk.wav", 1.0) if abs(s) > 1000]
    assert len(loud) > 1500, "there is speech"
    house.hears("congestion")


def test_all_channels_down_is_said(house: House) -> None:
    for uplink in plan.UPLINKS:
        house.box.lab.cut_carrier(uplink)
    house.box.await_status(lambda s: s.active_uplink == "", "no channel to be left")
    house.lift()
    house.press("00" + plan.ANSWERS)
    house.hears("all_down")


def test_three_stars_speak_the_address_and_the_state(house: House) -> None:
    house.lift()
    house.press("***")
    view = house.hears("address_is")
    digits = " ".join("point" if sign == "." else sign for sign in plan.LAN_ADDRESS)
    assert view.hears == f"address_is {digits} calls_by_main"
    house.hears("dial", timeout_s=30)


def test_phones_of_the_house_call_each_other(house: House) -> None:
    house.lift()
    house.press(EXTENSIONS["desk3"])
    house.hears("ringback")
    house.is_("ringing", "desk3")
    house.lift("desk3")
    audible(house.recorded("desk3"), NOTES_HZ["desk"])
    audible(house.recorded("desk"), NOTES_HZ["desk3"])
    house.put_down("desk3")
    house.hears("busy")


def test_call_that_waits_is_heard_and_taken(house: House) -> None:
    house.lift()
    house.call(plan.ANSWERS)
    house.box.lab.far.call(plan.CONNECTED_NUMBERS[0])
    house.hears("waiting")
    assert house.states() == ["ringing", "up"]
    house.flash()
    house.press("2")
    house.box.await_status(lambda s: sorted(c.state for c in s.calls) == ["held", "up"], "both to be there")
    up = next(c for c in house.box.status().calls if c.state == "up")
    assert up.direction == "in"
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"], yes=False)


def test_held_call_and_running_one_both_survive_the_loss_of_their_channel(house: House) -> None:
    house.lift()
    house.call(plan.ANSWERS)
    house.flash()
    house.call(plan.ECHOES)
    house.box.lab.cut_carrier("main")
    house.box.await_status(
        lambda s: (
            [c.uplink for c in s.calls] == ["backup1"] * 2 and "moving" not in {c.state for c in s.calls}
        ),
        "both calls by backup1",
    )
    audible(house.recorded("desk"), NOTES_HZ["desk"])  # the echo
    house.flash()
    house.press("2")
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"])
    house.flash()
    house.press("3")
    audible(house.far_heard(plan.ANSWERS), NOTES_HZ["desk"])
    audible(house.far_heard(plan.ECHOES), NOTES_HZ["desk"])
