"""What the unit's sandbox lets through, seen from inside: run by systemd, hardened as gateway.service is.

Prints what it could do with the GPIO chip and which devices it sees, one word and a colon a line.
"""

import asyncio
import sys
from pathlib import Path

from gateway.inbox import Inbox
from gateway.panel.board import Board
from gateway.panel.gestures import Edge
from gateway.panel.wiring import Broken, Wiring


async def main(chip: str) -> None:
    inbox = Inbox[Edge | Broken]()
    board = Board(inbox, Wiring(gpiochip=chip, button_pin=0, lamp="one", lamp_pins=(1,)))
    board.open_lamp()
    print(f"button: {board.open_button()}", flush=True)
    board.light((True,))
    print("lit: yes", flush=True)
    edge = await inbox.next(until=asyncio.get_running_loop().time() + 30)
    print(f"edge: {edge.pressed if isinstance(edge, Edge) else edge}", flush=True)
    board.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    nodes = [path for path in Path("/dev").iterdir() if not path.is_symlink()]
    devices = [path for path in nodes if path.is_char_device() or path.is_block_device()]
    print("devices:", *(path.name for path in devices), flush=True)
