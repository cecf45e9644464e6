"""What views share: the daemon, the session, and how a page answers."""

from typing import cast

from flask import current_app, g, redirect, url_for
from werkzeug.wrappers import Response

from gateway.messages import Done, Verb
from gateway.status import Status
from webui.box import ANSWER_S, Box, RefusedWhole
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


def tell(verb: Verb, page: str, timeout_s: float = ANSWER_S) -> Response:
    """Have one thing done; `page` shows once what the daemon said to it, a refusal too."""
    try:
        said = box().ask(verb, Done, timeout_s).text
    except RefusedWhole as error:
        said = f"{error.what}. {error.remedy}"
    session().kept[f"{page}.said"] = said
    return redirect(url_for(f"{page}.page"), 303)
