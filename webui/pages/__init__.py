"""The pages, one blueprint each."""

from typing import Final

from flask import Blueprint

from webui.pages import (
    access,
    calls,
    expert,
    home,
    lines,
    live,
    phones,
    settings,
    setup,
    system,
    timeline,
    trunk,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = tuple(
    page.blueprint
    for page in (access, home, calls, lines, phones, trunk, timeline, system, settings, setup, expert, live)
)
