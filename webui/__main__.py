"""`python -m webui`: serve the page. On the box behind nginx on a unix socket; for a look, on loopback.

32 threads: every open page holds one for its live events (24 at most), the rest answer.
"""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import waitress

from webui.app import create_app
from webui.box import Box

THREADS = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="webui", description="The page of a Steadyline box.")
    parser.add_argument("--run", type=Path, default=Path("/run/steadyline"), help="sockets (%(default)s)")
    parser.add_argument("--socket", default="web.sock", help="the daemon's socket in there (%(default)s)")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen", metavar="ADDRESS:PORT", help="serve plain HTTP here, for a look")
    where.add_argument("--unix", type=Path, metavar="PATH", help="serve on this unix socket, for nginx")
    parser.add_argument("--name", action="append", default=[], help="a host name that the page may have")
    parser.add_argument("--state", type=Path, help="a folder of its own, for a half-done set-up")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s")
    own = socket.gethostname().partition(".")[0]
    names = [*given.name, own, f"{own}.local"]
    app = create_app(Box(given.run, given.socket), state=given.state, names=names)
    options: dict[str, Any] = {
        "threads": THREADS,
        "channel_request_lookahead": 1,  # a stream whose page has gone is noticed
        "ident": "",
        "max_request_body_size": 2 << 20,
    }
    if given.unix:
        os.umask(0o117)  # nginx's group may connect
        waitress.serve(
            app,
            unix_socket=str(given.unix),
            unix_socket_perms="660",
            trusted_proxy="localhost",
            trusted_proxy_headers={"x-forwarded-proto", "x-forwarded-for", "x-forwarded-host"},
            clear_untrusted_proxy_headers=True,
            **options,
        )
    else:
        host, _, port = given.listen.rpartition(":")
        waitress.serve(app, host=host.strip("[]"), port=int(port), **options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
