"""What clients and the keeper of the settings say to each other: trial, history, reset, backup, presence.

Law 19: secrets go in and never come out. A text that leaves the keeper has KEPT in the place of each secret,
and KEPT in a text that comes in stands for the secret that is in force at that place.
"""

from typing import Final

from gateway.status import Frozen, Message, Origin

KEPT: Final = "(kept)"
TRIAL_S: Final = 90
"""How long a change waits for the word of the client that made it."""


class ProblemView(Frozen, frozen=True, kw_only=True):
    """One fault of a text: dotted `path`, 1-based `line` (0: unknown)."""

    path: str
    line: int
    what: str
    remedy: str


class Difference(Frozen, frozen=True, kw_only=True):
    """One value that a change changes; dotted `path`. Empty `before`: it is new; empty `after`: it goes.
    Values are TOML; a secret shows as KEPT."""

    path: str
    before: str
    after: str


class TrialView(Frozen, frozen=True, kw_only=True):
    """A change that is in force on trial. `trial` names it; whoever knows the name may keep it. `base`: the
    revision in force before.

    `touches`: the live calls that it touches, each in a sentence; `left_s`: until it returns by itself.
    """

    trial: str
    who: str
    base: int
    differences: tuple[Difference, ...]
    touches: tuple[str, ...]
    notes: tuple[str, ...]
    left_s: float


class RevisionView(Frozen, frozen=True, kw_only=True):
    """One confirmed state of the settings. `at`: Unix seconds; `sealed`: the vault holds it."""

    revision: int
    at: float
    who: str
    why: str
    differences: int
    sealed: bool


# --- ctl, web -> daemon -----------------------------------------------------------------------------


class GetSettings(Message, frozen=True, kw_only=True):
    """Ask for SettingsNow; `revision` 0: what is in force."""

    revision: int = 0


class TrySettings(Message, frozen=True, kw_only=True):
    """Check the whole text, show what it changes, and (unless `only_look`) put it in force on trial.

    `base`: the revision that the text was made from; another one in force is refused. Answer: TrialNow, whose
    `trial` is empty when it was only looked at.
    """

    text: str
    base: int
    who: str
    why: str = ""
    only_look: bool = False
    seconds: int = TRIAL_S


class RollBack(Message, frozen=True, kw_only=True):
    """TrySettings with the text of an older revision."""

    revision: int
    who: str
    only_look: bool = False
    seconds: int = TRIAL_S


class GetTrial(Message, frozen=True, kw_only=True):
    """Ask for TrialNow."""


class KeepTrial(Message, frozen=True, kw_only=True):
    """The client still reaches the box: confirm the change, seal it, make it the newest revision."""

    trial: str


class DropTrial(Message, frozen=True, kw_only=True):
    """Return to the old settings now."""

    trial: str


class GetHistory(Message, frozen=True, kw_only=True):
    """Ask for HistoryNow."""


class AskPresence(Message, frozen=True, kw_only=True):
    """Somebody at the box has to tap its button within a minute. Answer: Done, whose data has `proof` (a name
    that is good once, for ten minutes), or Refused."""

    why: str


class SetPassword(Message, frozen=True, kw_only=True):
    """The password of the page. `proof` from AskPresence, or `old`: the one that is set now."""

    password: str
    old: str = ""
    proof: str = ""


class CheckPassword(Message, frozen=True, kw_only=True):
    """Is this the password? Done, whose data has `access` (status.SettingsStatus), or Refused. After a few
    wrong ones nothing is checked for a while, and ever longer; a restart does not shorten it."""

    password: str


class Seen(Message, frozen=True, kw_only=True):
    """Somebody has read what the box did after its reset (SettingsStatus.restored). Answer: Done."""


class FactoryReset(Message, frozen=True, kw_only=True):
    """Wipe settings, sessions and history, start again, restore from the vault. Needs nothing but a client
    that may ask: it heals."""

    who: str


class Decommission(Message, frozen=True, kw_only=True):
    """Wipe vault, keys, settings and history for good. Needs the password (where one is set) and `proof`."""

    who: str
    password: str
    proof: str


class ExportBackup(Message, frozen=True, kw_only=True):
    """Settings and confirmations as one encrypted file. Answer: BackupNow."""

    passphrase: str


class ImportBackup(Message, frozen=True, kw_only=True):
    """A backup of this box or of another, put in force as a trial. `data`: base64 of the file. Answer:
    TrialNow."""

    data: str
    passphrase: str
    who: str
    only_look: bool = False
    seconds: int = TRIAL_S


class GetSupport(Message, frozen=True, kw_only=True):
    """Ask for SupportNow: what an engineer needs to see, without secrets, numbers masked."""


# --- answers ----------------------------------------------------------------------------------------


class SettingsNow(Message, frozen=True, kw_only=True):
    """The answer to GetSettings. `text` is empty when there is none; `revision` 0: never confirmed."""

    text: str
    revision: int
    origin: Origin
    notes: tuple[str, ...] = ()


class TrialNow(Message, frozen=True, kw_only=True):
    """The trial that runs (or was only looked at); None: none runs."""

    trial: TrialView | None


class HistoryNow(Message, frozen=True, kw_only=True):
    """Revisions, newest first."""

    revisions: tuple[RevisionView, ...]


class BackupNow(Message, frozen=True, kw_only=True):
    """An age file, base64."""

    data: str


class SupportNow(Message, frozen=True, kw_only=True):
    """Named texts."""

    parts: dict[str, str]


ChangeVerb = (
    GetSettings
    | TrySettings
    | RollBack
    | GetTrial
    | KeepTrial
    | DropTrial
    | GetHistory
    | AskPresence
    | SetPassword
    | CheckPassword
    | Seen
    | FactoryReset
    | Decommission
    | ExportBackup
    | ImportBackup
    | GetSupport
)
ChangeReply = SettingsNow | TrialNow | HistoryNow | BackupNow | SupportNow
