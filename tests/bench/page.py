"""The page as the box serves it: nginx with TLS in front, the page behind, a history that is full.

100,000 calls and 30 days of minutes stand in the history; every page is fetched again and
again through the front.
"""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.history.model import Batch
from gateway.history.store import Store
from gateway.messages import CallEnded, Event, UseUplink
from gateway.records import Sample
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.webui.browser import CHROMIUM, PASSWORD, Served, chromium, log_in, set_password, visitor

ROOT: Final = Path(__file__).resolve().parents[2]
CALLS: Final = 100_000
MINUTES: Final = 30 * 1440
PAGES: Final = {
    "Home": "/",
    "Calls": "/calls/",
    "Calls, searched": "/calls/?words=7946",
    "a call": "/calls/50000",
    "Internet lines": "/lines/",
    "a line over 30 days": "/lines/main?hours=720",
    "Phones": "/phones/",
    "Trunk and numbers": "/trunk/",
    "Timeline": "/timeline/",
    "System": "/system/",
    "Settings": "/settings/",
    "a section": "/settings/in/trunk",
    "Expert": "/expert/",
}
SLOW: Final = 200


def fill(state: Path, now: float) -> None:
    """A history as long as the box keeps one."""
    store = Store(state)
    calls, events = [], []
    for n in range(CALLS):
        began = now - (CALLS - n) * 25.0
        calls.append(
            CallEnded(
                call=n, direction="out", phone="desk", remote=f"+44207946{n % 10_000:04d}",
                caller_id="442037691880", uplink="main", started_at=began, answered_at=began + 3,
                ended_at=began + 20, sip_code=200, reason="Normal clearing", moves=n % 50 == 0,
                attempts=("main: 200 OK",), mos=4.3,
            )
        )  # fmt: skip
        if n % 2:
            events.append(Event(at=began, kind="call", text=f"Call {n} ended.", uplink="main", call=n))
    minutes = [(up.name, _minute(now - n * 60 - now % 60)) for up in plan.UPLINKS for n in range(1, MINUTES)]
    for at in range(0, max(len(calls), len(minutes)), 10_000):
        store.write(Batch(calls[at : at + 10_000], events[at : at + 10_000], minutes[at : at + 10_000]))
    store.write(Batch([], [], minutes[CALLS:]))
    store.close()


