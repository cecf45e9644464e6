"""The daemon has no OpenSSL in its memory, and does its work without."""

import subprocess
import sys

LOADED = """
import sys
from gateway import lean
lean.without_openssl()
import asyncio, hashlib, hmac, secrets
import gateway.channels, gateway.daemon
assert hashlib.sha256(b"x").hexdigest().startswith("2d711642")
assert hmac.compare_digest(secrets.token_bytes(0), b"")
maps = open("/proc/self/maps").read()
print([name for name in ("libssl", "libcrypto") if name in maps])
"""


def test_the_daemon_loads_no_openssl() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_where_it_is_loaded_already_it_stays() -> None:
    work = "import ssl; from gateway import lean; lean.without_openssl(); print(__import__('ssl') is ssl)"
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
