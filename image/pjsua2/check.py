#!/usr/bin/env python3
"""Proves that the installed pjsua2 is what Steadyline needs: limits, codecs, devices, and life after a flood.

    build/venv/bin/python image/pjsua2/check.py

Prints a table; exit code 1 if a line of it does not hold. Everything stays on
loopback and ends within half a minute.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pjsua2 as pj

CALLS, ACCOUNTS, TRANSPORTS = 128, 64, 32
CODECS = {"PCMA/8000/1", "PCMU/8000/1", "G722/16000/1", "opus/48000/2"}
LIBRARIES = (
    "libssl.so.3",
    "libcrypto.so.3",
    "libsrtp2.so.1",
    "libopus.so.0",
    "libspeexdsp.so.1",
    "libasound.so.2",
)
FLOOD_PER_S, FLOOD_S = 1000, 5
FLOOD_RSS_MB = 500  # what the flood may leave behind before its transactions time out


class Call(pj.Call):
    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        if self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED:
            LIVE.pop(self.getId(), None)


LIVE: dict[int, Call] = {}


class Busy(pj.Account):
    """Answers every call 486, as a box without a free line does."""

    refused = 0

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = Call(self, prm.callId)
        LIVE[prm.callId] = call
        answer = pj.CallOpParam()
        answer.statusCode = pj.PJSIP_SC_BUSY_HERE
        Busy.refused += 1
        call.hangup(answer)


@contextlib.contextmanager
def endpoint() -> Iterator[pj.Endpoint]:
    """pjsua2 with one thread and no sound, as the calls process runs it."""
    ep = pj.Endpoint()
    ep.libCreate()
    config = pj.EpConfig()
    config.uaConfig.maxCalls = CALLS
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.sndClockRate = config.medConfig.clockRate = 8000
    ep.libInit(config)
    ep.libStart()
    ep.audDevManager().setNullDev()
    yield ep
    ep.libDestroy()


def udp(ep: pj.Endpoint) -> int:
    config = pj.TransportConfig()
    config.boundAddress = "127.0.0.1"
    return ep.transportCreate(pj.PJSIP_TRANSPORT_UDP, config)


def fill(create: Callable[[], object], limit: int) -> str:
    """How many could be made, up to one more than wanted; the one too many must be an error, not an abort."""
    made = []
    for _ in range(limit + 1):
        try:
            made.append(create())
        except pj.Error:
            break
    KEEP.extend(made)
    return str(len(made))


KEEP: list[object] = []


def account(transport: int, name: str, srtp: bool = False) -> pj.Account:
    config = pj.AccountConfig()
    config.idUri = f"sip:{name}@127.0.0.1"
    config.sipConfig.transportId = transport
    config.mediaConfig.transportConfig.port = 0
    config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    if srtp:
        config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
        config.mediaConfig.srtpSecureSignaling = 0
    made = Busy()
    made.create(config)
    KEEP.append(made)
    return made


def offer(ep: pj.Endpoint, caller: pj.Account) -> str:
    """The INVITE that a call of this account sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.setblocking(False)
        call = Call(caller)
        call.makeCall(f"sip:far@127.0.0.1:{far.getsockname()[1]}", pj.CallOpParam(True))
        KEEP.append(call)
        end_s = time.monotonic() + 5
        while time.monotonic() < end_s:
            ep.libHandleEvents(10)
            with contextlib.suppress(BlockingIOError):
                return far.recv(65536).decode()
    return ""


def reporter() -> Callable[[str, object], None]:
    """Gives a child its own line to the parent, and pjlib's first words to stderr."""
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def show(name: str, found: object) -> None:
        print(f"{name}\t{found}", file=report, flush=True)

    return show


def limits() -> None:
    """Child process: prints `name<tab>found` lines."""

    show = reporter()
    with endpoint() as ep:
        show("version", ep.libVersion().full)
        show("codecs", " ".join(sorted(codec.codecId for codec in ep.codecEnum2())))
        maps = Path("/proc/self/maps").read_text()
        show("libraries", " ".join(name for name in LIBRARIES if name in maps))
        transport = udp(ep)
        try:
            ep.transportCreate(pj.PJSIP_TRANSPORT_TLS, pj.TransportConfig())
            show("tls", "listens")
        except pj.Error as error:
            show("tls", error.info())
        crypto = re.search(r"a=crypto:\d+ (\S+)", offer(ep, account(transport, "srtp", srtp=True)))
        show("srtp", crypto[1] if crypto else "no crypto in the offer")
        # Each of these is counted with what stands already.
        show("transports", int(fill(lambda: udp(ep), TRANSPORTS - 2)) + 2)
        show("accounts", int(fill(lambda: account(transport, "more"), ACCOUNTS - 1)) + 1)
        caller = next(one for one in reversed(KEEP) if isinstance(one, pj.Account))
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))

        def dial() -> Call:
            call = Call(caller)
            call.makeCall(f"sip:far@127.0.0.1:{silent.getsockname()[1]}", pj.CallOpParam(True))
            return call

        show("calls", int(fill(dial, CALLS - 1)) + 1)
        # What was proved is proved: 128 unanswered calls need no polite end.
        os._exit(0)


