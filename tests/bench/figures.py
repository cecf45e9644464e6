"""A figure is what was measured, its limit, and what others reach, with the source. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Judged = Literal["p50", "p95", "worst", "least"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """What another system does in the same place, and where that can be read (repository@commit path)."""

    says: str
    source: str


MWAN3: Final = Anchor(
    "mwan3 120-130 s",
    "openwrt/packages@0521bb5 net/mwan3/files/usr/sbin/mwan3track, net/mwan3/files/etc/config/mwan3",
)
OPNSENSE: Final = Anchor(
    "OPNsense 16-18 s", "opnsense/core@f95e815 src/opnsense/scripts/routes/gateway_watcher.php"
)
DPINGER: Final = Anchor("dpinger, tuned, 0.48-0.58 s", "dennypage/dpinger@bc0cfd2 dpinger.c")
ASTERISK: Final = Anchor(
    "Asterisk: call lost", "asterisk/asterisk@f0c1c1a7b7 res/res_pjsip_outbound_registration.c"
)
"""Nothing else there hears of a change of address: no call is offered again from the new one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`values`: one for each run, in `unit`. `limit` binds what `judged` names; None: it is only told.

    `note`: how it was measured where that differs from what the limit asks, such as a shorter time.
    """

    name: str
    unit: str
    values: Sequence[float]
    limit: float | None
    judged: Judged = "p95"
    anchors: tuple[Anchor, ...] = ()
    note: str = ""
    steps: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        return percentile(self.values, 50)

    @property
    def p95(self) -> float:
        return percentile(self.values, 95)

    @property
    def met(self) -> bool:
        """Whether the limit holds; a figure without a single value is not met."""
        if not self.values:
            return False
        if self.limit is None:
            return True
        match self.judged:
            case "p50":
                return self.p50 <= self.limit
            case "p95":
                return self.p95 <= self.limit
            case "worst":
                return max(self.values) <= self.limit
            case "least":
                return min(self.values) >= self.limit


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank: always a value that was measured; NaN without any."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
