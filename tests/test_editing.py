"""One thing is changed, and every other character stays; what cannot be changed is refused in words."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import editing, schema, tomltext
from gateway.errors import RefusedError, SettingsError
from gateway.places import outline
from tests import settings_texts

EXAMPLE = (Path(__file__).parent / "example.toml").read_text()


def change(old: str, new: str) -> tuple[str, str]:
    """The lines that went, and those that came."""
    lines = list(difflib.ndiff(old.splitlines(keepends=True), new.splitlines(keepends=True)))
    return (
        "".join(line[2:] for line in lines if line.startswith("- ")),
        "".join(line[2:] for line in lines if line.startswith("+ ")),
    )


SET = [
    ("uplinks.main.metered", True, "", "metered = true\n"),
    ("uplinks.0.device", "eth9", 'device = "wan0"\n', 'device = "eth9"\n'),
    ("uplinks.backup1.addresses", ["192.168.20.3/24"], None, 'addresses = ["192.168.20.3/24"]\n'),
    ("uplinks.main.addresses.0", "203.0.113.2/29", None, 'addresses = ["203.0.113.2/29"]\n'),
    ("trunk.port", 5061, "", "port = 5061\n"),
    ("appliance.language", "de", "", 'language = "de"\n'),
    ("incoming.registration.expires_s", 120, "", "expires_s = 120\n"),
    ('incoming.rules."".ring', "in_order", "", 'ring = "in_order"\n'),
    ("phones.desk.label", 'Ann\'s "desk"', "", 'label = "Ann\'s \\"desk\\""\n'),
    ("lan.devices", ["lan0"], "", '\n[lan]\ndevices = ["lan0"]\n'),
    ("calling.pin", "2718", "", '\n[calling]\npin = "2718"\n'),
    ("dialling.codes.redial", "*86", "", '\n[dialling.codes]\nredial = "*86"\n'),
    ("watching.failback_after_s", 5.0, "", "\n[watching]\nfailback_after_s = 5.0\n"),
    ("emergency.address", "1 Street\nTown", "", '\n[emergency]\naddress = """\n1 Street\nTown"""\n'),
]


@pytest.mark.parametrize(("path", "value", "went", "came"), SET, ids=[path for path, *_ in SET])
def test_set(path: str, value: object, went: str | None, came: str) -> None:
    new = editing.set_value(EXAMPLE, path, value)
    lost, gained = change(EXAMPLE, new)
    assert gained == came and (went is None or lost == went)
    schema.parse(new, "new")
    assert editing.set_value(new, path, value) == new


STYLES = [
    ('trunk = { server = "a" }\n', "trunk.port", 1, 'trunk = { server = "a", port = 1 }\n'),
    ("trunk = {}\n", "trunk.port", 1, "trunk = { port = 1 }\n"),
    ('trunk.server = "a" # x\n[lan]\n', "trunk.port", 1, 'trunk.server = "a" # x\ntrunk.port = 1\n[lan]\n'),
    ("[lan] # x\n[ports]\n", "lan.devices", [], "[lan] # x\ndevices = []\n[ports]\n"),
    ("[lan]", "lan.devices", [], "[lan]\ndevices = []"),
    ("[a.b]\nx = 1\n", "a.y", 2, "[a.b]\nx = 1\n\n[a]\ny = 2\n"),
    (
        "[[uplinks]]\n\tname = 'm' # x\n",
        "uplinks.m.metered",
        True,
        "[[uplinks]]\n\tname = 'm' # x\n\tmetered = true\n",
    ),
    (
        "uplinks = [\n  { name = 'm' }, # x\n]\n",
        "uplinks.m.x",
        1,
        "uplinks = [\n  { name = 'm', x = 1 }, # x\n]\n",
    ),
    ("[a]\r\nx = 1 # y\r\n\r\n[b]\r\n", "a.z", 2, "[a]\r\nx = 1 # y\r\nz = 2\r\n\r\n[b]\r\n"),
    ("x = 1\r\n", "b.z", 2, "x = 1\r\n\r\n[b]\r\nz = 2\r\n"),
    ("", "b.z", 2, "\n[b]\nz = 2\n"),
    ("[b]\n", "z", 2, "z = 2\n[b]\n"),
    ('a = """\n#"""  # c\n', "a", "x", 'a = "x"  # c\n'),
    ("a = 0x1F\n", "a", 31, "a = 31\n"),
    ('[a]\n"x y".z = 1\n', 'a."x y".w', 2, '[a]\n"x y".z = 1\n"x y".w = 2\n'),
    ("a = nan\nb = 1\n", "b", 2, "a = nan\nb = 2\n"),
    (
        "[[a]]\nname = 'n'\n[[a.b]]\nname='o'\n",
        "a.n.b.o.c",
        1,
        "[[a]]\nname = 'n'\n[[a.b]]\nname='o'\nc = 1\n",
    ),
    ("[[a]]\nname = 'n'\n", "a.n.b.c", 1, "[[a]]\nname = 'n'\nb.c = 1\n"),
]


