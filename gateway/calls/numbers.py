"""Law: what was dialled is reached if anybody may reach it; emergency numbers first, untouched, and always.

    emergency      a number that the country's plan says is one (libphonenumber's short numbers), or one that
                   the owner has added; as dialled
    service        the provider's own codes (8888, *98) and other short numbers: as dialled
    international  everything else, as E.164 digits without the plus
    invalid        nobody could be reached by it; `words` say why

A number with +, 00, 011 or the country's own international prefix is taken as international; one without is
national first, and E.164 digits without any prefix second. libphonenumber's tables age: a number whose length
is right but whose range they do not know is dialled all the same. This is the door to phonenumbers; it
needs no network.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    shortnumberinfo,
)

from gateway.calls.model import Dialled

__all__ = ["Dialled", "Weight", "dialled", "is_emergency", "kinds", "weigh"]

Weight = Literal[
    "more",  # it is no number yet
    "may",  # it is one, and may go on
    "whole",  # it is one, and nothing can follow
    "emergency",  # it calls for help: nothing is waited for
    "never",  # no number begins like this
]

_LONGEST_SERVICE: Final = 6
_LONGEST_NUMBER: Final = 20
"""An international prefix and the fifteen digits of E.164."""
_PREFIXES: Final = ("+", "00", "011")
_EYE_CANDY: Final = re.compile(r"[\s().\-/]+", re.ASCII)
_DIALABLE: Final = re.compile(r"\+[0-9]+|[0-9*#]+")
_EVERYWHERE: Final = frozenset({"112", "911"})
"""What mobile networks everywhere take for an emergency; used where the tables know nothing of a country."""
_KINDS: Final[dict[int, tuple[str, ...]]] = {
    PhoneNumberType.FIXED_LINE: ("fixed",),
    PhoneNumberType.MOBILE: ("mobile",),
    PhoneNumberType.FIXED_LINE_OR_MOBILE: ("fixed", "mobile"),
    PhoneNumberType.TOLL_FREE: ("toll_free",),
    PhoneNumberType.PREMIUM_RATE: ("premium",),
    PhoneNumberType.SHARED_COST: ("shared_cost",),
    PhoneNumberType.VOIP: ("voip",),
    PhoneNumberType.PERSONAL_NUMBER: ("personal",),
    PhoneNumberType.PAGER: ("pager",),
    PhoneNumberType.UAN: ("uan",),
}
"""As the settings call them; what is not here is `other`."""
_SATELLITE: Final = frozenset({870, 881, 882, 883})
"""Country codes of satellite and global networks (ITU-T E.164 list): the dearest calls there are."""
_NOWHERE: Final = "001"
"""libphonenumber's region of numbers that belong to no country."""
_WHY: Final = {
    ValidationResult.TOO_SHORT: "it is too short",
    ValidationResult.TOO_LONG: "it is too long",
    ValidationResult.INVALID_COUNTRY_CODE: "there is no such country code",
    ValidationResult.INVALID_LENGTH: "no number there has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
}


def dialled(text: str, country: str, *provider_codes: str, help: Collection[str] = ()) -> Dialled:
    """What `text` means when dialled in `country` (ISO 3166-1). `provider_codes` pass as they are; `help`:
    numbers that call for help beside those of the country."""
    digits = _EYE_CANDY.sub("", text)
    if not digits:
        return Dialled("invalid", "", text, "Nothing was dialled.")
    if not _DIALABLE.fullmatch(digits):
        return Dialled(
            "invalid", "", text, f"{text} cannot be dialled: only digits, *, # and a leading + can."
        )
    if digits in help or is_emergency(digits, country):
        return Dialled("emergency", digits, digits, f"{digits} is an emergency number.", country)
    if digits in provider_codes or "*" in digits or "#" in digits:
        return _service(digits)
    found = _best(_readings(digits, country))
    short = len(digits) <= _LONGEST_SERVICE and not digits.startswith("+")
    if short and (found is None or not phonenumbers.is_valid_number(found)):
        return _service(digits)
    if found is None:
        return Dialled("invalid", "", digits, f"{digits} cannot be dialled: {_why_not(digits, country)}.")
    return _international(found)


def weigh(digits: str, country: str, *provider_codes: str, help: Collection[str] = ()) -> Weight:
    """What `digits`, keyed so far in `country`, are: whoever collects them knows whether to wait."""
    if digits in help or is_emergency(digits, country):
        return "emergency"
    if not digits or len(digits) < 3:
        return "more"
    if not digits.isdigit() or digits in provider_codes:
        return "may"  # codes with * and # are anybody's; their end is a pause
    if _best(_readings(digits, country)) is not None:
        return "whole" if _nothing_follows(digits, country) else "may"
    if not digits.startswith("0") and len(digits) <= _LONGEST_SERVICE:
        known = shortnumberinfo.is_valid_short_number_for_region(_short(digits, country), country)
        return "may" if known else "more"
    if _no_such_code(digits, country) or _nothing_follows(digits, country):
        return "never"
    return "more"


