"""The real daemon around a fake uplinks room, the page on it, and a visitor without JavaScript."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.changes import AskPresence, SetPassword
from gateway.client import Client, GoneError
from gateway.messages import Done
from webui.app import create_app
from webui.box import Box

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "example.toml"
PASSWORD = "three small words"


class Visitor:
    """Opens pages and sends forms, with the token that the last page had."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, address: str, **more: object) -> TestResponse:
        return self._kept(self.client.get(address, buffered=True, **more))

    def post(self, address: str, form: Mapping[str, object] | None = None, **more: object) -> TestResponse:
        data = {"token": self.token, **(form or {})}
        return self._kept(self.client.post(address, data=data, **more))

    def _kept(self, answer: TestResponse) -> TestResponse:
        if found := re.search(rb'name="token" value="([^"]+)"', answer.data):
            self.token = found[1].decode()
        return answer

    def log_in(self, password: str = PASSWORD) -> TestResponse:
        self.get("/login")
        answer = self.post("/login", {"password": password})
        self.get("/")
        return answer


class House:
    """A daemon with directories of its own; ends with the test."""

    def __init__(self, directory: Path, text: str) -> None:
        self.settings = directory / "settings.toml"
        self.state, self.run = directory / "state", directory / "run"
        if text:
            self.settings.write_text(text)
        for folder in (self.state, self.run):
            folder.mkdir()
        words = ["daemon", str(self.settings), str(self.state), str(self.run)]
        self._log = directory / "log"
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes", *words], cwd=ROOT, stderr=log
            )
        until = time.monotonic() + 20
        while not self._there():
            assert time.monotonic() < until and self._child.poll() is None, self._log.read_text()
            time.sleep(0.05)

    def _there(self) -> bool:
        try:
            with Client(self.run / "web.sock"):
                return True
        except GoneError:
            return False

    def set_password(self, password: str = PASSWORD) -> None:
        """As somebody with a shell on a box that has no button."""
        with Client(self.run / "ctl.sock") as client:
            proof = client.request(AskPresence(why="test"), 10)
            assert isinstance(proof, Done)
            done = client.request(SetPassword(password=password, proof=str(proof.data["proof"])), 20)
            assert isinstance(done, Done), done

    def visitor(self) -> Visitor:
        """Somebody new, who has no session yet."""
        app = create_app(Box(self.run), names=["box.local"])
        app.testing = False
        return Visitor(app.test_client())

    def close(self) -> None:
        self._child.terminate()
        self._child.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, EXAMPLE.read_text())
    yield house
    house.close()


@pytest.fixture
def owner(house: House) -> Visitor:
    """Logged in."""
    house.set_password()
    visitor = house.visitor()
    visitor.log_in()
    return visitor


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Logged in to a house that all tests of a module share: for those that only look."""
    shared = House(tmp_path_factory.mktemp("shared"), EXAMPLE.read_text())
    shared.set_password()
    visitor = shared.visitor()
    visitor.log_in()
    yield visitor
    shared.close()
