"""The phones' side of the audio, all in C: one end for each phone, joined to legs and to other ends.

The bridge is clocked by a null device; a hardware phone is one more device beside it, by its ALSA name, so
that a phone that is pulled stops nobody else. What an end hears is the sum of its peers and of the tone or
the words played into it. Peers of one end hear each other only while it mixes (three-way).
"""

import time
import wave
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pjsua2 as pj

from gateway.calls.sip.keys import KeyTap
from gateway.errors import DoorError

_REST_S = 0.2
"""A player tells its end-of-file, which comes with every round, to its own object a moment later: so that
object is parted from everybody first, and freed when nothing can be on its way to it any more."""
_CLOSE_S = 0.1
"""The bridge lets go of a file on its own clock thread: five frames of 20 ms are enough."""
_DRIVER = "ALSA"


class End:
    """One phone's mouth and ear. `ear` None: nothing is recorded, and nobody listens."""

    def __init__(
        self, mouth: pj.AudioMedia, ear: pj.AudioMedia | None, lay_aside: Callable[[object], None]
    ) -> None:
        self._lay_aside = lay_aside
        self._mouth = mouth
        self._ear = ear
        self._peers: list[pj.AudioMedia | End] = []
        self._mixing = False
        self._muted = False
        self._tap: KeyTap | None = None
        # A recording stops while nobody sends into it; with silence it keeps time.
        self._silence = _player("") if isinstance(ear, pj.AudioMediaRecorder) else None
        if self._silence is not None:
            _link(self._silence, ear)
        self._sound: pj.AudioMediaPlayer | None = None

    # --- what it is made of -----------------------------------------------------------------------

    def close(self) -> None:
        """Part from everybody and let go of files and devices."""
        self.hush()
        self.listen(None)
        for peer in list(self._peers):
            self.part(peer)
        if self._silence is not None:
            _unlink(self._silence, self._ear)
        if isinstance(self._mouth, pj.ExtraAudioDevice):
            self._mouth.close()
        self._lay_aside(self._mouth)
        del self._mouth
        self._ear = self._silence = None

    def play(self, path: str) -> None:
        """Speak another file from now on. Raises pj.Error on a bad file; then the old one goes on."""
        player = _player(path)
        for peer in self._peers:
            if (sink := _sink(peer)) is not None:
                self._mouth.stopTransmit(sink)
                player.startTransmit(sink)
        self._lay_aside(self._mouth)
        self._mouth = player

    def record(self, path: str) -> None:
        """Record what is heard into this file from now on. Raises pj.Error when it cannot be written."""
        recorder = _recorder(path)
        for source in [*map(_source, self._peers), *([self._sound] if self._sound else [])]:
            if self._ear is not None:
                source.stopTransmit(self._ear)
            source.startTransmit(recorder)
        self._silence = self._silence or _player("")
        self._silence.startTransmit(recorder)
        self._ear = recorder
        for peer in self._peers:
            if isinstance(peer, End) and peer._tap is not None and peer._muted:  # links are made anew
                peer._speak_to(self)

    def mute(self, on: bool) -> None:
        """The mouth is heard by nobody, or again; but for who listens to its keys."""
        self._muted = on
        if self._tap is None:
            self._mouth.adjustTxLevel(0.0 if on else 1.0)  # pjsua2 counts from the media's side
        for peer in self._peers if self._tap else ():
            self._speak_to(peer)

    def listen(self, tap: KeyTap | None) -> None:
        """Let `tap` hear the mouth, in place of another; None: nobody's keys are of interest any more."""
        if self._tap is not None:
            _unlink(self._mouth, self._tap)
            self._tap.stop()
            self._lay_aside(self._tap)
        muted, self._muted = self._muted, False
        self.mute(False)
        self._tap = tap
        _link(self._mouth, tap)
        if muted:
            self.mute(True)

    def _speak_to(self, peer: "pj.AudioMedia | End") -> None:
        """Anew, as loud as it is to be: a link keeps the level that it was made with."""
        if (sink := _sink(peer)) is not None:
            _unlink(self._mouth, sink)
            loud = pj.AudioMediaTransmitParam()
            loud.level = 0.0 if self._muted else 1.0
            self._mouth.startTransmit2(sink, loud)

    # --- who hears whom ---------------------------------------------------------------------------

    def join(self, peer: "pj.AudioMedia | End") -> None:
        """Audio both ways between this end and a leg or another end."""
        if any(known is peer for known in self._peers):
            return
        _link(self._mouth, _sink(peer))
        _link(_source(peer), self._ear)
        self._adopt(peer)
        if isinstance(peer, End):
            peer._adopt(self)

    def part(self, peer: "pj.AudioMedia | End") -> None:
        """No more audio to or from this leg or end."""
        if not any(known is peer for known in self._peers):
            return
        _unlink(self._mouth, _sink(peer))
        _unlink(_source(peer), self._ear)
        self._disown(peer)
        if isinstance(peer, End):
            peer._disown(self)

    def forget(self, peer: "pj.AudioMedia | End") -> None:
        """The leg's audio is gone by itself."""
        self._peers = [known for known in self._peers if known is not peer]

    def _adopt(self, peer: "pj.AudioMedia | End") -> None:
        if self._mixing:
            for other in self._peers:
                _cross(peer, other)
        self._peers.append(peer)
        if self._tap is not None and self._muted:
            self._speak_to(peer)

    def _disown(self, peer: "pj.AudioMedia | End") -> None:
        self.forget(peer)
        if self._mixing:
            for other in self._peers:
                _uncross(peer, other)

    def mix(self, on: bool) -> None:
        """All peers hear each other, or not any more."""
        if on == self._mixing:
            return
        self._mixing = on
        for number, peer in enumerate(self._peers):
            for other in self._peers[:number]:
                (_cross if on else _uncross)(peer, other)

    # --- what the box plays into it ---------------------------------------------------------------

    def sound(self, paths: Sequence[str], loop: bool) -> float:
        """Play these files into the ear, in place of any other; gives their length in seconds (0: for ever).

        Raises pj.Error on a bad file; then silence follows.
        """
        self.hush()
        if not paths:
            return 0.0
        player = pj.AudioMediaPlayer()
        option = 0 if loop else pj.PJMEDIA_FILE_NO_LOOP
        if len(paths) == 1:
            player.createPlayer(paths[0], option)
        else:
            player.createPlaylist(pj.StringVector(list(paths)), "words", option)
        _link(player, self._ear)
        self._sound = player
        return 0.0 if loop else sum(_seconds(path) for path in paths)

    def hush(self) -> None:
        """No sound of the box's own."""
        if self._sound is not None:
            _unlink(self._sound, self._ear)
            self._lay_aside(self._sound)
            self._sound = None


