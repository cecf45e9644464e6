"""Each fault of the newer sections: one value of a sound file is changed, and one problem names it."""

from pathlib import Path

import pytest

from gateway import editing, schema
from gateway.errors import Problem, SettingsError

V2 = (Path(__file__).parent / "schemas" / "v2.toml").read_text()


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        schema.parse(text, "settings.toml")
    return caught.value.problems


# the path that is set, its value, words of what is wrong, words of the remedy
FAULTS = [
    ("appliance.language", "eo", "'en', 'de'", "one of"),
    ("appliance.time_zone", "Europe/Atlantis", "no time zone", "Europe/London"),
    ("appliance.time_zone", "../passwd", "no time zone", "Europe/London"),
    ("uplinks.backup.probe_budget_mb", -1, "too small", "0 or more"),
    ("lan.addresses", ["203.0.113.5/29"], "overlaps the network of main", "of its own"),
    ("lan.addresses", ["192.168.50.1"], "length of its network", "/30"),
    ("lan.addresses", ["127.0.0.1/8"], "loopback", "in the office"),
    ("incoming.registration.login", "4444", "names the trunk", "free login"),
    ("incoming.registration.password", "", "is empty", "Fill"),
    ('incoming.rules."442012345678".ring', "none", "'all' or 'in_order'", "one of"),
    ('incoming.rules."442012345678".ring_s', 300, "too large", "180 or less"),
    ("incoming.sources.branch.networks", ["0.0.0.0/1"], "most of the Internet", "these callers"),
    ("incoming.sources.branch.networks", ["203.0.113.0/24"], "address of main lies in", "these callers"),
    ("incoming.sources.branch.networks", [], "is empty", "at least 1"),
    ("phones.hall.label", "a\nb", "one line", "cannot be typed"),
    ("phones.hall.label", "x" * 41, "longer than 40", "Shorten"),
    ("phones.hall.extension", "2", "2 to 6 digits", "21"),
    ("phones.hall.extension", "112", "calls for help", "another"),
    ("phones.hall.extension", "555", "calls for help", "another"),
    ("phones.hall.extension", "8888", "confirms addresses", "another"),
    ("phones.front.extension", "21", "extension 21 appears twice", "its own"),
    ("phones.hall.kind", "fax", "'virtual', 'usb' or 'analog'", "one of"),
    ("phones.hall.port", 9, "too large", "8 or less"),
    ("phones.hall.country", "UK", "is GB", "GB"),
    ("phones.hall.flash_min_ms", 80, "rotary dial breaks for up to 95 ms", 'pulse = "off"'),
    ("phones.hall.flash_max_ms", 90, "no flash is that short", "more than 100"),
    ("phones.hall.ring_hz", 7, "rings so slowly", "15 to 60"),
    ("phones.hall.pulse", "finnish", "'sweden'", "one of"),
    ("phones.hall.microphone_gain_db", 60.0, "too large", "20 or less"),
    ("phones.hall.may_call", "everything", "'rules', 'anything'", "one of"),
    ("phones.front.usb", "1-", "a USB device is needed", "046d:0a44"),
    ("phones.front.usb", "/dev/hidraw0", "a USB device is needed", "any"),
    ("phones.desk.record", "/srv/../etc/x", "without ..", "/var/lib"),
    ("dialling.codes.redial", "66", "begins with * or #", "*66"),
    ("dialling.codes.redial", "*678", "begin alike", "another"),
    ("dialling.codes.redial", "***", "begin alike", "another"),
    ("calling.countries", ["Ireland"], "two capitals", "GB"),
    ("calling.types", ["lunar"], "'fixed'", "one of"),
    ("calling.hours", ["always"], "hours of the week", "mon-fri"),
    ("calling.pin", "12", "PIN of digits", "4 to 12"),
    ("calling.pin", "", "no PIN that it could ask for", "[calling]"),
    ("emergency.extra_numbers", ["0012345678"], "a short number of 2 to 6 digits", "110"),
    ("emergency.notify", ["nobody"], "an e-mail address", "owner@"),
    ("panel.gpiochip", "/dev/gpiochip0", "name of a GPIO chip", "gpiochip0"),
    ("panel.button_pin", 600, "too large", "511"),
    ("panel.lamp", "two", "3 pins, and a lamp of kind two has 2", "one pin"),
    ("panel.lamp_pins", [22, 27, 22], "used already", "its own pin"),
    ("panel.lamp_pins", [22, 27, 17], "used already", "its own pin"),
    ("panel.lamp_pins", [22, 27, 1000], "no line of a GPIO chip", "0 to 511"),
    ("notifications.events", ["weather"], "'switch'", "one of"),
    ("notifications.mail.login", "", "go together", "Give both"),
    ("notifications.mail.password", "", "go together", "Give both"),
    ("notifications.mail.security", "ssl", "'tls', 'starttls' or 'none'", "one of"),
    ("notifications.webhook.url", "http://example.com", "https://", "https://example.com"),
    ("notifications.webhook.secret", "short", "shorter than 16", "longer"),
    ("notifications.syslog.transport", "sctp", "'udp' or 'tcp'", "one of"),
    ("web.http_port", 8443, "HTTPS port too", "different"),
    ("web.private_key", "", "go together", "own"),
    ("web.listen", ["eth0"], "an address is needed", "203"),
    ("web.hosts", ["a b"], "host name", "sip.example.com"),
    ("updates.url", "example.com", "https://", "https://"),
    ("updates.window", "at night", "hours of the week", "mon-fri"),
]


