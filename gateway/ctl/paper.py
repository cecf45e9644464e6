"""What is made from the parser: the manual page, the completion, and the names that completion asks for."""

import argparse
import time
from collections.abc import Iterator
from typing import Final

from gateway.ctl import DONE, manpage, tree
from gateway.ctl import completion as completions
from gateway.ctl.parser import parser

_PATIENCE_S: Final = 2.0


def man(arguments: argparse.Namespace) -> int:
    """`man`"""
    print(manpage.page(tree.read(parser()), time.strftime("%Y-%m-%d")), end="")
    return DONE


def completion(arguments: argparse.Namespace) -> int:
    """`completion`"""
    print(completions.script(tree.read(parser()), arguments.shell), end="")
    return DONE


def names(arguments: argparse.Namespace) -> int:
    """`names`: one a line; nothing when they cannot be known, for a person is in the middle of a line."""
    import tomllib

    from gateway.changes import GetHistory, GetSettings, HistoryNow, SettingsNow
    from gateway.ctl.talk import ask, connect
    from gateway.errors import GatewayError
    from gateway.messages import GetStatus, StatusNow

    try:
        with connect(arguments) as client:
            if arguments.kind == "revisions":
                found = [
                    str(r.revision) for r in ask(client, GetHistory(), HistoryNow, _PATIENCE_S).revisions
                ]
            elif arguments.kind == "settings":
                text = ask(client, GetSettings(), SettingsNow, _PATIENCE_S).text
                found = sorted(_paths(tomllib.loads(text)))
            else:
                now = ask(client, GetStatus(), StatusNow, _PATIENCE_S).status
                found = [one.name for one in (now.phones if arguments.kind == "phones" else now.uplinks)]
    except (GatewayError, tomllib.TOMLDecodeError):
        return DONE
    for name in found:
        print(name)
    return DONE


def _paths(here: object, path: str = "") -> Iterator[str]:
    """Dotted paths of all that is set; items of a list by what names them."""
    if isinstance(here, dict):
        for key, below in here.items():
            yield from _paths(below, f"{path}.{key}" if path else key)
    elif isinstance(here, list) and here and isinstance(here[0], dict):
        for number, below in enumerate(here):
            name = str(below.get("name", number))
            yield f"{path}.{name}"
            yield from _paths(below, f"{path}.{name}")
    else:
        yield path