def _source(peer: pj.AudioMedia | End) -> pj.AudioMedia:
    return peer._mouth if isinstance(peer, End) else peer


def _sink(peer: pj.AudioMedia | End) -> pj.AudioMedia | None:
    return peer._ear if isinstance(peer, End) else peer


def _link(source: pj.AudioMedia, sink: pj.AudioMedia | None) -> None:
    if sink is not None:
        source.startTransmit(sink)


def _unlink(source: pj.AudioMedia, sink: pj.AudioMedia | None) -> None:
    if sink is not None:
        with suppress(pj.Error):  # the bridge has let go of one of them already
            source.stopTransmit(sink)


def _cross(one: pj.AudioMedia | End, other: pj.AudioMedia | End) -> None:
    _link(_source(one), _sink(other))
    _link(_source(other), _sink(one))


def _uncross(one: pj.AudioMedia | End, other: pj.AudioMedia | End) -> None:
    _unlink(_source(one), _sink(other))
    _unlink(_source(other), _sink(one))


def _player(path: str) -> pj.AudioMedia:
    if path:
        player = pj.AudioMediaPlayer()
        player.createPlayer(path, 0)
        return player
    # A leg with no source sends no RTP at all: a far end would see a dead line, so send silence.
    silence = pj.ToneGenerator()
    silence.createToneGenerator()
    return silence


def _recorder(path: str) -> pj.AudioMediaRecorder:
    Path(path).unlink(missing_ok=True)  # an older recorder may still be writing its last words there
    recorder = pj.AudioMediaRecorder()
    recorder.createRecorder(path)
    return recorder


