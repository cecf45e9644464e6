"""CallerID rules out of an Asterisk extensions.conf, added to those of the box; no line is dropped unsaid."""

import argparse
from typing import Final

from gateway.ctl import DONE, changing
from gateway.ctl.masking import mask
from gateway.ctl.parser import one_line
from gateway.ctl.settings import existing
from gateway.ctl.talk import connect
from gateway.ctl.terminal import named, note, print_json, read_text
from gateway.errors import RefusedError

MAX_BYTES: Final = 1 << 20


def callerid(arguments: argparse.Namespace) -> int:
    """`callerid import`: every line either becomes a rule or is named with the reason why not."""
    from gateway import editing

    text = read_text(arguments.file, max_bytes=MAX_BYTES)
    with connect(arguments) as client:
        now = existing(client)
        imported = editing.import_extensions(now.text, text)
        for line in imported.ignored:
            quoted = mask(line.text, numbers=False)[:80]
            note(
                one_line(f"{named(arguments.file)}, line {line.line} becomes no rule: {line.why} ({quoted})")
            )
        count = len(imported.rules)
        note(f"{count} rule{'' if count == 1 else 's'} to add, {len(imported.ignored)} lines without effect.")
        if imported.text == now.text:
            if "CALLERID" not in text.upper():
                raise RefusedError(
                    "no line sets a CallerID",
                    where=named(arguments.file),
                    remedy="A rule looks like: exten => _4420XXXXXXX,1,Set(CALLERID(num)=442012345678)",
                )
            if arguments.json:
                print_json({"trial": None, "kept": False})
            else:
                print("Nothing would change.")
            return DONE
        return changing.carry_out(arguments, client, changing.to_text(arguments, imported.text, now.revision))
