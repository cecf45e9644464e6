"""The first set-up, in the order of the provider's own form. Twins: gatewayctl settings, trunk, dial.

Law: every step is kept on the box as soon as it is sent, and can be gone back to; where somebody left off is
read from what is kept and from what the box says of itself. Nothing is in force before the numbers are in.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for

from gateway import editing
from gateway.changes import GetSettings, KeepTrial, SettingsNow, TrialNow, TrySettings
from gateway.errors import GatewayError, SettingsError
from gateway.messages import (
    DevicesNow,
    Dial,
    Done,
    ExplainNumber,
    GetDevices,
    GetRecording,
    HangUp,
    RecordingNow,
    Refused,
    UseUplink,
)
from webui import forms
from webui.box import RefusedWhole
from webui.confirming import Confirming
from webui.draft import Draft
from webui.forms import Form
from webui.pages.common import box, session, status

WHO: Final = "the page"
EMPTY: Final = "schema = 2\n"
APPLY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """`asks`: the section of the settings that it fills in, and the values of it that it asks for."""

    name: str
    title: str
    asks: str = ""
    values: tuple[str, ...] = ()


STEPS: Final = (
    Step("box", "The box", "appliance", ("name", "country", "language", "time_zone")),
    Step("lines", "Internet lines", "uplinks"),
    Step("trunk", "The trunk", "trunk", ("server", "login", "networks")),
    Step("numbers", "Your numbers", "trunk", ("default_caller_id", "caller_ids", "asterisk")),
    Step("addresses", "Confirm the addresses"),
    Step("phones", "Phones"),
    Step("call", "A test call"),
    Step("cable", "Pull the cable"),
    Step("sheet", "Keep it safe"),
)
LINE_VALUES: Final = (
    *("name", "device", "dhcp", "addresses", "gateways", "resolvers", "public_address", "metered"),
)
BEFORE: Final = 4
"""So many steps fill in settings; the others need them in force."""

blueprint = Blueprint("setup", __name__, url_prefix="/setup")


def draft() -> Draft:
    """What is filled in so far."""
    return cast(Draft, current_app.extensions["draft"])


def confirming() -> Confirming:
    """The confirmation calls."""
    return cast(Confirming, current_app.extensions["confirming"])


@blueprint.route("/")
def page() -> Any:
    """Go on where it was left."""
    done = _done()
    following = next((step for step in STEPS if step.name not in done), STEPS[-1])
    return redirect(url_for("setup.step", name=following.name))


@blueprint.route("/<name>")
def step(name: str) -> Any:
    """One step."""
    return _show(_step(name))


@blueprint.route("/box", methods=["POST"], defaults={"name": "box"})
@blueprint.route("/trunk", methods=["POST"], defaults={"name": "trunk"})
@blueprint.route("/numbers", methods=["POST"], defaults={"name": "numbers"})
def fill(name: str) -> Any:
    """Values of one section."""
    here = _step(name)
    shown, given = _form(here), request.form.to_dict(flat=False)
    refusal = _take(here.asks, here.values, lambda text: forms.changed(text, shown, given))
    if refusal:
        return _show(here, replace_form=forms.refilled(_marked(shown, refusal), given), error=refusal), 422
    if name == "numbers":
        return _apply(here)
    return redirect(url_for("setup.step", name=_after(here).name), 303)


@blueprint.route("/lines/add", methods=["POST"])
def add_line() -> Any:
    """One more line."""
    here = _step("lines")
    given = request.form.to_dict(flat=False)
    # What the step does not ask for stays as it would be by itself.
    given |= {
        f.key: ["on"]
        for f in forms.blank("uplinks", "").fields
        if f.shown is True and f.key not in LINE_VALUES
    }
    refusal = _take("uplinks", (), lambda text: forms.added(text, "uplinks", "", given))
    if refusal:
        blank = forms.refilled(_marked(_only(forms.blank("uplinks", ""), LINE_VALUES), refusal), given)
        return _show(here, replace_form=blank, error=refusal), 422
    return redirect(url_for("setup.step", name="lines"), 303)


@blueprint.route("/lines/remove", methods=["POST"])
def remove_line() -> Any:
    """Not this one."""
    text = _text()
    names = [item.path for item in forms.several("uplinks", forms.read(text)).items]
    if (path := request.form.get("path", "")) in names:
        draft().keep(editing.unset(text, path))
    return redirect(url_for("setup.step", name="lines"), 303)


@blueprint.route("/lines/up", methods=["POST"])
def raise_line() -> Any:
    """The main line stands first."""
    text = _text()
    names = [item.path for item in forms.several("uplinks", forms.read(text)).items]
    if (path := request.form.get("path", "")) in names:
        draft().keep(editing.move(text, path, max(0, names.index(path) - 1)))
    return redirect(url_for("setup.step", name="lines"), 303)


@blueprint.route("/keep", methods=["POST"])
def keep() -> Any:
    """The page still reaches the box under its new settings."""
    box().ask(KeepTrial(trial=request.form.get("trial", "")), Done)
    draft().forget_text()
    return redirect(url_for("setup.step", name="addresses"), 303)


@blueprint.route("/addresses/confirm/<uplink>", methods=["POST"])
def confirm(uplink: str) -> Any:
    """Route a call to the confirmation number by this line; the page shows how it goes."""
    if uplink not in {line.name for line in status().uplinks}:
        abort(404)
    confirming().begin(uplink)
    return redirect(url_for("setup.step", name="addresses"), 303)


@blueprint.route("/addresses/heard/<uplink>", methods=["POST"])
def heard(uplink: str) -> Any:
    """What it said, in the owner's word: a provider may answer and still not confirm."""
    what = request.form.get("what", "")
    if uplink not in {line.name for line in status().uplinks} or what not in ("confirmed", "other"):
        abort(404)
    draft().hear(uplink, what)
    return redirect(url_for("setup.step", name="addresses"), 303)


