"""Which number is shown to whom, and the addresses to give the provider. Twin: gatewayctl callerid."""

from typing import Any

from flask import Blueprint, render_template, request

from gateway.messages import Done, ExplainNumber
from webui.box import RefusedWhole
from webui.pages.common import box

blueprint = Blueprint("trunk", __name__, url_prefix="/trunk")


@blueprint.route("/")
def page() -> Any:
    """With `digits`: what would be dialled and shown for them."""
    digits = request.args.get("digits", "").strip()[:64]
    explained, refused = "", None
    if digits:
        try:
            explained = box().ask(ExplainNumber(digits=digits), Done).text
        except RefusedWhole as error:
            refused = error
    return render_template(
        "trunk.html", twin="gatewayctl callerid test", digits=digits, explained=explained, error=refused
    )
