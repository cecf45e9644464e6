"""Law: one thing at a time is played into an ear, words before tones, and nothing once it is laid down.

The book-keeping of what a line plays: it emits only what changes. A tone that is wanted while words are
spoken waits for their end.
"""

from gateway.phones.callside import Deafen, Hush, LineAction, Listen, PlayTone, SayState, Speak, ToneName
from gateway.phones.model import Action, Light


class Ear:
    """What the handset of one line hears of the box itself, and whether it is heard."""

    def __init__(self) -> None:
        self.open = False
        self.tone: ToneName | None = None
        self.speaking = False
        self.muted = False
        self.deaf = False
        self._after: ToneName | None = None
        self._actions: list[LineAction | Action] = []

    def drain(self) -> list[LineAction | Action]:
        """The actions since the last time."""
        actions, self._actions = self._actions, []
        return actions

    def emit(self, *actions: LineAction | Action) -> None:
        """Actions of others, in order with ours."""
        self._actions.extend(actions)

    def listen(self, on: bool) -> None:
        """The handset is lifted or put down."""
        if on == self.open:
            return
        if not on:
            self.hush()
            self.mute(False)
        self.open = on
        self.emit(Listen(on), Light("off_hook", on))

    def play(self, tone: ToneName) -> None:
        """This tone, once no words are spoken any more."""
        if self.speaking:
            self._after = tone
        elif self.tone != tone:
            self.tone = tone
            self.emit(PlayTone(tone))

    def speak(self, words: Speak | SayState, then: ToneName | None = None) -> None:
        """These words, then this tone."""
        self.tone, self.speaking, self._after = None, True, then
        self.emit(words)

    def spoken(self) -> None:
        """The words are over."""
        if not self.speaking:
            return
        self.speaking = False
        after, self._after = self._after, None
        if after is not None:
            self.play(after)

    def hush(self, *, words: bool = True) -> None:
        """Silence; without `words`, only of tones."""
        self._after = None
        if self.speaking and not words:
            return
        if self.tone is not None or self.speaking:
            self.tone, self.speaking = None, False
            self.emit(Hush())

    def mute(self, on: bool) -> None:
        """The user wants to be heard by nobody, or by all again."""
        if on != self.muted:
            self.muted = on
            self.emit(Light("mute", on))
        self.deafen(on)

    def deafen(self, on: bool) -> None:
        """For a moment, or as long as the user wants it."""
        if on != self.deaf:
            self.deaf = on
            self.emit(Deafen(on))
