"""What is: status, channels, trunk, calls, phones; and the orders about channels."""

import argparse
import sys
import time

from gateway.changes import Seen
from gateway.ctl import DONE, REFUSED, tables
from gateway.ctl.parser import one_line
from gateway.ctl.talk import ANSWER_S, CONFIRM_S, connect, expect, refusal, status, tell
from gateway.ctl.terminal import note, print_json
from gateway.errors import RefusedError
from gateway.messages import AnyMessage, ConfirmAddress, Done, Identify, ObserveAddress, Refused, UseUplink
from gateway.status import Status, UplinkStatus


def _now(arguments: argparse.Namespace) -> Status:
    with connect(arguments) as client:
        return status(client)


def _print(arguments: argparse.Namespace, value: object, text: str) -> int:
    if arguments.json:
        print_json(value)
    else:
        print(text)
    return DONE


def show(arguments: argparse.Namespace) -> int:
    """`status`"""
    now = _now(arguments)
    return _print(arguments, now, tables.status(now, time.time()))


def uplinks(arguments: argparse.Namespace) -> int:
    """`uplinks`, `uplinks list`"""
    now = _now(arguments)
    return _print(arguments, now.uplinks, tables.uplinks(now))


def calls(arguments: argparse.Namespace) -> int:
    """`calls`"""
    now = _now(arguments)
    return _print(arguments, now.calls, tables.calls(now.calls, time.time()) if now.calls else "No calls.")


def phones(arguments: argparse.Namespace) -> int:
    """`phones`"""
    now = _now(arguments)
    return _print(arguments, now.phones, tables.phones(now.phones) if now.phones else "No phones.")


def use(arguments: argparse.Namespace) -> int:
    """`uplinks use`"""
    return tell(arguments, UseUplink(uplink="" if arguments.uplink == "auto" else arguments.uplink))


def identify(arguments: argparse.Namespace) -> int:
    """`identify`"""
    return tell(arguments, Identify())


def seen(arguments: argparse.Namespace) -> int:
    """`seen`"""
    return tell(arguments, Seen())


def _chosen(now: Status, name: str | None) -> list[UplinkStatus]:
    """One channel by name, or all that are not switched off. Raises RefusedError for a name that is none."""
    if name is None:
        return [u for u in now.uplinks if u.state != "disabled"]
    found = [u for u in now.uplinks if u.name == name]
    if not found:
        known = ", ".join(u.name for u in now.uplinks) or "none"
        raise RefusedError(
            f"there is no channel {name}", where="uplinks", remedy=f"The channels are: {known}"
        )
    return found


def confirm(arguments: argparse.Namespace) -> int:
    """`trunk confirm`: one after the other; a refusal of one does not keep the next from its turn."""
    answers: list[AnyMessage] = []
    with connect(arguments) as client:
        names = [arguments.uplink]
        if arguments.uplink is None:
            names = [u.name for u in _chosen(status(client), None)]
        for name in names:
            if not arguments.json and sys.stderr.isatty():
                note(f"Calling from {name}, to confirm its address…")
            answers.append(client.request(ConfirmAddress(uplink=name), CONFIRM_S))
            if not arguments.json:
                _print_answer(answers[-1])
    if arguments.json:
        print_json(answers)
    return DONE if all(isinstance(answer, Done) for answer in answers) else REFUSED


def test_trunk(arguments: argparse.Namespace) -> int:
    """`trunk test`: which address the provider sees now, channel by channel."""
    answers: list[AnyMessage] = []
    with connect(arguments) as client:
        for uplink in _chosen(status(client), arguments.uplink):
            answers.append(client.request(ObserveAddress(uplink=uplink.name), ANSWER_S))
            if not arguments.json:
                _print_answer(answers[-1])
    if arguments.json:
        print_json(answers)
    return DONE if all(isinstance(answer, Done) for answer in answers) else REFUSED


def _print_answer(answer: AnyMessage) -> None:
    if isinstance(answer, Refused):
        note(one_line(f"gatewayctl: {refusal(answer)}"))
    else:
        print(expect(answer, Done).text, flush=True)


def test_uplinks(arguments: argparse.Namespace) -> int:
    """`uplinks test`: each channel from its cable to the provider; stops at the first thing that fails."""
    reports = []
    with connect(arguments) as client:
        now = status(client)
        for uplink in _chosen(now, arguments.uplink):
            checks = _checks(uplink)
            if checks[-1][1]:
                answer = client.request(ObserveAddress(uplink=uplink.name), ANSWER_S)
                good = isinstance(answer, Done)
                text = answer.text if isinstance(answer, Done) else str(refusal(expect(answer, Refused)))
                checks.append(("provider", good, text))
            reports.append((uplink.name, checks))
    if arguments.json:
        keys = ("check", "good", "text")
        print_json({name: [dict(zip(keys, c, strict=True)) for c in checks] for name, checks in reports})
    else:
        for name, checks in reports:
            print(name)
            for what, good, text in checks:
                print(f"  {'ok  ' if good else 'BAD '} {what:<9} {text}")
    return DONE if all(good for _, checks in reports for _, good, _ in checks) else REFUSED


def _checks(u: UplinkStatus) -> list[tuple[str, bool, str]]:
    """What the box knows of a channel: (what, whether it is good, in words), up to the first that is not."""
    found = [
        ("device", u.state not in ("no_device", "disabled"), u.device),
        ("cable", u.state != "no_carrier", "carrier" if u.state != "no_carrier" else u.sentence),
        ("address", u.state not in ("no_address", "conflict"), u.address or u.sentence),
        ("internet", u.state not in ("down", "probing"), _quality(u)),
    ]
    bad = next((n for n, (_, good, _) in enumerate(found) if not good), None)
    if bad is None:
        return found
    what, good, text = found[bad]
    return [*found[:bad], (what, good, u.sentence or text)]


def _quality(u: UplinkStatus) -> str:
    figures = [
        "not measured" if u.rtt_ms is None else f"{u.rtt_ms:.0f} ms",
        "" if u.loss is None else f"{u.loss * 100:.1f} % lost",
        "" if u.mos is None else f"MOS {u.mos:.1f}",
    ]
    return ", ".join(figure for figure in figures if figure)
