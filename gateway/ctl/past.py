"""What was: the calls that have ended, and the timeline."""

import argparse
from collections.abc import Sequence

from gateway.ctl import DONE, tables
from gateway.ctl.talk import ask, connect
from gateway.ctl.terminal import print_json
from gateway.records import MOST, CallRecord, CallsThen, EventRecord, EventsThen, GetCalls, GetEvents


def calls(arguments: argparse.Namespace) -> int:
    """`calls log`: newest last, so that a terminal ends with it."""
    found: list[CallRecord] = []
    with connect(arguments) as client:
        more = True
        while more and len(found) < arguments.lines:
            wanted = min(MOST, arguments.lines - len(found))
            before = found[-1].record if found else 0
            page = ask(client, GetCalls(before=before, limit=wanted, words=arguments.words or ""), CallsThen)
            found += page.calls
            more = page.more
    if arguments.json:
        print_json(found)
    else:
        print(tables.ended(found[::-1]) if found else "No calls.")
    return DONE


def timeline(arguments: argparse.Namespace) -> int:
    """`timeline`"""
    found: list[EventRecord] = []
    with connect(arguments) as client:
        more = True
        while more and len(found) < arguments.lines:
            wanted = min(MOST, arguments.lines - len(found))
            kinds = (arguments.kind,) if arguments.kind else ()
            before = found[-1].record if found else 0
            page = ask(client, GetEvents(before=before, limit=wanted, kinds=kinds), EventsThen)
            found += page.events
            more = page.more
    if arguments.json:
        print_json(found)
    else:
        print("\n".join(_lines(found[::-1])) or "Nothing yet.")
    return DONE


def _lines(events: Sequence[EventRecord]) -> list[str]:
    return [f"{tables.day(e.at)} {tables.clock(e.at)[:8]}  {e.kind:<8}  {e.text}" for e in events]
