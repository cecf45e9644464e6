"""The settings from the command line: look, change by parts or whole, compare, go back.

Comments of the file stay; a secret that was not touched stays too, although it is never shown (KEPT).
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Final

from gateway.changes import GetHistory, HistoryNow, RollBack, SettingsNow, TrialNow, TrySettings
from gateway.client import Client
from gateway.ctl import DONE, changing, programs, tables
from gateway.ctl.talk import ask, connect, who
from gateway.ctl.terminal import Wrong, attended, line, named, note, print_json, read_text, secret
from gateway.errors import GatewayError, RefusedError, SettingsError

MAX_BYTES: Final = 1 << 20
_BEGINNING: Final = """\
# The settings of a Steadyline box. What may stand here: gatewayctl settings schema
schema = 2
"""


def show(arguments: argparse.Namespace) -> int:
    """`settings show`"""
    with connect(arguments) as client:
        now = changing.in_force(client, arguments.revision)
    if arguments.json:
        print_json(now)
        return DONE
    for remark in now.notes:
        note(remark)
    if not now.text:
        note("There are no settings yet. Write some: gatewayctl settings edit")
    print(now.text, end="" if now.text.endswith("\n") else "\n" if now.text else "")
    return DONE


# --- by parts ---------------------------------------------------------------------------------------------


def set_values(arguments: argparse.Namespace) -> int:
    """`settings set`"""
    from gateway import editing

    pairs = [_pair(word, arguments.secret_file) for word in arguments.pairs]
    with connect(arguments) as client:
        now = existing(client)
        text = now.text
        for path, value in pairs:
            text = editing.set_value(text, path, value)
        return changing.carry_out(arguments, client, changing.to_text(arguments, text, now.revision))


def _pair(word: str, secret_file: str | None) -> tuple[str, object]:
    """PATH=VALUE; a PATH alone is a secret, which is asked for. Raises Wrong for a secret in the open."""
    from gateway import editing, masking

    path, equals, value = word.partition("=")
    path = path.strip()
    if not path:
        raise Wrong(
            f"{word[:40]!r} names no setting", where="settings set", remedy="Write it like trunk.login=4444"
        )
    if masking.is_secret(path):
        if equals:
            raise Wrong(
                "a secret is not taken from the command line, where others can read it",
                where=path,
                remedy="Leave its value out, and you are asked for it (or name a file: --secret-file FILE)",
            )
        typed = secret(f"New value of {path}", file=secret_file, option="name a file: --secret-file FILE")
        return path, typed
    if not equals:
        raise Wrong("no value is given", where=path, remedy=f"Write it like {path}=VALUE")
    return path, editing.value(value, path)


def unset(arguments: argparse.Namespace) -> int:
    """`settings unset`"""
    from gateway import editing

    with connect(arguments) as client:
        now = existing(client)
        text = now.text
        for path in arguments.paths:
            text = editing.unset(text, path)
        return changing.carry_out(arguments, client, changing.to_text(arguments, text, now.revision))


def existing(client: Client) -> SettingsNow:
    now = changing.in_force(client)
    if not now.text:
        raise RefusedError(
            "there are none yet",
            where="settings",
            remedy="Write them: gatewayctl settings edit; or bring a file: gatewayctl settings try FILE",
        )
    return now


# --- in an editor -----------------------------------------------------------------------------------------


def edit(arguments: argparse.Namespace) -> int:
    """`settings edit`: to the editor and back until the text is sound, or the person gives up."""
    words = programs.editor()
    with connect(arguments) as client:
        now = changing.in_force(client)
    before = now.text or _BEGINNING
    folder = Path(tempfile.mkdtemp(prefix="steadyline-"))  # for us alone: what is typed may be a secret
    file = folder / "settings.toml"
    try:
        file.write_text(before)
        while True:
            programs.edit(words, file)
            text = read_text(str(file), max_bytes=MAX_BYTES)
            if text == before and now.text:
                print("Nothing was changed.")
                break
            make = changing.to_text(arguments, text, now.revision)
            with connect(arguments) as client:
                try:
                    changing.look(client, make)
                except SettingsError as error:
                    _show_problems(error)
                    if not attended():
                        raise
                    line("Press Enter to go back to the editor, Ctrl-C to give up. ")
                    continue
                code = changing.carry_out(arguments, client, make)
            shutil.rmtree(folder, ignore_errors=True)
            return code
    except (GatewayError, KeyboardInterrupt):
        if file.exists() and file.read_text(errors="replace") != before:
            note(f"\nYour text was kept: {file}. To go on with it: gatewayctl settings try {file}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return DONE


def _show_problems(error: SettingsError) -> None:
    count = len(error.problems)
    note(f"\n{count} problem{'s' if count > 1 else ''}; nothing was changed:")
    for problem in error.problems:
        note(f"  {problem}")


# --- whole ------------------------------------------------------------------------------------------------


def try_file(arguments: argparse.Namespace) -> int:
    """`settings try`"""
    text = read_text(arguments.file, max_bytes=MAX_BYTES)
    with connect(arguments) as client:
        now = changing.in_force(client)
        return changing.carry_out(arguments, client, changing.to_text(arguments, text, now.revision))


def diff(arguments: argparse.Namespace) -> int:
    """`settings diff`"""
    with connect(arguments) as client:
        if arguments.revision is not None:
            view = ask(
                client, RollBack(revision=arguments.revision, who=who(), only_look=True), TrialNow
            ).trial
        else:
            text = read_text(arguments.file, max_bytes=MAX_BYTES)
            base = changing.in_force(client).revision
            view = ask(client, TrySettings(text=text, base=base, who=who(), only_look=True), TrialNow).trial
    if arguments.json:
        print_json(view.differences if view else ())
    elif view is None or not view.differences:
        print("No difference.")
    else:
        print(tables.trial(view))
    return DONE


def validate(arguments: argparse.Namespace) -> int:
    """`settings validate`: by this program alone; no daemon is asked."""
    from gateway import schema

    text = read_text(arguments.file, max_bytes=MAX_BYTES)
    settings = schema.parse(text, named(arguments.file))
    notes = schema.notes(settings, text)
    if arguments.json:
        counts = {"uplinks": len(settings.uplinks), "phones": len(settings.phones)}
        print_json({"sound": True, **counts, "notes": notes})
        return DONE
    for remark in notes:
        print(remark)
    print(
        f"{named(arguments.file)} is sound: {len(settings.uplinks)} channels, {len(settings.phones)} phones."
    )
    return DONE


def history(arguments: argparse.Namespace) -> int:
    """`settings history`"""
    with connect(arguments) as client:
        revisions = ask(client, GetHistory(), HistoryNow).revisions
    if arguments.json:
        print_json(revisions)
    else:
        print(tables.history(revisions) if revisions else "Nothing was confirmed yet.")
    return DONE


def rollback(arguments: argparse.Namespace) -> int:
    """`settings rollback`"""

    def make(look: bool) -> RollBack:
        return RollBack(revision=arguments.revision, who=who(), only_look=look, seconds=arguments.seconds)

    with connect(arguments) as client:
        return changing.carry_out(arguments, client, make)


def schema(arguments: argparse.Namespace) -> int:
    """`settings schema`"""
    import json

    from gateway import forms

    print(json.dumps(forms.json_schema(), indent=2, ensure_ascii=False))
    return DONE
