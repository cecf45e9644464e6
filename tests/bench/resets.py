"""Factory resets at random moments: the box heals itself each time. And a box that is given away."""

import contextlib
import random
import shutil
import tempfile
import threading
import time
from pathlib import Path

from gateway.changes import FactoryReset, GetSettings, KeepTrial, Seen, SettingsNow, TrialNow, TrySettings
from gateway.errors import GatewayError
from gateway.messages import Done
from gateway.settings.confirmations import load
from gateway.settings.keys import Keys
from gateway.settings.ruins import Ruins
from gateway.settings.vault import Vault
from gateway.status import Status
from tests.bench.figures import Figure
from tests.bench.scene import Scene
from tests.lab import plan
from tests.lab.netns import LabError
from tests.settings import raw
from tests.settings.writers import Paths

MOMENTS = ("at rest", "during a call", "during a failover", "during a save", "killed meanwhile")
ALLOWED_S = 20.0


def run(quick: bool) -> list[Figure]:
    """200 resets in a row, and one decommissioning with twenty secrets planted."""
    return [*_resets(5 if quick else 200), *_given_away()]


def _resets(runs: int) -> list[Figure]:
    picks = random.Random(20)
    back_s: dict[str, list[float]] = {moment: [] for moment in MOMENTS}
    restored, kept, lost, calls, survived = 0, 0, 0, 0, 0
    with Scene("resets") as stage:
        paths = _paths(stage)
        _until_sealed(stage)
        for number in range(runs):
            moment = MOMENTS[number % len(MOMENTS)]
            _long_ago(paths)
            stage.box.ask(Seen())
            wanted = {stage.box.settings.read_text()}
            ledger = load(stage.box.state)
            started = stage.box.starts("daemon")
            saving: _Save | None = None
            call = None
            if moment == "during a call":
                (call,) = stage.dial()
                calls += 1
                time.sleep(picks.uniform(0, 1))
            elif moment == "during a failover":
                stage.lab.cut_carrier(plan.MAIN)
                time.sleep(picks.uniform(0, 1))
            elif moment == "during a save":
                saving = _Save(stage, number)
                saving.start()
                time.sleep(picks.uniform(0, 0.5))
            with contextlib.suppress(LabError):  # a save that is under way may have to end first
                stage.box.ask(FactoryReset(who="the benchmark"), 60)
            if moment == "killed meanwhile":
                time.sleep(picks.uniform(0, 0.6))
                with contextlib.suppress(ProcessLookupError):  # between two lives
                    stage.box.kill("daemon")
            took_s, status = _until_it_answers(stage, started)
            if saving is not None:
                saving.join(60)
                wanted = {saving.text} if saving.kept else wanted | {saving.text}
                lost += saving.kept and stage.box.settings.read_text() != saving.text
                kept += saving.kept
            back_s[moment].append(took_s)
            whole = stage.box.settings.read_text() in wanted and load(stage.box.state) == ledger
            restored += whole and status.settings.revision > 0 and not paths.record().pending
            if call is not None:
                survived += stage.now(call).ended_s is None
                stage.hang_up()
            stage.heal()
            stage.box.await_status(lambda s: not s.calls, "no calls")
            if moment == "during a failover":
                stage.fresh_daemon()
            stage.await_up(plan.MAIN, timeout_s=30)
            _until_sealed(stage)
    every = [value for values in back_s.values() for value in values]
    note = f"{runs} in a row" + ("" if runs >= 200 else ", not the 200 that the limit asks")
    return [
        Figure(
            "factory reset: the trunk answers after the daemon's start",
            "s",
            every,
            ALLOWED_S,
            "worst",
            note=note,
            steps={moment: values for moment, values in back_s.items() if values},
        ),
        Figure("factory reset: not restored by itself", "", [runs - restored], 0, "worst", note=note),
        Figure("factory reset: acknowledged saves lost", "", [lost], 0, "worst", note=f"of {kept} kept"),
        Figure("factory reset: running calls that ended", "", [calls - survived], None, note=f"of {calls}"),
    ]


class _Save(threading.Thread):
    """A change that is tried and kept while the reset comes; `kept`: that was acknowledged."""

    def __init__(self, stage: Scene, number: int) -> None:
        super().__init__(name="save", daemon=True)
        self._box = stage.box
        self.text = stage.box.settings.read_text().rpartition("# run ")[0] or stage.box.settings.read_text()
        self.text += f"# run {number}\n"
        self.kept = False

    def run(self) -> None:
        with contextlib.suppress(GatewayError, LabError):
            now = self._box.request(GetSettings())
            assert isinstance(now, SettingsNow)
            tried = self._box.request(TrySettings(text=self.text, base=now.revision, who="owner"), 60)
            if isinstance(tried, TrialNow) and tried.trial is not None:
                kept = self._box.request(KeepTrial(trial=tried.trial.trial), 60)
                self.kept = isinstance(kept, Done)


def _paths(stage: Scene) -> Ruins:
    state = stage.box.state
    vault, key = state.with_name("state-vault"), state.with_name("state-key")
    recordings, marker = state / "recordings", state.with_name("marker")
    return Ruins(stage.box.settings, state, vault, key, recordings, marker, stage.box.run)


def _long_ago(paths: Ruins) -> None:
    """As if the last reset were an hour old: each is a first one, which restores the newest settings."""
    record = paths.record()
    if record.at is not None:
        at = type(record.at)(
            boot=record.at.boot, up_s=record.at.up_s - 3600, wall_s=record.at.wall_s - 3600, trusted=True
        )
        paths.write(type(record)(pending="", who=record.who, count=record.count, at=at))


def _until_sealed(stage: Scene) -> None:
    stage.box.await_status(
        lambda s: "key" in s.settings.vault and not s.settings.vault_trouble and not s.settings.trial,
        "the vault is sealed",
        30,
    )


def _until_it_answers(stage: Scene, started: int) -> tuple[float, Status]:
    """Seconds from the last start of the daemon until the trunk answers, and the status then."""
    began, starts, until = 0.0, started, time.monotonic() + 90
    while time.monotonic() < until:
        if (now := stage.box.starts("daemon")) != starts:
            began, starts = time.monotonic(), now
        with contextlib.suppress(GatewayError, LabError):
            if starts > started and _answers(status := stage.box.status()):
                return time.monotonic() - began, status
        time.sleep(0.01)
    raise LabError(f"the trunk did not answer within 90 s; logs in {stage.logs}")


def _answers(status: Status) -> bool:
    """The provider has answered OPTIONS from a confirmed address, and calls can be made."""
    restored = "restored its settings" in status.settings.restored
    return restored and bool(status.active_uplink) and status.calls_process == "running"


def _given_away() -> list[Figure]:
    place = Path(tempfile.mkdtemp(prefix="given-away-"))
    try:
        image = place / "disk.img"
        with raw.mounted(image, place / "disk") as root:
            planted = raw.live(root)
            shutil.copytree(Paths(root).vault, place / "copy")
        before = len(raw.left(image, planted))
        with raw.mounted(image, place / "disk") as root:
            raw.give_away(root)
            opened = len(Vault(place / "copy", Keys(Paths(root).keys, {})).look().sound)
        after = len(raw.left(image, planted))
    finally:
        shutil.rmtree(place)
    note = f"of 20 planted, {before} of them in clear before; an ext4 image read whole, free blocks too"
    return [
        Figure("decommissioned: secrets in the raw storage", "", [after], 0, "worst", note=note),
        Figure("decommissioned: snapshots of a copied vault that open", "", [opened], 0, "worst"),
    ]
