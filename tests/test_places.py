"""The places found are those that tomllib reads; their lines are those that a person would name."""

import tomllib
from typing import Any

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.places import DEEPEST, Place, places

TEXT = '''\
# a comment with [brackets] and = signs
title = "x = [1]"   # [no.table]

[appliance]
name = "office"
"quoted key" = 1
dotted.deep.key = """
[not.a.table]
not = "a key"
"""

[[uplinks]]
name = 'main'
addresses = [
    # the first
    "203.0.113.2/30", "x",
    [1, 2],
]

[[uplinks]]
name = "backup"
point = { x = 1, y = [2,
  3], "z z" = { deep = true } }

[[uplinks.probes]]
kind = "icmp"
[[uplinks.probes]]
kind = "stun"

[uplinks.extra]
a = 1

[ trunk . registration ]
password = \'\'\'a
]]
\'\'\'
'''

LINES: dict[Place, int] = {
    ("title",): 2,
    ("appliance",): 4,
    ("appliance", "name"): 5,
    ("appliance", "quoted key"): 6,
    ("appliance", "dotted", "deep", "key"): 7,
    ("uplinks",): 12,
    ("uplinks", 0): 12,
    ("uplinks", 0, "name"): 13,
    ("uplinks", 0, "addresses"): 14,
    ("uplinks", 0, "addresses", 0): 16,
    ("uplinks", 0, "addresses", 1): 16,
    ("uplinks", 0, "addresses", 2, 1): 17,
    ("uplinks", 1, "name"): 21,
    ("uplinks", 1, "point", "x"): 22,
    ("uplinks", 1, "point", "y", 1): 23,
    ("uplinks", 1, "point", "z z", "deep"): 23,
    ("uplinks", 1, "probes", 0, "kind"): 26,
    ("uplinks", 1, "probes", 1): 27,
    ("uplinks", 1, "extra", "a"): 31,
    ("trunk",): 33,
    ("trunk", "registration", "password"): 34,
}


def test_lines() -> None:
    tomllib.loads(TEXT)
    found = places(TEXT)
    assert {place: found.get(place) for place in LINES} == LINES


def _paths(value: Any, place: Place = ()) -> set[Place]:
    here = {place} if place else set()
    if len(place) >= DEEPEST:
        return here
    if isinstance(value, dict):
        return here.union(*(_paths(v, (*place, k)) for k, v in value.items()))
    if isinstance(value, list):
        return here.union(*(_paths(v, (*place, n)) for n, v in enumerate(value)))
    return here


def test_every_path_of_the_example() -> None:
    assert set(places(TEXT)) == _paths(tomllib.loads(TEXT))


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\x7f", min_codepoint=9), max_size=8)
_keys = st.text("ab-_ .#=[]\"'é", min_size=1, max_size=4)
_values = st.recursive(
    st.booleans() | st.integers(-99, 99) | _texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_keys, _values, max_size=5))
def test_any_document(document: dict[str, Any]) -> None:
    text = tomlkit.dumps(document)
    found = places(text)
    assert set(found) == _paths(tomllib.loads(text))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
