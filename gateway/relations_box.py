"""How settings of phones, of the box's own hardware, its page and its messages fit together."""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Final

from gateway.places import Place

if TYPE_CHECKING:
    from gateway.relations import Fault, Parts
    from gateway.schema import AnalogPhone, Dialling, Notifications, Panel, Web

LONGEST_DIAL_BREAK_MS: Final = 95
"""8 pulses a second, 70 % break, and its bounce: a shorter flash could be a digit (facts: NEC's rule)."""

_HELP_EVERYWHERE: Final = frozenset({"112", "911", "999"})
_HELPS: Final = "a number that calls for help"
_LAMPS: Final = {"none": 0, "one": 1, "two": 2, "rgb": 3}


def faults(parts: "Parts") -> "Iterator[Fault]":
    """Everything that does not fit."""
    yield from _phones(parts)
    if parts.dialling:
        yield from _codes(parts.dialling)
    if parts.panel:
        yield from _panel(parts.panel)
    if parts.notifications:
        yield from _notifications(parts.notifications)
        if parts.emergency and parts.emergency.notify and not parts.notifications.mail:
            yield (
                ("emergency", "notify"),
                "nobody can be told, for there is no mail server",
                "Write a section [notifications.mail], or remove `notify`",
            )
    if parts.web:
        yield from _web(parts.web)


def _phones(parts: "Parts") -> "Iterator[Fault]":
    taken = dict.fromkeys(_HELP_EVERYWHERE, _HELPS)
    if parts.emergency:
        taken |= dict.fromkeys(parts.emergency.extra_numbers, _HELPS)
    if parts.trunk:
        taken.setdefault(parts.trunk.confirm_number, "the number that confirms addresses")
    for number, phone in parts.phones.items():
        at: Place = ("phones", number)
        if phone.extension in taken:
            yield (*at, "extension"), f"{phone.extension} is {taken[phone.extension]}", "Choose another"
        if phone.may_call == "pin" and parts.calling and not parts.calling.pin:
            yield (*at, "may_call"), "there is no PIN that it could ask for", "Set `pin` in [calling]"
        if phone.kind == "analog":
            for place, what, remedy in _analog(phone):
                yield (*at, place), what, remedy


def _analog(phone: "AnalogPhone") -> Iterator[tuple[str, str, str]]:
    shortest, longest = phone.flash_min_ms, phone.flash_max_ms
    if shortest and phone.pulse != "off" and shortest <= LONGEST_DIAL_BREAK_MS:
        yield (
            "flash_min_ms",
            f"a rotary dial breaks for up to {LONGEST_DIAL_BREAK_MS} ms: a digit would be taken for a flash",
            f'Give more than {LONGEST_DIAL_BREAK_MS}, or write pulse = "off"',
        )
    if longest and longest <= max(shortest, LONGEST_DIAL_BREAK_MS):
        yield (
            "flash_max_ms",
            "no flash is that short",
            f"Give more than {max(shortest, LONGEST_DIAL_BREAK_MS)}",
        )
    if 0 < phone.ring_hz < 15:
        yield "ring_hz", "no bell rings so slowly", "Give 15 to 60, or 0 for that of the country"


def _codes(dialling: "Dialling") -> "Iterator[Fault]":
    chosen = dialling.codes.model_fields_set
    codes = {
        name: code for name in type(dialling.codes).model_fields if (code := getattr(dialling.codes, name))
    }
    for (one, first), (other, second) in combinations(codes.items(), 2):
        # A code is acted on at its last digit: none may begin another.
        if first.startswith(second) or second.startswith(first):
            here, there = (one, other) if one in chosen and other not in chosen else (other, one)
            yield (
                ("dialling", "codes", here),
                f"{codes[here]} and {codes[there]} ({there}) begin alike and cannot be told apart",
                'Choose another, or write "" for none',
            )


def _panel(panel: "Panel") -> "Iterator[Fault]":
    wanted = _LAMPS[panel.lamp]
    if len(panel.lamp_pins) != wanted:
        yield (
            ("panel", "lamp_pins"),
            f"there are {len(panel.lamp_pins)} pins, and a lamp of kind {panel.lamp} has {wanted}",
            "Give one pin for each LED",
        )
    seen = set() if panel.button_pin is None else {panel.button_pin}
    for number, pin in enumerate(panel.lamp_pins):
        place = ("panel", "lamp_pins", number)
        if not 0 <= pin <= 511:
            yield place, f"{pin} is no line of a GPIO chip", "Give 0 to 511"
        elif pin in seen:
            yield place, f"pin {pin} is used already", "Give each its own pin"
        seen.add(pin)


def _notifications(notifications: "Notifications") -> "Iterator[Fault]":
    mail = notifications.mail
    if mail and bool(mail.login) != bool(mail.password):
        missing = "password" if mail.login else "login"
        yield (
            ("notifications", "mail", missing),
            "login and password go together",
            "Give both, or none when the server asks for none",
        )


def _web(web: "Web") -> "Iterator[Fault]":
    if web.http_port == web.https_port:
        yield ("web", "http_port"), f"{web.http_port} is the HTTPS port too", "Give two different ports"
    if bool(web.certificate) != bool(web.private_key):
        missing = "private_key" if web.certificate else "certificate"
        yield ("web", missing), "certificate and key go together", "Give both, or none for the box's own"
