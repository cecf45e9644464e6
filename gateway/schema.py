"""Settings: the one schema. File, command line and pages all come from it; rooms receive their part.

Addresses are parsed once, here; numbers are E.164 digits without the plus; the order of `uplinks` is the
owner's order: the first is the main channel, the others are backups. `parse` is the only way in: what one
field needs stands here, how fields fit together stands in relations.py.
"""

import re
import tomllib
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from gateway import patterns, refusals, relations
from gateway.errors import Problem, SettingsError
from gateway.fields import (
    E164,
    AnyAddress,
    AnyInterface,
    AnyNetwork,
    CallerPattern,
    Country,
    Device,
    DialPlanLines,
    Digits,
    Host,
    HostPort,
    Login,
    MaybeE164,
    MaybeLogin,
    MaybePath,
    Name,
    PortNumber,
    Text,
)
from gateway.places import Place, places

SectionT = TypeVar("SectionT", bound="Section")

MAX_UPLINKS = 8
MAX_PHONES = 64
MAX_FILE_BYTES = 1 << 20
MAX_LINE_LENGTH = 2000
"""TOML readers take time that grows with the square of a dotted key: longer lines are refused unread."""
MAX_PROBLEMS = 50
"""More are counted, not listed."""


class Section(BaseModel):
    """Base of all sections: frozen, and a word that is not known is an error, not ignored."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )


class Appliance(Section):
    """What the box is called and where it stands. `country`: ISO 3166-1, such as GB."""

    name: Name = "steadyline"
    country: Country = Field(examples=["GB"])


class Uplink(Section):
    """One Internet channel. `slaac`: its router announces IPv6 (RFC 4862). `public_address`: what the
    provider sees and has confirmed when the channel is behind NAT; else the box's own address counts."""

    name: Name = Field(examples=["main"])
    device: Device = Field(examples=["eth1"])
    enabled: StrictBool = True
    dhcp: StrictBool = False
    slaac: StrictBool = False
    addresses: tuple[AnyInterface, ...] = ()
    gateways: tuple[AnyAddress, ...] = ()
    resolvers: tuple[AnyAddress, ...] = ()
    public_address: AnyAddress | None = None
    metered: StrictBool = False


class Lan(Section):
    """The office side: hosts on these devices share the Internet through the box."""

    devices: tuple[Device, ...] = ()


class CallerIdRule(Section):
    """For destinations that match `pattern` (Asterisk syntax), show `caller_id`."""

    pattern: CallerPattern = Field(examples=["_4420XXXXXXX"])
    caller_id: E164 = Field(examples=["442012345678"])


class Registration(Section):
    """A free SIP login that receives incoming calls (not the trunk's own, which cannot register)."""

    login: Login = Field(examples=["123457"])
    password: Annotated[Text, Field(repr=False, min_length=1, max_length=200, examples=["(its password)"])]
    expires_s: Annotated[StrictInt, Field(ge=60, le=3600)] = 300


class Trunk(Section):
    """The provider's trunk, authorised by source address alone. `asterisk` holds lines of extensions.conf."""

    server: Host = Field(examples=["sip.example.com"])
    transport: Literal["udp", "tcp", "tls"] = "udp"
    port: PortNumber | None = None
    login: MaybeLogin = ""
    default_caller_id: E164 = Field(examples=["442012345678"])
    caller_ids: tuple[E164, ...] = ()
    caller_id_rules: tuple[CallerIdRule, ...] = ()
    asterisk: DialPlanLines = ""
    confirm_number: Digits = "8888"
    assert_identity: StrictBool = False
    networks: tuple[AnyNetwork, ...] = ()
    codecs: tuple[Literal["PCMA", "PCMU", "G722", "opus"], ...] = ("PCMA", "PCMU", "G722", "opus")
    srtp: Literal["off", "offer", "require"] = "off"
    session_expires_s: Annotated[StrictInt, Field(ge=90, le=7200)] = 1800
    registration: Registration | None = None


class IncomingRule(Section):
    """Calls to `number` (empty: any) ring these phones."""

    number: MaybeE164 = ""
    phones: Annotated[tuple[Name, ...], Field(min_length=1, examples=[["desk"]])]


class Phone(Section):
    """One phone of the house. A virtual phone plays and records WAV files."""

    name: Name = Field(examples=["desk"])
    kind: Literal["virtual"] = Field(examples=["virtual"])
    play: MaybePath = ""
    record: MaybePath = ""
    auto_answer: StrictBool = False


class Watching(Section):
    """How channels are watched. `stun_servers` are `host:port`; `hosts` answer to ping."""

    hosts: tuple[AnyAddress, ...] = ()
    stun_servers: tuple[HostPort, ...] = ()
    active_interval_ms: Annotated[StrictInt, Field(ge=100, le=10_000)] = 200
    standby_interval_ms: Annotated[StrictInt, Field(ge=200, le=60_000)] = 1000
    metered_interval_ms: Annotated[StrictInt, Field(ge=1000, le=120_000)] = 15_000
    failback_after_s: Annotated[float, Field(strict=True, ge=1, le=3600)] = 30.0
    failback_max_wait_s: Annotated[float, Field(strict=True, ge=1, le=86_400)] = 3600.0


