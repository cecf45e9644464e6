"""Asking the daemon: one question, one answer of the kind that was asked for, or an error in its words."""

import argparse
import os
from typing import Final, TypeVar

from gateway.client import Client
from gateway.ctl import DONE
from gateway.ctl.terminal import print_json
from gateway.errors import GatewayError, Problem, RefusedError, SettingsError, WireError
from gateway.messages import AnyMessage, Done, GetStatus, Refused, StatusNow, Verb
from gateway.status import Status

AnswerT = TypeVar("AnswerT")
ANSWER_S: Final = 15.0
CONFIRM_S: Final = 120.0
"""A confirmation is a call: it rings, is heard, and ends before it is answered for."""


def connect(arguments: argparse.Namespace) -> Client:
    """A connection to the daemon; a context manager. Raises GoneError."""
    return Client(arguments.run / "ctl.sock")


def ask(client: Client, verb: Verb, kind: type[AnswerT], timeout_s: float = ANSWER_S) -> AnswerT:
    """The answer. Raises RefusedError or SettingsError when it is refused, WireError when it is of another
    kind, GoneError when the daemon leaves."""
    return expect(client.request(verb, timeout_s), kind)


def expect(answer: AnyMessage, kind: type[AnswerT]) -> AnswerT:
    """`answer` if it is of the kind that is wanted; else raises as `ask` does."""
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, Refused):
        raise refusal(answer)
    raise WireError(
        f"the answer was a {type(answer).__name__}", where="daemon", remedy="Use programs of one version"
    )


def refusal(refused: Refused) -> GatewayError:
    """The daemon's no, with every problem that it named."""
    if not refused.problems:
        return RefusedError(refused.what, where=refused.where, remedy=refused.remedy)
    problems = tuple(Problem(p.path, p.line, p.what, p.remedy) for p in refused.problems)
    return SettingsError(refused.where, problems)


def tell(arguments: argparse.Namespace, verb: Verb, timeout_s: float = ANSWER_S) -> int:
    """Have one thing done, and print how it went."""
    with connect(arguments) as client:
        done = ask(client, verb, Done, timeout_s)
    if arguments.json:
        print_json(done)
    else:
        print(done.text)
    return DONE


def status(client: Client) -> Status:
    """The whole appliance now."""
    return ask(client, GetStatus(), StatusNow).status


def who() -> str:
    """The person at work, for the history."""
    import getpass

    name = os.environ.get("SUDO_USER", "")
    try:
        name = name or getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = name or f"user {os.getuid()}"
    return f"{name[:40]} (gatewayctl)"
