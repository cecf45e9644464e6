"""Random link events, traffic from every wrong pair at once: what reaches the provider's side of the cables?

A call is up, and beside it a pest in the box sends to the provider from every address by every device. What
came out of the box is read at the other end of each cable. backup2 is not confirmed: from there only the
watcher's own probes may come (echo requests, and OPTIONS that tell our address as the provider sees it); they
are counted apart.
"""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.capture import Capture
from tests.lab.netns import LabError, inside

CONFIRMED: Final = (plan.MAIN, plan.BACKUP1)
PEST_PORT: Final = 17_000
EVENT_S: Final = (0.05, 0.4)
ROUND: Final = 100
"""Events after which captures are read and begun anew."""


def run(quick: bool) -> list[Figure]:
    """Packets from an unconfirmed pair, in so many events."""
    count = 60 if quick else 1000
    chance = random.Random(20260101)
    bad: list[str] = []
    passed = probes = happened = 0
    with Scene("strays", confirmed=CONFIRMED) as stage, contextlib.closing(_Pest(stage)):
        own = _own(stage)
        while happened < count:
            captures = {
                up: stage.capture("isp" + up.isp, f"ip and dst net {plan.PROVIDER_PREFIX}", 200)
                for up in plan.UPLINKS
            }
            with contextlib.suppress(LabError):  # while nothing is fit there is no call to be had
                stage.dial()
            for _ in range(ROUND):
                happened += _happen(stage, own, chance)
                time.sleep(chance.uniform(*EVENT_S))
                if happened == count:
                    break
            time.sleep(0.5)
            for up, capture in captures.items():
                capture.stop()
                good, asked, wrong = _sort(up, own[up], capture)
                passed, probes, bad = passed + good, probes + asked, bad + wrong
                if not wrong:
                    capture.path.unlink()
            _restore(stage, own)
            stage.await_up(*CONFIRMED)
            stage.hang_up()
    note = (
        f"{happened} events; {passed} packets from confirmed pairs passed, and {probes} probes of the "
        "watcher by backup2, which tell how the provider sees it"
    )
    if bad:
        note += "; wrong: " + ", ".join(sorted(set(bad))[:6])
    if passed == 0:
        raise LabError("nothing passed at all: this proves nothing")
    return [Figure("packets to the provider from an unconfirmed pair", "", [len(bad)], 0, "worst", note=note)]


def _own(stage: Scene) -> dict[plan.Uplink, str]:
    """The address that the box wears on each uplink, also the leased one."""
    status = stage.box.await_status(lambda s: all(u.address for u in s.uplinks), "three addresses")
    worn = {one.name: one.address for one in status.uplinks}
    return {up: worn[up.name] for up in plan.UPLINKS}


def _sort(up: plan.Uplink, own: str, capture: Capture) -> tuple[int, int, list[str]]:
    """(from the confirmed pair, probes from the address that is not confirmed yet, all others)."""
    good = probes = 0
    wrong: list[str] = []
    for packet in capture.packets():
        if packet.device != "box" or packet.outgoing:
            continue
        if packet.source != own:
            wrong.append(f"{packet.protocol} {packet.sip} from {packet.source} by {up.device}")
        elif up in CONFIRMED:
            good += 1
        elif packet.sip.startswith("OPTIONS ") or (packet.protocol == "icmp" and packet.payload[:1] == _ECHO):
            probes += 1
        else:
            wrong.append(f"{packet.sip or packet.protocol} from {packet.source} by {up.device}")
    return good, probes, wrong


# --- what happens -------------------------------------------------------------------------------------------


def _happen(stage: Scene, own: dict[plan.Uplink, str], chance: random.Random) -> int:
    """One random event; 1 if it could happen (a device that is gone cannot be cut)."""
    lab, up = stage.lab, chance.choice(plan.UPLINKS)
    other = chance.choice([one for one in plan.UPLINKS if one is not up])

    def ip(batch: str) -> Callable[[], object]:
        return lambda: lab.site.ip(batch, "box")

    events: list[Callable[[], object]] = [
        lambda: lab.cut_carrier(up),
        lambda: lab.restore_carrier(up),
        lambda: lab.restore_carrier(up),
        lambda: lab.blackhole(up, chance.choice(["up", "down", "both"])),
        lambda: lab.heal(up),
        lambda: lab.heal(up),
        lambda: lab.impair(up, loss=0.3),
        ip(f"link set {up.device} down"),
        ip(f"link set {up.device} up"),
        ip(f"addr del {own[up]}/{up.prefix_length} dev {up.device}"),
        ip(f"addr add {own[other]}/32 dev {up.device}"),
        ip(f"addr del {own[other]}/32 dev {up.device}"),
        ip(f"route replace {plan.PROVIDER_PREFIX} via {up.router} dev {up.device}"),
        ip(f"route flush {plan.PROVIDER_PREFIX}"),
        lambda: (lab.remove_device(up), lab.readd_device(up)),
    ]
    try:
        chance.choice(events)()
    except (LabError, OSError):
        return 0
    return 1


def _restore(stage: Scene, own: dict[plan.Uplink, str]) -> None:
    """As at the beginning, but for what the gateway itself has to mend."""
    stage.heal()
    for up in plan.UPLINKS:
        others = [f"addr del {own[o]}/32 dev {up.device}" for o in plan.UPLINKS if o is not up]
        for line in (f"link set {up.device} up", f"route flush {plan.PROVIDER_PREFIX}", *others):
            with contextlib.suppress(LabError):
                stage.lab.site.ip(line, "box")


class _Pest:
    """Sends to the provider from every address by every device, and by the routes alone, twenty times a
    second each; whatever the kernel answers."""

    def __init__(self, stage: Scene) -> None:
        self._sources = ("", *_own(stage).values())
        self._name = stage.lab.site.full("box")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pest")
        self._thread.start()

    def close(self) -> None:
        """Stop sending."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        pairs = [(s, d) for s in self._sources for d in ("", *_devices())]
        sockets = inside(self._name, lambda: [socket.socket(type=socket.SOCK_DGRAM) for _ in pairs])
        for number, (handle, (source, _)) in enumerate(zip(sockets, pairs, strict=True)):
            handle.setblocking(False)
            handle.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
            handle.bind((source, PEST_PORT + number))
        while not self._stop.wait(0.05):
            for handle, (_, device) in zip(sockets, pairs, strict=True):
                with contextlib.suppress(OSError):
                    if device:  # again and again: the binding goes when a device goes
                        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
                    handle.sendto(b"stray", (plan.PROVIDER_SERVER, 9))
        for handle in sockets:
            handle.close()


_ECHO: Final = b"\x08"
_IP_FREEBIND: Final = 15


def _devices() -> list[str]:
    return [up.device for up in plan.UPLINKS]
