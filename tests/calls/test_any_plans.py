"""Whatever plans, paths, verbs and network events come in whatever order: nothing raises but a refusal in
words, calls of phones that are gone are ended, and every leg is ended by somebody."""

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import messages as m
from gateway.calls.sip import values as v
from gateway.errors import RefusedError
from tests.calls.test_trunk import SECOND, SERVER, House

TLS = m.Server(address="2001:db8:f::10", port=5061, transport="tls")
PHONES = ("desk", "shop", "attic")
UPLINKS = ("main", "backup")

phones = st.lists(st.sampled_from(PHONES), unique=True).map(
    lambda names: tuple(m.PhonePlan(name=n, kind="virtual", auto_answer=n == "shop") for n in names)
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "servers": st.sampled_from([(SERVER,), (SECOND, SERVER), (TLS,), ()]),
        "domain": st.sampled_from(["sip.provider.test", "sip.other.test"]),
        "registration": st.sampled_from([None, m.Registration(login="two", password="x")]),
        "default_caller_id": st.sampled_from(["443069990100", "443069990199"]),
        "caller_ids": st.just(()),
        "codecs": st.sampled_from([("PCMU",), ("opus", "PCMA")]),
        "srtp": st.sampled_from(["off", "require"]),
        "session_expires_s": st.sampled_from([90, 1800]),
        "sip_port": st.sampled_from([5060, 5070]),
        "rtp_ports": st.sampled_from([(10_000, 10_999), (20_000, 20_999)]),
        "incoming": st.sampled_from([(), (m.IncomingRule(number="", phones=PHONES),)]),
        "phones": phones,
        "confirm_number": st.just("9999"),
    },
)
any_state: st.SearchStrategy[m.PathState] = st.sampled_from(["fit", "fit", "leave", "unfit"])
states: st.SearchStrategy[dict[str, m.PathState]] = st.one_of(
    st.just({"main": "leave", "backup": "fit"}),
    st.just({"main": "fit", "backup": "leave"}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(UPLINKS, any_state)),
)
names = st.sampled_from(PHONES)
verbs = st.one_of(
    st.builds(m.Dial, phone=names, digits=st.sampled_from(["020 7946 0001", "999", "nonsense"])),
    st.builds(m.Answer, phone=names),
    st.builds(m.HangUp, phone=names),
    st.builds(m.Hold, phone=names, on=st.booleans()),
)
CODES = st.sampled_from([0, 200, 403, 408, 481, 486, 488, 503])


def events(leg: int) -> st.SearchStrategy[v.Event]:
    """What the engine may say of a leg."""
    here = st.just(leg)
    return st.one_of(
        st.builds(v.LegProgress, here, st.sampled_from([100, 180, 183])),
        st.builds(v.LegAnswered, here),
        st.builds(v.LegMedia, here, st.sampled_from(["up", "lost"]), st.just("PCMA")),
        st.builds(v.LegReinvited, here, CODES, st.just(""), st.booleans()),
        st.builds(v.ReinviteBlocked, here, st.just("busy")),
        st.builds(v.LegEnded, here, CODES, st.just(""), st.booleans()),
    )


@settings(max_examples=150)
@given(st.data())
def test_no_sequence_breaks_it(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory))
        known, incoming = 1, 0
        if data.draw(st.booleans()):
            house.up()
        over: set[int] = set()
        for _ in range(data.draw(st.integers(1, 25))):
            match data.draw(
                st.sampled_from(["plan", "plan", "paths", "verb", "verb", "event", "event", "in", "time"])
            ):
                case "plan":
                    plan = msgspec.structs.replace(house.plan, **data.draw(changes))
                    house.replan(plan)
                    present = {phone.name for phone in plan.phones}
                    for call in house.last(m.CallsNow).calls:
                        assert set(call.phone.split(",")) <= present, "its phone is gone"
                case "paths":
                    house.paths(**data.draw(states))
                case "verb":
                    try:
                        house.desk.verb(data.draw(verbs))
                    except RefusedError as error:
                        assert error.what and error.remedy
                case "event":
                    known = max([known, *(s.leg for s in house.engine.sent(v.StartLeg))])
                    leg = data.draw(
                        st.sampled_from([*range(incoming, 0), *range(1, known + 1), known, known])
                    )
                    event = data.draw(events(leg))
                    if leg in over:
                        continue  # the engine says no more of a leg that is over
                    if isinstance(event, v.LegEnded):
                        over.add(leg)
                    house.trunk.engine_event(event)
                case "in":
                    incoming -= 1
                    called = data.draw(st.sampled_from(["442012345678", "44999"]))
                    house.trunk.engine_event(
                        v.LegIncoming(incoming, "main", called, "447700900123", "192.0.2.10:5060")
                    )
                case _:
                    house.pass_s(data.draw(st.sampled_from([0.1, 2.0, 20.0])))
        house.replan(msgspec.structs.replace(house.plan, phones=()))
        assert house.last(m.CallsNow).calls == ()
        begun = {s.leg for s in house.engine.sent(v.StartLeg)} | set(range(incoming, 0))
        ended = {e.leg for e in house.engine.sent(v.EndLeg)} | over
        assert begun <= ended
        assert house.trunk.idle
