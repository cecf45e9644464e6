"""The phones' side of the audio: ends that play and record WAV files, all in C. Null clock, no sound card."""

import pjsua2 as pj

from gateway.errors import DoorError


class WavEnd:
    """Plays one WAV file in a loop and records what it hears. `play` or `record` may be empty."""

    def __init__(self, play: str, record: str) -> None:
        self._leg: pj.AudioMedia | None = None
        self._player = _player(play)
        self._recorder: pj.AudioMediaRecorder | None = None
        if record:
            self._recorder = pj.AudioMediaRecorder()
            self._recorder.createRecorder(record)

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

    def open(self, name: str, play: str, record: str) -> None:
        """Make an end; one of that name that exists is closed first. Raises pj.Error on a bad file."""
        self._ends.pop(name, None)
        self._ends[name] = WavEnd(play, record)

    def get(self, name: str) -> WavEnd:
        """Raises DoorError when there is no such end."""
        if name not in self._ends:
            raise DoorError(f"there is no end {name}", where="SIP engine", remedy="Open it first")
        return self._ends[name]

    def close_one(self, name: str) -> None:
        """Close the files of an end."""
        self._ends.pop(name, None)

    def close(self) -> None:
        """Close all."""
        self._ends.clear()
