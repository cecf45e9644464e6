"""What became of a call, in the owner's words: what happened, what it cost, what to do. Pure.

Law: nothing is claimed that the record does not hold; where the reason is not known, that is said.
"""

from dataclasses import dataclass
from typing import Final

from gateway.records import CallRecord, Sample

FAIR_MOS: Final = 3.6
"""Below it many listeners are dissatisfied (ITU-T G.107, annex B)."""
MUCH_LOSS: Final = 0.03


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`trouble`: it was not as it should be. `action`: empty when there is nothing to do."""

    trouble: bool
    sentence: str
    action: str = ""


_BY_CODE: Final = {
    # the provider's or the far end's last answer (RFC 3261, section 21) -> what it means, what to do
    401: (
        "The provider asked for a password: the address that the call left from is not confirmed.",
        "Confirm it again.",
    ),
    403: (
        "The provider refused the call. The address that it left from is probably not confirmed.",
        "Confirm it again.",
    ),
    404: ("The provider does not know this number.", "Check the number."),
    407: (
        "The provider asked for a password: the address that the call left from is not confirmed.",
        "Confirm it again.",
    ),
    408: ("Nobody answered in time on the way to the number.", "Try again later."),
    480: ("The phone that was called cannot be reached now.", "Try again later."),
    484: ("The number is too short.", "Check the number."),
    486: ("The number was busy.", ""),
    487: ("The caller put the handset down before anybody answered.", ""),
    488: (
        "The other side could not agree on a way to code speech.",
        "Allow more codecs in the trunk's settings.",
    ),
    503: ("The provider could not take the call at that moment.", "Try again later."),
    603: ("The call was declined.", ""),
}


def diagnose(call: CallRecord, samples: tuple[Sample, ...] = ()) -> Diagnosis:
    """`samples`: the line in the minutes of the call, as far as they are known."""
    if not call.answered_at:
        return _unanswered(call)
    if call.mos is not None and call.mos < FAIR_MOS:
        return _poor(call, samples)
    if call.moves:
        return Diagnosis(
            False,
            "The line that carried the call had to be left. The call was moved and went on.",
            "" if call.mos is not None else "How well it was heard was not measured.",
        )
    if call.mos is None:
        return Diagnosis(False, "The call was answered. How well it was heard was not measured.")
    return Diagnosis(False, "The call went well.")


def _unanswered(call: CallRecord) -> Diagnosis:
    if call.direction == "in":
        return Diagnosis(False, "Nobody took the call.")
    if known := _BY_CODE.get(call.sip_code):
        return Diagnosis(call.sip_code not in (486, 487, 603), *known)
    if not call.sip_code:
        return Diagnosis(
            True, "The call did not reach the provider, or was ended before it answered.", "See below."
        )
    return Diagnosis(
        True, "The call failed; the provider's answer says no more than its code.", "See the code below."
    )


def _poor(call: CallRecord, samples: tuple[Sample, ...]) -> Diagnosis:
    losses = [sample.loss for sample in samples if sample.loss is not None]
    if losses and max(losses) >= MUCH_LOSS:
        return Diagnosis(
            True,
            "The call was hard to understand: its line lost packets.",
            "If that goes on, have the line's provider measure it.",
        )
    if losses:
        return Diagnosis(
            True,
            "The call was hard to understand, though its line did well: the trouble was beyond it.",
            "If that goes on, tell the trunk's provider the time of the call.",
        )
    return Diagnosis(True, "The call was hard to understand. What the line did then is not known.")