@pytest.mark.parametrize(("text", "path", "value", "wanted"), STYLES)
def test_set_in_any_style(text: str, path: str, value: object, wanted: str) -> None:
    head = head_for(text)
    assert editing.set_value(head + text, path, value) == head + wanted


def head_for(text: str) -> str:
    return "schema = 2" + ("\r\n" if "\r\n" in text else "\n")


UNSET = [
    ("uplinks.main.resolvers", 'resolvers = ["203.0.113.53"]\n'),
    (
        "trunk.asterisk",
        (
            'asterisk = """\nexten => _4420XXXXXXX,1,Set(CALLERID(num)=442012345678)\n'
            'same => n,Dial(SIP/provider/${EXTEN})\n"""\n'
        ),
    ),
    ("incoming.registration", '[incoming.registration]\nlogin = "free1001"\npassword = "free-secret"\n\n'),
    ("phones.desk", '[[phones]]\nname = "desk"\nkind = "virtual"\n'),
    ("phones", '[[phones]]\nname = "desk"\nkind = "virtual"\n'),
]


@pytest.mark.parametrize(("path", "went"), UNSET, ids=[path for path, _ in UNSET])
def test_unset(path: str, went: str) -> None:
    lost, gained = change(EXAMPLE, editing.unset(EXAMPLE, path))
    assert (lost, gained) == (went, "")


CUT = [
    ("a = [1, 2, 3]\n", "a.0", "a = [2, 3]\n"),
    ("a = [1, 2, 3]\n", "a.1", "a = [1, 3]\n"),
    ("a = [1, 2, 3]\n", "a.2", "a = [1, 2]\n"),
    ("a = [1]\n", "a.0", "a = []\n"),
    ("a = [\n  1, # one\n  2,\n]\n", "a.1", "a = [\n  1, # one\n]\n"),
    ("a = [\n  1, # one\n  2\n]\n", "a.1", "a = [\n  1, # one\n]\n"),
    ("a = { x = 1, y = 2 }\n", "a.x", "a = { y = 2 }\n"),
    ("a = { x = 1, y = 2 }\n", "a.y", "a = { x = 1 }\n"),
    ("a = { x = 1 }\n", "a.x", "a = {  }\n"),
    ("[a]\nx.y = 1\nx.z = 2\nw = 3\n", "a.x", "[a]\nw = 3\n"),
    ("[a]\nx = 1 # c\n# d\n\n# e\n[b]\n", "a", "\n# e\n[b]\n"),
    ("[a]\nx = 1\n# about b\n[b]\n", "a", "# about b\n[b]\n"),
    ("[a.b]\nx = 1\n[c]\n[a.d]\n", "a", "[c]\n"),
    ("x = 1\r\ny = 2\r\n", "x", "y = 2\r\n"),
]


@pytest.mark.parametrize(("text", "path", "wanted"), CUT)
def test_unset_in_any_style(text: str, path: str, wanted: str) -> None:
    assert editing.unset(head_for(text) + text, path) == head_for(text) + wanted


ADD = [
    ("a = [1]\n", "a", 2, "a = [1, 2]\n"),
    ("a = [1, ]\n", "a", 2, "a = [1, 2 ]\n"),
    ("a = []\n", "a", 2, "a = [2]\n"),
    ("a = [\n  1, # one\n]\n", "a", 2, "a = [\n  1, # one\n  2,\n]\n"),
    ("a = [\n  1 # one, or so\n]\n", "a", 2, "a = [\n  1, # one, or so\n  2\n]\n"),
    ("[a]\n", "a.b", 2, "[a]\nb = [2]\n"),
    ("[[a]]\nx = 1\n# y = 2\n\n[b]\n", "a", {"x": 3}, "[[a]]\nx = 1\n# y = 2\n\n[[a]]\nx = 3\n\n[b]\n"),
    ("[[a]]\nx = 1", "a", {"x": 3}, "[[a]]\nx = 1\n\n[[a]]\nx = 3"),
    ("[b]\n", "a.c", {"x": 3}, "[b]\n\n[[a.c]]\nx = 3\n"),
    ("a = [{ x = 1 }]\n", "a", {"x": 3}, "a = [{ x = 1 }, { x = 3 }]\n"),
    ("[[a]]\r\nx = 1\r\n", "a", {"x": 3}, "[[a]]\r\nx = 1\r\n\r\n[[a]]\r\nx = 3\r\n"),
]


