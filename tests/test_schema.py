"""Good files are read as meant; bad ones are refused with every problem, its exact place, and words."""

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import schema
from gateway.errors import SettingsError
from gateway.schema import Settings

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()


def problems(text: str) -> list[tuple[str, int, str, str]]:
    with pytest.raises(SettingsError) as caught:
        schema.parse(text, "settings.toml")
    return [(p.path, p.line, p.what, p.remedy) for p in caught.value.problems]


def edited(old: str, new: str) -> str:
    assert EXAMPLE.count(old) >= 1, old
    return EXAMPLE.replace(old, new, 1)


def line_of(text: str, piece: str) -> int:
    return next(n for n, line in enumerate(text.split("\n"), 1) if piece in line)


def test_the_example_means_what_it_says() -> None:
    read = schema.parse(EXAMPLE, "example")
    assert [u.name for u in read.uplinks] == ["main", "backup1"]
    assert str(read.uplinks[0].addresses[0]) == "203.0.113.2/30"
    assert str(read.uplinks[1].public_address) == "198.51.100.20"
    assert read.incoming.registration and "free-secret" not in repr(read)
    assert schema.notes(read) == ()


def test_numbers_are_read_as_people_write_them() -> None:
    read = schema.parse(edited('"443069990100"', '"+44 (306) 999-0100"'), "x")
    assert read.trunk.default_caller_id == "443069990100"


def test_lines_without_effect_are_listed() -> None:
    read = schema.parse(edited("same => n,Dial", "exten => _X.,1,Answer()\nsame => n,Dial"), "x")
    assert len(schema.notes(read)) == 1 and "line 2" in schema.notes(read)[0]


