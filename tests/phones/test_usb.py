"""USB phones from the plug to the line: one suite over the fake bus, and over the kernel's in `make vm`."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gateway.inbox import Inbox
from gateway.phones.keyphone import event
from gateway.phones.model import (
    AudioDevice,
    Digit,
    Event,
    Flash,
    FromPhone,
    Light,
    Mute,
    OffHook,
    OnHook,
    Plugged,
    Redial,
    Ring,
    RingCadence,
    StopRing,
    Unplugged,
)
from gateway.phones.usb import UsbPhones
from gateway.phones.usbmodel import Wanted
from gateway.phones.usbnode import Bus
from tests.phones import descriptors as d
from tests.phones.usbworlds import FakeWorld, Phone, World
from tests.vm.hardware import load
from tests.vm.phones import UsbIpWorld

ANY = {"desk": Wanted()}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeWorld]:
    world = FakeWorld(tmp_path)
    yield world
    world.bus.close()


@pytest.fixture(
    params=[
        "fake",
        pytest.param("uhid_world", marks=pytest.mark.vm),
        pytest.param("usbip_world", marks=pytest.mark.vm),
    ]
)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


class Room:
    """The door with its inbox."""

    def __init__(self, door: UsbPhones, inbox: Inbox[FromPhone]) -> None:
        self.door = door
        self._inbox = inbox

    async def next(self, within_s: float = 20.0) -> FromPhone:
        item = await self._inbox.next(asyncio.get_running_loop().time() + within_s)
        assert item is not None, "nothing was heard"
        return item

    async def plugged(self, phone: str = "desk") -> Plugged:
        item = await self.next()
        assert item.phone == phone and isinstance(item.event, Plugged), item
        return item.event

    async def unplugged(self, phone: str = "desk") -> Unplugged:
        item = await self.next()
        assert item.phone == phone and isinstance(item.event, Unplugged), item
        return item.event

    async def hears(self, phone: Phone, *reports: str) -> list[Event]:
        """What comes of reports, up to a hook change that marks their end."""
        for report in reports:
            phone.press(bytes.fromhex(report))
        events: list[Event] = []
        while not events or not isinstance(events[-1], OnHook):
            events.append((await self.next()).event)
        return events

    async def silent(self) -> None:
        """Nothing was posted, once the door has looked around."""
        await asyncio.sleep(0.3)
        assert len(self._inbox) == 0


class Sight:
    """What a phone is shown. The kernel may repeat what it knows of the lamps: only changes count."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._last = b""

    async def next(self) -> bytes:
        """The next output report that is another one than the last."""
        until = time.monotonic() + 20
        while (report := self._phone.written()) is None or report == self._last:
            assert time.monotonic() < until, "nothing was written"
            await asyncio.sleep(0.01)
        self._last = report
        return report


@contextlib.asynccontextmanager
async def room(bus: Bus, wanted: Mapping[str, Wanted]) -> AsyncIterator[Room]:
    inbox: Inbox[FromPhone] = Inbox()
    door = UsbPhones(inbox, wanted, bus)
    running = asyncio.create_task(door.run())
    try:
        yield Room(door, inbox)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def run(
    bus: Bus, work: Callable[[Room], Awaitable[None]], wanted: Mapping[str, Wanted] | None = None
) -> None:
    async def main() -> None:
        async with room(bus, ANY if wanted is None else wanted) as made:
            await work(made)

    asyncio.run(main())


def kinds(events: list[Event]) -> list[object]:
    """Events without their times."""
    return [
        e.key if isinstance(e, Digit) else (Mute, e.on) if isinstance(e, Mute) else type(e) for e in events
    ]


# --- over every world --------------------------------------------------------------------------------------


def test_a_phone_that_hangs_there_already_is_found(world: World) -> None:
    world.plug(d.HANDSET)

    async def work(door: Room) -> None:
        plugged = await door.plugged()
        assert plugged.rings
        if world.sound:
            assert plugged.audio.capture.startswith("plughw:CARD=")
            assert plugged.audio.playback.endswith(",DEV=0")
        else:
            assert plugged.audio == AudioDevice("", "")

    run(world.bus, work)