class Ports(Section):
    """UDP ports of the box towards the provider."""

    sip: PortNumber = 5060
    rtp_first: Annotated[StrictInt, Field(ge=1024, le=65534)] = 10_000
    rtp_last: Annotated[StrictInt, Field(ge=1025, le=65535)] = 10_999


class Settings(Section):
    """The whole appliance."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    appliance: Appliance
    uplinks: Annotated[tuple[Uplink, ...], Field(min_length=1, max_length=MAX_UPLINKS)]
    lan: Lan = Lan()
    trunk: Trunk
    incoming: tuple[IncomingRule, ...] = ()
    phones: Annotated[tuple[Phone, ...], Field(max_length=MAX_PHONES)] = ()
    watching: Watching = Watching()
    ports: Ports = Ports()


# --- reading --------------------------------------------------------------------------------------


def parse(text: str, source: str) -> Settings:
    """Settings from TOML text. Raises SettingsError with every problem at once; `source` names the file.

    At most MAX_FILE_BYTES are read, and never an error of another kind comes out.
    """
    raw = _read_toml(text, source)
    settings: Settings | None = None
    errors: list[Any] = []
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    found = [refusals.explain(Settings, error) for error in errors[: 4 * MAX_PROBLEMS]]
    # A section is not faulty by itself when something in it is.
    inner = {place[:depth] for place, _, _ in found for depth in range(len(place))}
    found = [fault for fault in found if fault[0] not in inner]
    found += relations.faults(_parts(raw))
    if found:
        raise SettingsError(source, _problems(found, text))
    assert settings is not None
    return settings


def notes(settings: Settings) -> tuple[str, ...]:
    """What the owner should know of settings that are sound: lines that have no effect."""
    return tuple(
        f"trunk.asterisk, line {ignored.line} has no effect: {ignored.why} ({ignored.text[:80]})"
        for ignored in patterns.parse_extensions(settings.trunk.asterisk)[1]
    )


def _read_toml(text: str, source: str) -> dict[str, Any]:
    problem = None
    if len(text) > MAX_FILE_BYTES or len(text.encode(errors="replace")) > MAX_FILE_BYTES:
        problem = Problem("file", 0, f"longer than {MAX_FILE_BYTES} bytes", "Shorten it")
    else:
        for number, line in enumerate(text.split("\n"), start=1):
            if len(line) > MAX_LINE_LENGTH:
                what = f"this line is longer than {MAX_LINE_LENGTH} characters"
                problem = Problem("file", number, what, "Break it up")
                break
    if problem is None:
        try:
            return tomllib.loads(text)
        except RecursionError:
            problem = Problem("file", 0, "brackets are nested too deeply", "Mend the brackets")
        except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
            found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
            what = str(error).partition(" (at ")[0]
            column = f", column {found[2]}" if found else ""
            line_number = int(found[1]) if found else text.count("\n") + 1
            problem = Problem("file", line_number, f"not valid TOML{column}: {what}", "Mend this line")
    raise SettingsError(source, (problem,))


def _problems(found: list[relations.Fault], text: str) -> tuple[Problem, ...]:
    """In the order of the file, each with its line; a missing word stands where its section begins."""
    lines = places(text)

    def line_of(place: Place, what: str) -> int:
        while place and place not in lines:
            place = place[:-1]
        line = lines.get(place, 0)
        if place[-1:] == ("asterisk",) and (inner := re.match(r"line (\d+): ", what)):
            line += _line_in_block(text.split("\n")[line - 1], int(inner[1]))
        return line

    problems = [
        Problem(".".join(map(str, place)) or "settings", line_of(place, what), what, remedy)
        for place, what, remedy in dict.fromkeys(found)
    ]
    problems.sort(key=lambda problem: problem.line)
    if len(problems) > MAX_PROBLEMS:
        more = Problem("file", 0, "there are more problems than these", "Mend these first")
        problems[MAX_PROBLEMS:] = [more]
    return tuple(problems)


def _line_in_block(key_line: str, number: int) -> int:
    """Lines from that of the key to line `number` of its text: TOML leaves out a newline right after the
    opening quotes."""
    opened = re.search(r"=\s*(\"\"\"|''')(.*)$", key_line)
    if not opened:
        return 0
    return number - 1 if opened[2].strip() else number


def _parts(raw: dict[str, Any]) -> relations.Parts:
    """What is sound by itself, section by section."""

    def sound(model: type[SectionT], value: object) -> SectionT | None:
        try:
            return model.model_validate(value)
        except ValidationError:
            return None

    def several(key: str, model: type[SectionT], most: int) -> dict[int, SectionT]:
        items = raw.get(key)
        read = [sound(model, item) for item in items[:most]] if isinstance(items, list) else []
        return {number: item for number, item in enumerate(read) if item is not None}

    phones = raw.get("phones")
    phones = phones if isinstance(phones, list) else [phones]
    names = [phone.get("name") for phone in phones if isinstance(phone, dict)]
    return relations.Parts(
        uplinks=several("uplinks", Uplink, MAX_UPLINKS),
        phones=several("phones", Phone, MAX_PHONES),
        incoming=several("incoming", IncomingRule, 1000),
        lan=sound(Lan, raw.get("lan", {})),
        trunk=sound(Trunk, raw.get("trunk")),
        ports=sound(Ports, raw.get("ports", {})),
        phone_names=frozenset(name for name in names if isinstance(name, str)),
    )
