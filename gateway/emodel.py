"""What a listener would say of a path: loss and delay -> R -> MOS (E-model, ITU-T G.107, narrow band)."""

import math

_R_DEFAULT = 93.2
"""R with every parameter of G.107 Table 3 at its default: no loss, no delay."""
_BPL = 25.1
"""Packet-loss robustness of G.711 with concealment (G.113 Appendix I, Table I.4); its Ie is 0."""
_PACKET_MS = 20.0
_JITTER_DEPTH = 2.0
"""A jitter buffer holds about this many times the mean jitter."""


def r_factor(loss: float, delay_ms: float) -> float:
    """R (0..93.2) for random one-way packet loss (fraction of 1) and mouth-to-ear delay, without echo.

    Delay: Idd of G.107 §3.5 eq. (3-27); loss: Ie,eff of eq. (3-29) with BurstR = 1.
    """
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    equipment = 95.0 * percent / (percent + _BPL)
    delay = 0.0
    if delay_ms > 100.0:
        x = math.log2(delay_ms / 100.0)
        delay = 25.0 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return max(0.0, _R_DEFAULT - delay - equipment)


def mos_of(r: float) -> float:
    """Mean opinion score 1.0..4.5 for R (G.107 Annex B, eq. (B-4))."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def mos(loss: float, jitter_ms: float, rtt_ms: float) -> float:
    """MOS of a G.711 call: one-way loss (fraction of 1), mean jitter, round trip of the network."""
    return mos_of(r_factor(loss, rtt_ms / 2 + _JITTER_DEPTH * jitter_ms + _PACKET_MS))