def test_what_its_user_does(world: World) -> None:
    async def work(door: Room) -> None:
        phone = world.plug(d.HANDSET)
        await door.plugged()
        heard = await door.hears(
            phone,
            *("01 01 1f", "01 01 00", "01 01 1f", "01 01 0a", "01 01 1f"),
            *("01 05 1f", "01 01 1f", "01 09 1f", "01 01 1f", "01 11 1f", "01 01 1f", "01 00 1f"),
        )
        assert kinds(heard) == [OffHook, "0", "*", (Mute, None), Flash, Redial, OnHook]

    run(world.bus, work)


def test_its_lamps_and_its_bell(world: World) -> None:
    async def work(door: Room) -> None:
        phone = world.plug(d.HANDSET)
        await door.plugged()
        desk, sight = door.door.hardware("desk"), Sight(phone)
        assert await sight.next() == b"\x02\x00"
        for action in (Light("off_hook", True), Light("mute", True), Light("off_hook", False)):
            desk.do(action)
        desk.do(Light("mute", False))
        assert [await sight.next() for _ in range(4)] == [b"\x02\x11", b"\x02\x05", b"\x02\x04", b"\x02\x00"]
        desk.do(Ring(RingCadence((200, 300))))
        assert [await sight.next() for _ in range(4)] == [b"\x02\x42", b"\x02\x02"] * 2
        desk.do(StopRing())
        while (report := await sight.next()) != b"\x02\x00":
            assert report == b"\x02\x42", "it rang once more meanwhile"

    run(world.bus, work)


def test_unplugged_and_plugged_again(world: World) -> None:
    async def work(door: Room) -> None:
        for _ in range(3):
            phone = world.plug(d.HANDSET)
            await door.plugged()
            phone.press(bytes.fromhex("01 01 1f"))
            assert isinstance((await door.next()).event, OffHook)
            phone.unplug()
            assert "unplugged" in (await door.unplugged()).why
        door.door.perform("desk", Light("mute", True))  # nobody there: nothing happens

    run(world.bus, work)


def test_two_phones_by_their_places(world: World) -> None:
    async def work(door: Room) -> None:
        first = world.plug(d.HANDSET, "1-1", "A1")
        second = world.plug(d.HANDSET, "1-2", "B2")
        heard = [await door.next(), await door.next()]
        assert {item.phone for item in heard} == {"desk", "till"}
        places = {name: device.place for device, name in door.door.known() if name}
        second.press(bytes.fromhex("01 01 1f"))
        lifted = await door.next()
        assert isinstance(lifted.event, OffHook)
        other = "till" if lifted.phone == "desk" else "desk"
        assert places[lifted.phone] > places[other]
        first.unplug()
        await door.unplugged(other)

    run(world.bus, work, {"desk": Wanted(), "till": Wanted()})


def test_a_headset_with_a_hook_alone(world: World) -> None:
    async def work(door: Room) -> None:
        phone = world.plug(d.HOOK_ONLY)
        assert not (await door.plugged()).rings
        assert kinds(await door.hears(phone, "01", "00")) == [OffHook, OnHook]
        door.door.perform("desk", Light("off_hook", True))
        sight = Sight(phone)
        assert [(await sight.next())[-1], (await sight.next())[-1]] == [0, 1]

    run(world.bus, work)


def test_strange_reports_do_no_harm(world: World) -> None:
    async def work(door: Room) -> None:
        phone = world.plug(d.HANDSET)
        await door.plugged()
        for report in ("ff", "01", "63 00 00", "03 01", "01 00 1f"):
            phone.press(bytes.fromhex(report))
        assert kinds(await door.hears(phone, "01 01 1f", "01 00 1f")) == [OffHook, OnHook]

    run(world.bus, work)


