"""Internet lines: what carries calls, what stands by, which address each has. Twin: gatewayctl uplinks."""

import time
from typing import Any

from flask import Blueprint, abort, render_template, request

from gateway.messages import ConfirmAddress, ObserveAddress, UseUplink
from gateway.records import GetSeries, Sample, SeriesThen
from webui.graph import if_it_died, spark
from webui.pages.common import box, session, status, tell

CONFIRM_S = 120.0
DAY_S = 86400.0
SPANS = (3, 24, 168, 720)
"""Hours."""
MUCH_LOSS = 0.03
MOST_BAD = 20

blueprint = Blueprint("lines", __name__, url_prefix="/lines")


@blueprint.route("/")
def page() -> Any:
    """Cards in the owner's order, each with its last day."""
    said = session().kept.pop("lines.said", "")
    until = time.time()
    now = status()
    days = {
        line.name: spark(_series(line.name, until - DAY_S, until), until - DAY_S, until)
        for line in now.uplinks
    }
    losses = {line.name: if_it_died(line, now.uplinks, now.calls) for line in now.uplinks}
    return render_template("lines.html", twin="gatewayctl uplinks", said=said, days=days, losses=losses)


@blueprint.route("/<name>")
def one(name: str) -> Any:
    """One line over a longer time. Without a script it is a picture and a table."""
    line = next((u for u in status().uplinks if u.name == name), None)
    if line is None:
        abort(404)
    hours = _hours()
    until = time.time()
    samples = _series(name, until - hours * 3600, until)
    return render_template(
        "line.html",
        twin=f"gatewayctl uplinks show {name}",
        line=line,
        hours=hours,
        spans=SPANS,
        day=spark(samples, until - hours * 3600, until),
        bad=[s for s in samples if s.usable < 1 or (s.loss or 0) >= MUCH_LOSS][-MOST_BAD:],
    )


@blueprint.route("/<name>/series.json")
def series(name: str) -> Any:
    """For the graph: times, delay, jitter (ms), loss (per cent); null where nothing was measured."""
    until = time.time()
    samples = _series(name, until - _hours() * 3600, until)
    loss = [None if s.loss is None else round(100 * s.loss, 2) for s in samples]
    columns = [
        [round(s.at) for s in samples], [s.rtt_ms for s in samples], [s.jitter_ms for s in samples], loss
    ]  # fmt: skip
    return {"columns": columns}


def _series(name: str, since: float, until: float) -> tuple[Sample, ...]:
    return box().ask(GetSeries(uplink=name, since=since, until=until), SeriesThen).samples


def _hours() -> int:
    wanted = request.args.get("hours", 24, int)
    return wanted if wanted in SPANS else 24


@blueprint.route("/<name>/use", methods=["POST"])
def use(name: str) -> Any:
    """Carry calls by this line; `auto`: choose by health again."""
    return tell(UseUplink(uplink="" if name == "auto" else name), "lines")


@blueprint.route("/<name>/test", methods=["POST"])
def test(name: str) -> Any:
    """Ask the provider now which address it sees."""
    return tell(ObserveAddress(uplink=name), "lines")


@blueprint.route("/<name>/confirm", methods=["POST"])
def confirm(name: str) -> Any:
    """Route a call to the confirmation number."""
    return tell(ConfirmAddress(uplink=name), "lines", CONFIRM_S)
