"""Whatever happens, in whatever order: a call keeps its laws."""

from itertools import count

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.calls.call import Call
from gateway.calls.model import (
    Action,
    Answered,
    Begin,
    ConnectPhone,
    DisconnectPhone,
    Ended,
    EndLeg,
    Event,
    Failed,
    HangUp,
    Heard,
    HoldWanted,
    Lifted,
    Log,
    MediaLost,
    MediaUp,
    Moved,
    PathsChanged,
    Progress,
    Rebound,
    Reinvite,
    ReinviteBlocked,
    Reinvited,
    RemoteHeld,
    SetHold,
    StartLeg,
    Tell,
    Timing,
    Ways,
)
from gateway.calls.routing import WORDS, Rests, Route, RouteKind
from gateway.messages import PathState, Server

SERVERS = [Server(address=f"192.0.2.{n}", port=5060, transport="udp") for n in (10, 12)]
UPLINKS = ("main", "backup1", "backup2")
CODES = st.sampled_from([0, 200, 401, 403, 404, 408, 481, 486, 487, 488, 491, 500, 503, 603])

path_states: st.SearchStrategy[PathState | None] = st.sampled_from(["fit", "fit", "leave", "unfit", None])


@st.composite
def any_ways(draw: st.DrawFn) -> Ways:
    states = [(u, s) for u in UPLINKS if (s := draw(path_states)) is not None]
    fit = [u for u, s in states if s == "fit"]
    return Ways(draw(st.sampled_from([*fit, ""])), tuple(states))


legs = st.integers(1, 9)
near_legs = st.one_of(st.just(-1), st.just(-1), st.just(-1), st.just(-2), legs)
"""-1: the newest leg; -2: the one before; else any."""


def events_of(leg: st.SearchStrategy[int]) -> st.SearchStrategy[Event]:
    return st.one_of(
        st.builds(Progress, leg, st.sampled_from([100, 180, 183])),
        st.builds(Answered, leg),
        st.builds(Answered, leg),
        st.builds(Failed, leg, CODES, st.just(""), st.one_of(st.none(), st.just(5.0))),
        st.builds(Ended, leg, CODES),
        st.builds(MediaUp, leg),
        st.builds(MediaLost, leg),
        st.builds(Heard, leg),
        st.builds(Reinvited, leg, CODES),
        st.builds(ReinviteBlocked, leg),
        st.builds(PathsChanged, any_ways()),
        st.builds(PathsChanged, any_ways()),
        st.builds(HoldWanted, st.booleans()),
        st.builds(RemoteHeld, st.booleans()),
        st.sampled_from([Lifted(), Lifted(), Begin()]),
        st.builds(HangUp),
        st.builds(HangUp, st.just(480), st.just("phone_removed")),
        st.builds(Rebound, st.sampled_from(UPLINKS)),
    )


steps = st.lists(
    st.tuples(st.one_of(events_of(near_legs), st.none()), st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.1, 5.0])),
    max_size=40,
)


