"""The laboratory's pure parts: numbered frames, G.711, RTP, SDP, SIP messages, STUN, pcap. No root needed."""

import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import message as sip
from tests.lab import rtp
from tests.lab.capture import read
from tests.lab.hosts import stun_answer
from tests.lab.netns import LabError
from tests.lab.stream import Sdp, parse_sdp


@given(st.integers(0, 0xFFFF), st.sampled_from([rtp.PCMA, rtp.PCMU]))
def test_a_frame_carries_its_number_on_the_wire_and_in_audio(number: int, payload_type: int) -> None:
    payload = rtp.frame(number, payload_type)
    assert rtp.number_of(payload) == number
    decoded = rtp.linear(payload_type, payload + rtp.frame(number + 1, payload_type))
    assert decoded is not None
    samples = array("h", [0] * 37) + decoded + array("h", [0] * 11)
    assert rtp.numbers_in(samples) == [(37, number), (197, (number + 1) & 0xFFFF)]


@pytest.mark.parametrize("payload_type", [rtp.PCMA, rtp.PCMU])
def test_silence_and_other_sizes_carry_no_number(payload_type: int) -> None:
    assert rtp.number_of(rtp.SILENCE[payload_type]) is None
    assert rtp.number_of(rtp.frame(7, payload_type)[:-1]) is None


@given(st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary(max_size=200))
def test_rtp_comes_back_as_it_went(kind: int, sequence: int, ssrc: int, payload: bytes) -> None:
    assert rtp.unpack(rtp.pack(kind, sequence, 160, ssrc, payload, marker=True)) == (
        kind,
        sequence,
        160,
        ssrc,
        payload,
    )


@given(st.binary(max_size=60))
def test_rubbish_is_no_rtp_no_sip_and_no_stun_but_harms_nothing(data: bytes) -> None:
    parsed = rtp.unpack(data)
    assert parsed is None or data[0] >> 6 == 2
    assert sip.parse(data) is None
    assert stun_answer(data, ("192.0.2.1", 1)) is None


def test_a_gap_is_what_exceeds_the_frame(tmp_path: Path) -> None:
    ((start_s, length_s),) = rtp.gaps([0.0, 0.02, 0.04, 0.18, 0.2])
    assert (start_s, round(length_s, 3)) == (0.04, 0.12)
    heard = rtp.Heard(1.5, "192.0.2.11", 4000, 8, 0xFFFFFFFF, 65535, 160, 2**32 - 1, None)
    path = tmp_path / "log"
    path.write_bytes(rtp.store(heard) + b"torn")
    assert rtp.load(path) == [heard]


def test_an_offer_is_read_as_it_was_written() -> None:
    offer = Sdp("192.0.2.11", 30000, rtp.PCMA, "sendonly", 101)
    assert parse_sdp(offer.encode(1)) == offer
    assert parse_sdp(offer.encode(1).replace("RTP/AVP 8 101", "RTP/AVP 3")) is None


def test_a_sip_message_keeps_headers_tags_and_routes() -> None:
    text = (
        b"INVITE sip:100@192.0.2.1:5070;lr SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9;rport\r\n"
        b"f: <sip:x@y>;tag=t1\r\nTo: <sip:z@y>\r\ni: c1\r\nCSeq: 7 INVITE\r\n"
        b"Record-Route: <sip:p1;lr>,\r\n <sip:p2;lr>\r\n\r\nbody"
    )
    message = sip.parse(text)
    assert message is not None
    assert (message.method, message.status, message.tag("from"), message.tag("to")) == ("INVITE", 0, "t1", "")
    assert message.all("record-route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert (sip.user(message.uri), sip.host_port(message.uri)) == ("100", ("192.0.2.1", 5070))
    again = sip.parse(sip.reply(message, 486, tag="mine").encode())
    assert again is not None
    assert (again.status, again.method, again.tag("to"), again.body) == (486, "INVITE", "mine", "")


def test_stun_tells_the_source_masked() -> None:
    request = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"123456789012")
    answer = stun_answer(request, ("203.0.113.2", 5060))
    assert answer is not None
    assert answer[:2] == b"\x01\x01"
    assert answer[8:20] == b"123456789012"
    port, address = struct.unpack_from("!HI", answer, 26)
    assert (port ^ 0x2112, (address ^ 0x2112A442).to_bytes(4, "big")) == (5060, bytes([203, 0, 113, 2]))


def test_the_reader_names_a_file_that_is_no_capture_and_takes_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"not a capture, but long enough")
    with pytest.raises(LabError, match="no pcap of link type LINUX_SLL2"):
        list(read(path))
    path.write_bytes(
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 276) + struct.pack("<IIII", 1, 0, 99, 99)
    )
    assert list(read(path)) == []
