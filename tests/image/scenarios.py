"""Scenarios for what our pjsua2 adds and guards, each for a process of its own.

pjlib lives once in a process, and a failed assertion keeps a Call in its
traceback until after libDestroy, which ends the process; so
test_pjsua2.py runs `python -m tests.image.scenarios NAME`.
"""

import os
import sys
import traceback
from collections.abc import Callable

import pjsua2 as pj

from tests.image.farend import FarEnd, Seen, media_address, wait

MAIN, BACKUP = "127.0.0.1", "127.0.0.2"
MOVE = pj.PJSUA_CALL_REINIT_MEDIA | pj.PJSUA_CALL_UPDATE_CONTACT | pj.PJSUA_CALL_UPDATE_VIA


class Call(pj.Call):
    """Connects a tone whenever there is media, as the exchange does after a move."""

    def __init__(
        self, account: pj.Account, tone: pj.ToneGenerator, call_id: int = pj.PJSUA_INVALID_ID
    ) -> None:
        super().__init__(account, call_id)
        self.tone = tone
        self.states: list[int] = []

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        self.states.append(self.getInfo().state)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()
        if info.media and info.media[0].status in (
            pj.PJSUA_CALL_MEDIA_ACTIVE,
            pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
        ):
            self.tone.startTransmit(self.getAudioMedia(0))

    @property
    def up(self) -> bool:
        return bool(self.states) and self.states[-1] == pj.PJSIP_INV_STATE_CONFIRMED

    def received(self) -> int:
        return self.getStreamStat(0).rtcp.rxStat.pkt


class Account(pj.Account):
    """Takes every call."""

    def __init__(self, tone: pj.ToneGenerator) -> None:
        super().__init__()
        self.tone = tone
        self.taken: list[Call] = []

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self, self.tone, prm.callId)
        self.taken.append(call)
        answer = pj.CallOpParam(True)
        answer.statusCode = pj.PJSIP_SC_OK
        call.answer(answer)


class Box:
    """One endpoint, a transport at each of two addresses, one account that can be repointed."""

    def __init__(self) -> None:
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = config.logConfig.consoleLevel = 0
        self.endpoint.libInit(config)
        self.transport = {address: self._transport(address) for address in (MAIN, BACKUP)}
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator()
        tones = pj.ToneDescVector()
        desc = pj.ToneDesc()
        desc.freq1, desc.freq2, desc.on_msec, desc.off_msec = 425, 0, 1000, 0
        tones.append(desc)
        self.tone.play(tones, True)
        self.account = Account(self.tone)
        self.config = pj.AccountConfig()
        self.config.idUri = "sip:box@example.com"
        self.config.natConfig.viaRewriteUse = self.config.natConfig.contactRewriteUse = 0
        self.config.mediaConfig.lockCodecEnabled = False
        self.config.mediaConfig.transportConfig.port = 0
        self._point(MAIN)
        self.account.create(self.config)

    def _transport(self, address: str) -> int:
        config = pj.TransportConfig()
        config.port = 0
        config.boundAddress = address
        return self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, config)

    def _point(self, address: str) -> None:
        self.config.sipConfig.transportId = self.transport[address]
        self.config.mediaConfig.transportConfig.boundAddress = address

    def point(self, address: str) -> None:
        self._point(address)
        self.account.modify(self.config)

    def pump(self) -> None:
        self.endpoint.libHandleEvents(10)

    def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        assert wait(condition, self.pump, timeout_s)

    def dial(self, far: FarEnd) -> Call:
        self.point(MAIN)
        call = Call(self.account, self.tone)
        call.makeCall(far.uri, pj.CallOpParam(True))
        self.until(lambda: call.up)
        self.until(lambda: far.rtp_from.get(MAIN, 0) > 5 and call.received() > 5)
        return call

    def move(self, call: Call, address: str) -> int:
        """Points the account elsewhere, frees the call and re-INVITEs; gives what gwAbandonInvite said."""
        self.point(address)
        freed = pj.gwAbandonInvite(call.getId())
        parameters = pj.CallOpParam(True)
        parameters.opt.flag = MOVE | pj.PJSUA_CALL_UNHOLD
        call.reinvite(parameters)
        return freed

    def end(self, call: Call) -> None:
        call.hangup(pj.CallOpParam())
        self.until(lambda: call.states[-1] == pj.PJSIP_INV_STATE_DISCONNECTED)

    def leave(self) -> None:
        """Ends the process: calls that a scenario left up need no polite end."""
        sys.stdout.flush()
        os._exit(0)

    def close(self) -> None:
        self.account.shutdown()
        del self.account, self.tone
        self.endpoint.libDestroy()


def hold(call: Call) -> None:
    call.setHold(pj.CallOpParam(True))


