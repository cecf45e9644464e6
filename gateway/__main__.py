"""The command line: `gateway daemon | calls | guard | ctl`. Each is imported when it is asked for."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import lean
from gateway.errors import GatewayError

STARTED_BADLY = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one process of the gateway; gives its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["ctl"]:
        from gateway import ctl

        return ctl.main(words[1:])
    if words[:1] in (["daemon"], ["calls"]):
        lean.without_openssl()
    import asyncio

    arguments = _parser().parse_args(words)
    from gateway.service import log_to_journal_or_stderr

    log_to_journal_or_stderr(f"gateway-{arguments.process}")
    try:
        if arguments.process == "daemon":
            from gateway import daemon

            recordings = arguments.recordings or arguments.state / "recordings"
            options = daemon.Options(
                arguments.settings,
                arguments.state,
                arguments.run,
                recordings,
                arguments.vault,
                arguments.keys,
                arguments.marker,
            )
            asyncio.run(daemon.main(options))
        elif arguments.process == "calls":
            from gateway import exchange

            asyncio.run(exchange.serve(arguments.run))
        elif arguments.process == "guard":
            from gateway import boot

            boot.main(arguments.settings, arguments.state)
    except GatewayError as error:
        logging.getLogger("gateway").critical("%s", error)
        return STARTED_BADLY
    except BaseExceptionGroup as group:
        logging.getLogger("gateway").critical("A room has ended, and the process with it", exc_info=group)
        return STARTED_BADLY
    return 0


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="gateway", description="Keeps calls up when an Internet channel dies.")
    processes = top.add_subparsers(dest="process", required=True)
    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("--run", type=Path, default=Path("/run/steadyline"), help="sockets (%(default)s)")
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument(
        "--settings", type=Path, default=Path("/etc/steadyline/settings.toml"), help="(%(default)s)"
    )
    kept.add_argument("--state", type=Path, default=Path("/var/lib/steadyline"), help="(%(default)s)")
    daemon = processes.add_parser(
        "daemon", parents=[run, kept], help="channels, settings, and the control sockets"
    )
    daemon.add_argument("--recordings", type=Path, help="of confirmation calls (STATE/recordings)")
    daemon.add_argument("--vault", type=Path, help="what a factory reset leaves (STATE-vault)")
    daemon.add_argument("--keys", type=Path, help="of the vault, where nothing better holds one (STATE-key)")
    daemon.add_argument(
        "--marker",
        type=Path,
        default=Path("/boot/firmware/steadyline-reset"),
        help="a file that asks for a factory reset (%(default)s)",
    )
    processes.add_parser("guard", parents=[kept], help="close the trunk's way out before there is a network")
    processes.add_parser("calls", parents=[run], help="the trunk, the phones, the calls")
    processes.add_parser("ctl", add_help=False, help="ask the daemon (gatewayctl)")
    return top


if __name__ == "__main__":
    sys.exit(main())
