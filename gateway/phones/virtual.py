"""A phone without hardware: it speaks a WAV file, records what it hears, and its keys are gatewayctl's verbs.

Every kind of phone says what its user does with the same five messages (Dial, Answer, HangUp, Hold,
SendDigits) and is told what happens through the methods below.
"""

from dataclasses import dataclass

from gateway.messages import Answer, PhonePlan, Verb
from gateway.status import PhoneView


@dataclass(slots=True)
class VirtualPhone:
    """One virtual phone. Methods return what its user does at once (an auto-answering phone answers)."""

    plan: PhonePlan
    state: str = "idle"
    told: str = ""

    def audio(self, call: int) -> tuple[str, str]:
        """(file to speak, file to record) for this call; `{call}` in the plan's path becomes its number."""
        return self.plan.play, self.plan.record.replace("{call}", str(call))

    def ring(self, caller_id: str) -> list[Verb]:
        """A call comes in."""
        self.state = "ringing"
        return [Answer(phone=self.plan.name)] if self.plan.auto_answer else []

    def dialling(self) -> None:
        """The user has dialled; the far end has not answered."""
        self.state = "dialling"

    def talking(self) -> None:
        """The call is up."""
        self.state = "talking"

    def idle(self) -> None:
        """The call is over, or ringing has stopped."""
        self.state = "idle"

    def tell(self, reason: str) -> None:
        """Words for the user: why a call was not possible."""
        self.told = reason

    def view(self) -> PhoneView:
        """As anybody may see it."""
        return PhoneView(name=self.plan.name, kind=self.plan.kind, state=self.state)
