"""Law: one writer. Every wish about the settings comes here, one after the other, and gets exactly one
answer; tables decide, doors act, and what cannot be put back in order ends the process (law 20): a start
knows how.

The loop of the settings room, long for its many verbs.
"""

import asyncio
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Never, TypeVar

from gateway import schema
from gateway.changes import (
    AskPresence,
    BackupNow,
    ChangeVerb,
    CheckPassword,
    Decommission,
    Difference,
    DropTrial,
    ExportBackup,
    FactoryReset,
    GetHistory,
    GetSettings,
    GetSupport,
    GetTrial,
    HistoryNow,
    ImportBackup,
    KeepTrial,
    ProblemView,
    RevisionView,
    RollBack,
    Seen,
    SetPassword,
    SettingsNow,
    SupportNow,
    TrialNow,
    TrialView,
    TrySettings,
)
from gateway.differences import difference
from gateway.errors import DoorError, GatewayError, RefusedError, SettingsError
from gateway.inbox import Inbox
from gateway.masking import masked, unmasked
from gateway.messages import Done, Event, Refused
from gateway.schema import Settings
from gateway.settings import trial
from gateway.settings.books import Doors, Reply, Revision, Sealed, World
from gateway.settings.doorman import Doorman
from gateway.settings.reset import Moment, Reset, Restart, Wanted, Write
from gateway.settings.start import Start
from gateway.settings.touches import touches
from gateway.settings.trial import Change, Trial
from gateway.status import Origin, SettingsStatus

MAX_BACKUP_BYTES = 1 << 20
LONGEST_WORK_S = 60.0
"""Putting settings in force takes less, or never ends."""
SEAL_AFTER_S = 2.0
"""A confirmation seldom comes alone: wait a moment before sealing."""
SEAL_AGAIN_S = 300.0
CHECK_S = 60.0
"""How long channels may take to answer after a restore."""
TURN_S = 1.0

Result = TypeVar("Result")


# --- what goes in ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    verb: ChangeVerb
    role: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class _Tapped:
    pass


@dataclass(frozen=True, slots=True)
class _ResetWanted:
    who: str


@dataclass(frozen=True, slots=True)
class _Unsealed:
    pass


@dataclass(frozen=True, slots=True)
class _Checked:
    sentence: str


@dataclass(frozen=True, slots=True)
class _Held:
    """The button was held: for the setup access, or for a new password."""

    new_password: bool


_Input = _Held | _Asked | _Tapped | _ResetWanted | _Unsealed | _Checked


@dataclass(frozen=True, slots=True)
class _Tried:
    """What is on trial, with what its view shows."""

    change: Change
    why: str
    text: str
    settings: Settings
    differences: tuple[Difference, ...]
    touched: tuple[str, ...]
    notes: tuple[str, ...]
    confirmations: bytes | None = None