@blueprint.route("/addresses/heard/<uplink>.wav")
def recording(uplink: str) -> Any:
    """What the confirmation number said on this line."""
    data = base64.b64decode(box().ask(GetRecording(uplink=uplink), RecordingNow).data)
    return Response(data, content_type="audio/wav")


@blueprint.route("/call/dial", methods=["POST"])
def dial() -> Any:
    """The test call."""
    return _do(
        "call", Dial(phone=request.form.get("phone", ""), digits=request.form.get("digits", "").strip())
    )


@blueprint.route("/call/hangup", methods=["POST"])
def hang_up() -> Any:
    """End it."""
    return _do("call", HangUp(phone=request.form.get("phone", "")))


@blueprint.route("/cable/auto", methods=["POST"])
def by_health() -> Any:
    """No standing order of a line: the best one carries calls."""
    return _do("cable", UseUplink(uplink=""))


@blueprint.route("/done/<name>", methods=["POST"])
def finish(name: str) -> Any:
    """Seen through, or passed over."""
    here = _step(name)
    draft().finish(here.name)
    last = here is STEPS[-1]
    return redirect(url_for("home.page") if last else url_for("setup.step", name=_after(here).name), 303)


# --- what a step shows ------------------------------------------------------------------------------


def _show(here: Step, *, replace_form: Form | None = None, error: GatewayError | None = None) -> str:
    if STEPS.index(here) >= BEFORE and not _in_force():
        return str(
            render_template("setup/early.html", **_frame(here), twin="gatewayctl status")
        )  # a bookmark of a later step
    more: dict[str, Any] = {}
    match here.name:
        case "lines":
            raw = forms.read(_text())
            more["lines"] = forms.several("uplinks", raw).items
            more["devices"] = box().ask(GetDevices(), DevicesNow).devices
            more["taken"] = {str(line.get("device")) for line in raw.get("uplinks", ())}
            shown = _only(forms.blank("uplinks", ""), LINE_VALUES)
            if not more["lines"]:
                shown = _prefilled(shown, {"name": "main"})
            more["form"] = replace_form or shown
        case "addresses":
            more["calls"], more["heard"] = confirming().now(), draft().heard()
        case "numbers":
            more["form"] = replace_form or _form(here)
            more |= _explained()
        case "box" | "trunk":
            more["form"] = replace_form or _form(here)
        case "call" | "cable":
            more["said"] = session().kept.pop("setup.said", "")
        case _:
            pass
    twins = {"addresses": "gatewayctl trunk confirm", "call": "gatewayctl dial", "cable": "gatewayctl log"}
    twin = twins.get(here.name, "gatewayctl settings edit")
    return render_template(f"setup/{here.name}.html", twin=twin, error=error, **_frame(here), **more)


def _frame(here: Step) -> dict[str, Any]:
    return {"here": here, "steps": STEPS, "done": _done(), "number": STEPS.index(here) + 1}


