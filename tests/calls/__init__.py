"""The calls room: tables driven by scripts and by arbitrary events."""
