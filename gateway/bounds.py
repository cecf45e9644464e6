"""What a settings file may cost to read. Whoever takes in a text looks here, and need not load the schema."""

from typing import Final

MAX_FILE_BYTES: Final = 1 << 18
"""The largest settings, 1,000 CallerID rules among them, take a third of it."""
MAX_LINE_LENGTH: Final = 2000
"""TOML readers take time that grows with the square of a dotted key: longer lines are refused unread."""
MAX_PROBLEMS: Final = 50
"""More are counted, not listed."""
