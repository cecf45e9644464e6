"""The phones of the box, used from here; and what they would show."""

import argparse
from pathlib import Path

from gateway.ctl.talk import tell
from gateway.messages import (
    Answer,
    Dial,
    ExplainNumber,
    Flash,
    HangUp,
    Hold,
    Lift,
    PlayFile,
    Press,
    SendDigits,
)


def dial(arguments: argparse.Namespace) -> int:
    return tell(arguments, Dial(phone=arguments.phone, digits=arguments.digits))


def lift(arguments: argparse.Namespace) -> int:
    return tell(arguments, Lift(phone=arguments.phone))


def press(arguments: argparse.Namespace) -> int:
    return tell(arguments, Press(phone=arguments.phone, keys=arguments.digits))


def flash(arguments: argparse.Namespace) -> int:
    return tell(arguments, Flash(phone=arguments.phone))


def answer(arguments: argparse.Namespace) -> int:
    return tell(arguments, Answer(phone=arguments.phone))


def hangup(arguments: argparse.Namespace) -> int:
    return tell(arguments, HangUp(phone=arguments.phone))


def hold(arguments: argparse.Namespace) -> int:
    return tell(arguments, Hold(phone=arguments.phone, on=True))


def resume(arguments: argparse.Namespace) -> int:
    return tell(arguments, Hold(phone=arguments.phone, on=False))


def digits(arguments: argparse.Namespace) -> int:
    return tell(arguments, SendDigits(phone=arguments.phone, digits=arguments.digits))


def play(arguments: argparse.Namespace) -> int:
    return tell(arguments, PlayFile(phone=arguments.phone, path=str(Path(arguments.file).absolute())))


def callerid(arguments: argparse.Namespace) -> int:
    """`callerid test`"""
    return tell(arguments, ExplainNumber(digits=arguments.digits))
