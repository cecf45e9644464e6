"""The far end of the boot test: `PROVIDER OPTIONS_CLIENT STUN_CLIENT STUN_SERVER…`, all addresses.

OPTIONS are answered to one client and STUN to another, so that each is seen to work alone.
"""

import select
import socket
import sys

from tests.lab.hosts import stun_answer


def options_answer(request: bytes, source: tuple[str, int]) -> bytes | None:
    """200 with the request's own headers, and where it came from; None for anything else than OPTIONS."""
    lines = request.decode("latin-1").split("\r\n")
    if not lines[0].startswith("OPTIONS "):
        return None
    kept = [line for line in lines if line.startswith(("From:", "To:", "Call-ID:", "CSeq:"))]
    via = next(line for line in lines if line.startswith("Via:")) + f";received={source[0]}"
    return "\r\n".join(["SIP/2.0 200 OK", via, *kept, "Content-Length: 0", "", ""]).encode("latin-1")


def main(provider: str, options_client: str, stun_client: str, *stun: str) -> None:
    """Answer until killed."""
    ends = []
    for address, port in ((provider, 5060), *((server, 3478) for server in stun)):
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((address, port))
        ends.append(end)
    while True:
        for end in select.select(ends, [], [])[0]:
            request, source = end.recvfrom(4096)
            answer = options_answer(request, source) if end is ends[0] else stun_answer(request, source)
            if answer is not None and source[0] == (options_client if end is ends[0] else stun_client):
                end.sendto(answer, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
