"""`python -I -m gateway.settings.stretch`: scrypt (RFC 7914) of a password, in a process of its own.

It takes 32 MiB for a tenth of a second, and OpenSSL, which the daemon does without. On stdin 16 bytes of salt
and the password; on stdout 32 bytes.
"""

import hashlib
import sys

SALT_BYTES = 16
HASH_BYTES = 32
_COST, _BLOCK, _LANES = 1 << 15, 8, 1
_MEMORY_BYTES = 128 * _COST * _BLOCK + (1 << 20)


def main() -> int:
    """Gives the exit code."""
    given = sys.stdin.buffer.read()
    salt, password = given[:SALT_BYTES], given[SALT_BYTES:]
    made = hashlib.scrypt(
        password, salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY_BYTES, dklen=HASH_BYTES
    )
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
