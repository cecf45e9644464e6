"""The provider keeps the trunk's rules, one by one; proved from the box's side with plain SIP."""

from array import array
from collections.abc import Callable

import pytest

from tests.lab import message as sip
from tests.lab import plan, rtp
from tests.lab.caller import Caller
from tests.lab.farend import FarCall
from tests.lab.lab import Lab

pytestmark = pytest.mark.root


def of(call_id: str) -> Callable[[FarCall], bool]:
    """The call with this Call-ID, once the far end has seen it."""
    return lambda call: call.call_id == call_id


def ended(call_id: str) -> Callable[[FarCall], bool]:
    """The call with this Call-ID, once it is over."""
    return lambda call: call.call_id == call_id and call.ended_s is not None


def loudness(samples: "array[int]") -> float:
    """Mean absolute sample."""
    return sum(map(abs, samples)) / max(1, len(samples))


# --- addresses --------------------------------------------------------------------------------------------


def test_a_stranger_is_refused_or_met_with_silence(lab: Lab) -> None:
    with Caller(lab, plan.STRANGER, name="stranger") as stranger:
        assert stranger.ask("OPTIONS", "x").status == 403
        assert stranger.invite(plan.ANSWERS)[1].status == 403
        assert stranger.invite(plan.CONFIRM_NUMBER)[1].status == 403
        lab.provider.mode(silent_strangers=True)
        with pytest.raises(TimeoutError):
            stranger.invite(plan.ANSWERS, timeout_s=0.3)
    assert lab.provider.confirmed(plan.STRANGER) is None
    assert {one.source for one in lab.provider.seen(event="stranger")} >= {plan.STRANGER}


def test_a_call_to_8888_confirms_the_address_that_it_comes_from(lab: Lab) -> None:
    for address in (plan.MAIN.public, plan.BACKUP1.public):
        lab.provider.list_address(address)
    with Caller(lab, "203.0.113.2") as caller:
        refused = caller.invite(plan.ANSWERS)[1]
        assert (refused.status, "not confirmed" in refused.start) == (403, True)
        dialog, answer = caller.invite(plan.CONFIRM_NUMBER)
        assert answer.status == 200
        assert lab.provider.confirmed(plan.MAIN.public) is True
        assert lab.provider.confirmed(plan.BACKUP1.public) is False
        heard = caller.talk(dialog, 60)
        assert len(heard) > 40
        dialog_end = caller.receive(15, call_id=dialog.call_id)
        assert dialog_end.method == "BYE"
        caller.socket.sendto(sip.reply(dialog_end, 200).encode(), (plan.PROVIDER_SERVER, plan.SIP_PORT))
        assert caller.ask("OPTIONS", "x").status == 200
    lab.far.await_call(ended(dialog.call_id))


def test_options_tell_the_address_that_the_provider_sees(lab: Lab) -> None:
    with Caller(lab, "192.168.20.2") as caller:
        via = caller.ask("OPTIONS", "x").get("via")
        assert sip.parameter(via, "received") == plan.BACKUP1.public
        assert sip.parameter(via, "rport") == "5060"


def test_a_drifted_address_is_a_stranger(lab: Lab) -> None:
    with Caller(lab, plan.DHCP_FIRST) as caller:
        for address in plan.BACKUP2_POOL:
            lab.provider.unlist_address(address)
        lab.provider.list_address(lab.public_address("backup2"), confirmed=True)
        assert caller.ask("OPTIONS", "x").status == 200
        lab.shift_public_address("backup2")
        assert caller.ask("OPTIONS", "x").status == 403


# --- CallerID and logins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (plan.LONDON_CALLER_ID, plan.LONDON_CALLER_ID),
        ("442037691880", "442037691880"),
        ("02037691880", plan.DEFAULT_CALLER_ID),
        ("+442037691880", plan.DEFAULT_CALLER_ID),
        ("447700900999", plan.DEFAULT_CALLER_ID),
        ("gateway", plan.DEFAULT_CALLER_ID),
    ],
)
def test_a_caller_id_that_is_not_ours_becomes_the_default(
    lab: Lab, main: Caller, given: str, shown: str
) -> None:
    dialog, answer = main.invite(plan.ANSWERS, caller=given)
    assert answer.status == 200
    assert sip.user(answer.get("from")) == given
    call = lab.far.await_call(of(dialog.call_id))
    assert (call.caller, sip.user(call.asserted), call.number) == (shown, shown, plan.ANSWERS)
    assert main.bye(dialog).status == 200


def test_registration_is_for_the_free_login_alone(main: Caller) -> None:
    def register(login: str, password: str) -> sip.Message:
        challenge = main.ask("REGISTER", login, caller=login)
        if challenge.status != 401:
            return challenge
        uri = f"sip:{plan.PROVIDER_DOMAIN}"
        value = sip.digest("REGISTER", uri, challenge.get("www-authenticate"), login, password)
        return main.ask("REGISTER", login, caller=login, headers=(("authorization", value),))

    assert register(plan.TRUNK_LOGIN, plan.TRUNK_PASSWORD).status == 403
    assert register(plan.FREE_LOGIN, "wrong").status == 401
    assert register("nobody", "at all").status == 401
    accepted = register(plan.FREE_LOGIN, plan.FREE_PASSWORD)
    assert accepted.status == 200
    assert "203.0.113.2" in accepted.get("contact")


