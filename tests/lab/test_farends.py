"""The far ends do what their numbers promise; SIPp, baresip, TCP, TLS, SRTP and IPv6 pass the provider."""

import socket
import ssl
import time
import wave
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


# --- far ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (plan.BUSY, 486),
        (plan.UNKNOWN, 404),
        (plan.OVERLOADED, 503),
        (plan.SERVER_ERROR, 500),
        (plan.DECLINES, 603),
        ("4930123456", 404),
        ("999", 200),
        (plan.MANCHESTER, 200),
    ],
)
def test_numbers_answer_as_planned(main: Caller, number: str, status: int) -> None:
    dialog, answer = main.invite(number)
    assert answer.status == status
    assert answer.get("retry-after") == ("30" if status == 503 else "")
    if status == 200:
        assert main.bye(dialog).status == 200


def test_far_ends_pause_hold_hang_up_and_play_early_media(lab: Lab, main: Caller) -> None:
    dialogs = {n: main.invite(n)[0] for n in (plan.PAUSES, plan.HOLDS, plan.HANGS_UP)}
    early = main.invite(plan.EARLY_MEDIA, timeout_s=6)[0]
    until = time.monotonic() + 15
    ended_by_bye = ""
    while not lab.far.await_call(of(dialogs[plan.PAUSES].call_id)).times("resume"):
        assert time.monotonic() < until
        try:
            request = main.receive(0.5)
        except TimeoutError:
            continue
        if request.status == 0 and request.method in ("INVITE", "BYE"):
            body = main.offer("recvonly") if "sendonly" in request.body else main.offer()
            accepted = sip.reply(
                request,
                200,
                headers={"Contact": "<sip:gw@203.0.113.2>", "Content-Type": "application/sdp"},
                body=body if request.method == "INVITE" else "",
            )
            main.socket.sendto(accepted.encode(), (plan.PROVIDER_SERVER, plan.SIP_PORT))
            if request.method == "BYE":
                ended_by_bye = request.get("call-id")
    assert ended_by_bye == dialogs[plan.HANGS_UP].call_id
    held = lab.far.await_call(of(dialogs[plan.HOLDS].call_id))
    offers = [(e.detail["status"], e.detail["direction"]) for e in held.events if e.event == "reinvited"]
    assert offers == [(200, "sendonly"), (200, "sendrecv")]
    for dialog in (dialogs[plan.PAUSES], dialogs[plan.HOLDS], early):
        dialog.cseq += 10
        assert main.bye(dialog).status == 200


def test_reinvites_can_be_refused_or_ignored(main: Caller) -> None:
    dialog, _ = main.invite(plan.REFUSES_REINVITE)
    assert main.reinvite(dialog).status == 488
    assert main.bye(dialog).status == 200
    dialog, _ = main.invite(plan.IGNORES_REINVITE)
    with pytest.raises(TimeoutError):
        main.reinvite(dialog, timeout_s=0.5)
    dialog.cseq += 1
    assert main.bye(dialog).status == 200


def test_a_server_can_be_silent_or_overloaded_alone(lab: Lab, main: Caller) -> None:
    lab.provider.stop(plan.PROVIDER_SERVER)
    with pytest.raises(TimeoutError):
        main.invite(plan.BUSY, timeout_s=0.3)
    main.server = plan.PROVIDER_SERVER2
    assert main.invite(plan.BUSY)[1].status == 486
    lab.provider.start()
    main.server = plan.PROVIDER_SERVER
    dialog, _ = main.invite(plan.ANSWERS)
    assert len(main.talk(dialog, 20)) > 5
    lab.provider.stop()
    main.talk(dialog, 5)  # what was on its way
    assert len(main.talk(dialog, 20)) > 5
    lab.provider.stop(media=True)
    main.talk(dialog, 5)
    assert main.talk(dialog, 20) == []
    lab.provider.start()
    assert main.bye(dialog).status == 200
    main.server = plan.PROVIDER_SERVER2
    lab.provider.mode(overloaded=plan.PROVIDER_SERVER)
    assert main.invite(plan.BUSY)[1].status == 486
    main.server = plan.PROVIDER_SERVER
    assert main.invite(plan.BUSY)[1].status == 503


