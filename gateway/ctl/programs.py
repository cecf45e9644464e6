"""Door to other programs: the owner's editor, and those that tell of the system. Without a shell.

Only the client of a person comes here: with the person's own rights, in the person's own terminal.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.errors import RefusedError

_PATIENCE_S: Final = 15.0


def editor() -> list[str]:
    """The words that start the owner's editor: $VISUAL, $EDITOR, or one that is there. Raises
    RefusedError."""
    for variable in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(variable, "")):
                return words
        except ValueError as error:
            raise RefusedError(str(error), where=f"${variable}", remedy="Mend its quotes") from None
    for name in ("sensible-editor", "nano", "vi"):
        if shutil.which(name):
            return [name]
    raise RefusedError(
        "there is no editor", where="$EDITOR", remedy="Name one: EDITOR=nano gatewayctl settings edit"
    )


def edit(words: Sequence[str], file: Path) -> None:
    """Have the person edit `file`; returns when the editor has ended. Raises RefusedError."""
    run_here([*words, str(file)], "Name another in $EDITOR")


def run_here(words: Sequence[str], remedy: str) -> None:
    """Run a program in this terminal, to its end. Raises RefusedError when it fails."""
    try:
        code = subprocess.run(words, check=False).returncode
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"cannot be started: {getattr(error, 'strerror', None) or error}", where=words[0], remedy=remedy
        ) from None
    if code:
        raise RefusedError(f"it ended with code {code}", where=words[0], remedy=remedy)


def output(words: Sequence[str], *, max_bytes: int) -> str:
    """What a program prints, its last `max_bytes`. Raises RefusedError with its own words when it fails."""
    if not shutil.which(words[0]):
        raise RefusedError("is not on this machine", where=words[0], remedy="Install it")
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise RefusedError(str(error), where=words[0], remedy="Run it by hand") from None
    text = done.stdout[-max_bytes:].decode(errors="replace")
    if done.returncode and not text.strip():
        said = done.stderr[-300:].decode(errors="replace").strip() or f"it ended with code {done.returncode}"
        raise RefusedError(" ".join(said.split()), where=words[0], remedy="Try it with sudo")
    return text