def _device(capture: str, playback: str) -> pj.ExtraAudioDevice:
    """Raises DoorError when ALSA knows no such device."""
    manager = pj.Endpoint.instance().audDevManager()

    def number(name: str) -> int:
        for again in (False, True):
            if again:
                manager.refreshDevs()
            with suppress(pj.Error):
                return int(manager.lookupDev(_DRIVER, name))
        raise DoorError(f"ALSA has no device {name}", where="phones", remedy="Plug it in, or see: aplay -L")

    device = pj.ExtraAudioDevice(number(playback), number(capture))
    device.open()
    return device


def _seconds(path: str) -> float:
    with suppress(OSError, wave.Error), wave.open(path, "rb") as file:
        return file.getnframes() / file.getframerate()
    return 0.0


class Ends:
    """The ends by name. Used on the engine's thread only."""

    def __init__(self) -> None:
        self._ends: dict[str, End] = {}
        self._closing: list[tuple[float, str]] = []
        self._aside: list[tuple[float, object]] = []
        self._hold: pj.AudioMedia | None = None
        self._speaking: dict[str, float] = {}

    def open(self, name: str, play: str, record: str) -> None:
        """Make an end of files; one of that name is closed. Raises pj.Error on a bad file."""
        end = End(_player(play), _recorder(record) if record else None, self._lay_aside)
        if name in self._ends:
            self._ends.pop(name).close()
        self._ends[name] = end

    def open_device(self, name: str, capture: str, playback: str) -> None:
        """Make an end of a sound device. Raises DoorError or pj.Error when it cannot be opened."""
        if name in self._ends:
            self._ends.pop(name).close()  # it may be the same device
        device = _device(capture, playback)
        self._ends[name] = End(device, device, self._lay_aside)

    def hold_with(self, path: str) -> None:
        """What far ends hear that are held from now on. Raises pj.Error on a bad file; then nothing."""
        self._lay_aside(self._hold)
        self._hold = None
        if path:
            self._hold = _player(path)

    def hold(self, leg: pj.AudioMedia, on: bool) -> None:
        """Let a far end hear that it is held, or no more."""
        if self._hold is not None:
            (_link if on else _unlink)(self._hold, leg)

    def get(self, name: str) -> End:
        """Raises DoorError when there is no such end."""
        if name not in self._ends:
            raise DoorError(f"there is no end {name}", where="SIP engine", remedy="Open it first")
        return self._ends[name]

    def sound(self, name: str, paths: Sequence[str], loop: bool, now: float) -> None:
        """Play into an ear; what does not loop is over at a time that `spoken` tells. A file that is missing
        is left out."""
        self._speaking.pop(name, None)
        if not loop:
            self._speaking[name] = now  # words that cannot be played are over at once
        length_s = self.get(name).sound([path for path in paths if Path(path).is_file()], loop)
        if not loop:
            self._speaking[name] = now + length_s

    def listen(self, name: str, tap: KeyTap | None) -> None:
        """Hear the keys of an end, or not any more."""
        self.get(name).listen(tap)

    def hush(self, name: str) -> None:
        """Play nothing into an ear."""
        self._speaking.pop(name, None)
        if name in self._ends:
            self._ends[name].hush()

    def spoken(self, now: float) -> list[str]:
        """Ends whose words are over since the last call."""
        over = [name for name, due in self._speaking.items() if due <= now]
        for name in over:
            del self._speaking[name]
        return over

    def close_one(self, name: str, now: float) -> None:
        """Close the files of an end; `closed` names it when that is done."""
        self._speaking.pop(name, None)
        if name in self._ends:
            self._ends.pop(name).close()
        self._closing.append((now + _CLOSE_S, name))

    @property
    def busy(self) -> bool:
        """True while somebody waits for the end of words, or of a file."""
        return bool(self._closing or self._speaking or self._aside)

    def closed(self, now: float) -> list[str]:
        """Ends whose files are complete since the last call."""
        self._aside = [(due, media) for due, media in self._aside if due > now]
        done = [name for due, name in self._closing if due <= now]
        self._closing = [(due, name) for due, name in self._closing if due > now]
        return done

    def close(self) -> None:
        """Close all; what is left of them is gone when nobody is `busy` any more."""
        for end in self._ends.values():
            end.close()
        self._ends.clear()
        self._speaking.clear()
        self.hold_with("")

    def _lay_aside(self, media: object) -> None:
        self._aside.append((time.monotonic() + _REST_S, media))
