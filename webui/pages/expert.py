"""Expert: what the daemon would give an engineer, to look at. Twin: gatewayctl support."""

from typing import Any

from flask import Blueprint, render_template

from gateway.changes import GetSupport, SupportNow
from webui.pages.common import box

blueprint = Blueprint("expert", __name__, url_prefix="/expert")


@blueprint.route("/")
def page() -> Any:
    """Each part folded."""
    parts = box().ask(GetSupport(), SupportNow).parts
    return render_template("expert.html", twin="gatewayctl support", parts=parts)