@pytest.mark.parametrize(("text", "path", "value", "wanted"), ADD)
def test_add_in_any_style(text: str, path: str, value: object, wanted: str) -> None:
    assert editing.add(head_for(text) + text, path, value) == head_for(text) + wanted


MOVE = [
    ("a = [1, 2, 3] # x\n", "a.2", 0, "a = [3, 1, 2] # x\n"),
    (
        "# all\n[[a]]\nname = 'p'\n\n[[a]]\nname = 'q'\n",
        "a.q",
        0,
        "# all\n[[a]]\nname = 'q'\n\n[[a]]\nname = 'p'\n",
    ),
    (
        "# the p\n[[a]]\nname = 'p'\n\n# the q\n[[a]]\nname = 'q'",
        "a.p",
        1,
        "# the q\n[[a]]\nname = 'q'\n\n# the p\n[[a]]\nname = 'p'\n",
    ),
    (
        "[[a]]\nname = 'p'\n[a.b]\nx = 1\n[c]\n[[a]]\nname = 'q'\n",
        "a.q",
        0,
        "[[a]]\nname = 'q'\n[c]\n[[a]]\nname = 'p'\n[a.b]\nx = 1\n",
    ),
]


@pytest.mark.parametrize(("text", "path", "to", "wanted"), MOVE)
def test_move(text: str, path: str, to: int, wanted: str) -> None:
    assert editing.move(head_for(text) + text, path, to) == head_for(text) + wanted


REFUSED = [
    (
        lambda: editing.set_value(EXAMPLE, "uplinks.backup2.metered", True),
        "no backup2 in uplinks",
        "Write backup1",
    ),
    (lambda: editing.set_value(EXAMPLE, "trunk", 1), "a section stands there", "Name a value"),
    (lambda: editing.set_value(EXAMPLE, "phones", []), "a section stands there", "Name a value"),
    (lambda: editing.set_value(EXAMPLE, "trunk.server.x", 1), "nothing is below it", "Shorten"),
    (lambda: editing.set_value(EXAMPLE, "trunk.server", None), "cannot be written", "Give text"),
    (lambda: editing.set_value(EXAMPLE, "trunk.server", "\ud800"), "cannot be written", "Give text"),
    (lambda: editing.set_value(EXAMPLE, "", 1), "not a path", "uplinks.main"),
    (lambda: editing.set_value(EXAMPLE, "a..b", 1), "not a path", "uplinks.main"),
    (lambda: editing.unset(EXAMPLE, "trunk.srver"), "no srver in trunk", "Write server"),
    (lambda: editing.unset(EXAMPLE, "lan.devices"), "no lan in settings", "There are schema, appliance"),
    (lambda: editing.unset(EXAMPLE, "uplinks.7"), "no 7 in uplinks", "main, backup1"),
    (lambda: editing.add(EXAMPLE, "trunk.server", "b"), "no list", "Set it"),
    (lambda: editing.move(EXAMPLE, "uplinks.main", 2), "no place 2", "Give 0 to 1"),
    (lambda: editing.move(EXAMPLE, "trunk.server", 0), "no item of a list", "uplinks.backup1"),
]


