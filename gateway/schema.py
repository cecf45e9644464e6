"""Settings: the one schema. File, command line and pages all come from it; rooms receive their part.

Addresses are parsed once, here; numbers are E.164 digits without the plus; the order of `uplinks` is the
owner's order: the first is the main channel, the others are backups.
"""

import re
import tomllib
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import Problem, SettingsError

MAX_UPLINKS = 8
MAX_FILE_BYTES = 1 << 20
_E164 = re.compile(r"[1-9][0-9]{6,14}")


def _digits(number: str) -> str:
    digits = number.removeprefix("+").replace(" ", "").replace("-", "")
    if not _E164.fullmatch(digits):
        raise ValueError("a number in international format is needed: 7 to 15 digits, country code first")
    return digits


def _device(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,15}", name) or name in (".", "..", "lo"):
        raise ValueError("the name of a network device is needed, as `ip link` shows it")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,23}$")]
E164 = Annotated[str, AfterValidator(_digits)]
Device = Annotated[str, AfterValidator(_device)]
AnyInterface = IPv4Interface | IPv6Interface
AnyAddress = IPv4Address | IPv6Address
AnyNetwork = IPv4Network | IPv6Network


class Section(BaseModel):
    """Base of all sections: frozen, and a word that is not known is an error, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Appliance(Section):
    """What the box is called and where it stands."""

    name: Name = "steadyline"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, such as GB")]


class Uplink(Section):
    """One Internet channel. `public_address`: what the provider sees and has confirmed, when the channel is
    behind NAT; without it the box's own address counts."""

    name: Name
    device: Device
    enabled: bool = True
    dhcp: bool = False
    addresses: tuple[AnyInterface, ...] = ()
    gateways: tuple[AnyAddress, ...] = ()
    resolvers: tuple[AnyAddress, ...] = ()
    public_address: AnyAddress | None = None
    metered: bool = False

    @model_validator(mode="after")
    def _address_is_known(self) -> "Uplink":
        if self.dhcp == bool(self.addresses):
            raise ValueError("give either `dhcp = true` or `addresses`, one of the two")
        for version in (4, 6):
            if sum(a.version == version for a in self.addresses) > 1:
                raise ValueError(f"give at most one IPv{version} address")
            if sum(g.version == version for g in self.gateways) > 1:
                raise ValueError(f"give at most one IPv{version} gateway")
        for gateway in self.gateways:
            networks = [a.network for a in self.addresses if a.version == gateway.version]
            link_local = isinstance(gateway, IPv6Address) and gateway.is_link_local
            if networks and not link_local and not any(gateway in network for network in networks):
                raise ValueError(f"the gateway {gateway} is not in the network of the address")
        return self


class Lan(Section):
    """The office side: hosts on these devices share the Internet through the box."""

    devices: tuple[Device, ...] = ()


class CallerIdRule(Section):
    """For destinations that match `pattern` (Asterisk syntax), show `caller_id`."""

    pattern: str
    caller_id: E164


class Registration(Section):
    """A free SIP login that receives incoming calls (not the trunk's own, which cannot register)."""

    login: str
    password: Annotated[str, Field(repr=False)]
    expires_s: Annotated[int, Field(ge=60, le=3600)] = 300


class Trunk(Section):
    """The provider's trunk, authorised by source address alone."""

    server: str
    transport: Literal["udp", "tcp", "tls"] = "udp"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    login: str = ""
    default_caller_id: E164
    caller_ids: tuple[E164, ...] = ()
    caller_id_rules: tuple[CallerIdRule, ...] = ()
    asterisk: str = ""
    confirm_number: Annotated[str, Field(pattern=r"^[0-9*#]{1,15}$")] = "8888"
    assert_identity: bool = False
    networks: tuple[AnyNetwork, ...] = ()
    codecs: tuple[Literal["PCMA", "PCMU", "G722", "opus"], ...] = ("PCMA", "PCMU", "G722", "opus")
    srtp: Literal["off", "offer", "require"] = "off"
    session_expires_s: Annotated[int, Field(ge=90, le=7200)] = 1800
    registration: Registration | None = None

    @model_validator(mode="after")
    def _trunk_login_cannot_register(self) -> "Trunk":
        if self.registration and self.registration.login == self.login:
            raise ValueError(
                f"the login {self.login} names the trunk and cannot register any more; "
                "use another, free login, or receive calls by SIP URI"
            )
        return self


