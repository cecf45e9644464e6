"""Phones: what each does now, and calls from the page. Twin: gatewayctl phones, dial, answer, hangup."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from gateway.messages import Answer, Dial, Done, HangUp, Verb
from webui.box import RefusedWhole
from webui.pages.common import box, session

blueprint = Blueprint("phones", __name__, url_prefix="/phones")


@blueprint.route("/")
def page() -> Any:
    """A card for each."""
    said = session().kept.pop("phones.said", "")
    return render_template("phones.html", twin="gatewayctl phones", said=said)


@blueprint.route("/<name>/dial", methods=["POST"])
def dial(name: str) -> Any:
    """Lift it and dial."""
    return _do(Dial(phone=name, digits=request.form.get("digits", "").strip()))


@blueprint.route("/<name>/answer", methods=["POST"])
def answer(name: str) -> Any:
    """Lift it while it rings."""
    return _do(Answer(phone=name))


@blueprint.route("/<name>/hangup", methods=["POST"])
def hang_up(name: str) -> Any:
    """Put it down."""
    return _do(HangUp(phone=name))


def _do(verb: Verb) -> Any:
    try:
        said = box().ask(verb, Done).text
    except RefusedWhole as error:
        said = f"{error.what}. {error.remedy}"
    session().kept["phones.said"] = said
    return redirect(url_for("phones.page"), 303)
