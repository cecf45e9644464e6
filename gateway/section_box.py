"""Settings of the box itself: name and place, button and lamp, page, whom it tells, updates."""

from typing import ClassVar, Literal

from pydantic import StrictBool, StrictInt

from gateway.fields import (
    AnyAddress,
    Country,
    GpioChip,
    Host,
    HoursText,
    HttpsUrl,
    Line,
    MailAddress,
    MaybeHttpsUrl,
    MaybePath,
    Name,
    PortNumber,
    Secret,
    TimeZone,
)
from gateway.section import Section, said

Told = Literal[
    "switch",
    "uplink",
    "confirm",
    "trunk",
    "phone",
    "fraud",
    "settings",
    "reset",
    "process",
    "update",
    "rehearsal",
]


class Appliance(Section):
    """What the box is called and where it stands. `country`: ISO 3166-1, such as GB."""

    TITLE: ClassVar = "The box"
    HELP: ClassVar = "What the box is called and where it stands."

    name: Name = said("Name", "Also its name in the office's network: NAME.local.", "steadyline")
    country: Country = said(
        "Country",
        "Two capitals. How numbers without country code are read, which numbers call for help, tones, ring.",
        examples=["GB"],
    )
    language: Literal["en", "de", "fr", "es", "it", "pl", "uk", "ru"] = said(
        "Language",
        "Of the page, of messages, and of what is spoken (in English where it is not recorded).",
        "en",
        choices={
            "en": "English",
            "de": "Deutsch",
            "fr": "Français",
            "es": "Español",
            "it": "Italiano",
            "pl": "Polski",
            "uk": "Українська",
            "ru": "Русский",
        },
    )
    time_zone: TimeZone = said("Time zone", "Like Europe/London. Empty: as the machine is set up.", "")


class Panel(Section):
    """Button and lamp. A box without GPIO is a box."""

    TITLE: ClassVar = "Button and lamp"
    HELP: ClassVar = "How they are wired. Without a number of a pin there is none."

    gpiochip: GpioChip = said(
        "GPIO chip", "As `gpiodetect` shows it. Empty: that of the board's pin header.", "", expert=True
    )
    button_pin: StrictInt | None = said(
        "Pin of the button", "Line of the GPIO chip.", None, ge=0, le=511, examples=[17]
    )
    button_active_low: StrictBool = said(
        "Button to ground", "Pressed, it pulls the pin low.", True, expert=True
    )
    lamp: Literal["none", "one", "two", "rgb"] = said(
        "Lamp",
        "",
        "none",
        choices={
            "none": "none",
            "one": "one LED",
            "two": "a green and a red LED",
            "rgb": "a red-green-blue LED",
        },
    )
    lamp_pins: tuple[StrictInt, ...] = said(
        "Pins of the lamp",
        "one: [it]; two: [green, red]; rgb: [red, green, blue].",
        (),
        examples=[[22, 27, 24]],
    )
    lamp_active_low: StrictBool = said(
        "Lamp to supply", "It shines while the pin is low.", False, expert=True
    )


class Mail(Section):
    """Notifications by e-mail."""

    TITLE: ClassVar = "E-mail"
    HELP: ClassVar = "Your mail provider's SMTP server."

    server: Host = said("Server", "For outgoing mail.", examples=["smtp.example.com"])
    port: PortNumber | None = said(
        "Port", "None: 465 with TLS, 587 with STARTTLS, 25 without.", None, expert=True
    )
    security: Literal["tls", "starttls", "none"] = said("Encryption", "", "tls")
    login: Line = said("Login", "Empty: the server takes mail without one.", "", max_length=200)
    password: Secret = said("Password", "Of this login.", "", secret=True, max_length=200)
    sender: MailAddress = said("From", "The address that mails come from.", examples=["box@example.com"])
    to: tuple[MailAddress, ...] = said(
        "To", "Addresses that get them.", min_length=1, max_length=20, examples=[["owner@example.com"]]
    )


class Webhook(Section):
    """Notifications by HTTPS."""

    TITLE: ClassVar = "Webhook"
    HELP: ClassVar = "Each event is posted as JSON, signed with the secret."

    url: HttpsUrl = said("Address", "https://…", examples=["https://example.com/hook"])
    secret: Secret = said(
        "Secret",
        "Signs each message (HMAC-SHA256).",
        secret=True,
        min_length=16,
        max_length=200,
        examples=["(16 characters or more)"],
    )


class Syslog(Section):
    """Notifications by syslog (RFC 5424)."""

    TITLE: ClassVar = "Syslog"
    HELP: ClassVar = "A log server of yours (RFC 5424)."

    server: Host = said("Server", "It takes the messages.", examples=["log.example.com"])
    port: PortNumber = said("Port", "Where it listens.", 514, expert=True)
    transport: Literal["udp", "tcp"] = said("Transport", "", "udp", expert=True)


class Notifications(Section):
    """Who is told of what."""

    TITLE: ClassVar = "Notifications"
    HELP: ClassVar = "Who is told, and of what. Calls for help are always told."

    events: tuple[Told, ...] = said(
        "Events",
        "",
        ("switch", "uplink", "confirm", "trunk", "phone", "fraud", "reset", "process", "rehearsal"),
        choices={
            "switch": "calls use another channel",
            "uplink": "a channel goes down or comes back",
            "confirm": "an address is not confirmed any more",
            "trunk": "the provider does not answer",
            "phone": "a phone is gone or back",
            "fraud": "a call was stopped by the calling rules",
            "settings": "settings were changed",
            "reset": "the box was reset, or restored",
            "process": "a part of the box was restarted",
            "update": "an update is there, or was put in",
            "rehearsal": "a rehearsal of a failover failed",
        },
    )
    mail: Mail | None = said(Mail.TITLE, Mail.HELP, None)
    webhook: Webhook | None = said(Webhook.TITLE, Webhook.HELP, None)
    syslog: Syslog | None = said(Syslog.TITLE, Syslog.HELP, None)


class Web(Section):
    """The page in the browser."""

    TITLE: ClassVar = "The page"
    HELP: ClassVar = "Where the page is served. It is never served towards the Internet channels."

    listen: tuple[AnyAddress, ...] = said(
        "Addresses", "None: every address of the office side.", (), expert=True
    )
    https_port: PortNumber = said("HTTPS port", "Of the page.", 443, expert=True)
    http_port: PortNumber = said("HTTP port", "It explains, and leads to HTTPS.", 80, expert=True)
    hosts: tuple[Host, ...] = said(
        "Further names",
        "Names that the page may be called by, besides its addresses and NAME.local.",
        (),
        expert=True,
    )
    certificate: MaybePath = said(
        "Certificate",
        "A PEM file with its chain. Empty: the box makes its own.",
        "",
        expert=True,
        examples=["/etc/steadyline/page.pem"],
    )
    private_key: MaybePath = said(
        "Its private key", "A PEM file.", "", expert=True, examples=["/etc/steadyline/page.key"]
    )


class Updates(Section):
    """Where new versions come from, and when they are put in."""

    TITLE: ClassVar = "Updates"
    HELP: ClassVar = "Where new versions come from, and when they are put in."

    url: MaybeHttpsUrl = said("Where from", "https://… Empty: the box does not look for updates.", "")
    automatic: StrictBool = said("By itself", "Put in within the window, when no call runs.", False)
    window: HoursText = said("Window", "Local time.", "02:00-05:00")
