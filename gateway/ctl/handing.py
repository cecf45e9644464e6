"""The box from hand to hand: its password, its factory reset that heals, and its end with this owner."""

import argparse
from typing import Final

from gateway.changes import AskPresence, Decommission, FactoryReset, SetPassword
from gateway.client import Client
from gateway.ctl import DONE
from gateway.ctl.backup import box_name
from gateway.ctl.talk import ask, connect, status, tell, who
from gateway.ctl.terminal import line, note, print_json, secret, yes
from gateway.errors import RefusedError
from gateway.messages import Done

TAP_S: Final = 75.0
"""A minute to get to the button, and some."""
WIPE_S: Final = 120.0


def reset(arguments: argparse.Namespace) -> int:
    """`reset`"""
    if not arguments.yes:
        with connect(arguments) as client:
            live = len(status(client).calls)
        if live:
            note(f"{live} live call{'s' if live > 1 else ''} will end.")
        note(
            "Settings, sessions and history are wiped; then the box starts again and restores the newest "
            "sound settings from its vault by itself."
        )
        if not yes("Reset?"):
            raise RefusedError("nothing was changed", where="reset", remedy="You said no")
    return tell(arguments, FactoryReset(who=who()), WIPE_S)


def decommission(arguments: argparse.Namespace) -> int:
    """`decommission`: the name of the box, its password, and somebody at its button."""
    with connect(arguments) as client:
        if not arguments.yes:
            name = box_name(client)
            note(
                "Vault, keys, settings and history are wiped for good: this box cannot restore itself any "
                "more. A backup or a recovery sheet still opens on another box."
            )
            if line(f"Type the name of the box ({name}) to go on: ") != name:
                raise RefusedError(
                    "that was not its name, so nothing was changed",
                    where="decommission",
                    remedy="Start again",
                )
        password = secret(
            "Password of the web page (empty: none is set)",
            file=arguments.password_file,
            option="name a file: --password-file FILE",
        )
        proof = _present(client, "Decommission the box")
        done = ask(client, Decommission(who=who(), password=password, proof=proof), Done, WIPE_S)
    return _print(arguments, done)


def password(arguments: argparse.Namespace) -> int:
    """`password`"""
    with connect(arguments) as client:
        old = ""
        if not arguments.presence:
            old = secret(
                "Password now (empty: prove by the button that you are at the box)",
                file=arguments.password_file,
                option="--presence, or --old-password-file FILE",
            )
        proof = "" if old else _present(client, "Set a new password of the web page")
        new = secret(
            "New password",
            file=arguments.secret_file,
            option="name a file: --new-password-file FILE",
            again=True,
        )
        done = ask(client, SetPassword(password=new, old=old, proof=proof), Done)
    return _print(arguments, done)


def _present(client: Client, why: str) -> str:
    """The name of a proof that somebody is at the box. Raises RefusedError when nobody taps its button."""
    note("Tap the button of the box now; you have a minute.")
    done = ask(client, AskPresence(why=why), Done, TAP_S)
    return str(done.data.get("proof", ""))


def _print(arguments: argparse.Namespace, done: Done) -> int:
    if arguments.json:
        print_json(done)
    else:
        print(done.text)
    return DONE
