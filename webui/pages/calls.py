"""Calls: those that run, and the log. Twin: gatewayctl calls."""

from typing import Any

from flask import Blueprint, render_template, request

from gateway.records import CallsThen, GetCalls
from webui.pages.common import box

blueprint = Blueprint("calls", __name__, url_prefix="/calls")


@blueprint.route("/")
def page() -> Any:
    """Live calls, and one page of the log."""
    words = request.args.get("words", "")[:100]
    before = request.args.get("before", 0, int)
    found = box().ask(GetCalls(before=before, words=words), CallsThen)
    return render_template(
        "calls.html", twin="gatewayctl calls", calls=found.calls, more=found.more, words=words
    )
