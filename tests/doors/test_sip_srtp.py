"""SRTP as the owner chooses: offered it is used, required it is never done without."""

import queue
import socket

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v

PORT = 5560
NEAR, FAR = ("127.0.0.1", PORT), ("127.0.0.8", PORT)


def offer(srtp: str) -> str:
    """The INVITE that an engine with this choice sends."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(FAR)
    peer.settimeout(5)
    events: queue.SimpleQueue[object] = queue.SimpleQueue()
    engine = Engine(
        events.put, EngineOptions(sip_port=PORT, rtp_ports=(18_000, 18_100), codecs=("PCMA",), srtp=srtp)
    )
    engine.start()
    try:
        engine.do(v.BindPath("main", NEAR[0], NEAR[0], "udp"))
        engine.do(v.StartLeg(1, "main", v.Hop(*FAR, "udp"), "442079460000", "sip.provider.test", "1234567"))
        return peer.recv(65_535).decode()
    finally:
        engine.stop()
        peer.close()


@pytest.mark.parametrize(
    ("srtp", "profile", "keys"),
    [("off", "RTP/AVP", False), ("offer", "RTP/AVP", True), ("require", "RTP/SAVP", True)],
)
def test_offer_says_what_the_owner_chose(srtp: str, profile: str, keys: bool) -> None:
    invite = offer(srtp)
    assert f" {profile} 8" in invite
    assert ("a=crypto:" in invite) == keys
