"""Internet lines: what carries calls, what stands by, which address each has. Twin: gatewayctl uplinks."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from gateway.messages import ConfirmAddress, Done, ObserveAddress, UseUplink
from webui.box import RefusedWhole
from webui.pages.common import box, session

CONFIRM_S = 120.0

blueprint = Blueprint("lines", __name__, url_prefix="/lines")


@blueprint.route("/")
def page() -> Any:
    """Cards in the owner's order."""
    said = session().kept.pop("lines.said", "")
    return render_template("lines.html", twin="gatewayctl uplinks", said=said)


@blueprint.route("/<name>/use", methods=["POST"])
def use(name: str) -> Any:
    """Carry calls by this line; `auto`: choose by health again."""
    return _do(UseUplink(uplink="" if name == "auto" else name))


@blueprint.route("/<name>/test", methods=["POST"])
def test(name: str) -> Any:
    """Ask the provider now which address it sees."""
    return _do(ObserveAddress(uplink=name))


@blueprint.route("/<name>/confirm", methods=["POST"])
def confirm(name: str) -> Any:
    """Route a call to the confirmation number."""
    return _do(ConfirmAddress(uplink=name), CONFIRM_S)


def _do(verb: UseUplink | ObserveAddress | ConfirmAddress, timeout_s: float = 15.0) -> Any:
    try:
        said = box().ask(verb, Done, timeout_s).text
    except RefusedWhole as error:
        said = f"{error.what}. {error.remedy}"
    session().kept["lines.said"] = said
    if request.headers.get("HX-Request"):
        return page()
    return redirect(url_for("lines.page"), 303)
