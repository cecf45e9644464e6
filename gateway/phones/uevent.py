"""Door: the kernel's announcements of hardware (NETLINK_KOBJECT_UEVENT), and udev's after its rules have run.

They are taken for a hint that something came or went, never for what: sysfs says that. So a lie in one costs
a look at sysfs, and one that is lost costs the wait for the next look.
"""

import errno
import socket
from typing import Final

_PROTOCOL: Final = 15
_KERNEL, _UDEV = 1, 2
"""Groups. udev's message comes once the access rights of the new file are set."""
_SUBSYSTEMS: Final = (b"hidraw", b"input", b"sound", b"usb")


class Uevents:
    """Raises OSError where the family of sockets is forbidden."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _PROTOCOL)
        try:
            self._socket.bind((0, _KERNEL | _UDEV))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Readable when something was announced."""
        return self._socket.fileno()

    def heard(self) -> bool:
        """Take all that was announced; True if a phone could have come or gone."""
        relevant = False
        while True:
            try:
                message = self._socket.recv(65536)
            except BlockingIOError:
                return relevant
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                relevant = True  # some were lost
                continue
            relevant |= any(b"SUBSYSTEM=" + name + b"\0" in message for name in _SUBSYSTEMS)

    def close(self) -> None:
        """No more announcements."""
        self._socket.close()
