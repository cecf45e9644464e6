"""What is going on, as it goes on: a screen that redraws, or lines for whoever reads them."""

import argparse
import shutil
import sys
import time
from collections import deque
from typing import Final

from gateway.client import Client, GoneError
from gateway.ctl import DONE, tables
from gateway.ctl.talk import ask, connect, status
from gateway.ctl.terminal import print_json
from gateway.messages import Done, Event, Follow
from gateway.status import Status

DRAW_S: Final = 1.0
_EVENTS: Final = 200
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def follow(arguments: argparse.Namespace) -> int:
    """`follow`: one line for each event. Raises GoneError when the daemon leaves."""
    with connect(arguments) as client:
        ask(client, Follow(), Done)
        try:
            for event in client.events():
                if isinstance(event, Event):
                    if arguments.json:
                        print_json(event, indent=0)
                    else:
                        print(_line(event))
                    sys.stdout.flush()
        except KeyboardInterrupt:
            pass
    return DONE


def watch(arguments: argparse.Namespace) -> int:
    """`watch`"""
    try:
        if sys.stdout.isatty() and not arguments.json:
            _screen(arguments)
        else:
            _lines(arguments)
    except KeyboardInterrupt:
        pass
    return DONE


def _lines(arguments: argparse.Namespace) -> None:
    """The verdict whenever it changes, and every event between."""
    told = ""
    with connect(arguments) as client:
        ask(client, Follow(), Done)
        while True:
            now = status(client)
            if now.verdict != told:
                told = now.verdict
                if arguments.json:
                    print_json(now, indent=0)
                else:
                    print(f"{tables.clock(time.time())}  verdict   {_sentence(now)}")
            for event in client.heard(0 if told != now.verdict else DRAW_S):
                if isinstance(event, Event):
                    if arguments.json:
                        print_json(event, indent=0)
                    else:
                        print(_line(event))
            sys.stdout.flush()


def _screen(arguments: argparse.Namespace) -> None:
    """Redraw each second and at each event; wait for a daemon that left."""
    events: deque[Event] = deque(maxlen=_EVENTS)
    print(_ENTER, end="")
    try:
        while True:
            try:
                with connect(arguments) as client:
                    ask(client, Follow(), Done)
                    _redraw(client, events)
            except GoneError as error:
                _draw(f"{error}\n\nTrying again…", events)
                time.sleep(DRAW_S)
    finally:
        print(_LEAVE, end="", flush=True)


def _redraw(client: Client, events: "deque[Event]") -> None:
    while True:
        now = status(client)
        _draw(tables.status(now, time.time()), events)
        events.extend(event for event in client.heard(DRAW_S) if isinstance(event, Event))


def _draw(text: str, events: "deque[Event]") -> None:
    """One screen: `text`, and below it as many of the newest events as there is room for."""
    width, height = shutil.get_terminal_size()
    lines = [*text.splitlines(), ""]
    room = max(0, height - 1 - len(lines))
    lines += [_line(event) for event in list(events)[-room:]] if room else []
    shown = [line[:width] + _CLEAR_LINE for line in lines[: height - 1]]
    print(_HOME + "\r\n".join(shown) + _CLEAR_BELOW, end="", flush=True)


def _line(event: Event) -> str:
    return f"{tables.clock(event.at)}  {event.kind:<8}  {event.text}"


def _sentence(now: Status) -> str:
    return f"{now.verdict} {now.action}".strip()
