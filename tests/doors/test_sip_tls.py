"""SIP over TLS: the server's certificate must bear the trunk's name, though nobody asks DNS for it."""

import queue
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.calls.sip import Engine, EngineOptions
from gateway.calls.sip import values as v

SERVER, NAME = "127.0.0.9", "sip.provider.test"
E = TypeVar("E")


def certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name`, and its key."""
    key, cert = directory / f"{name}.key", directory / f"{name}.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -keyout {key} -out {cert} -subj /CN={name} -addext subjectAltName=DNS:{name}".split(),
        check=True,
        capture_output=True,
    )
    return cert, key


@contextmanager
def server(cert: Path, key: Path) -> Iterator[tuple[int, "queue.SimpleQueue[str]"]]:
    """A TLS server that notes what it is told; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    listener = socket.create_server((SERVER, 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as stream:
                    stream.settimeout(5)
                    heard.put(stream.recv(65_535).decode())
            except OSError as error:
                heard.put(f"no TLS: {error}")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextmanager
def engine(ca_file: Path) -> Iterator[tuple[Engine, "queue.SimpleQueue[object]"]]:
    events: queue.SimpleQueue[object] = queue.SimpleQueue()
    engine = Engine(
        events.put, EngineOptions(sip_port=5460, rtp_ports=(17_000, 17_100), ca_file=str(ca_file))
    )
    engine.start()
    engine.do(v.BindPath("main", "127.0.0.1", "127.0.0.1", "tls"))
    assert take(events, v.PathBound).error == ""
    try:
        yield engine, events
    finally:
        engine.stop()


def take(events: "queue.SimpleQueue[object]", kind: type[E]) -> E:
    while True:
        event = events.get(timeout=5)
        if isinstance(event, kind):
            return event


def invite(engine: Engine, port: int) -> None:
    hop = v.Hop(SERVER, port, "tls", NAME)
    engine.do(v.StartLeg(1, "main", hop, "442079460000", NAME, "442037691880"))


def test_server_of_the_right_name_is_called(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, NAME)
    with server(cert, key) as (port, heard), engine(cert) as (box, _):
        invite(box, port)
        said = heard.get(timeout=5)
    assert said.startswith("INVITE sip:442079460000@sip.provider.test SIP/2.0")
    assert "Via: SIP/2.0/TLS 127.0.0.1:" in said


@pytest.mark.parametrize("fault", ["other name", "unknown authority"])
def test_server_that_cannot_prove_its_name_gets_no_call(tmp_path: Path, fault: str) -> None:
    name = "sip.elsewhere.test" if fault == "other name" else NAME
    cert, key = certificate(tmp_path, name)
    trusted = cert if fault == "other name" else certificate(tmp_path, "ca.test")[0]
    with server(cert, key) as (port, heard), engine(trusted) as (box, events):
        invite(box, port)
        assert take(events, v.LegEnded).code == 0
        assert not heard.get(timeout=5).startswith("INVITE")