# --- what only the fake can show ---------------------------------------------------------------------------


def test_sound_without_keys_is_a_phone(fake: FakeWorld) -> None:
    fake.plug(b"")

    async def work(door: Room) -> None:
        plugged = await door.plugged()
        assert plugged.audio == AudioDevice("plughw:CARD=Phone,DEV=0", "plughw:CARD=Phone,DEV=0")
        assert not plugged.rings

    run(fake.bus, work)


@pytest.mark.parametrize("audio", ["p", "c"])
def test_a_loudspeaker_and_a_camera_are_none(fake: FakeWorld, audio: str) -> None:
    fake.plug(b"", audio=audio)
    run(fake.bus, lambda door: door.silent())


def test_a_keyboard_is_not_opened(fake: FakeWorld) -> None:
    fake.plug(d.KEYBOARD, audio="")
    run(fake.bus, lambda door: door.silent())
    assert fake.bus.opened == []


def test_a_descriptor_of_nonsense_leaves_the_others_alone(fake: FakeWorld) -> None:
    fake.plug(b"\x05", "1-1", audio="")
    fake.plug(d.HANDSET, "1-2")

    async def work(door: Room) -> None:
        await door.plugged()
        assert [device.place for device, name in door.door.known() if name] == ["1-2"]

    run(fake.bus, work)


def test_access_rights_that_come_late_are_waited_for(fake: FakeWorld) -> None:
    fake.bus.deny = {"hidraw0", "snd/pcmC0D0c"}

    async def work(door: Room) -> None:
        fake.plug(d.HANDSET)
        await door.silent()
        fake.bus.deny = {"hidraw0"}
        await door.silent()
        fake.bus.deny = set()
        await door.plugged()

    run(fake.bus, work)


def test_parts_that_come_one_after_the_other_are_waited_for(fake: FakeWorld) -> None:
    async def work(door: Room) -> None:
        usb = fake.bus.sys / "devices/usb1/1-1"
        phone = fake.plug(d.HANDSET, "1-1", announce=False)
        card = next(usb.glob("*/sound/card*/id"))
        (usb / "bNumInterfaces").write_text(" 4\n")
        card.write_text("")
        await door.silent()  # two of its interfaces are missing
        for number in (1, 2):
            (usb / f"1-1:1.{number}").mkdir()
            (usb / f"1-1:1.{number}/bInterfaceClass").write_text("01\n")
        await door.silent()  # its card has no name
        card.write_text("Phone\n")
        assert "CARD=Phone," in (await door.plugged()).audio.playback
        phone.unplug()
        await door.unplugged()

    fake.bus.poll_s = 0.1
    run(fake.bus, work)


