"""Law: the provider's word on our address counts alone; STUN servers count when two agree, or one agrees
with the provider. No answer is not drift.
"""

from gateway.uplinks.model import Address, ProbeKind

DISPUTE_S = 10.0


class Observed:
    """The address that the far side sees one uplink by, as far as it has told."""

    def __init__(self) -> None:
        self.address: Address | None = None
        self._told: dict[tuple[ProbeKind, str], Address] = {}
        self._by_stun_at: float | None = None
        self._stun_overruled: Address | None = None

    def clear(self) -> None:
        """Another path: what was seen of the old one does not count."""
        self.address = None
        self._told.clear()
        self._by_stun_at = self._stun_overruled = None

    def contradicts(self, expected: Address | None) -> bool:
        """Whether we are seen by another address than `expected`."""
        return expected is not None and self.address is not None and self.address != expected

    def told(self, kind: ProbeKind, target: str, address: Address, now: float) -> bool:
        """Take in one statement. True: STUN servers brought news, so ask the provider for its own word."""
        self._told[kind, target] = address
        if kind == "options":
            # Carriers may show different addresses to different hosts: then STUN is no witness.
            if (
                self._by_stun_at is not None
                and now - self._by_stun_at < DISPUTE_S
                and address != self.address
            ):
                self._stun_overruled = self.address
            self._by_stun_at = None
            self.address = address
            return False
        voices = [seen for (by, name), seen in self._told.items() if (by, name) != (kind, target)]
        if address == self.address or address == self._stun_overruled or address not in voices:
            return False
        self.address, self._by_stun_at = address, now
        return True
