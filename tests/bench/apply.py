"""From the order to change settings to routes and guard that are read back: the whole way through the daemon.

A daemon in a namespace, 8 uplinks whose routers answer, 1,000 CallerID rules. Each run is a trial as an owner
makes it: the text is checked whole, noted on the disk, applied as a difference, read back, answered.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway import schema
from gateway.changes import DropTrial, GetSettings, SettingsNow, TrialNow, TrySettings
from gateway.client import Client
from gateway.errors import GatewayError
from gateway.messages import Done, GetStatus, StatusNow
from gateway.status import Status
from tests.bench.figures import Figure
from tests.bench.scene import ROOT
from tests.netns import Net, Space

RUNS: Final = 100
RULES: Final = 1000
UPLINKS: Final = 8
LIMIT_MS: Final = 200.0


def run(quick: bool) -> list[Figure]:
    """Two figures: a change of each kind, and the check of the text alone."""
    kinds = changes()
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    with _daemon() as (client, box):
        for number, (kind, text) in zip(
            range(10 if quick else RUNS), itertools.cycle(kinds.items()), strict=False
        ):
            base = client.request(GetSettings(), 5.0)
            assert isinstance(base, SettingsNow)
            began = time.perf_counter()
            answer = client.request(TrySettings(text=text, base=base.revision, who="bench"), 30.0)
            took[kind].append(1000 * (time.perf_counter() - began))
            if not isinstance(answer, TrialNow) or answer.trial is None:
                raise AssertionError(f"run {number}, {kind}: {answer}")
            _check(box, kind)
            dropped = client.request(DropTrial(trial=answer.trial.trial), 30.0)
            assert isinstance(dropped, Done), dropped
    return [
        Figure(
            "a change of settings: checked, applied, read back",
            "ms",
            [value for values in took.values() for value in values],
            LIMIT_MS,
            steps=took,
            note=f"{UPLINKS} uplinks, {RULES} CallerID rules, no call up; over the control socket, with the "
            "note of the trial on the disk",
        ),
        Figure("of that, the check of the text", "ms", _checks(10 if quick else 50), None),
    ]


def settings(
    uplinks: tuple[int, ...] = tuple(range(1, UPLINKS + 1)), backup: str = "2", rule: str = "0"
) -> str:
    """The whole text. `backup`: the host part of the last address; `rule`: a digit of the last rule."""
    lines = ["schema = 2", "[appliance]", 'country = "GB"']
    for n in uplinks:
        host = backup if n == UPLINKS else "2"
        lines += ["[[uplinks]]", f'name = "u{n}"', f'device = "w{n}"']
        lines += [f'addresses = ["10.0.{n}.{host}/24"]', f'gateways = ["10.0.{n}.1"]']
    lines += ["[trunk]", 'server = "192.0.2.10"', 'networks = ["192.0.2.0/28"]']
    lines += ['default_caller_id = "443069990100"']
    for n in range(RULES):
        last = rule if n == RULES - 1 else "0"
        lines += [
            "[[trunk.caller_id_rules]]",
            f'pattern = "_44{n:04d}XXXXX."',
            f'caller_id = "44306999010{last}"',
        ]
    lines += ["[watching]", f"hosts = {[f'10.0.{n}.1' for n in range(1, UPLINKS + 1)]}".replace("'", '"')]
    return "\n".join(lines) + "\n"


def changes() -> dict[str, str]:
    """One text for each kind of change."""
    everyone = tuple(range(1, UPLINKS + 1))
    return {
        "a CallerID rule": settings(rule="1"),
        "another order of uplinks": settings((2, 1, *everyone[2:])),
        "another address of a backup": settings(backup="77"),
        "an uplink less, and again one more": settings(everyone[:-1]),
    }


def _checks(runs: int) -> list[float]:
    text, took = settings(), []
    for _ in range(runs):
        began = time.perf_counter()
        schema.parse(text, "bench")
        took.append(1000 * (time.perf_counter() - began))
    return took


def _check(box: Space, kind: str) -> None:
    """What was answered is what the kernel has."""
    last = box.ip("-4", "addr", "show", "dev", f"w{UPLINKS}")
    table = box.ip("-4", "route", "show", "table", str(100 + UPLINKS)) if "less" not in kind else ""
    host = "77" if kind == "another address of a backup" else "2"
    if ("less" in kind) == ("inet" in last) or (
        "less" not in kind and f"src 10.0.{UPLINKS}.{host} " not in table
    ):
        raise AssertionError(f"{kind}: {last} {table}")


@contextlib.contextmanager
def _daemon() -> Iterator[tuple[Client, Space]]:
    """The real daemon in a namespace of its own, once it stands."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with Net() as net, tempfile.TemporaryDirectory(prefix="apply-") as directory:
        box, far = net.space("box"), net.space("far")
        for n in range(1, UPLINKS + 1):
            net.wire(box, f"w{n}", far, f"i{n}")
            far.ip("addr", "add", f"10.0.{n}.1/24", "dev", f"i{n}")
        place = Path(directory)
        (place / "settings.toml").write_text(settings())
        options = ["--settings", str(place / "settings.toml"), "--state", str(place / "state")]
        argv = ["ip", "netns", "exec", box.name, sys.executable, "-m", "gateway", "daemon", *options]
        with (ROOT / "apply.log").open("wb") as log:
            child = subprocess.Popen([*argv, "--run", str(place / "run")], stdout=log, stderr=log)
            try:
                with _client(place / "run" / "ctl.sock") as client:
                    yield client, box
            finally:
                os.kill(child.pid, signal.SIGTERM)
                child.wait(10)


@contextlib.contextmanager
def _client(path: Path) -> Iterator[Client]:
    until = time.monotonic() + 20
    while True:
        with contextlib.suppress(GatewayError), Client(path) as client:
            while not _stands(answer := client.request(GetStatus(), 5.0)):
                if time.monotonic() > until:
                    raise AssertionError(f"the daemon does not stand: {answer}")
                time.sleep(0.1)
            yield client
            return
        if time.monotonic() > until:
            raise AssertionError(f"no daemon: see {ROOT / 'apply.log'}")
        time.sleep(0.05)


def _stands(answer: object) -> bool:
    status: Status | None = answer.status if isinstance(answer, StatusNow) else None
    return (
        status is not None
        and status.guard == "standing"
        and {u.state for u in status.uplinks} == {"up_unconfirmed"}
    )
