"""Settings: the one schema. File, command line and pages all come from it; rooms receive their part.

Addresses are parsed once, here; numbers are E.164 digits without the plus; the order of `uplinks` is the
owner's order: the first is the main channel, the others are backups. `parse` is the only way in: what one
field needs stands in section_*.py, how fields fit together stands in relations.py, and files of older
schemas go through migrations.py.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import ValidationError

from gateway import migrations, patterns, refusals, relations
from gateway.bounds import MAX_FILE_BYTES, MAX_LINE_LENGTH, MAX_PROBLEMS
from gateway.errors import Problem, SettingsError
from gateway.places import Place, places
from gateway.section import Section, said, sections_in
from gateway.section_box import Appliance, Mail, Notifications, Panel, Syslog, Updates, Web, Webhook
from gateway.section_lines import Lan, Ports, Uplink, Watching
from gateway.section_phones import AnalogPhone, Codes, Dialling, Phone, UsbPhone, VirtualPhone
from gateway.section_trunk import (
    CallerIdRule,
    Calling,
    Emergency,
    Incoming,
    IncomingRule,
    IncomingSource,
    Registration,
    Trunk,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PHONES",
    "MAX_PROBLEMS",
    "MAX_UPLINKS",
    "VERSION",
    "AnalogPhone",
    "Appliance",
    "CallerIdRule",
    "Calling",
    "Codes",
    "Dialling",
    "Emergency",
    "Incoming",
    "IncomingRule",
    "IncomingSource",
    "Lan",
    "Mail",
    "Notifications",
    "Panel",
    "Phone",
    "Ports",
    "Reading",
    "Registration",
    "Section",
    "Settings",
    "Syslog",
    "Trunk",
    "Updates",
    "Uplink",
    "UsbPhone",
    "VirtualPhone",
    "Watching",
    "Web",
    "Webhook",
    "notes",
    "parse",
    "read",
    "read_toml",
    "sections_in",
]

SectionT = TypeVar("SectionT", bound=Section)

VERSION = migrations.LATEST
MAX_UPLINKS = 8
MAX_PHONES = 64


class Settings(Section):
    """The whole appliance."""

    TITLE: ClassVar = "Settings"

    schema_version: Literal[2] = said("Schema", "The version of this file's form.", VERSION, alias="schema")
    appliance: Appliance = said(Appliance.TITLE, Appliance.HELP)
    uplinks: tuple[Uplink, ...] = said(Uplink.TITLE, Uplink.HELP, min_length=1, max_length=MAX_UPLINKS)
    lan: Lan = said(Lan.TITLE, Lan.HELP, Lan())
    trunk: Trunk = said(Trunk.TITLE, Trunk.HELP)
    incoming: Incoming = said(Incoming.TITLE, Incoming.HELP, Incoming())
    phones: tuple[Phone, ...] = said("Phones", "The phones that hang on the box.", (), max_length=MAX_PHONES)
    dialling: Dialling = said(Dialling.TITLE, Dialling.HELP, Dialling())
    calling: Calling = said(Calling.TITLE, Calling.HELP, Calling())
    emergency: Emergency = said(Emergency.TITLE, Emergency.HELP, Emergency())
    panel: Panel = said(Panel.TITLE, Panel.HELP, Panel())
    notifications: Notifications = said(Notifications.TITLE, Notifications.HELP, Notifications())
    web: Web = said(Web.TITLE, Web.HELP, Web())
    updates: Updates = said(Updates.TITLE, Updates.HELP, Updates())
    watching: Watching = said(Watching.TITLE, Watching.HELP, Watching())
    ports: Ports = said(Ports.TITLE, Ports.HELP, Ports())


# --- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings, the schema of the file that they were read from, and what the owner should know of them."""

    settings: Settings
    schema: int
    notes: tuple[str, ...]


def parse(text: str, source: str) -> Settings:
    """Settings from TOML text. Raises SettingsError with every problem at once; `source` names the file.

    At most MAX_FILE_BYTES are read, and never an error of another kind comes out.
    """
    return _parse(text, source)[0]


def read(text: str, source: str) -> Reading:
    """As `parse`, with what there is to say of a sound file."""
    settings, schema = _parse(text, source)
    return Reading(settings, schema, (*_older(schema), *notes(settings)))


def notes(settings: Settings, text: str = "") -> tuple[str, ...]:
    """What the owner should know of settings that are sound: lines that have no effect, and, with the `text`
    that they were read from, that it is of an older schema."""
    schema = migrations.version(tomllib.loads(text)) if text else None
    return (
        *_older(schema or VERSION),
        *(
            f"trunk.asterisk, line {ignored.line} has no effect: {ignored.why} ({ignored.text[:80]})"
            for ignored in patterns.parse_extensions(settings.trunk.asterisk)[1]
        ),
    )


def _older(schema: int) -> tuple[str, ...]:
    if schema == VERSION:
        return ()
    return (f"The file is of schema {schema} and was read as it was meant; this version writes {VERSION}.",)


