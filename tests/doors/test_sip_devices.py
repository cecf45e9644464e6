"""A call over two USB phones, in the machine of tests/vm: each hears the other, and one is pulled."""

import asyncio
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v
from gateway.inbox import Inbox
from gateway.phones.model import AudioDevice, FromPhone, OffHook, Plugged, Unplugged
from gateway.phones.usb import UsbPhones
from gateway.phones.usbmodel import Wanted
from tests.phones import descriptors as d
from tests.vm.phones import UsbIpPhone, UsbIpWorld

pytestmark = pytest.mark.vm

PORT = 5160
FAR = v.Hop("127.0.0.3", PORT, "udp")
E = TypeVar("E")


class Bench:
    """An engine with its events in order."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        options = EngineOptions(sip_port=PORT, rtp_ports=(14_000, 14_200), codecs=("G722", "PCMA"))
        self.engine = Engine(self.events.put, options)

    def wait(self, kind: type[E], where: Callable[[E], bool] = lambda e: True, within_s: float = 20.0) -> E:
        """The next event of this kind for which `where` holds; what fails meanwhile is told."""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left_s)
            except queue.Empty:
                break
            assert not isinstance(event, v.CommandFailed), event
            if isinstance(event, kind) and where(event):
                return event
        raise AssertionError(f"no {kind.__name__} came")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.engine.start()
    bench.wait(v.EngineUp, within_s=60.0)
    for uplink, address in (("main", "127.0.0.1"), ("far", "127.0.0.3")):
        bench.engine.do(v.BindPath(uplink, address, address, "udp"))
        assert bench.wait(v.PathBound).error == ""
    yield bench
    bench.engine.stop(20.0)
    assert not bench.engine.running


def hears(phone: UsbIpPhone, hz: float, place: Path) -> None:
    """Within a few tries the tone comes through. How smoothly is not for an emulated machine to say: what
    counts is how many pieces of 20 ms have most of their power at the tone."""
    for _ in range(12):
        time.sleep(2)
        phone.order(f"heard {place}")
        assert phone.line() == "heard"
        samples = np.frombuffer(place.read_bytes(), np.int16).astype(float)
        pieces = samples[: len(samples) // 320 * 320].reshape(-1, 320) * np.hanning(320)
        power = np.abs(np.fft.rfft(pieces)) ** 2
        near = round(hz / 50)
        share = power[:, near - 2 : near + 3].sum(axis=1) / np.maximum(power.sum(axis=1), 1e-9)
        sounding = np.abs(pieces).max(axis=1) > 500
        if sounding.sum() >= 5 and (share[sounding] > 0.6).mean() > 0.5:
            return
    raise AssertionError(f"{hz} Hz were not heard: {sounding.sum()} pieces sound, {share[sounding].round(1)}")


def call(bench: Bench) -> int:
    """A call between the ends a and b; the leg of the far side."""
    bench.engine.do(v.StartLeg(1, "main", FAR, "442079460000", "sip.provider.test", "442037691880"))
    far = int(bench.wait(v.LegIncoming).leg)
    bench.engine.do(v.AnswerLeg(far, 200))
    bench.wait(v.LegAnswered, lambda e: e.leg == 1)
    bench.engine.do(v.Connect(1, "a"))
    bench.engine.do(v.Connect(far, "b"))
    return far


def test_a_call_over_two_phones_one_of_which_is_pulled(
    usbip_world: UsbIpWorld, bench: Bench, tmp_path: Path
) -> None:
    async def plugged(inbox: Inbox[FromPhone]) -> tuple[str, AudioDevice]:
        while True:
            item = await inbox.next(asyncio.get_running_loop().time() + 60)
            assert item is not None
            if isinstance(item.event, Plugged):
                return item.phone, item.event.audio

    async def gone(inbox: Inbox[FromPhone]) -> str:
        while True:
            item = await inbox.next(asyncio.get_running_loop().time() + 60)
            assert item is not None
            if isinstance(item.event, Unplugged):
                return item.phone

    async def work() -> None:
        inbox: Inbox[FromPhone] = Inbox()
        door = UsbPhones(inbox, {"a": Wanted("1-1"), "b": Wanted("1-2")}, usbip_world.bus)
        running = asyncio.create_task(door.run())
        phones = {}
        for place in ("1-1", "1-2"):
            phones[place] = usbip_world.plug(d.HANDSET, place)
            name, audio = await plugged(inbox)
            bench.engine.do(v.OpenDevice(name, audio.capture, audio.playback))
        far = await asyncio.to_thread(call, bench)
        phones["1-1"].order("tone 440")
        phones["1-2"].order("tone 900")
        await asyncio.to_thread(hears, phones["1-2"], 440, tmp_path / "heard")
        await asyncio.to_thread(hears, phones["1-1"], 900, tmp_path / "heard")

        start = time.monotonic()
        phones["1-1"].unplug()
        assert await gone(inbox) == "a"
        bench.engine.do(v.EndLeg(1))
        bench.engine.do(v.CloseEnd("a"))
        ended = await asyncio.to_thread(bench.wait, v.LegEnded, lambda e: e.leg == far)
        print(f"figure: BYE at the far side {time.monotonic() - start:.2f} s after the pull")
        assert ended.code == 200 or ended.answered
        await asyncio.to_thread(bench.wait, v.EndClosed)

        start = time.monotonic()
        again = usbip_world.plug(d.HANDSET, "1-1")
        print(f"figure: plugged in {time.monotonic() - start:.2f} s")
        name, audio = await plugged(inbox)
        bench.engine.do(v.OpenDevice(name, audio.capture, audio.playback))
        again.press(bytes.fromhex("01 01 1f"))
        lifted = await inbox.next(asyncio.get_running_loop().time() + 60)
        assert lifted is not None and isinstance(lifted.event, OffHook)
        print(f"figure: heard again {time.monotonic() - start:.2f} s after plugging")
        await asyncio.to_thread(call, bench)
        again.order("tone 600")
        await asyncio.to_thread(hears, phones["1-2"], 600, tmp_path / "heard")
        running.cancel()

    asyncio.run(work())
