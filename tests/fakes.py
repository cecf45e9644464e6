"""First-class stand-ins: an uplinks room with verbs of the world, and a calls process that answers.

`python -m tests.fakes daemon|calls …` runs the real daemon, or a calls process, around them.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Literal

import msgspec

from gateway import daemon
from gateway.building import Building
from gateway.errors import RefusedError
from gateway.hub import PlanChanged, UplinksChanged
from gateway.inbox import Inbox
from gateway.link import Link, LinkDown, LinkEvent, LinkSaid, LinkUp, keep_linked
from gateway.messages import (
    AnyMessage,
    CallsNow,
    CallsReady,
    ConfirmAddress,
    ConfirmResult,
    Dial,
    Done,
    ExplainNumber,
    MediaQuiet,
    Path,
    Paths,
    Refused,
    TrunkPlan,
)
from gateway.plan import trunk_plan
from gateway.schema import Settings
from gateway.service import Service, log_to_journal_or_stderr
from gateway.settings.confirmations import Ledger
from gateway.status import PhoneView, UplinkStatus

MAIN = Path(
    uplink="main", device="wan0", local_address="203.0.113.2", public_address="203.0.113.2", state="fit"
)
BACKUP = Path(
    uplink="backup1",
    device="wan1",
    local_address="192.168.20.2",
    public_address="198.51.100.20",
    state="unfit",
)


@dataclass(frozen=True, slots=True)
class FakePicture:
    uplinks: tuple[UplinkStatus, ...]
    active_uplink: str
    internet_uplink: str
    guard: Literal["standing", "absent"]
    provider_silent: bool
    ordered: str = ""


@dataclass
class FakeUplinks:
    """Two channels; the ledger makes them fit."""

    changed: Callable[[], None] = lambda: None
    beat: Callable[[float], None] = lambda now: None
    ordered: str = ""
    observed: dict[str, str] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    rescuing: list[bool] = field(default_factory=list)
    applied: list[Settings] = field(default_factory=list)
    confirmed_names: set[str] = field(default_factory=lambda: {"main"})
    quiet: list[MediaQuiet] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    stands: bool = True
    silent: bool = False

    async def apply(self, settings: Settings) -> None:
        await asyncio.sleep(0)
        self.applied.append(settings)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.beat(loop.time())
            await asyncio.sleep(0.5)

    def now(self) -> FakePicture:
        active = self.paths().active
        return FakePicture(
            uplinks=tuple(
                UplinkStatus(
                    name=path.uplink,
                    role="main" if path is MAIN else "backup",
                    device=path.device,
                    state="up" if path.uplink in self.confirmed_names else "up_unconfirmed",
                    sentence=f"{path.uplink} has a state.",
                    address=path.local_address,
                    public_address=path.public_address,
                    carries_trunk=path.uplink == active,
                    carries_internet=path.uplink == active,
                )
                for path in (MAIN, BACKUP)
            ),
            active_uplink=active,
            internet_uplink=active,
            guard="standing" if self.stands else "absent",
            provider_silent=self.silent,
            ordered=self.ordered,
        )

    def paths(self) -> Paths:
        fit = [p.uplink for p in (MAIN, BACKUP) if p.uplink in self.confirmed_names]
        active = self.ordered if self.ordered in fit else (fit[0] if fit else "")
        paths = tuple(
            msgspec.structs.replace(p, state="fit" if p.uplink in fit else "unfit") for p in (MAIN, BACKUP)
        )
        return Paths(paths=paths, active=active, cause="the owner's order" if self.ordered else "health")

    def standing(self) -> bool:
        return self.stands

    def use(self, uplink: str) -> str:
        if uplink not in ("", "main", "backup1"):
            raise RefusedError(f"there is no channel {uplink}", where="uplinks", remedy="Name another")
        self.ordered = uplink
        self.changed()
        return f"Calls leave by {uplink}." if uplink else "Health chooses again."

    def media_quiet(self, report: MediaQuiet) -> None:
        self.quiet.append(report)

    def media_heard(self, uplink: str) -> None:
        self.heard.append(uplink)

    def calls(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)

    async def admit(self, uplink: str) -> Path:
        await asyncio.sleep(0)
        found = [p for p in (MAIN, BACKUP) if p.uplink == uplink]
        if not found:
            raise RefusedError(f"there is no channel {uplink}", where="uplinks", remedy="Name another")
        self.admitted.add(uplink)
        return found[0]

    async def observe(self, uplink: str, timeout_s: float) -> str:
        await asyncio.sleep(0)
        return self.observed.get(uplink, "")

    def release(self, uplink: str) -> None:
        self.admitted.discard(uplink)

    def rescue(self, on: bool) -> None:
        self.rescuing.append(on)

    def confirmed(self, ledger: Ledger) -> None:
        self.confirmed_names = {"main"} | {c.uplink for c in ledger.confirmed}
        self.changed()


@dataclass
class FakeCalls:
    """A calls process that does what it is told at once and says so; `deaf`: never answers."""

    deaf: bool = False
    result: ConfirmResult | Refused | None = None
    plans: list[TrunkPlan] = field(default_factory=list)
    paths: list[Paths] = field(default_factory=list)
    asked: list[AnyMessage] = field(default_factory=list)

    def up(self, link: Link) -> None:
        """What is told on each new link."""
        link.send(CallsReady(pid=1, engine="fake", max_calls=4))
        link.send(CallsNow(calls=(), phones=(PhoneView(name="desk", kind="virtual", state="idle"),)))

    def hear(self, said: LinkSaid) -> None:
        body = said.envelope.body
        match body:
            case TrunkPlan():
                self.plans.append(body)
            case Paths():
                self.paths.append(body)
            case _:
                self.asked.append(body)
                if not self.deaf:
                    said.link.send(self._answer(body), re=said.envelope.id)

    def _answer(self, body: AnyMessage) -> AnyMessage:
        match body:
            case ConfirmAddress(uplink=name):
                path = next(p for p in self.paths[-1].paths if p.uplink == name)
                return self.result or ConfirmResult(
                    uplink=name,
                    local_address=path.local_address,
                    public_address=path.public_address,
                    observed_address=path.public_address,
                    verdict="confirmed",
                    sip_code=200,
                    reason="OK",
                    heard_ms=2100,
                    recording="/var/lib/steadyline/recordings/8888.wav",
                )
            case Dial(phone="desk", digits=digits):
                return Done(text=f"Dialling {digits}.", data={"call": 1})
            case ExplainNumber(digits=digits):
                return Done(text=f"{digits} would be dialled as {digits}.")
            case _:
                return Refused(what="there is no such phone", where="phones", remedy="Name another")

    async def run(self, path: FilePath, told: Callable[[LinkEvent], None] = lambda event: None) -> None:
        """Serve for ever over a link that is kept."""
        inbox = Inbox[LinkEvent]()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_linked(path, inbox, longest_wait_s=0.2))
            while (event := await inbox.next()) is not None:
                match event:
                    case LinkUp(link):
                        self.up(link)
                    case LinkSaid():
                        self.hear(event)
                    case LinkDown():
                        pass
                told(event)


def build(building: Building) -> FakeUplinks:
    """For daemon.serve."""
    uplinks = FakeUplinks(
        changed=lambda: building.inbox.post(UplinksChanged()),
        beat=building.beat,
        observed={"backup1": "198.51.100.20"},
    )
    uplinks.confirmed(building.ledger)
    building.inbox.post(PlanChanged(trunk_plan(building.settings, (), str(building.recordings))))
    return uplinks


def main(words: list[str]) -> None:
    if words[0] == "daemon":
        log_to_journal_or_stderr("gateway-daemon")
        settings, state, run, *marker = map(FilePath, words[1:])
        options = daemon.Options(settings, state, run, state / "recordings")
        if marker:
            options = replace(options, marker=marker[0])
        asyncio.run(daemon.serve(options, build, Service()))
    else:

        def told(event: LinkEvent) -> None:
            print(type(event).__name__, flush=True)

        asyncio.run(FakeCalls().run(FilePath(words[1]), told))


if __name__ == "__main__":
    main(sys.argv[1:])
