"""What the exact far end does, as a table by the dialled number."""

from dataclasses import dataclass
from typing import Final, Literal

from tests.lab import plan


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `status`: of provisional and refuse; `seconds`: of wait; `direction`: of reinvite."""

    do: Literal[
        "provisional", "refuse", "answer", "wait", "pause", "resume", "reinvite", "announce", "spoken", "bye"
    ]
    status: int = 0
    seconds: float = 0.0
    direction: str = "sendrecv"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`steps` run from the INVITE on; `reinvite` is the answer to re-INVITE and UPDATE (0: none at all)."""

    steps: tuple[Step, ...] = (Step("answer"),)
    source: Literal["numbers", "speech", "echo"] = "numbers"
    reinvite: int = 200
    replaces: bool = True
    session_expires: str = ""


def _refuse(status: int) -> Behaviour:
    return Behaviour((Step("refuse", status=status),))


def _wait(seconds: float) -> Step:
    return Step("wait", seconds=seconds)


_ANSWER: Final = Step("answer")
_RING: Final = Step("provisional", status=180)

DEFAULT: Final = Behaviour()
BEHAVIOURS: Final[dict[str, Behaviour]] = {
    plan.SPEAKS: Behaviour(source="speech"),
    plan.RINGS: Behaviour((_RING, _wait(60), Step("refuse", status=480))),
    plan.BUSY: Behaviour((_RING, Step("refuse", status=486))),
    plan.UNKNOWN: _refuse(404),
    plan.SERVER_ERROR: _refuse(500),
    plan.DECLINES: _refuse(603),
    plan.EARLY_MEDIA: Behaviour((Step("provisional", status=183), _wait(3), _ANSWER)),
    plan.RINGS_THEN_ANSWERS: Behaviour((_RING, _wait(2), _ANSWER)),
    plan.PAUSES: Behaviour((_ANSWER, _wait(3), Step("pause"), _wait(5), Step("resume"))),
    plan.HOLDS: Behaviour(
        (
            _ANSWER,
            _wait(3),
            Step("reinvite", direction="sendonly"),
            _wait(3),
            Step("reinvite", direction="sendrecv"),
        )
    ),
    plan.HANGS_UP: Behaviour((_ANSWER, _wait(5), Step("bye"))),
    plan.REFUSES_REINVITE: Behaviour(reinvite=488),
    plan.IGNORES_REINVITE: Behaviour(reinvite=0),
    plan.ECHOES: Behaviour(source="echo"),
    plan.NO_REPLACES: Behaviour(replaces=False),
    plan.SESSION_TIMER: Behaviour(session_expires="90;refresher=uac"),
    plan.CONFIRM_NUMBER: Behaviour((Step("announce"), _ANSWER, Step("spoken"), Step("bye")), source="speech"),
}
