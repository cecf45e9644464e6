"""gatewayctl: asks the daemon over ctl.sock, as the web pages do. It decides nothing.

Exit codes: 0 done, 1 refused (nothing was changed), 2 wrong usage, 3 the daemon is not there.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from gateway.client import Client
    from gateway.messages import AnyMessage, Verb
    from gateway.status import Status, UplinkStatus

DONE, REFUSED, USAGE, NOT_THERE = 0, 1, 2, 3
RUN_DIRECTORY = "/run/steadyline"
ANSWER_S = 15.0
CONFIRM_S = 120.0
"""A confirmation is a call: it rings, is heard, and ends before it is answered for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code."""
    arguments = parser().parse_args(argv)
    if arguments.verb == "check":
        return _check(arguments.file)
    from gateway.client import Client
    from gateway.errors import DoorError, GatewayError

    act: Callable[[Client, argparse.Namespace], int] = arguments.act
    try:
        with Client(Path(arguments.run) / "ctl.sock") as client:
            code = act(client, arguments)
            sys.stdout.flush()
            return code
    except DoorError as error:
        print(f"gatewayctl: {error}", file=sys.stderr)
        return NOT_THERE
    except GatewayError as error:
        print(f"gatewayctl: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return DONE
    except BrokenPipeError:  # the reader of our output has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


class _Parser(argparse.ArgumentParser):
    """Says what is wrong, then where help is, instead of the whole usage line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gatewayctl: {message}. See: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line; help texts and the manual page come from it."""
    top = _Parser(prog="gatewayctl", description="Ask the gateway, or tell it what to do.")
    top.add_argument(
        "--run", metavar="DIR", default=RUN_DIRECTORY, help="runtime directory (default: %(default)s)"
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, act: "_Act", help: str, *names: str, json: bool = False) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=help, description=help)
        sub.set_defaults(act=act)
        for argument in names:
            sub.add_argument(argument.lower(), metavar=argument)
        if json:
            sub.add_argument("--json", action="store_true", help="for programs")
        return sub

    verb("status", _status, "What the gateway is now: the verdict, channels, phones and calls.", json=True)
    uplinks = verb("uplinks", _uplinks, "The Internet channels; `use` orders one.", json=True)
    order = uplinks.add_subparsers(dest="order", metavar="use")
    use = order.add_parser("use", help="carry calls by this channel; `auto`: choose by health again")
    use.add_argument("name", metavar="NAME|auto")
    use.set_defaults(act=_use)
    trunk = verb("trunk", _usage, "The provider's trunk.").add_subparsers(
        dest="order", required=True, metavar="confirm"
    )
    confirm = trunk.add_parser("confirm", help="confirm the address of one channel, or of all")
    confirm.add_argument("name", metavar="NAME", nargs="?")
    confirm.add_argument("--json", action="store_true", help="for programs")
    confirm.set_defaults(act=_confirm)
    verb("dial", _dial, "Lift a phone and dial.", "PHONE", "DIGITS")
    for name, help in (
        ("answer", "Lift a ringing phone."),
        ("hangup", "Put the handset down."),
        ("hold", "Put the phone's call on hold."),
        ("resume", "Take the call back from hold."),
    ):
        verb(name, _phone, help, "PHONE")
    verb("digits", _digits, "Press keys during a call.", "PHONE", "DIGITS")
    verb("play", _play, "A virtual phone speaks this WAV file from now on.", "PHONE", "FILE")
    callerid = verb("callerid", _usage, "CallerIDs.").add_subparsers(
        dest="order", required=True, metavar="test"
    )
    test = callerid.add_parser(
        "test", help="what would be dialled and shown for these digits; nothing is dialled"
    )
    test.add_argument("digits", metavar="DIGITS")
    test.set_defaults(act=_callerid)
    verb("calls", _calls, "The calls that are up now.", json=True)
    verb("follow", _follow, "What happens, as it happens, until Ctrl-C.", json=True)
    verb("check", _usage, "Check a settings file; prints every problem with its line.", "FILE")
    return top


# --- verbs ----------------------------------------------------------------------------------------

_Act = Callable[["Client", argparse.Namespace], int]


def _usage(client: "Client", arguments: argparse.Namespace) -> int:
    raise AssertionError(f"{arguments.verb} has no act")


def _tell(client: "Client", message: "Verb", timeout_s: float = ANSWER_S) -> int:
    """Ask, print the answer in words, give the exit code."""
    return _print_answer(client.request(message, timeout_s))


def _print_answer(answer: "AnyMessage") -> int:
    from gateway.messages import Done, Refused

    if isinstance(answer, Refused):
        print(f"gatewayctl: {answer.where}: {answer.what}. {answer.remedy}", file=sys.stderr)
        return REFUSED
    print(answer.text if isinstance(answer, Done) else answer)
    return DONE


def _get_status(client: "Client") -> "Status":
    from gateway.errors import RefusedError
    from gateway.messages import GetStatus, Refused, StatusNow

    answer = client.request(GetStatus(), ANSWER_S)
    if isinstance(answer, StatusNow):
        return answer.status
    if isinstance(answer, Refused):
        raise RefusedError(answer.what, where=answer.where, remedy=answer.remedy)
    raise RefusedError("the answer was no status", where="daemon", remedy="Use programs of one version")


def _status(client: "Client", arguments: argparse.Namespace) -> int:
    status = _get_status(client)
    if arguments.json:
        _print_json(status)
        return DONE
    print(status.verdict)
    if status.action:
        print(status.action)
    print(f"Calls process {status.calls_process}, guard {status.guard}.\n")
    print(_uplink_table(status.uplinks, status))
    if status.phones:
        print()
        print(_table(["PHONE", "KIND", "STATE"], [[p.name, p.kind, p.state] for p in status.phones]))
    if status.calls:
        print()
        print(_call_table(status))
    return DONE


def _uplinks(client: "Client", arguments: argparse.Namespace) -> int:
    status = _get_status(client)
    if arguments.json:
        _print_json(status.uplinks)
    else:
        print(_uplink_table(status.uplinks, status))
    return DONE


def _use(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import UseUplink

    return _tell(client, UseUplink(uplink="" if arguments.name == "auto" else arguments.name))


def _confirm(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import ConfirmAddress, Done

    names = [arguments.name]
    if arguments.name is None:
        names = [u.name for u in _get_status(client).uplinks if u.state != "disabled"]
    answers: list[AnyMessage] = []
    code = DONE
    for name in names:
        answer = client.request(ConfirmAddress(uplink=name), CONFIRM_S)
        answers.append(answer)
        if arguments.json:
            code = max(code, DONE if isinstance(answer, Done) else REFUSED)
        else:
            code = max(code, _print_answer(answer))
            sys.stdout.flush()
    if arguments.json:
        _print_json(answers)
    return code


def _dial(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import Dial

    return _tell(client, Dial(phone=arguments.phone, digits=arguments.digits))


def _phone(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway import messages

    phone: str = arguments.phone
    verbs: dict[str, Verb] = {
        "answer": messages.Answer(phone=phone),
        "hangup": messages.HangUp(phone=phone),
        "hold": messages.Hold(phone=phone, on=True),
        "resume": messages.Hold(phone=phone, on=False),
    }
    return _tell(client, verbs[arguments.verb])


def _digits(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import SendDigits

    return _tell(client, SendDigits(phone=arguments.phone, digits=arguments.digits))


def _play(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import PlayFile

    return _tell(client, PlayFile(phone=arguments.phone, path=str(Path(arguments.file).absolute())))


def _callerid(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import ExplainNumber

    return _tell(client, ExplainNumber(digits=arguments.digits))


def _calls(client: "Client", arguments: argparse.Namespace) -> int:
    status = _get_status(client)
    if arguments.json:
        _print_json(status.calls)
    else:
        print(_call_table(status) if status.calls else "No calls.")
    return DONE


def _follow(client: "Client", arguments: argparse.Namespace) -> int:
    from gateway.messages import Event, Follow, Refused

    answer = client.request(Follow(), ANSWER_S)
    if isinstance(answer, Refused):
        return _print_answer(answer)
    for event in client.events():
        if not isinstance(event, Event):
            continue
        if arguments.json:
            _print_json(event, indent=0)
        else:
            clock = time.strftime("%H:%M:%S", time.localtime(event.at)) + f".{event.at % 1:.3f}"[2:]
            print(f"{clock}  {event.kind:<8}  {event.text}")
        sys.stdout.flush()
    return DONE


def _check(file: str) -> int:
    from gateway.errors import SettingsError
    from gateway.settings.store import read_settings

    try:
        settings = read_settings(Path(file))
    except SettingsError as error:
        for problem in error.problems:
            print(f"{file}: {problem}", file=sys.stderr)
        return REFUSED
    print(f"{file} is sound: {len(settings.uplinks)} channels, {len(settings.phones)} phones.")
    return DONE


# --- tables ---------------------------------------------------------------------------------------


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [heads, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


_UPLINK_HEADS = "NAME ROLE DEVICE STATE ADDRESS SEEN-AS CONFIRMED DELAY LOSS MOS CARRIES"
_CALL_HEADS = "CALL PHONE WAY REMOTE SHOWN STATE UPLINK CODEC MOVES LASTS"


def _uplink_table(uplinks: "Sequence[UplinkStatus]", status: "Status") -> str:
    rows = []
    for u in uplinks:
        loads = {"calls": status.active_uplink, "internet": status.internet_uplink}
        rows.append(
            [
                u.name,
                u.role,
                u.device,
                u.state,
                u.address or "-",
                u.observed_address or u.public_address or "-",
                time.strftime("%Y-%m-%d", time.localtime(u.confirmed_at)) if u.confirmed_at else "no",
                "-" if u.rtt_ms is None else f"{u.rtt_ms:.0f} ms",
                "-" if u.loss is None else f"{u.loss * 100:.0f} %",
                "-" if u.mos is None else f"{u.mos:.1f}",
                "+".join(load for load, name in loads.items() if name == u.name) or "-",
            ]
        )
    sentences = [f"  {u.name}: {u.sentence}" for u in uplinks if u.sentence and u.state != "up"]
    return "\n".join([_table(_UPLINK_HEADS.split(), rows), *sentences])


def _call_table(status: "Status") -> str:
    now = time.time()
    return _table(
        _CALL_HEADS.split(),
        [
            [
                str(c.call),
                c.phone or "-",
                c.direction,
                c.remote,
                c.caller_id or "-",
                c.state,
                c.uplink,
                c.codec or "-",
                str(c.moves),
                f"{max(0, now - c.started_at):.0f} s",
            ]
            for c in status.calls
        ],
    )


def _print_json(value: object, indent: int = 2) -> None:
    from gateway import wire

    print(wire.to_json(value, indent))


if __name__ == "__main__":
    sys.exit(main())
