"""Settings of the trunk, of calls that come in, of what may be dialled, and of calls for help."""

from typing import ClassVar, Literal

from pydantic import StrictBool, StrictInt

from gateway.fields import (
    E164,
    AnyNetwork,
    Block,
    CallerPattern,
    Country,
    DialPlanLines,
    Digits,
    HelpNumber,
    Host,
    HoursText,
    Login,
    MailAddress,
    MaybeE164,
    MaybeLogin,
    MaybePin,
    Name,
    PortNumber,
    Secret,
)
from gateway.section import Section, said

Codec = Literal["PCMA", "PCMU", "G722", "opus"]
NumberType = Literal[
    "fixed",
    "mobile",
    "toll_free",
    "shared_cost",
    "premium",
    "voip",
    "personal",
    "uan",
    "pager",
    "satellite",
    "short",
    "other",
]


class CallerIdRule(Section):
    """For destinations that match `pattern` (Asterisk syntax), show `caller_id`."""

    TITLE: ClassVar = "CallerID rules"
    HELP: ClassVar = "Which of your numbers is shown to which destination; the most specific rule counts."
    KEY: ClassVar = "pattern"

    pattern: CallerPattern = said(
        "Destinations", "A number, or a pattern as Asterisk writes it.", examples=["_4420XXXXXXX"]
    )
    caller_id: E164 = said("Number shown", "In international format.", examples=["442012345678"])


class Trunk(Section):
    """The provider's trunk, authorised by source address alone. `asterisk` holds lines of extensions.conf."""

    TITLE: ClassVar = "Trunk"
    HELP: ClassVar = "The provider's trunk. It knows the box by its static addresses: no password is needed."

    server: Host = said("Server", "As the provider names it.", examples=["sip.example.com"])
    transport: Literal["udp", "tcp", "tls"] = said("Transport", "UDP unless the provider says else.", "udp")
    port: PortNumber | None = said("Port", "None: as DNS says, else the usual one.", None, expert=True)
    login: MaybeLogin = said(
        "Identifying login",
        "The login that names the trunk at the provider. It cannot register any more.",
        "",
    )
    default_caller_id: E164 = said(
        "Number shown by default", "In international format.", examples=["442012345678"]
    )
    caller_ids: tuple[E164, ...] = said(
        "Connected numbers",
        "All numbers that the provider lets you show; a rule with another one is refused. None: not checked.",
        (),
    )
    caller_id_rules: tuple[CallerIdRule, ...] = said(CallerIdRule.TITLE, CallerIdRule.HELP, ())
    asterisk: DialPlanLines = said(
        "Lines of Asterisk",
        "Lines of extensions.conf that set CALLERID(num), taken as they stand.",
        "",
        long=True,
        expert=True,
    )
    confirm_number: Digits = said(
        "Confirmation number", "A call to it through a channel confirms the address of that channel.", "8888"
    )
    assert_identity: StrictBool = said(
        "Assert identity", "Say the number also as P-Asserted-Identity (RFC 3325).", False, expert=True
    )
    networks: tuple[AnyNetwork, ...] = said(
        "Networks of the provider",
        "Signalling and sound are taken from here alone. None: only the servers' own addresses.",
        (),
    )
    codecs: tuple[Codec, ...] = said(
        "Codecs", "In order of preference.", ("PCMA", "PCMU", "G722", "opus"), expert=True
    )
    srtp: Literal["off", "offer", "require"] = said(
        "Encrypted sound", "SRTP, where the provider offers it.", "off", expert=True
    )
    session_expires_s: StrictInt = said(
        "Session timer", "RFC 4028.", 1800, unit="s", expert=True, ge=90, le=7200
    )


class Registration(Section):
    """A free SIP login that receives incoming calls (not the trunk's own, which cannot register)."""

    TITLE: ClassVar = "Login for incoming calls"
    HELP: ClassVar = (
        "A free login of yours, not the one that names the trunk. Without it calls come by SIP URI."
    )

    login: Login = said("Login", "A free SIP login.", examples=["123457"])
    password: Secret = said(
        "Password", "Of this login.", secret=True, min_length=1, max_length=200, examples=["(its password)"]
    )
    expires_s: StrictInt = said(
        "Renewed after",
        "How long the provider is to remember where you are.",
        300,
        unit="s",
        expert=True,
        ge=60,
        le=3600,
    )


