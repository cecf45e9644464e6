"""Backup, password, support, reset, decommission. Twins: gatewayctl backup, password, support, reset."""

import base64
import io
import tarfile
import time
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.changes import (
    AskPresence,
    BackupNow,
    Decommission,
    ExportBackup,
    FactoryReset,
    GetSupport,
    ImportBackup,
    SetPassword,
    SupportNow,
    TrialNow,
)
from gateway.messages import Done, Identify
from webui.box import RefusedWhole
from webui.pages.common import box, session, sessions

WHO = "the page"
PRESENCE_S = 70.0
BACKUP_S = 60.0
MAX_BACKUP_BYTES = 1 << 20

blueprint = Blueprint("system", __name__, url_prefix="/system")


@blueprint.route("/")
def page() -> Any:
    """All of it on one page."""
    said = session().kept.pop("system.said", "")
    return render_template("system.html", twin="gatewayctl --help", said=said)


@blueprint.route("/backup", methods=["POST"])
def export() -> Any:
    """The encrypted file."""
    passphrase = request.form.get("passphrase", "")
    try:
        made = box().ask(ExportBackup(passphrase=passphrase), BackupNow, BACKUP_S)
    except RefusedWhole as error:
        return _again(error)
    name = f"steadyline-{time.strftime('%Y-%m-%d')}.age"
    return _file(base64.b64decode(made.data), name, "application/octet-stream")


@blueprint.route("/restore", methods=["POST"])
def restore() -> Any:
    """A backup of this box or of another, on trial."""
    data = request.files["file"].read(MAX_BACKUP_BYTES + 1) if "file" in request.files else b""
    verb = ImportBackup(
        data=base64.b64encode(data).decode(), passphrase=request.form.get("passphrase", ""), who=WHO
    )
    try:
        box().ask(verb, TrialNow, BACKUP_S)
    except RefusedWhole as error:
        return _again(error)
    return redirect(url_for("settings.trial"), 303)


@blueprint.route("/password", methods=["POST"])
def password() -> Any:
    """A new password; every other session ends with the old one."""
    verb = SetPassword(password=request.form.get("new", ""), old=request.form.get("old", ""))
    try:
        box().ask(verb, Done, BACKUP_S)
    except RefusedWhole as error:
        return _again(error)
    sessions().close(session())
    return redirect(url_for("access.login"), 303)


@blueprint.route("/support.tar.gz")
def support() -> Any:
    """What an engineer needs to see."""
    parts = box().ask(GetSupport(), SupportNow, BACKUP_S).parts
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in parts.items():
            info = tarfile.TarInfo(f"support/{name}")
            info.size, info.mtime = len(text.encode()), int(time.time())
            archive.addfile(info, io.BytesIO(text.encode()))
    return _file(packed.getvalue(), "support.tar.gz", "application/gzip")


@blueprint.route("/identify", methods=["POST"])
def identify() -> Any:
    """Which box is it?"""
    return _done(Identify())


@blueprint.route("/reset", methods=["POST"])
def reset() -> Any:
    """It heals, and everybody has to log in anew."""
    if request.form.get("sure") != "yes":
        return redirect(url_for("system.page"), 303)
    return _done(FactoryReset(who=WHO))


@blueprint.route("/decommission", methods=["POST"])
def decommission() -> Any:
    """For good: the password, and somebody at the box."""
    try:
        proof = box().ask(AskPresence(why="Decommission this box for good"), Done, PRESENCE_S)
        verb = Decommission(
            who=WHO, password=request.form.get("password", ""), proof=str(proof.data["proof"])
        )
        said = box().ask(verb, Done, BACKUP_S).text
    except RefusedWhole as error:
        return _again(error)
    session().kept["system.said"] = said
    return redirect(url_for("system.page"), 303)


def _done(verb: Identify | FactoryReset) -> Any:
    try:
        session().kept["system.said"] = box().ask(verb, Done, BACKUP_S).text
    except RefusedWhole as error:
        return _again(error)
    return redirect(url_for("system.page"), 303)


def _again(error: RefusedWhole) -> AnyResponse:
    return Response(render_template("system.html", twin="gatewayctl --help", error=error), 422)


def _file(data: bytes, name: str, kind: str) -> Response:
    return Response(data, content_type=kind, headers={"Content-Disposition": f"attachment; filename={name}"})
