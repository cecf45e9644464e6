"""Messages survive the wire, cut at any byte; anything else is a WireError and nothing worse."""

import contextlib
import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import wire
from gateway.errors import WireError
from gateway.messages import (
    AnyMessage,
    Done,
    Envelope,
    Event,
    IncomingRule,
    Path,
    Paths,
    PhonePlan,
    Registration,
    Server,
    StatusNow,
    TrunkPlan,
)
from gateway.messages import CallerIdRule as Rule
from gateway.status import CallView, PhoneView, Status, UplinkStatus

# Structs are built from their own annotations, so a new message is covered on the day it is added.
_numbers = st.floats(allow_nan=False, allow_infinity=False)
for scalar, strategy in (
    (str, st.text(st.characters(codec="utf-8"), max_size=12)),
    (int, st.integers(-(2**63), 2**64 - 1)),
    (float, _numbers),
):
    st.register_type_strategy(scalar, strategy)
_structs = (
    Path, Server, Rule, Registration, IncomingRule, PhonePlan, CallView, PhoneView, UplinkStatus, Status,
)  # fmt: skip
for struct in (*_structs, *get_args(AnyMessage)):
    st.register_type_strategy(
        struct,
        lambda cls: st.builds(cls, **{f.name: st.from_type(f.type) for f in msgspec.structs.fields(cls)}),
    )
envelopes = st.builds(
    Envelope,
    body=st.one_of([st.from_type(cls) for cls in get_args(AnyMessage)]),
    id=st.integers(0, 2**63),
    re=st.integers(0, 2**63),
)


def test_every_message_has_a_strategy() -> None:
    names = [cls.__name__ for cls in get_args(AnyMessage)]
    assert {"Paths", "TrunkPlan", "ConfirmResult", "Event", "StatusNow"} <= set(names)
    assert len(names) == len(set(names))


@settings(max_examples=300, deadline=None)
@given(envelopes)
def test_there_and_back(envelope: Envelope) -> None:
    line = wire.encode(envelope)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert wire.decode(line) == envelope


@settings(max_examples=60, deadline=None)
@given(st.lists(envelopes, min_size=1, max_size=3), st.data())
def test_split_anywhere(said: list[Envelope], data: st.DataObject) -> None:
    stream = b"".join(map(wire.encode, said))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter = wire.LineSplitter()
    heard = [
        wire.decode(line)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for line in splitter.feed(stream[start:end])
    ]
    assert heard == said


def test_split_at_every_byte() -> None:
    said = [Envelope(body=Event(at=1.0, kind="call", text="Grüße\u2028\n")), Envelope(body=Done(text="é"))]
    stream = b"".join(map(wire.encode, said))
    for cut in range(len(stream) + 1):
        splitter = wire.LineSplitter()
        lines = splitter.feed(stream[:cut]) + splitter.feed(stream[cut:])
        assert [wire.decode(line) for line in lines] == said
    splitter = wire.LineSplitter()
    one_by_one = [line for n in range(len(stream)) for line in splitter.feed(stream[n : n + 1])]
    assert [wire.decode(line) for line in one_by_one] == said


def test_blank_lines_are_no_messages() -> None:
    assert wire.LineSplitter().feed(b"\n \r\n\n{}\n\n") == [b"{}"]


BAD = [
    (b"", "truncated"),
    (b"null", "got `null`"),
    (b"[]", "got `array`"),
    (b"{}", "missing required field `body`"),
    (b'{"body":{"type":"GetStatus"}', "truncated"),
    (b'{"body":{"type":"Reboot"}}', "Invalid value 'Reboot' - at `$.body.type`"),
    (b'{"body":{"phone":"desk"}}', "missing required field `type` - at `$.body`"),
    (b'{"body":{"type":"Dial","phone":"desk"}}', "missing required field `digits`"),
    (
        b'{"body":{"type":"Dial","phone":"desk","digits":112}}',
        "Expected `str`, got `int` - at `$.body.digits`",
    ),
    (b'{"body":{"type":"Hold","phone":"desk","on":"yes"}}', "Expected `bool`, got `str`"),
    (b'{"body":{"type":"GetStatus","now":true}}', "unknown field `now`"),
    (b'{"body":{"type":"GetStatus"},"id":1.5}', "Expected `int`, got `float` - at `$.id`"),
    (b'{"body":{"type":"GetStatus"},"id":1e999}', "out of range"),
    (b'{"body":{"type":"Done","text":"\\ud800"}}', "not a message"),
    (b'{"body":{"type":"Done","text":"\xff"}}', "utf"),
    (b'{"body":{"type":"GetStatus"}} {"body":{"type":"GetStatus"}}', "malformed"),
    (b'{"body":{"deep":' + b"[" * 50_000 + b"]" * 50_000 + b',"type":"GetStatus"}}', "recursion"),
]


@pytest.mark.parametrize(("line", "words"), BAD)
def test_what_is_no_message(line: bytes, words: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(line)
    assert words.lower() in str(caught.value).lower()
    assert caught.value.remedy


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_a_wire_error(noise: bytes) -> None:
    for line in wire.LineSplitter().feed(noise + b"\n"):
        with contextlib.suppress(WireError):
            wire.decode(line)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(envelopes, st.data(), _json)
def test_a_field_replaced_by_anything_is_read_or_refused(
    envelope: Envelope, data: st.DataObject, anything: Any
) -> None:
    """Whatever is accepted is a message: it can be said again and means the same."""
    raw = json.loads(wire.encode(envelope))
    target = data.draw(st.sampled_from([raw, raw["body"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = anything
    try:
        heard = wire.decode(json.dumps(raw).encode())
    except WireError:
        return
    assert wire.decode(wire.encode(heard)) == heard


def test_lines_have_a_bound() -> None:
    with pytest.raises(WireError, match="too long"):
        wire.encode(Envelope(body=Done(text="x" * wire.MAX_LINE_BYTES)))
    longest = wire.encode(Envelope(body=Done(text="x" * (wire.MAX_LINE_BYTES - 100))))
    assert wire.LineSplitter().feed(longest) == [longest[:-1]]
    splitter = wire.LineSplitter()
    with pytest.raises(WireError, match="longer than"):
        for _ in range(wire.MAX_LINE_BYTES // 4096 + 2):
            splitter.feed(b"x" * 4096)
    with pytest.raises(WireError, match="longer than"):
        wire.LineSplitter().feed(b"x" * (wire.MAX_LINE_BYTES + 1) + b"\n")


def test_text_that_is_no_utf8_is_not_sent() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        wire.encode(Envelope(body=Done(text="\udcff")))


def test_secrets_are_in_no_status() -> None:
    """Law 19: what clients can ask for has no field for a password."""
    seen: set[type] = set()

    def fields(cls: type) -> None:
        if cls in seen or not hasattr(cls, "__struct_fields__"):
            return
        seen.add(cls)
        for field in msgspec.structs.fields(cls):
            assert "password" not in field.name and "secret" not in field.name
            for part in (field.type, *get_args(field.type)):
                fields(part)

    for cls in (StatusNow, Event, Done):
        fields(cls)
    assert UplinkStatus in seen
    assert {Paths, TrunkPlan}.isdisjoint(seen)