class Keeper:
    """The room. Build it on the running loop with what the start has found; `run` lives until cancelled."""

    def __init__(self, begun: Start, settings: Settings | None, doors: Doors, world: World) -> None:
        self._inbox = Inbox[_Input]()
        self._clock = asyncio.get_running_loop().time
        self._origin: Origin = begun.origin
        self._text, self._settings = begun.text, settings
        self._told = begun.told
        self._doors, self._world = doors, world
        known = doors.disk.revisions()
        self._trial = Trial(begun.revision, known[0].who if known else "")
        self._tried: _Tried | None = None
        self._doorman = Doorman(doors.passwords, world, self._clock, self._disk)
        self._restored = doors.resets.restored()
        self._sealed: Sealed | None = None
        self._seal_at: float | None = self._clock() if begun.text else None
        self._vault_trouble = ""
        self._ending = False

    # --- what others ask and say ------------------------------------------------------------------

    def ask(self, verb: ChangeVerb, role: str, reply: Reply) -> None:
        """A client's wish; `reply` is called exactly once, on the loop."""
        self._inbox.post(_Asked(verb, role, reply))

    def approve(self) -> bool:
        """The button was tapped; whether somebody was waiting for that."""
        waiting = bool(self._doorman.waits_for)
        if waiting:
            self._inbox.post(_Tapped())
        return waiting

    def open_access(self) -> None:
        """The button was held: for ten minutes whoever asks is taken to be at the box."""
        self._inbox.post(_Held(new_password=False))

    def new_password(self) -> None:
        """The button was held: the page's password is void, and a new one can be set for ten minutes."""
        self._inbox.post(_Held(new_password=True))

    def reset(self, who: str = "the button") -> None:
        """Somebody at the box wants a factory reset."""
        self._inbox.post(_ResetWanted(who))

    def unsealed(self) -> None:
        """Something that the vault is to hold is new on the disk."""
        self._inbox.post(_Unsealed())

    def settings(self) -> Settings | None:
        """What is in force, on trial or confirmed; None: the box waits to be set up."""
        return self._tried.settings if self._tried else self._settings

    def now(self) -> SettingsStatus:
        """The room as everybody may see it."""
        protects = self._sealed.sentence if self._sealed else "The vault has not been looked at yet."
        return SettingsStatus(
            origin=self._origin,
            revision=self._trial.revision,
            trial=self._trial.change.who if self._trial.change else "",
            presence=self._doorman.waits_for,
            access=self._doorman.access,
            restored=self._restored,
            vault=protects,
            vault_trouble=self._vault_trouble,
        )

    # --- the loop ---------------------------------------------------------------------------------

    async def run(self) -> Never:
        """Until cancelled. An error in here ends the process, and the next start puts things in order."""
        for sentence in self._told:
            self._say(sentence)
        async with asyncio.TaskGroup() as tasks:
            if self._restored and self._origin == "vault":
                tasks.create_task(self._check_restored(), name="check what was restored")
            while True:
                event = await self._inbox.next(until=self._due())
                self._world.beat(self._clock())
                shown = self.now()
                await self._turn(event)
                if self.now() != shown:
                    self._world.changed()

    def _due(self) -> float:
        times = [self._trial.due, self._doorman.due, self._seal_at]
        return min([self._clock() + TURN_S, *(t for t in times if t is not None)])

    async def _turn(self, event: _Input | None) -> None:
        now = self._clock()
        await self._perform(self._trial.receive(None, now), lambda answer: None)
        self._doorman.turn()
        if self._seal_at is not None and self._seal_at <= now:
            await self._seal()
        match event:
            case _Asked(verb, role, reply):
                try:
                    await self._answer(verb, role, reply)
                except SettingsError as error:
                    reply(_problems(error))
                except GatewayError as error:
                    reply(_refusal(error))
            case _Tapped():
                self._doorman.tapped()
            case _Held(new_password):
                await self._held(new_password)
            case _ResetWanted(who):
                try:
                    await self._begin_reset(who)
                except GatewayError as error:
                    self._say(f"The factory reset was not done. {error}")
            case _Unsealed():
                self._seal_at = self._seal_at or now + SEAL_AFTER_S
            case _Checked(sentence):
                self._restored = sentence
                self._say(sentence)
            case None:
                pass

    async def _held(self, new_password: bool) -> None:
        if not new_password:
            self._doorman.open()
            self._say("The box can be set up for ten minutes: whoever asks is taken to be at it.")
            return
        try:
            await self._doorman.forget()
            self._say("The page has no password any more: set a new one within ten minutes.")
        except GatewayError as error:
            self._say(f"The password could not be taken away. {error}")

    async def _answer(self, verb: ChangeVerb, role: str, reply: Reply) -> None:
        if self._ending and not isinstance(verb, GetSettings | GetTrial | GetHistory | GetSupport):
            raise RefusedError("the box is being reset", where="settings", remedy="Try again in a moment")
        match verb:
            case GetSettings():
                reply(await self._settings_now(verb.revision))
            case TrySettings():
                text = await self._disk(unmasked, verb.text, self._text, self._settings)
                await self._try(self._change(verb, verb.base), verb.why, text, verb.only_look, reply)
            case RollBack():
                older = await self._revision(verb.revision)
                why = f"back to revision {older.revision}"
                change = self._change(verb, self._trial.revision)
                await self._try(change, why, older.text, verb.only_look, reply)
            case ImportBackup():
                backup = await self._work(
                    self._doors.strongroom.open_backup(_from_base64(verb.data), verb.passphrase)
                )
                change = self._change(verb, self._trial.revision)
                await self._try(change, "a backup", backup.text, verb.only_look, reply, backup.confirmations)
            case GetTrial():
                reply(TrialNow(trial=self._view(self._tried) if self._tried else None))
            case KeepTrial():
                await self._perform(self._trial.receive(trial.Keep(verb.trial), self._clock()), reply)
            case DropTrial():
                await self._perform(self._trial.receive(trial.Drop(verb.trial), self._clock()), reply)
            case GetHistory():
                reply(HistoryNow(revisions=tuple(map(self._revision_view, await self._revisions()))))
            case ExportBackup():
                data = await self._work(self._doors.strongroom.export(verb.passphrase))
                reply(BackupNow(data=b64encode(data).decode()))
            case AskPresence():
                self._doorman.ask(verb, role, reply)
            case SetPassword():
                reply(await self._doorman.set(verb))
                self._say("The password of the page was set.")
            case CheckPassword():
                await self._doorman.check(verb.password)
                reply(Done(text="That is the password.", data={"access": self._doorman.access}))
            case Seen():
                self._restored = ""
                await self._disk(self._doors.resets.forget_restored)
                reply(Done(text="Noted."))
            case FactoryReset():
                reply(Done(text=await self._begin_reset(verb.who)))
            case Decommission():
                reply(Done(text=await self._decommission(verb)))
            case GetSupport():
                reply(SupportNow(parts=await self._support()))

    # --- looking ----------------------------------------------------------------------------------

    async def _settings_now(self, revision: int) -> SettingsNow:
        if revision and revision != self._trial.revision:
            older = await self._revision(revision)
            return SettingsNow(text=await _shown(older.text), revision=revision, origin=self._origin)
        notes = schema.notes(self._settings, self._text) if self._settings else ()
        if self._tried:
            notes = (f"A change of {self._tried.change.who} is on trial.", *notes)
        return SettingsNow(
            text=await _shown(self._text), revision=self._trial.revision, origin=self._origin, notes=notes
        )

    async def _revisions(self) -> list[Revision]:
        return await self._disk(self._doors.disk.revisions)

    async def _revision(self, number: int) -> Revision:
        for one in await self._revisions():
            if one.revision == number:
                return one
        raise RefusedError(
            f"there is no revision {number}", where="history", remedy="Look which there are: the history"
        )

    def _revision_view(self, one: Revision) -> RevisionView:
        return RevisionView(
            revision=one.revision,
            at=one.at,
            who=one.who,
            why=one.why,
            differences=one.differences,
            sealed=self._sealed is not None and one.text in self._sealed.texts,
        )

    async def _support(self) -> dict[str, str]:
        lines = [
            f"{r.revision:5d}  {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(r.at))}  {r.who}  {r.why}"
            for r in await self._revisions()
        ]
        return {"settings.toml": await _shown(self._text), "revisions.txt": "\n".join(lines) + "\n"}

    # --- trying and keeping -----------------------------------------------------------------------

    def _change(self, verb: TrySettings | RollBack | ImportBackup, base: int) -> Change:
        return Change(self._world.token(), verb.who, base, float(verb.seconds))

    async def _try(
        self,
        change: Change,
        why: str,
        text: str,
        only_look: bool,
        reply: Reply,
        confirmations: bytes | None = None,
    ) -> None:
        # Not on the loop, which watches the uplinks: a thousand rules take a tenth of a second to read.
        settings = await self._disk(schema.parse, text, change.who or "the change")
        changed = await self._disk(difference, self._settings, settings)
        if text == self._text and confirmations is None:
            raise RefusedError("nothing is changed", where="settings", remedy="Change something first")
        tried = _Tried(
            change,
            why,
            text,
            settings,
            changed,
            touches(self._settings, settings, self._doors.applies.live(), self._doors.applies.uplinks()),
            schema.notes(settings, text),
            confirmations,
        )
        before, self._tried = self._tried, tried
        actions = self._trial.receive(trial.Proposed(change, only_look), self._clock())
        if not any(isinstance(action, trial.Apply) for action in actions):
            self._tried = before
        await self._perform(actions, reply, tried)

    async def _perform(
        self, actions: list[trial.TrialAction], reply: Reply, looked_at: _Tried | None = None
    ) -> None:
        for action in actions:
            match action:
                case trial.Refuse(what, remedy):
                    reply(Refused(what=what, where="settings", remedy=remedy))
                case trial.Show():
                    assert looked_at is not None
                    reply(TrialNow(trial=self._view(looked_at, only_looked=True)))
                case trial.Apply(change):
                    await self._apply(change, reply)
                case trial.Store(change):
                    await self._store(change, reply)
                case trial.Return(change, why):
                    await self._return(change, why)
                    if why == "dropped":
                        reply(Done(text="The settings before the change are in force again."))
                case trial.Kept(change, revision):
                    text = f"The change of {change.who} is kept: the settings are at revision {revision} now."
                    reply(Done(text=text, data={"revision": revision}))
                    self._say(text)

    async def _apply(self, change: Change, reply: Reply) -> None:
        tried = self._tried
        assert tried is not None and tried.change == change
        try:
            await self._disk(self._doors.disk.note_trial, change.who, tried.text)
            if tried.confirmations is not None:
                self._doors.addresses.try_out(tried.confirmations)
            await self._work(self._doors.applies.apply(tried.settings))
        except GatewayError as error:
            await self._perform(self._trial.receive(trial.NotApplied(), self._clock()), reply)
            reply(_refusal(error))
            return
        self._trial.receive(trial.Applied(), self._clock())
        reply(TrialNow(trial=self._view(tried)))
        what = tried.why or f"{len(tried.differences)} values"
        self._say(
            f"A change of {change.who} ({what}) is on trial for {change.seconds:g} s; "
            "unless it is kept, the settings before it return."
        )

    async def _return(self, change: Change, why: Literal["refused", "dropped", "time"]) -> None:
        tried, self._tried = self._tried, None
        if tried and tried.confirmations is not None:
            self._doors.addresses.return_to_kept()
        # What was in force before has to be possible again; if not, a fresh start will find it on the disk.
        await self._work(self._doors.applies.apply(self._settings))
        await self._disk(self._doors.disk.forget_trial)
        self._trial.receive(trial.Returned(), self._clock())
        reason = {
            "refused": "could not be put in force",
            "dropped": "was dropped",
            "time": f"was not kept within {change.seconds:g} s",
        }[why]
        self._say(f"The change of {change.who} {reason}: the settings before it are in force again.")

    async def _store(self, change: Change, reply: Reply) -> None:
        tried = self._tried
        assert tried is not None
        known = await self._revisions()
        number = max([self._trial.revision, *(one.revision for one in known[:1])]) + 1
        revision = Revision(
            revision=number,
            at=self._world.wall(),
            who=change.who,
            why=tried.why,
            differences=len(tried.differences),
            text=tried.text,
            confirmations=tried.confirmations,
        )
        try:
            aside = await self._disk(self._doors.disk.keep, revision)
        except DoorError as error:
            self._trial.receive(trial.NotStored(), self._clock())
            reply(_refusal(error))
            return
        if aside:
            self._say("What stood in the settings file and was not in force is beside it now, as .aside.")
        if tried.confirmations is not None:
            self._doors.addresses.keep()
        self._text, self._settings, self._origin, self._tried = tried.text, tried.settings, "owner", None
        kept = self._trial.receive(trial.Stored(number), self._clock())
        await self._disk(self._doors.disk.forget_trial)
        await self._perform(kept, reply)
        self._seal_at = self._clock()

    def _view(self, tried: _Tried, *, only_looked: bool = False) -> TrialView:
        return TrialView(
            trial="" if only_looked else tried.change.trial,
            who=tried.change.who,
            base=tried.change.base,
            differences=tried.differences,
            touches=tried.touched,
            notes=tried.notes,
            left_s=0.0 if only_looked else self._trial.left_s(self._clock()),
        )

    async def _disk(self, act: Callable[..., Result], *arguments: object) -> Result:
        """Have a door that blocks do it: a card may take its time."""
        return await self._work(asyncio.to_thread(act, *arguments))

    async def _work(self, work: Awaitable[Result]) -> Result:
        """Wait for a door, with a beat; one that never answers ends the process."""
        task = asyncio.ensure_future(work)
        try:
            until = self._clock() + LONGEST_WORK_S
            while not task.done():
                self._world.beat(self._clock())
                await asyncio.wait({task}, timeout=TURN_S)
                if self._clock() > until:
                    raise RuntimeError(f"a door of the settings has not answered for {LONGEST_WORK_S:g} s")
            return task.result()
        finally:
            task.cancel()

    # --- vault ------------------------------------------------------------------------------------

    async def _seal(self) -> None:
        """See that the vault holds what is confirmed. What fails is told once, and tried again later."""
        self._seal_at = None
        before = self._sealed
        try:
            self._sealed = await self._work(self._doors.strongroom.seal(self._trial.revision))
        except GatewayError as error:
            self._seal_at = self._clock() + SEAL_AGAIN_S
            self._trouble(
                f"The vault cannot be written: a reset would not bring back the newest settings. {error}"
            )
            return
        for sentence in self._sealed.told:
            if before is None or sentence not in before.told:
                self._say(sentence)
        self._trouble("")

    def _trouble(self, sentence: str) -> None:
        if sentence and sentence != self._vault_trouble:
            self._say(sentence)
        self._vault_trouble = sentence

    # --- reset and decommission -------------------------------------------------------------------

    async def _begin_reset(self, who: str) -> str:
        reset, now = await self._resets()
        empty = reset.next_is_empty(now)
        if self._text and not empty:
            # What is not in the vault would be lost. The error is the answer; nothing was wiped.
            self._sealed = await self._work(self._doors.strongroom.seal(self._trial.revision))
        calls = len(self._doors.applies.live())
        await self._write_down(reset, Wanted("reset", who), now)
        if empty:
            self._world.hang_up()
        going_on = (
            f" {_calls(calls)} {'ends' if empty else 'goes on unless the settings differ'}." if calls else ""
        )
        if empty:
            text = f"Factory reset by {who}: the third in a row, so the box starts empty; the vault is kept."
        else:
            text = f"Factory reset by {who}: the box starts again and restores its settings from the vault."
        self._say(text + going_on)
        return text + going_on

    async def _decommission(self, verb: Decommission) -> str:
        if self._doorman.access:
            await self._doorman.check(verb.password)
        self._doorman.spend(verb.proof)
        reset, now = await self._resets()
        calls = len(self._doors.applies.live())
        await self._write_down(reset, Wanted("decommission", verb.who), now)
        self._world.hang_up()
        text = f"Decommissioned by {verb.who}: settings, history, vault and its key are wiped for good."
        text += f" {_calls(calls)} ends." if calls else ""
        self._say(text)
        return text

    async def _write_down(self, reset: Reset, wanted: Wanted, now: Moment) -> None:
        """Raises DoorError; then nothing has happened."""
        for action in reset.receive(wanted, now):
            match action:
                case Write(record):
                    await self._disk(self._doors.resets.write, record)
                case Restart():
                    self._ending = True  # what would be promised from here on would be wiped
                    self._world.restart()
                case _:
                    raise AssertionError(action)

    async def _resets(self) -> tuple[Reset, Moment]:
        """The table around what stands on the disk, and this moment."""
        record = await self._disk(self._doors.resets.record)
        return Reset(record), await self._disk(self._doors.resets.now)

    async def _check_restored(self) -> None:
        """After a restore: does the provider answer on each channel whose address is confirmed?"""
        wanted = self._doors.applies.confirmed_uplinks()
        answers: dict[str, str] = {}
        until = self._clock() + CHECK_S
        while (missing := [name for name in wanted if not answers.get(name)]) and self._clock() < until:
            for name in missing:
                answers[name] = await self._doors.applies.observe(name, 2.0)
            await asyncio.sleep(0.2)
        good = [name for name in wanted if answers.get(name)]
        bad = [name for name in wanted if not answers.get(name)]
        result = f" The provider answers on {', '.join(good)}." if good else ""
        result += f" It does not answer on {', '.join(bad)}." if bad else ""
        result += "" if wanted else " No address was confirmed: confirm them (gatewayctl trunk confirm)."
        self._inbox.post(_Checked(self._restored + result))

    # --- words ------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._world.publish(Event(at=self._world.wall(), kind="settings", text=text))


async def _shown(text: str) -> str:
    return await asyncio.to_thread(masked, text) if text else ""


def _calls(number: int) -> str:
    return "The running call" if number == 1 else f"Each of the {number} running calls"


def _from_base64(text: str) -> bytes:
    what = ""
    if len(text) > MAX_BACKUP_BYTES * 4 // 3 + 4:
        what = f"longer than {MAX_BACKUP_BYTES} bytes"
    else:
        try:
            return b64decode(text, validate=True)
        except (Base64Error, ValueError):
            what = "not base64"
    raise RefusedError(f"this is no backup: {what}", where="backup", remedy="Give the file that was exported")


def _refusal(error: GatewayError) -> Refused:
    return Refused(what=error.what, where=error.where, remedy=error.remedy)


def _problems(error: SettingsError) -> Refused:
    problems = tuple(
        ProblemView(path=p.path, line=p.line, what=p.what, remedy=p.remedy) for p in error.problems
    )
    return Refused(what=error.what, where=error.where, remedy=error.remedy, problems=problems)
