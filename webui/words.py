"""What the page says, in the owner's language. A catalogue is a JSON file: the English text, then the other.

What has no translation stays English: half a sentence is worse than a foreign one.
"""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pl", "uk", "ru")


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> dict[str, str]:
    """English text -> text; empty for English and for languages that are not known."""
    if language == "en" or language not in LANGUAGES:
        return {}
    read: dict[str, str] = json.loads(files("webui").joinpath(f"words/{language}.json").read_text())
    return read


def say(language: str, text: str, **values: object) -> str:
    """`text` in this language, with `values` in its braces."""
    said = catalogue(language).get(text) or text
    return said.format(**values) if values else said


def choose(wanted: str, accepted: str) -> str:
    """The language of a page: the owner's, else the browser's first that we speak, else English."""
    if wanted in LANGUAGES:
        return wanted
    for part in accepted.split(","):
        tag = part.partition(";")[0].strip().partition("-")[0].lower()
        if tag in LANGUAGES:
            return tag
    return "en"
