"""The command line: `gateway daemon | calls | ctl`. Each part is imported only when it is asked for."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.errors import GatewayError

STARTED_BADLY = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one process of the gateway; gives its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["ctl"]:
        from gateway import ctl

        return ctl.main(words[1:])
    arguments = _parser().parse_args(words)
    from gateway.service import log_to_journal_or_stderr

    log_to_journal_or_stderr(f"gateway-{arguments.process}")
    try:
        if arguments.process == "daemon":
            from gateway import daemon

            asyncio.run(daemon.main(daemon.Options(arguments.settings, arguments.state, arguments.run)))
        elif arguments.process == "calls":
            from gateway import exchange

            asyncio.run(exchange.serve(arguments.run))
    except GatewayError as error:
        print(f"gateway {arguments.process}: {error}", file=sys.stderr)
        return STARTED_BADLY
    return 0


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="gateway", description="Keeps calls up when an Internet channel dies.")
    processes = top.add_subparsers(dest="process", required=True)
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("--run", type=Path, default=Path("/run/steadyline"), help="sockets (%(default)s)")
    daemon = processes.add_parser("daemon", parents=[run], help="channels, settings, and the control sockets")
    daemon.add_argument("--settings", type=Path, default=Path("/etc/steadyline/settings.toml"))
    daemon.add_argument("--state", type=Path, default=Path("/var/lib/steadyline"))
    processes.add_parser("calls", parents=[run], help="the trunk, the phones, the calls")
    processes.add_parser("ctl", add_help=False, help="ask the daemon (gatewayctl)")
    return top


if __name__ == "__main__":
    sys.exit(main())
