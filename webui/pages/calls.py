"""Calls: those that run, the log, and one call explained. Twin: gatewayctl calls."""

from typing import Any, Final

from flask import Blueprint, abort, render_template, request

from gateway.records import CallsThen, GetCalls, GetSeries, SeriesThen
from webui.diagnosis import diagnose
from webui.pages.common import box

MINUTE_S: Final = 60.0

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


@blueprint.route("/<int:record>")
def one(record: int) -> Any:
    """What became of it, and how its line did meanwhile."""
    if record >= 2**62:
        abort(404)
    found = box().ask(GetCalls(before=record + 1, limit=1), CallsThen).calls
    if not found or found[0].record != record:
        abort(404)
    call = found[0]
    since = call.started_at - call.started_at % MINUTE_S
    samples = (
        box().ask(
            GetSeries(uplink=call.uplink, since=since, until=max(call.ended_at, since + 1), points=60),
            SeriesThen,
        )
        if call.uplink
        else None
    )
    during = samples.samples if samples else ()
    return render_template(
        "call.html", twin="gatewayctl calls", call=call, samples=during, found=diagnose(call, during)
    )
