"""Messages of caller ID: what stands in them, and what a phone makes of broken ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.phones import callerid
from gateway.phones.model import Caller

TIME = (11, 23, 16, 5)


def test_number_name_and_time() -> None:
    message = callerid.message(Caller("442079460001", "Jürgen Müller-Łódź", "", TIME))
    assert message[0] == callerid.CALL
    assert callerid.parts(message) == {1: b"11231605", 2: b"442079460001", 7: b"Juergen Mueller"}


def test_withheld_and_unknown_numbers_say_why() -> None:
    private = callerid.parts(callerid.message(Caller("442079460001", "Secret", "private", TIME)))
    assert private == {1: b"11231605", 4: b"P", 8: b"P"}
    unknown = callerid.parts(callerid.message(Caller("", "", "unavailable", TIME)))
    assert unknown == {1: b"11231605", 4: b"O", 8: b"O"}
    assert callerid.parts(callerid.message(Caller("", "Reception", "", TIME)))[7] == b"Reception"


def test_waiting_messages() -> None:
    assert callerid.parts(callerid.waiting(True)) == {0x0B: b"\xff"}
    assert callerid.parts(callerid.waiting(False)) == {0x0B: b"\x00"}


@pytest.mark.parametrize(
    ("caller", "start", "stop", "keys"),
    [
        (Caller("+4512345678"), "A", "#", "A4512345678#"),
        (Caller("46812345"), "A", "C", "A46812345C"),
        (Caller("31201234567"), "D", "C", "D31201234567C"),
        (Caller("46812345", absent="private"), "A", "C", "B10C"),
        (Caller("", absent="unavailable"), "A", "C", "B00C"),
        (Caller("", absent="private"), "A", "#", "D1#"),
        (Caller(""), "A", "#", "D3#"),
    ],
)
def test_keys_of_dtmf_caller_id(caller: Caller, start: str, stop: str, keys: str) -> None:
    assert callerid.digits(caller, start, stop) == keys


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["", "private", "unavailable"]))
def test_any_caller_makes_a_message_that_reads_back(number: str, name: str, absent: str) -> None:
    message = callerid.message(Caller(number, name, absent, TIME))  # type: ignore[arg-type]
    found = callerid.parts(message)
    assert len(message) <= 60
    assert found[1] == b"11231605"
    assert (2 in found) != (4 in found)
    assert all(32 <= sign < 127 for text in found.values() for sign in text)
    if absent == "private":
        assert not {2, 7} & set(found)


@given(st.binary(max_size=40))
def test_broken_messages_are_refused_or_read(message: bytes) -> None:
    try:
        found = callerid.parts(message)
    except ValueError:
        return
    assert all(isinstance(text, bytes) for text in found.values())
