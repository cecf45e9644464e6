"""The settings out of the box and into another: an encrypted file, or the same on paper."""

import argparse
import base64
import binascii
import time
from pathlib import Path
from typing import Final

from gateway import sheet as sheets
from gateway.changes import BackupNow, ExportBackup, ImportBackup
from gateway.client import Client
from gateway.ctl import DONE, changing
from gateway.ctl.parser import one_line
from gateway.ctl.talk import ask, connect, who
from gateway.ctl.terminal import can_be_new, note, print_json, read, secret, write_new
from gateway.errors import RefusedError, WireError

SEAL_S: Final = 60.0
"""Making a key of a passphrase takes long on purpose, longer on a small box."""
MAX_BYTES: Final = 700_000
"""What fits a message as base64."""
MIN_PASSPHRASE: Final = 10
_OPTION: Final = "name a file: --passphrase-file FILE"


def export(arguments: argparse.Namespace) -> int:
    """`backup export`"""
    can_be_new(arguments.file)
    passphrase = _new_passphrase(arguments)
    with connect(arguments) as client:
        data = _sealed(client, passphrase)
    write_new(arguments.file, data)
    return _written(arguments, [arguments.file], "Keep it and its passphrase apart from the box.")


def sheet(arguments: argparse.Namespace) -> int:
    """`backup sheet`"""
    file = Path(arguments.file)
    kind = file.suffix.lower()
    if kind not in (".html", ".svg", ".txt"):
        raise RefusedError(
            "its name does not tell what to write",
            where=str(file),
            remedy="Name FILE.html, FILE.svg or FILE.txt",
        )
    can_be_new(str(file))
    passphrase = _new_passphrase(arguments)
    from gateway import sheetpage

    with connect(arguments) as client:
        data = _sealed(client, passphrase)
        about = sheetpage.About(box_name(client), time.strftime("made %Y-%m-%d %H:%M"))
    if kind == ".txt":
        texts = {str(file): sheetpage.text(data, about)}
    elif kind == ".html":
        texts = {str(file): sheetpage.document(data, about)}
    else:
        pages = sheetpage.pages(data, about)
        names = [str(file), *(str(file.with_stem(f"{file.stem}-{n}")) for n in range(2, len(pages) + 1))]
        texts = dict(zip(names, pages, strict=True))
    for name in texts:
        can_be_new(name)
    for name, text in texts.items():
        write_new(name, text.encode())
    return _written(arguments, list(texts), "Print it, and write the passphrase down somewhere else.")


def take(arguments: argparse.Namespace) -> int:
    """`backup import`"""
    data = read(arguments.file, max_bytes=MAX_BYTES)
    if sheets.is_sheet(data):
        data = sheets.read(data.decode(errors="replace"), arguments.file)
    if not data:
        raise RefusedError("is empty", where=arguments.file, remedy="Is it the right file?")
    text = base64.b64encode(data).decode()
    passphrase = secret("Passphrase of the backup", file=arguments.passphrase_file, option=_OPTION)

    def make(look: bool) -> ImportBackup:
        return ImportBackup(
            data=text, passphrase=passphrase, who=who(), only_look=look, seconds=arguments.seconds
        )

    with connect(arguments) as client:
        return changing.carry_out(arguments, client, make)


def _new_passphrase(arguments: argparse.Namespace) -> str:
    question = "Passphrase for the backup"
    passphrase = secret(question, file=arguments.passphrase_file, option=_OPTION, again=True)
    if len(passphrase) < MIN_PASSPHRASE:
        raise RefusedError(
            f"shorter than {MIN_PASSPHRASE} characters", where="passphrase", remedy="Take four or more words"
        )
    return passphrase


def _sealed(client: Client, passphrase: str) -> bytes:
    answer = ask(client, ExportBackup(passphrase=passphrase), BackupNow, SEAL_S)
    try:
        return base64.b64decode(answer.data, validate=True)
    except binascii.Error:
        raise WireError(
            "the backup is no base64", where="daemon", remedy="Use programs of one version"
        ) from None


def box_name(client: Client) -> str:
    """The name of the box, out of its settings."""
    import tomllib

    try:
        name = tomllib.loads(changing.in_force(client).text)["appliance"]["name"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return "this box"
    return str(name)


def _written(arguments: argparse.Namespace, files: list[str], advice: str) -> int:
    if arguments.json:
        print_json({"files": [one_line(file) for file in files]})
    else:
        print(f"Written: {', '.join(files)}")
        note(advice)
    return DONE
