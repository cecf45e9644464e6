"""`gateway guard`: loads the guard before there is a network. Law: what goes wrong closes it, never opens."""

import logging
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from gateway.errors import GatewayError
from gateway.schema import Settings
from gateway.settings import store
from gateway.uplinks import guard
from gateway.uplinks.nft import Nft

log = logging.getLogger("gateway.guard")


def main(settings: Path, state: Path) -> None:
    """Load the guard with nothing admitted. Raises DoorError when the kernel does not take it.

    Settings that cannot be read make it stricter: then the ports of calls may talk to nobody at all.
    """
    try:
        text = _text(store.load(settings, state))
    except GatewayError as error:
        log.warning("Without settings the guard lets calls talk to nobody. %s", error)
        text = guard.boot()
    Nft().load(text)
    log.info("The guard stands; no address is admitted yet.")


def close() -> None:
    """Load the guard of a box without settings: calls talk to nobody. Raises DoorError."""
    Nft().load(guard.boot())


def _text(settings: Settings) -> str:
    networks: list[IPv4Network | IPv6Network] = list(settings.trunk.networks)
    ports = settings.ports
    return guard.boot(networks, ports.sip, (ports.rtp_first, ports.rtp_last))
