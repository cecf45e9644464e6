"""The keeper's loop on a real disk: one answer to each wish, and what is in force is what was promised."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import schema
from gateway.changes import (
    KEPT,
    AskPresence,
    BackupNow,
    ChangeVerb,
    CheckPassword,
    Decommission,
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
    RollBack,
    SetPassword,
    SettingsNow,
    SupportNow,
    TrialNow,
    TrialView,
    TrySettings,
)
from gateway.errors import DoorError, RefusedError
from gateway.messages import AnyMessage, Done, Event, Refused
from gateway.schema import Settings
from gateway.settings import keeper as room
from gateway.settings import start, trial
from gateway.settings.books import Backup, Doors, Sealed, World
from gateway.settings.keeper import Keeper
from gateway.settings.passwords import Passwords
from gateway.settings.ruins import Ruins
from gateway.settings.shelf import Shelf
from gateway.status import CallView, UplinkStatus

EXAMPLE = (Path(__file__).parent.parent / "example.toml").read_text()
OTHER = EXAMPLE.replace('name = "office"', 'name = "branch"')


@dataclass
class FakeApplies:
    """What settings are in force; `refuses`: it cannot put these in force."""

    now: Settings | None = None
    calls: Sequence[CallView] = ()
    answers: dict[str, str] = field(default_factory=dict)
    refuses: Settings | None = None
    applied: list[Settings | None] = field(default_factory=list)

    async def apply(self, settings: Settings | None) -> None:
        await asyncio.sleep(0)
        self.applied.append(settings)
        if settings is not None and settings == self.refuses:
            self.now = None  # half applied, as bad as can be
            raise DoorError("the kernel said no", where="wan0", remedy="Look at the cable")
        self.now = settings

    def live(self) -> Sequence[CallView]:
        return self.calls

    def uplinks(self) -> Sequence[UplinkStatus]:
        return ()

    async def observe(self, uplink: str, timeout_s: float) -> str:
        await asyncio.sleep(0)
        return self.answers.get(uplink, "")

    def confirmed_uplinks(self) -> tuple[str, ...]:
        return tuple(self.answers)


@dataclass
class FakeStrongroom:
    """A vault that is as the disk, and backups that are no secret."""

    state: Path
    broken: bool = False
    sealed: list[int] = field(default_factory=list)

    async def seal(self, revision: int) -> Sealed:
        if self.broken:
            raise DoorError("Read-only file system", where="vault", remedy="Check the disk")
        self.sealed.append(revision)
        text = (self.state / "settings.good.toml").read_text()
        return Sealed(len(self.sealed), frozenset({text}), (), "A fake holds the key.")

    async def export(self, passphrase: str) -> bytes:
        return passphrase.encode() + b"\0" + (self.state / "settings.good.toml").read_bytes()

    async def open_backup(self, data: bytes, passphrase: str) -> Backup:
        phrase, _, text = data.partition(b"\0")
        if phrase != passphrase.encode():
            raise RefusedError("wrong passphrase", where="backup", remedy="Try another")
        return Backup(text.decode(), b"theirs")


@dataclass
class FakeAddresses:
    in_force: bytes = b"ours"
    on_disk: bytes = b"ours"

    def try_out(self, confirmations: bytes) -> None:
        self.in_force = confirmations

    def return_to_kept(self) -> None:
        self.in_force = self.on_disk

    def keep(self) -> None:
        self.on_disk = self.in_force


class Stage:
    """A keeper at work around `text` (empty: a box without settings)."""

    def __init__(self, directory: Path, text: str = EXAMPLE, button: bool = True) -> None:
        self.state = directory / "state"
        self.state.mkdir(exist_ok=True)
        self.file = directory / "settings.toml"
        if text:
            self.file.write_text(text)
        self.shelf = Shelf(self.file, self.state)
        self.ruins = Ruins(
            self.file,
            self.state,
            directory / "vault",
            directory / "key",
            directory / "rec",
            directory / "mark",
            directory,
        )
        self.applies = FakeApplies()
        self.strongroom = FakeStrongroom(self.state)
        self.addresses = FakeAddresses()
        self.passwords = Passwords(self.state)
        self.events: list[Event] = []
        self.restarts = 0
        self.hung_up = 0
        self.button = button
        begun = start.decide(self.shelf.look())
        self.shelf.do(begun, 0.0)
        settings = schema.parse(begun.text, "test") if begun.text else None
        self.applies.now = settings
        self.names = iter(f"t{n}" for n in range(1, 1000))
        world = World(
            publish=self.events.append,
            restart=self._restart,
            wall=lambda: 1.8e9,
            token=lambda: next(self.names),
            hang_up=self._hang_up,
            has_button=lambda: self.button,
        )
        self.keeper = Keeper(
            begun,
            settings,
            Doors(self.applies, self.shelf, self.strongroom, self.addresses, self.passwords, self.ruins),
            world,
        )

    def _restart(self) -> None:
        self.restarts += 1

    def _hang_up(self) -> None:
        self.hung_up += 1

    def post(self, verb: ChangeVerb, role: str = "ctl") -> "asyncio.Future[AnyMessage]":
        answer: asyncio.Future[AnyMessage] = asyncio.get_running_loop().create_future()
        self.keeper.ask(verb, role, answer.set_result)  # a second answer would raise
        return answer

    async def ask(self, verb: ChangeVerb, role: str = "ctl") -> AnyMessage:
        return await self.post(verb, role)

    async def refused(self, verb: ChangeVerb, role: str = "ctl") -> str:
        answer = await self.ask(verb, role)
        assert isinstance(answer, Refused), answer
        return f"{answer.what}. {answer.remedy}"

    async def done(self, verb: ChangeVerb, role: str = "ctl") -> Done:
        answer = await self.ask(verb, role)
        assert isinstance(answer, Done), answer
        return answer

    async def try_(self, text: str, *, base: int = 1, seconds: int = 90, who: str = "anna") -> TrialView:
        answer = await self.ask(TrySettings(text=text, base=base, who=who, seconds=seconds))
        assert isinstance(answer, TrialNow) and answer.trial is not None, answer
        return answer.trial

    async def until(self, judge: Callable[[], bool]) -> None:
        while not judge():  # each look is a round trip, so this is no busy loop
            await self.ask(GetTrial())

    def said(self, words: str) -> bool:
        return any(words in event.text for event in self.events)


Scene = Callable[[Stage], Awaitable[None]]


def play(directory: Path, scene: Scene, **keywords: object) -> Stage:
    async def main() -> Stage:
        stage = Stage(directory, **keywords)  # type: ignore[arg-type]
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(stage.keeper.run())
            await scene(stage)
            task.cancel()
        return stage

    return asyncio.run(main())


def test_a_change_is_looked_at_tried_kept_and_sealed(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        look = await stage.ask(TrySettings(text=OTHER, base=1, who="anna", only_look=True))
        assert isinstance(look, TrialNow) and look.trial is not None and look.trial.trial == ""
        assert [d.path for d in look.trial.differences] == ["appliance.name"]
        assert stage.applies.applied == []

        view = await stage.try_(OTHER)
        assert view.trial and 80 < view.left_s <= 90 and stage.applies.now is not None
        assert stage.applies.now.appliance.name == "branch"
        assert stage.file.read_text() == EXAMPLE, "a trial is not on the disk"
        now = await stage.ask(GetTrial())
        assert isinstance(now, TrialNow) and now.trial is not None and now.trial.trial == view.trial

        done = await stage.done(KeepTrial(trial=view.trial))
        assert done.data["revision"] == 2 and stage.file.read_text() == OTHER
        history = await stage.ask(GetHistory())
        assert isinstance(history, HistoryNow)
        assert [(r.revision, r.who, r.differences) for r in history.revisions] == [
            (2, "anna", 1),
            (1, "the settings file", 0),
        ]
        assert [r.sealed for r in history.revisions] == [True, False] and stage.strongroom.sealed[-1] == 2
        assert stage.keeper.now().revision == 2 and stage.keeper.now().trial == ""

    play(tmp_path, scene)


def test_time_runs_out_and_the_old_settings_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SHORTEST_S", 0)

    async def scene(stage: Stage) -> None:
        before = stage.applies.now
        await stage.try_(OTHER, seconds=1)
        await stage.until(lambda: bool(stage.said("was not kept within 1 s")))
        assert stage.applies.now == before
        assert "no change is on trial" in await stage.refused(KeepTrial(trial="t1"))
        assert (await stage.try_(OTHER)).base == 1, "and one can try again"

    play(tmp_path, scene)


def test_what_cannot_be_applied_is_rolled_back_at_once(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        before = stage.applies.now
        stage.applies.refuses = schema.parse(OTHER, "test")
        words = await stage.refused(TrySettings(text=OTHER, base=1, who="anna"))
        assert "the kernel said no" in words and "Look at the cable" in words
        assert stage.applies.now == before, "nothing half applied"
        assert stage.keeper.now().trial == "" and stage.keeper.now().revision == 1
        assert stage.said("could not be put in force")

    play(tmp_path, scene)


def test_bad_settings_are_refused_whole(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bad = EXAMPLE.replace('country = "GB"', 'country = "Utopia"').replace("wan1", "w/n")
        answer = await stage.ask(TrySettings(text=bad, base=1, who="anna"))
        assert isinstance(answer, Refused)
        assert {p.path for p in answer.problems} == {"appliance.country", "uplinks.1.device"}
        assert all(p.line and p.remedy for p in answer.problems) and stage.applies.applied == []
        assert "nothing is changed" in await stage.refused(TrySettings(text=EXAMPLE, base=1, who="anna"))

    play(tmp_path, scene)


def test_two_editors(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        view = await stage.try_(OTHER)
        second = TrySettings(text=OTHER.replace("branch", "attic"), base=1, who="bert")
        assert "a change of anna is on trial" in await stage.refused(second)
        await stage.done(KeepTrial(trial=view.trial))
        assert "revision 2 now (anna)" in await stage.refused(second)

    play(tmp_path, scene)


def test_live_calls_are_named(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        call = CallView(
            call=1, phone="desk", direction="out", state="up", remote="442079460001", caller_id="",
            uplink="main", started_at=0.0,
        )  # fmt: skip
        stage.applies.calls = (call,)
        text = EXAMPLE.replace("203.0.113.2/30", "203.0.113.6/30").replace('203.0.113.1"', '203.0.113.5"')
        view = await stage.try_(text)
        assert view.touches == ("Call 1 (desk to 442079460001) will move from main to backup1.",)
        await stage.done(DropTrial(trial=view.trial))
        assert (await stage.try_(OTHER)).touches == ("Call 1 (desk to 442079460001) is left alone.",)

    play(tmp_path, scene)


def test_secrets_go_in_and_never_come_out(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        now = await stage.ask(GetSettings())
        assert isinstance(now, SettingsNow) and "free-secret" not in now.text and KEPT in now.text
        view = await stage.try_(now.text.replace("office", "branch"))
        assert "free-secret" not in repr(view)
        await stage.done(KeepTrial(trial=view.trial))
        assert 'password = "free-secret"' in stage.file.read_text()
        support = await stage.ask(GetSupport())
        assert isinstance(support, SupportNow) and "free-secret" not in repr(support)
        fresh = await stage.try_(stage.file.read_text().replace("free-secret", "new-secret"), base=2)
        assert "secret" not in repr(fresh)
        older = await stage.ask(GetSettings(revision=1))
        assert isinstance(older, SettingsNow) and "free-secret" not in older.text

    play(tmp_path, scene)


def test_an_edit_by_hand_meanwhile_is_put_aside(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        view = await stage.try_(OTHER)
        mine = EXAMPLE.replace("office", "edited")
        stage.file.write_text(mine)
        await stage.done(KeepTrial(trial=view.trial))
        assert stage.file.read_text() == OTHER
        assert stage.file.with_name("settings.toml.aside").read_text() == mine and stage.said(".aside")

    play(tmp_path, scene)


def test_roll_back_is_a_trial_too(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        view = await stage.try_(OTHER)
        await stage.done(KeepTrial(trial=view.trial))
        answer = await stage.ask(RollBack(revision=1, who="bert"))
        assert isinstance(answer, TrialNow) and answer.trial is not None
        done = await stage.done(KeepTrial(trial=answer.trial.trial))
        assert done.data["revision"] == 3 and stage.file.read_text() == EXAMPLE
        assert "no revision 9" in await stage.refused(RollBack(revision=9, who="bert"))

    play(tmp_path, scene)


def test_first_settings_of_an_empty_box(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.keeper.settings() is None and stage.keeper.now().origin == "none"
        empty = await stage.ask(GetSettings())
        assert isinstance(empty, SettingsNow) and (empty.text, empty.revision) == ("", 0)
        view = await stage.try_(EXAMPLE, base=0)
        assert stage.applies.now is not None
        await stage.done(DropTrial(trial=view.trial))
        assert stage.applies.applied[-1] is None, "empty again"
        view = await stage.try_(EXAMPLE, base=0)
        assert (await stage.done(KeepTrial(trial=view.trial))).data["revision"] == 1
        assert stage.keeper.now().origin == "owner"

    play(tmp_path, scene, text="")


def test_a_full_disk_keeps_the_trial_running(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        view = await stage.try_(OTHER)
        blocked = stage.file.with_name(".settings.toml.new")
        blocked.mkdir()  # what cannot be replaced cannot be written
        words = await stage.refused(KeepTrial(trial=view.trial))
        assert "cannot be written" in words and stage.file.read_text() == EXAMPLE
        blocked.rmdir()
        assert (await stage.done(KeepTrial(trial=view.trial))).data["revision"] == 2

    play(tmp_path, scene)


def test_a_power_cut_during_a_trial_returns_the_old_settings_and_says_so(tmp_path: Path) -> None:
    async def trying(stage: Stage) -> None:
        await stage.try_(OTHER)

    play(tmp_path, trying)  # and then the process is gone

    async def later(stage: Stage) -> None:
        await stage.until(lambda: bool(stage.events))
        assert stage.said("A change of anna was on trial when the box stopped")
        assert stage.applies.now is not None and stage.applies.now.appliance.name == "office"

    play(tmp_path, later, text="")

    async def once(stage: Stage) -> None:
        await stage.ask(GetTrial())
        assert not stage.events

    play(tmp_path, once, text="")


def test_a_vault_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.strongroom.broken = True
        await stage.until(lambda: bool(stage.keeper.now().vault_trouble))
        view = await stage.try_(OTHER)
        await stage.done(KeepTrial(trial=view.trial))
        await stage.ask(GetTrial())
        assert sum("vault cannot be written" in event.text for event in stage.events) == 1
        assert "Read-only" in await stage.refused(FactoryReset(who="ctl"))
        assert stage.restarts == 0, "what the vault does not have is not wiped"

    play(tmp_path, scene)


def test_a_factory_reset_is_written_down_before_the_process_ends(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        done = await stage.done(FactoryReset(who="the page"))
        assert "restores its settings from the vault" in done.text
        assert stage.ruins.record().pending == "reset" and stage.restarts == 1
        late = TrySettings(text=OTHER, base=1, who="anna")
        assert "being reset" in await stage.refused(late), "it would be wiped"
        assert stage.file.exists(), "wiping is for the next start"

    play(tmp_path, scene)


def test_the_button_resets_without_anybody_to_answer(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.keeper.reset()
        await stage.until(lambda: bool(stage.restarts))
        assert stage.ruins.record().who == "the button"

    play(tmp_path, scene)


def test_presence_password_and_decommissioning(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        assert "nobody has shown" in await stage.refused(SetPassword(password="correct horse"), "web")
        assert not stage.keeper.approve(), "a tap that nobody waits for"
        asked = stage.post(AskPresence(why="a new password"), "web")
        await stage.until(lambda: bool(stage.keeper.now().presence))
        assert stage.keeper.approve()
        proof = str(_done(await asked).data["proof"])
        assert "4 characters" in await stage.refused(SetPassword(password="1234", proof=proof), "web")
        await stage.done(SetPassword(password="correct horse", proof=proof), "web")
        access = stage.keeper.now().access
        assert access and "nobody has" in await stage.refused(SetPassword(password="x" * 8, proof=proof))
        assert (await stage.done(CheckPassword(password="correct horse"))).data["access"] == access
        assert "not the password" in await stage.refused(CheckPassword(password="correct"))
        await stage.done(SetPassword(password="battery staple", old="correct horse"), "web")
        assert stage.keeper.now().access not in ("", access), "older sessions are void"

        asked = stage.post(AskPresence(why="wipe all"), "web")
        await stage.until(lambda: bool(stage.keeper.now().presence))
        stage.keeper.approve()
        proof = str(_done(await asked).data["proof"])
        wrong = Decommission(who="web", password="guess", proof=proof)
        assert "not the password" in await stage.refused(wrong)
        without = Decommission(who="web", password="battery staple", proof="made up")
        assert "nobody has shown" in await stage.refused(without)
        await stage.done(Decommission(who="web", password="battery staple", proof=proof))
        assert stage.ruins.record().pending == "decommission" and stage.restarts == stage.hung_up == 1

    play(tmp_path, scene)


def test_a_box_without_a_button_takes_a_shell_for_presence(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        assert (await stage.done(AskPresence(why="x"), "ctl")).data["proof"]
        refused = await stage.refused(AskPresence(why="y"), "web")
        assert "no button" in refused, "the page is not at the box, and is told so at once"

    play(tmp_path, scene, button=False)


def test_wrong_passwords_are_slowed_down_across_restarts(tmp_path: Path) -> None:
    async def guessing(stage: Stage) -> None:
        stage.passwords.set("correct horse")

    play(tmp_path, guessing)

    async def more(stage: Stage) -> None:
        for _ in range(2):
            assert "not the password" in await stage.refused(CheckPassword(password="guess"))
        assert stage.passwords.wrong() == 2
        stage.passwords.note_wrong(12)

    play(tmp_path, more, text="")

    async def later(stage: Stage) -> None:
        assert "too many wrong passwords" in await stage.refused(CheckPassword(password="correct horse"))

    play(tmp_path, later, text="")

    async def again(stage: Stage) -> None:
        assert "too many wrong passwords" in await stage.refused(CheckPassword(password="correct horse"))

    play(tmp_path, again, text="")


def test_a_backup_of_another_box_makes_this_one_the_other(tmp_path: Path) -> None:
    data = ""

    async def export(stage: Stage) -> None:
        nonlocal data
        answer = await stage.ask(ExportBackup(passphrase="a long phrase"))
        assert isinstance(answer, BackupNow)
        data = answer.data

    (tmp_path / "old").mkdir()
    play(tmp_path / "old", export, text=OTHER)

    async def import_(stage: Stage) -> None:
        wrong = ImportBackup(data=data, passphrase="another phrase", who="anna")
        assert "wrong passphrase" in await stage.refused(wrong)
        assert "not base64" in await stage.refused(ImportBackup(data="§", passphrase="x", who="anna"))
        long = b64encode(bytes(room.MAX_BACKUP_BYTES + 100)).decode()
        assert "longer than" in await stage.refused(ImportBackup(data=long, passphrase="x", who="anna"))
        spoilt = b64encode(b64decode(data).replace(b"GB", b"G8")).decode()
        bad = await stage.ask(ImportBackup(data=spoilt, passphrase="a long phrase", who="anna"))
        assert isinstance(bad, Refused) and bad.problems[0].path == "appliance.country"
        assert stage.applies.applied == [] and stage.addresses.in_force == b"ours"

        right = ImportBackup(data=data, passphrase="a long phrase", who="anna")
        tried = await stage.ask(right)
        assert isinstance(tried, TrialNow) and tried.trial is not None
        assert stage.addresses.in_force == b"theirs" and stage.addresses.on_disk == b"ours"
        await stage.done(DropTrial(trial=tried.trial.trial))
        assert stage.addresses.in_force == b"ours"
        tried = await stage.ask(right)
        assert isinstance(tried, TrialNow) and tried.trial is not None
        await stage.done(KeepTrial(trial=tried.trial.trial))
        assert stage.file.read_text() == OTHER and stage.addresses.on_disk == b"theirs"

    (tmp_path / "spare").mkdir()
    play(tmp_path / "spare", import_)


def test_at_most_fifty_revisions_are_kept(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        for number in range(1, 56):
            text = EXAMPLE.replace("office", f"office{number}")
            view = await stage.try_(text, base=number)
            await stage.done(KeepTrial(trial=view.trial))
        history = await stage.ask(GetHistory())
        assert isinstance(history, HistoryNow)
        assert [r.revision for r in history.revisions] == list(range(56, 6, -1))

    play(tmp_path, scene)


def _done(answer: AnyMessage) -> Done:
    assert isinstance(answer, Done), answer
    return answer