@pytest.mark.parametrize("way", ["login", "uri"])
def test_calls_come_in_by_the_free_login_and_by_sip_uri(lab: Lab, main: Caller, way: str) -> None:
    number = plan.CONNECTED_NUMBERS[0]
    if way == "login":
        test_registration_is_for_the_free_login_alone(main)
        lab.provider.route_inbound(number, plan.FREE_LOGIN)
    else:
        lab.provider.route_inbound(number, f"sip:{number}@{plan.MAIN.public}:5060")
    call_id = lab.far.call(number, caller="447700900123")
    invite = main.receive(call_id=call_id)
    assert invite.method == "INVITE"
    assert sip.user(invite.uri) == ("gw" if way == "login" else number)
    assert sip.user(invite.get("p-called-party-id")) == number
    assert sip.user(invite.get("from")) == sip.user(invite.get("p-asserted-identity")) == "447700900123"
    main.socket.sendto(sip.reply(invite, 486, tag="box").encode(), (plan.PROVIDER_SERVER, plan.SIP_PORT))
    assert lab.far.await_call(ended(call_id)).why == "refused 486"


# --- the move ---------------------------------------------------------------------------------------------


def test_a_call_moves_to_another_confirmed_address(lab: Lab, main: Caller, backup: Caller) -> None:
    dialog, _ = main.invite(plan.ANSWERS)
    main.talk(dialog, 25)
    lab.blackhole("main")
    moved = backup.reinvite(dialog)
    assert moved.status == 200
    heard = backup.talk(dialog, 50, first=1000)
    assert len([number for _, number in heard if number is not None]) > 40
    lab.far.hang_up(dialog.call_id)
    farewell = backup.receive(call_id=dialog.call_id)
    assert farewell.method == "BYE"
    backup.socket.sendto(sip.reply(farewell, 200).encode(), (plan.PROVIDER_SERVER, plan.SIP_PORT))
    call = lab.far.await_call(ended(dialog.call_id))
    numbers = [packet.number for packet in lab.far.heard(call)]
    assert numbers[:25] == list(range(25))
    assert {*range(1000, 1040)} <= {*numbers}
    assert not {*range(25, 1000)} & {*numbers}


def test_a_strict_provider_refuses_the_move_and_the_call_stays(
    lab: Lab, main: Caller, backup: Caller
) -> None:
    dialog, _ = main.invite(plan.ANSWERS)
    lab.provider.mode(strict_in_dialog=True)
    assert backup.reinvite(dialog).status == 403
    assert main.reinvite(dialog).status == 200
    assert len(main.talk(dialog, 20)) > 10
    assert main.bye(dialog).status == 200
    assert [one.source for one in lab.provider.seen(event="in_dialog_refused", call_id=dialog.call_id)][
        :1
    ] == [plan.BACKUP1.public]


def test_an_unlisted_address_cannot_take_a_call_over(lab: Lab, main: Caller) -> None:
    dialog, _ = main.invite(plan.ANSWERS)
    with Caller(lab, plan.STRANGER, name="stranger") as stranger:
        assert stranger.reinvite(dialog).status == 403
    assert main.bye(dialog).status == 200


def test_replaces_takes_a_call_over_where_the_far_end_knows_it(
    lab: Lab, main: Caller, backup: Caller
) -> None:
    for number, expected in ((plan.ANSWERS, "bye sent"), (plan.NO_REPLACES, "")):
        dialog, _ = main.invite(number)
        main.talk(dialog, 20)
        value = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.tag}"
        taken, answer = backup.invite(
            number, headers=(("replaces", value), ("require", "replaces")), uri=dialog.target
        )
        assert answer.status == 200
        assert len(backup.talk(taken, 20)) > 10
        old = lab.far.await_call(of(dialog.call_id))
        if expected:
            farewell = main.receive(5, call_id=dialog.call_id)
            assert farewell.method == "BYE"
            main.socket.sendto(sip.reply(farewell, 200).encode(), (plan.PROVIDER_SERVER, plan.SIP_PORT))
            old = lab.far.await_call(ended(dialog.call_id))
        else:
            assert main.bye(dialog).status == 200
        assert old.why.startswith(expected)
        assert backup.bye(taken).status == 200


def test_media_from_another_address_does_not_reach_the_far_end(lab: Lab, main: Caller) -> None:
    dialog, _ = main.invite(plan.ANSWERS)
    main.talk(dialog, 200)  # past the relay's learning phase of 3 s
    assert dialog.peer is not None
    with lab.udp("stranger", plan.STRANGER, main.rtp.getsockname()[1]) as stranger:
        for number in range(20):
            stranger.sendto(
                rtp.pack(rtp.PCMA, number, number * 160, 7, rtp.frame(60000 + number)), dialog.peer
            )
    main.talk(dialog, 10, first=200)
    main.bye(dialog)
    numbers = {packet.number for packet in lab.far.heard(lab.far.await_call(ended(dialog.call_id)))}
    assert 205 in numbers
    assert not numbers & {*range(60000, 60020)}