def target() -> None:
    """Child process: prints its address, refuses calls until its input closes, then what it is left with."""
    show = reporter()
    with endpoint() as ep:
        transport = udp(ep)
        account(transport, "target")
        show("address", ep.transportGetInfo(transport).localAddress)
        os.set_blocking(sys.stdin.fileno(), False)
        while sys.stdin.buffer.read() is None:
            ep.libHandleEvents(5)
        show("left", f"{Busy.refused} {rss_mb()}")
        os._exit(0)


def rss_mb() -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024  # type: ignore[index]


def invite(number: int, port: int, method: str = "INVITE") -> bytes:
    return (
        f"{method} sip:box@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKflood{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:far@127.0.0.1>;tag={number}\r\nTo: <sip:box@127.0.0.1>\r\n"
        f"Call-ID: flood-{number}\r\nCSeq: 1 {method}\r\nContact: <sip:far@127.0.0.1:{port}>\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def flood() -> tuple[str, bool]:
    """Sends INVITEs at a steady rate, then asks with OPTIONS whether somebody is still there."""
    child = subprocess.Popen(
        [sys.executable, __file__, "target"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin and child.stdout
    host, _, port = child.stdout.readline().split()[1].rpartition(":")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        sender.bind(("127.0.0.1", 0))
        asker.bind(("127.0.0.1", 0))
        start_s, sent = time.monotonic(), 0
        while (elapsed_s := time.monotonic() - start_s) < FLOOD_S and child.poll() is None:
            while sent < elapsed_s * FLOOD_PER_S:
                sender.sendto(invite(sent, sender.getsockname()[1]), (host, int(port)))
                sent += 1
            time.sleep(0.002)
        asker.settimeout(1)
        answered = False
        for attempt in range(10):
            asker.sendto(invite(-1 - attempt, asker.getsockname()[1], "OPTIONS"), (host, int(port)))
            with contextlib.suppress(TimeoutError):
                answered = asker.recv(65536).startswith(b"SIP/2.0 ")
                break
    try:
        rest, _ = child.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        rest, _ = child.communicate()
    if child.returncode != 0 or "\t" not in rest:
        return f"ended after {sent} INVITEs, exit {child.returncode}", False
    _, refused, rss = rest.split()
    found = f"{sent} sent, {refused} refused 486, then {'answers' if answered else 'is silent'}, {rss} MB"
    return found, answered and int(rss) <= FLOOD_RSS_MB


def main() -> int:
    if len(sys.argv) > 1:
        {"limits": limits, "target": target}[sys.argv[1]]()
        return 0
    child = subprocess.run(
        [sys.executable, __file__, "limits"], capture_output=True, text=True, timeout=60, check=False
    )
    found = dict(line.split("\t", 1) for line in child.stdout.splitlines() if "\t" in line)
    rows: list[tuple[str, str, Callable[[str], bool]]] = [
        ("version", "2.17 or newer", lambda text: tuple(map(int, text.split(".")[:2])) >= (2, 17)),
        ("calls", str(CALLS), str(CALLS).__eq__),
        ("accounts", str(ACCOUNTS), str(ACCOUNTS).__eq__),
        ("transports", str(TRANSPORTS), str(TRANSPORTS).__eq__),
        ("codecs", " ".join(sorted(CODECS)), lambda text: set(text.split()) == CODECS),
        ("tls", "listens", "listens".__eq__),
        ("srtp", "AES crypto in the offer", lambda text: text.startswith("AES_")),
        (
            "libraries",
            "OpenSSL 3, SRTP, Opus, speexdsp, ALSA",
            lambda text: len(text.split()) == len(LIBRARIES),
        ),
    ]
    table = [
        (name, wanted, found.get(name, "-"), name in found and holds(found[name]))
        for name, wanted, holds in rows
    ]
    text, held = flood()
    table.append(
        (f"{FLOOD_PER_S} INVITE/s, {FLOOD_S} s", f"lives, answers, <= {FLOOD_RSS_MB} MB", text, held)
    )
    for name, wanted, text, held in table:
        print(f"{'ok  ' if held else 'FAIL'} {name:18} {text}{'' if held else f'   (wanted: {wanted})'}")
    if child.returncode:
        print(f"FAIL limits ended with exit {child.returncode}\n{child.stderr[-2000:]}")
    return 0 if child.returncode == 0 and all(row[3] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
