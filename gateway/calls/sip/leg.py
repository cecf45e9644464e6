"""One SIP dialog with its audio. Every callback posts one frozen event and returns."""

import re
from collections.abc import Callable

import pjsua2 as pj

from gateway.calls.quiet import Sample
from gateway.calls.sip import values
from gateway.calls.sip.audio import End
from gateway.calls.sip.paths import Account

MOVE_FLAGS = pj.PJSUA_CALL_REINIT_MEDIA | pj.PJSUA_CALL_UPDATE_CONTACT | pj.PJSUA_CALL_UPDATE_VIA
_USER = re.compile(r"sips?:([^@>;]*)@")
_RETRY_AFTER = re.compile(r"^Retry-After:\s*(\d{1,9})", re.IGNORECASE | re.MULTILINE)
DECLINE = 603
_MEDIA_STATES: dict[int, values.MediaState] = {
    pj.PJSUA_CALL_MEDIA_ACTIVE: "up",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "held",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_held",
}


class Leg(pj.Call):
    """A call of pjsua2 under our own number. It refuses to be transferred or replaced from outside."""

    def __init__(
        self,
        account: Account,
        number: int,
        uplink: str,
        post: Callable[[values.Event], None],
        codecs: tuple[str, ...],
        hold_sound: Callable[[pj.AudioMedia, bool], None],
        call_id: int = pj.PJSUA_INVALID_ID,
    ) -> None:
        super().__init__(account, call_id)
        self.account = account
        self.number = number
        self.uplink = uplink
        self.codecs = codecs
        self.over = False
        self.has_media = False
        self._post = post
        self._hold_sound = hold_sound
        self._on_hold: pj.AudioMedia | None = None
        self._end: End | None = None
        self._audio: pj.AudioMedia | None = None
        self._media_index = -1
        self._confirmed = False
        self._held = self._hold_wanted = self._hold_due = False
        self._remote_held = False
        self._pending: str | None = None
        self._rx_before = 0
        self._retry_after_s: float | None = None
        self._final_code: int | None = None
        self._rx_seen = 0
        self._spoke_at = self._told_at = 0.0

    # --- commands ---------------------------------------------------------------------------------

    def start(self, command: values.StartLeg, replaced: "Leg | None") -> None:
        """Send the INVITE. From carries the CallerID (E.164 digits), To the number dialled."""
        parameters = _one_audio()
        option = parameters.txOption
        option.localUri = f"<sip:{command.caller_id}@{command.domain}>"
        headers = list(command.headers)
        if replaced is not None:
            call_id, local_tag, remote_tag = pj.gwDialogIds(replaced.getId()).split("\n")
            headers.append(("Replaces", f"{call_id};to-tag={remote_tag};from-tag={local_tag}"))
            headers.append(("Require", "replaces"))
        for name, value in headers:
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            option.headers.append(header)
        self.makeCall(f"sip:{command.number}@{command.domain}", parameters)

    def move(self, uplink: str, hold: bool) -> None:
        """re-INVITE with everything of the new path; the account must point there while this runs.

        A transaction that waits on the old path is given up first; its end is not reported. pjsua cannot
        renew media and put on hold in one request, so a new hold follows when the move is answered.
        """
        self._pending = None
        pj.gwAbandonInvite(self.getId())
        self._hold_wanted = hold
        self._send_reinvite(MOVE_FLAGS | (pj.PJSUA_CALL_UNHOLD if self._held and not hold else 0))
        self._held = self._held and hold
        self._pending = "move"
        self.uplink = uplink

    def hold(self, on: bool) -> None:
        """re-INVITE with or without hold; while another one is open, when that is answered."""
        self._hold_wanted = on
        if self._pending:
            return
        if on:
            self.setHold(_one_audio())
        else:
            self._send_reinvite(pj.PJSUA_CALL_UNHOLD)
        self._pending = "hold"
        self._held = on

    def _send_reinvite(self, flags: int) -> None:
        parameters = _one_audio()
        parameters.opt.flag = flags
        self.reinvite(parameters)

    def answer_with(self, code: int) -> None:
        """Respond to the incoming INVITE."""
        parameters = _one_audio()
        parameters.statusCode = code
        self.answer(parameters)

    def catch_up(self) -> None:
        """Do what a callback left to be done outside it."""
        if self._hold_due and not self.over:
            self._hold_due = False
            self.hold(self._hold_wanted)

    def turn(self) -> None:
        """What is sent in this dialog from now on leaves where the account points."""
        pj.gwTurn(self.getId())

    def end(self, code: int) -> None:
        """BYE, CANCEL or a refusal. pjsip keeps a BYE back while a re-INVITE is open: that is given up."""
        if self._pending:
            self._pending = None
            pj.gwAbandonInvite(self.getId())
        parameters = pj.CallOpParam()
        if code:
            parameters.statusCode = code
        self.hangup(parameters)

    def connect(self, end: End | None) -> None:
        """Join the audio to this end from now on, also after every re-creation; None parts them."""
        if self._audio is not None and self._end is not None and end is not self._end:
            self._end.part(self._audio)
        self._end = end
        if self._audio is not None and end is not None:
            end.join(self._audio)

    def parties(self) -> tuple[str, str]:
        """(called, caller): the user parts of the URIs of an incoming INVITE."""
        info = self.getInfo()
        return _user(info.localUri), _user(info.remoteUri)

    # --- what was heard ---------------------------------------------------------------------------

    def heard(self) -> Sample:
        """How many RTP packets have come in, and whether any are to be expected."""
        expected = self._confirmed and not (self._held or self._remote_held or self._pending)
        return self.number, self.uplink, self._rx_before + self._count(), expected

    def spoke(self, rx_packets: int, now: float) -> values.LegSpoke | None:
        """A report when more has come in than before and none was made within a second."""
        more, silent = rx_packets > self._rx_seen, now - self._spoke_at > 0.2
        self._rx_seen = rx_packets
        if not more:
            return None
        self._spoke_at = now
        if not silent and now - self._told_at < 1.0:
            return None
        self._told_at = now
        rtcp = self.getStreamStat(self._media_index).rtcp
        received, sent = rtcp.rxStat, rtcp.txStat
        return values.LegSpoke(
            self.number,
            loss=received.loss / max(1, received.pkt + received.loss),
            jitter_ms=received.jitterUsec.mean / 1000,
            rtt_ms=rtcp.rttUsec.mean / 1000,
            packets=int(received.pkt),
            # Of what we sent, its reports alone know what was lost (RFC 3550 §6.4.1).
            far_loss=sent.loss / max(1, sent.pkt) if sent.updateCount else None,
            far_jitter_ms=sent.jitterUsec.mean / 1000,
        )

    def _count(self) -> int:
        return int(self.getStreamStat(self._media_index).rtcp.rxStat.pkt) if self.has_media else 0

    # --- callbacks --------------------------------------------------------------------------------

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            if info.role == pj.PJSIP_ROLE_UAC:
                self._post(values.LegProgress(self.number, int(info.lastStatusCode)))
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._confirmed = True
            self._post(values.LegAnswered(self.number))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED and not self.over:
            self.over = True
            cause = prm.e.body.tsxState if prm.e.type == pj.PJSIP_EVENT_TSX_STATE else None
            if cause is not None and cause.type == pj.PJSIP_EVENT_TRANSPORT_ERROR:
                self._final_code = 0  # pjsip reports what could not be sent as a 503 of its own
            self._post(
                values.LegEnded(
                    self.number,
                    self._final_code if self._final_code is not None else int(info.lastStatusCode),
                    str(info.lastReason),
                    answered=self._confirmed,
                    retry_after_s=self._retry_after_s,
                    rx_packets=self._rx_before,
                )
            )
            self._let_go()
            self._end = None

    def onStreamDestroyed(self, prm: pj.OnStreamDestroyedParam) -> None:
        """A new stream counts from 0 again: keep what this one has counted."""
        if not self.has_media or int(prm.streamIdx) != self._media_index:
            return
        self._rx_before += self._count()
        self.has_media = False
        self._let_go()

    def onCallTsxState(self, prm: pj.OnCallTsxStateParam) -> None:
        event = prm.e.body.tsxState
        tsx = event.tsx
        if tsx.role != pj.PJSIP_ROLE_UAC or tsx.method != "INVITE":
            return
        if tsx.statusCode == 100 and not self._confirmed:
            self._post(values.LegProgress(self.number, 100))
        if tsx.statusCode < 200:
            return
        if tsx.statusCode == 503 and event.type == pj.PJSIP_EVENT_RX_MSG:
            found = _RETRY_AFTER.search(event.src.rdata.wholeMsg)
            if found:
                self._retry_after_s = float(found.group(1))
        if self._confirmed and self._pending:
            move, self._pending = self._pending == "move", None
            self._post(values.LegReinvited(self.number, int(tsx.statusCode), str(tsx.statusText), move))
            self._hold_due = self._hold_wanted != self._held and (tsx.statusCode < 300 or not move)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()
        self._let_go()
        state: values.MediaState = "lost"
        codec = ""
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO:
                state = _MEDIA_STATES.get(media.status, "lost")
                if state in ("up", "remote_held"):
                    self._media_index = int(media.index)
                    self._audio = self.getAudioMedia(self._media_index)
                    codec = str(self.getStreamInfo(self._media_index).codecName)
                elif state == "held":
                    self._on_hold = self.getAudioMedia(int(media.index))
                    self._hold_sound(self._on_hold, True)
                break
        self._remote_held = state == "remote_held"
        self.has_media = self._audio is not None
        if self._audio is not None and self._end is not None:
            self._end.join(self._audio)
        self._post(values.LegMedia(self.number, state, codec))

    def _let_go(self) -> None:
        """The bridge has parted this audio from its end by itself, or it is to be joined anew."""
        if self._on_hold is not None:
            self._hold_sound(self._on_hold, False)
            self._on_hold = None
        if self._audio is not None and self._end is not None:
            self._end.forget(self._audio)
        self._audio = None

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:
        self._post(values.LegDigit(self.number, str(prm.digit)))

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:
        prm.statusCode = DECLINE  # law 10: REFER dials nothing

    def onCallRedirected(self, prm: pj.OnCallRedirectedParam) -> int:
        """Law 10: a redirection is the end of the call, with its own code."""
        self._final_code = int(prm.e.body.tsxState.tsx.statusCode)
        return pj.PJSIP_REDIRECT_STOP

    def onCallReplaceRequest(self, prm: pj.OnCallReplaceRequestParam) -> None:
        prm.statusCode = DECLINE  # law 10: nobody takes over a call of ours


def _one_audio() -> pj.CallOpParam:
    """One audio stream and nothing else: pjsua's default adds a text stream, whose end blocks for 0.3 s."""
    parameters = pj.CallOpParam(True)
    parameters.opt.audioCount = 1
    parameters.opt.videoCount = parameters.opt.textCount = 0
    return parameters


def _user(uri: str) -> str:
    found = _USER.search(uri)
    return found.group(1) if found else ""
