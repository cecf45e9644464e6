"""What happened, newest first. Twin: gatewayctl log."""

import csv as csv_format
import io
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request

from gateway.records import EventRecord, EventsThen, GetEvents
from webui.pages.common import box

KINDS = (
    ("", "All"),
    ("switch", "Failovers"),
    ("uplink", "Lines"),
    ("call", "Calls"),
    ("fraud", "Calls stopped"),
    ("emergency", "Calls for help"),
    ("confirm", "Confirmations"),
    ("settings", "Settings"),
    ("system", "System"),
)
MOST_CSV_PAGES = 100

blueprint = Blueprint("timeline", __name__, url_prefix="/timeline")


@blueprint.route("/")
def page() -> Any:
    """One page of it; new lines come in live at the top."""
    chosen, before = request.args.get("kind", ""), request.args.get("before", 0, int)
    found = _events(chosen, before)
    return render_template(
        "timeline.html",
        twin="gatewayctl log",
        events=found.events,
        more=found.more,
        kinds=KINDS,
        chosen=chosen,
        before=before,
    )


@blueprint.route("/events.csv")
def csv() -> Response:
    """All of one kind."""
    text = io.StringIO()
    writer = csv_format.writer(text)
    writer.writerow(["time (UTC)", "kind", "line", "call", "text"])
    before = 0
    for _ in range(MOST_CSV_PAGES):
        found = _events(request.args.get("kind", ""), before, 500)
        writer.writerows(map(_row, found.events))
        if not found.more:
            break
        before = found.events[-1].record
    headers = {"Content-Disposition": "attachment; filename=timeline.csv"}
    return Response(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _events(kind: str, before: int, limit: int = 100) -> EventsThen:
    verb = GetEvents(before=before, limit=limit, kinds=(kind,) if kind else ())
    return box().ask(verb, EventsThen)


def _row(event: EventRecord) -> list[str]:
    at = datetime.fromtimestamp(event.at, UTC).isoformat(sep=" ", timespec="seconds")
    # A spreadsheet takes what begins with these for a formula.
    text = f"'{event.text}" if event.text.startswith(("=", "+", "-", "@")) else event.text
    return [at.removesuffix("+00:00"), event.kind, event.uplink, str(event.call or ""), text]