def test_rights_that_never_come_are_told_once_with_the_remedy(
    fake: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    fake.bus.patience_s = 0.15
    fake.bus.deny = {"hidraw0"}
    fake.plug(d.HANDSET)
    run(fake.bus, lambda door: door.silent())
    (told,) = [r.getMessage() for r in caplog.records if "may not be opened" in r.getMessage()]
    assert "steadyline.rules" in told and "Permission denied" in told


def test_what_nobody_announces_is_found_all_the_same(fake: FakeWorld) -> None:
    fake.bus.poll_s = 0.1

    async def work(door: Room) -> None:
        await door.silent()
        phone = fake.plug(b"", announce=False)
        await door.plugged()
        phone.unplug(quietly=True)
        await door.unplugged()

    run(fake.bus, work)


def test_the_settings_may_change_meanwhile(fake: FakeWorld) -> None:
    fake.plug(d.HANDSET, "1-1")
    fake.plug(d.HANDSET, "1-2", "S2", ids=(0x0B0E, 0x0412))

    async def work(door: Room) -> None:
        await door.plugged()
        door.door.want({"desk": Wanted("0b0e:0412")})
        assert "settings" in (await door.unplugged()).why
        assert "Phone1" in (await door.plugged()).audio.capture
        door.door.want({"desk": Wanted("0b0e:0412"), "till": Wanted("1-1")})
        await door.plugged("till")
        door.door.want({})
        assert {(await door.next()).phone, (await door.next()).phone} == {"desk", "till"}

    run(fake.bus, work)


def test_who_fits_better_takes_the_place(fake: FakeWorld) -> None:
    wanted = {"desk": Wanted(), "till": Wanted("1-1")}

    async def work(door: Room) -> None:
        fake.plug(d.HANDSET, "1-1")
        await door.plugged("till")
        fake.plug(d.HANDSET, "1-2")
        await door.plugged("desk")
        names = {device.place: name for device, name in door.door.known()}
        assert names == {"1-1": "till", "1-2": "desk"}

    run(fake.bus, work, wanted)


def test_a_keypad_of_the_kernel_s_own_driver(fake: FakeWorld) -> None:
    def key(code: int) -> str:
        return (event(1, code, 1) + event(0, 0, 0) + event(1, code, 0) + event(0, 0, 0)).hex()

    async def work(door: Room) -> None:
        phone = fake.plug(b"", driver="cm109")
        assert (await door.plugged()).rings
        assert fake.bus.opened == ["input/event0"]
        sight = Sight(phone)
        assert await sight.next() == event(18, 1, 0) + event(0, 0, 0)
        heard = await door.hears(phone, key(28), key(0x203), key(0x20B), key(28), key(1))
        assert kinds(heard) == [OffHook, "3", "#", Flash, OnHook]
        door.door.perform("desk", Ring(RingCadence((500, 500))))
        assert await sight.next() == event(18, 1, 1) + event(0, 0, 0)

    run(fake.bus, work)


def test_a_phone_that_hangs_does_not_stop_the_others(fake: FakeWorld) -> None:
    async def work(door: Room) -> None:
        stuck = fake.plug(d.HANDSET, "1-1")
        await door.plugged("desk")
        other = fake.plug(d.HANDSET, "1-2")
        await door.plugged("till")
        for n in range(5000):  # nobody reads them: the writing thread waits
            door.door.perform("desk", Light("hold", n % 2 == 0))
        other.press(bytes.fromhex("01 01 1f"))
        assert (await door.next()).phone == "till"
        stuck.unplug()
        await door.unplugged("desk")

    run(fake.bus, work, {"desk": Wanted("1-1"), "till": Wanted("1-2")})


def test_what_goes_away_while_it_is_looked_at_is_left_out(fake: FakeWorld) -> None:
    over = threading.Event()

    def come_and_go() -> None:
        try:
            for _ in range(60):
                fake.plug(d.HANDSET, "1-1", "S1", announce=False).unplug(quietly=True)
        finally:
            over.set()

    hand = threading.Thread(target=come_and_go)
    hand.start()
    seen = set()
    while not over.is_set():
        seen |= {len(fake.bus.scan())}
    hand.join()
    assert seen >= {0, 1}


# --- what only the kernel can show -------------------------------------------------------------------------


@pytest.mark.vm
def test_a_phone_of_the_cm109_kind_over_its_own_driver(usbip_world: UsbIpWorld) -> None:
    load("cm109", "evdev")

    async def work(door: Room) -> None:
        phone = usbip_world.plug_cm109()
        assert (await door.plugged()).rings
        heard = []
        for scancode in ("88", "00", "14", "00", "84", "00", "48", "00"):  # green, 1, *, red (kip1000)
            phone.press(bytes.fromhex(scancode))
            if scancode != "00":
                heard.append((await door.next()).event)
            else:
                await asyncio.sleep(0.3)
        assert kinds(heard) == [OffHook, "1", "*", OnHook]
        desk = door.door.hardware("desk")
        desk.do(Ring(RingCadence((300, 300))))
        assert [await Sight(phone).next(), await Sight(phone).next()] == [b"\x20", b"\x00"]
        desk.do(StopRing())
        phone.unplug()
        await door.unplugged()

    run(usbip_world.bus, work)
