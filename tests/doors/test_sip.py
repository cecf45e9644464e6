"""The SIP engine calls itself on loopback: uplinks on 127.0.0.1 and 127.0.0.2, the far end on 127.0.0.3."""

import queue
import struct
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v

PORT = 5160
FAR = v.Hop("127.0.0.3", PORT, "udp")
E = TypeVar("E")


class Bench:
    """An engine with its events in order."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.engine = Engine(
            self.events.put, EngineOptions(sip_port=PORT, rtp_ports=(14_000, 14_200), codecs=("PCMA", "PCMU"))
        )

    def do(self, command: v.Command) -> None:
        self.engine.do(command)

    def wait(self, kind: type[E], where: Callable[[E], bool] = lambda e: True, within_s: float = 5.0) -> E:
        """The next event of this kind for which `where` holds; others are passed over."""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left_s)
            except queue.Empty:
                break
            if isinstance(event, kind) and where(event):
                return event
        raise AssertionError(f"no {kind.__name__} came")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.engine.start()
    bench.wait(v.EngineUp)
    for uplink, address in (("main", "127.0.0.1"), ("backup", "127.0.0.2"), ("far", "127.0.0.3")):
        bench.do(v.BindPath(uplink, address, address, "udp"))
        assert bench.wait(v.PathBound).error == ""
    yield bench
    bench.engine.stop()
    assert not bench.engine.running


def tone(path: Path, hz: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(
            b"".join(struct.pack("<h", 8000 if (n * hz * 2 // 8000) % 2 else -8000) for n in range(8000))
        )
    return path


def loud_ms(path: Path) -> int:
    with wave.open(str(path), "rb") as file:
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    return sum(1 for s in samples if abs(s) > 2000) // 8


def call(bench: Bench, leg: int, uplink: str = "main") -> int:
    """A call from `leg` to the far side, answered; the far side's leg."""
    bench.do(v.StartLeg(leg, uplink, FAR, "442079460000", "sip.provider.test", "442037691880"))
    far = int(bench.wait(v.LegIncoming).leg)
    bench.do(v.AnswerLeg(far, 200))
    bench.wait(v.LegAnswered, lambda e: e.leg == leg)
    return far


def hang_up(bench: Bench, leg: int, far: int) -> None:
    bench.do(v.EndLeg(leg))
    bench.wait(v.LegEnded, lambda e: e.leg == far)


def test_far_end_reports_how_it_hears_us(bench: Bench, tmp_path: Path) -> None:
    """RTCP goes out about every five seconds (RFC 3550 §6.2)."""
    bench.do(v.OpenEnd("near", str(tone(tmp_path / "near.wav", 400)), ""))
    bench.do(v.OpenEnd("far", str(tone(tmp_path / "far.wav", 500)), ""))
    far = call(bench, 1)
    bench.do(v.Connect(1, "near"))
    bench.do(v.Connect(far, "far"))
    spoke = bench.wait(v.LegSpoke, lambda e: e.leg == 1 and e.far_jitter_ms > 0, within_s=15.0)
    assert spoke.far_loss is not None and spoke.far_loss < 0.05
    hang_up(bench, 1, far)
    for end in ("near", "far"):
        bench.do(v.CloseEnd(end))
        bench.wait(v.EndClosed)


def test_call_shows_caller_id_and_carries_audio_both_ways(bench: Bench, tmp_path: Path) -> None:
    near_tone, far_tone = tone(tmp_path / "near.wav", 400), tone(tmp_path / "far.wav", 500)
    bench.do(v.OpenEnd("near", str(near_tone), str(tmp_path / "near-heard.wav")))
    bench.do(v.OpenEnd("far", str(far_tone), str(tmp_path / "far-heard.wav")))
    bench.do(v.StartLeg(1, "main", FAR, "442079460000", "sip.provider.test", "442037691880"))
    incoming = bench.wait(v.LegIncoming)
    assert (incoming.called, incoming.caller, incoming.uplink) == ("442079460000", "442037691880", "far")
    assert incoming.source == f"127.0.0.1:{PORT}"
    bench.do(v.AnswerLeg(incoming.leg, 180))
    assert [bench.wait(v.LegProgress, lambda e: e.leg == 1).code for _ in range(2)] == [100, 180]
    bench.do(v.Connect(1, "near"))
    bench.do(v.Connect(incoming.leg, "far"))
    bench.do(v.AnswerLeg(incoming.leg, 200))
    bench.wait(v.LegAnswered, lambda e: e.leg == 1)
    bench.wait(v.LegSpoke, lambda e: e.leg == 1)
    bench.wait(v.LegSpoke, lambda e: e.leg == 1)
    hang_up(bench, 1, incoming.leg)
    for end in ("near", "far"):
        bench.do(v.CloseEnd(end))
        bench.wait(v.EndClosed)
    assert loud_ms(tmp_path / "near-heard.wav") > 500
    assert loud_ms(tmp_path / "far-heard.wav") > 500


