"""What views share: the daemon, the session, and how a page answers."""

from typing import cast

from flask import current_app, g

from gateway.status import Status
from webui.box import Box
from webui.live import Hub
from webui.sessions import Session, Sessions


def box() -> Box:
    """The daemon."""
    return cast(Box, current_app.extensions["box"])


def hub() -> Hub:
    """The ear for live events."""
    return cast(Hub, current_app.extensions["hub"])


def sessions() -> Sessions:
    """Who is logged in."""
    return cast(Sessions, current_app.extensions["sessions"])


def session() -> Session:
    """Of this request; only behind the gate."""
    return cast(Session, g.session)


def status() -> Status:
    """As the gate has asked for it in this request, else asked now."""
    if not hasattr(g, "status"):
        g.status = box().status()
    return cast(Status, g.status)
