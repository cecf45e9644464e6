"""Law: a change is looked at, asked for, put in force on trial, and kept only by who still reaches the box.

Over a connection that was made after the change; and in an SSH session by a key press that came through it.
"""

import argparse
import select
import sys
import time
from collections.abc import Callable
from typing import Final

from gateway.changes import (
    DropTrial,
    GetSettings,
    GetTrial,
    KeepTrial,
    SettingsNow,
    TrialNow,
    TrialView,
    TrySettings,
)
from gateway.client import Client, GoneError
from gateway.ctl import DONE, REFUSED, tables
from gateway.ctl.talk import ask, connect, status, who
from gateway.ctl.terminal import attended, by_ssh, note, print_json, yes
from gateway.errors import RefusedError
from gateway.messages import Done, Verb

APPLY_S: Final = 30.0
"""What putting a change in force may take at most."""
_RETRY_S: Final = 0.25

Make = Callable[[bool], Verb]
"""The request for a change; True: only to look at it."""


def in_force(client: Client, revision: int = 0) -> SettingsNow:
    """The settings as the daemon shows them: secrets are masked."""
    return ask(client, GetSettings(revision=revision), SettingsNow)


def to_text(arguments: argparse.Namespace, text: str, base: int) -> Make:
    """The change to these settings, made from revision `base`."""
    return lambda look: TrySettings(
        text=text, base=base, who=who(), why=arguments.why, only_look=look, seconds=arguments.seconds
    )


def carry_out(arguments: argparse.Namespace, client: Client, make: Make) -> int:
    """From the look to the end, as the options of the verb say."""
    looked = look(client, make)
    if looked is None:
        if arguments.json:
            print_json({"trial": None, "kept": False})
        else:
            print("Nothing would change.")
        return DONE
    if not arguments.json:
        print(tables.trial(looked))
    if arguments.look:
        if arguments.json:
            print_json({"trial": looked, "kept": False})
        return DONE
    if not arguments.yes and not yes("Apply?"):
        raise RefusedError("nothing was changed", where="settings", remedy="You said no")
    trial = ask(client, make(False), TrialNow, APPLY_S).trial
    if trial is None or not trial.trial:
        raise RefusedError(
            "the daemon did not put it in force", where="settings", remedy="See: gatewayctl settings history"
        )
    if arguments.trial:
        return _leave(arguments, trial)
    return _keep(arguments, trial, prove=not arguments.yes and by_ssh())


def look(client: Client, make: Make) -> TrialView | None:
    """What it would change; None: nothing."""
    looked = ask(client, make(True), TrialNow, APPLY_S).trial
    return looked if looked is not None and looked.differences else None


def _leave(arguments: argparse.Namespace, trial: TrialView) -> int:
    if arguments.json:
        print_json({"trial": trial, "kept": False})
    else:
        print(
            f"\nIn force on trial for {trial.left_s:.0f} s. To keep it: gatewayctl trial keep {trial.trial}"
        )
    return DONE


# --- keeping ----------------------------------------------------------------------------------------------


def _keep(arguments: argparse.Namespace, trial: TrialView, *, prove: bool) -> int:
    """Confirm it over a new connection. Raises GoneError when the box is not reached before it returns to the
    old settings by itself, RefusedError when the person does not answer."""
    until = time.monotonic() + trial.left_s
    try:
        if prove and attended() and not _key_pressed(until):
            raise RefusedError(
                "no key came through; the old settings return",
                where=f"trial {trial.trial}",
                remedy="Try again",
            )
        done = _confirm(arguments, trial.trial, until)
    except KeyboardInterrupt:
        _countdown_over()
        with connect(arguments) as client:
            dropped = ask(client, DropTrial(trial=trial.trial), Done, APPLY_S)
        raise RefusedError(dropped.text, where=f"trial {trial.trial}", remedy="You stopped it") from None
    if arguments.json:
        print_json({"trial": trial, "kept": True, "answer": done})
    else:
        print(done.text)
        with connect(arguments) as client:
            print(status(client).verdict)
    return DONE


def _confirm(arguments: argparse.Namespace, name: str, until: float) -> Done:
    """Try until the daemon is reached; it may be busy with the change."""
    while True:
        try:
            with connect(arguments) as fresh:
                done = ask(fresh, KeepTrial(trial=name), Done, max(1.0, until - time.monotonic()))
            _countdown_over()
            return done
        except GoneError as error:
            left_s = until - time.monotonic()
            if left_s <= 0:
                _countdown_over()
                raise GoneError(
                    f"the box was not reached after the change, so the old settings return ({error.what})",
                    where=error.where,
                    remedy="Look at it with: gatewayctl status",
                ) from None
            _countdown(f"The box is not reached yet; the old settings return in {left_s:.0f} s")
            time.sleep(min(_RETRY_S, left_s))


def _key_pressed(until: float) -> bool:
    """Enter came from the person before the time was over."""
    while (left_s := until - time.monotonic()) > 0:
        _countdown(f"Press Enter to keep it: that shows that you still reach the box. Back in {left_s:.0f} s")
        if select.select([sys.stdin], [], [], min(1.0, left_s))[0]:
            answered = bool(sys.stdin.readline())
            _countdown_over()
            return answered
    _countdown_over()
    return False


def _countdown(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text} ", end="", file=sys.stderr, flush=True)


def _countdown_over() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# --- trial ------------------------------------------------------------------------------------------------


def _running(client: Client) -> TrialView:
    trial = ask(client, GetTrial(), TrialNow).trial
    if trial is None:
        raise RefusedError(
            "no change is on trial", where="trial", remedy="What is in force: gatewayctl settings show"
        )
    return trial


def show(arguments: argparse.Namespace) -> int:
    """`trial show`"""
    with connect(arguments) as client:
        if arguments.json:
            print_json(ask(client, GetTrial(), TrialNow))
            return DONE
        trial = _running(client)
    print(_told(trial))
    return DONE


def _told(trial: TrialView) -> str:
    return f"Trial {trial.trial} of {trial.who}, {trial.left_s:.0f} s left:\n{tables.trial(trial)}"


def keep(arguments: argparse.Namespace) -> int:
    """`trial keep`"""
    name = arguments.name
    with connect(arguments) as client:
        if name is None:
            trial = _running(client)
            name = trial.trial
            print(_told(trial), file=sys.stderr)
            if not yes("Keep it?", "its name"):
                note("It was left on trial.")
                return REFUSED
        return _print(arguments, ask(client, KeepTrial(trial=name), Done, APPLY_S))


def drop(arguments: argparse.Namespace) -> int:
    """`trial drop`"""
    with connect(arguments) as client:
        trial = _running(client)
        return _print(arguments, ask(client, DropTrial(trial=trial.trial), Done, APPLY_S))


def _print(arguments: argparse.Namespace, done: Done) -> int:
    if arguments.json:
        print_json(done)
    else:
        print(done.text)
    return DONE