class IncomingRule(Section):
    """Calls to `number` (empty: any) ring these phones."""

    number: E164 | Literal[""] = ""
    phones: tuple[Name, ...]


class Phone(Section):
    """One phone of the house. A virtual phone plays and records WAV files."""

    name: Name
    kind: Literal["virtual"]
    play: str = ""
    record: str = ""
    auto_answer: bool = False


class Watching(Section):
    """How channels are watched. `stun_servers` are `host:port`; `hosts` answer to ping."""

    hosts: tuple[AnyAddress, ...] = ()
    stun_servers: tuple[str, ...] = ()
    active_interval_ms: Annotated[int, Field(ge=100, le=10_000)] = 200
    standby_interval_ms: Annotated[int, Field(ge=200, le=60_000)] = 1000
    metered_interval_ms: Annotated[int, Field(ge=1000, le=120_000)] = 15_000
    failback_after_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    failback_max_wait_s: Annotated[float, Field(ge=1, le=86_400)] = 3600.0


class Ports(Section):
    """UDP ports of the box towards the provider."""

    sip: Annotated[int, Field(ge=1, le=65535)] = 5060
    rtp_first: Annotated[int, Field(ge=1024, le=65534)] = 10_000
    rtp_last: Annotated[int, Field(ge=1025, le=65535)] = 10_999


class Settings(Section):
    """The whole appliance."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    appliance: Appliance
    uplinks: Annotated[tuple[Uplink, ...], Field(min_length=1, max_length=MAX_UPLINKS)]
    lan: Lan = Lan()
    trunk: Trunk
    incoming: tuple[IncomingRule, ...] = ()
    phones: tuple[Phone, ...] = ()
    watching: Watching = Watching()
    ports: Ports = Ports()

    @model_validator(mode="after")
    def _names_are_single_and_known(self) -> "Settings":
        for what, names in (
            ("uplink", [u.name for u in self.uplinks]),
            ("device", [u.device for u in self.uplinks]),
            ("phone", [p.name for p in self.phones]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"the {what} {twice[0]} appears twice; each needs its own")
        known = {p.name for p in self.phones}
        for rule in self.incoming:
            for phone in rule.phones:
                if phone not in known:
                    raise ValueError(f"incoming calls are to ring {phone}, but there is no such phone")
        return self


def parse(text: str, source: str) -> Settings:
    """Settings from TOML text. Raises SettingsError with every problem at once; `source` names the file."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found.group(1)) if found else 0
        raise SettingsError(
            source, (Problem("file", line, f"not valid TOML: {error}", "Mend this line"),)
        ) from None
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(source, tuple(_problem(e, text) for e in error.errors())) from None


def _problem(error: object, text: str) -> Problem:
    detail: dict[str, object] = dict(error)  # type: ignore[call-overload]
    location = detail["loc"]
    assert isinstance(location, tuple)
    path = [str(part) for part in location]
    what = str(detail["msg"]).removeprefix("Value error, ")
    remedy = "Change it" if detail["type"] != "missing" else "Add it"
    if detail["type"] == "extra_forbidden":
        what, remedy = "this word is not known here", "Remove it or mend its spelling"
    return Problem(".".join(path) or "settings", _line_of(path, text), what, remedy)


def _line_of(path: list[str], text: str) -> int:
    """The line of the last part of `path` that stands in `text` as a key or table, searched in order."""
    lines = text.splitlines()
    at, found = 0, 0
    for position, part in enumerate(path):
        if part.isdigit() and position:
            header = re.compile(rf"^\s*\[\[\s*{re.escape('.'.join(path[:position]))}\s*\]\]")
            tables = [n for n, line in enumerate(lines) if header.match(line)]
            if int(part) < len(tables):
                at = tables[int(part)]
                found = at + 1
            continue
        wanted = re.compile(rf"^\s*(\[+.*\b)?{re.escape(part)}\b\s*(=|\])")
        for n in range(at, len(lines)):
            if wanted.match(lines[n]):
                at, found = n, n + 1
                break
    return found
