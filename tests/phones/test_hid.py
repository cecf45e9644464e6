"""Report descriptors: those of real telephones, those that break the rules, and any bytes at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.phones.hid import (
    MAX_DESCRIPTOR_BYTES,
    MAX_REPORT_BYTES,
    Descriptor,
    DescriptorError,
    parse,
)
from gateway.phones.hidphone import HidPhone, compile_table
from gateway.phones.model import Light
from tests.phones import descriptors as d

HOOK = 0x0B0020


def place(descriptor: Descriptor, usage: int) -> tuple[str, int, int]:
    """(kind, report, bit) of a usage."""
    (found,) = [
        (field.kind, field.report, field.offset_bits + at * field.size_bits)
        for field in descriptor.fields
        for at in field.find([usage])
    ]
    return found


def test_the_handset_s_bits_are_where_they_are() -> None:
    parsed = parse(d.HANDSET)
    assert parsed.numbered and parsed.output_bytes == {2: 1}
    assert place(parsed, HOOK) == ("input", 1, 0)
    assert place(parsed, 0x0B0024) == ("input", 1, 4)
    assert place(parsed, 0x0B009E) == ("output", 2, 6)
    assert place(parsed, 0x080019) == ("output", 2, 5)
    assert place(parsed, 0x0C00E9) == ("input", 3, 0)


def test_input_and_output_of_one_number_are_counted_apart() -> None:
    parsed = parse(d.DELL_SP325)
    assert place(parsed, HOOK) == ("input", 5, 0)
    assert place(parsed, 0x080017) == ("output", 5, 0)
    assert place(parsed, 0x0B0097) == ("input", 5, 4)


def test_a_usage_has_the_page_that_stands_at_its_main_item() -> None:
    parsed = parse(bytes.fromhex("050b 0905 a101 7501 9501 0920 0508 8102 c0"))
    assert parsed.fields[0].ranges == ((0x080020, 0x080020),)


def test_a_usage_of_four_bytes_brings_its_page() -> None:
    parsed = parse(bytes.fromhex("050c 0b05000b00 a101 7501 9501 0b20000b00 8102 c0"))
    assert (parsed.fields[0].application, parsed.fields[0].ranges) == (0x0B0005, ((HOOK, HOOK),))


def test_pushed_settings_come_back() -> None:
    parsed = parse(bytes.fromhex("050b 0905 a101 7501 9501 a4 7508 9502 0921 8102 b4 0920 8102 c0"))
    assert [(f.size_bits, f.values, f.offset_bits) for f in parsed.fields] == [(8, 2, 0), (1, 1, 16)]


def test_a_long_item_is_passed_over() -> None:
    assert parse(bytes.fromhex("050b 0905 a101 fe0310aabbcc 7501 9501 0920 8102 c0")).fields


def test_a_value_is_read_across_bytes_and_with_its_sign() -> None:
    (field,) = parse(bytes.fromhex("050b 0905 a101 16 00f8 26 ff07 750c 9502 19b0 29b1 8102 c0")).fields
    report = (0x7FF | 0x800 << 12).to_bytes(3, "little")
    assert [field.read(report, 0), field.read(report, 1)] == [2047, -2048]
    assert field.read(report[:2], 1) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("050b 0905 a101 09", "byte 6: an item of 1 bytes goes beyond the end"),
        ("05", "byte 0: an item"),
        ("fe", "a long item without its length"),
        ("c0", "closed that was not opened"),
        ("b4", "popped more often"),
        ("a4" * 65, "byte 64: pushed too often"),
        ("a100" * 65, "nested too deep"),
        ("8500", "0 is no report's number"),
        ("860101", "257 is no report's number"),
        ("7508 96ffff 8102", "longer than 1024 bytes"),
        ("77ffffffff 97ffffffff 8102", "longer than 1024 bytes"),
        ("1930 2920", "ends before it begins"),
        ("1920 2b300b0000", "the page at one end only"),
        ("0920" * 257, "too many usages"),
        ("00" * (MAX_DESCRIPTOR_BYTES + 1), "4097 bytes are more"),
    ],
)
def test_what_is_no_descriptor_is_refused_with_the_place(text: str, why: str) -> None:
    with pytest.raises(DescriptorError, match=why):
        parse(bytes.fromhex(text))


def items() -> st.SearchStrategy[bytes]:
    """Items with a known tag and any data, so that deeper places are reached than by bytes alone."""
    tags = [0x04, 0x08, 0x14, 0x18, 0x24, 0x28, 0x74, 0x80, 0x84, 0x90, 0x94, 0xA0, 0xA4, 0xB0, 0xB4, 0xC0]
    few = st.sampled_from([0, 1, 2, 5, 8, 0x0B, 0x17, 0x18, 0x20, 0x2F, 0x9E, 0xB0, 0xBF, 0xFF])

    def item(tag: int, size: int, low: int, rest: bytes) -> bytes:
        return bytes([tag | size]) + (bytes([low]) + rest)[: (0, 1, 2, 4)[size]]

    one = st.builds(item, st.sampled_from(tags), st.integers(0, 3), few, st.binary(min_size=3, max_size=3))
    return st.lists(one, max_size=60).map(lambda parts: b"\x05\x0b\x09\x05\xa1\x01" + b"".join(parts))


def mutants() -> st.SearchStrategy[bytes]:
    """A real descriptor with a few bytes changed."""

    def change(base: bytes, changes: list[tuple[int, int]]) -> bytes:
        out = bytearray(base)
        for at, value in changes:
            out[at % len(out)] = value
        return bytes(out)

    changes = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=6)
    return st.builds(change, st.sampled_from(list(d.ALL.values())), changes)


@given(st.one_of(st.binary(max_size=300), items(), mutants()), st.lists(st.binary(max_size=64), max_size=4))
def test_any_bytes_are_read_or_refused(data: bytes, reports: list[bytes]) -> None:
    """And whatever a device of such a descriptor sends is heard, and the lamps fit into their reports."""
    try:
        parsed = parse(data)
    except DescriptorError:
        return
    assert all(0 <= f.offset_bits <= MAX_REPORT_BYTES * 8 for f in parsed.fields)
    table = compile_table(parsed)
    if table is None:
        return
    phone = HidPhone(table)
    for number, report in enumerate(reports):
        phone.heard(report, float(number))
    for written in phone.perform(Light("off_hook", True), 0.0):
        assert len(written) == 1 + parsed.output_bytes[written[0]]


@pytest.mark.parametrize(
    "text",
    [
        "050b 0905 a101 1500 2501 7501 0920 96ff1f 8102 c0",  # a hook of 8191 bits
        "050b 0905 a101 7501 96ff00" + "1b00000b00 2bffff0b00 8102" * 32,  # all of the page, 32 times
        "050b 0905 a101 1500 27ffffff7f 7520 9520 1b00000000 2bffffffff 8100 c0",  # an array of everything
        "050b 0905 a101 0508 7501 9501" + "8501 0917 9102" * 400,
    ],
    ids=["long field", "wide ranges", "wide array", "many fields"],
)
def test_greed_costs_little(text: str) -> None:
    """Looked at in steps, not in seconds: none of these makes a table larger than its descriptor."""
    data = bytes.fromhex(text)
    table = compile_table(parse(data))
    assert table is not None
    listed = sum(len(found) for _, found in table.arrays)
    assert len(table.bits) + listed + len(table.lamps) <= 33 * max(1, len(data) // 12)
    phone = HidPhone(table)
    phone.heard(b"\xff" * 1024, 0.0)
