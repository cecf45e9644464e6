"""Door: cryptography. `python -m webui.certificate DIRECTORY`: a certificate for the page, by an authority of
this box's own, made when there is none that fits.

Law: the authority lives as long as the box, so that a browser that was told to trust it once is not asked
again; its key never leaves the directory, and it may sign names of this box alone.
"""

import argparse
import fcntl
import ipaddress
import os
import socket
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = 7300
LEAF_DAYS: Final = 397
"""Browsers take no longer ones of a public authority; some ask the same of others."""
RENEW_DAYS: Final = 60
_SIOCGIFCONF: Final = 0x8912
_IFREQ_BYTES: Final = 40
EARLY: Final = timedelta(days=2)
"""Begun so much before now, for who has another clock."""


def names() -> tuple[str, ...]:
    """What this box is called by, and its addresses."""
    own = socket.gethostname().partition(".")[0].lower() or "steadyline"
    found = {own, f"{own}.local", "steadyline.local", "localhost", "127.0.0.1", "::1"}
    return tuple(sorted(found | _addresses4() | _addresses6()))


def _addresses4() -> set[str]:
    """netdevice(7), SIOCGIFCONF: an ifreq for each address, with a sockaddr_in behind the device's name."""
    buffer = array("B", bytes(_IFREQ_BYTES * 128))
    start, _ = buffer.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked.fileno(), _SIOCGIFCONF, struct.pack("iP", len(buffer), start))
    (filled,) = struct.unpack_from("i", answer)
    entries = range(0, filled, _IFREQ_BYTES)
    return {socket.inet_ntoa(buffer[at + 20 : at + 24].tobytes()) for at in entries}


def _addresses6() -> set[str]:
    """proc(5), /proc/net/if_inet6: the address in hexadecimal stands first."""
    try:
        lines = Path("/proc/self/net/if_inet6").read_text().splitlines()
    except OSError:
        return set()
    return {str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines}


def renew(folder: Path, wanted: Iterable[str], now: datetime) -> bool:
    """See to it that page.crt and page.key in `folder` are good for these names; False: they were."""
    alternatives = [_name(one) for one in sorted(set(wanted))]
    try:
        leaf = x509.load_pem_x509_certificates((folder / "page.crt").read_bytes())[0]
        has = set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        if (folder / "page.key").exists() and has >= set(alternatives):
            if leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - timedelta(days=RENEW_DAYS):
                return False
    except (OSError, ValueError, IndexError, x509.ExtensionNotFound):
        pass  # none, or none that can be used: make one
    authority, signer = _authority(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Steadyline")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + timedelta(days=LEAF_DAYS) - EARLY)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    made = builder.sign(signer, hashes.SHA256())
    _write(folder / "page.key", _pem(key))
    _write(folder / "page.crt", made.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))
    return True


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The box's own; made at the first time."""
    try:
        known = x509.load_pem_x509_certificate((folder / "authority.crt").read_bytes())
        key = load_pem_private_key((folder / "authority.key").read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and known.public_key() == key.public_key():
            if now < known.not_valid_after_utc - timedelta(days=LEAF_DAYS):
                return known, key
    except (OSError, ValueError):
        pass
    key = ec.generate_private_key(ec.SECP256R1())
    # Two boxes in one browser need two names.
    title = f"Steadyline {x509.random_serial_number():x}"[:20]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "authority.key", _pem(key))
    _write(folder / "authority.crt", made.public_bytes(Encoding.PEM))
    return made, key


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Make it when it is needed; says so."""
    parser = argparse.ArgumentParser(prog="webui.certificate", description="A certificate for the page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", action="append", default=[], help="a further name or address")
    given = parser.parse_args(argv)
    if renew(given.folder, [*names(), *given.name], datetime.now(UTC)):
        print("A new certificate for the page was made.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
