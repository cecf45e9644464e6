"""What happened, newest first. Twin: gatewayctl log."""

from typing import Any

from flask import Blueprint, render_template

blueprint = Blueprint("timeline", __name__, url_prefix="/timeline")


@blueprint.route("/")
def page() -> Any:
    """As far back as this page has listened; new lines come in live."""
    return render_template("timeline.html", twin="gatewayctl log")
