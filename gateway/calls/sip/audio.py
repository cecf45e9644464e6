"""The phones' side of the audio: ends that play and record WAV files, all in C. Null clock, no sound card."""

import pjsua2 as pj

from gateway.errors import DoorError

_CLOSE_S = 0.1
"""The bridge lets go of a file on its own clock thread: five frames of 20 ms are enough."""


class WavEnd:
    """Plays one WAV file in a loop and records what it hears. `play` or `record` may be empty."""

    def __init__(self, play: str, record: str) -> None:
        self._leg: pj.AudioMedia | None = None
        self._player = _player(play)
        self._recorder: pj.AudioMediaRecorder | None = None
        if record:
            self._recorder = pj.AudioMediaRecorder()
            self._recorder.createRecorder(record)

    def close(self) -> None:
        """Part from the leg and let go of the files."""
        if self._leg is not None:
            self.part(self._leg)
        del self._player
        self._recorder = None

    def play(self, path: str) -> None:
        """Speak another file from now on. Raises pj.Error on a bad file; then the old one goes on."""
        player = _player(path)
        if self._leg is not None:
            self._player.stopTransmit(self._leg)
            player.startTransmit(self._leg)
        self._player = player

    def join(self, leg: pj.AudioMedia) -> None:
        """Audio both ways between this end and a leg."""
        self._leg = leg
        self._player.startTransmit(leg)
        if self._recorder is not None:
            leg.startTransmit(self._recorder)

    def forget(self) -> None:
        """The leg's audio is gone by itself."""
        self._leg = None

    def part(self, leg: pj.AudioMedia) -> None:
        """No more audio to or from this leg."""
        self._leg = None
        self._player.stopTransmit(leg)
        if self._recorder is not None:
            leg.stopTransmit(self._recorder)


def _player(path: str) -> pj.AudioMedia:
    if path:
        player = pj.AudioMediaPlayer()
        player.createPlayer(path, 0)
        return player
    # A leg with no source sends no RTP at all: a far end would see a dead line, so send silence.
    silence = pj.ToneGenerator()
    silence.createToneGenerator()
    return silence


class Ends:
    """The ends by name. Used on the engine's thread only."""

    def __init__(self) -> None:
        self._ends: dict[str, WavEnd] = {}
        self._closing: list[tuple[float, str]] = []

    def open(self, name: str, play: str, record: str) -> None:
        """Make an end; one of that name that exists is closed first. Raises pj.Error on a bad file."""
        if name in self._ends:
            self._ends.pop(name).close()
        self._ends[name] = WavEnd(play, record)

    def get(self, name: str) -> WavEnd:
        """Raises DoorError when there is no such end."""
        if name not in self._ends:
            raise DoorError(f"there is no end {name}", where="SIP engine", remedy="Open it first")
        return self._ends[name]

    def close_one(self, name: str, now: float) -> None:
        """Close the files of an end; `closed` names it when that is done."""
        if name in self._ends:
            self._ends.pop(name).close()
        self._closing.append((now + _CLOSE_S, name))

    @property
    def closing(self) -> bool:
        """True while the bridge is letting go of a file."""
        return bool(self._closing)

    def closed(self, now: float) -> list[str]:
        """Ends whose files are complete since the last call."""
        done = [name for due, name in self._closing if due <= now]
        self._closing = [(due, name) for due, name in self._closing if due > now]
        return done

    def close(self) -> None:
        """Close all."""
        for end in self._ends.values():
            end.close()
        self._ends.clear()