def refused(call: Call) -> bool:
    """Whether pjsip will not send a re-INVITE now."""
    try:
        call.reinvite(pj.CallOpParam(True))
    except pj.Error:
        return True
    return False


def audio_moved(box: Box, far: FarEnd, call: Call, address: str) -> None:
    """Both directions flow over `address`, measured from now."""
    heard_before = far.rtp_from.get(address, 0)
    box.until(lambda: far.rtp_from.get(address, 0) > heard_before + 10)
    received = call.received()
    box.until(lambda: call.received() > received + 10)
    assert call.up


def a_hold_stuck_on_a_dead_path_does_not_stop_the_move(box: Box, far: FarEnd) -> None:
    call = box.dial(far)
    far.deaf.add(MAIN)
    hold(call)
    box.until(lambda: len(far.got("INVITE")) >= 2)
    stuck = far.got("INVITE")[-1]
    assert refused(call)

    assert box.move(call, BACKUP) == 1

    box.until(lambda: bool(far.got("INVITE", BACKUP)))
    offer = far.got("INVITE", BACKUP)[0]
    assert offer.cseq > stuck.cseq
    assert (media_address(offer.body) or ("",))[0] == BACKUP
    assert BACKUP in offer.header("Contact") and BACKUP in offer.header("Via")
    audio_moved(box, far, call, BACKUP)
    assert pj.gwCallTransport(call.getId()).split(":")[0] == BACKUP
    box.end(call)


def the_abandoned_re_invite_is_acknowledged_by_the_new_path(box: Box, far: FarEnd) -> None:
    call = box.dial(far)
    far.deaf.add(MAIN)
    hold(call)
    box.until(lambda: len(far.got("INVITE")) >= 2)
    stuck = far.got("INVITE")[-1]

    box.move(call, BACKUP)

    box.until(lambda: stuck.cseq in [ack.cseq for ack in far.got("ACK", BACKUP)])
    # Its answer, late: acknowledged again, and the moved call does not notice.
    box.until(lambda: bool(far.got("INVITE", BACKUP)))
    before = len(far.got("ACK", BACKUP))
    far.answer(stuck, follow=False)
    box.until(lambda: len(far.got("ACK", BACKUP)) > before)
    audio_moved(box, far, call, BACKUP)
    box.end(call)


def a_move_under_way_can_be_moved_again(box: Box, far: FarEnd) -> None:
    call = box.dial(far)
    far.deaf.add(BACKUP)
    assert box.move(call, BACKUP) == 0
    box.until(lambda: bool(far.got("INVITE", BACKUP)))

    assert box.move(call, MAIN) == 1

    audio_moved(box, far, call, MAIN)
    assert pj.gwCallTransport(call.getId()).split(":")[0] == MAIN
    far.deaf.clear()
    box.end(call)


def a_re_invite_of_the_far_end_without_its_ack_does_not_stop_the_move(box: Box, far: FarEnd) -> None:
    call = box.dial(far)
    far.reinvite()
    box.until(lambda: bool(far.got("SIP/2.0")))
    assert " 200 " in far.got("SIP/2.0")[-1].text.splitlines()[0]
    assert refused(call)

    assert box.move(call, BACKUP) == 1

    audio_moved(box, far, call, BACKUP)
    box.end(call)


def nothing_pending_and_unknown_calls(box: Box, far: FarEnd) -> None:
    assert [pj.gwAbandonInvite(unknown) for unknown in (-1, 3, 10_000)] == [-1, -1, -1]
    assert pj.gwDialogIds(3) == pj.gwCallTransport(-1) == ""
    call = box.dial(far)
    sent = len(far.seen)
    assert pj.gwAbandonInvite(call.getId()) == 0
    audio_moved(box, far, call, MAIN)
    assert len(far.seen) == sent
    box.end(call)


def a_ringing_call_is_left_alone(box: Box, far: FarEnd) -> None:
    far.deaf.add(MAIN)
    call = Call(box.account, box.tone)
    call.makeCall(far.uri, pj.CallOpParam(True))
    box.until(lambda: bool(far.got("INVITE")))
    assert pj.gwAbandonInvite(call.getId()) == -1
    far.answer(far.got("INVITE")[0])
    box.until(lambda: call.up)
    far.deaf.clear()
    box.end(call)


def dialog_ids_are_those_on_the_wire(box: Box, far: FarEnd) -> None:
    call = box.dial(far)
    invite = far.got("INVITE")[0]
    call_id, local_tag, remote_tag = pj.gwDialogIds(call.getId()).split("\n")
    assert call_id == invite.header("Call-ID")
    assert f"tag={local_tag}" in invite.header("From")
    assert remote_tag == far.tag
    box.end(call)


