"""Other terms while calls run: ports, codecs, public address, login. The far end is the engine itself."""

import queue
import socket
from collections.abc import Iterator

import pjsua2 as pj
import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v
from gateway.calls.sip.paths import IDLE_S, Sockets
from tests.doors.test_sip import Bench, hang_up

PORT = 5170
FAR = v.Hop("127.0.0.3", PORT, "udp")
USUAL = v.Configure(PORT, (14_300, 14_400), ("PCMA", "PCMU"), "off", 1800)


class Terms(Bench):
    """An engine on ports of its own."""

    def __init__(self) -> None:
        self.events = queue.SimpleQueue()
        self.engine = Engine(
            self.events.put, EngineOptions(sip_port=PORT, rtp_ports=USUAL.rtp_ports, codecs=USUAL.codecs)
        )


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Terms()
    bench.engine.start()
    bench.wait(v.EngineUp)
    for uplink, address in (("main", "127.0.0.1"), ("backup", "127.0.0.2"), ("far", "127.0.0.3")):
        bench.do(v.BindPath(uplink, address, address, "udp"))
        assert bench.wait(v.PathBound).error == ""
    yield bench
    bench.engine.stop()
    assert not bench.engine.running


def start(bench: Bench, leg: int, hop: v.Hop = FAR, uplink: str = "main") -> v.LegIncoming:
    bench.do(v.StartLeg(leg, uplink, hop, "442079460000", "sip.provider.test", "442037691880"))
    return bench.wait(v.LegIncoming)


def up(bench: Bench, leg: int, hop: v.Hop = FAR) -> int:
    incoming = start(bench, leg, hop)
    bench.do(v.AnswerLeg(incoming.leg, 200))
    bench.wait(v.LegAnswered, lambda e: e.leg == leg)
    return incoming.leg


def test_running_call_goes_on_under_its_own_terms_while_new_ones_have_others(bench: Bench) -> None:
    far = up(bench, 1)
    bench.do(v.Configure(PORT + 10, (14_500, 14_600), ("PCMU",), "off", 900))
    incoming = start(bench, 2, v.Hop("127.0.0.3", PORT + 10, "udp"))
    assert incoming.source == f"127.0.0.1:{PORT + 10}"
    bench.do(v.AnswerLeg(incoming.leg, 200))
    assert bench.wait(v.LegMedia, lambda e: e.leg == 2).codec == "PCMU"
    bench.wait(v.LegAnswered, lambda e: e.leg == 2)
    bench.do(v.Reinvite(1, "backup", FAR))
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 1).code == 200
    bench.do(v.EndLeg(far))
    assert bench.wait(v.LegEnded, lambda e: e.leg == 1).answered, "the old port still hears"
    hang_up(bench, 2, incoming.leg)


def test_terms_may_change_again_and_again_and_back(bench: Bench) -> None:
    far = up(bench, 1)
    for turn in range(6):
        bench.do(v.Configure(PORT + turn % 2, USUAL.rtp_ports, USUAL.codecs, "off", 900 + turn % 2))
        other = up(bench, 10 + turn, v.Hop("127.0.0.3", PORT + turn % 2, "udp"))
        hang_up(bench, 10 + turn, other)
    bench.do(v.Reinvite(1, "backup", None))
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 1).code == 200
    hang_up(bench, 1, far)


def test_uplink_that_comes_later_serves_old_calls_too(bench: Bench) -> None:
    far = up(bench, 1)
    bench.do(v.Configure(PORT, (14_500, 14_600), USUAL.codecs, "off", 900))
    bench.do(v.BindPath("late", "127.0.0.7", "127.0.0.7", "udp"))
    assert bench.wait(v.PathBound).error == ""
    bench.do(v.Reinvite(1, "late", FAR))
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 1).code == 200
    hang_up(bench, 1, far)


def test_public_address_changes_while_a_call_is_up(bench: Bench) -> None:
    far = up(bench, 1)
    bench.do(v.BindPath("main", "127.0.0.1", "198.51.100.7", "udp"))
    assert bench.wait(v.PathBound).error == ""
    bench.do(v.Reinvite(1, "backup", FAR))
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 1).code == 200
    hang_up(bench, 1, far)
    assert start(bench, 2).source == f"127.0.0.1:{PORT}", "the newest socket is the one that sends"
    bench.do(v.EndLeg(2))


def test_login_is_given_up_and_another_one_takes_its_place(bench: Bench) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registrar:
        registrar.bind(("127.0.0.9", PORT))
        registrar.settimeout(5)
        hop = v.Hop("127.0.0.9", PORT, "udp")
        bench.do(v.Register("main", hop, "sip.provider.test", "one", "secret", 300))
        assert heard(registrar) == ("sip:one@sip.provider.test", 300)
        assert bench.wait(v.Registered).code == 200
        bench.do(v.Register("main", hop, "sip.provider.test", "two", "secret", 300))
        assert sorted([heard(registrar), heard(registrar)]) == [
            ("sip:one@sip.provider.test", 0),
            ("sip:two@sip.provider.test", 300),
        ]
        assert bench.wait(v.Registered).code == 200
        bench.do(v.Configure(PORT, (14_500, 14_600), USUAL.codecs, "off", 900))
        bench.do(v.Unregister())
        assert heard(registrar) == ("sip:two@sip.provider.test", 0)
        bench.do(v.Unregister())
        bench.do(v.KeepAlive("main", FAR, "sip.provider.test"))
        assert bench.wait(v.KeptAlive).code == 200


def heard(registrar: socket.socket) -> tuple[str, int]:
    """Whom the next REGISTER is for, and for how long; it is answered."""
    data, sender = registrar.recvfrom(4096)
    lines = data.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    kept = ("Via", "From", "To", "Call-ID", "CSeq")
    expires = int(fields["Expires"])
    contact = [f"Contact: {fields['Contact']};expires={expires}"] if expires else []
    answer = ["SIP/2.0 200 OK", *(f"{name}: {fields[name]}" for name in kept), *contact, "Content-Length: 0"]
    registrar.sendto(("\r\n".join(answer) + "\r\n\r\n").encode(), sender)
    return fields["To"].strip("<>"), expires


class Slots:
    """pjsua's table of transports, with as many places."""

    def __init__(self) -> None:
        self.taken: set[int] = set()

    def transportCreate(self, kind: int, config: pj.TransportConfig) -> int:
        number = next(n for n in range(32) if n not in self.taken)
        self.taken.add(number)
        return number

    def transportClose(self, number: int) -> None:
        self.taken.remove(number)


def test_sockets_that_nobody_uses_make_room_after_a_while() -> None:
    slots = Slots()
    sockets = Sockets(slots, "")  # type: ignore[arg-type]
    used: set[int] = set()
    for turn in range(100):
        number = sockets.open(v.BindPath("main", f"127.0.1.{turn}", "198.51.100.1", "udp"), PORT)
        used = {number}
        sockets.tidy(used, turn * IDLE_S / 4)
        assert slots.taken >= used and len(slots.taken) < 9
    assert 0 in slots.taken, "pjsua makes no account without it"
    late = sockets.open(v.BindPath("main", "127.0.1.98", "198.51.100.1", "udp"), PORT)
    assert late not in used and len(slots.taken) < 9, "it stands still, and is used again"
