"""Spoken English for far ends and announcements, made on the machine by espeak-ng and sox."""

import subprocess
from typing import Final

SPEECH: Final = (
    "Hello, this is the far end speaking. The quick brown fox jumps over the lazy dog. "
    "I shall go on talking, so that you can hear whether the line holds."
)


def speech(text: str) -> bytes:
    """A-law, 8 kHz, mono. Raises FileNotFoundError or CalledProcessError without espeak-ng and sox."""
    say = ["espeak-ng", "-v", "en-gb", "-s", "150", "--stdout", text]
    spoken = subprocess.run(say, capture_output=True, check=True)
    change = ["sox", "-V1", "-t", "wav", "-", "-t", "raw", "-r", "8000", "-c", "1", "-e", "a-law", "-"]
    return subprocess.run(change, input=spoken.stdout, capture_output=True, check=True).stdout
