"""Settings of the phones, one class for each kind, and of how they dial."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt

from gateway.fields import (
    Decibels,
    Extension,
    FeatureCode,
    Line,
    MaybeCountry,
    MaybeDigits,
    MaybePath,
    Name,
    Seconds,
    UsbPlace,
)
from gateway.section import Section, said


class _Phone(Section):
    """What every kind of phone has."""

    TITLE: ClassVar = "Phones"
    HELP: ClassVar = "The phones that hang on the box."
    KEY: ClassVar = "name"

    name: Name = said("Name", "How this phone is called in rules.", examples=["desk"])
    label: Line = said("Label", "As people call it, like: Front desk.", "", max_length=40)
    extension: Extension = said(
        "Extension", "2 to 6 digits that your other phones dial to reach it. Empty: it has none.", ""
    )
    hotline: MaybeDigits = said("Hotline", "Dialled by itself when the phone is lifted.", "", examples=["21"])
    hotline_after_s: Seconds = said(
        "Hotline after", "Time to dial something else before it.", 0.0, unit="s", expert=True, ge=0, le=30
    )
    do_not_disturb: StrictBool = said(
        "May refuse to ring", "The phone's do-not-disturb code is taken.", True, expert=True
    )
    may_call: Literal["rules", "anything", "pin", "inside"] = said(
        "May call",
        "Calls for help are never stopped.",
        "rules",
        choices={
            "rules": "what the calling rules allow",
            "anything": "anything; the calling rules do not count for it",
            "pin": "outside only with the PIN",
            "inside": "only the other phones of the box",
        },
    )


class _Sounding(_Phone):
    """A phone with real sound."""

    microphone_gain_db: Decibels = said(
        "Microphone", "Louder or softer towards the far end.", 0.0, unit="dB", ge=-20, le=20
    )
    earpiece_gain_db: Decibels = said("Earpiece", "Louder or softer here.", 0.0, unit="dB", ge=-20, le=20)


class VirtualPhone(_Phone):
    """A phone that plays and records WAV files."""

    HELP: ClassVar = "A phone without hardware: it plays and records WAV files."

    kind: Literal["virtual"] = said("Kind", "", examples=["virtual"])
    play: MaybePath = said("Speaks", "The WAV file that it speaks.", "", examples=["/srv/hello.wav"])
    record: MaybePath = said(
        "Records into",
        "A WAV file; {call} becomes the number of the call.",
        "",
        examples=["/srv/desk-{call}.wav"],
    )
    auto_answer: StrictBool = said("Answers by itself", "", False)


class UsbPhone(_Sounding):
    """A USB phone, headset, or plain sound device."""

    HELP: ClassVar = "A USB phone or headset; without keys it is controlled from the page or gatewayctl."

    kind: Literal["usb"] = said("Kind", "", examples=["usb"])
    usb: UsbPlace = said(
        "Which device",
        "`any`; or the socket it is plugged into, as 1-1.4; or vendor:product, as 046d:0a44, and :SERIAL"
        " where there are two alike.",
        "any",
    )
    keys: Literal["all", "hook", "none"] = said(
        "Its keys",
        "",
        "all",
        expert=True,
        choices={
            "all": "hook, keypad and all else that it has",
            "hook": "only the hook key (a headset)",
            "none": "none: plain sound, controlled from the page",
        },
    )


class AnalogPhone(_Sounding):
    """An analog phone on a port of the board."""

    HELP: ClassVar = "An ordinary phone on one of the sockets of the box."

    kind: Literal["analog"] = said("Kind", "", examples=["analog"])
    port: StrictInt = said("Port", "The socket, as printed on the board.", ge=1, le=8, examples=[1])
    country: MaybeCountry = said(
        "Country of the phone",
        "Tones, ring and caller ID of another country than the box's.",
        "",
        expert=True,
    )
    ring_hz: StrictInt = said(
        "Ring frequency",
        "For a bell that rings weakly: many old ones want 20 or 17, others 25. 0: as the country has it.",
        0,
        unit="Hz",
        expert=True,
        ge=0,
        le=60,
    )
    flash_min_ms: StrictInt = said(
        "Shortest flash",
        "A shorter break is noise or a dialled digit. 0: as the country has it.",
        0,
        unit="ms",
        expert=True,
        ge=0,
        le=1000,
    )
    flash_max_ms: StrictInt = said(
        "Longest flash",
        "A longer break is hanging up. 0: as the country has it.",
        0,
        unit="ms",
        expert=True,
        ge=0,
        le=2000,
    )
    pulse: Literal["normal", "sweden", "new_zealand", "off"] | None = said(
        "Rotary dial",
        "How pulses are counted; none: as the country has it.",
        None,
        expert=True,
        choices={
            "normal": "1 pulse is 1, 10 are 0",
            "sweden": "1 pulse is 0, 10 are 9",
            "new_zealand": "1 pulse is 9, 10 are 0",
            "off": "pulses are not taken",
        },
    )
    caller_id: (
        Literal[
            "off",
            "class",
            "etsi_after_ring",
            "etsi_before_ring",
            "etsi_reversal",
            "dtmf_before_ring",
            "dtmf_after_ring",
        ]
        | None
    ) = said(
        "Caller ID",
        "How the caller's number is sent to the phone; none: as the country has it.",
        None,
        expert=True,
        choices={
            "off": "not at all",
            "class": "Bell 202 after the first ring (North America)",
            "etsi_after_ring": "V.23 after the first ring",
            "etsi_before_ring": "alert tone and V.23 before the first ring",
            "etsi_reversal": "line reversal, alert tone and V.23 before the first ring (United Kingdom)",
            "dtmf_before_ring": "keypad tones before the first ring",
            "dtmf_after_ring": "keypad tones after the first ring",
        },
    )
    reverse_on_answer: StrictBool = said(
        "Reversal at answer",
        "The wires are swapped while a call is answered (coin boxes, PBXs).",
        False,
        expert=True,
    )
    fax: StrictBool = said(
        "Fax or modem", "Echo cancelling and comfort noise are off, and the codec is G.711.", False
    )


Phone = Annotated[VirtualPhone | UsbPhone | AnalogPhone, Field(discriminator="kind")]


class Codes(Section):
    """Star codes."""

    TITLE: ClassVar = "Star codes"
    HELP: ClassVar = "What a phone dials to order something of the box. Empty: there is no such code."

    status: FeatureCode = said("Speak the state", "The box says its address and how it is.", "***")
    redial: FeatureCode = said("Redial", "The last number dialled here.", "*66")
    last_caller: FeatureCode = said("Call back", "Who called here last.", "*69")
    hide_number: FeatureCode = said("Hide the number", "Before a number, for one call.", "*67")
    show_number: FeatureCode = said("Show the number", "Before a number, for one call.", "*82")
    do_not_disturb_on: FeatureCode = said("Do not disturb", "This phone does not ring any more.", "*78")
    do_not_disturb_off: FeatureCode = said("Ring again", "This phone rings again.", "*79")
    call_waiting_off: FeatureCode = said("No call waiting", "Before a number, for one call.", "*70")
    forward: FeatureCode = said("Forward", "Followed by an extension (or a number, where allowed).", "*72")
    forward_off: FeatureCode = said("Stop forwarding", "Calls ring here again.", "*73")
    pick_up: FeatureCode = said("Pick up", "Take a call that rings at another phone.", "*09")
    presence: FeatureCode = said(
        "Say that you are here",
        "Before the digits that the page shows, for what needs somebody at the box.",
        "*55",
    )


class Dialling(Section):
    """How phones dial."""

    TITLE: ClassVar = "Dialling"
    HELP: ClassVar = "How all phones dial."

    first_digit_s: Seconds = said(
        "Wait for the first digit",
        "Then the phone is told to hang up.",
        20.0,
        unit="s",
        expert=True,
        ge=5,
        le=120,
    )
    next_digit_s: Seconds = said(
        "Wait for the next digit",
        "Then what was dialled is sent; # sends it at once.",
        4.0,
        unit="s",
        ge=1,
        le=30,
    )
    stutter_on_backup: StrictBool = said(
        "Dial tone tells of backup", "It stutters while calls leave by a backup channel.", False
    )
    forward_outside: StrictBool = said(
        "Forward to outside", "Phones may forward calls to numbers outside, at your cost.", False
    )
    codes: Codes = said(Codes.TITLE, Codes.HELP, Codes())