# old text, new text, path, a piece of the line that is named, words of what, words of the remedy
FAULTS = [
    ('country = "GB"', 'country = "UK"', "appliance.country", "UK", "is GB", '"GB"'),
    ('country = "GB"', 'country = "Britain"', "appliance.country", "Britain", "two capitals", '"GB"'),
    ('country = "GB"', "country = 44", "appliance.country", "= 44", "text is needed", "quotes"),
    ('country = "GB"\n', "", "appliance.country", "[appliance]", "is missing", 'like country = "GB"'),
    ('name = "main"', 'name = "Main Line"', "uplinks.0.name", "Main Line", "short name", "backup1"),
    ('name = "main"\n', "", "uplinks.0.name", "[[uplinks]]", "is missing", 'name = "main"'),
    ('name = "backup1"', 'name = "main"', "uplinks.1.name", "", "the channel main appears twice", "own name"),
    (
        'device = "wan1"',
        'device = "wan0"',
        "uplinks.1.device",
        "",
        "the device wan0 appears twice",
        "own device",
    ),
    ('device = "wan0"', 'device = "lo"', "uplinks.0.device", '"lo"', "network device", "eth1"),
    (
        'device = "wan0"',
        'device = "a-very-long-device"',
        "uplinks.0.device",
        "a-very",
        "network device",
        "eth1",
    ),
    (
        '["203.0.113.2/30"]',
        '["203.0.113.2"]',
        "uplinks.0.addresses.0",
        '"203.0.113.2"',
        "length of its",
        "/30",
    ),
    ('["203.0.113.2/30"]', '["203.0.113.0/30"]', "uplinks.0.addresses.0", ".0/30", "network itself", "box"),
    ('["203.0.113.2/30"]', '["203.0.113.3/30"]', "uplinks.0.addresses.0", ".3/30", "network itself", "box"),
    ('["203.0.113.2/30"]', '["224.0.0.1/24"]', "uplinks.0.addresses.0", "224.", "multicast", "box"),
    ('["203.0.113.2/30"]', '"203.0.113.2/30"', "uplinks.0.addresses", "addresses", "a list", "brackets"),
    ('["203.0.113.2/30"]', "[1]", "uplinks.0.addresses.0", "[1]", "text is needed", "quotes"),
    ('addresses = ["203.0.113.2/30"]\n', "", "uplinks.0", "[[uplinks]]", "no address", "dhcp = true"),
    ('resolvers = ["203', 'dhcp = true\nresolvers = ["203', "uplinks.0.dhcp", "dhcp", "given too", "Remove"),
    (
        'addresses = ["203.0.113.2/30"]\n',
        'slaac = true\naddresses = ["203.0.113.2/30", "2001:db8::2/64"]\n',
        "uplinks.0.slaac",
        "slaac",
        "IPv6 address is announced by the router, and one is given too",
        "Remove `slaac`",
    ),
    (
        '["203.0.113.1"]',
        '["203.0.113.1", "fe80::1"]\nslaac = true',
        "uplinks.0.slaac",
        "slaac",
        "IPv6 gateway is announced",
        "Remove",
    ),
    (
        'resolvers = ["203',
        'dhcp = "yes"\nresolvers = ["203',
        "uplinks.0.dhcp",
        "dhcp",
        "true or false",
        "quotes",
    ),
    ('["203.0.113.1"]', '["203.0.113.9"]', "uplinks.0.gateways.0", ".9", "not in the network", "Mend"),
    ('["203.0.113.1"]', '["203.0.113.2"]', "uplinks.0.gateways.0", '"203.0.113.2"]', "box itself", "router"),
    ('["203.0.113.1"]', '["2001:db8::1"]', "uplinks.0.gateways.0", "2001", "no IPv6 address", "remove"),
    ('["203.0.113.1"]', '["fe80::1%eth0"]', "uplinks.0.gateways.0", "fe80", "an address is needed", "203"),
    (
        '["203.0.113.1"]',
        '["203.0.113.1", "203.0.113.1"]',
        "uplinks.0.gateways.1",
        "203",
        "second IPv4",
        "one",
    ),
    ('resolvers = ["203', 'resolver = ["203', "uplinks.0.resolver", "resolver =", "not known", "resolvers"),
    (
        'resolvers = ["203',
        'colour = 1\nresolvers = ["203',
        "uplinks.0.colour",
        "colour",
        "not known",
        "Remove",
    ),
    ('"198.51.100.20"', '"10.0.0.1"', "uplinks.1.public_address", "10.0.0.1", "private", "static"),
    ('"198.51.100.20"', '"0.0.0.0"', "uplinks.1.public_address", "0.0.0.0", "no address", "static"),
    ('"sip.provider.test"', '"sip:provider"', "trunk.server", "sip:", "host name", "sip.example.com"),
    ('"sip.provider.test"', '"192.0.2.300"', "trunk.server", "300", "host name", "sip.example.com"),
    (
        'login = "trunk4444"',
        'login = "free1001"',
        "incoming.registration.login",
        "",
        "cannot register",
        "free",
    ),
    ('login = "trunk4444"', 'login = "a b"', "trunk.login", "a b", "SIP login", "123456"),
    ('"443069990100"', '"0306 999 0100"', "trunk.default_caller_id", "0306", "international", "country code"),
    ('"443069990100"', '"12"', "trunk.default_caller_id", '"12"', "international", "country code"),
    ('"443069990100"', "443069990100", "trunk.default_caller_id", "= 4430", "text is needed", "quotes"),
    ('["442012345678"]', '["442012345679"]', "trunk.asterisk", "exten", "not among `caller_ids`", "Connect"),
    ("_4420XXXXXXX", "_4420[XXX", "trunk.asterisk", "exten", "'[' without ']'", "Asterisk"),
    (
        "CALLERID(num)=442012345678",
        "CALLERID(num)=020",
        "trunk.asterisk",
        "exten",
        "international",
        "Asterisk",
    ),
    ('login = "trunk4444"', "port = 0", "trunk.port", "port", "too small", "1 or more"),
    ('login = "trunk4444"', "port = 70000", "trunk.port", "port", "too large", "65535 or less"),
    ('login = "trunk4444"', 'port = "5060"', "trunk.port", "port", "whole number", "without quotes"),
    ('login = "trunk4444"', "port = true", "trunk.port", "port", "whole number", "without quotes"),
    (
        'login = "trunk4444"',
        'transport = "sctp"',
        "trunk.transport",
        "sctp",
        "'udp', 'tcp' or 'tls'",
        "one of",
    ),
    ('login = "trunk4444"', "codecs = []", "trunk.codecs", "codecs", "no codec", "PCMA"),
    ('login = "trunk4444"', 'codecs = ["G729"]', "trunk.codecs.0", "G729", "'PCMA'", "one of"),
    ('login = "trunk4444"', 'networks = ["0.0.0.0/0"]', "trunk.networks.0", "0/0", "most of the", "servers"),
    ('login = "trunk4444"', 'networks = ["192.0.2.1/28"]', "trunk.networks.0", ".1/28", "a network", "/28"),
    (
        'login = "trunk4444"',
        'networks = ["203.0.113.0/24"]',
        "trunk.networks.0",
        "203",
        "address of main",
        "only",
    ),
    (
        'password = "free-secret"',
        'password = ""',
        "incoming.registration.password",
        "password",
        "empty",
        "Fill",
    ),
    (
        'phones = ["desk"]',
        'phones = ["attic"]',
        "incoming.rules.0.phones.0",
        "attic",
        "no phone attic",
        "[[phones]]",
    ),
    ('phones = ["desk"]', "phones = []", "incoming.rules.0.phones", "phones", "empty", "at least 1"),
    ('phones = ["desk"]', 'phones = "desk"', "incoming.rules.0.phones", "phones", "a list", "brackets"),
    (
        'kind = "virtual"',
        'kind = "fax"',
        "phones.0.kind",
        "fax",
        "'virtual', 'usb' or 'analog' is needed",
        "one of",
    ),
    (
        'kind = "virtual"',
        'kind = "virtual"\nplay = "a.wav"',
        "phones.0.play",
        "a.wav",
        "absolute path",
        "/var",
    ),
    ("[[phones]]", "[phones]", "phones", "[phones]", "list of sections", "[[phones]]"),
    ("schema = 2", "schema = 3", "schema", "schema", "knows 2 at most", "Install"),
    ("schema = 2", "", "", "", "", ""),
]