class World:
    """A call, and what an onlooker knows of it from its actions alone."""

    def __init__(self, call: Call, leg: int | None) -> None:
        self.call = call
        self.open: set[int] = {leg} if leg else set()
        self.ended: set[int] = set()
        self.newest: list[int] = [leg] if leg else []
        self.connected: int | None = None
        self.media: set[int] = set()
        self.logged = False
        self.ordered_s: float | None = None
        self.aim = ""

    def feed(self, event: Event | None, now: float) -> list[Action]:
        event = self._meant(event)
        if isinstance(event, Failed | Ended) and event.leg in self.open:
            self.open.discard(event.leg)
            self.media.discard(event.leg)
        if isinstance(event, MediaUp) and event.leg in self.open:
            self.media.add(event.leg)
        if isinstance(event, MediaLost):
            self.media.discard(event.leg)
        actions = self.call.receive(event, now)
        for action in actions:
            self._see(action, now)
        self._laws(now)
        return actions

    def _meant(self, event: Event | None) -> Event | None:
        place = getattr(event, "leg", None)
        if event is None or place not in (-1, -2):
            return event
        leg = self.newest[place] if len(self.newest) >= -place else 0
        values = {name: getattr(event, name) for name in event.__dataclass_fields__} | {"leg": leg}
        return type(event)(**values)

    def _see(self, action: Action, now: float) -> None:
        assert not self.logged, "nothing comes after Log"
        match action:
            case StartLeg(leg):
                assert leg not in self.open, "numbers of legs are single"
                self.open.add(leg)
                self.newest.append(leg)
            case EndLeg(leg):
                self.ended.add(leg)
            case ConnectPhone(leg):
                assert self.connected in (None, leg), "the phone hears one leg"
                assert leg in self.open
                self.connected = leg
            case DisconnectPhone(leg):
                assert self.connected == leg
                self.connected = None
            case Tell(reason):
                assert reason in WORDS
            case Moved():
                self.ordered_s = None
            case Log(reason=reason):
                assert reason in WORDS
                self.logged = True
            case _:
                pass
        if isinstance(action, Reinvite) or (isinstance(action, SetHold) and action.on):
            self.media.discard(action.leg)
        if isinstance(action, Reinvite):
            self.ordered_s = now if self.ordered_s is None or self.aim != action.uplink else self.ordered_s
            self.aim = action.uplink

    def _laws(self, now: float) -> None:
        call = self.call
        assert call.due is None or call.due >= now
        assert (call.state == "ended") == self.logged
        if call.state == "up":
            assert call.leg in self.open
            assert call.leg not in self.ended
            if call.leg in self.media:
                assert self.connected == (None if call.held else call.leg), "what can be heard is heard"
        if call.state == "ended":
            assert call.due is None
            assert self.connected is None
            assert self.open <= self.ended, "every leg started has ended or was told to"
        if call._move is None or call._move.state == "stranded":
            self.ordered_s = None
        if self.ordered_s is not None:
            assert now - self.ordered_s <= Timing().decide_s, "a move is known within its time"


def run(world: World, script: list[tuple[Event | None, float]]) -> None:
    now = 100.0
    world.feed(Begin(), now)
    for event, pause_s in script:
        until = now + pause_s
        while world.call.due is not None and world.call.due <= until:
            now = world.call.due
            world.feed(None, now)
        now = until
        world.feed(event, now)
    for _ in range(200):
        if world.call.due is None:
            break
        now = world.call.due
        world.feed(None, now)
    else:
        raise AssertionError("the timers never come to rest")
    if not world.logged:
        assert world.call.state == "up", "only a call that is up, or never got its turn, may stay"
        assert not world.call._move
        world.feed(HangUp(), now)
    assert world.logged
    assert world.feed(Answered(1), now + 1) == []


@settings(max_examples=300, deadline=None)
@given(any_ways(), st.sampled_from(["ordinary", "emergency"]), steps, st.floats(0, 0.999))
def test_an_outgoing_call(
    ways: Ways, kind: RouteKind, script: list[tuple[Event | None, float]], random: float
) -> None:
    numbers = count(1)
    route = Route(SERVERS, ways, Rests(), kind)
    run(World(Call.outgoing(route, lambda: next(numbers), lambda: random), None), script)


@settings(max_examples=300, deadline=None)
@given(any_ways(), st.sampled_from(UPLINKS), steps, st.floats(0, 0.999))
@example(Ways("", ()), "main", [(MediaUp(1), 0.0), (Lifted(), 0.0), (Answered(1), 0.0)], 0.0)
def test_an_incoming_call(
    ways: Ways, uplink: str, script: list[tuple[Event | None, float]], random: float
) -> None:
    numbers = count(2)
    run(World(Call.incoming(1, uplink, ways, lambda: next(numbers), lambda: random), 1), script)


@settings(max_examples=200, deadline=None)
@given(steps, st.floats(0, 0.999))
def test_an_outgoing_call_that_was_taken(script: list[tuple[Event | None, float]], random: float) -> None:
    numbers = count(1)
    ways = Ways("main", (("main", "fit"), ("backup1", "fit")))
    route = Route(SERVERS, ways, Rests())
    start: list[tuple[Event | None, float]] = [(Answered(1), 0.1), (MediaUp(1), 0.0), (Heard(1), 1.0)]
    gone = PathsChanged(Ways("backup1", (("main", "leave"), ("backup1", "fit"))))
    world = World(Call.outgoing(route, lambda: next(numbers), lambda: random), None)
    run(world, [*start, (gone, 1.0), *script])
