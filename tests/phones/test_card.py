"""A port's table: ring mode is high within a burst and at no other time."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.phones.card import LONGEST_MS, Burst, Command, Drive, Output, Port, Power, Reverse, Stop, Swing
from gateway.phones.hook import Edge
from gateway.phones.model import OffHook
from gateway.phones.pulse import LoopTimes


class Bench:
    """A port whose deadlines are kept, and its wires with times."""

    def __init__(self, hz: float = 25.0, *, pwm: bool = False, late_s: float = 0.0) -> None:
        self.port = Port(LoopTimes(), "normal", hz, pwm=pwm)
        self.now = 100.0
        self.late_s = late_s
        self.wires: dict[str, bool] = {}
        self.hz = 0.0
        self.log: list[tuple[float, Output]] = []
        self._take(self.port.start(), self.now)

    def _take(self, outputs: list[Output], at_s: float) -> None:
        for output in outputs:
            self.log.append((at_s, output))
            if isinstance(output, Drive):
                self.wires[output.wire] = output.high
            elif isinstance(output, Swing):
                self.hz = output.hz
        assert self.wires["rm"] == self.port.rings
        assert self.port.rings or (self.hz == 0)

    def do(self, command: Command) -> None:
        self._take(self.port.receive(command, self.now), self.now)

    def edge(self, closed: bool) -> None:
        self._take(self.port.receive(Edge(closed, self.now), self.now), self.now)

    def wait(self, s: float) -> None:
        end = self.now + s
        while (due := self.port.due) is not None and due + self.late_s <= end:
            self.now = max(self.now, due + self.late_s)
            self._take(self.port.receive(None, self.now), self.now)
            assert self.port.due is None or self.port.due > due
        self.now = end

    def high(self, wire: str) -> bool:
        return self.wires[wire]

    def times(self, output: Output) -> list[float]:
        return [at for at, seen in self.log if seen == output]


@pytest.mark.parametrize("hz", [16.0, 20.0, 25.0, 50.0])
def test_a_burst_swings_in_half_periods_and_ends_where_it_began(hz: float) -> None:
    bench = Bench(hz)
    bench.do(Burst(1000))
    bench.wait(3)
    high, low = bench.times(Drive("rm", True)), bench.times(Drive("rm", False))
    assert high == [100.0]
    assert low[1:] == [pytest.approx(101.0, abs=1 / hz)]
    turns = [at for at, seen in bench.log if isinstance(seen, Drive) and seen.wire == "fr"][1:]
    assert len(turns) == pytest.approx(2 * hz, abs=1)
    assert [b - a for a, b in itertools.pairwise(turns)] == [pytest.approx(0.5 / hz)] * (len(turns) - 1)
    assert bench.wires == {"rm": False, "fr": True, "pd": False}


def test_a_late_turn_keeps_the_phase() -> None:
    bench = Bench(25.0, late_s=0.013)
    bench.do(Burst(1000))
    bench.wait(2)
    turns = [at for at, seen in bench.log if isinstance(seen, Drive) and seen.wire == "fr"][1:-1]
    assert turns == [pytest.approx(100 + n * 0.02 + 0.013) for n in range(1, len(turns) + 1)]


def test_hardware_swings_by_itself() -> None:
    bench = Bench(20.0, pwm=True)
    bench.do(Burst(2000))
    bench.wait(1)
    assert (bench.hz, bench.high("rm")) == (20.0, True)
    assert [seen for _, seen in bench.log[3:]] == [Drive("rm", True), Swing(20.0)]
    bench.wait(2)
    assert [seen for _, seen in bench.log[5:]] == [Drive("rm", False), Swing(0.0), Drive("fr", True)]


def test_ring_mode_falls_before_anything_else() -> None:
    bench = Bench()
    bench.do(Burst(2000))
    bench.wait(0.3)
    bench.do(Stop())
    last = [seen for _, seen in bench.log][-2:]
    assert last == [Drive("rm", False), Drive("fr", True)]


def test_lifted_in_a_burst_within_150_ms() -> None:
    for after in (0.05, 0.31, 0.999, 1.98):
        bench = Bench(20.0)
        bench.do(Burst(2000))
        bench.wait(after)
        lifted = bench.now
        bench.edge(True)
        bench.wait(0.2)
        assert isinstance(bench.log[-1][1], OffHook)
        assert bench.times(Drive("rm", False))[-1] - lifted <= 0.15
        bench.do(Burst(2000))
        bench.wait(1)
        assert not bench.high("rm")


def test_reversed_wires_ring_too_and_stay_reversed() -> None:
    bench = Bench()
    bench.do(Reverse(True))
    assert not bench.high("fr")
    bench.do(Burst(500))
    bench.wait(0.03)
    assert bench.high("fr")
    bench.wait(1)
    assert not bench.high("fr")
    bench.do(Reverse(False))
    assert bench.high("fr")


def test_a_burst_is_made_longer_without_a_break_and_never_too_long() -> None:
    bench = Bench()
    bench.do(Burst(1000))
    bench.wait(0.9)
    bench.do(Burst(1000))
    bench.wait(0.5)
    assert bench.high("rm")
    assert len(bench.times(Drive("rm", True))) == 1
    bench.wait(1)
    assert not bench.high("rm")
    bench.do(Burst(60_000))
    bench.wait(LONGEST_MS / 1000 + 0.1)
    assert not bench.high("rm")


def test_power_down_stops_the_bell() -> None:
    bench = Bench()
    bench.do(Burst(2000))
    bench.wait(0.1)
    bench.do(Power(False))
    assert bench.wires == {"rm": False, "fr": True, "pd": True}
    bench.do(Power(True))
    assert not bench.high("pd")


COMMAND = st.one_of(
    st.builds(Burst, st.integers(-10, 20_000)),
    st.builds(Stop),
    st.builds(Reverse, st.booleans()),
    st.builds(Power, st.booleans()),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(COMMAND, st.floats(0, 3)), max_size=30),
    st.sampled_from([16.0, 20.0, 25.0, 50.0]),
    st.booleans(),
    st.floats(0, 0.05),
)
def test_any_orders_leave_no_bell_ringing(
    steps: list[tuple[Command | bool, float]], hz: float, pwm: bool, late_s: float
) -> None:
    """`Bench` asserts after each step that RM is high exactly while a burst runs."""
    bench = Bench(hz, pwm=pwm, late_s=late_s)
    last_s = -math.inf
    for step, wait_s in steps:
        if isinstance(step, bool):
            bench.edge(step)
        else:
            bench.do(step)
            if isinstance(step, Burst):
                last_s = bench.now
        bench.wait(wait_s)
        assert not bench.high("rm") or bench.now <= last_s + LONGEST_MS / 1000 + 1 / hz + late_s
    bench.wait(LONGEST_MS / 1000 + 0.2)
    assert not bench.high("rm")
