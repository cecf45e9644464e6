"""The settings file and what the box remembers between starts."""
