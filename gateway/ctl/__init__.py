"""gatewayctl: asks the daemon over ctl.sock, as the web pages do. It decides nothing.

Law: whatever is typed, the end is an exit code of parser.EXIT_CODES and, when it is not 0, one clear word on
standard error. With --json, standard output holds one JSON value, also of a refusal.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from gateway.ctl.parser import DONE, NOT_THERE, REFUSED, USAGE, one_line, parser

if TYPE_CHECKING:
    import argparse

    from gateway.errors import GatewayError

__all__ = ["DONE", "NOT_THERE", "REFUSED", "USAGE", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code."""
    _open_streams()
    top = parser()
    arguments = top.parse_args(argv)
    if [] in vars(arguments).values():  # argparse's word for a `--` where a value belongs
        top.error("'--' stands where a value is needed")
    from gateway.errors import GatewayError

    module, _, name = arguments.act.partition(".")
    act: Callable[[argparse.Namespace], int] = getattr(import_module(f"gateway.ctl.{module}"), name)
    try:
        code = act(arguments)
        sys.stdout.flush()
        return code
    except GatewayError as error:
        return _tell(error, json=arguments.json)
    except KeyboardInterrupt:
        print("\ngatewayctl: stopped", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # the reader of our output has seen enough (`| head`)
        _forget_output()
        return DONE
    except OSError as error:  # such as a full disk under our output
        _forget_output()
        place = error.filename or "standard output"
        print(one_line(f"gatewayctl: {place}: {error.strerror}. Look at the disk"), file=sys.stderr)
        return REFUSED


def _open_streams() -> None:
    """Streams that were closed lead nowhere; what is no UTF-8 is shown as it can be, instead of ending us."""
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=errors)


def _forget_output() -> None:
    """What is still to be written goes nowhere, so that the end of Python does not stumble over it."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: "GatewayError", *, json: bool) -> int:
    """An error in words, and as JSON where that was asked for; gives its exit code."""
    from gateway.changes import ProblemView
    from gateway.client import GoneError
    from gateway.ctl.terminal import Wrong, print_json
    from gateway.errors import SettingsError
    from gateway.messages import Refused

    problems = error.problems if isinstance(error, SettingsError) else ()
    if json:
        views = tuple(
            ProblemView(path=one_line(p.path), line=p.line, what=one_line(p.what), remedy=one_line(p.remedy))
            for p in problems
        )
        what, where, remedy = one_line(error.what), one_line(error.where), one_line(error.remedy)
        print_json(Refused(what=what, where=where, remedy=remedy, problems=views))
        sys.stdout.flush()
    if problems:
        for problem in problems:
            print(one_line(f"gatewayctl: {error.where}: {problem}"), file=sys.stderr)
    else:
        print(one_line(f"gatewayctl: {error}"), file=sys.stderr)
    return USAGE if isinstance(error, Wrong) else NOT_THERE if isinstance(error, GoneError) else REFUSED