def _parse(text: str, source: str) -> tuple[Settings, int]:
    written = read_toml(text, source)
    raw, moves = migrations.migrate(written)
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
    found += relations.faults(_parts(raw) if settings is None else _whole(settings))
    if found:
        here = [(migrations.back(place, moves), what, remedy) for place, what, remedy in found]
        raise SettingsError(source, _problems(here, text))
    assert settings is not None
    return settings, written.get("schema", migrations.OLDEST)


def read_toml(text: str, source: str) -> dict[str, Any]:
    """TOML of a known schema, as it stands in the text. Raises SettingsError; within the bounds above."""
    problem = None
    if len(text) > MAX_FILE_BYTES or len(text.encode(errors="replace")) > MAX_FILE_BYTES:
        problem = Problem("file", 0, f"longer than {MAX_FILE_BYTES} bytes", "Shorten it")
    else:
        for number, line in enumerate(text.split("\n"), start=1):
            if len(line) > MAX_LINE_LENGTH:
                what = f"this line is longer than {MAX_LINE_LENGTH} characters"
                problem = Problem("file", number, what, "Break it up")
                break
    if problem is None and text.startswith("\ufeff"):
        problem = Problem("file", 1, "it begins with a byte order mark", "Save it as UTF-8 without one")
    if problem is None:
        try:
            raw = tomllib.loads(text)
            problem = _wrong_version(raw, text)
            if problem is None:
                return raw
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


def _wrong_version(raw: dict[str, Any], text: str) -> Problem | None:
    version = migrations.version(raw)
    if version is not None and version <= VERSION:
        return None
    line = places(text).get(("schema",), 0)
    if version is None:
        return Problem("schema", line, "it is no version of a settings file", f"Write schema = {VERSION}")
    return Problem(
        "schema",
        line,
        f"the file is of schema {version}, and this version knows {VERSION} at most",
        "Install the version that wrote it, or newer; changing the number does not help",
    )


AnyPhone = VirtualPhone | UsbPhone | AnalogPhone
_PHONES: dict[str, type[AnyPhone]] = {
    "virtual": VirtualPhone,
    "usb": UsbPhone,
    "analog": AnalogPhone,
}


def _phone_model(item: object) -> type[AnyPhone] | None:
    return _PHONES.get(str(item.get("kind"))) if isinstance(item, dict) else None


def _whole(settings: Settings) -> relations.Parts:
    return relations.Parts(
        uplinks=dict(enumerate(settings.uplinks)),
        phones=dict(enumerate(settings.phones)),
        rules=dict(enumerate(settings.incoming.rules)),
        sources=dict(enumerate(settings.incoming.sources)),
        registration=settings.incoming.registration,
        lan=settings.lan,
        trunk=settings.trunk,
        dialling=settings.dialling,
        calling=settings.calling,
        emergency=settings.emergency,
        panel=settings.panel,
        notifications=settings.notifications,
        web=settings.web,
        ports=settings.ports,
        phone_names=frozenset(phone.name for phone in settings.phones),
    )


def _parts(raw: dict[str, Any]) -> relations.Parts:
    """What is sound by itself, section by section."""

    def sound(model: type[SectionT] | None, value: object) -> SectionT | None:
        try:
            return model.model_validate(value) if model else None
        except ValidationError:
            return None

    def several(
        items: object, model: Callable[[Any], type[SectionT] | None], most: int
    ) -> dict[int, SectionT]:
        read = [sound(model(item), item) for item in items[:most]] if isinstance(items, list) else []
        return {number: item for number, item in enumerate(read) if item is not None}

    phones = raw.get("phones")
    phones = phones if isinstance(phones, list) else [phones]
    names = [phone.get("name") for phone in phones if isinstance(phone, dict)]
    incoming = raw.get("incoming")
    incoming = incoming if isinstance(incoming, dict) else {}
    return relations.Parts(
        uplinks=several(raw.get("uplinks"), lambda _: Uplink, MAX_UPLINKS),
        phones=several(phones, _phone_model, MAX_PHONES),
        rules=several(incoming.get("rules"), lambda _: IncomingRule, 1000),
        sources=several(incoming.get("sources"), lambda _: IncomingSource, 32),
        registration=sound(Registration, incoming.get("registration")),
        lan=sound(Lan, raw.get("lan", {})),
        trunk=sound(Trunk, raw.get("trunk")),
        dialling=sound(Dialling, raw.get("dialling", {})),
        calling=sound(Calling, raw.get("calling", {})),
        emergency=sound(Emergency, raw.get("emergency", {})),
        panel=sound(Panel, raw.get("panel", {})),
        notifications=sound(Notifications, raw.get("notifications", {})),
        web=sound(Web, raw.get("web", {})),
        ports=sound(Ports, raw.get("ports", {})),
        phone_names=frozenset(name for name in names if isinstance(name, str)),
    )
