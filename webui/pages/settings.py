"""Settings: forms by section, the difference, a trial that returns by itself. Twin: gatewayctl settings."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import editing, tomltext
from gateway.changes import (
    DropTrial,
    GetHistory,
    GetSettings,
    GetTrial,
    HistoryNow,
    KeepTrial,
    RollBack,
    SettingsNow,
    TrialNow,
    TrySettings,
)
from gateway.errors import GatewayError, RefusedError, SettingsError
from gateway.forms import Json
from gateway.messages import Done
from webui import forms
from webui.box import RefusedWhole
from webui.forms import Form
from webui.pages.common import box, session

WHO = "the page"
TWIN = "gatewayctl settings edit"

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


@blueprint.route("/")
def page() -> Any:
    """All sections, and what is being changed."""
    return render_template("settings.html", twin=TWIN, sections=forms.sections(), draft=_draft_exists())


@blueprint.route("/in/<path:path>", methods=["GET", "POST"])
def section(path: str) -> Any:
    """One section: as a form, or as a list of its items."""
    text, _ = _text()
    raw = forms.read(text)
    try:
        shown = forms.form(path, raw)
    except LookupError:
        return _list(path, raw)
    if request.method == "GET":
        return render_template("section.html", twin=TWIN, form=shown)
    return _take(shown, raw, lambda: forms.changed(text, shown, request.form.to_dict(flat=False)))


@blueprint.route("/add/<path:path>", methods=["GET", "POST"])
def add(path: str) -> Any:
    """One more item of a list; `kind` chooses what it is."""
    text, _ = _text()
    kind = request.values.get("kind", "")
    try:
        shown = forms.blank(path, kind)
    except (LookupError, KeyError):
        abort(404)
    if request.method == "GET":
        return render_template("section.html", twin=TWIN, form=shown, kind=kind, new=True)
    given = request.form.to_dict(flat=False)
    return _take(shown, forms.read(text), lambda: forms.added(text, path, kind, given), kind=kind, new=True)


@blueprint.route("/remove/<path:path>", methods=["POST"])
def remove(path: str) -> Any:
    """An item, or a section that may be left out."""
    return _edit(lambda text: editing.unset(text, path))


@blueprint.route("/move/<path:path>", methods=["POST"])
def move(path: str) -> Any:
    """An item of an ordered list, up or down."""
    above = tomltext.path(tomltext.parts(path)[:-1])

    def moved(text: str) -> str:
        names = [item.path for item in forms.several(above, forms.read(text)).items]
        to = names.index(path) + (-1 if request.form.get("way") == "up" else 1)
        return editing.move(text, path, min(max(to, 0), len(names) - 1))

    return _edit(moved)


# --- draft, difference, trial -----------------------------------------------------------------------


@blueprint.route("/review")
def review() -> Any:
    """What the draft changes, and which calls that touches; nothing is in force yet."""
    if not _draft_exists():
        return redirect(url_for("settings.page"))
    text, base = _text()
    try:
        looked = box().ask(TrySettings(text=text, base=base, who=WHO, only_look=True), TrialNow)
    except RefusedWhole as error:
        return render_template("review.html", twin=TWIN, error=error, trial=None), 422
    return render_template("review.html", twin=TWIN, trial=looked.trial)


@blueprint.route("/apply", methods=["POST"])
def apply() -> Any:
    """Put the draft in force on trial."""
    text, base = _text()
    try:
        box().ask(TrySettings(text=text, base=base, who=WHO, why=request.form.get("why", "")), TrialNow, 60)
    except RefusedWhole as error:
        return render_template("review.html", twin=TWIN, error=error, trial=None), 422
    _forget_draft()
    return redirect(url_for("settings.trial"), 303)


@blueprint.route("/drop-draft", methods=["POST"])
def drop_draft() -> Any:
    """Forget what was not applied."""
    _forget_draft()
    return redirect(url_for("settings.page"), 303)


@blueprint.route("/trial")
def trial() -> Any:
    """The change that is on trial: keep it, or let it return."""
    now = box().ask(GetTrial(), TrialNow).trial
    return render_template("trial.html", twin="gatewayctl trial show", trial=now)


@blueprint.route("/trial/keep", methods=["POST"])
def keep() -> Any:
    """The page still reaches the box, and the owner likes what he sees."""
    box().ask(KeepTrial(trial=request.form.get("trial", "")), Done)
    return redirect(url_for("settings.history"), 303)


@blueprint.route("/trial/drop", methods=["POST"])
def drop() -> Any:
    """Back to what was."""
    box().ask(DropTrial(trial=request.form.get("trial", "")), Done, 60)
    return redirect(url_for("settings.page"), 303)


@blueprint.route("/history")
def history() -> Any:
    """Every confirmed state; any can be had again."""
    known = box().ask(GetHistory(), HistoryNow).revisions
    return render_template("revisions.html", twin="gatewayctl settings history", revisions=known)


@blueprint.route("/history/<int:revision>", methods=["POST"])
def roll_back(revision: int) -> Any:
    """An older state, as a trial."""
    box().ask(RollBack(revision=revision, who=WHO), TrialNow, 60)
    return redirect(url_for("settings.trial"), 303)


def _text() -> tuple[str, int]:
    """The text to work on: the draft, else what is in force; and the revision that it was made from."""
    kept = session().kept
    if "draft" in kept:
        return kept["draft"], int(kept["base"])
    now = box().ask(GetSettings(), SettingsNow)
    return now.text, now.revision


def _draft_exists() -> bool:
    return "draft" in session().kept


def _forget_draft() -> None:
    session().kept.pop("draft", None)
    session().kept.pop("base", None)


def _keep_draft(text: str, base: int) -> None:
    session().kept |= {"draft": text, "base": str(base)}


def _edit(change: Any) -> Response:
    text, base = _text()
    new = change(text)
    if new != text:
        _keep_draft(new, base)
    return redirect(url_for("settings.review"), 303)


def _take(shown: Form, raw: Json, change: Any, **more: Any) -> Any:
    """Put what was filled in into the draft; a fault is shown at its field, and nothing is kept."""
    text, base = _text()
    try:
        new = change()
        if new == text:
            return redirect(url_for("settings.review" if _draft_exists() else "settings.page"), 303)
        box().ask(TrySettings(text=new, base=base, who=WHO, only_look=True), TrialNow)
    except RefusedWhole as error:
        wrong = {p.path: f"{p.what}. {p.remedy}." for p in error.refused.problems}
        return _once_more(forms.with_problems(shown, forms.read(new), wrong), error, more)
    except (SettingsError, RefusedError) as error:
        return _once_more(shown, error, more)
    except ValueError as error:
        return _once_more(shown, GatewayError(str(error), where=shown.title, remedy="Correct it"), more)
    _keep_draft(new, base)
    return redirect(url_for("settings.review"), 303)


def _once_more(shown: Form, error: GatewayError, more: dict[str, Any]) -> Any:
    """The form as it was filled in, with what is wrong."""
    shown = forms.refilled(shown, request.form.to_dict(flat=False))
    return render_template("section.html", twin=TWIN, form=shown, error=error, **more), 422


def _list(path: str, raw: Json) -> Any:
    try:
        items = forms.several(path, raw)
    except (LookupError, KeyError):
        abort(404)
    return render_template("items.html", twin=TWIN, several=items)
