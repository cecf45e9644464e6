"""A disk that forgets what was not synced: it is led by the system calls of a real writer, as strace saw
them.

At each call the disk can be cut in several ways, and what is then on it is written out as real files. What a
file system may do with data and names that nobody has synced is bounded by these ways; fsync of a file makes
its content last, fsync of a folder its names, and nothing else does.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Way = Literal["drop", "all", "names", "torn", "data"]
WAYS: Final[tuple[Way, ...]] = (
    "drop",  # nothing that was not synced is there
    "all",  # everything is there: only the process was killed
    "names",  # all names are there, and files that were not synced are empty
    "torn",  # all names are there, and of what was not synced the first half
    "data",  # all data is there, but no name that was not synced
)
ACKNOWLEDGED: Final = "/acknowledged/"
"""A writer that looks for a file of this folder tells the trace that it has promised something."""

_TRACED: Final = (
    "%file,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync,syncfs,ftruncate,lseek,sendfile,"
    "copy_file_range,fallocate,mmap,linkat,splice"
)
_OPTIONS: Final = ("-f", "-y", "-xx", "-s", "10000000", "--seccomp-bpf", "-e", f"trace={_TRACED}")
_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$", re.S)
_FD = re.compile(r"^-?\w+<(.*?)>(\(deleted\))?$", re.S)


@dataclass
class File:
    """`synced`: the content that lasts; None: not even its size does."""

    data: bytes = b""
    synced: bytes | None = None
    place: int = 0


@dataclass
class Folder:
    """`names` now, and those that last."""

    names: dict[str, "File | Folder"] = field(default_factory=dict)
    synced: dict[str, "File | Folder"] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One system call that changed the disk, or an acknowledgement."""

    name: str
    words: tuple[str, ...]
    data: bytes = b""
    gone: bool = False


