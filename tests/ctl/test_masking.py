"""No secret leaves in any text, and no whole telephone number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ctl.masking import mask

SECRETS = {
    'password = "{}"': "a value of TOML",
    "registration.password = '{}'": "in single quotes",
    '"passphrase": "{}"': "JSON",
    "web_password: {}": "YAML",
    "exten => 1,1,Set(SECRET={})": "a dial plan",
    "pin = 1234{}": "a PIN",
    "calling.pin: {}": "a PIN of a section",
    'api_key="{}"': "a key",
    'Authorization: Digest username="x", response="{}"': "SIP credentials",
    'Proxy-Authorization: Digest nonce="{}"': "SIP credentials of a proxy",
    'WWW-Authenticate: x, response="{}"': "a response",
    "Bearer {}": "a bearer token",
    "https://user:{}@hooks.example.com/x": "a URL",
    "smtps://:{}@mail.example.com": "a URL without a user",
    "AGE-SECRET-KEY-1{}": "an age identity",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----": "a PEM block",
    "-----BEGIN EC PRIVATE KEY-----\n{}": "the beginning of a PEM block",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}": "an SRTP key",
    "Cookie: session={}; x=y": "a cookie",
    "Set-Cookie: session={}": "a cookie that is set",
    "scrypt:32768:8:1$salt${}": "a hash of a password",
    "root:$6$salt${}:19000": "crypt(5)",
    'tokens = ["{}", "other"]': "a list",
    'secret = """\n{}\nof two lines"""': "several lines",
}


@pytest.mark.parametrize("text", SECRETS, ids=SECRETS.values())
def test_secrets_by_their_words_and_shapes(text: str) -> None:
    planted = "Zx8Kq2Lm9Wp4"
    masked = mask(f"before\n{text.format(planted)}\nafter\n")
    assert planted not in masked and "(masked)" in masked and masked.startswith("before\n")


def test_what_is_no_secret_stays() -> None:
    text = (
        'password = "(kept)"\nspinning = 3\npins = [17, 27]\npin_factory = "gpiod"\nping: 12 ms\n'
        "2026-11-23T10:00:00.123456+0000 box gateway[1234]: Calls leave by backup1 (198.51.100.20).\n"
        "fe80::1234:5678 00:11:22:33:44:55 at 1700000000.25 rtt_ms 41.4\nhttps://example.com/a:b\n"
        "Calls to 112 and 8888\n"
    )
    assert mask(text) == text


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("442079460001", "44207946****"),
        ("+442079460001", "+44207946****"),
        ("sip:442079460001@sip.example.com", "sip:44207946****@sip.example.com"),
        ("desk-442079460001.wav", "desk-44207946****.wav"),
        ("+44 20 7946 0001", "+44 20 7946 ****"),
        ("+44 (20) 7946-0001.", "+44 (20) 7946-****."),
        ("02079460001", "0207946****"),
        ("1234567", "123****"),
        ("_4420XXXXXXXX", "_4420XXXXXXXX"),
        ("123456", "123456"),
    ],
)
def test_numbers_lose_their_last_four_digits(number: str, masked: str) -> None:
    assert mask(number) == masked and mask(f"to {number} ended") == f"to {masked} ended"
    assert mask(number, numbers=False) == number


@given(st.text(max_size=300))
def test_any_text_is_masked_once_and_for_all(text: str) -> None:
    once = mask(text)
    assert mask(once) == once
