"""Law 19 once more, for what leaves the house: no secret in any text, and of a telephone number its last four
digits starred, so that country, area and length can still be read.

Whoever wrote the text should have left secrets out; here they are looked for again, by the words before them
and by their own shape. Addresses stay: without them nothing could be found out.
"""

import re
from typing import Final

from gateway.changes import KEPT

MASK: Final = "(masked)"

_NAME = (
    r"(?:[\w.-]*(?:password|passwd|passphrase|passcode|secret|token|api_?key|private_?key|credential)[\w-]*"
    r"|(?:[\w.-]*[_.-])?pin)"
)
_NAMED = re.compile(
    rf"""(?P<before>(?<![\w.-])["']?{_NAME}["']?\s*(?:=>|=|:)\s*)"""
    r"""(?P<value>\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\[[^\]]*\]|[^\s,;}\]]+)""",
    re.IGNORECASE | re.DOTALL,
)
_SHAPES: Final = (
    # A PEM block, age's identities, the userinfo of a URL.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]+", re.IGNORECASE),
    re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"),
    # HTTP and SIP credentials (RFC 9110 §11, RFC 3261 §22.4), SRTP keys in SDP (RFC 4568 §6.1).
    re.compile(r"(?<=uthorization:)[^\r\n]*", re.IGNORECASE),
    re.compile(r"(?<=\bBearer )\S+|(?<=\bBasic )[A-Za-z0-9+/=]{6,}"),
    re.compile(r"(?<=\binline:)[A-Za-z0-9+/=]+"),
    re.compile(r"""(?<=\bresponse=")[^"]*"""),
    # Cookies, and crypt(5), scrypt and argon2 hashes.
    re.compile(r"(?<=ookie:)[^\r\n]*", re.IGNORECASE),
    re.compile(r"\$(?:[0-9a-z]{1,8}|argon2\w*|scrypt)\$[^\s\"']+|\bscrypt:\d+:\d+:\d+\$[^\s\"']+"),
)
_NUMBER = re.compile(r"(?<![0-9])(\+?[0-9]{3,11})([0-9]{4})(?![0-9]|\.[0-9])")
_SPACED = re.compile(r"\+[0-9]{1,3}[ ().-][0-9 ().-]{5,19}[0-9](?![0-9 ().-]*\*)")


def mask(text: str, *, numbers: bool = True) -> str:
    """The text as it may leave: without secrets and, unless `numbers` is off, telephone numbers starred."""
    for shape in _SHAPES:
        text = shape.sub(MASK, text)
    text = _NAMED.sub(_hide, text)
    if numbers:
        text = _SPACED.sub(lambda found: _star(found[0]), text)
        text = _NUMBER.sub(lambda found: f"{found[1]}****", text)
    return text


def _hide(found: "re.Match[str]") -> str:
    value = found["value"]
    if value.strip("\"'") in ("", KEPT, MASK):
        return found[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found['before']}{quote}{MASK}{quote}"


def _star(number: str) -> str:
    """The last four digits of a number as it is written for people, starred."""
    left, out = 4, []
    for char in reversed(number):
        starred = char.isdigit() and left > 0
        left -= starred
        out.append("*" if starred else char)
    return "".join(reversed(out))