def time_out(box: Box, far: FarEnd) -> Call:
    """A call whose hold goes unanswered until its transaction times out, 0.6 s later."""
    pj.gwSetTimers(100, 200, 0, 600)
    call = box.dial(far)
    far.deaf.add(MAIN)
    hold(call)
    box.until(lambda: len(far.got("INVITE")) >= 3)
    return call


def a_request_that_times_out_leaves_the_call_if_wanted(box: Box, far: FarEnd) -> None:
    pj.gwKeepCallsAfterTimeout(True)
    call = time_out(box, far)
    box.until(lambda: pj.gwAbandonInvite(call.getId()) == 0)
    assert call.up
    far.deaf.clear()
    call.reinvite(pj.CallOpParam(True))
    audio_moved(box, far, call, MAIN)
    box.end(call)


def a_request_that_times_out_ends_the_call_otherwise(box: Box, far: FarEnd) -> None:
    call = time_out(box, far)
    box.until(lambda: bool(far.got("BYE")))
    far.answer(far.got("BYE")[-1])
    box.until(lambda: call.states[-1] == pj.PJSIP_INV_STATE_DISCONNECTED)


SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\n"
AUDIO = SDP + "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
HOSTILE = {
    "many lines": SDP + "".join(f"m=audio {port} RTP/AVP 8\r\n" for port in range(4000, 4064, 2)),
    "payload types beyond 127": AUDIO.replace("101", "255") + "a=fmtp:4000000000 0-16\r\na=fmtp:200 x=1\r\n",
    "formats without rtpmap": SDP
    + "m=audio 4000 RTP/AVP 8 97 98 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    "events only": SDP + "m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
    "redundancy without rtpmap": SDP
    + "m=audio 4000 RTP/AVP 97 8\r\na=rtpmap:97 red/8000\r\na=fmtp:97 8/8\r\n",
    "a hundred keys": AUDIO.replace("RTP/AVP", "RTP/SAVP")
    + "".join(f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}\r\n" for tag in range(1, 60)),
    "no address": AUDIO.replace("c=IN IP4 127.0.0.3\r\n", ""),
    "no media": SDP,
    "nonsense": "v=0\r\nm=audio\r\na=\r\n=\r\n\0",
}


def hostile_offers_do_not_end_the_process(box: Box, far: FarEnd) -> None:
    host, _, port = box.endpoint.transportGetInfo(box.transport[MAIN]).localAddress.rpartition(":")

    def offer(body_type: str, body: str, within: Seen | None = None) -> Seen:
        """The final answer to an INVITE, acknowledged."""
        address = (host, int(port))
        call_id, cseq = far.stranger(address, body_type, body, within)

        def final() -> list[Seen]:
            replies = [
                one for one in far.got("SIP/2.0") if (one.header("Call-ID"), one.cseq) == (call_id, cseq)
            ]
            return [one for one in replies if not one.text.startswith("SIP/2.0 1")]

        box.until(lambda: bool(final()))
        far.stranger(address, "text/plain", "", final()[0], "ACK")
        return final()[0]

    offers = [("application/sdp", body) for body in HOSTILE.values()]
    offers += [("multipart/mixed;boundary=x", text) for text in ("--x--\r\n", "--x\r\n\r\n--x--", "")]
    for body_type, body in offers:
        offer(body_type, body)
    # The same as re-offers: what one answer left behind meets the next offer.
    accepted = offer("application/sdp", AUDIO)
    assert accepted.text.startswith("SIP/2.0 200")
    for body_type, body in offers:
        offer(body_type, body, accepted)
    assert offer("application/sdp", AUDIO).text.startswith("SIP/2.0 200")
    box.leave()


SCENARIOS: dict[str, Callable[[Box, FarEnd], None]] = {
    scenario.__name__: scenario
    for scenario in (
        a_hold_stuck_on_a_dead_path_does_not_stop_the_move,
        the_abandoned_re_invite_is_acknowledged_by_the_new_path,
        a_move_under_way_can_be_moved_again,
        a_re_invite_of_the_far_end_without_its_ack_does_not_stop_the_move,
        nothing_pending_and_unknown_calls,
        a_ringing_call_is_left_alone,
        dialog_ids_are_those_on_the_wire,
        a_request_that_times_out_leaves_the_call_if_wanted,
        a_request_that_times_out_ends_the_call_otherwise,
        hostile_offers_do_not_end_the_process,
    )
}


def main() -> int:
    box, far = Box(), FarEnd()
    try:
        SCENARIOS[sys.argv[1]](box, far)
    except Exception:  # noqa: BLE001 (whatever it was: print it and leave)
        traceback.print_exc()
        # No clean end is possible while the traceback holds pj objects.
        sys.stderr.flush()
        os._exit(1)
    far.close()
    box.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
