"""The whole command line. Help, manual page and shell completion are made from it, and from nothing else.

Each verb names its act as `module.function` of this package, and is built when it is asked for: a start loads
one family of verbs only.
"""

import argparse
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from gateway import VERSION

DONE, REFUSED, USAGE, NOT_THERE = 0, 1, 2, 3

RUN_DIRECTORY: Final = "/run/steadyline"
EXIT_CODES: Final = {
    DONE: "done",
    REFUSED: "refused: nothing was changed, or the change was taken back",
    USAGE: "wrong usage",
    NOT_THERE: "the daemon is not there, or left before it answered",
}
NAMES: Final = {
    "uplink": "uplinks",
    "phone": "phones",
    "revision": "revisions",
    "pairs": "settings",
    "paths": "settings",
}
"""Arguments (by `dest`) whose values the daemon knows; `gatewayctl names KIND` prints them for completion."""
FILES: Final = {"file", "passphrase_file", "password_file", "secret_file", "run"}
HIDDEN: Final = frozenset({"names"})
"""Verbs that people do not type."""


def one_line(text: str) -> str:
    """Text that does to a terminal nothing but stand there: what is not printable shows as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Parser(argparse.ArgumentParser):
    """Says what is wrong, then where help is, instead of the whole usage line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gatewayctl: {one_line(message)}. See: {self.prog} --help\n")


class Later:
    """A verb's parser, built when it is asked for: fifty at a start would take longer than all the rest."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self.fills: tuple[Fill, ...] = ()

    @cached_property
    def built(self) -> Parser:
        """The parser, with all its arguments."""
        parser = Parser(**self._settings)
        for fill in self.fills:
            fill(parser)
        return parser

    def parse_known_args(self, *given: Any) -> Any:
        """All that argparse asks of the parser of a verb."""
        return self.built.parse_known_args(*given)


Fill = Callable[[Parser], object]
"""Adds arguments to a parser."""
if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[Later]  # type: ignore[type-var]


def parser() -> Parser:
    """A fresh parser; `act` of its result is the verb's function as `module.function`."""
    codes = "; ".join(f"{code} {what}" for code, what in EXIT_CODES.items())
    top = Parser(
        prog="gatewayctl",
        description="Ask the gateway, or tell it what to do.",
        epilog=f"Exit codes: {codes}.",
    )
    top.add_argument(
        "--run", metavar="DIR", type=Path, default=Path(RUN_DIRECTORY), help="runtime directory (%(default)s)"
    )
    top.add_argument("--version", action="version", version=f"steadyline {VERSION}", help="print the version")
    top.set_defaults(json=False)
    verbs = _below(top, "verb", "VERB", required=True)
    _seeing(verbs)
    _desk(verbs)
    _family(verbs, "settings", "the settings: look, change on trial, go back", _settings)
    _family(verbs, "trial", "the change that is in force on trial", _trial)
    _family(verbs, "backup", "the settings as an encrypted file, or on paper", _backup)
    _handing(verbs)
    _paper(verbs)
    return top


def _below(parser: Parser, dest: str, metavar: str, *, required: bool) -> "Verbs":
    later: Any = Later
    verbs: Any = parser.add_subparsers(dest=dest, metavar=metavar, required=required, parser_class=later)
    return verbs  # type: ignore[no-any-return]


def _verb(verbs: "Verbs", name: str, act: str, help: str, *fills: Fill, json: bool = True) -> None:
    """One verb that does something."""

    def acts(parser: Parser) -> None:
        parser.set_defaults(act=act)
        if json:
            # Suppressed: a default here would undo the word of the verb above.
            help = "for programs: one JSON value, also of a refusal"
            parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=help)

    later = verbs.add_parser(name, help=help, description=help[0].upper() + help[1:].rstrip(".") + ".")
    later.fills = (acts, *fills)


def _family(verbs: "Verbs", name: str, help: str, fill: Callable[["Verbs"], None], act: str = "") -> None:
    """A verb that has verbs below it; with `act` it can also stand alone."""

    def below(parser: Parser) -> None:
        fill(_below(parser, "order", "ORDER", required=not act))

    if act:
        _verb(verbs, name, act, help, below)
    else:
        verbs.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".").fills = (below,)


# --- arguments --------------------------------------------------------------------------------------------


def _word(dest: str, metavar: str, help: str = "", **more: Any) -> Fill:
    return lambda parser: parser.add_argument(dest, metavar=metavar, help=help or None, **more)


def _file(help: str) -> Fill:
    return _word("file", "FILE", help)


def _flag(name: str, help: str) -> Fill:
    return lambda parser: parser.add_argument(name, action="store_true", help=help)


def _secret_file(name: str, help: str, dest: str) -> Fill:
    return lambda parser: parser.add_argument(name, metavar="FILE", dest=dest, help=help)


_PASSPHRASE = _secret_file(
    "--passphrase-file", "take the passphrase from the first line of this file", "passphrase_file"
)


