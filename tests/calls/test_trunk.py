"""The calls loop with an engine that only notes what it is told: the words of every room meet here."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from gateway import messages as m
from gateway.calls.ears import Ears
from gateway.calls.fraud import Kept
from gateway.calls.reach import BIND_AGAIN_S, KEEP_ALIVE_S
from gateway.calls.sip import values as v
from gateway.calls.tally import Tally
from gateway.calls.trunk import OPEN_WITHIN_S, Trunk
from gateway.errors import RefusedError
from gateway.phones.desk import Desk
from gateway.phones.sounds import Sounds

C = TypeVar("C")
SERVER = m.Server(address="192.0.2.10", port=5060, transport="udp")
SECOND = m.Server(address="192.0.2.12", port=5060, transport="udp")


@dataclass
class FakeEngine:
    """Takes commands and does nothing; `sent` gives those of one kind."""

    commands: list[v.Command] = field(default_factory=list)

    def do(self, command: v.Command) -> None:
        self.commands.append(command)

    def sent(self, kind: type[C]) -> list[C]:
        return [command for command in self.commands if isinstance(command, kind)]


class House:
    """A trunk with its engine, its phones, its daemon and its clock."""

    def __init__(self, tmp_path: Path, book: "Shelf | None" = None) -> None:
        self.now = 1000.0
        self.engine = FakeEngine()
        self.told: list[m.FromCalls] = []
        plans = (
            m.PhonePlan(name="desk", kind="virtual"),
            m.PhonePlan(name="shop", kind="virtual", auto_answer=True),
        )
        self.plan = m.TrunkPlan(
            domain="sip.provider.test",
            servers=(SERVER, SECOND),
            login="trunk4444",
            country="GB",
            default_caller_id="443069990100",
            caller_ids=("443069990100", "442012345678"),
            caller_id_rules=(m.CallerIdRule(pattern="_4420XXXXXXXX", caller_id="442012345678"),),
            confirm_number="8888",
            assert_identity=False,
            codecs=("PCMA",),
            srtp="off",
            session_expires_s=1800,
            provider_networks=("192.0.2.0/28",),
            registration=m.Registration(login="free1001", password="secret"),
            incoming=(m.IncomingRule(number="442012345678", phones=("desk",)),),
            phones=plans,
            sip_port=5060,
            rtp_ports=(10_000, 10_999),
            recordings=str(tmp_path),
        )
        sounds = Sounds(tmp_path, "GB", "en", tmp_path)
        self.desk = Desk(Ears(self.engine), sounds, clock=lambda: self.now, wall=lambda: self.now + 1e9)
        self.trunk = Trunk(
            self.plan,
            self.engine,
            self.desk,
            self.told.append,
            clock=lambda: self.now,
            wall=lambda: self.now + 1e9,
            random=lambda: 0.5,
            book=book,
        )
        self.desk.connect(self.trunk, self.trunk.publish)
        self.desk.replan(plans, m.DiallingPlan(), sounds)
        self.sounds = sounds
        self.paths(main="fit", backup="fit")

    def paths(self, **states: m.PathState) -> None:
        addresses = {"main": ("203.0.113.2", "203.0.113.2"), "backup": ("192.168.20.2", "198.51.100.20")}
        paths = tuple(
            m.Path(
                uplink=name,
                device=f"wan-{name}",
                local_address=addresses[name][0],
                public_address=addresses[name][1],
                state=state,
            )
            for name, state in states.items()
        )
        active = next((name for name, state in states.items() if state == "fit"), "")
        self.trunk.paths(m.Paths(paths=paths, active=active, cause="test"))

    def replan(self, plan: m.TrunkPlan) -> None:
        """Other settings, as the calls process takes them in."""
        self.trunk.replan(plan)
        self.desk.replan(plan.phones, plan.dialling, self.sounds)

    def pass_s(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.trunk.due) is not None and due <= until:
            self.now = max(self.now, due)
            self.trunk.tick()
        self.now = until
        self.trunk.tick()

    def up(self, digits: str = "020 7946 0001") -> int:
        """A call of `desk` that was answered; its leg."""
        self.desk.verb(m.Dial(phone="desk", digits=digits))
        leg = self.engine.sent(v.StartLeg)[-1].leg
        self.trunk.engine_event(v.LegMedia(leg, "up", "PCMA"))
        self.trunk.engine_event(v.LegAnswered(leg))
        return leg

    def last(self, kind: type[C]) -> C:
        return [message for message in self.told if isinstance(message, kind)][-1]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_sockets_are_bound_before_they_are_needed(house: House) -> None:
    bound = house.engine.sent(v.BindPath)
    assert [(b.uplink, b.local, b.public) for b in bound] == [
        ("main", "203.0.113.2", "203.0.113.2"),
        ("backup", "192.168.20.2", "198.51.100.20"),
    ]


@pytest.mark.parametrize(
    ("digits", "number", "caller_id"),
    [("020 7946 0001", "442079460001", "442012345678"), ("0161 496 0001", "441614960001", "443069990100")],
)
def test_destination_chooses_the_caller_id(house: House, digits: str, number: str, caller_id: str) -> None:
    done = house.desk.verb(m.Dial(phone="desk", digits=digits))
    started = house.engine.sent(v.StartLeg)[-1]
    assert (started.number, started.caller_id, started.uplink) == (number, caller_id, "main")
    assert caller_id in done.text


def test_running_call_moves_when_its_path_must_be_left(house: House) -> None:
    leg = house.up()
    house.paths(main="leave", backup="fit")
    moved = house.engine.sent(v.Reinvite)[-1]
    assert (moved.leg, moved.uplink, moved.hold) == (leg, "backup", False)
    house.now += 0.05
    house.trunk.engine_event(v.LegReinvited(leg, 200, "OK", move=True))
    assert house.last(m.CallMoved) == m.CallMoved(
        call=1, from_uplink="main", to_uplink="backup", how="reinvite", took_ms=50
    )
    assert house.last(m.CallsNow).calls[0].uplink == "backup"


def test_call_stays_on_the_backup_when_main_returns(house: House) -> None:
    leg = house.up()
    house.paths(main="leave", backup="fit")
    house.trunk.engine_event(v.LegReinvited(leg, 200, "OK", move=True))
    before = len(house.engine.sent(v.Reinvite))
    house.paths(main="fit", backup="fit")
    house.pass_s(60)
    assert len(house.engine.sent(v.Reinvite)) == before
    house.desk.verb(m.HangUp(phone="desk"))
    house.desk.verb(m.Dial(phone="desk", digits="02079460002"))
    assert house.engine.sent(v.StartLeg)[-1].uplink == "main"


def test_refused_move_is_replaced(house: House) -> None:
    leg = house.up()
    house.paths(main="leave", backup="fit")
    house.trunk.engine_event(v.LegReinvited(leg, 488, "Not Acceptable Here", move=True))
    new = house.engine.sent(v.StartLeg)[-1]
    assert (new.uplink, new.replaces) == ("backup", leg)
    house.trunk.engine_event(v.LegMedia(new.leg, "up", "PCMA"))
    house.trunk.engine_event(v.LegAnswered(new.leg))
    assert house.last(m.CallMoved).how == "replaces"
    assert house.engine.sent(v.Connect)[-1].leg == new.leg


def test_answer_to_a_hold_is_no_answer_to_a_move(house: House) -> None:
    leg = house.up()
    house.desk.verb(m.Hold(phone="desk", on=True))
    assert house.engine.sent(v.HoldLeg)[-1] == v.HoldLeg(leg, True)
    house.trunk.engine_event(v.LegReinvited(leg, 200, "OK", move=False))
    assert not [told for told in house.told if isinstance(told, m.CallMoved)]
    house.paths(main="leave", backup="fit")
    assert house.engine.sent(v.Reinvite)[-1].hold


def test_call_log_tells_what_happened(house: House) -> None:
    leg = house.up()
    house.trunk.engine_event(v.LegSpoke(leg, loss=0.0, jitter_ms=1.0, rtt_ms=40.0))
    house.now += 30
    house.trunk.engine_event(v.LegEnded(leg, 200, "Normal call clearing", answered=True))
    ended = house.last(m.CallEnded)
    assert (ended.caller_id, ended.phone, ended.uplink, ended.moves) == ("442012345678", "desk", "main", 0)
    assert ended.ended_at - ended.answered_at == pytest.approx(30)
    assert ended.mos is not None and ended.mos > 4.2
    assert house.last(m.CallsNow).calls == ()


def test_second_server_is_tried_when_the_first_is_out_of_service(house: House) -> None:
    house.desk.verb(m.Dial(phone="desk", digits="02079460001"))
    first = house.engine.sent(v.StartLeg)[-1]
    house.trunk.engine_event(v.LegEnded(first.leg, 503, "Service Unavailable", retry_after_s=30.0))
    assert house.engine.sent(v.StartLeg)[-1].hop.address == SECOND.address


def test_address_that_is_refused_here_and_taken_there_is_told(house: House) -> None:
    house.desk.verb(m.Dial(phone="desk", digits="02079460001"))
    first = house.engine.sent(v.StartLeg)[-1]
    house.trunk.engine_event(v.LegEnded(first.leg, 403, "Forbidden"))
    second = house.engine.sent(v.StartLeg)[-1]
    assert (first.uplink, second.uplink) == ("main", "backup")
    house.trunk.engine_event(v.LegAnswered(second.leg))
    assert house.last(m.AddressRefused) == m.AddressRefused(uplink="main", taken_from="backup", sip_code=403)


def test_incoming_call_rings_the_phones_of_its_number(house: House) -> None:
    house.trunk.engine_event(v.LegIncoming(-1, "main", "442012345678", "447700900123", "192.0.2.10:5060"))
    assert house.engine.sent(v.AnswerLeg) == [v.AnswerLeg(-1, 180)]
    assert house.last(m.CallsNow).phones[0].state == "ringing"
    house.desk.verb(m.Answer(phone="desk"))
    assert house.engine.sent(v.AnswerLeg)[-1] == v.AnswerLeg(-1, 200)


@pytest.mark.parametrize(("called", "code"), [("442012345678", 486), ("449999999999", 404)])
def test_incoming_call_that_nobody_can_take_is_refused(house: House, called: str, code: int) -> None:
    house.up()
    house.trunk.engine_event(v.LegIncoming(-1, "main", called, "447700900123", "192.0.2.10:5060"))
    assert house.engine.sent(v.EndLeg)[-1] == v.EndLeg(-1, code)


def test_registration_follows_the_active_path(house: House) -> None:
    assert [r.uplink for r in house.engine.sent(v.Register)] == ["main"]
    house.paths(main="leave", backup="fit")
    assert [r.uplink for r in house.engine.sent(v.Register)] == ["main", "backup"]


def test_socket_that_could_not_be_bound_is_tried_again(house: House) -> None:
    house.engine.commands.clear()
    house.trunk.engine_event(v.PathBound("backup", "192.168.20.2", "Cannot assign requested address"))
    assert house.engine.sent(v.BindPath) == []
    house.pass_s(BIND_AGAIN_S)
    assert [b.uplink for b in house.engine.sent(v.BindPath)] == ["backup"]


def test_registrar_that_was_silent_is_asked_again_and_one_that_refused_is_not(house: House) -> None:
    house.engine.commands.clear()
    house.trunk.engine_event(v.Registered("main", 403, "Forbidden", 0))
    house.pass_s(60)
    assert house.engine.sent(v.Register) == []
    house.trunk.engine_event(v.Registered("main", 408, "Request Timeout", 0))
    house.pass_s(60)
    assert len(house.engine.sent(v.Register)) == 1


def test_bindings_are_kept_alive_on_paths_that_may_carry_calls(house: House) -> None:
    house.paths(main="fit", backup="unfit")
    house.engine.commands.clear()
    house.pass_s(KEEP_ALIVE_S * 2)
    assert {k.uplink for k in house.engine.sent(v.KeepAlive)} == {"main"}


def test_confirmation_leaves_by_its_own_uplink_and_is_answered(house: House, tmp_path: Path) -> None:
    results: list[m.ConfirmResult] = []
    house.trunk.confirm("backup", results.append)
    leg = house.engine.sent(v.StartLeg)[-1]
    assert (leg.uplink, leg.number) == ("backup", "8888")
    house.trunk.engine_event(v.KeptAlive("backup", 200, "198.51.100.77"))
    house.trunk.engine_event(v.LegAnswered(leg.leg))
    house.trunk.engine_event(v.LegEnded(leg.leg, 200, "OK", answered=True))
    house.trunk.engine_event(v.EndClosed("confirm-backup"))
    assert [(r.verdict, r.observed_address) for r in results] == [("other_address", "198.51.100.77")]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (m.Dial(phone="attic", digits="020 7946 0001"), "there is no phone attic"),
        (m.Dial(phone="desk", digits="hello"), "hello"),
        (m.HangUp(phone="desk"), "in no call"),
        (m.Answer(phone="desk"), "does not ring"),
        (m.PlayFile(phone="desk", path="/nonexistent"), "in no call"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words_and_starts_nothing(
    house: House, verb: m.Verb, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        house.desk.verb(verb)
    assert house.engine.sent(v.StartLeg) == []


def test_confirmation_of_an_uplink_without_address_is_refused(house: House) -> None:
    with pytest.raises(RefusedError, match="no address"):
        house.trunk.confirm("nowhere", lambda result: None)


def test_all_paths_down_is_told_to_the_phone(house: House) -> None:
    house.paths(main="leave", backup="unfit")
    house.desk.verb(m.Dial(phone="desk", digits="020 7946 0001"))
    assert house.engine.sent(v.StartLeg) == []
    assert "All Internet channels are down" in house.last(m.CallEnded).reason


def test_call_for_help_opens_every_channel_and_tries_them_all(house: House) -> None:
    house.paths(main="unfit", backup="unfit")
    house.desk.verb(m.Dial(phone="desk", digits="999"))
    assert house.last(m.EmergencyCalls).calls == 1
    assert house.engine.sent(v.StartLeg) == [], "the guard needs a moment"
    house.pass_s(OPEN_WITHIN_S)
    first = house.engine.sent(v.StartLeg)[-1]
    assert (first.number, first.uplink) == ("999", "main")
    house.trunk.engine_event(v.LegEnded(first.leg, 403, "Forbidden"))
    assert house.engine.sent(v.StartLeg)[-1].uplink == "backup"
    house.desk.verb(m.HangUp(phone="desk"))
    assert house.last(m.EmergencyCalls).calls == 0


def test_call_for_help_leaves_at_once_where_a_channel_is_fit(house: House) -> None:
    house.desk.verb(m.Dial(phone="desk", digits="999"))
    assert house.engine.sent(v.StartLeg)[-1].uplink == "main"


def test_same_plan_again_changes_nothing(house: House) -> None:
    before = list(house.engine.commands)
    house.trunk.replan(house.plan)
    assert house.engine.commands == before


def test_running_call_is_not_touched_by_rules_that_change(house: House) -> None:
    house.up()
    before = list(house.engine.commands)
    house.replan(
        msgspec.structs.replace(
            house.plan,
            caller_id_rules=(m.CallerIdRule(pattern="_44X.", caller_id="443069990100"),),
            phones=(*house.plan.phones, m.PhonePlan(name="attic", kind="virtual")),
        )
    )
    assert [c for c in house.engine.commands[len(before) :] if not isinstance(c, v.OpenEnd)] == []
    assert [c.state for c in house.last(m.CallsNow).calls] == ["up"]
    house.desk.verb(m.HangUp(phone="desk"))
    house.desk.verb(m.Dial(phone="attic", digits="020 7946 0001"))
    assert house.engine.sent(v.StartLeg)[-1].caller_id == "443069990100"


def test_call_of_a_phone_that_is_taken_away_ends_with_a_reason(house: House) -> None:
    leg = house.up()
    house.replan(msgspec.structs.replace(house.plan, phones=house.plan.phones[1:]))
    assert house.engine.sent(v.EndLeg)[-1].leg == leg
    assert house.last(m.CallEnded).reason == "The phone was taken out of the settings."
    assert [phone.name for phone in house.last(m.CallsNow).phones] == ["shop"]


def test_terms_of_the_plan_are_told_to_the_engine_while_calls_run(house: House) -> None:
    house.up()
    house.replan(msgspec.structs.replace(house.plan, sip_port=5070, codecs=("PCMU",), registration=None))
    assert house.engine.sent(v.Configure) == [v.Configure(5070, (10_000, 10_999), ("PCMU",), "off", 1800)]
    assert house.engine.sent(v.Unregister) == [v.Unregister()]
    assert house.engine.sent(v.EndLeg) == []


def test_call_that_has_to_be_replaced_is_placed_at_the_new_server(house: House) -> None:
    leg = house.up()
    third = m.Server(address="192.0.2.99", port=5061, transport="tls")
    house.replan(msgspec.structs.replace(house.plan, servers=(third,)))
    house.paths(main="leave", backup="fit")
    assert house.engine.sent(v.Reinvite)[-1].leg == leg
    house.trunk.engine_event(v.LegReinvited(leg, 488, "Not Acceptable Here", move=True))
    assert house.engine.sent(v.StartLeg)[-1].hop.address == third.address


# --- the calling rules, calls for help, ringing -----------------------------------------------------------


class Shelf:
    """Keeps the count of calls in memory."""

    def __init__(self) -> None:
        self.kept: tuple[Kept, ...] = ()

    def load(self) -> tuple[Kept, ...]:
        return self.kept

    def save(self, kept: Iterable[Kept]) -> None:
        self.kept = tuple(kept)


def change(house: House, **parts: object) -> None:
    house.plan = msgspec.structs.replace(house.plan, **parts)
    house.replan(house.plan)


def ended(house: House) -> list[int]:
    return [command.leg for command in house.engine.sent(v.EndLeg)]


@pytest.mark.parametrize("digits", ["+35316791777", "0906 555 0100", "+881612345678", "*98"])
def test_what_is_not_allowed_is_not_dialled_and_the_owner_hears_of_it(house: House, digits: str) -> None:
    with pytest.raises(RefusedError, match="not allowed"):
        house.desk.verb(m.Dial(phone="desk", digits=digits))
    assert house.engine.sent(v.StartLeg) == []
    assert house.last(m.CallBlocked).phone == "desk"
    explained = house.trunk.verb(m.ExplainNumber(digits=digits)).text
    assert "not allowed" in explained


def test_confirmation_number_is_no_matter_of_the_rules(house: House) -> None:
    house.desk.verb(m.Dial(phone="desk", digits="8888"))
    assert house.engine.sent(v.StartLeg)[-1].number == "8888"


def test_pin_is_asked_for_at_the_phone_and_opens_the_rest(house: House) -> None:
    change(house, calling=m.CallingPlan(pin="2468"))
    house.desk.verb(m.Lift(phone="desk"))
    house.desk.verb(m.Press(phone="desk", keys="0035316791777#"))
    assert house.engine.sent(v.StartLeg) == []
    house.desk.verb(m.Press(phone="desk", keys="2468#"))
    assert [leg.number for leg in house.engine.sent(v.StartLeg)] == ["35316791777"]


def test_pin_is_typed_once_more_after_a_wrong_one(house: House) -> None:
    change(house, calling=m.CallingPlan(pin="2468"))
    house.desk.verb(m.Lift(phone="desk"))
    house.desk.verb(m.Press(phone="desk", keys="0035316791777#1111#"))
    assert house.engine.sent(v.StartLeg) == []
    assert "the PIN was wrong" in house.last(m.CallBlocked).why
    assert "2468" not in repr(house.told) and "1111" not in repr(house.told)
    house.desk.verb(m.Press(phone="desk", keys="2468#"))
    assert len(house.engine.sent(v.StartLeg)) == 1


def test_longest_call_is_ended_and_its_reason_told(house: House) -> None:
    change(house, calling=m.CallingPlan(longest_call_min=3))
    leg = house.up()
    house.pass_s(179)
    assert leg not in ended(house)
    house.pass_s(1.5)
    assert leg in ended(house)
    assert house.last(m.CallEnded).reason == "The call has reached the longest time that is allowed."
    assert "longest" in house.last(m.CallBlocked).why


def test_count_of_calls_outlives_the_process(tmp_path: Path) -> None:
    shelf = Shelf()
    house = House(tmp_path, shelf)
    change(house, calling=m.CallingPlan(calls_per_hour=1))
    leg = house.up()
    house.trunk.engine_event(v.LegEnded(leg, 200, "", answered=True))
    again = House(tmp_path, shelf)
    change(again, calling=m.CallingPlan(calls_per_hour=1))
    with pytest.raises(RefusedError, match="within an hour"):
        again.desk.verb(m.Dial(phone="desk", digits="02079460001"))


def test_file_of_the_count_is_read_again_or_begun_anew(tmp_path: Path) -> None:
    kept = (Kept(1e9, 739_000, 12.5), Kept(1e9 + 5, 739_000, None))
    Tally(tmp_path / "made").save(kept)
    assert Tally(tmp_path / "made").load() == kept
    (tmp_path / "made" / "called.json").write_text('[["x"]]')
    assert Tally(tmp_path / "made").load() == ()


def test_nothing_stops_a_call_for_help(house: House) -> None:
    strict = m.CallingPlan(types=(), calls_per_hour=1, minutes_per_day=1, hours=("mon 03:00-03:01",))
    phones = (m.PhonePlan(name="desk", kind="virtual", may_call="inside"),)
    rules = (m.CallerIdRule(pattern="_9.", caller_id="442012345678"),)
    change(house, calling=strict, phones=phones, caller_id_rules=rules, help=m.HelpPlan(numbers=("5555",)))
    for digits in ("999", "112", "5555"):
        house.desk.verb(m.Dial(phone="desk", digits=digits))
        started = house.engine.sent(v.StartLeg)[-1]
        assert started.number == digits, "as dialled"
        assert house.last(m.HelpCalled) == m.HelpCalled(
            call=house.last(m.HelpCalled).call, phone="desk", number=digits
        )
        house.desk.verb(m.HangUp(phone="desk"))
        house.trunk.engine_event(v.LegEnded(started.leg, 487, ""))


def test_call_for_help_takes_a_slot(house: House) -> None:
    change(house, calling=m.CallingPlan(parallel_calls=1))
    leg = house.up()
    house.desk.verb(m.Dial(phone="shop", digits="999"))
    assert leg in ended(house)
    assert house.engine.sent(v.StartLeg)[-1].number == "999"
    assert house.last(m.HelpCalled).ended == 1
    assert house.last(m.CallEnded).reason == "The line is needed for a call for help."


def test_call_for_help_that_the_provider_has_no_line_for_takes_one(house: House) -> None:
    leg = house.up()
    house.desk.verb(m.Dial(phone="shop", digits="999"))
    first = house.engine.sent(v.StartLeg)[-1]
    assert leg not in ended(house), "there seemed to be room"
    house.trunk.engine_event(v.LegEnded(first.leg, 486, "Busy Here"))
    assert leg in ended(house)
    second = house.engine.sent(v.StartLeg)[-1]
    assert second.number == "999" and second.leg != first.leg
    house.trunk.engine_event(v.LegAnswered(second.leg))
    assert [call.state for call in house.last(m.CallsNow).calls] == ["up"]


def test_phone_that_is_removed_while_it_rings_hands_the_call_on(two: House) -> None:
    incoming(two, ring="in_order", ring_s=20)
    change(two, phones=(m.PhonePlan(name="till", kind="virtual"),))
    assert ringing(two) == {"till"}
    assert ended(two) == []


def test_call_for_help_is_tried_elsewhere_within_five_seconds(house: House) -> None:
    house.desk.verb(m.Dial(phone="desk", digits="999"))
    first = house.engine.sent(v.StartLeg)[-1]
    house.pass_s(5)
    second = house.engine.sent(v.StartLeg)[-1]
    assert (first.uplink, first.hop.address) == ("main", SERVER.address)
    assert (second.uplink, second.hop.address) == ("backup", SECOND.address)


def incoming(house: House, **rule: object) -> None:
    change(house, incoming=(m.IncomingRule(number="", phones=("desk", "till"), **rule),))  # type: ignore[arg-type]
    house.trunk.engine_event(v.LegIncoming(-1, "main", "442012345678", "447700900123", "192.0.2.10:5060"))


def ringing(house: House) -> set[str]:
    return {phone.name for phone in house.desk.views() if phone.state == "ringing"}


@pytest.fixture
def two(house: House) -> House:
    phones = (m.PhonePlan(name="desk", kind="virtual"), m.PhonePlan(name="till", kind="virtual"))
    change(house, phones=phones)
    return house


def test_all_ring_for_their_time(two: House) -> None:
    incoming(two, ring_s=20)
    assert ringing(two) == {"desk", "till"}
    two.pass_s(20)
    assert ringing(two) == set()
    assert ended(two) == [-1]
    assert two.last(m.CallEnded).reason == "Nobody answers."


def test_in_order_each_rings_for_its_time_and_the_call_can_be_taken(two: House) -> None:
    incoming(two, ring="in_order", ring_s=20)
    assert ringing(two) == {"desk"}
    two.pass_s(20)
    assert ringing(two) == {"till"}
    assert ended(two) == []
    two.desk.verb(m.Answer(phone="till"))
    assert two.engine.sent(v.AnswerLeg)[-1] == v.AnswerLeg(-1, 200)
    two.trunk.engine_event(v.LegAnswered(-1))
    two.pass_s(30)
    assert ended(two) == []


def test_who_refuses_hands_it_on(two: House) -> None:
    incoming(two, ring="in_order", ring_s=20)
    two.desk.verb(m.HangUp(phone="desk"))
    assert ringing(two) == {"till"}
    two.desk.verb(m.HangUp(phone="till"))
    assert ended(two) == [-1]


def test_invite_of_a_stranger_rings_nothing(two: House) -> None:
    two.trunk.engine_event(v.LegIncoming(-1, "main", "442012345678", "1", "198.51.100.77:5060"))
    assert ringing(two) == set()
    change(two, sources=(m.CallSource(name="branch", networks=("198.51.100.64/27",)),))
    two.trunk.engine_event(v.LegIncoming(-2, "main", "442012345678", "1", "198.51.100.77:5060"))
    assert ringing(two) == {"desk"}
    assert two.last(m.CallsNow).calls[0].remote == "branch: 1"


def test_mos_is_of_both_directions_and_of_the_whole_call(house: House) -> None:
    leg = house.up()
    house.trunk.engine_event(v.LegSpoke(leg, 0.0, 1.0, 40.0, packets=50))
    good = house.last(m.CallsNow).calls[0].mos
    house.trunk.engine_event(v.LegSpoke(leg, 0.0, 1.0, 40.0, packets=500, far_loss=0.1))
    worse = house.last(m.CallsNow).calls[0].mos
    assert good and worse and good > 4.2 and worse < 3.5
    house.trunk.engine_event(v.LegSpoke(leg, 0.0, 1.0, 40.0, packets=10))  # the stream is a new one: it moved
    assert house.last(m.CallsNow).calls[0].mos == good
    house.trunk.engine_event(v.LegEnded(leg, 200, "", answered=True))
    mos = house.last(m.CallEnded).mos
    assert mos is not None and mos < 3.6, "what was bad for most of the call is not forgotten"