class Disk:
    """The folder `root`, as it stands now: all that is in it lasts."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._top = _load(root)
        self._gone: dict[str, File] = {}

    def do(self, call: Call) -> None:
        """Follow one call. Raises ValueError for one that the model does not know."""
        words = call.words
        match call.name:
            case "create":
                folder, name = self._parent(words[0])
                if name not in folder.names:
                    folder.names[name] = File()
                node = folder.names[name]
                assert isinstance(node, File)
                node.place = 0
                if words[1]:
                    node.data = b""
            case "write":
                node = self._file(words[0], call.gone)
                node.data = node.data[: node.place] + call.data + node.data[node.place + len(call.data) :]
                node.place += len(call.data)
            case "seek":
                self._file(words[0], call.gone).place = int(words[1])
            case "truncate":
                node = self._file(words[0], call.gone)
                node.data = node.data[: int(words[1])].ljust(int(words[1]), b"\0")
            case "fsync":
                found = self._file(words[0], True) if call.gone else self._find(words[0])
                if isinstance(found, Folder):
                    found.synced = dict(found.names)
                else:
                    found.synced = found.data
            case "rename":
                here, name = self._parent(words[0])
                there, new = self._parent(words[1])
                if isinstance(old := there.names.get(new), File):
                    self._gone[words[1]] = old
                there.names[new] = here.names.pop(name)
            case "unlink":
                folder, name = self._parent(words[0])
                node_gone = folder.names.pop(name)
                assert isinstance(node_gone, File)
                self._gone[words[0]] = node_gone
            case "mkdir":
                folder, name = self._parent(words[0])
                folder.names[name] = Folder()
            case "rmdir":
                folder, name = self._parent(words[0])
                del folder.names[name]
            case "acknowledged":
                pass
            case _:
                raise ValueError(f"the model does not know {call}")

    def spill(self, place: Path, way: Way) -> None:
        """Write out what a cut leaves, into an empty folder."""
        _spill(self._top, place, way)

    def _find(self, path: str) -> File | Folder:
        node: File | Folder = self._top
        for part in Path(path).relative_to(self._root).parts:
            assert isinstance(node, Folder)
            node = node.names[part]
        return node

    def _file(self, path: str, gone: bool) -> File:
        node = self._gone[path] if gone else self._find(path)
        assert isinstance(node, File), path
        return node

    def _parent(self, path: str) -> tuple[Folder, str]:
        folder = self._find(os.path.dirname(path))
        assert isinstance(folder, Folder)
        return folder, os.path.basename(path)


def _load(path: Path) -> Folder:
    folder = Folder()
    for entry in path.iterdir():
        if entry.is_dir():
            folder.names[entry.name] = _load(entry)
        else:
            data = entry.read_bytes()
            folder.names[entry.name] = File(data, data)
    folder.synced = dict(folder.names)
    return folder


def _spill(folder: Folder, place: Path, way: Way) -> None:
    place.mkdir(exist_ok=True)
    for name, node in (folder.synced if way in ("drop", "data") else folder.names).items():
        if isinstance(node, Folder):
            _spill(node, place / name, way)
            continue
        match way:
            case "all" | "data":
                data = node.data
            case "torn" if node.synced != node.data:
                data = node.data[: len(node.data) // 2]
            case _:
                data = node.synced or b""
        (place / name).write_bytes(data)


# --- tracing --------------------------------------------------------------------------------------


def trace(argv: Sequence[str], root: Path, log: Path, environment: dict[str, str]) -> list[Call]:
    """Run a writer under strace; what it and its children did to `root`, in order. Raises AssertionError when
    it fails, ValueError for a call that would go past the model."""
    done = subprocess.run(
        ["strace", *_OPTIONS, "-o", str(log), *argv],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return list(_calls(_whole(log), str(root)))


def _whole(log: Path) -> Iterator[str]:
    """Lines, with calls that others interrupted put together where they ended."""
    begun: dict[str, str] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
        elif rest.startswith("<... "):
            yield begun.pop(pid) + rest.partition(" resumed>")[2]
        else:
            yield rest


def _calls(lines: Iterator[str], root: str) -> Iterator[Call]:
    for line in lines:
        found = _LINE.match(line)
        if not found or found[3].startswith(("-", "?")):
            if found and found[1] == "newfstatat" and ACKNOWLEDGED in _text(found[2]):
                yield Call("acknowledged", (_text(found[2]).partition(ACKNOWLEDGED)[2].partition('"')[0],))
            continue
        name, words = found[1], _words(found[2])
        if call := _call(name, words, int(found[3]), root):
            yield call


def _call(name: str, words: list[str], result: int, root: str) -> Call | None:
    def ours(path: str) -> bool:
        return path == root or path.startswith(root + "/")

    if name in ("open", "openat", "creat"):
        path, flags = (_quoted(words[1]), words[2]) if name == "openat" else (_quoted(words[0]), words[1])
        if ours(path) and ("O_WRONLY" in flags or "O_RDWR" in flags or name == "creat"):
            return Call("create", (path, "x" if "O_TRUNC" in flags or name == "creat" else ""))
        return None
    if name in ("write", "fsync", "fdatasync", "ftruncate", "lseek", "pwrite64", "writev", "fallocate"):
        fd = _FD.match(words[0])
        path, gone = (_text(fd[1]), bool(fd[2])) if fd else ("", False)
        if not ours(path):
            return None
        match name:
            case "write":
                return Call("write", (path,), _bytes(words[1])[:result], gone)
            case "fsync" | "fdatasync":
                return Call("fsync", (path,), gone=gone)
            case "ftruncate":
                return Call("truncate", (path, words[1]), gone=gone)
            case "lseek":
                return Call("seek", (path, str(result)), gone=gone)
            case _:
                raise ValueError(f"the model does not know {name}")
    paths = [_quoted(word) for word in words if word.startswith('"')]
    if not any(ours(path) for path in paths):
        return None
    match name:
        case "rename" | "renameat" | "renameat2":
            return Call("rename", tuple(paths))
        case "unlink" | "rmdir" | "mkdir":
            return Call(name, (paths[0],))
        case "unlinkat":
            return Call("rmdir" if "AT_REMOVEDIR" in words[-1] else "unlink", (paths[0],))
        case "mkdirat":
            return Call("mkdir", (paths[0],))
        case "link" | "linkat" | "symlink" | "symlinkat" | "truncate" | "mknod" | "mknodat":
            raise ValueError(f"the model does not know {name}")
        case _:
            return None  # stat, access, chmod and the like change nothing that is looked at


def _words(text: str) -> list[str]:
    """Arguments, split at commas outside quotes, brackets and angle brackets; strings are hexadecimal."""
    words, depth, begin, quoted = [], 0, 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "[{(<":
            depth += 1
        elif not quoted and letter in "]})>":
            depth -= 1
        elif letter == "," and not quoted and depth == 0:
            words.append(text[begin:place].strip())
            begin = place + 1
    return [*words, text[begin:].strip()]


def _bytes(word: str) -> bytes:
    """The content of a string of strace -xx."""
    return bytes.fromhex(word.partition('"')[2].rpartition('"')[0].replace("\\x", ""))


def _quoted(word: str) -> str:
    return os.fsdecode(_bytes(word))


def _text(word: str) -> str:
    """With every run of hexadecimal escapes put back."""
    return re.sub(
        r"(?:\\x[0-9a-f]{2})+", lambda run: os.fsdecode(bytes.fromhex(run[0].replace("\\x", ""))), word
    )
