"""The bell of a phone that has only on and off: when it sounds in a cadence, and when that changes next."""

from gateway.phones.model import RingCadence


class Ringer:
    """Silent at first. Seconds are monotonic."""

    def __init__(self) -> None:
        self._periods_ms: tuple[int, ...] = ()
        self._since_s = 0.0
        self.due: float | None = None
        """When `sounds` will say something else."""

    @property
    def ringing(self) -> bool:
        """True from `start` to `stop`, in the pauses too."""
        return bool(self._periods_ms)

    def start(self, cadence: RingCadence, now: float) -> None:
        """Ring from now on. A cadence without a pause is one long ring."""
        self._periods_ms, self._since_s = cadence.periods_ms or (1,), now

    def stop(self) -> None:
        """No more."""
        self._periods_ms, self.due = (), None

    def sounds(self, now: float) -> bool:
        """Whether the bell sounds at this moment; sets `due`."""
        self.due = None
        if not any(self._periods_ms[1::2]):
            return self.ringing
        since_ms = round((now - self._since_s) * 1000)
        end_ms = since_ms - since_ms % sum(self._periods_ms)
        for place, period_ms in enumerate(self._periods_ms):
            end_ms += period_ms
            if since_ms < end_ms:
                self.due = self._since_s + end_ms / 1000
                return place % 2 == 0
        return False
