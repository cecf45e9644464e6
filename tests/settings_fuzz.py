"""Settings files that must be refused, without end: `cases(seed)` gives them, `judge` says how each was.

Every case has a fault by its make, so that whichever is taken is an error of ours:

    python -m tests.settings_fuzz 10000     all of it, with the worst time and the memory it took
"""

import random
import re
import resource
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway import editing, tomltext
from gateway.errors import SettingsError
from gateway.settings import store

SCHEMAS: Final = Path(__file__).parent / "schemas"
BASES: Final = [(SCHEMAS / name).read_text() for name in ("v1.toml", "v2.toml")]
SECRETS: Final = ("v1-secret", "v2-secret", "27182", "v2-mail-secret", "v2-webhook-secret")


@dataclass(frozen=True, slots=True)
class Case:
    """One file. `kind`: how it was made."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended; `trouble` is empty when it was refused as it should be. `took_s`: of CPU."""

    trouble: str
    took_s: float


def cases(seed: int) -> Iterator[Case]:
    """Without end, the same for the same seed."""
    chance = random.Random(seed)
    makers: list[Callable[[random.Random], bytes]] = [*_MAKERS]
    while True:
        maker = chance.choice(makers)
        yield Case(maker.__name__.strip("_"), maker(chance))


def judge(case: Case, file: Path) -> Verdict:
    """Have the file read as the daemon reads it at its start."""
    file.write_bytes(case.data)
    began = time.process_time()
    trouble = ""
    try:
        store.sound(file)
        trouble = "it was taken"
    except SettingsError as error:
        trouble = _unnamed(error, case.data)
    except Exception:  # noqa: BLE001  whatever else comes is what is looked for
        trouble = traceback.format_exc(limit=-3)
    return Verdict(trouble, time.process_time() - began)


def _unnamed(error: SettingsError, data: bytes) -> str:
    lines = data.count(b"\n") + 1
    for problem in error.problems:
        if not (problem.path and problem.what and problem.remedy):
            return f"an error says too little: {problem!r}"
        if not 0 <= problem.line <= lines:
            return f"an error names line {problem.line} of {lines}"
        if not problem.line and problem.path not in ("file", "settings") and "is missing" not in problem.what:
            return f"an error names no line: {problem}"
    if not error.problems:
        return "no problem is named"
    if len(str(error)) > 100_000:
        return "the error is endless"
    return next((f"{secret} is in the error" for secret in SECRETS if secret in str(error)), "")


# --- makers ---------------------------------------------------------------------------------------


def _wrong_type(chance: random.Random) -> bytes:
    """A value of a kind that is never right there."""
    text = chance.choice(BASES)
    place, value = chance.choice(_leaves(tomllib.loads(text)))
    wrong: list[Any] = [[], {"a": 1}, [[1]], 1.5, 10**18, True, "\x00", [True]]
    fitting = [w for w in wrong if not _like(w, value)]
    return editing.set_value(text, tomltext.path(place), chance.choice(fitting)).encode()


def _like(wrong: Any, value: Any) -> bool:
    """May `wrong` be right where `value` is?"""
    if isinstance(value, bool):
        return wrong is True
    if isinstance(value, str):
        return isinstance(wrong, str) and wrong != "\x00"
    if isinstance(value, float):
        return isinstance(wrong, float)
    return isinstance(value, list) and wrong == []


def _out_of_bounds(chance: random.Random) -> bytes:
    """A number that is too small or too large."""
    text = chance.choice(BASES)
    numbers = [
        (place, value)
        for place, value in _leaves(tomllib.loads(text))
        if type(value) in (int, float) and place != ("schema",)
    ]
    place, value = chance.choice(numbers)
    wrong: list[Any] = [-1, -(10**6), 10**7, 2**63, 10**300] if isinstance(value, int) else [-1.0, 1e9, 1e300]
    if isinstance(value, float) and place[-1].endswith("_db"):
        wrong = [-21.0, 1e9]
    return editing.set_value(text, tomltext.path(place), chance.choice(wrong)).encode()


def _unknown_word(chance: random.Random) -> bytes:
    text = chance.choice(BASES)
    sections = [place for place, value in _sections(tomllib.loads(text)) if isinstance(value, dict)]
    word = chance.choice(["x", "names", "__class__", "constructor", "🔥", "a b", "model_config", "name.x"])
    place = chance.choice(sections)
    return editing.set_value(text, tomltext.path((*place, word)), chance.choice([1, "x", [], True])).encode()


def _something_missing(chance: random.Random) -> bytes:
    text = chance.choice(BASES)
    needed = [
        "appliance.country",
        "uplinks.main.name",
        "uplinks.main.device",
        "trunk.server",
        "uplinks",
        "trunk",
    ]
    needed += ["appliance", "trunk.default_caller_id", "phones.desk.name", "phones.desk.kind"]
    return editing.unset(text, chance.choice(needed)).encode()


