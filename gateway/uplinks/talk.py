"""What the uplinks room says to the world and asks of it: its doors, what goes in, what comes out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from gateway.errors import RefusedError
from gateway.messages import Event, Path, PathState, Server
from gateway.schema import Settings, Trunk, Uplink
from gateway.status import UplinkState, UplinkStatus
from gateway.uplinks.keeping import Guard, Kernel
from gateway.uplinks.model import Address, Gathered, SendProbe, UplinkPath
from gateway.uplinks.wiring import Ask, Resolved, Wire

# --- doors ----------------------------------------------------------------------------------------


class Prober(Protocol):
    """Sends probes; posts ProbeAnswered or ProbeRefused to the room's inbox."""

    def send(self, probe: SendProbe, path: UplinkPath, target: Address, port: int = 0) -> None:
        """From `path`'s own address, out of its device. Never raises for what the network does."""

    def relax(self, on: bool) -> None:
        """While on, answers are not posted: they lie, with their time of arrival, until they are gathered."""

    def gather(self) -> list[Gathered]:
        """The answers that have come since, by uplink."""

    def forget(self, uplink: str) -> None:
        """Close what is open for `uplink`; answers under way are lost."""


class Resolver(Protocol):
    """Asks the resolvers of the uplinks."""

    async def servers(self, trunk: Trunk, asks: tuple[Ask, ...]) -> Resolved:
        """The trunk's servers in the order of RFC 2782. Raises DoorError when no resolver answers."""

    async def endpoints(self, names: tuple[str, ...], asks: tuple[Ask, ...]) -> tuple[str, ...]:
        """`address:port` for each `host:port` that resolves; the others are left out."""


class Leases(Protocol):
    """The DHCP clients; they post LeaseSeen to the room's inbox."""

    def follow(self, uplinks: Mapping[str, str]) -> None:
        """Serve exactly these devices (each with the name of its uplink); who is served goes on."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What the room acts through."""

    kernel: Kernel
    guard: Guard
    prober: Prober
    resolver: Resolver
    leases: Leases


# --- in ---------------------------------------------------------------------------------------

T = TypeVar("T", contravariant=True)


class Reply(Protocol[T]):
    """Where an answer is put: a future of the one who asked."""

    def done(self) -> bool: ...
    def set_result(self, result: T, /) -> None: ...
    def set_exception(self, exception: BaseException, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The address of one uplink that the provider has confirmed, and when (Unix seconds)."""

    address: Address
    at: float


# --- out --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """The room as clients see it."""

    uplinks: tuple[UplinkStatus, ...]
    active_uplink: str
    internet_uplink: str
    guard: Literal["standing", "absent"]
    provider_silent: bool
    ordered: str = ""


@dataclass(frozen=True, slots=True)
class PictureChanged:
    """`now()` or `paths()` tell something new."""


@dataclass(frozen=True, slots=True)
class ServersKnown:
    """The trunk's servers, resolved (again)."""

    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """The trunk has changed its uplink. `silent_s`: from the last sign of life to the decision (0: the
    trouble was seen at once); `took_s`: from the decision to the last step."""

    uplink: str
    before: str
    cause: str
    silent_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class SettingsApplied:
    """The room works by these settings now. `renamed`: uplinks that have another name, old to new."""

    settings: Settings
    servers: tuple[Server, ...]
    renamed: Mapping[str, str]


Output = Event | PictureChanged | ServersKnown | SettingsApplied | Switched


def address_text(address: Address | None) -> str:
    """The usual notation; empty for none."""
    return str(address) if address is not None else ""


def path_of(uplink: Uplink, own: Address | None, declared: Address | None, state: PathState) -> Path:
    """One uplink as the calls process sees it; without an address while it never had one."""
    return Path(
        uplink=uplink.name,
        device=uplink.device,
        local_address=address_text(own),
        public_address=address_text(declared or own),
        state=state,
        metered=uplink.metered,
    )


def refuse_confirmation(wire: Wire, state: UplinkState) -> None:
    """Raise RefusedError when no confirmation call can leave by this uplink as things stand."""
    name = wire.uplink.name
    if not wire.paths(False) or state in ("disabled", "no_device", "no_carrier", "no_address", "conflict"):
        raise RefusedError(
            f"{name} has no working address now ({state.replace('_', ' ')})",
            where=name,
            remedy="See `gatewayctl uplinks`, and confirm it when it is up",
        )
