"""One screen: the verdict, what to do, three tiles. Twin: gatewayctl status."""

from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from gateway.changes import Seen
from gateway.messages import Done
from gateway.records import EventsThen, GetEvents
from webui.pages.common import box, status

LATEST = 4

blueprint = Blueprint("home", __name__)


@blueprint.route("/")
def page() -> Any:
    """The page; its live part is fetched by the same address. A box without settings is set up first."""
    if status().settings.origin == "none":
        return redirect(url_for("setup.page"))
    latest = box().ask(GetEvents(limit=LATEST), EventsThen).events
    return render_template("home.html", twin="gatewayctl status", latest=latest)


@blueprint.route("/seen", methods=["POST"])
def seen() -> Any:
    """The owner has read what the box did after its reset."""
    box().ask(Seen(), Done)
    return redirect(url_for("home.page"), 303)