@pytest.mark.parametrize(("old", "new", "path", "piece", "what", "remedy"), FAULTS)
def test_one_fault_one_problem(old: str, new: str, path: str, piece: str, what: str, remedy: str) -> None:
    text = edited(old, new)
    if not path:
        schema.parse(text, "x")
        return
    [(found_path, line, found_what, found_remedy)] = problems(text)
    assert found_path == path
    assert what in found_what and remedy in found_remedy
    if piece:
        lines = [n for n, row in enumerate(text.split("\n"), 1) if piece in row]
        assert line in lines
        assert line >= line_of(text, new.split("\n")[0]) or not new
    assert "free-secret" not in found_what + found_remedy


MORE = [
    ("[ports]\nrtp_first = 20000\nrtp_last = 19000", "ports.rtp_last", 3, "fewer than 20"),
    ("[ports]\nsip = 10500", "ports.sip", 2, "among the RTP ports"),
    ("[watching]\nactive_interval_ms = 5", "watching.active_interval_ms", 2, "too small"),
    ("[watching]\nfailback_after_s = nan", "watching.failback_after_s", 2, ""),
    ('[watching]\nstun_servers = ["stun.test:0"]', "watching.stun_servers.0", 2, "host and port"),
    (
        '[watching]\nhosts = [\n  "192.0.2.1",\n  "www.test",\n]',
        "watching.hosts.1",
        4,
        "an address is needed",
    ),
    ('[lan]\ndevices = ["lan0", "wan1"]', "lan.devices.1", 2, "device of backup1"),
    ("lan = 3", "phones.0.lan", 1, "not known"),
    ('[[incoming.rules]]\nphones = ["desk"]', "incoming.rules.1", 1, "appears twice"),
    ('[[trunk.caller_id_rules]]\npattern = "_4"', "trunk.caller_id_rules.0.caller_id", 1, "is missing"),
    (
        '[[trunk.caller_id_rules]]\npattern = "4X"\ncaller_id = "442012345678"',
        "trunk.caller_id_rules.0.pattern",
        2,
        "begin it with '_'",
    ),
    (
        '[[trunk.caller_id_rules]]\npattern = "_4420XXXXXXX"\ncaller_id = "442012345678"',
        "trunk.asterisk",
        None,
        "same numbers",
    ),
    (
        '[[trunk.caller_id_rules]]\npattern = "_44."\ncaller_id = "12025550100"',
        "trunk.caller_id_rules.0.caller_id",
        3,
        "not among `caller_ids`",
    ),
    ("[updates]\nx = 1", "updates.x", 2, "not known"),
]


@pytest.mark.parametrize(("added", "path", "line", "what"), MORE)
def test_faults_in_what_is_added(added: str, path: str, line: int | None, what: str) -> None:
    [(found_path, found_line, found_what, _)] = problems(EXAMPLE + added + "\n")
    assert found_path == path and what in found_what
    if line is not None:
        assert found_line == EXAMPLE.count("\n") + line


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = (
        edited('country = "GB"', 'country = "x"')
        .replace('gateways = ["203.0.113.1"]', 'gateways = ["203.0.113.77"]')
        .replace('device = "wan1"', 'device = "wan0"')
        .replace('login = "trunk4444"', "port = -1")
        .replace('phones = ["desk"]', 'phones = ["attic"]')
        .replace('kind = "virtual"', 'kind = "fax"')
    )
    found = problems(text)
    assert [p for p, _, _, _ in found] == [
        "appliance.country",
        "uplinks.0.gateways.0",
        "uplinks.1.device",
        "trunk.port",
        "incoming.rules.0.phones.0",
        "phones.0.kind",
    ]
    lines = [line for _, line, _, _ in found]
    assert lines == sorted(lines) and 0 not in lines


def test_a_fault_inside_hides_the_echo_of_the_list_around_it() -> None:
    text = re.sub(r"(?s)\[\[uplinks\]\].*?\[\[uplinks\]\]", "[[uplinks]]", EXAMPLE, count=1)
    [(path, _, _, _)] = problems(text.replace('device = "wan1"', 'device = "/dev/x"'))
    assert path == "uplinks.0.device"


