"""The pages, one blueprint each."""

from typing import Final

from flask import Blueprint

from webui.pages import access, home, lines, live, timeline

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    access.blueprint,
    home.blueprint,
    lines.blueprint,
    timeline.blueprint,
    live.blueprint,
)
