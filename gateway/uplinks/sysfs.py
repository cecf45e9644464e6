"""Door: /sys/class/net and /proc/sys/net. The carrier by poll, and the few settings the room needs."""

import contextlib
import os
from pathlib import Path

from gateway.errors import DoorError
from gateway.messages import DeviceView

_CLASS = "/sys/class/net"
_SETTINGS = Path("/proc/sys/net/ipv4")

_UPLINK_SETTINGS = {
    "src_valid_mark": "1",  # the reverse path of a marked packet is looked up with its mark (any rp_filter)
    "promote_secondaries": "1",  # taking an old address away leaves a newer one of the same network
    "arp_ignore": "1",  # two uplinks on one wire must not answer for each other
    "arp_announce": "2",
}


class Carrier:
    """The carrier of one device, read from an open file: about 2 µs each time.

    Reading releases a link event that the kernel holds back (link_watch.c: one down event a second).
    """

    def __init__(self, device: str) -> None:
        self._path = f"{_CLASS}/{device}/carrier"
        self._file = -1

    def read(self) -> bool | None:
        """True: a cable with a live far end. False: none, or the device is down. None: no such device."""
        if self._file < 0:
            try:
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return None
        try:
            return os.pread(self._file, 1, 0) == b"1"
        except OSError as error:
            if error.errno == 22:  # EINVAL: there, but administratively down
                return False
            self.close()
            return None

    def close(self) -> None:
        """Let go of the file; the next read opens it anew (a device that came back is another one)."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def prepare_uplink(device: str) -> None:
    """Set what the routing of an uplink relies on. A device that is not there is passed over."""
    for key, value in _UPLINK_SETTINGS.items():
        with contextlib.suppress(FileNotFoundError):
            _write(_SETTINGS / "conf" / device / key, value)


def forward_ipv4() -> None:
    """Let the office's packets through: IPv4 forwarding for the whole machine.

    Where the file is hidden or may not be written (systemd/sysctl.conf sets it then), nothing is done.
    """
    with contextlib.suppress(FileNotFoundError, DoorError):
        _write(_SETTINGS / "ip_forward", "1")


def _write(path: Path, value: str) -> None:
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DoorError(
            f"the kernel refused {value}: {error.strerror}",
            where=str(path),
            remedy="Run the daemon as its unit",
        ) from None


def devices(root: Path = Path(_CLASS)) -> tuple[DeviceView, ...]:
    """What a line could be plugged into, by name: no loopback, no bridge, no tunnel."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        made = _text(path / "uevent")
        if _text(path / "type") != "1" or "DEVTYPE=bridge" in made or (path / "tun_flags").exists():
            continue  # ARPHRD_ETHER alone
        carrier = _text(path / "carrier")
        speed = _text(path / "speed")
        found.append(
            DeviceView(
                name=path.name,
                mac=_text(path / "address"),
                carrier=carrier == "1" if carrier else None,
                mbit_s=int(speed) if speed.isdigit() else 0,
            )
        )
    return tuple(found)


def _text(path: Path) -> str:
    """Empty when it cannot be read: a device that is down has no carrier and no speed."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
