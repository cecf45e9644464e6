"""`python -m tests.lab`: start the laboratory, print its map, hold it until Ctrl-C."""

import argparse
import signal
import sys
from pathlib import Path

from tests.lab import plan
from tests.lab.lab import Lab, LabError

_HELP = """one command a line, for instance:
  cut main | restore main | blackhole main up | heal main | loss main 0.02 | jitter main 60 | delay main 80
  steal main | return main | remove backup2 | readd backup2 | dhcp stop | dhcp start | drift | provider stop
  provider start | strict on | strict off | confirm | call 442037691880 | hangup | calls | help | quit"""


def show(lab: Lab) -> str:
    """The map: namespaces, uplinks, numbers."""
    lines = [f"laboratory {lab.site.prefix}, logs in {lab.logs}", ""]
    lines += [f"  box: ip netns exec {lab.site.full('box')} bash", ""]
    for up in plan.UPLINKS:
        worn = f"{up.address or 'DHCP'}/{up.prefix_length}"
        lines.append(
            f"  {up.name:8} {up.device}  {worn:18} router {up.router:13} seen as {lab.public_address(up):14} "
            f"resolver {up.resolver}"
        )
    lines += ["", f"  provider {plan.PROVIDER_DOMAIN} {plan.PROVIDER_SERVER}, {plan.PROVIDER_SERVER2}"]
    lines += [f"  logins   {plan.FREE_LOGIN} (may register), {plan.TRUNK_LOGIN} (the trunk's)"]
    lines += [f"  CallerID {', '.join(plan.CONNECTED_NUMBERS)}; default {plan.DEFAULT_CALLER_ID}"]
    named = {v: k.lower().replace("_", " ") for k, v in vars(plan).items() if str(v).startswith("44207946")}
    lines += ["", f"  {plan.CONFIRM_NUMBER:14} confirms the address it is called from"]
    lines += [f"  {number:14} {name}" for number, name in named.items()]
    return "\n".join([*lines, "", _HELP])


def obey(lab: Lab, words: list[str]) -> str:
    """One command of the prompt; gives what to print. Raises LabError or ValueError."""
    match words:
        case ["cut" | "restore" | "heal" | "steal" | "return" | "remove" | "readd" as verb, uplink]:
            verbs = {
                "cut": lab.cut_carrier,
                "restore": lab.restore_carrier,
                "heal": lab.heal,
                "steal": lab.steal_address,
                "return": lab.return_address,
                "remove": lab.remove_device,
                "readd": lab.readd_device,
            }
            verbs[verb](uplink)
        case ["blackhole", uplink]:
            lab.blackhole(uplink)
        case ["blackhole", uplink, "up" | "down" | "both" as direction]:
            lab.blackhole(uplink, direction)
        case ["loss", uplink, value]:
            lab.impair(uplink, loss=float(value))
        case ["jitter", uplink, value]:
            lab.impair(uplink, jitter_ms=float(value))
        case ["delay", uplink, value]:
            lab.impair(uplink, delay_ms=float(value))
        case ["dhcp", "start"]:
            lab.start_dhcp()
        case ["dhcp", "stop"]:
            lab.stop_dhcp()
        case ["drift"]:
            return lab.shift_public_address(plan.BACKUP2)
        case ["provider", "stop"]:
            lab.provider.stop()
        case ["provider", "start"]:
            lab.provider.start()
        case ["strict", "on" | "off" as value]:
            lab.provider.mode(strict_in_dialog=value == "on")
        case ["confirm"]:
            lab.provider.confirm_all()
        case ["call", number]:
            return lab.far.call(number)
        case ["hangup"]:
            return str(lab.far.hang_up())
        case ["calls"]:
            shown = ((c.number, f"CallerID {c.caller}", f"from {c.source}", c.why) for c in lab.far.calls())
            return "\n".join("  ".join(line) for line in shown)
        case ["help"]:
            return show(lab)
        case _:
            raise ValueError("unknown command; help lists them")
    return "done"


def prompt(lab: Lab) -> None:
    """Obey commands from stdin until `quit`; without stdin, wait for a signal."""
    while True:
        print("lab> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            signal.pause()
        words = line.split()
        if words[:1] == ["quit"]:
            return
        if not words:
            continue
        try:
            print(obey(lab, words))
        except (LabError, ValueError) as error:
            print(error)


def main() -> int:
    """Exit code 0 after quit or Ctrl-C, 1 if the laboratory cannot be built."""
    parser = argparse.ArgumentParser(prog="tests.lab", description="the laboratory, to play with")
    parser.add_argument("--logs", type=Path, help="where to write logs and captures")
    parser.add_argument(
        "--configure", action="store_true", help="give the box addresses and routes (no gateway)"
    )
    parser.add_argument("--rtt-ms", type=float, default=plan.DEFAULT_RTT_MS)
    given = parser.parse_args()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # also where a shell has told its background jobs to ignore them
        signal.signal(number, signal.default_int_handler)
    try:
        with Lab(given.logs, configure_routes=given.configure, rtt_ms=given.rtt_ms) as lab:
            print(show(lab), flush=True)
            prompt(lab)
            return 0
    except KeyboardInterrupt:
        return 0
    except LabError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
