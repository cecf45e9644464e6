"""Report descriptors of telephones, item by item. Where a name of a product stands, the items are those that
its owners have published; vendor pages that say nothing of telephony are left out.
"""

from typing import Final


def _hex(text: str) -> bytes:
    """Hex digits with comments after `;`."""
    return bytes.fromhex("".join(line.partition(";")[0] for line in text.splitlines()))


HANDSET: Final = _hex(
    """
    050b 0904 a101            ; Telephony, Handset
    8501 1500 2501 7501       ; report 1, bits
    9501 0920 8122            ; hook
    9501 0997 8122            ; line busy
    9504 092f 0921 0924 0950 8106  ; mute, flash, redial, speed dial: relative
    9502 8103
    0906 a102 19b0 29bf 1500 250f 7505 9501 8140 7503 8103 c0  ; the key that is down, of 16
    8502 0508 1500 2501 7501 9506 0917 0918 0909 0920 0921 0919 9122  ; its lamps
    050b 9501 099e 9122 9501 9103 c0   ; ringer
    050c 0901 a101 8503 1500 2501 7501 9502 09e9 09ea 8102 9506 8103 c0  ; volume
    """
)
"""A handset with everything: report 1 is hook, busy, mute, flash, redial, speed dial; then the key or 31."""

HOOK_ONLY: Final = _hex(
    "050b 0905 a101 1500 2501 7501 9501 0920 8102 9507 8103 0508 0917 9501 9102 9507 9103 c0"
)
"""A headset with one button and one lamp, and no numbers before its reports."""

HOOK_KEY: Final = _hex("050b 0905 a101 1500 2501 7501 9502 0920 092f 8106 9506 8103 c0")
"""A headset that only says that its button is pressed."""

DELL_SP325: Final = _hex(
    """
    050c 0901 a101 850c 1500 2501 09e9 09ea 09e2 09cd 09b5 09b6 09b0 09b1 7501 9508 8102 c0
    050b 0905 a101 1500 2501 7501 8505
    0920 9501 8122 092f 9501 8106                       ; hook, mute
    0924 0921 0997 092a 0950 9505 8106                  ; redial, flash, busy, line, speed dial
    0907 0509 0907 9501 7501 8102                       ; button 7: reject
    0508 8505 0917 0909 0918 0920 0921 092a 9506 9122 9502 9101 c0
    """
)
"""Dell SP325 413c:8223, a speakerphone of the Teams kind: input and output share the number 5."""

ANKER_POWERCONF: Final = _hex(
    """
    050c 0901 a101 8501 1500 2501 09e9 09ea 09e2 09cd 09b5 09b6 09b3 09b7 7501 9508 8142 c0
    050b 0905 a101 8502 050b 1500 2501 0920 0997 7501 9502 8123     ; hook and busy, called constant
    092f 0921 0970 0950 7501 9504 8107                              ; mute, flash…: constant and relative
    0508 0917 0909 0918 0920 0921 7501 9505 9122 9503 9103 c0
    """
)
"""Anker PowerConf 291a:3301: its keys are called constant, and its microphone is shut without off-hook."""

LOGITECH_MX_BRIO: Final = _hex(
    """
    0600ff 0901 a101 8540 1500 2501 0902 7501 9501 8106 0903 7501 9501 8106 9506 8101 c0
    050b 0905 a101 8508 1500 2501 092f 7501 9501 8106 0920 7501 9501 8122 9506 8101
    0508 8508 0909 7501 9501 9122 050b 092a 7501 9501 9122 9506 9101 c0
    """
)
"""Logitech MX Brio 046d:0944, a camera with a microphone: mute before hook, a mute lamp and no other."""

EVERY_LAMP_ITS_REPORT: Final = _hex(
    """
    050b 0905 a101 8508 1500 2501 7501 9501 0920 8122 9507 8101
    8509 9501 092f 8106 9507 8101
    0508 8517 0917 9501 9122 9507 9101 8518 0918 9501 9122 9507 9101 8520 0909 9501 9122 9507 9101 c0
    """
)
"""As many headsets of the DECT kind have it: each key and each lamp has a report of its own."""

NESTED: Final = _hex(
    "050b 0905 a101 8501 1500 2501 7501 0905 a101 9501 0920 8122 9507 8101 0508 0917 9501 9122 9507 9101 c0c0"
)
"""One application inside another."""

KEYBOARD: Final = _hex(
    """
    0501 0906 a101 0507 19e0 29e7 1500 2501 7501 9508 8102 9501 7508 8101
    9505 7501 0508 1901 2905 9102 9501 7503 9101 9506 7508 1500 2565 0507 1900 2965 8100 c0
    """
)
"""A keyboard, whose lamps are on the page of a telephone's."""

ALL: Final = {
    "handset": HANDSET,
    "hook only": HOOK_ONLY,
    "hook key": HOOK_KEY,
    "Dell SP325": DELL_SP325,
    "Anker PowerConf": ANKER_POWERCONF,
    "Logitech MX Brio": LOGITECH_MX_BRIO,
    "every lamp its report": EVERY_LAMP_ITS_REPORT,
    "nested": NESTED,
}
