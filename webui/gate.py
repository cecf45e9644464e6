"""Law: nothing is changed without a login, the session's token and an address that is ours (CSRF,
DNS rebinding); nothing is shown without a login, but for what leads to one.

A page of another origin that names us by a foreign host name is refused: rebinding needs a name, so addresses
are always fine.
"""

import hmac
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webui.box import Box
from webui.sessions import Session, Sessions

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; manifest-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def guard(
    app: Flask,
    box: Box,
    sessions: Sessions,
    names: Callable[[], Iterable[str]],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Put the checks before every view of `app`, and the headers on every answer. `names`: host names that
    the page may be called by. A view opts out of the login by `open_to_all`."""

    def before() -> AnyResponse | None:
        if not host_is_ours(request.host, names):
            abort(421, "This page is not served under that name. Use the box's address.")
        g.session = sessions.find(request.cookies.get(cookie(), ""), clock())
        view = app.view_functions.get(request.endpoint or "")
        if request.method not in SAFE and not getattr(view, "bears_token", False):
            refuse_foreign()
        if request.endpoint == "static" or getattr(view, "open_to_all", False):
            return None
        if getattr(view, "bears_token", False):
            return None
        g.status = box.status()
        if not g.status.settings.access:
            return redirect(url_for("access.first"))
        if g.session is None or g.session.access != g.status.settings.access:
            if request.headers.get("HX-Request"):
                return Response(status=401, headers={"HX-Redirect": url_for("access.login")})
            return redirect(url_for("access.login", next=request.full_path.rstrip("?")))
        return None

    def after(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.before_request(before)
    app.after_request(after)


P = ParamSpec("P")
R = TypeVar("R")


def open_to_all(view: Callable[P, R]) -> Callable[P, R]:
    """This view needs no login."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def cookie() -> str:
    """The name of the session's cookie: with __Host- a browser takes it from this very host by TLS alone."""
    return "__Host-session" if request.is_secure else "session"


def remember(response: AnyResponse, session: Session) -> AnyResponse:
    """Hand the browser its session."""
    response.set_cookie(
        cookie(), session.name, secure=request.is_secure, httponly=True, samesite="Strict", path="/"
    )
    return response


def refuse_foreign() -> None:
    """A change must come from a page of ours, with the token of its session."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, "This change was asked for by a page of another site.")
    if origin is None and request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "This change was asked for by a page of another site.")
    session: Session | None = g.session
    given = request.form.get("token", "") or request.headers.get("X-Token", "")
    if session is None or not hmac.compare_digest(session.token.encode(), given.encode()):
        abort(403, "This form is from an older session. Open the page again.")


def host_is_ours(host: str, names: Callable[[], Iterable[str]]) -> bool:
    """`host` as in the Host header, with or without port. `names` are asked for when it is no address."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ip_address(name.partition("%")[0])
        return True
    except ValueError:
        return name == "localhost" or name.rstrip(".") in {known.lower() for known in names()}
