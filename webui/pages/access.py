"""Logging in, the first password, logging out. Twin: gatewayctl password."""

import time
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway.changes import AskPresence, CheckPassword, SetPassword
from gateway.messages import Done
from webui import gate
from webui.box import RefusedWhole
from webui.pages.common import box, session, sessions, status

PRESENCE_S = 70.0
SHORTEST = 10
"""Characters of a password."""

blueprint = Blueprint("access", __name__)


@blueprint.route("/login")
@gate.open_to_all
def login() -> Any:
    """The form; leads to the first password when none is set."""
    if not status().settings.access:
        return redirect(url_for("access.first"))
    return _form("login.html", next=_own(request.args.get("next", "")))


@blueprint.route("/login", methods=["POST"])
@gate.open_to_all
def log_in() -> Any:
    """Check the password: the daemon counts wrong ones, also across restarts."""
    following = _own(request.form.get("next", ""))
    try:
        done = box().ask(CheckPassword(password=request.form.get("password", "")), Done)
    except RefusedWhole as error:
        return _form("login.html", 422, next=following, error=error)
    return _enter(str(done.data["access"]), following or url_for("home.page"))


@blueprint.route("/first")
@gate.open_to_all
def first() -> Any:
    """The first password, or a new one after the button has voided the old: with proof of presence."""
    if status().settings.access:
        return redirect(url_for("access.login"))
    return _form("first.html", proof=bool(_session_or_none() and session().kept.get("proof")))


@blueprint.route("/first/presence", methods=["POST"])
@gate.open_to_all
def presence() -> Any:
    """Wait for the tap of the button: a minute at most."""
    try:
        done = box().ask(AskPresence(why="Set the password of the page"), Done, PRESENCE_S)
    except RefusedWhole as error:
        return _form("first.html", 422, proof=False, error=error)
    session().kept["proof"] = str(done.data["proof"])
    return redirect(url_for("access.first"))


@blueprint.route("/first", methods=["POST"])
@gate.open_to_all
def set_first() -> Any:
    """Set it and enter."""
    password, again = request.form.get("password", ""), request.form.get("again", "")
    problem = ""
    if len(password) < SHORTEST:
        problem = "The password is too short: take at least 10 characters. Three words will do."
    elif password != again:
        problem = "The two are not the same. Type them again."
    if problem:
        return _form("first.html", 422, proof=True, problem_text=problem)
    proof = session().kept.pop("proof", "")
    try:
        box().ask(SetPassword(password=password, proof=proof), Done)
        done = box().ask(CheckPassword(password=password), Done)
    except RefusedWhole as error:
        return _form("first.html", 422, proof=False, error=error)
    return _enter(str(done.data["access"]), url_for("home.page"))


@blueprint.route("/logout", methods=["POST"])
def log_out() -> Any:
    """End the session."""
    sessions().close(session())
    return redirect(url_for("access.login"))


def _session_or_none() -> Any:
    return getattr(g, "session", None)


def _form(template: str, code: int = 200, **values: Any) -> Response:
    """A form before the login: it has a session of its own, for its token."""
    fresh = g.session is None
    if fresh:
        g.session = sessions().open("", time.monotonic())
    response = Response(render_template(template, **values), code, content_type="text/html; charset=utf-8")
    return gate.remember(response, g.session) if fresh else response


def _enter(access: str, following: str) -> Response:
    opened = sessions().open(access, time.monotonic(), instead_of=g.session)
    return gate.remember(redirect(following, 303), opened)


def _own(address: str) -> str:
    """`address` when it is a path of ours, else nothing: a login leads nowhere else."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if safe else ""