def test_running_call_moves_in_its_dialog_and_is_heard_again(bench: Bench) -> None:
    far = call(bench, 11)
    bench.do(v.Reinvite(11, "backup", FAR))
    assert bench.wait(v.LegMedia, lambda e: e.leg == 11).state == "up"
    answer = bench.wait(v.LegReinvited)
    assert (answer.leg, answer.code, answer.move) == (11, 200, True)
    bench.do(v.EndLeg(far))  # the far side's BYE must reach the new address
    assert bench.wait(v.LegEnded, lambda e: e.leg == 11).answered


def test_call_over_tcp_moves_too(bench: Bench) -> None:
    hop = v.Hop("127.0.0.6", PORT, "tcp")
    for uplink, address in (("tcp-main", "127.0.0.4"), ("tcp-backup", "127.0.0.5"), ("tcp-far", "127.0.0.6")):
        bench.do(v.BindPath(uplink, address, address, "tcp"))
        assert bench.wait(v.PathBound).error == ""
    bench.do(v.StartLeg(15, "tcp-main", hop, "442079460000", "sip.provider.test", "442037691880"))
    incoming = bench.wait(v.LegIncoming)
    assert incoming.source.startswith("127.0.0.4:")
    bench.do(v.AnswerLeg(incoming.leg, 200))
    bench.wait(v.LegAnswered, lambda e: e.leg == 15)
    bench.do(v.Reinvite(15, "tcp-backup", hop))
    assert bench.wait(v.LegReinvited).code == 200
    bench.do(v.EndLeg(incoming.leg))
    assert bench.wait(v.LegEnded, lambda e: e.leg == 15).answered


def test_codecs_of_one_leg_do_not_change_those_of_the_next(bench: Bench) -> None:
    for leg, codecs, spoken in ((71, ("PCMU",), "PCMU"), (72, (), "PCMA")):
        bench.do(v.StartLeg(leg, "main", FAR, "442079460071", "sip.provider.test", "1234567", codecs=codecs))
        incoming = bench.wait(v.LegIncoming)
        bench.do(v.AnswerLeg(incoming.leg, 200))
        assert bench.wait(v.LegMedia, lambda e, leg=leg: e.leg == leg).codec == spoken  # type: ignore[misc]
        bench.wait(v.LegAnswered, lambda e, leg=leg: e.leg == leg)  # type: ignore[misc]
        hang_up(bench, leg, incoming.leg)


def test_held_call_moves_and_stays_held(bench: Bench) -> None:
    far = call(bench, 21)
    bench.do(v.HoldLeg(21, True))
    bench.wait(v.LegMedia, lambda e: e.leg == far and e.state == "remote_held")
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 21).move is False
    bench.do(v.Reinvite(21, "backup", FAR, hold=True))
    assert bench.wait(v.LegReinvited, lambda e: e.move).code == 200
    bench.do(v.HoldLeg(21, False))
    bench.wait(v.LegMedia, lambda e: e.leg == 21 and e.state == "up")
    hang_up(bench, 21, far)


def test_hold_that_was_wanted_during_the_move_follows_it(bench: Bench) -> None:
    far = call(bench, 31)
    bench.do(v.Reinvite(31, "backup", FAR, hold=True))
    assert bench.wait(v.LegReinvited, lambda e: e.leg == 31).move
    bench.wait(v.LegMedia, lambda e: e.leg == far and e.state == "remote_held")
    hang_up(bench, 31, far)


def test_digits_arrive_once_each(bench: Bench) -> None:
    far = call(bench, 41)
    bench.do(v.SendDigits(41, "12#"))
    heard = [bench.wait(v.LegDigit, lambda e: e.leg == far).digit for _ in range(3)]
    assert heard == ["1", "2", "#"]
    hang_up(bench, 41, far)


def test_refusal_tells_its_code(bench: Bench) -> None:
    bench.do(v.StartLeg(51, "main", FAR, "442079460001", "sip.provider.test", "442037691880"))
    bench.do(v.EndLeg(bench.wait(v.LegIncoming).leg, 486))
    ended = bench.wait(v.LegEnded, lambda e: e.leg == 51)
    assert (ended.code, ended.answered) == (486, False)


def test_options_tell_the_address_that_the_server_sees(bench: Bench) -> None:
    bench.do(v.KeepAlive("backup", FAR, "sip.provider.test"))
    kept = bench.wait(v.KeptAlive)
    assert (kept.uplink, kept.code, kept.observed) == ("backup", 200, "127.0.0.2")


def test_what_cannot_be_done_is_said_and_harms_nothing(bench: Bench) -> None:
    bench.do(v.StartLeg(61, "nowhere", FAR, "442079460002", "sip.provider.test", "442037691880"))
    assert "no SIP socket" in bench.wait(v.LegEnded, lambda e: e.leg == 61).reason
    bench.do(v.BindPath("ghost", "192.0.2.77", "192.0.2.77", "udp"))
    assert bench.wait(v.PathBound).error
    bench.do(v.OpenEnd("bad", "/nonexistent.wav", ""))
    assert "OpenEnd" in str(bench.wait(v.CommandFailed).command)
    bench.do(v.EndLeg(9999))
    bench.do(v.KeepAlive("main", FAR, "sip.provider.test"))
    assert bench.wait(v.KeptAlive).code == 200