@pytest.mark.parametrize(("ask", "what", "remedy"), REFUSED)
def test_refused(ask: Any, what: str, remedy: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ask()
    assert what in caught.value.what and remedy in caught.value.remedy


def test_a_text_that_is_no_toml() -> None:
    with pytest.raises(SettingsError):
        editing.set_value("[", "a", 1)


def test_an_older_file_is_rewritten_first() -> None:
    old = (Path(__file__).parent / "schemas" / "v1.toml").read_text()
    new = editing.set_value(old, "incoming.registration.login", "77")
    assert 'login = "77"' in new and "schema = 2" in new and "# The free login." in new


WORDS = [
    ("uplinks.main.metered", "true", True),
    ("trunk.port", "5061", 5061),
    ("trunk.default_caller_id", "442037691880", "442037691880"),
    ("trunk.login", "4444", "4444"),
    ("trunk.caller_ids", '["442037691880"]', ["442037691880"]),
    ("phones.hall.extension", "21", "21"),
    ("phones.hall.port", "2", 2),
    ("phones.desk.label", "true", "true"),
    ("trunk.server", "sip.example.com", "sip.example.com"),
    ("trunk.server", '"sip.example.com"', "sip.example.com"),
    ("watching.failback_after_s", "5.0", 5.0),
    ("updates.window", "02:00:00", "02:00:00"),
    ("emergency.extra_numbers", '["555"]', ["555"]),
    ("uplinks.main.addresses", "203.0.113.2/30", "203.0.113.2/30"),
    ("x", "1\ny = 2", "1\ny = 2"),
]


@pytest.mark.parametrize(("path", "word", "value"), WORDS)
def test_words_of_a_command_line(path: str, word: str, value: object) -> None:
    read = editing.value(word, path)
    assert read == value and type(read) is type(value)


# --- Asterisk -------------------------------------------------------------------------------------

EXTENSIONS = """\
[general]
static = yes

[office]
exten => _4420XXXXXXX,1,Set(CALLERID(num)=442012345678)
same => n,Dial(SIP/zadarma/${EXTEN})
exten => _49.,1,Set(CALLERID(num)=+443069990100)
exten => _9[,1,Set(CALLERID(num)=442012345678)
exten => _33X.,1,Set(CALLERID(num)=020)
exten => 100,1,Playback(hello-world)
"""


def test_extensions_are_imported_as_they_stand() -> None:
    text = editing.unset(EXAMPLE, "trunk.asterisk")
    done = editing.import_extensions(text, EXTENSIONS)
    read = schema.parse(done.text, "x")
    assert [(r.pattern, r.caller_id) for r in read.trunk.caller_id_rules] == [
        ("_4420XXXXXXX", "442012345678"),
        ("_49.", "443069990100"),
    ]
    assert [line.line for line in done.ignored] == [2, 8, 9, 10]
    assert all(line.text and line.why for line in done.ignored)
    assert change(text, done.text)[0] == ""
    again = editing.import_extensions(done.text, EXTENSIONS)
    assert again.text == done.text and again.rules == () and len(again.ignored) == 4


def test_what_the_settings_say_already_stays() -> None:
    done = editing.import_extensions(EXAMPLE, "exten => _4420XXXXXXX,1,Set(CALLERID(num)=12025550100)")
    assert done.text == EXAMPLE and not done.rules
    assert "442012345678" in done.ignored[0].why


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([*EXTENSIONS.splitlines(), ";--", "--;", "exten =>"])).map("\n".join)
)
def test_any_extensions(text: str) -> None:
    """Every line is a rule, or listed, or carries nothing; and the settings stay sound TOML."""
    done = editing.import_extensions(EXAMPLE, text)
    tomllib.loads(done.text)
    assert all(re.fullmatch("[1-9][0-9]{6,14}", rule.caller_id) for rule in done.rules)


# --- properties -----------------------------------------------------------------------------------

_values = st.sampled_from(["x", "a\nb", '"""', "\\", "é", 5, True, 1.5, ["p", "q"], []])


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts(), _values, st.data())
def test_a_value_that_is_set_changes_its_own_characters_alone(
    text: str, value: object, data: st.DataObject
) -> None:
    found = outline(text)
    spans = {pair.place: (pair.value_start, pair.value_end) for pair in found.pairs}
    spans |= {item.place: (item.start, item.end) for item in found.items}
    place = data.draw(st.sampled_from(sorted(spans, key=str)))
    start, end = spans[place]
    try:
        new = editing.set_value(text, tomltext.path(place), value)
    except RefusedError as error:
        assert text[start] in "[{" and "section" in error.what
        return
    assert new.startswith(text[:start]) and new.endswith(text[end:])


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts(), _values, st.data())
def test_a_value_that_is_new_is_one_piece_more(text: str, value: object, data: st.DataObject) -> None:
    above = data.draw(
        st.sampled_from(["", "trunk.", "uplinks.0.", "phones.0.", "calling.", "web.", "dialling.codes."])
    )
    new = editing.set_value(text, f"{above}fresh", value)
    start = next((n for n, (a, b) in enumerate(zip(text, new, strict=False)) if a != b), len(text))
    assert new.endswith(text[start:]) and len(new) > len(text)


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts(), st.data())
def test_what_goes_takes_nothing_else_with_it(text: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_paths(tomllib.loads(text))))
    new = editing.unset(text, tomltext.path(path))
    rest = iter(text)
    assert all(char in rest for char in new), "characters came that were not there"
    # What the remaining sections say of themselves is all there still.
    headers = [text[h.start : h.end] for h in outline(text).headers]
    left = [new[h.start : h.end] for h in outline(new).headers]
    gone = [h for h in headers if h not in left]
    assert all(path[0] in h for h in gone)


def _paths(raw: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path] if path else []
    items = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, str(key)))
    return found


@settings(max_examples=100, deadline=None)
@given(settings_texts.v2_texts(), st.data())
def test_items_come_and_move(text: str, data: st.DataObject) -> None:
    phone = {"name": "fresh", "kind": "virtual"}
    more = editing.add(text, "phones", phone)
    phones = tomllib.loads(text)["phones"]
    assert tomllib.loads(more)["phones"] == [*phones, phone]
    first = editing.move(more, "phones.fresh", 0)
    assert tomllib.loads(first)["phones"] == [phone, *phones]
    assert sorted(re.findall(r"#[^\r\n]*", first)) == sorted(re.findall(r"#[^\r\n]*", text))
