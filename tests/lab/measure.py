"""What the impairment process adds to the delay that it was told: `python -m tests.lab.measure [RATE]`.

Both directions of one uplink at once, half the packets each, 172 bytes; time stamps by the kernel at arrival.
"""

import os
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from tests.lab import plan
from tests.lab.lab import Lab

_SO_TIMESTAMPNS: Final = 35
_SECONDS: Final = 5
_BURST: Final = 8


def _receive(handle: socket.socket, delays_ms: list[float]) -> None:
    handle.settimeout(1)
    while True:
        try:
            data, ancillary, _, _ = handle.recvmsg(2048, 64)
        except TimeoutError:
            return
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2][:16])
        (sent_ns,) = struct.unpack_from("<q", data)
        delays_ms.append((seconds * 10**9 + nanoseconds - sent_ns) / 1e6)


def _send(handle: socket.socket, to: tuple[str, int], rate: int) -> None:
    os.sched_setscheduler(threading.get_native_id(), os.SCHED_RR, os.sched_param(10))
    start_s = time.monotonic()
    for number in range(0, rate * _SECONDS, _BURST):
        time.sleep(max(0.0, start_s + number / rate - time.monotonic()))
        for _ in range(_BURST):
            handle.sendto(struct.pack("<q", time.time_ns()) + bytes(164), to)


def main(total_rate: int) -> None:
    """Print added delay, loss and nothing else."""
    one_way_ms = plan.DEFAULT_RTT_MS / 2
    with (
        tempfile.TemporaryDirectory() as logs,
        Lab(Path(logs), configure_routes=True, provider=False) as lab,
        lab.udp("box", plan.MAIN.public, 9000) as box,
        lab.udp("internet", plan.INTERNET_HOST, 9001) as host,
    ):
        for handle in (box, host):
            handle.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        delays: dict[str, list[float]] = {"up": [], "down": []}
        threads = [
            threading.Thread(target=_receive, args=(host, delays["up"])),
            threading.Thread(target=_receive, args=(box, delays["down"])),
            threading.Thread(target=_send, args=(box, (plan.INTERNET_HOST, 9001), total_rate // 2)),
            threading.Thread(target=_send, args=(host, (plan.MAIN.public, 9000), total_rate // 2)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for way, found in delays.items():
        found.sort()
        marks = {f"p{q * 100:g}": found[min(len(found) - 1, int(len(found) * q))] for q in (0.5, 0.99, 0.999)}
        shown = ", ".join(f"{name} {value - one_way_ms:.2f}" for name, value in marks.items())
        lost = len(range(0, total_rate // 2 * _SECONDS, _BURST)) * _BURST - len(found)
        print(
            f"{way:4}: {len(found)} packets, {lost} lost, added {shown}, max {found[-1] - one_way_ms:.2f} ms"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8000)
