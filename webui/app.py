"""create_app: the page as a WSGI application. Views are blueprints in pages/; each page's twin is a verb of
gatewayctl."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from gateway.errors import GatewayError
from webui import gate, words
from webui.box import Box, GoneError, RefusedWhole
from webui.confirming import Confirming
from webui.draft import Draft
from webui.live import Hub
from webui.names import Names
from webui.pages import BLUEPRINTS
from webui.sessions import Sessions

MAX_FORM_BYTES = 2 << 20

STATES: Final = {
    # states of a line -> what the owner reads
    "up": "standby",
    "up_unconfirmed": "not confirmed",
    "disabled": "switched off",
    "probing": "not measured yet",
    "suspect": "being checked",
    "degraded": "poor",
    "no_device": "missing",
    "no_carrier": "no cable",
    "no_address": "no address",
    "conflict": "address conflict",
    "no_trunk": "provider silent",
    "down": "down",
    "drifted": "another address",
    "damped": "in reserve",
}

PAGES = (
    # address, name, icon: the navigation, in the order of use
    ("home.page", "Home", "house"),
    ("calls.page", "Calls", "phone-call"),
    ("lines.page", "Internet lines", "route"),
    ("phones.page", "Phones", "phone"),
    ("trunk.page", "Trunk and numbers", "hash"),
    ("timeline.page", "Timeline", "history"),
    ("system.page", "System", "settings"),
    ("expert.page", "Expert", "terminal"),
)


def create_app(box: Box, *, names: Iterable[str] = (), state: Path | None = None) -> Flask:
    """The application. `names`: host names that the page may be called by, besides addresses; `state`: a
    folder of its own."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    hub = Hub(box)
    app.extensions["box"], app.extensions["hub"], app.extensions["sessions"] = box, hub, Sessions()
    app.extensions["draft"], app.extensions["confirming"] = Draft(state), Confirming(box)
    known = Names(box, frozenset(names))
    gate.guard(app, box, app.extensions["sessions"], known)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _speak(app)
    _stumble(app)
    hub.start()
    return app


def _speak(app: Flask) -> None:
    """What every template may use."""

    @app.before_request
    def choose_language() -> None:
        wanted = g.session.kept.get("language", "") if getattr(g, "session", None) else ""
        g.language = words.choose(wanted, request.headers.get("Accept-Language", ""))

    def say(text: str, **values: object) -> str:
        return words.say(getattr(g, "language", "en"), text, **values)

    @app.context_processor
    def common() -> dict[str, Any]:
        there = [page for page in PAGES if page[0] in app.view_functions]
        return {
            "language": getattr(g, "language", "en"),
            "session": getattr(g, "session", None),
            "status": getattr(g, "status", None),
            "pages": there,
        }

    app.jinja_env.globals |= {"_": say, "STATES": STATES}  # macros see globals alone
    app.add_template_filter(_moment, "moment")
    app.add_template_filter(_ago, "ago")
    app.add_template_filter(_length, "length_of")
    app.add_template_filter(lambda mos: say(_quality(mos)) + (f" ({mos:.1f})" if mos else ""), "quality")


def _moment(unix_s: float) -> str:
    """For <time datetime>: the browser puts it into its own time zone."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds") if unix_s else ""


def _ago(unix_s: float) -> str:
    seconds = max(0, int(time.time() - unix_s))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _quality(mos: float | None) -> str:
    """The word of a listener (ITU-T P.800) for a score."""
    if mos is None:
        return "not measured"
    words = ((4.0, "good"), (3.6, "fair"), (3.1, "poor"))
    return next((word for least, word in words if mos >= least), "bad")


def _stumble(app: Flask) -> None:
    """Errors in the page's own words: what, what it costs, what to do."""
    from flask import render_template

    @app.errorhandler(GoneError)
    def gone(error: GoneError) -> tuple[str, int]:
        return render_template("gone.html", error=error), 503

    @app.errorhandler(RefusedWhole)
    def refused(error: RefusedWhole) -> tuple[str, int]:
        return render_template("refused.html", error=error), 409

    @app.errorhandler(GatewayError)
    def other(error: GatewayError) -> tuple[str, int]:
        return render_template("refused.html", error=error), 409

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[str, int] | AnyResponse:
        if error.response is not None:
            return cast(AnyResponse, error.response)
        return render_template("stumble.html", error=error), error.code or 500