def _minute(at: float) -> Sample:
    return Sample(
        at=at, seconds=60, state="up", usable=1, carried=1, rtt_ms=40.0, jitter_ms=1.0, loss=0.0, mos=4.3
    )


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Front:
    """The box's own nginx.conf at other places, and the page on its unix socket."""

    def __init__(self, run: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="front-"))
        self.port = _free()
        subprocess.run([sys.executable, "-m", "webui.certificate", self.folder], cwd=ROOT, check=True)
        text = (ROOT / "systemd" / "nginx.conf").read_text()
        for old, new in (
            *(("/run/steadyline-front", self.folder), ("/run/steadyline-web", self.folder)),
            *(
                ("/var/lib/steadyline-front", self.folder),
                ("/opt/steadyline/static", ROOT / "webui" / "static"),
            ),
        ):
            text = text.replace(old, str(new))
        text = re.sub(r"listen \[::\]:.*\n", "", text)
        text = text.replace("listen 80 ", f"listen 127.0.0.1:{_free()} ")
        text = text.replace("listen 443 ", f"listen 127.0.0.1:{self.port} ")
        (self.folder / "nginx.conf").write_text("user root;\n" + text)
        web = ["--run", str(run), "--unix", str(self.folder / "page.sock"), "--state", str(self.folder)]
        # As the unit sets it.
        lean = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}
        with (self.folder / "log").open("w") as log:
            self.children = [
                subprocess.Popen([sys.executable, "-m", "webui", *web], cwd=ROOT, stderr=log, env=lean),
                subprocess.Popen(["nginx", "-c", str(self.folder / "nginx.conf")], stderr=log),
            ]
        self.trust = ssl.create_default_context(cafile=str(self.folder / "authority.crt"))
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/login")[0] in (200, 302):
                    return
            if time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.1)

    def get(self, path: str, cookie: str = "") -> tuple[int, float]:
        """The status and how long it took, in milliseconds, with a connection of its own."""
        began = time.monotonic()
        asked = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.trust)
        with contextlib.closing(asked):
            asked.request("GET", path, headers={"Cookie": cookie} if cookie else {})
            answer = asked.getresponse()
            answer.read()
        return answer.status, (time.monotonic() - began) * 1000

    def pss_mb(self) -> float:
        """Of all its processes together."""
        whole = 0
        for child in self.children:
            below = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
            for pid in (child.pid, *map(int, below)):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
                whole += int(found[1]) if found else 0
        return whole / 1024

    def close(self) -> None:
        """End both."""
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def dawdlers(port: int, count: int) -> Iterator[None]:
    """Clients that connect, say half a request, and then nothing."""
    held = []
    loose = ssl.create_default_context()
    loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
    try:
        for number in range(count):
            raw = socket.create_connection(("127.0.0.1", port), 5)
            held.append(raw)
            if number % 2:
                held[-1] = loose.wrap_socket(raw)
                held[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127")
        yield
    finally:
        for one in held:
            one.close()


def run(quick: bool) -> list[Figure]:
    """Pages, memory, events, dawdlers."""
    rounds = 5 if quick else 40
    with Scene("bench-page") as stage:
        fill(stage.box.state, time.time())
        set_password(stage.box.run)
        front = Front(stage.box.run)
        try:
            with chromium() as browser, browser.new_context(ignore_https_errors=True) as context:
                page = context.new_page()
                log_in(page, f"https://127.0.0.1:{front.port}", PASSWORD)
                cookie = "; ".join(f"{c.get('name')}={c.get('value')}" for c in context.cookies())
            times: dict[str, list[float]] = {name: [] for name in PAGES}
            for _ in range(rounds):
                for name, address in PAGES.items():
                    status, took = front.get(address, cookie)
                    if status != 200:
                        raise RuntimeError(f"{address} was answered by {status}")
                    times[name].append(took)
            time.sleep(2.0)
            memory = front.pss_mb()
            with dawdlers(front.port, 20 if quick else SLOW):
                answered = [front.get("/", cookie)[1] for _ in range(5)]
        finally:
            front.close()
        seen = _seen(stage, 4 if quick else 20)
    slowest = max(times, key=lambda name: sorted(times[name])[-max(1, len(times[name]) // 20)])
    return [
        Figure(
            "the page: any page, by TLS with a new connection",
            "ms",
            [took for all_of in times.values() for took in all_of],
            150,
            note=f"100,000 calls, 30 days; slowest: {slowest}",
            steps=times,
        ),
        Figure("the page: nginx and web process at rest", "MB PSS", [memory], 45, "worst"),
        Figure("the page: while 200 clients dawdle", "ms", answered, 2000, "worst"),
        Figure("the page: from an event to its picture in the browser", "ms", seen, 100),
    ]


def _seen(stage: Scene, count: int) -> list[float]:
    """Each order of a line is an event; when does Home, which is open, show it?"""
    if not CHROMIUM.exists():
        return []
    found = []
    served = Served(stage.box.run, stage.logs / "webui.log")
    try:
        with chromium() as browser, visitor(browser) as context:
            page = context.new_page()
            log_in(page, served.address)
            page.evaluate(
                "() => { window.seen = []; new MutationObserver(() => window.seen.push(["
                "Date.now() / 1000, document.querySelector('#home').textContent])).observe("
                "document.body, {childList: true, subtree: true, characterData: true}); }"
            )
            for number in range(count):
                wanted = plan.BACKUP1 if number % 2 == 0 else plan.MAIN
                since = time.time()
                stage.box.ask(UseUplink(uplink=wanted.name))
                event = stage.box.await_event(lambda e: e.kind == "switch", "a switch", since_s=since)
                marks = f"{wanted.name} carries calls"
                at = page.wait_for_function(
                    "([since, words]) => window.seen.find(([at, text]) => at >= since"
                    " && text.replace(/\\s+/g, ' ').includes(words))?.[0]",
                    arg=[since, marks],
                    timeout=10_000,
                ).json_value()
                found.append(max(0.0, (at - event.at) * 1000))
                time.sleep(0.3)
            stage.box.ask(UseUplink(uplink=""))
    finally:
        served.close()
    return found


if __name__ == "__main__":
    print(datetime.now(UTC))
    for figure in run("--quick" in sys.argv):
        print(figure.name, figure.unit, f"p50 {figure.p50:.1f} p95 {figure.p95:.1f}", figure.note)
        for step, values in figure.steps.items():
            print("   ", step, f"{sorted(values)[len(values) // 2]:.0f}", f"worst {max(values):.0f}")
