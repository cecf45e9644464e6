"""Where the sounds of the house lie: tones of the country, rendered once, and the prompts of a language.

Prompts are made when the product is built or installed (image/prompts); one that is missing is left out, and
one that is missing in a language is spoken in English.
"""

import sys
from pathlib import Path
from typing import Final

from gateway.phones.callside import RingName, ToneName
from gateway.phones.model import RingCadence
from gateway.phones.profiles import profile, tone_of
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
        self._rendered: dict[tuple[str, ToneName], tuple[str, bool]] = {}
        self.settle(country, language)

    def settle(self, country: str, language: str) -> None:
        """The box's own country (ISO 3166-1) and language, from now on."""
        self._country, self._language = country, language
        self.tone("dial")  # a handset that is lifted waits for nothing; other tones come at their first use

    def tone(self, name: ToneName, country: str = "") -> tuple[str, bool]:
        """(WAV file, whether it is to be played round and round), of a country or of the box's own."""
        key = country or self._country, name
        if key not in self._rendered:
            made = clip(tone_of(profile(key[0]), name))
            self._directory.mkdir(parents=True, exist_ok=True)
            path = self._directory / f"tone-{key[0]}-{name}.wav"
            fresh = path.with_suffix(".new")
            fresh.write_bytes(made.wav())
            fresh.replace(path)
            self._rendered[key] = str(path), made.loops
        return self._rendered[key]

    def prompts(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """WAV files of these prompts, in turn."""
        return tuple(str(path) for name in names if (path := self._prompt(name)) is not None)

    def _prompt(self, name: str) -> Path | None:
        for language in (self._language, FALLBACK):
            path = self._prompts / language / f"{name}.wav"
            if path.is_file():
                return path
        return None

    def cadence(self, ring: RingName, country: str = "") -> RingCadence:
        """How the bell rings."""
        outside = profile(country or self._country).ring
        return {"outside": outside, "inside": _INSIDE, "recall": _RECALL}[ring]