class IncomingSource(Section):
    """Somebody outside the provider who may call sip:NUMBER@your-address."""

    TITLE: ClassVar = "Others who may call"
    HELP: ClassVar = "Calls by SIP URI come from the provider alone, and from these networks."
    KEY: ClassVar = "name"

    name: Name = said("Name", "How this caller is called here.", examples=["branch"])
    networks: tuple[AnyNetwork, ...] = said(
        "Networks", "The addresses that they call from.", min_length=1, examples=[["198.51.100.7/32"]]
    )


class IncomingRule(Section):
    """Calls to `number` (empty: any) ring these phones."""

    TITLE: ClassVar = "Which phones ring"
    HELP: ClassVar = "One rule for each of your numbers, and one without a number for all others."
    KEY: ClassVar = "number"

    number: MaybeE164 = said("Called number", "Empty: every number that has no rule of its own.", "")
    phones: tuple[Name, ...] = said("Phones", "Names of your phones.", min_length=1, examples=[["desk"]])
    ring: Literal["all", "in_order"] = said(
        "Ring",
        "",
        "all",
        choices={"all": "all of them at once", "in_order": "one after another, in the order given"},
    )
    ring_s: StrictInt = said(
        "Ring for", "Then nobody answers, or the next phone rings.", 60, unit="s", ge=5, le=180
    )
    when_busy: Literal["ring_free", "call_waiting", "busy"] = said(
        "When one is in a call",
        "",
        "ring_free",
        choices={
            "ring_free": "the free phones ring; when none is free, the caller hears busy",
            "call_waiting": "a phone in a call hears the call-waiting tone",
            "busy": "the caller hears busy as soon as one of them is in a call",
        },
    )


class Incoming(Section):
    """How calls come in, and where they ring."""

    TITLE: ClassVar = "Incoming calls"
    HELP: ClassVar = "How calls come in, and which phones ring."

    registration: Registration | None = said(Registration.TITLE, Registration.HELP, None)
    rules: tuple[IncomingRule, ...] = said(IncomingRule.TITLE, IncomingRule.HELP, (), max_length=1000)
    sources: tuple[IncomingSource, ...] = said(IncomingSource.TITLE, IncomingSource.HELP, (), max_length=32)


class Calling(Section):
    """What may be dialled. It guards the bill; calls for help go round all of it."""

    TITLE: ClassVar = "Calling rules"
    HELP: ClassVar = "What may be dialled. They guard the bill; calls for help go round all of them."

    countries: tuple[Country, ...] = said(
        "Countries", "Allowed besides your own.", (), examples=[["IE", "FR"]]
    )
    all_countries: StrictBool = said("All countries", "Allow every country.", False)
    types: tuple[NumberType, ...] = said(
        "Kinds of numbers",
        "Kinds that may be dialled; short: service numbers; other: whatever cannot be told.",
        ("fixed", "mobile", "toll_free"),
    )
    parallel_calls: StrictInt = said("Calls at once", "Outgoing.", 8, ge=1, le=128)
    calls_per_hour: StrictInt = said("Calls an hour", "Outgoing.", 120, ge=1, le=10_000)
    minutes_per_day: StrictInt = said(
        "Minutes a day",
        "Of all outgoing calls together; what runs goes on.",
        1200,
        unit="min",
        ge=1,
        le=100_000,
    )
    longest_call_min: StrictInt = said("Longest call", "Then it is ended.", 240, unit="min", ge=1, le=1440)
    hours: tuple[HoursText, ...] = said(
        "Hours",
        "When outgoing calls are allowed; none given: always.",
        (),
        examples=[["mon-fri 07:00-20:00"]],
    )
    pin: MaybePin = said(
        "PIN for the rest",
        "Who knows it may make a call that is not allowed above. Empty: such calls are refused.",
        "",
        secret=True,
    )


class Emergency(Section):
    """Calls for help. The numbers of the country are known by themselves and cannot be switched off."""

    TITLE: ClassVar = "Calls for help"
    HELP: ClassVar = "The emergency numbers of your country always work; no rule stops them."

    address: Block = said(
        "Address of the box",
        "Street, house, floor, room, town: what is told to the emergency service, and is to be registered for"
        " your numbers at the provider.",
        "",
        long=True,
        max_length=500,
    )
    extra_numbers: tuple[HelpNumber, ...] = said(
        "Further numbers", "Short numbers that are to be treated alike, such as a site's own guard.", ()
    )
    notify: tuple[MailAddress, ...] = said(
        "Who is told", "E-mail addresses that learn of each call for help at once.", ()
    )
