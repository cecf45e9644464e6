"""The box's own nginx.conf before the page: TLS that its authority vouches for, streams that come at once."""

import contextlib
import http.client
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.page import Front
from tests.webui.conftest import EXAMPLE, PASSWORD, House

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def house_and_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Front]]:
    if os.geteuid() != 0 or not shutil.which("nginx"):
        pytest.skip("needs root and nginx")
    house = House(tmp_path_factory.mktemp("front"), EXAMPLE.read_text())
    house.set_password()
    front = Front(house.run)
    yield house, front
    front.close()
    house.close()


def entered(front: Front) -> str:
    """The cookie of somebody who has logged in."""
    opened = http.client.HTTPSConnection("127.0.0.1", front.port, timeout=10, context=front.trust)
    with contextlib.closing(opened) as asked:
        asked.request("GET", "/login")
        answer = asked.getresponse()
        form = answer.read().decode()
        cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        token = form.partition('name="token" value="')[2].partition('"')[0]
        asked.request(
            "POST",
            "/login",
            f"token={token}&password={PASSWORD.replace(' ', '+')}",
            {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Origin": _origin(front)},
        )
        answer = asked.getresponse()
        answer.read()
    assert answer.status == 303 and answer.headers["Set-Cookie"].startswith("__Host-session=")
    return answer.headers["Set-Cookie"].partition(";")[0]


def _origin(front: Front) -> str:
    return f"https://127.0.0.1:{front.port}"


def test_what_happens_comes_through_at_once(house_and_front: tuple[House, Front]) -> None:
    house, front = house_and_front
    cookie = entered(front)
    with (
        socket.create_connection(("127.0.0.1", front.port), 8) as raw,
        front.trust.wrap_socket(raw, server_hostname="127.0.0.1") as stream,
    ):
        stream.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
        heard = b""
        while b"retry:" not in heard:  # before anything has happened
            heard += stream.recv(4096)
        assert b"text/event-stream" in heard
        house.set_password()  # the timeline tells of it
        while b"event: changed" not in heard and b"event: event" not in heard:
            more = stream.recv(4096)
            assert more, heard
            heard += more


def test_static_files_come_from_the_front_with_its_headers(house_and_front: tuple[House, Front]) -> None:
    _, front = house_and_front
    asked = http.client.HTTPSConnection("127.0.0.1", front.port, timeout=10, context=front.trust)
    asked.request("GET", "/static/steadyline.css", headers={"Accept-Encoding": "gzip"})
    answer = asked.getresponse()
    answer.read()
    assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    asked.request("GET", "/static/../page.key")
    answer = asked.getresponse()
    answer.read()
    assert answer.status in (400, 403, 404)
    asked.close()


def test_the_key_is_nowhere_to_be_fetched(house_and_front: tuple[House, Front]) -> None:
    _, front = house_and_front
    for path in ("/page.key", "/authority.key", "/static/%2e%2e/page.key", "/authority.crt/../authority.key"):
        assert front.get(path)[0] in (302, 400, 404), path
    assert (Path(front.folder) / "page.key").exists()
    assert front.get("/authority.crt")[0] == 200
