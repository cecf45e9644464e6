"""The parser as a tree of plain values, for the manual page and the completion. Pure."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ctl.parser import FILES, HIDDEN, NAMES, Parser


@dataclass(frozen=True, slots=True)
class Option:
    """`flags`: as they are typed; `value`: the word that stands for its value, empty for a switch; `kind`:
    what that value is ("file", a kind of name, or empty); `choices`: the only values."""

    flags: tuple[str, ...]
    value: str
    help: str
    kind: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A positional argument."""

    name: str
    help: str
    kind: str
    choices: tuple[str, ...]
    optional: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Verb:
    """`path`: the words that name it; `verbs`: those below it."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    words: tuple[Word, ...]
    verbs: tuple["Verb", ...]
    alone: bool

    def all(self) -> Iterator["Verb"]:
        """It, and all below it."""
        yield self
        for verb in self.verbs:
            yield from verb.all()


def read(parser: Parser, path: tuple[str, ...] = (), help: str = "") -> Verb:
    """The tree of a parser; verbs that nobody types are left out."""
    options: list[Option] = []
    words: list[Word] = []
    verbs: list[Verb] = []
    alone = True
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            alone = not action.required
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            verbs = [
                read(sub.built, (*path, name), told[name])
                for name, sub in action.choices.items()
                if name not in HIDDEN
            ]
        elif action.option_strings:
            takes = action.nargs != 0
            value = _name(action) if takes else ""
            options.append(
                Option(
                    tuple(action.option_strings),
                    value,
                    _help(action),
                    _kind(action) if takes else "",
                    _choices(action),
                )
            )
        else:
            words.append(
                Word(
                    _name(action),
                    _help(action),
                    _kind(action),
                    _choices(action),
                    action.nargs == "?",
                    action.nargs == "+",
                )
            )
    return Verb(path, help or parser.description or "", tuple(options), tuple(words), tuple(verbs), alone)


def _name(action: argparse.Action) -> str:
    if action.choices and not action.metavar:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default, "prog": "gatewayctl"} if action.help else ""


def _kind(action: argparse.Action) -> str:
    return "file" if action.dest in FILES else NAMES.get(action.dest, "")


def _choices(action: argparse.Action) -> tuple[str, ...]:
    if action.choices:
        return tuple(map(str, action.choices))
    # CHANNEL|auto: a word that stands beside names.
    return tuple(part for part in str(action.metavar or "").split("|")[1:] if part.islower())