def test_calls_work_over_ipv6(lab: Lab) -> None:
    lab.provider.list_address(plan.MAIN_ADDRESS6)
    with Caller(lab, plan.MAIN_ADDRESS6) as caller:
        assert caller.ask("OPTIONS", "x").status == 200
        assert caller.invite(plan.ANSWERS)[1].status == 403
        lab.provider.list_address(plan.MAIN_ADDRESS6, confirmed=True)
        dialog, answer = caller.invite(plan.ANSWERS)
        assert (answer.status, dialog.peer and dialog.peer[0]) == (200, plan.PROVIDER_MEDIA6)
        assert len(caller.talk(dialog, 30)) > 20
        assert caller.bye(dialog).status == 200


def test_baresip_speaks_records_and_lets_a_call_move(lab: Lab, main: Caller, backup: Caller) -> None:
    lab.far.start_baresip()
    dialog, answer = main.invite(plan.BARESIP)
    assert answer.status == 200
    heard = main.talk(dialog, 75)
    assert len(heard) > 60
    assert {number for _, number in heard} == {None}
    assert backup.reinvite(dialog).status == 200
    assert len(backup.talk(dialog, 50, first=1000)) > 40
    assert backup.bye(dialog).status == 200
    (recording,) = lab.far.baresip_recordings()
    with wave.open(str(recording)) as file:
        samples = array("h", file.readframes(file.getnframes()))
    assert loudness(samples) > 500
    numbers = {number for _, number in rtp.numbers_in(samples)}
    assert len(numbers & {*range(75)}) > 50
    assert len(numbers & {*range(1000, 1050)}) > 30


def test_sipp_answers_echoes_and_lets_a_call_move(lab: Lab, main: Caller, backup: Caller) -> None:
    lab.far.start_sipp()
    dialog, answer = main.invite(plan.SIPP)
    assert answer.status == 200
    assert {number for _, number in main.talk(dialog, 30)} >= {*range(15)}
    assert backup.reinvite(dialog).status == 200
    assert {number for _, number in backup.talk(dialog, 30, first=500)} >= {*range(500, 515)}
    assert backup.bye(dialog).status == 200


def test_tcp_and_tls_carry_sip_as_well(lab: Lab) -> None:
    wanted = [(plan.PROVIDER_SERVER, plan.SIP_PORT), (plan.PROVIDER_SERVER2, plan.SIP_PORT)]
    context = None
    if lab.provider.certificate is not None:
        wanted.append((plan.PROVIDER_SERVER, plan.SIPS_PORT))
        context = ssl.create_default_context(cafile=str(lab.provider.certificate))
    for server in wanted:
        plain = lab.site.socket("box", kind=socket.SOCK_STREAM)
        plain.settimeout(3)
        plain.connect(server)
        secure = context is not None and server[1] == plan.SIPS_PORT
        with (
            context.wrap_socket(plain, server_hostname=plan.PROVIDER_DOMAIN)
            if context and secure
            else plain as link
        ):
            via = f"SIP/2.0/{'TLS' if secure else 'TCP'} 203.0.113.2;rport;branch={sip.branch()}"
            options = sip.Message(
                f"OPTIONS sip:{plan.PROVIDER_DOMAIN} SIP/2.0",
                [
                    ("via", via),
                    ("from", "<sip:x@y>;tag=1"),
                    ("to", "<sip:x@y>"),
                    ("call-id", via),
                    ("cseq", "1 OPTIONS"),
                ],
            )
            link.sendall(options.encode())
            answer = sip.parse(link.recv(65535))
            assert answer is not None
            assert answer.status == 200


def test_srtp_is_taken_off_for_the_far_end(main: Caller) -> None:
    body = main.offer().replace("RTP/AVP", "RTP/SAVP")
    body += "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"
    dialog, answer = main.invite(plan.ANSWERS, body=body)
    assert answer.status == 200
    assert "RTP/SAVP" in answer.body
    assert "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" in answer.body
    assert main.bye(dialog).status == 200


def test_what_the_exact_far_end_heard_is_recorded_with_its_holes(lab: Lab, main: Caller) -> None:
    dialog, _ = main.invite(plan.SPEAKS)
    main.talk(dialog, 25)
    time.sleep(0.4)
    main.talk(dialog, 25, first=25)
    main.bye(dialog)
    call = lab.far.await_call(ended(dialog.call_id))
    with wave.open(str(lab.far.recording(call))) as file:
        samples = array("h", file.readframes(file.getnframes()))
    found = rtp.numbers_in(samples)
    assert [number for _, number in found] == list(range(50))
    ((_, silence_s),) = rtp.gaps(packet.at_s for packet in lab.far.heard(call))
    torn = found[25][0] - found[24][0] - rtp.FRAME_SAMPLES
    assert torn == pytest.approx(silence_s * 8000, abs=480)
