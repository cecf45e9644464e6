"""What the door to the analog ports takes and gives. Plain values."""

from dataclasses import dataclass

from gateway.phones.hook import Heard
from gateway.phones.pulse import Dial, LoopTimes


@dataclass(frozen=True, slots=True)
class PortSetup:
    """How a port is decoded and rung."""

    times: LoopTimes
    dial: Dial
    ring_hz: float


@dataclass(frozen=True, slots=True)
class FromPort:
    """What the user of a port did; None: nothing, look at the clock."""

    port: int
    heard: Heard | None


@dataclass(frozen=True, slots=True)
class CardUp:
    """The wires are ours; ports may be commanded."""


@dataclass(frozen=True, slots=True)
class CardDown:
    """The wires are not ours (any more); all ports are dead. `why` in words, with the remedy."""

    why: str


FromCard = FromPort | CardUp | CardDown
