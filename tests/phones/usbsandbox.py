"""What the calls process may do with USB phones, seen from inside: run by systemd, hardened as its unit is.

Prints what it hears and does, one word and a colon a line.
"""

import asyncio
import os
import sys

from gateway.inbox import Inbox
from gateway.phones.model import FromPhone, Light, OffHook, Plugged, Unplugged
from gateway.phones.usb import UsbPhones
from gateway.phones.usbmodel import Wanted
from gateway.phones.usbnode import Bus


def attempt(path: str) -> str:
    """How opening a device ends."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        return error.strerror or "refused"
    return "opened"


async def main(forbidden: list[str]) -> None:
    for path in forbidden:
        print(f"forbidden: {attempt(path)}", flush=True)
    inbox: Inbox[FromPhone] = Inbox()
    bus = Bus()
    bus.poll_s = 300.0  # so that only what the kernel announces is seen
    door = UsbPhones(inbox, {"desk": Wanted()}, bus)
    running = asyncio.create_task(door.run())
    while True:
        item = await inbox.next()
        match item.event if item is not None else None:
            case Plugged(audio):
                ((device, _),) = door.known()
                print(f"sound: {' '.join(attempt(f'/dev/{node}') for node in device.sound)}", flush=True)
                print(f"plugged: {audio.playback}", flush=True)
                door.perform("desk", Light("off_hook", True))
            case OffHook():
                print("lifted: yes", flush=True)
            case Unplugged(why):
                print(f"gone: {why}", flush=True)
                break
            case _:
                pass
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