def _twice(chance: random.Random) -> bytes:
    """A section or a value that stands there twice."""
    text = chance.choice(BASES)
    lines = [line for line in text.split("\n") if re.match(r"\[[a-z]|\w+ = ", line)]
    line = chance.choice(lines)
    return text.replace(line + "\n", f"{line}\n{line}\n", 1).encode()


def _too_many(chance: random.Random) -> bytes:
    text = BASES[1]
    what, most = chance.choice(
        [("uplinks", 8), ("phones", 64), ("incoming.rules", 1000), ("incoming.sources", 32)]
    )
    more = {
        "uplinks": 'name = "u{n}"\ndevice = "e{n}"\ndhcp = true\n',
        "phones": 'name = "p{n}"\nkind = "virtual"\n',
        "incoming.rules": 'number = "44{n:07d}"\nphones = ["desk"]\n',
        "incoming.sources": 'name = "s{n}"\nnetworks = ["198.51.100.8/32"]\n',
    }[what]
    return (
        text + "".join(f"[[{what}]]\n" + more.format(n=n) for n in range(most + chance.randint(0, 3)))
    ).encode()


def _does_not_fit(chance: random.Random) -> bytes:
    """Sound values that do not go together."""
    path, value = chance.choice(
        [
            ("uplinks.main.name", "backup"),
            ("uplinks.main.device", "eth1"),
            ("uplinks.main.gateways", ["192.0.2.1"]),
            ("uplinks.main.dhcp", True),
            ("uplinks.backup.public_address", "10.1.2.3"),
            ("lan.devices", ["eth0"]),
            ("lan.addresses", ["203.0.113.1/24"]),
            ("trunk.networks", ["0.0.0.0/0"]),
            ("trunk.caller_ids", ["12025550100"]),
            ("incoming.registration.login", "4444"),
            ('incoming.rules."".phones', ["attic"]),
            ("phones.hall.extension", "22"),
            ("phones.hall.extension", "112"),
            ("phones.hall.flash_min_ms", 40),
            ("phones.hall.flash_max_ms", 50),
            ("phones.hall.name", "desk"),
            ("phones.front.usb", "anything"),
            ("dialling.codes.redial", "**"),
            ("dialling.codes.redial", "*67"),
            ("panel.lamp", "two"),
            ("panel.lamp_pins", [17, 27, 24]),
            ("notifications.mail.login", ""),
            ("web.private_key", ""),
            ("web.http_port", 8443),
            ("ports.sip", 20500),
            ("ports.rtp_last", 20001),
            ("calling.pin", ""),
            ("updates.window", "25:00-26:00"),
            ("appliance.time_zone", "../../etc/passwd"),
            ("appliance.time_zone", "/etc/passwd"),
            ("phones.desk.record", "../../etc/passwd"),
            ("phones.desk.play", "/srv/../etc/shadow"),
            ("web.certificate", "etc/x"),
            ("notifications.webhook.url", "file:///etc/passwd"),
            ("notifications.webhook.url", "https://user@evil"),
            ("updates.url", "http://example.com"),
            ("panel.gpiochip", "/dev/mem"),
            ("uplinks.main.device", "../x"),
            ("trunk.server", "a b"),
        ]
    )
    return editing.set_value(BASES[1], path, value).encode()


def _wrong_version(chance: random.Random) -> bytes:
    text = chance.choice(BASES)
    word = chance.choice(
        ["0", "-1", "3", "99", "9" * 30, "2.0", '"2"', "true", "[2]", "{}", "1979-05-27", "nan"]
    )
    return re.sub(r"schema = \d", f"schema = {word}", text).encode()


