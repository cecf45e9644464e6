"""Debian's newest kernel, with the modules that simulate hardware, fetched once and kept unpacked.

gpio-sim is in Debian since Linux 7.2 (bug 1140762): trixie-backports or unstable. apt fetches the packages in
an apt state of its own, from the mirror that this machine uses already; nothing is installed here. Modules
are kept uncompressed, and the kernel as the ELF file inside the bzImage: an emulated machine unpacks slowly.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("STEADYLINE_CACHE", ROOT / "build" / "cache")) / "vm"
SUITES = ("trixie-backports", "unstable")
MODULES = (
    *("9pnet_virtio", "9p", "overlay"),
    *("hid", "hid-generic", "uhid", "usbhid", "evdev", "uinput"),
    *("vhci-hcd", "snd-usb-audio", "snd-aloop", "snd-hrtimer", "cm109", "yealink"),
    *("configfs", "gpio-sim"),
)
"""What is kept, with all that these need; a module that the kernel has built in is passed over."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class KernelError(Exception):
    """What failed, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel and its modules on disk. `needs`: for each module the ones to load before it, in order."""

    version: str
    image: Path
    modules: Path
    needs: dict[str, tuple[str, ...]]

    def files(self, names: Iterable[str]) -> list[Path]:
        """The files of these modules and of what they need, in the order of loading."""
        order = dict.fromkeys(n for name in names for n in (*self.needs.get(name, ()), name))
        return [self.modules / f"{name}.ko" for name in order if name in self.needs]


def kernel(refresh: bool = False) -> Kernel:
    """The kept kernel, or a fresh one. Raises KernelError."""
    kept = CACHE / "kernel"
    if refresh or not (kept / "kernel.json").exists():
        if os.uname().machine != "x86_64":
            raise KernelError("the virtual machine is made for amd64 only: run it on such a machine")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            version = _unpack(_fetch(Path(scratch)), Path(scratch))
            _keep(version, Path(scratch) / f"usr/lib/modules/{version}", Path(scratch) / "kept")
            shutil.rmtree(kept, ignore_errors=True)
            (Path(scratch) / "kept").rename(kept)
    about = json.loads((kept / "kernel.json").read_text())
    needs = {name: tuple(before) for name, before in about["needs"].items()}
    return Kernel(about["version"], kept / "vmlinux", kept / "modules", needs)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{' '.join(command[:1])} failed: {done.stderr.strip()[-1000:]}")
    return done.stdout


def _fetch(scratch: Path) -> list[Path]:
    """The three .deb files of the newest kernel of the first suite that has one of 7.2 or later."""
    sites = dict.fromkeys(
        _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Component: main").split()
    )
    for sub in ("lists/partial", "archives/partial", "etc/parts"):
        (scratch / sub).mkdir(parents=True)
    (scratch / "status").touch()
    options = (
        *("-o", f"Dir::State={scratch}", "-o", f"Dir::State::status={scratch}/status"),
        *("-o", f"Dir::Cache={scratch}", "-o", f"Dir::Etc::sourcelist={scratch}/etc/our.sources"),
        *("-o", f"Dir::Etc::sourceparts={scratch}/etc/parts", "-o", "Dir::Etc::preferences=/dev/null"),
        *("-o", "Dir::Etc::preferencesparts=/dev/null", "-o", "APT::Sandbox::User=root"),
        *("-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3"),
    )
    failure = KernelError("apt knows no Debian mirror: add one to /etc/apt/sources.list.d and run again")
    for site in sites:
        for suite in SUITES:
            (scratch / "etc/our.sources").write_text(
                f"Types: deb\nURIs: {site}\nSuites: {suite}\nComponents: main\nArchitectures: amd64\n"
                "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
            )
            try:
                _run("apt-get", *options, "-qq", "update")
                shown = _run("apt-cache", *options, "show", "linux-image-amd64")
                if (found := re.search(r"linux-image-((\d+)\.(\d+)\S*-amd64) \(", shown)) is None:
                    continue
                if (int(found[2]), int(found[3])) < (7, 2):
                    continue
                names = [f"linux-{part}-{found[1]}" for part in ("base", "binary", "modules")]
                _run("apt-get", *options, "-q", "download", *names, cwd=scratch)
                return sorted(scratch.glob("*.deb"))
            except KernelError as error:
                failure = error
    raise failure


def _unpack(packages: list[Path], scratch: Path) -> str:
    for package in packages:
        _run("dpkg-deb", "-x", str(package), str(scratch))
    (found,) = (scratch / "usr/lib/modules").iterdir()
    return found.name


def _keep(version: str, source: Path, kept: Path) -> None:
    (kept / "modules").mkdir(parents=True)
    _extract_elf(source / "vmlinuz", kept / "vmlinux")
    builtin = {_name(Path(line)) for line in (source / "modules.builtin").read_text().split()}
    files = {_name(path): path for path in source.rglob("*.ko.xz")}
    needs: dict[str, list[str]] = {}

    def take(name: str) -> list[str]:
        """Keeps a module and what it needs; gives both, in the order of loading."""
        if name in builtin:
            return []
        if name not in needs:
            data = subprocess.run(["xz", "-dc", str(files[name])], capture_output=True, check=True).stdout
            (kept / "modules" / f"{name}.ko").write_bytes(data)
            found = re.search(rb"\0depends=([^\0]*)", data)
            before = [_name(Path(text)) for text in found[1].decode().split(",") if text] if found else []
            needs[name] = list(dict.fromkeys(n for entry in before for n in take(entry)))
        return [*needs[name], name]

    for module in MODULES:
        take(_name(Path(module)))
    (kept / "kernel.json").write_text(json.dumps({"version": version, "needs": needs}, indent=1))


def _name(path: Path) -> str:
    """The kernel's name of a module: with underscores, without endings."""
    return path.name.partition(".")[0].replace("-", "_")


def _extract_elf(bzimage: Path, vmlinux: Path) -> None:
    """The ELF file in a bzImage (Documentation/arch/x86/boot.rst, payload_offset and payload_length)."""
    data = bzimage.read_bytes()
    setup = (data[0x1F1] or 4) + 1
    offset = int.from_bytes(data[0x248:0x24C], "little") + setup * 512
    length = int.from_bytes(data[0x24C:0x250], "little")
    payload = data[offset : offset + length]
    if not payload.startswith(_ZSTD_MAGIC):
        raise KernelError("the kernel is not packed with zstd any more: adapt tests/vm/kernel.py")
    # The last four bytes are the unpacked size, which is no part of the stream.
    done = subprocess.run(["zstd", "-dcq"], input=payload[:-4], capture_output=True, check=False)
    if done.returncode:
        raise KernelError(f"zstd failed: {done.stderr.decode()}")
    vmlinux.write_bytes(done.stdout)
