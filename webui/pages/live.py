"""Server-sent events for open pages."""

from typing import Any

from flask import Blueprint, Response, request

from webui.live import stream
from webui.pages.common import hub

blueprint = Blueprint("live", __name__)


@blueprint.route("/live")
def events() -> Any:
    """The stream; 503 when there are too many, and the page asks now and then instead."""
    try:
        after = int(request.headers.get("Last-Event-ID", "0"))
    except ValueError:
        after = 0
    page = hub().open(after)
    if page is None:
        return Response("too many open pages\n", 503, {"Retry-After": "5"})
    gone = request.environ.get("waitress.client_disconnected", lambda: False)
    headers = {"X-Accel-Buffering": "no"}
    return Response(stream(hub(), page, gone), content_type="text/event-stream", headers=headers)