def _nothing_follows(digits: str, country: str) -> bool:
    """True when every way to read one more digit is too long."""
    longer = [number for number, trusted in _readings(digits + "0", country) if trusted]
    reasons = {phonenumbers.is_possible_number_with_reason(number) for number in longer}
    return reasons == {ValidationResult.TOO_LONG} or (not reasons and len(digits) > _LONGEST_NUMBER)


def _no_such_code(digits: str, country: str) -> bool:
    """True when `digits` begin as an international call to nowhere (country codes have three at most)."""
    prefix = next((p for p in _PREFIXES if digits.startswith(p)), None)
    if prefix is None or len(digits) < len(prefix) + 4:
        return False
    if list(_readings(digits, country)):
        return False
    try:
        phonenumbers.parse("+" + digits.removeprefix(prefix), None)
    except NumberParseException as error:  # +3531 is only too short yet
        return error.error_type == NumberParseException.INVALID_COUNTRY_CODE
    return False


def _short(digits: str, country: str) -> PhoneNumber:
    code = phonenumbers.country_code_for_region(country) or 0
    return PhoneNumber(
        country_code=code,
        national_number=int(digits),
        italian_leading_zero=digits.startswith("0") or None,
        number_of_leading_zeros=len(digits) - len(digits.lstrip("0")) or None,
    )


def is_emergency(digits: str, country: str) -> bool:
    """True when `digits`, and nothing but digits, call for help in `country`."""
    if not (digits.isascii() and digits.isdigit()):
        return False  # libphonenumber would overlook what stands beside the digits
    if country not in phonenumbers.SUPPORTED_SHORT_REGIONS:
        return digits in _EVERYWHERE
    return bool(shortnumberinfo.is_emergency_number(digits, country))


def kinds(dialled: Dialled, country: str) -> tuple[str, tuple[str, ...]]:
    """(region, kinds) of what was dialled, for the calling rules: the ISO 3166-1 code of where it leads,
    empty for nowhere; and what it is, in the words of the settings. An unknown range is of its code's main
    country, and `other`."""
    if dialled.kind == "service":
        return "", (_service_kind(dialled.digits, country),)
    number = _parse("+" + dialled.digits, None)
    if dialled.kind != "international" or number is None:
        return "", ("other",)
    if number.country_code in _SATELLITE:
        return "", ("satellite",)
    code = number.country_code or 0
    region = dialled.region or phonenumbers.region_code_for_country_code(code) or ""
    return "" if region == _NOWHERE else region, _KINDS.get(phonenumbers.number_type(number), ("other",))


def _service_kind(digits: str, country: str) -> str:
    if digits.isdigit() and country in phonenumbers.SUPPORTED_SHORT_REGIONS:
        cost = shortnumberinfo.expected_cost_for_region(_short(digits, country), country)
        if cost == shortnumberinfo.ShortNumberCost.TOLL_FREE:
            return "toll_free"
        if cost == shortnumberinfo.ShortNumberCost.PREMIUM_RATE:
            return "premium"
    return "short"


def _service(digits: str) -> Dialled:
    return Dialled("service", digits, digits, f"{digits} is a service number and is dialled as it is.")


def _international(number: PhoneNumber) -> Dialled:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    shown = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    region = phonenumbers.region_code_for_number(number) or ""
    words = f"{shown} is dialled as {e164[1:]}."
    if not phonenumbers.is_valid_number(number):
        words += " Its range is not known here; it is dialled all the same."
    return Dialled("international", e164[1:], shown, words, region)


def _readings(digits: str, country: str) -> Iterable[tuple[PhoneNumber, bool]]:
    """Every way to read `digits`, the likeliest first, and whether it may be taken without a known range."""
    national = _parse(digits, country)
    if national:
        yield national, True
    for prefix in _PREFIXES:
        if digits.startswith(prefix) and (number := _parse("+" + digits.removeprefix(prefix), None)):
            yield number, True
    if digits[0] not in "+0" and (number := _parse("+" + digits, None)):
        yield number, False


def _best(readings: Iterable[tuple[PhoneNumber, bool]]) -> PhoneNumber | None:
    """The first reading in a known range; else the first whose length at least is right."""
    known = list(readings)
    for number, _ in known:
        if phonenumbers.is_valid_number(number):
            return number
    return next((number for number, trusted in known if trusted and _plausible(number)), None)


def _plausible(number: PhoneNumber) -> bool:
    """True when its length is right. One that kept its leading zero had a national prefix too many."""
    right = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return right and not number.italian_leading_zero


def _why_not(digits: str, country: str) -> str:
    prefix = next((p for p in _PREFIXES if digits.startswith(p)), None)
    try:
        number = phonenumbers.parse(
            "+" + digits.removeprefix(prefix) if prefix else digits, None if prefix else country
        )
    except NumberParseException as error:
        bad_code = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return "there is no such country code" if bad_code and prefix else "it is no telephone number"
    reason = phonenumbers.is_possible_number_with_reason(number)
    return _WHY.get(reason, "no number is known that begins like this")


@lru_cache(maxsize=256)
def _parse(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None