def _change(parser: Parser) -> None:
    """How a change of the settings is carried out."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask before it is applied")
    how.add_argument("--look", action="store_true", help="only show what would change")
    parser.add_argument(
        "--trial", action="store_true", help="leave it on trial, and print the name by which it can be kept"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=90,
        metavar="N",
        help="length of the trial, 5 to 900 (%(default)s)",
    )


def _why(parser: Parser) -> None:
    parser.add_argument("--why", default="", metavar="TEXT", help="for the history")


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 5 <= int(text) <= 900:
        raise argparse.ArgumentTypeError(f"5 to 900 seconds are needed, not {text[:20]!r}")
    return int(text)


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a number of 1 or more is needed, not {text[:20]!r}")
    return int(text)


# --- verbs ------------------------------------------------------------------------------------------------

_CHANNEL = _word("uplink", "CHANNEL", nargs="?")
_PHONE = _word("phone", "PHONE")
_DIGITS = _word("digits", "DIGITS")
_TOML = _file("`-`: standard input")


def _seeing(verbs: "Verbs") -> None:
    def uplinks(orders: "Verbs") -> None:
        _verb(orders, "list", "seeing.uplinks", "every channel with its state and figures")
        use = _word("uplink", "CHANNEL|auto")
        _verb(orders, "use", "seeing.use", "carry calls by this channel; `auto`: choose by health again", use)
        _verb(
            orders,
            "test",
            "seeing.test_uplinks",
            "check one channel, or all, from cable to provider",
            _CHANNEL,
        )

    def trunk(orders: "Verbs") -> None:
        _verb(orders, "test", "seeing.test_trunk", "ask the provider which address it sees now", _CHANNEL)
        _verb(
            orders,
            "confirm",
            "seeing.confirm",
            "confirm the address of a channel, or of all, by a call",
            _CHANNEL,
        )

    _verb(verbs, "status", "seeing.show", "what the gateway is now: verdict, channels, phones, calls")
    _verb(verbs, "watch", "watching.watch", "the status as it changes, until Ctrl-C; lines when it is piped")
    _verb(verbs, "follow", "watching.follow", "what happens, as it happens, until Ctrl-C")
    _verb(verbs, "seen", "seeing.seen", "you have read what the box did by itself after a reset")
    _family(verbs, "uplinks", "the Internet channels", uplinks, act="seeing.uplinks")
    _family(verbs, "trunk", "the provider's trunk", trunk)
    _family(verbs, "calls", "the calls that are up now; `log`: those that have ended", _ended, "seeing.calls")
    _verb(verbs, "phones", "seeing.phones", "the phones of the box")
    _verb(verbs, "identify", "seeing.identify", "have the lamp blink for half a minute: which box is it?")


def _desk(verbs: "Verbs") -> None:
    def callerid(orders: "Verbs") -> None:
        _verb(orders, "test", "desk.callerid", "what would be dialled and shown; nothing is dialled", _DIGITS)
        lines = _file("lines of Asterisk's extensions.conf; `-`: standard input")
        _verb(
            orders,
            "import",
            "importing.callerid",
            "add the rules of an extensions.conf",
            lines,
            _change,
            _why,
        )

    _verb(verbs, "dial", "desk.dial", "lift a phone and dial", _PHONE, _DIGITS)
    _verb(verbs, "lift", "desk.lift", "lift the handset: dial tone, or the call that rings", _PHONE)
    _verb(verbs, "press", "desk.press", "press keys one by one, to dial or in a call", _PHONE, _DIGITS)
    _verb(verbs, "flash", "desk.flash", "press the hook for a moment (the R key)", _PHONE)
    _verb(verbs, "answer", "desk.answer", "lift a ringing phone", _PHONE)
    _verb(verbs, "hangup", "desk.hangup", "put the handset down", _PHONE)
    _verb(verbs, "hold", "desk.hold", "put the phone's call on hold", _PHONE)
    _verb(verbs, "resume", "desk.resume", "take the call back from hold", _PHONE)
    _verb(verbs, "digits", "desk.digits", "press keys during a call", _PHONE, _DIGITS)
    play = "a virtual phone speaks this WAV file from now on"
    _verb(verbs, "play", "desk.play", play, _PHONE, _file("16-bit mono"))
    _family(verbs, "callerid", "which number is shown to whom", callerid)


def _settings(verbs: "Verbs") -> None:
    def which(parser: Parser) -> None:
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument("file", metavar="FILE", nargs="?", help="`-`: standard input")
        group.add_argument("--revision", type=_number, metavar="N", help="an older revision")

    def older(parser: Parser) -> None:
        parser.add_argument(
            "--revision", type=_number, default=0, metavar="N", help="those of an older revision"
        )

    pairs = _word("pairs", "PATH=VALUE", "such as uplinks.main.metered=true; a secret: PATH alone", nargs="+")
    paths = _word("paths", "PATH", "such as phones.kitchen", nargs="+")
    secret = _secret_file("--secret-file", "take the secret from the first line of this file", "secret_file")
    _verb(verbs, "show", "settings.show", "the confirmed settings; secrets are masked", older)
    _verb(verbs, "set", "settings.set_values", "change values; comments stay", pairs, secret, _change, _why)
    _verb(verbs, "unset", "settings.unset", "take values or whole sections out", paths, _change, _why)
    edit = "change them in $EDITOR, until they are sound"
    _verb(verbs, "edit", "settings.edit", edit, _change, _why, json=False)
    _verb(verbs, "diff", "settings.diff", "what a file, or an older revision, would change", which)
    _verb(verbs, "validate", "settings.validate", "check a file: every problem with its line", _TOML)
    _verb(verbs, "try", "settings.try_file", "put a whole file in force, on trial", _TOML, _change, _why)
    _verb(verbs, "history", "settings.history", "every confirmed revision: when, who, why")
    number = _word("revision", "N", type=_number)
    _verb(verbs, "rollback", "settings.rollback", "go back to an older revision, on trial", number, _change)
    _verb(verbs, "schema", "settings.schema", "what may stand in the settings, as JSON Schema", json=False)


def _trial(verbs: "Verbs") -> None:
    name = _word("name", "NAME", "without it: show the change and ask", nargs="?")
    _verb(verbs, "show", "changing.show", "what it changes, and how long it has left")
    _verb(verbs, "keep", "changing.keep", "the box is still reached: keep it", name)
    _verb(verbs, "drop", "changing.drop", "return to the old settings now")


def _backup(verbs: "Verbs") -> None:
    new = _file("must not exist yet")
    _verb(
        verbs, "export", "backup.export", "write an encrypted file (age, with a passphrase)", new, _PASSPHRASE
    )
    kinds = _file("an exported file; or a text with the lines, or the scanned codes, of a recovery sheet")
    take = "put a backup of this box, or of another, in force on trial"
    _verb(verbs, "import", "backup.take", take, kinds, _PASSPHRASE, _change)
    pages = _file("FILE.html (all pages), FILE.svg (a file for each page) or FILE.txt (lines alone)")
    sheet = "write a recovery sheet to print: QR codes and lines to type"
    _verb(verbs, "sheet", "backup.sheet", sheet, pages, _PASSPHRASE)


def _handing(verbs: "Verbs") -> None:
    unasked = _flag("--yes", "do not ask")
    _verb(verbs, "reset", "handing.reset", "factory reset: wipe, start again, heal from the vault", unasked)
    _verb(
        verbs,
        "decommission",
        "handing.decommission",
        "wipe everything for good, before the box is given away",
        _flag("--yes", "do not ask for its name; its password and its button are needed still"),
        _secret_file(
            "--password-file", "take the password from the first line of this file", "password_file"
        ),
    )
    _verb(
        verbs,
        "password",
        "handing.password",
        "set the password of the web page",
        _flag("--presence", "the old one is lost: tap the box's button instead"),
        _secret_file(
            "--old-password-file", "take the old one from the first line of this file", "password_file"
        ),
        _secret_file(
            "--new-password-file", "take the new one from the first line of this file", "secret_file"
        ),
    )


def _lines(parser: Parser) -> None:
    parser.add_argument("--lines", type=_number, default=100, metavar="N", help="how many (%(default)s)")


def _ended(verbs: "Verbs") -> None:
    words = _word("words", "WORDS", "only those with this in a number, phone, channel or reason", nargs="?")
    _verb(verbs, "log", "past.calls", "the calls that have ended, newest last", words, _lines)


def _paper(verbs: "Verbs") -> None:
    def kind(parser: Parser) -> None:
        parser.add_argument(
            "--kind", metavar="KIND", help="only these: switch, uplink, call, confirm and the like"
        )

    _verb(verbs, "timeline", "past.timeline", "what has happened, newest last", kind, _lines)
    follow = _flag("--follow", "and go on as more come, until Ctrl-C")
    _verb(verbs, "log", "support.log", "the journal of the gateway's services", _lines, follow)
    support = "write what an engineer needs to see; no secrets, numbers starred"
    _verb(verbs, "support", "support.bundle", support, _file("FILE.tar.gz, must not exist yet"))
    shell = _word("shell", "bash|zsh|fish", choices=("bash", "zsh", "fish"))
    _verb(verbs, "completion", "paper.completion", "print the completion of a shell", shell, json=False)
    _verb(verbs, "man", "paper.man", "print the manual page (troff)", json=False)
    names = verbs.add_parser("names")  # for completion; says nothing when it cannot be known
    names.fills = (
        lambda parser: parser.set_defaults(act="paper.names"),
        _word("kind", "KIND", choices=tuple(dict.fromkeys(NAMES.values()))),
    )
