"""The person at the other end: what is printed, what is asked, and the files that are named.

Secrets come from the terminal without an echo, or from a file; never from the command line.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError, RefusedError

MAX_SECRET_BYTES: Final = 1024


class Wrong(GatewayError):
    """Wrong usage that only shows when the verb is at work."""


def print_json(value: object, indent: int = 2) -> None:
    """One JSON value on standard output."""
    from gateway import wire

    print(wire.to_json(value, indent))


def note(text: str) -> None:
    """A line beside the answer: what happens meanwhile, or what to know."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def attended() -> bool:
    """Somebody can be asked."""
    return sys.stdin.isatty()


def by_ssh() -> bool:
    """The person is here by SSH: sshd said so, or is among our ancestors, for sudo forgets what it said."""
    if "SSH_CONNECTION" in os.environ:
        return bool(os.environ["SSH_CONNECTION"])
    pid = os.getppid()
    with contextlib.suppress(OSError, ValueError):
        while pid > 1:
            _, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").partition("(")
            name, _, fields = rest.rpartition(")")
            if name.startswith("sshd"):
                return True
            pid = int(fields.split()[1])
    return False


def yes(question: str, instead: str = "--yes") -> bool:
    """Ask. Raises Wrong when nobody can be asked; `instead` is the option that answers for them."""
    if not attended():
        raise Wrong(
            "nobody can be asked here",
            where="standard input",
            remedy=f"Add {instead} if that is what you want",
        )
    try:
        return _line(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        note("")
        return False


def line(question: str) -> str:
    """A line of the person's. Raises Wrong when nobody can be asked."""
    if not attended():
        raise Wrong("nobody can be asked here", where="standard input", remedy="Use a terminal")
    try:
        return _line(question).strip()
    except EOFError:
        note("")
        return ""


def _line(question: str) -> str:
    # input() would put the question on standard output, which programs read.
    print(question, end="", file=sys.stderr, flush=True)
    text = sys.stdin.readline()
    if not text:
        raise EOFError
    return text


def secret(question: str, *, file: str | None, option: str, again: bool = False) -> str:
    """A secret from `file`, or typed unseen, twice when `again`. Raises Wrong when nobody can be asked,
    RefusedError when the two differ or there is nothing."""
    if file is not None:
        return _secret_in(file)
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            typed = getpass.getpass(f"{question}: ")
            if again and typed and getpass.getpass(f"{question}, once more: ") != typed:
                raise RefusedError("the two were not the same", where=question, remedy="Start again")
        except UnicodeDecodeError:
            raise RefusedError("that was not UTF-8", where=question, remedy="Type it in letters") from None
        except (getpass.GetPassWarning, EOFError, OSError):
            raise Wrong(
                "nobody can be asked here without an echo",
                where=question,
                remedy=f"Use a terminal, or {option}",
            ) from None
    if len(typed.encode(errors="replace")) > MAX_SECRET_BYTES:
        raise RefusedError(f"longer than {MAX_SECRET_BYTES} bytes", where=question, remedy="Shorten it")
    return typed


def _secret_in(file: str) -> str:
    first = read(file, max_bytes=64 * 1024).split(b"\n", 1)[0].removesuffix(b"\r")
    if not first or len(first) > MAX_SECRET_BYTES:
        what = "its first line is empty" if not first else f"its first line exceeds {MAX_SECRET_BYTES} bytes"
        raise RefusedError(what, where=file, remedy="Put the secret alone into the first line")
    try:
        return first.decode()
    except UnicodeDecodeError:
        raise RefusedError("its first line is not UTF-8", where=file, remedy="Save it as UTF-8") from None


# --- files ------------------------------------------------------------------------------------------------


def named(file: str) -> str:
    """How a file that was named is called."""
    return "standard input" if file == "-" else file


def read(file: str, *, max_bytes: int) -> bytes:
    """A file that was named; `-`: standard input. Raises RefusedError."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang us
            with os.fdopen(handle, "rb") as opened:
                data = opened.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"cannot be read: {_words(error)}", where=named(file), remedy="Check its name and whose it is"
        ) from None
    if len(data or b"") > max_bytes:
        raise RefusedError(
            f"longer than {max_bytes} bytes", where=named(file), remedy="Is it the right file?"
        )
    return data or b""


def read_text(file: str, *, max_bytes: int) -> str:
    """The same as text. Raises RefusedError, with the line that is no UTF-8."""
    data = read(file, max_bytes=max_bytes)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise RefusedError(
            f"line {number} is not UTF-8 text", where=named(file), remedy="Save the file as UTF-8"
        ) from None


def write_new(file: str, data: bytes) -> None:
    """A new file for its owner alone, on the disk when this returns; an existing one is never replaced.
    Raises RefusedError, and then leaves nothing behind."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise RefusedError(
            "is there already", where=file, remedy="Name another file, or remove this one"
        ) from None
    except (OSError, ValueError) as error:
        raise _unwritten(file, error) from None
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(file).unlink()
        raise _unwritten(file, error) from None


def can_be_new(file: str) -> None:
    """Raises RefusedError when `write_new` would: before the person is asked for anything."""
    try:
        path = Path(file)
        if path.exists() or path.is_symlink():
            raise RefusedError("is there already", where=file, remedy="Name another file, or remove this one")
        if not path.parent.is_dir():
            raise NotADirectoryError(2, "there is no such folder")
    except (OSError, ValueError) as error:
        raise _unwritten(file, error) from None


def _unwritten(file: str, error: OSError | ValueError) -> RefusedError:
    return RefusedError(
        f"cannot be written: {_words(error)}",
        where=file,
        remedy="Check the folder, and the space on the disk",
    )


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
