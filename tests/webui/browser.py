"""The page as an owner meets it: its own process on loopback, and Chromium in front of it."""

import contextlib
import hashlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.changes import AskPresence, SetPassword
from gateway.client import Client
from gateway.messages import Done

ROOT: Final = Path(__file__).resolve().parents[2]
CHROMIUM: Final = Path("/usr/bin/chromium")
PASSWORD: Final = "three small words"
SWITCHES: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SIZES: Final = {"phone": (360, 740), "desktop": (1280, 860)}
Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
STANDARD: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_AXE: Final = Path(__file__).with_name("axe")


class Served:
    """`python -m webui` for the daemon whose sockets are in `run`; end it by `close`. `state`: its folder."""

    def __init__(self, run: Path, log: Path, state: Path | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        words = ["--run", str(run), "--listen", f"127.0.0.1:{port}"]
        words += ["--state", str(state)] if state else []
        with log.open("w") as sink:
            self.child = subprocess.Popen([sys.executable, "-m", "webui", *words], cwd=ROOT, stderr=sink)
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/login", timeout=2):
                return
            if time.monotonic() > until or self.child.poll() is not None:
                self.close()
                raise RuntimeError(f"the page is not served: {log.read_text()}")
            time.sleep(0.05)

    def close(self) -> None:
        """End the process."""
        self.child.terminate()
        self.child.wait(10)


def set_password(run: Path, password: str = PASSWORD) -> None:
    """As somebody with a shell on a box that has no button."""
    with Client(run / "ctl.sock") as client:
        proof = client.request(AskPresence(why="test"), 10)
        assert isinstance(proof, Done), proof
        done = client.request(SetPassword(password=password, proof=str(proof.data["proof"])), 20)
        assert isinstance(done, Done), done


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


def visitor(browser: Browser, size: str = "desktop", scheme: Scheme = "light") -> BrowserContext:
    """Somebody with a session of his own."""
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", bypass_csp=False
    )


def log_in(page: Page, address: str, password: str = PASSWORD) -> None:
    """By the form, as anybody does."""
    page.goto(f"{address}/login")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def faults(page: Page) -> list[str]:
    """What axe-core finds wrong on the page as it is now, one sentence each; nothing is fine."""
    script = _AXE / "axe.min.js"
    expected = (_AXE / "SHA256SUMS").read_text().split()[0]
    source = script.read_bytes()
    assert hashlib.sha256(source).hexdigest() == expected, "axe-core is not the one that was vendored"
    page.evaluate(source.decode())  # by the inspector: the page's own policy lets no foreign script in
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(STANDARD)
    )
    return [
        f"{page.url}: {fault['id']} ({fault['help']}): {node['target']} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def look_everywhere(page: Page, where: Path, name: str) -> list[str]:
    """The page as it is now, at each width, light and dark: a picture of each into `where`, and what axe-core
    finds. A page that is wider than the screen is a fault as well."""
    where.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.screenshot(path=where / f"{name}-{scheme}-{size}.png", full_page=True)
            found += [f"{scheme} {size}: {fault}" for fault in faults(page)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{scheme} {size}: {page.url} is wider than the screen")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": SIZES["desktop"][0], "height": SIZES["desktop"][1]})
    return found