@pytest.mark.parametrize(("path", "value", "what", "remedy"), FAULTS, ids=[f"{f[0]}={f[1]}" for f in FAULTS])
def test_one_fault_one_problem(path: str, value: object, what: str, remedy: str) -> None:
    text = editing.set_value(V2, path, value)
    [problem] = problems(text)
    assert what in problem.what and remedy in problem.remedy
    # What was changed is named, or what it does not fit with; and a line that has to do with it.
    key = path.rpartition(".")[2]
    assert 0 < problem.line <= text.count("\n")
    if problem.path.split(".")[0] == path.split(".")[0] and key in problem.path:
        line = text.split("\n")[problem.line - 1]
        assert key in line or str(value) in line


def test_what_goes_with_what() -> None:
    for path, fault in [
        ("notifications.mail", "emergency.notify"),
        ("lan.devices", "lan.addresses"),
        ("phones.hall", "incoming.rules.1.phones.1"),
    ]:
        [problem] = problems(editing.unset(V2, path))
        assert problem.path == fault


def test_a_second_phone_of_the_same_place() -> None:
    for first, second, what in [
        ('kind = "usb"\n', 'kind = "usb"\n', "USB device any appears twice"),
        ('kind = "analog"\nport = 3\n', 'kind = "analog"\nport = 3\n', "port 3 appears twice"),
    ]:
        text = V2 + f'[[phones]]\nname = "p1"\n{first}\n[[phones]]\nname = "p2"\n{second}'
        [problem] = problems(text)
        assert what in problem.what


def test_a_phone_of_no_kind() -> None:
    [problem] = problems(V2 + '[[phones]]\nname = "p1"\n')
    assert problem.path == "phones.3.kind" and 'kind = "virtual"' in problem.remedy
    [problem] = problems(V2 + '[[phones]]\nname = "p1"\nkind = "usb"\nport = 1\n')
    assert problem.path == "phones.3.port" and "not known" in problem.what
    assert [p.path for p in problems(V2 + '[[phones]]\nname = "p1"\nkind = "analog"\n')] == ["phones.3.port"]


def test_pulse_may_be_off_and_the_flash_short() -> None:
    text = editing.set_value(V2, "phones.hall.flash_min_ms", 60)
    schema.parse(editing.set_value(text, "phones.hall.pulse", "off"), "x")


def test_what_is_left_out_is_safe() -> None:
    """A box that nobody has set up further dials only home, cheaply, and is reached from the office alone."""
    text = V2[: V2.index("[dialling]")]
    text = text.replace('may_call = "pin"\n', "")
    read = schema.parse(text, "x")
    assert read.calling.countries == () and not read.calling.all_countries
    assert set(read.calling.types) == {"fixed", "mobile", "toll_free"}
    assert read.dialling.forward_outside is False
    assert read.updates.url == "" and read.updates.automatic is False
    assert read.web.listen == () and read.notifications.mail is None
    assert read.panel.button_pin is None and read.panel.lamp == "none"
