"""The values that stand in a settings file: how each is read, and what is said when it cannot be."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictInt,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateway import hours, patterns
from gateway.changes import KEPT

Json = dict[str, Any]


def fault(what: str, remedy: str) -> PydanticCustomError:
    """An error with its own remedy, for validators to raise."""
    return PydanticCustomError("fault", "{what}", {"what": what, "remedy": remedy})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise fault("text is needed", "Write it in quotes")
    return value.strip()


@dataclass(frozen=True, slots=True)
class _Read:
    """Text that `read` turns into the value; its ValueError becomes: `wanted` is needed."""

    read: Callable[[str], object]
    wanted: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        return {"type": "string", "examples": [self.example]}

    def _validate(self, value: object) -> object:
        text = _text(value)
        try:
            if "%" in text:  # a zone names a device of some machine; ours is the uplink's own
                raise ValueError
            return self.read(text)
        except ValueError:
            what = f"{self.wanted} is needed, not {text[:60]!r}"
            raise fault(what, f'Write it like "{self.example}"') from None


@dataclass(frozen=True, slots=True)
class _Form:
    """Text of one form, said in words."""

    regex: str
    wanted: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        found = handler(schema) | {"pattern": f"^(?:{self.regex})$"}
        return found | {"examples": [self.example]} if self.example else found

    def _validate(self, text: str) -> str:
        if not re.fullmatch(self.regex, text, re.ASCII):
            remedy = f'Write it like "{self.example}"' if self.example else "Leave out what cannot be typed"
            raise fault(f"{self.wanted} is needed, not {text[:60]!r}", remedy)
        return text


def _digits(number: str) -> str:
    digits = re.sub(r"[ ().-]", "", number).removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{6,14}", digits, re.ASCII):
        raise fault(
            f"a number in international format is needed, not {number[:60]!r}",
            'Write 7 to 15 digits, country code first, like "442012345678"',
        )
    return digits


def _interface(text: str) -> IPv4Interface | IPv6Interface:
    if "/" not in text:
        raise ValueError
    return ip_interface(text)


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        label = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
        # Digits and dots alone are a mistyped address, never a name.
        if len(text) > 253 or not re.fullmatch(rf"(?![0-9.]+$){label}(\.{label})*\.?", text, re.IGNORECASE):
            raise
        return text.rstrip(".").lower()


def _host_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host:
        host, port = text, "3478"
    if not re.fullmatch("[0-9]{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535:
        raise ValueError
    name = _host(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _caller_pattern(text: str) -> str:
    try:
        patterns.parse(text)
    except ValueError as error:
        raise fault(str(error), 'Write it as in Asterisk\'s dial plan, like "_4420XXXXXXX"') from None
    return text


def _extensions(text: str) -> str:
    try:
        patterns.parse_extensions(text)
    except ValueError as error:
        raise fault(str(error), "Mend that line as Asterisk would read it") from None
    return text


def _country(text: str) -> str:
    if text == "UK":
        raise fault("the code of the United Kingdom is GB", 'Write "GB"')
    return text


def _hours(text: str) -> str:
    try:
        hours.parse(text)
    except ValueError:
        wanted = f"hours of the week are needed, not {text[:60]!r}"
        raise fault(wanted, 'Write them like "mon-fri 08:00-18:00", or "22:00-06:00" for every day') from None
    return text.lower()


def _time_zone(text: str) -> str:
    from zoneinfo import ZoneInfo  # most settings name none

    try:
        if text:
            ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise fault(
            f"{text[:60]!r} is no time zone of this machine", 'Write it like "Europe/London", or "UTC"'
        ) from None
    return text


def _usb(text: str) -> str:
    if not re.fullmatch(
        r"any|[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}|[0-9a-f]{4}:[0-9a-f]{4}(:[!-~]{1,64})?",
        text,
        re.IGNORECASE | re.ASCII,
    ):
        raise fault(
            f"a USB device is needed, not {text[:60]!r}",
            'Write "any", the socket like "1-1.4", or vendor:product like "046d:0a44"',
        )
    return text if text.count(":") > 1 else text.lower()


def _https(text: str) -> str:
    found = re.fullmatch(
        r"https://(?P<host>\[[0-9a-f:.]+\]|[^/:?#@\s]+)(:(?P<port>[0-9]{1,5}))?([/?#]\S*)?", text, re.I
    )
    try:
        if not found or len(text) > 1000 or not 1 <= int(found["port"] or 443) <= 65535:
            raise ValueError
        _host(found["host"].strip("[]"))
    except ValueError:
        raise fault(
            "an address with https:// is needed", 'Write it like "https://example.com/path"'
        ) from None
    return text


def _secret(text: str) -> str:
    """Law 19: what is wrong with a secret is said without it."""
    if re.search(r"[\0-\x1f\x7f]", text):
        raise fault("it holds a character that cannot be typed", "Write letters, digits and signs")
    return text


def _not_kept(given: object) -> object:
    if given == KEPT:
        raise fault(f"{KEPT} stands for a secret, and none is in force here", "Write the secret itself")
    return given


def _pin(text: str) -> str:
    if text and not re.fullmatch(r"[0-9]{4,12}", text, re.ASCII):
        raise fault("a PIN of digits is needed", "Write 4 to 12 digits, in quotes")
    return text


_LOGIN = r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]{1,64}"  # RFC 3261 §25.1, user

Text = Annotated[str, Field(strict=True)]
Line = Annotated[Text, _Form(r"[^\0-\x1f\x7f]*", "text of one line", "")]
Secret = Annotated[Text, BeforeValidator(_not_kept), AfterValidator(_secret)]
MaybePin = Annotated[Text, BeforeValidator(_not_kept), AfterValidator(_pin)]
Seconds = Annotated[float, Field(strict=True)]
Decibels = Annotated[float, Field(strict=True)]
Name = Annotated[
    Text, _Form(r"[a-z][a-z0-9_-]{0,23}", "a short name (small letters, digits, - and _)", "backup1")
]
Country = Annotated[Text, _Form("[A-Z]{2}", "a country code of two capitals", "GB"), AfterValidator(_country)]
MaybeCountry = Annotated[
    Text, _Form("|[A-Z]{2}", "a country code of two capitals", "GB"), AfterValidator(_country)
]
TimeZone = Annotated[Text, AfterValidator(_time_zone)]
E164 = Annotated[Text, AfterValidator(_digits)]
MaybeE164 = Annotated[Text, AfterValidator(lambda text: _digits(text) if text else "")]
Digits = Annotated[Text, _Form(r"[0-9*#]{1,15}", "the digits of a number", "8888")]
MaybeDigits = Annotated[Text, _Form(r"[0-9*#]{0,32}", "the digits of a number", "8888")]
Extension = Annotated[Text, _Form(r"|[0-9]{2,6}", "2 to 6 digits", "21")]
HelpNumber = Annotated[
    # Short: no cap stops what stands here, so nothing that costs may.
    Text, _Form(r"[0-9]{2,6}", "a short number of 2 to 6 digits", "110")
]
FeatureCode = Annotated[Text, _Form(r"|[*#][0-9*#]{1,5}", "a code that begins with * or #", "*66")]
HoursText = Annotated[Text, AfterValidator(_hours)]
UsbPlace = Annotated[Text, AfterValidator(_usb)]
GpioChip = Annotated[Text, _Form(r"|gpiochip[0-9]{1,3}", "the name of a GPIO chip", "gpiochip0")]
MailAddress = Annotated[
    Text,
    _Form(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*",
        "an e-mail address",
        "owner@example.com",
    ),
]
HttpsUrl = Annotated[Text, AfterValidator(_https)]
MaybeHttpsUrl = Annotated[Text, AfterValidator(lambda text: _https(text) if text else "")]
Device = Annotated[
    Text,
    _Form(
        r"(?!lo$|\.{1,2}$)[A-Za-z0-9_.:@-]{1,15}",
        "the name of a network device, as `ip link` shows it,",
        "eth1",
    ),
]
Login = Annotated[Text, _Form(_LOGIN, "a SIP login", "123456")]
MaybeLogin = Annotated[Text, _Form(f"|{_LOGIN}", "a SIP login", "123456")]
MaybePath = Annotated[
    Text,
    _Form(
        r"|(?!.*/\.\.(/|$))/[^\0-\x1f\x7f]{1,4000}",
        "an absolute path without ..",
        "/var/lib/steadyline/hello.wav",
    ),
]
CallerPattern = Annotated[Text, AfterValidator(_caller_pattern)]
Block = Annotated[Text, _Form(r"[^\0-\x08\x0b-\x1f\x7f]*", "text that can be typed", "")]
DialPlanLines = Annotated[
    Text,
    StringConstraints(strip_whitespace=False),
    _Form(r"[^\0-\x08\x0b-\x1f\x7f]*", "text that can be typed", ""),
    AfterValidator(_extensions),
]
Host = Annotated[str, _Read(_host, "a host name or an address", "sip.example.com")]
HostPort = Annotated[str, _Read(_host_port, "a host and port", "stun.example.com:3478")]
AnyInterface = Annotated[
    IPv4Interface | IPv6Interface,
    _Read(_interface, "an address with the length of its network", "203.0.113.2/30"),
]
AnyAddress = Annotated[IPv4Address | IPv6Address, _Read(ip_address, "an address", "203.0.113.1")]
AnyNetwork = Annotated[IPv4Network | IPv6Network, _Read(ip_network, "a network", "192.0.2.0/28")]
PortNumber = Annotated[StrictInt, Field(ge=1, le=65535)]