def test_a_phone_with_a_fault_of_its_own_is_not_unknown_too() -> None:
    assert [p for p, _, _, _ in problems(edited('kind = "virtual"', "kind = 1"))] == ["phones.0.kind"]


def test_the_line_inside_a_block_of_dial_plan() -> None:
    bad = edited("same => n,Dial", "exten => _9[,1,Set(CALLERID(num)=442012345678)\nsame => n,Dial")
    [(_, line, what, _)] = problems(bad)
    assert "line 2" in what and line == line_of(bad, "_9[")
    bad = bad.replace('asterisk = """\n', 'asterisk = """')
    [(_, line, _, _)] = problems(bad)
    assert line == line_of(bad, "_9[")


def test_a_section_that_is_missing_is_shown_as_it_is_written() -> None:
    remedies = {path: remedy for path, _, _, remedy in problems("schema = 2\n")}
    assert "[[uplinks]]" in remedies["uplinks"] and remedies["trunk"].endswith("[trunk]")


def test_too_many_channels() -> None:
    more = "".join(f'[[uplinks]]\nname = "u{n}"\ndevice = "e{n}"\ndhcp = true\n' for n in range(7))
    [(path, line, _, remedy)] = problems(EXAMPLE + more)
    assert (path, line) == ("uplinks", line_of(EXAMPLE, "[[uplinks]]")) and "8 at most" in remedy


BROKEN = [
    ("", ["appliance", "uplinks", "trunk"]),
    ("[appliance\n", ["file"]),
    ("a = 1\na = 2", ["file"]),
    ("x = " + "[" * 1900, ["file"]),
    ("\n".join(["x = " + "[\n" * 5000]), ["file"]),
    ("x = " + "9" * 1990, None),
    ("x = " + "9" * 5000, ["file"]),
    ("k" + ".a" * 5000 + " = 1", ["file"]),
    ("x = 1\n" * 200_000, ["file"]),
    ("\ud800 = 1", ["file"]),
    ("\0", ["file"]),
    ("\ufeff" + EXAMPLE, ["file"]),
    (EXAMPLE.replace("\n", "\r"), ["file"]),
]


@pytest.mark.parametrize(("text", "paths"), BROKEN, ids=range(len(BROKEN)))
def test_texts_that_are_no_settings(text: str, paths: list[str] | None) -> None:
    found = problems(text)
    assert all(what and remedy for _, _, what, remedy in found)
    if paths is not None:
        assert [path for path, _, _, _ in found] == paths


def test_toml_errors_name_their_line() -> None:
    [(path, line, what, _)] = problems(edited('server = "sip.provider.test"', "server = sip.provider.test"))
    assert (
        path == "file" and line == line_of(EXAMPLE, "server") and what.startswith("not valid TOML, column 10")
    )


def test_a_hostile_file_costs_bounded_memory() -> None:
    """Many unknown words, as many as a file may hold: listed up to a bound, with bounded memory."""
    text = "".join(f"{n:x}=1\n" for n in range(32_000))
    assert len(text) < schema.MAX_FILE_BYTES
    tracemalloc.start()
    try:
        found = problems(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == schema.MAX_PROBLEMS + 1
    assert peak < 80 << 20


# --- fuzz -----------------------------------------------------------------------------------------

_lines = EXAMPLE.split("\n")
_values = st.sampled_from(
    [
        '""',
        "0",
        "-1",
        "true",
        "[]",
        "{}",
        "1e400",
        "nan",
        '"x"',
        "[[]]",
        '["10.0.0.1/8"]',
        "1979-05-27",
        '"\\u0000"',
        '"' + "9" * 300 + '"',
        "{a = {b = {c = 1}}}",
        '"::/0"',
        "'''\n'''",
        "0x7fffffffffffffffffff",
    ]
)


@st.composite
def _broken_texts(draw: st.DrawFn) -> str:
    """The example with lines lost, doubled, moved, given other values, or cut anywhere."""
    lines = list(_lines)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "move", "value", "noise", "cut"])):
            case "lose":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.append(lines.pop(at))
            case "value":
                lines[at] = lines[at].partition("=")[0] + "= " + draw(_values)
            case "noise":
                lines.insert(at, draw(st.text(max_size=20)))
            case _:
                lines[at] = lines[at][: draw(st.integers(0, 20))]
        if not lines:
            return ""
    return "\n".join(lines)


@settings(max_examples=2000, deadline=None)
@given(_broken_texts() | st.text(max_size=200))
def test_any_text_is_settings_or_refused(text: str) -> None:
    try:
        read = schema.parse(text, "fuzz")
    except SettingsError as error:
        assert error.problems
        count = text.count("\n") + 1
        for problem in error.problems:
            assert all((problem.path, problem.what, problem.remedy))
            assert 0 <= problem.line <= count
            assert "free-secret" not in str(problem)
    else:
        assert isinstance(read, Settings)
