"""Phones: what each does now, and calls from the page. Twin: gatewayctl phones, dial, answer, hangup."""

from typing import Any

from flask import Blueprint, render_template, request

from gateway.messages import Answer, Dial, HangUp
from webui.pages.common import session, tell

blueprint = Blueprint("phones", __name__, url_prefix="/phones")


@blueprint.route("/")
def page() -> Any:
    """A card for each."""
    said = session().kept.pop("phones.said", "")
    return render_template("phones.html", twin="gatewayctl phones", said=said)


@blueprint.route("/<name>/dial", methods=["POST"])
def dial(name: str) -> Any:
    """Lift it and dial."""
    return tell(Dial(phone=name, digits=request.form.get("digits", "").strip()), "phones")


@blueprint.route("/<name>/answer", methods=["POST"])
def answer(name: str) -> Any:
    """Lift it while it rings."""
    return tell(Answer(phone=name), "phones")


@blueprint.route("/<name>/hangup", methods=["POST"])
def hang_up(name: str) -> Any:
    """Put it down."""
    return tell(HangUp(phone=name), "phones")
