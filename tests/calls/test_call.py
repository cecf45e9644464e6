"""One call, told as a script: what happens, and what is done about it."""

from collections.abc import Callable
from itertools import count

import pytest

from gateway.calls.call import Call
from gateway.calls.model import (
    Abandon,
    Action,
    Answered,
    AnswerLeg,
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
    MediaMissing,
    MediaUp,
    Moved,
    PathsChanged,
    Progress,
    Rebound,
    Reinvite,
    ReinviteBlocked,
    Reinvited,
    RemoteHeld,
    Ring,
    Ringback,
    SetHold,
    StartLeg,
    Tell,
    Unauthorised,
    Ways,
)
from gateway.calls.routing import Rests, Route, RouteKind
from gateway.messages import PathState, Server

ONE = Server(address="192.0.2.10", port=5060, transport="udp")
TWO = Server(address="192.0.2.12", port=5060, transport="udp")


def ways(active: str, main: PathState = "fit", backup: PathState = "fit", third: PathState = "fit") -> Ways:
    return Ways(active, (("main", main), ("backup1", backup), ("backup2", third)))


BOTH = ways("main")
MAIN_DEAD = PathsChanged(ways("backup1", main="leave"))
MAIN_AND_BACKUP1_DEAD = PathsChanged(ways("backup2", main="leave", backup="leave"))
ALL_DEAD = PathsChanged(ways("", "leave", "leave", "leave"))
ALL_WELL = PathsChanged(BOTH)


