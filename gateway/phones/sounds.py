"""Where the sounds of the house lie: tones of the country, rendered once, and the prompts of a language.

Prompts are made when the product is built or installed (image/prompts); one that is missing is left out, and
one that is missing in a language is spoken in English.
"""

import sys
from pathlib import Path
from typing import Final

from gateway.phones.callside import RingName, ToneName
from gateway.phones.model import RingCadence
from gateway.phones.profiles import Profile, profile, tone_of
from gateway.phones.tones import clip

PROMPTS: Final = Path(sys.prefix) / "share" / "steadyline" / "prompts"
FALLBACK: Final = "en"
_INSIDE: Final = RingCadence((500, 200, 500, 3000))
_RECALL: Final = RingCadence((300, 200, 300, 200, 300, 2000))


class Sounds:
    """Files by their use. `directory` takes the rendered tones; it is made where it does not exist."""

    def __init__(self, directory: Path, country: str, language: str, prompts: Path = PROMPTS) -> None:
        self._directory = directory
        self._prompts = prompts
        self._profile: Profile = profile(country)
        self._language = language
        self._rendered: dict[ToneName, tuple[str, bool]] = {}

    def ready(self) -> None:
        """Render what a phone may need at once; what is left comes at its first use."""
        for name in ("dial", "second", "ringback", "busy", "congestion", "waiting"):
            self.tone(name)

    def tone(self, name: ToneName) -> tuple[str, bool]:
        """(WAV file, whether it is to be played round and round)"""
        if name not in self._rendered:
            made = clip(tone_of(self._profile, name))
            self._directory.mkdir(parents=True, exist_ok=True)
            path = self._directory / f"tone-{self._profile.country}-{name}.wav"
            fresh = path.with_suffix(".new")
            fresh.write_bytes(made.wav())
            fresh.replace(path)
            self._rendered[name] = str(path), made.loops
        return self._rendered[name]

    def prompts(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """WAV files of these prompts, in turn."""
        return tuple(str(path) for name in names if (path := self._prompt(name)) is not None)

    def _prompt(self, name: str) -> Path | None:
        for language in (self._language, FALLBACK):
            path = self._prompts / language / f"{name}.wav"
            if path.is_file():
                return path
        return None

    def cadence(self, ring: RingName) -> RingCadence:
        """How the bell rings."""
        return {"outside": self._profile.ring, "inside": _INSIDE, "recall": _RECALL}[ring]
