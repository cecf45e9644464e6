"""The virtual phone: files by call, states as its user sees them, words when a call is not possible."""

from gateway.messages import Answer, PhonePlan
from gateway.phones.virtual import VirtualPhone


def phone(auto_answer: bool = False) -> VirtualPhone:
    plan = PhonePlan(
        name="desk",
        kind="virtual",
        play="/hello.wav",
        record="/calls/desk-{call}.wav",
        auto_answer=auto_answer,
    )
    return VirtualPhone(plan)


def test_each_call_has_its_own_recording() -> None:
    assert phone().audio(7) == ("/hello.wav", "/calls/desk-7.wav")


def test_phone_that_answers_by_itself_says_so_when_it_rings() -> None:
    assert phone(auto_answer=True).ring("442079460001") == [Answer(phone="desk")]
    assert phone().ring("442079460001") == []


def test_states_follow_the_call() -> None:
    desk = phone()
    seen = [desk.view().state]
    for step in (lambda: desk.ring("x"), desk.talking, desk.idle, desk.dialling, desk.talking, desk.idle):
        step()
        seen.append(desk.view().state)
    assert seen == ["idle", "ringing", "talking", "idle", "dialling", "talking", "idle"]


def test_what_the_user_is_told_stays_to_be_read() -> None:
    desk = phone()
    desk.tell("All Internet channels are down.")
    assert desk.told == "All Internet channels are down."