class Script:
    """Feeds a call and keeps the clock; timers run as they fall due."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.now = 100.0

    def __call__(self, event: Event) -> list[Action]:
        return self.call.receive(event, self.now)

    def after(self, pause_s: float) -> list[Action]:
        """What is done while time passes and nothing happens."""
        until, done = self.now + pause_s, []
        while self.call.due is not None and self.call.due <= until:
            self.now = self.call.due
            done += self.call.receive(None, self.now)
        self.now = until
        return done


def outgoing(kind: RouteKind = "ordinary", servers: tuple[Server, ...] = (ONE,)) -> Script:
    numbers = count(1)
    route = Route(servers, BOTH, Rests(), kind)
    return Script(Call.outgoing(route, lambda: next(numbers), lambda: 0.5))


def talking() -> Script:
    script = outgoing()
    assert script(Begin()) == [StartLeg(1, "main", ONE)]
    assert script(Answered(1)) == []
    assert script(MediaUp(1)) == [ConnectPhone(1)]
    script.after(10.0)
    script(Heard(1))
    return script


def incoming() -> Script:
    numbers = count(2)
    return Script(Call.incoming(1, "main", BOTH, lambda: next(numbers), lambda: 0.5))


def answered() -> Script:
    script = incoming()
    assert script(Begin()) == [Ring(True)]
    assert script(Lifted()) == [Ring(False), AnswerLeg(1)]
    assert script(MediaUp(1)) == [ConnectPhone(1)]
    assert script(Answered(1)) == []
    script.after(10.0)
    script(Heard(1))
    return script


def log_of(actions: list[Action]) -> Log:
    assert isinstance(actions[-1], Log)
    return actions[-1]


# --- making a call --------------------------------------------------------------------------------


def test_a_call_from_dialling_to_hanging_up() -> None:
    script = outgoing()
    assert script(Begin()) == [StartLeg(1, "main", ONE)]
    assert script.call.shown_state == "dialling"
    assert script(Progress(1, 100)) == []
    assert script(Progress(1, 180)) == [Ringback(True)]
    assert script(Answered(1)) == [Ringback(False)]
    assert script(MediaUp(1)) == [ConnectPhone(1)]
    assert script.call.shown_state == "up"
    actions = script(HangUp())
    assert actions[:-1] == [DisconnectPhone(1), EndLeg(1, "main")]
    assert (log_of(actions).reason, log_of(actions).answered_s) == ("hung_up", 100.0)


def test_early_media_silences_our_own_ringback() -> None:
    script = outgoing()
    script(Begin())
    assert script(Progress(1, 180)) == [Ringback(True)]
    assert script(MediaUp(1)) == [Ringback(False), ConnectPhone(1)]
    assert script(Answered(1)) == []


def test_no_answer_from_the_provider_is_tried_elsewhere_after_four_seconds() -> None:
    script = outgoing()
    script(Begin())
    assert script.after(3.9) == []
    assert script.after(0.2) == [EndLeg(1, "main"), StartLeg(2, "backup1", ONE)]
    script(Progress(2, 100))
    assert script.after(60.0) == []


def test_busy_is_told_and_logged() -> None:
    script = outgoing()
    script(Begin())
    actions = script(Failed(1, 486))
    assert actions[0] == Tell("busy")
    log = log_of(actions)
    assert (log.code, log.reason, log.attempts) == (486, "busy", ("main 192.0.2.10:5060: 486",))


def test_an_address_that_lost_its_confirmation_raises_an_alarm() -> None:
    script = outgoing()
    script(Begin())
    assert script(Failed(1, 403)) == [StartLeg(2, "backup1", ONE)]
    assert script(Answered(2)) == [Unauthorised("main", 403)]


def test_nobody_answers_for_ever() -> None:
    script = outgoing()
    script(Begin())
    script(Progress(1, 180))
    assert log_of(script.after(181.0)).reason == "no_answer"


# --- leaving an uplink before the call is up ------------------------------------------------------


def test_a_ringing_call_is_dialled_by_the_new_uplink_while_the_caller_hears_ringback() -> None:
    script = outgoing()
    script(Begin())
    script(Progress(1, 183))
    script(MediaUp(1))
    assert script(MAIN_DEAD) == [
        DisconnectPhone(1),
        EndLeg(1, "backup1"),
        Ringback(True),
        StartLeg(2, "backup1", ONE),
    ]
    assert script(Answered(1)) == [EndLeg(1, "backup1")]
    assert script.call.leg == 2
    assert script(Ended(1, 487)) == []
    assert script(Answered(2)) == [Ringback(False)]
    assert script.call.uplink == "backup1"


def test_a_call_that_rings_with_every_channel_down_is_ended_with_a_reason() -> None:
    script = outgoing()
    script(Begin())
    script(Progress(1, 180))
    assert script(ALL_DEAD) == []
    assert log_of(script.after(4.1)).reason == "all_down"


def test_a_channel_that_comes_back_in_time_saves_the_ringing_call() -> None:
    script = outgoing()
    script(Begin())
    script(Progress(1, 180))
    script(ALL_DEAD)
    script.after(2.0)
    assert script(ALL_WELL) == []
    assert script.after(10.0) == []
    assert script(Answered(1)) == [Ringback(False)]


# --- moving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [talking, answered])
def test_a_running_call_moves_by_reinvite(make: Callable[[], Script]) -> None:
    script = make()
    assert script(MAIN_DEAD) == [Reinvite(1, "backup1", False)]
    assert script.call.shown_state == "moving"
    script.after(0.05)
    assert script(Reinvited(1, 200)) == [Moved("main", "backup1", "reinvite", 50)]
    assert script(MediaUp(1)) == [ConnectPhone(1)]
    assert (script.call.uplink, script.call.moves, script.call.shown_state) == ("backup1", 1, "up")


@pytest.mark.parametrize("make", [talking, answered])
def test_a_vanished_uplink_is_left_too(make: Callable[[], Script]) -> None:
    gone = PathsChanged(Ways("backup1", (("backup1", "fit"),)))
    assert make()(gone) == [Reinvite(1, "backup1", False)]


@pytest.mark.parametrize("make", [talking, answered])
def test_an_uplink_with_another_address_tells_its_calls_so(make: Callable[[], Script]) -> None:
    script = make()
    assert script(Rebound("backup1")) == []
    assert Reinvite(1, "main", False) in script(Rebound("main"))
    assert script(Reinvited(1, 200)) == [], "it has not moved: nothing is told"
    assert (script.call.uplink, script.call.moves, script.call.shown_state) == ("main", 0, "up")


def test_a_call_on_a_new_address_that_is_not_confirmed_goes_elsewhere() -> None:
    script = talking()
    script(PathsChanged(ways("backup1", main="unfit")))
    assert Reinvite(1, "backup1", False) in script(Rebound("main"))


def test_a_call_that_rings_is_placed_again_from_the_new_address() -> None:
    script = outgoing()
    script(Begin())
    script(Progress(1, 180))
    actions = script(Rebound("main"))
    assert EndLeg(1, "main") in actions and StartLeg(2, "main", ONE) in actions


def test_a_phone_that_is_taken_away_is_the_reason() -> None:
    assert log_of(talking()(HangUp(reason="phone_removed"))).reason == "phone_removed"
    assert log_of(incoming()(HangUp(480, "phone_removed"))).code == 480


def test_failback_moves_nothing() -> None:
    script = talking()
    assert script(PathsChanged(ways("backup1"))) == []
    assert script(PathsChanged(ways("backup1", main="unfit"))) == []
    assert script(ALL_WELL) == []


def test_a_blocked_reinvite_abandons_what_blocks_it_and_then_replaces() -> None:
    script = talking()
    script(MAIN_DEAD)
    assert script(ReinviteBlocked(1)) == [Abandon(1), Reinvite(1, "backup1", False)]
    assert script(ReinviteBlocked(1)) == [StartLeg(2, "backup1", ONE, replaces=1)]


@pytest.mark.parametrize("code", [403, 408, 488, 500, 503])
def test_a_refused_reinvite_is_replaced_at_once(code: int) -> None:
    script = talking()
    script(MAIN_DEAD)
    assert script(Reinvited(1, code)) == [StartLeg(2, "backup1", ONE, replaces=1)]
    script.after(0.1)
    assert script(MediaLost(1)) == [DisconnectPhone(1)]
    assert script(MediaUp(2)) == []
    assert script(Answered(2)) == [
        EndLeg(1, "backup1"),
        Moved("main", "backup1", "replaces", 100),
        ConnectPhone(2),
    ]
    assert script(Ended(1)) == []
    assert script.call.shown_state == "up"


def test_an_unanswered_reinvite_is_replaced_then_dialled_anew_within_four_seconds() -> None:
    script = talking()
    script(MAIN_DEAD)
    assert script.after(1.99) == []
    assert script.after(0.02) == [StartLeg(2, "backup1", ONE, replaces=1)]
    done = script.after(1.99)
    assert Tell("calling_again") in done
    assert done[-1] == StartLeg(3, "backup1", ONE)
    assert {a.leg for a in done if isinstance(a, EndLeg)} == {1, 2}
    assert script.call.shown_state == "dialling"
    assert script(Progress(3, 180)) == [Ringback(True)]
    script.after(2.0)
    assert script(Answered(3)) == [Ringback(False), Moved("main", "backup1", "redial", 6000)]
    assert script(MediaUp(3)) == [ConnectPhone(3)]


def test_a_dialog_that_the_far_end_does_not_know_is_dialled_anew() -> None:
    script = talking()
    script(MAIN_DEAD)
    done = script(Reinvited(1, 481))
    assert done[-2:] == [Tell("calling_again"), StartLeg(2, "backup1", ONE)]


def test_an_engine_that_ends_the_dialog_itself_after_481_gives_the_same() -> None:
    script = talking()
    script(MAIN_DEAD)
    done = script(Ended(1, 481))
    assert done[-2:] == [Tell("calling_again"), StartLeg(2, "backup1", ONE)]


def test_a_replaces_that_rings_is_a_redial_already() -> None:
    script = talking()
    script(MAIN_DEAD)
    script(Reinvited(1, 403))
    done = script(Progress(2, 180))
    assert EndLeg(1, "backup1") in done
    assert done[-2:] == [Tell("calling_again"), Ringback(True)]
    assert script.after(30.0) == []
    assert script(Answered(2))[-1] == Moved("main", "backup1", "redial", 30_000)


def test_glare_waits_and_tries_once_more() -> None:
    script = talking()
    script(MAIN_DEAD)
    assert script(Reinvited(1, 491)) == []
    assert script.after(2.09) == []
    assert script.after(0.3) == [Reinvite(1, "backup1", False)]
    assert script(Reinvited(1, 491)) == [StartLeg(2, "backup1", ONE, replaces=1)]


def test_glare_that_comes_late_leaves_no_time_to_wait() -> None:
    script = talking()
    script(MAIN_DEAD)
    script.after(0.6)
    assert script(Reinvited(1, 491)) == [StartLeg(2, "backup1", ONE, replaces=1)]


def test_a_late_answer_to_the_reinvite_is_welcome_while_replacing() -> None:
    script = talking()
    script(MAIN_DEAD)
    script.after(2.1)
    assert script(Reinvited(1, 200)) == [EndLeg(2, "backup1"), Moved("main", "backup1", "reinvite", 2100)]


def test_a_late_answer_of_a_dialog_that_is_gone_is_not() -> None:
    script = talking()
    script(MAIN_DEAD)
    script.after(2.1)
    script(Ended(1, 200))
    assert script(Reinvited(1, 200)) == []
    assert script(Answered(2)) == [Moved("main", "backup1", "replaces", 2100)]


def test_glare_of_an_incoming_call_waits_less() -> None:
    script = answered()
    script(MAIN_DEAD)
    assert script(Reinvited(1, 491)) == []
    assert script.after(1.0) == [Reinvite(1, "backup1", False)]


def test_an_incoming_call_that_cannot_move_ends_with_a_reason() -> None:
    script = answered()
    script(MAIN_DEAD)
    done = script(Reinvited(1, 403))
    assert Tell("lost") in done
    assert EndLeg(1, "backup1") in done
    assert log_of(done).reason == "lost"


def test_another_active_uplink_in_the_middle_is_aimed_at() -> None:
    script = talking()
    script(MAIN_DEAD)
    script.after(1.0)
    assert script(MAIN_AND_BACKUP1_DEAD) == [Abandon(1), Reinvite(1, "backup2", False)]
    script.after(0.05)
    assert script(Reinvited(1, 200))[0] == Moved("main", "backup2", "reinvite", 1050)


def test_another_active_uplink_while_replacing_drops_the_new_leg() -> None:
    script = talking()
    script(MAIN_DEAD)
    script(Reinvited(1, 403))
    assert script(MAIN_AND_BACKUP1_DEAD) == [EndLeg(2, "backup1"), Reinvite(1, "backup2", False)]


def test_with_every_channel_down_a_call_waits_and_goes_on() -> None:
    script = talking()
    assert script(ALL_DEAD) == [Tell("please_wait")]
    script.after(6.0)
    assert script(ALL_WELL) == []
    assert script.call.shown_state == "up"


def test_with_every_channel_down_a_call_moves_to_the_first_that_comes_back() -> None:
    script = talking()
    script(ALL_DEAD)
    script.after(6.0)
    assert script(MAIN_DEAD) == [Reinvite(1, "backup1", False)]


def test_with_every_channel_down_for_long_a_call_ends_with_a_reason() -> None:
    script = talking()
    script(ALL_DEAD)
    assert log_of(script.after(15.1)).reason == "lost_all_down"


# --- hold, media, late words ----------------------------------------------------------------------


def test_a_held_call_moves_and_stays_held() -> None:
    script = talking()
    assert script(HoldWanted(True)) == [DisconnectPhone(1), SetHold(1, True)]
    assert script.call.shown_state == "held"
    assert script(MAIN_DEAD) == [Reinvite(1, "backup1", True)]
    assert script(Reinvited(1, 200)) == [Moved("main", "backup1", "reinvite", 0)]
    assert script(HoldWanted(False)) == [SetHold(1, False)]
    assert script(MediaUp(1)) == [ConnectPhone(1)]


def test_hold_during_a_move_is_said_after_it() -> None:
    script = talking()
    script(MAIN_DEAD)
    assert script(HoldWanted(True)) == [DisconnectPhone(1)]
    assert script(Reinvited(1, 200)) == [Moved("main", "backup1", "reinvite", 0), SetHold(1, True)]


def test_a_held_call_that_is_replaced_is_put_on_hold_again() -> None:
    script = talking()
    script(HoldWanted(True))
    script(MAIN_DEAD)
    script(Reinvited(1, 403))
    assert script(Answered(2))[-1] == SetHold(2, True)


def test_a_held_call_that_is_dialled_anew_is_put_on_hold_again() -> None:
    script = talking()
    script(HoldWanted(True))
    script(MAIN_DEAD)
    script(Reinvited(1, 481))
    assert script(Answered(2))[-1] == SetHold(2, True)


def test_repair_stays_on_its_uplink_though_another_is_active() -> None:
    script = talking()
    script(PathsChanged(ways("backup1")))
    script(MediaLost(1))
    assert script(PathsChanged(ways("backup1", third="unfit"))) == []
    assert script(MAIN_DEAD) == [Abandon(1), Reinvite(1, "backup1", False)]


def test_media_that_is_lost_is_made_anew_then_dialled_anew() -> None:
    script = talking()
    assert script(MediaLost(1)) == [DisconnectPhone(1), Reinvite(1, "main", False)]
    assert script(Reinvited(1, 200)) == []
    assert script(MediaUp(1)) == [ConnectPhone(1)]
    done = script(MediaLost(1))
    assert done[-1] == StartLeg(2, "main", ONE)


def test_a_move_without_audio_is_reported_once() -> None:
    script = talking()
    script(MAIN_DEAD)
    script(Reinvited(1, 200))
    assert script.after(10.0) == [MediaMissing(1, "backup1")]


def test_audio_after_a_move_is_no_news() -> None:
    script = talking()
    script(MAIN_DEAD)
    script(Reinvited(1, 200))
    script(Heard(1))
    assert script.after(10.0) == []


def test_a_far_end_that_was_silent_before_is_not_missed() -> None:
    script = talking()
    script.after(10.0)
    script(MAIN_DEAD)
    script(Reinvited(1, 200))
    assert script.after(10.0) == []


@pytest.mark.parametrize("moment", ["steady", "moving", "replacing", "stranded"])
def test_a_far_end_that_hangs_up_is_believed_at_any_moment(moment: str) -> None:
    script = talking()
    if moment == "stranded":
        script(ALL_DEAD)
    elif moment != "steady":
        script(MAIN_DEAD)
    if moment == "replacing":
        script(Reinvited(1, 403))
        assert script(Ended(1, 200)) == [DisconnectPhone(1)]
        done = script(Failed(2, 481))
    else:
        done = script(Ended(1, 200))
    assert log_of(done).reason == "far_hung_up"


def test_a_dialog_that_dies_of_an_old_transaction_is_dialled_anew() -> None:
    script = talking()
    script(MAIN_DEAD)
    script(Reinvited(1, 200))
    script.after(32.0)
    done = script(Ended(1, 408))
    assert done[-2:] == [Tell("calling_again"), StartLeg(2, "backup1", ONE)]


def test_a_dialog_that_dies_without_a_move_is_not_dialled_anew() -> None:
    script = talking()
    assert log_of(script(Ended(1, 408))).reason == "lost"


def test_a_number_is_not_dialled_anew_for_ever() -> None:
    script = talking()
    for leg, (active, dead) in enumerate((("backup1", "main"), ("main", "backup1"), ("backup1", "main")), 1):
        states: tuple[tuple[str, PathState], ...] = ((active, "fit"), (dead, "leave"))
        script(PathsChanged(Ways(active, states)))
        assert script(Reinvited(leg, 481))[-1] == StartLeg(leg + 1, active, ONE)
        script(Answered(leg + 1))
    script(PathsChanged(Ways("main", (("main", "fit"), ("backup1", "leave")))))
    assert log_of(script(Reinvited(4, 481))).reason == "lost"


def test_a_far_end_that_holds_us_is_not_missed_after_a_move() -> None:
    script = talking()
    script(RemoteHeld(True))
    assert script.call.shown_state == "held"
    script(MAIN_DEAD)
    script(Reinvited(1, 200))
    assert script.after(10.0) == []


# --- taking a call --------------------------------------------------------------------------------


def test_a_caller_who_gives_up_stops_the_ringing() -> None:
    script = incoming()
    script(Begin())
    done = script(Ended(1, 487))
    assert Ring(False) in done
    assert log_of(done).reason == "cancelled"


def test_refusing_a_call() -> None:
    script = incoming()
    script(Begin())
    assert EndLeg(1, "main", 486) in script(HangUp())


def test_a_ringing_call_rings_on_when_its_uplink_dies_and_moves_once_it_is_up() -> None:
    script = incoming()
    script(Begin())
    assert script(MAIN_DEAD) == []
    assert script(Lifted()) == [Ring(False), AnswerLeg(1)]
    script.after(0.5)
    assert script(Answered(1)) == [Reinvite(1, "backup1", False)]


def test_a_ringing_call_whose_uplink_stays_dead_stops_ringing() -> None:
    script = incoming()
    script(Begin())
    script(MAIN_DEAD)
    done = script.after(15.1)
    assert done[0] == Ring(False)
    assert EndLeg(1, "backup1", 480) in done


def test_an_answer_that_nobody_acknowledges_ends_with_a_reason() -> None:
    script = incoming()
    script(Begin())
    script(Lifted())
    assert log_of(script.after(4.1)).reason == "lost"


# --- emergency ------------------------------------------------------------------------------------


def test_an_emergency_call_goes_round_every_uplink_and_server() -> None:
    script = outgoing("emergency", (ONE, TWO))
    started = script(Begin())
    for leg, code in enumerate((486, 403, 503, 404, 603), start=1):
        started += script(Failed(leg, code))
    ways = [(a.uplink, a.server) for a in started if isinstance(a, StartLeg)]
    assert sorted(ways, key=repr) == sorted(
        [(uplink, server) for server in (ONE, TWO) for uplink in ("main", "backup1", "backup2")], key=repr
    )
    assert ways[0] == ("main", ONE)
    assert len({ways[0][0], ways[1][0]}) == len({ways[0][1], ways[1][1]}) == 2, "neither may be the dead one"
    assert log_of(script(Failed(6, 503))).reason == "provider_busy"


SIX = Server(address="2001:db8:f::10", port=5060, transport="udp")
MIXED = (("main", 6), ("backup1", 4), ("backup2", 6))


def mixed(active: str, main: PathState = "fit") -> Ways:
    return Ways(active, ways(active, main).states, MIXED)


def test_a_call_that_must_change_its_ip_version_is_replaced_without_a_reinvite() -> None:
    numbers = count(1)
    route = Route((ONE, SIX), mixed("main"), Rests())
    script = Script(Call.outgoing(route, lambda: next(numbers), lambda: 0.5))
    assert script(Begin()) == [StartLeg(1, "main", SIX)]
    script(Answered(1))
    assert script(PathsChanged(mixed("backup1", "leave"))) == [StartLeg(2, "backup1", ONE, replaces=1)]
    assert Moved("main", "backup1", "replaces", 0) in script(Answered(2))
    assert script(PathsChanged(Ways("main", (("main", "fit"), ("backup1", "leave")), MIXED))) == [
        StartLeg(3, "main", SIX, replaces=2)
    ], "and back, by the server of that version"


def test_an_incoming_call_that_would_have_to_change_its_ip_version_is_ended_with_a_reason() -> None:
    numbers = count(2)
    script = Script(Call.incoming(1, "main", mixed("main"), lambda: next(numbers), lambda: 0.5))
    script(Begin())
    script(Lifted())
    script(Answered(1))
    done = script(PathsChanged(mixed("backup1", "leave")))
    assert Tell("lost") in done and not any(isinstance(a, Reinvite) for a in done)
    assert script.call.state == "ended"


def test_a_call_moves_by_reinvite_between_uplinks_of_one_ip_version() -> None:
    numbers = count(1)
    route = Route((SIX,), mixed("main"), Rests())
    script = Script(Call.outgoing(route, lambda: next(numbers), lambda: 0.5))
    script(Begin())
    script(Answered(1))
    assert script(PathsChanged(mixed("backup2", "leave"))) == [Reinvite(1, "backup2", False)]


def test_call_for_help_that_is_taken_in_and_forgotten_goes_another_way() -> None:
    script = outgoing("emergency", (ONE, TWO))
    script(Begin())
    script(Progress(1, 100))
    assert script.after(14.9) == []
    assert StartLeg(2, "backup1", TWO) in script.after(0.2)
    script(Progress(2, 100))
    script(Progress(2, 180))
    assert script.after(60.0) == [], "one that rings is left to ring"