def _bomb(chance: random.Random) -> bytes:
    """Small files that cost much, if one lets them."""
    n = chance.choice([10, 100, 500, 1900, 5000, 100_000])
    many = chance.choice([100, 5000, 50_000])
    bombs = [
        "x = " + "[" * n,
        "x = " + "[" * n + "]" * n,
        "x = " + "{a=" * n + "1" + "}" * n,
        "x = [\n" * min(n, 5000),
        "a" + ".a" * n + " = 1",
        "[a" + ".a" * n + "]",
        "[[a" + ".a" * n + "]]",
        "\n".join("a" + ".a" * 900 + f".b{i} = 1" for i in range(min(n, 300))),
        "x = " + "9" * n,
        "x = 0x" + "f" * n,
        "x = 1e" + "9" * n,
        "x = 1." + "0" * n + "1",
        'x = "' + "\\u0041" * (n // 4) + '"',
        'x = """' + "\\\n" * n + '"""',
        "'" + "a" * n + "' = 1",
        "x = 1\n" * many,
        "".join(f"k{i} = {i}\n" for i in range(many)),
        "".join(f"[t{i}]\n" for i in range(many)),
        "[[a]]\n" * many,
        "[[a]]\n[a.b]\n" * many,
        "#" * n + "\n" + BASES[1] + "\nx = [",
        "\n" * many + "x",
        "x = [" + "1," * many + "]",
        "x = [\n" + "1,\n" * many + "]",
        "x = [" + "{}," * n + "]",
        'appliance = { country = "GB", ' + ", ".join(f"a{i} = 1" for i in range(min(n, 200))) + " }",
        "trunk = { asterisk = '''" + "exten => " + " " * n + "''' }",
        "trunk = { caller_id_rules = [" + "{ pattern = '_" + "[0-9]" * (n // 10) + "' }, ] }",
    ]
    return chance.choice(bombs).encode()


def _odd_characters(chance: random.Random) -> bytes:
    text = chance.choice(BASES)
    data = text.encode()
    at = chance.randrange(len(data))
    match chance.randrange(8):
        case 0:
            return data[:at] + b"\x00" + data[at:]
        case 1:
            return b"\xef\xbb\xbf" + data
        case 2:
            return data[:at] + bytes([chance.randrange(0x80, 0xC0)]) * 2 + data[at:]
        case 3:
            return text.encode("utf-16")
        case 4:
            return data.replace(b"\n", b"\r")
        case 5:
            return data[:at] + b"\xed\xa0\x80" + data[at:]
        case 6:
            return data[:at] + chance.choice([b"\x01", b"\x7f", b"\x1b[31m"]) + data[at:]
        case _:
            return data.replace(b"\n", b"\r\n") + b"\r\nnot_known = 1"


def _noise(chance: random.Random) -> bytes:
    """Characters lost, doubled and swapped, and one fault that stands whatever they did."""
    data = bytearray(chance.choice(BASES).encode())
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                del data[at]
            case 1:
                data.insert(at, chance.randrange(0x20, 0x7F))
            case 2:
                data[at] = chance.randrange(0x20, 0x7F)
            case _:
                end = at + chance.randint(1, 50)
                data[at:at] = data[at:end]
    return bytes(data) + b"\n[not_a_section]\nx = 1\n"


def _cut(chance: random.Random) -> bytes:
    """A file of which the end was lost: what is left does not say who the provider is."""
    text = chance.choice(BASES)
    return text[: chance.randrange(text.index("default_caller_id"))].encode()


def _not_settings(chance: random.Random) -> bytes:
    return chance.choice(
        [
            b"",
            b"\n",
            b"{}",
            b"[]",
            b'{"schema": 2}',
            b"<?xml version='1.0'?>",
            b"PK\x03\x04" + chance.randbytes(200),
            b"age-encryption.org/v1\n" + chance.randbytes(100),
            chance.randbytes(chance.choice([1, 100, 10_000])),
            b"---\nappliance:\n  country: GB\n",
            b"x = 1 " * 300_000,
            b" " * ((1 << 20) + 1),
            b"#" * 2000 + b"\n" + b"#" * 2001,
        ]
    )


_MAKERS: Final = (
    _wrong_type,
    _out_of_bounds,
    _unknown_word,
    _something_missing,
    _twice,
    _too_many,
    _does_not_fit,
    _wrong_version,
    _bomb,
    _odd_characters,
    _noise,
    _cut,
    _not_settings,
)


def _leaves(raw: Any, place: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(raw, dict):
        return [leaf for key, value in raw.items() for leaf in _leaves(value, (*place, key))]
    if isinstance(raw, list) and raw and isinstance(raw[0], dict):
        return [leaf for n, value in enumerate(raw) for leaf in _leaves(value, (*place, str(n)))]
    return [(place, raw)]


def _sections(raw: Any, place: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = [(place, raw)]
    items = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in items:
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            found += _sections(value, (*place, str(key)))
    return found


# --- all of it ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    """`troubles`: what went wrong, each with its case; `grown_mb`: by how much the process grew at most."""

    cases: int
    kinds: Counter[str]
    troubles: tuple[tuple[Case, str], ...]
    worst_s: float
    grown_mb: float


def run(count: int, seed: int = 1) -> Summary:
    """Judge so many cases, one after another in this process."""
    kinds: Counter[str] = Counter()
    troubles: list[tuple[Case, str]] = []
    worst_s = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        for _, case in zip(range(count), cases(seed), strict=False):
            verdict = judge(case, Path(folder) / "settings.toml")
            kinds[case.kind] += 1
            worst_s = max(worst_s, verdict.took_s)
            if verdict.trouble:
                troubles.append((case, verdict.trouble))
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Summary(count, kinds, tuple(troubles), worst_s, grown_mb)


if __name__ == "__main__":
    done = run(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for case, trouble in done.troubles[:20]:
        print(f"--- {case.kind}: {case.data[:200]!r}\n{trouble}")
    print(f"{done.cases} files, {len(done.troubles)} troubles; the worst took {1000 * done.worst_s:.0f} ms")
    print(f"the process grew by {done.grown_mb:.0f} MB at most; {dict(done.kinds)}")
    sys.exit(bool(done.troubles))
