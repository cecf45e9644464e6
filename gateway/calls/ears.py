"""The ends of the phones' audio, as commands to the engine: what another room asks for by name."""

from gateway.calls.sip import values as v


class Ears:
    """One end for each phone. What cannot be done is told by the engine's own event, not here."""

    def __init__(self, engine: v.Engine) -> None:
        self._do = engine.do

    def open_files(self, end: str, play: str, record: str) -> None:
        """An end that speaks a WAV file and records into another; either may be empty."""
        self._do(v.OpenEnd(end, play, record))

    def open_device(self, end: str, capture: str, playback: str) -> None:
        """An end that is a sound device, by ALSA names."""
        self._do(v.OpenDevice(end, capture, playback))

    def record(self, end: str, path: str) -> None:
        """Record what it hears from now on."""
        self._do(v.Record(end, path))

    def play(self, end: str, path: str) -> None:
        """It speaks another file from now on."""
        self._do(v.Play(end, path))

    def play_into(self, end: str, paths: tuple[str, ...], loop: bool) -> None:
        """It hears these files, in place of any other."""
        self._do(v.PlayInto(end, paths, loop))

    def hush(self, end: str) -> None:
        """It hears none."""
        self._do(v.HushEnd(end))

    def listen(self, end: str, on: bool) -> None:
        """Its keys are told, also while it is muted; or not any more."""
        self._do(v.ListenKeys(end, on))

    def mute(self, end: str, on: bool) -> None:
        """It is heard by nobody, or again."""
        self._do(v.MuteEnd(end, on))

    def mix(self, end: str, on: bool) -> None:
        """All that it hears hear each other."""
        self._do(v.MixEnd(end, on))

    def link(self, end: str, other: str, on: bool) -> None:
        """Two ends hear each other."""
        self._do(v.LinkEnds(end, other, on))

    def hold_with(self, path: str) -> None:
        """What far ends hear that are held."""
        self._do(v.HoldWith(path))

    def close(self, end: str) -> None:
        """Let go of its files or device."""
        self._do(v.CloseEnd(end))