def _explained() -> dict[str, str]:
    """How numbers would be shown; what is in force decides, so it is known only once something is."""
    digits = request.args.get("digits", "").strip()[:64]
    explained = ""
    if digits:
        try:
            explained = box().ask(ExplainNumber(digits=digits), Done).text
        except RefusedWhole as error:
            explained = f"{error.what}. {error.remedy}."
    return {"digits": digits, "explained": explained}


def _done() -> set[str]:
    """The steps that are behind us."""
    done = draft().done()
    raw = forms.read(_text())
    filled = {
        "box": bool(raw.get("appliance", {}).get("country")),
        "lines": (bool(raw.get("uplinks")) and "lines" in done) or _in_force(),
        "trunk": bool(raw.get("trunk", {}).get("server")),
        "numbers": _in_force(),
        "addresses": all(line.confirmed_at for line in status().uplinks) and bool(status().uplinks),
    }
    return {name for name, is_so in filled.items() if is_so} | (done - {"box", "lines", "trunk", "numbers"})


# --- settings on their way ----------------------------------------------------------------------------


def _in_force() -> bool:
    return status().settings.origin != "none"


def _text() -> str:
    """As far as it is filled in; else what is in force."""
    if kept := draft().text():
        return kept
    return box().ask(GetSettings(), SettingsNow).text or EMPTY


def _step(name: str) -> Step:
    found = next((one for one in STEPS if one.name == name), None)
    if found is None:
        abort(404)
    return found


def _after(here: Step) -> Step:
    return STEPS[min(STEPS.index(here) + 1, len(STEPS) - 1)]


def _form(here: Step) -> Form:
    return _only(forms.form(here.asks, forms.read(_text())), here.values)


def _only(shown: Form, values: Sequence[str]) -> Form:
    """These of its fields, in this order, none folded away."""
    by_key = {field.key: field for field in shown.fields}
    return replace(shown, fields=tuple(replace(by_key[key], expert=False) for key in values if key in by_key))


def _prefilled(shown: Form, values: Mapping[str, str]) -> Form:
    fields = [replace(field, shown=values.get(field.key, field.shown)) for field in shown.fields]
    return replace(shown, fields=tuple(fields))


def _take(section: str, values: Sequence[str], change: Any) -> GatewayError | None:
    """Keep the change; or give what is wrong with it in this section. Other sections may still be missing."""
    try:
        new = change(_text())
        box().ask(TrySettings(text=new, base=status().settings.revision, who=WHO, only_look=True), TrialNow)
    except RefusedWhole as error:
        ours = tuple(
            p
            for p in error.refused.problems
            if p.path.partition(".")[0].partition("[")[0] == section
            and (p.path != section or not values)
            and (not values or p.path.split(".")[1] in values)
        )
        if not error.refused.problems:
            return error
        if ours:
            what, remedy = "something here is not right yet", "Correct what is marked"
            return RefusedWhole(Refused(what=what, where=section, remedy=remedy, problems=ours))
    except SettingsError as error:
        return error
    except ValueError as error:
        return GatewayError(str(error), where=section, remedy="Correct it")
    draft().keep(new)
    return None


def _marked(shown: Form, error: GatewayError) -> Form:
    """The form with what is wrong beside its fields."""
    if not isinstance(error, RefusedWhole):
        return shown
    wrong = [(set(p.path.split(".")), f"{p.what}. {p.remedy}.") for p in error.refused.problems]
    fields = [
        replace(field, problem=next((said for parts, said in wrong if field.key in parts), ""))
        for field in shown.fields
    ]
    return replace(shown, fields=tuple(fields))


def _apply(here: Step) -> Any:
    """Everything is there: put it in force, on trial until this browser says that it reaches the box."""
    text = _text()
    try:
        now = box().ask(
            TrySettings(text=text, base=status().settings.revision, who=WHO, why="Set-up"), TrialNow, APPLY_S
        )
    except RefusedWhole as error:
        return _show(here, error=error), 422
    if now.trial is None or not now.trial.trial:
        return redirect(url_for("setup.step", name="addresses"), 303)
    return render_template("setup/applied.html", trial=now.trial, twin="gatewayctl trial", **_frame(here))


def _do(name: str, verb: Dial | HangUp | UseUplink) -> Any:
    try:
        said = box().ask(verb, Done).text
    except RefusedWhole as error:
        said = f"{error.what}. {error.remedy}."
    session().kept["setup.said"] = said
    return redirect(url_for("setup.step", name=name), 303)
