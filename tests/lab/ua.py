"""The exact far end: a SIP user agent of the lab's own (not pjsip); behaviour.py says what it does.

Run as `python -m tests.lab.ua DIRECTORY SOCKET` in namespace `far`; farend.py is its client. Its files:
`far.jsonl` (what happened, Unix time), `rtp-<n>.bin` (each packet heard) and `heard-<n>.wav`.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, cast

from tests.lab import message as sip
from tests.lab import plan, rtp
from tests.lab.behaviour import BEHAVIOURS, DEFAULT, Behaviour
from tests.lab.dialog import Call
from tests.lab.speech import SPEECH, speech
from tests.lab.stream import Stream
from tests.lab.transactions import T1_S, T2_S, TIMEOUT_S, Transactions


class Agent(Transactions):
    """All calls of the far end; one UDP port. Requests are told apart by Call-ID and our tag."""

    def __init__(self, directory: Path, address: str) -> None:
        super().__init__()
        self._directory, self._address = directory, address
        self._log = (directory / "far.jsonl").open("a", buffering=1)
        self._calls: dict[str, Call] = {}
        self._number = 0
        self._speech: bytes = b""

    def _note(self, event: str, call: Call | None = None, **more: object) -> None:
        record = {"at": time.time(), "event": event, **({"call_id": call.call_id} if call else {}), **more}
        self._log.write(json.dumps(record) + "\n")

    def _new_call(self, call_id: str, number: str, local: str, remote: str, behaviour: Behaviour) -> Call:
        self._number += 1
        tag = sip.branch()[-10:]
        log = self._directory / f"rtp-{self._number}.bin"
        call = Call(call_id, number, local, remote, tag, cast(Stream, None), behaviour)
        call.stream = Stream(self._address, log, lambda digit: self._note("digit", call, digit=digit))
        call.stream.recorder = rtp.Recorder(self._directory / f"heard-{self._number}.wav")
        call.stream.source, call.stream.speech = behaviour.source, self._speech
        self._calls[call_id + tag] = call
        self._note("new", call, number=number, index=self._number)
        return call

    def _find(self, call_id: str, local_tag: str) -> Call | None:
        return self._calls.get(call_id + local_tag)

    # --- what comes in ------------------------------------------------------------------------------------

    def request_came(self, request: sip.Message) -> None:
        call = self._find(request.get("call-id"), request.tag("to"))
        method = request.method
        if method == "ACK":
            if call is not None:
                call.acked.set()
                if request.body and call.stream.peer is None:
                    call.take_media(request.body)
        elif method == "CANCEL":
            self._cancel(request)
        elif request.tag("to"):
            if call is None or call.ended:
                self._answer(request, sip.reply(request, 481))
            else:
                self._in_dialog(call, request)
        elif method == "INVITE":
            self._invite(request)
        else:
            self._answer(request, sip.reply(request, 200 if method == "OPTIONS" else 481, tag="far"))

    def _invite(self, request: sip.Message) -> None:
        number = sip.user(request.uri)
        behaviour = BEHAVIOURS.get(number, DEFAULT)
        old: Call | None = None
        if replaces := request.get("replaces"):
            wanted = replaces.split(";")[0].strip()
            old = self._find(wanted, sip.parameter(replaces, "to-tag"))
            if old is not None and not old.behaviour.replaces:
                old = None
            elif old is None or old.ended or old.remote_tag != sip.parameter(replaces, "from-tag"):
                self._answer(request, sip.reply(request, 481, tag="far"))
                self._note("replaces_refused", None, replaces=replaces)
                return
        if old is not None:
            behaviour = DEFAULT
        self._answer(request, sip.reply(request, 100))
        call = self._new_call(
            request.get("call-id"), number, request.get("to"), request.get("from"), behaviour
        )
        call.remote_tag, call.target = request.tag("from"), sip.address(request.get("contact"))
        call.routes, call.invite = request.all("record-route"), request
        self._note(
            "invite",
            call,
            number=number,
            from_uri=sip.address(request.get("from")),
            asserted=sip.address(request.get("p-asserted-identity")),
            source=request.get("x-source"),
            replaces=replaces,
            contact=call.target,
        )
        if request.body and not call.take_media(request.body):
            self._answer(request, sip.reply(request, 488, tag=call.local_tag))
            self._end(call, "no common codec")
            return
        call.script = self._spawn(self._play(call, old))

    def _cancel(self, request: sip.Message) -> None:
        self._answer(request, sip.reply(request, 200, tag="far"))
        for call in list(self._calls.values()):
            if (
                call.call_id == request.get("call-id")
                and not call.answered
                and not call.ended
                and call.invite
            ):
                self._answer(call.invite, sip.reply(call.invite, 487, tag=call.local_tag))
                self._end(call, "cancelled")

    def _in_dialog(self, call: Call, request: sip.Message) -> None:
        method = request.method
        self._note(
            "in_dialog",
            call,
            method=method,
            contact=sip.address(request.get("contact")),
            cseq=request.get("cseq"),
        )
        if method == "BYE":
            self._answer(request, sip.reply(request, 200))
            self._end(call, "bye received", reason=request.get("reason"))
        elif method in ("INVITE", "UPDATE"):
            status = call.behaviour.reinvite
            if status == 0:
                return
            if status != 200 or (request.body and not call.take_media(request.body)):
                self._answer(request, sip.reply(request, status if status != 200 else 488))
                return
            if request.get("contact"):
                call.target = sip.address(request.get("contact"))
            headers = call.headers()
            if expires := request.get("session-expires"):
                headers |= {"Session-Expires": expires, "Require": "timer"}
            body = call.sdp() if request.body or method == "INVITE" else ""
            if body:
                headers["Content-Type"] = "application/sdp"
            response = sip.reply(request, 200, headers=headers, body=body)
            self._answer(request, response)
            if method == "INVITE":
                self._spawn(self._repeat_until_ack(call, request))
        else:
            self._answer(request, sip.reply(request, 200))

    async def _repeat_until_ack(self, call: Call, request: sip.Message) -> None:
        """RFC 3261 §13.3.1.4: the 2xx is ours to repeat."""
        call.acked.clear()
        wait_s, started_s = T1_S, time.monotonic()
        while time.monotonic() - started_s < TIMEOUT_S and not call.ended:
            try:
                await asyncio.wait_for(call.acked.wait(), wait_s)
            except TimeoutError:
                wait_s = min(2 * wait_s, T2_S)
                self._repeat(request)
                continue
            return
        if not call.ended:
            self._note("no_ack", call)

    # --- scripts ------------------------------------------------------------------------------------------

    async def _play(self, call: Call, replaced: Call | None) -> None:
        assert call.invite is not None
        for step in call.behaviour.steps:
            if call.ended:
                return
            match step.do:
                case "provisional":
                    self._provisional(call, step.status)
                case "refuse":
                    self._answer(call.invite, sip.reply(call.invite, step.status, tag=call.local_tag))
                    self._end(call, f"refused {step.status}")
                case "wait":
                    await asyncio.sleep(step.seconds)
                case "announce":
                    spelled = ". ".join(" ".join(part) for part in call.invite.get("x-confirmed").split("."))
                    text = f"Your address, {spelled}, is confirmed."
                    call.stream.speech = await asyncio.to_thread(speech, text)
                case "spoken":
                    await asyncio.sleep(len(call.stream.speech) / 8000)
                case "answer":
                    self._answer_call(call, replaced)
                case "pause" | "resume":
                    call.stream.paused = step.do == "pause"
                    self._note(step.do, call)
                case "reinvite":
                    await self.reinvite(call, step.direction)
                case "bye":
                    await self.bye(call)

    def _provisional(self, call: Call, status: int) -> None:
        assert call.invite is not None
        if status == 183:
            headers, body = call.headers(**{"Content-Type": "application/sdp"}), call.sdp()
            call.stream.start()
        else:
            headers, body = call.headers(), ""
        self._answer(
            call.invite, sip.reply(call.invite, status, tag=call.local_tag, headers=headers, body=body)
        )

    def _answer_call(self, call: Call, replaced: Call | None) -> None:
        assert call.invite is not None
        headers = call.headers(
            **{"Content-Type": "application/sdp", "Allow": "INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, INFO"}
        )
        if call.behaviour.session_expires and "timer" in call.invite.get("supported"):
            headers |= {"Session-Expires": call.behaviour.session_expires, "Require": "timer"}
        if replaced is not None:
            call.stream.continue_from(replaced.stream)
        call.answered = True
        self._answer(
            call.invite,
            sip.reply(call.invite, 200, tag=call.local_tag, headers=headers, body=call.sdp()),
        )
        call.stream.start()
        self._note("answered", call, replaced=replaced.call_id if replaced else "")
        self._spawn(self._repeat_until_ack(call, call.invite))
        if replaced is not None:
            self._spawn(self.bye(replaced))

    # --- what goes out ------------------------------------------------------------------------------------

    def late_success_came(self, response: sip.Message) -> None:
        self._acknowledge(response)

    def _acknowledge(self, response: sip.Message) -> None:
        call = self._find(response.get("call-id"), response.tag("from"))
        if call is None:
            return
        ack = call.request("ACK")
        number = response.get("cseq").split()[0]
        ack.headers = [(k, f"{number} ACK" if k == "cseq" else v) for k, v in ack.headers]
        self._send(ack.encode(), sip.host_port(call.routes[0] if call.routes else call.target))

    async def place(self, caller: str, uri: str, behaviour: str) -> str:
        """Call `uri` through the provider; gives the Call-ID at once. `behaviour`: a number of the table."""
        call_id = f"{sip.branch()}@{self._address}"
        local, remote = f"<sip:{caller}@{plan.PROVIDER_DOMAIN}>", f"<{uri}>"
        call = self._new_call(call_id, sip.user(uri), local, remote, BEHAVIOURS.get(behaviour, DEFAULT))
        call.target = uri
        call.script = self._spawn(self._placed(call))
        return call_id

    async def _placed(self, call: Call) -> None:
        body = call.sdp()
        headers = call.headers(**{"Content-Type": "application/sdp"})

        def ringing(response: sip.Message) -> None:
            self._note("provisional", call, status=response.status)

        response = await self._transact(call.request("INVITE", headers=headers, body=body), ringing)
        call.remote_tag = response.tag("to")
        if not 200 <= response.status < 300:
            self._end(call, f"refused {response.status}", status=response.status)
            return
        call.target = sip.address(response.get("contact"))
        call.routes = response.all("record-route")[::-1]
        call.take_media(response.body)
        self._acknowledge(response)
        call.answered = True
        call.stream.start()
        self._note("answered", call, contact=call.target)

    async def reinvite(self, call: Call, direction: str) -> int:
        """Offer the same stream again with another direction; gives the status."""
        call.cseq += 1
        headers = call.headers(**{"Content-Type": "application/sdp"})
        response = await self._transact(call.request("INVITE", headers=headers, body=call.sdp(direction)))
        if 200 <= response.status < 300:
            call.target = sip.address(response.get("contact")) or call.target
            call.take_media(response.body)
            call.direction = direction
            self._acknowledge(response)
        self._note("reinvited", call, status=response.status, direction=direction)
        return response.status

    async def bye(self, call: Call) -> int:
        """End a call; gives the status."""
        call.cseq += 1
        call.ended = True
        response = await self._transact(call.request("BYE"))
        self._end(call, f"bye sent {response.status}", status=response.status)
        return response.status

    def _end(self, call: Call, why: str, **more: object) -> None:
        call.ended = True
        call.acked.set()
        sent, heard = call.stream.sent, call.stream.received
        call.stream.close()
        if call.script is not None and call.script is not asyncio.current_task():
            call.script.cancel()
        self._note("ended", call, why=why, sent=sent, heard=heard, **more)

    # --- control ------------------------------------------------------------------------------------------

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One JSON request a line: call, bye, reinvite, pause, flush."""
        while line := await reader.readline():
            try:
                answer = await self._obey(json.loads(line))
            except (KeyError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        writer.close()

    async def _obey(self, request: dict[str, Any]) -> dict[str, object]:
        if request["do"] == "call":
            return {"call_id": await self.place(request["caller"], request["uri"], request["behaviour"])}
        wanted = request.get("call_id")
        calls = [call for call in self._calls.values() if not call.ended and wanted in (None, call.call_id)]
        if wanted and not calls and request["do"] != "flush":
            raise ValueError(f"no running call {wanted}")
        for call in calls:
            match request["do"]:
                case "flush":
                    call.stream.flush()
                case "bye":
                    self._spawn(self.bye(call))
                case "reinvite":
                    return {"status": await self.reinvite(call, request["direction"])}
                case "pause":
                    call.stream.paused = bool(request["paused"])
                case other:
                    raise ValueError(f"unknown command {other!r}")
        return {"calls": len(calls)}

    async def run(self, text: str, control: Path) -> None:
        """Serve for ever; says "ready" on stdout."""
        loop = asyncio.get_running_loop()
        self._speech = await asyncio.to_thread(speech, text)
        await loop.create_datagram_endpoint(lambda: self, local_addr=(self._address, plan.SIP_PORT))
        await asyncio.start_unix_server(self.control, control)
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(20))
    gc.freeze()

    async def _main() -> None:
        await Agent(Path(sys.argv[1]), plan.INNER_EXACT).run(SPEECH, Path(sys.argv[2]))

    asyncio.run(_main())
