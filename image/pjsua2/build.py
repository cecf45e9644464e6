#!/usr/bin/env python3
"""Builds pjsua2, pjproject's Python binding, as a wheel of our own.

The source is the pjproject component of Debian's `asterisk` source package
(unstable), fetched by apt in an apt state of its own: the mirror is the one
that this machine uses already, checksums and signature are apt's. The result
is cached by source version, options and Python ABI, so that the second run
takes no time and no network:

    image/pjsua2/build.py [--refresh] [--print]

prints the path of the wheel as its last line. Needs the packages of
image/packages.txt, section "pjsua2". About four minutes on two cores.
"""

import argparse
import base64
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

import edits
import stubs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("STEADYLINE_CACHE", ROOT / "build" / "cache")) / "pjsua2"

# The GNU triplet that is built for; another one than this machine's is a cross build.
HOST = str(sysconfig.get_config_var("MULTIARCH"))
TARGET = os.environ.get("TARGET", HOST)

CONFIGURE = """
    --enable-epoll
    --disable-video --disable-libyuv --disable-libwebrtc --disable-sdl --disable-ffmpeg --disable-v4l2
    --disable-openh264 --disable-vpx --disable-upnp
    --disable-resample --enable-speex-resample --with-external-speex
    --disable-gsm-codec --disable-ilbc-codec --disable-g7221-codec --disable-l16-codec
    --disable-bcg729 --disable-opencore-amr --disable-silk --disable-lyra
    --with-external-srtp --with-ssl=/usr
""".split()  # noqa: SIM905 (read as a command line)

CFLAGS = "-O2 -fPIC -DNDEBUG -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wno-cpp"
# The binding is glue; -O2 doubles its compile time for nothing that can be measured.
GLUE_FLAGS = "-O1 -fPIC -DNDEBUG -fstack-protector-strong -Wno-deprecated-declarations"
LDFLAGS = "-Wl,-z,relro,-z,now -Wl,--as-needed"


class BuildError(Exception):
    """What failed, and what to do about it."""


class Progress:
    """One line a step, with the seconds since the start."""

    def __init__(self) -> None:
        self.start_s = time.monotonic()

    def step(self, text: str) -> None:
        print(f"[{time.monotonic() - self.start_s:6.1f} s] pjsua2: {text}", file=sys.stderr, flush=True)


@functools.cache
def options_hash() -> str:
    """Ten hex digits over everything that shapes the wheel beside the source."""
    digest = hashlib.sha256()
    for name in ("build.py", "edits.py", "stubs.py", "config_site.h", "gateway_shim.hpp"):
        digest.update((HERE / name).read_bytes())
    digest.update(TARGET.encode())
    return digest.hexdigest()[:10]


def wheel_tag() -> str:
    abi = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{abi}-{abi}-linux_{TARGET.split('-')[0]}"


def cached_wheel() -> Path | None:
    """The newest wheel of these options and this ABI, whatever source it came from."""
    found = sorted(
        CACHE.glob(f"steadyline_pjsua2-*.o{options_hash()}-{wheel_tag()}.whl"),
        key=lambda p: p.stat().st_mtime,
    )
    return found[-1] if found else None


def run(args: list[str], log: Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Runs a command, its output into `log`; on failure shows the end of it and raises BuildError."""
    with log.open("ab") as out:
        out.write(f"\n$ {' '.join(args)}\n".encode())
        out.flush()
        done = subprocess.run(
            args,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise BuildError(f"{args[0]} failed (exit {done.returncode}); the end of {log}:\n{tail}")


# --- the source ---------------------------------------------------------------------------------------------


def codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip().strip('"')
    raise BuildError("/etc/os-release names no VERSION_CODENAME: is this Debian 12 or newer?")


def mirrors(etc: Path = Path("/etc/apt")) -> list[str]:
    """URIs from which this machine takes the main component of its own release, in the order found."""
    suites = {codename(), "stable", "testing", "unstable", "sid"}
    found: list[str] = []
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                lines = [line for line in stanza.splitlines() if not line.startswith("#")]
                fields = dict(line.split(":", 1) for line in lines if ":" in line and not line[0].isspace())
                field = {key.strip().lower(): value.split() for key, value in fields.items()}
                if suites & set(field.get("suites", [])) and "main" in field.get("components", []):
                    found += field.get("uris", [])
        elif path.suffix == ".list":
            for line in text.splitlines():
                match = re.match(r"\s*deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
                if match and match[2] in suites and "main" in match[3].split():
                    found.append(match[1])
    return list(dict.fromkeys(found))


def fetch(progress: Progress, log: Path) -> tuple[str, Path]:
    """Lets apt fetch the newest asterisk source of unstable; gives its version and the pjproject tarball."""
    uris = mirrors()
    if not uris:
        raise BuildError("no Debian mirror in /etc/apt/sources.list or sources.list.d: add one and run again")
    state = CACHE / "apt"
    for sub in ("lists/partial", "archives/partial", "etc/parts", "src"):
        (state / sub).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    apt = [
        *(
            "-o",
            f"Dir::State={state}",
            "-o",
            f"Dir::State::status={state}/status",
            "-o",
            f"Dir::Cache={state}",
        ),
        *(
            "-o",
            f"Dir::Etc::sourcelist={state}/etc/our.sources",
            "-o",
            f"Dir::Etc::sourceparts={state}/etc/parts",
        ),
        *("-o", "Dir::Etc::preferences=/dev/null", "-o", "Dir::Etc::preferencesparts=/dev/null"),
        *("-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3"),
    ]
    failure: BuildError | None = None
    for uri in uris:
        (state / "etc/our.sources").write_text(
            f"Types: deb-src\nURIs: {uri}\nSuites: unstable\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        )
        try:
            progress.step(f"index of unstable's sources from {uri}")
            run(["apt-get", *apt, "-qq", "update"], log)
            progress.step("asterisk's source package, which carries pjproject")
            run(["apt-get", *apt, "-q", "source", "--download-only", "asterisk"], log, cwd=state / "src")
        except BuildError as error:
            failure = error
            continue
        tarballs = sorted(
            (state / "src").glob("asterisk_*.orig-Xpjproject.tar.*"), key=lambda p: p.stat().st_mtime
        )
        descriptions = sorted((state / "src").glob("asterisk_*.dsc"), key=lambda p: p.stat().st_mtime)
        if not tarballs:
            raise BuildError("the asterisk source package of unstable no longer carries pjproject")
        return descriptions[-1].stem.partition("_")[2], tarballs[-1]
    raise failure or BuildError("no mirror gave asterisk's source")


# --- the build ----------------------------------------------------------------------------------------------


def prepare(source: Path) -> str:
    """Applies our configuration and patches; gives pjproject's version."""
    shutil.copy(HERE / "config_site.h", source / "pjlib/include/pj/config_site.h")
    shutil.copy(HERE / "gateway_shim.hpp", source / "pjsip/include/pjsua2/gateway_shim.hpp")
    try:
        edits.apply(source)
    except ValueError as error:
        raise BuildError(f"the source has changed; adapt {HERE / 'edits.py'}: {error}") from error
    numbers = dict(
        re.findall(r"export PJ_VERSION_(\w+)\s*:=[ \t]*(\S*)", (source / "version.mak").read_text())
    )
    return ".".join(numbers[key] for key in ("MAJOR", "MINOR", "REV") if numbers.get(key))


def make_variable(source: Path, name: str) -> list[str]:
    """One variable of pjproject's build.mak, expanded by make itself."""
    printed = subprocess.run(
        ["make", "-s", "--no-print-directory", "-f", "-"],
        input=f"include build.mak\nall:\n\t@echo $({name})\n",
        cwd=source,
        text=True,
        capture_output=True,
        check=True,
    )
    return printed.stdout.split()


def compile_binding(source: Path, progress: Progress, log: Path) -> Path:
    """Configures and compiles pjproject and the SWIG binding; gives the folder with the module's files."""
    jobs = str(os.cpu_count() or 1)
    cross = [f"--host={TARGET}", f"--build={HOST}"] if TARGET != HOST else []
    prefix = f"{TARGET}-" if TARGET != HOST else ""
    progress.step("configure")
    run(
        ["./aconfigure", *cross, *CONFIGURE],
        log,
        cwd=source,
        env={"CFLAGS": CFLAGS, "CXXFLAGS": CFLAGS, "LDFLAGS": LDFLAGS},
    )
    for folder in ("pjlib", "pjlib-util", "pjnath", "third_party", "pjmedia", "pjsip"):
        progress.step(f"compile {folder}")
        (source / folder / "lib").mkdir(exist_ok=True)
        run(["make", "-j", jobs, "-C", f"{folder}/build", "lib"], log, cwd=source)

    out = source / "pjsip-apps/src/swig/python"
    includes = [
        f"-I{source / part / 'include'}" for part in ("pjlib", "pjlib-util", "pjmedia", "pjsip", "pjnath")
    ]
    swig = ["swig", *includes, "-w312", "-threads", "-c++", "-python"]
    progress.step("generate the binding (swig)")
    run([*swig, "-o", str(out / "pjsua2_wrap.cpp"), "../pjsua2.i"], log, cwd=out)
    # SWIG 4.3 makes this type as the interpreter ends; without a module in its name Python warns,
    # and where warnings are errors SWIG dies of the type that it did not get.
    wrapper = out / "pjsua2_wrap.cpp"
    wrapper.write_text(wrapper.read_text().replace('"swigvarlink"', '"_pjsua2.swigvarlink"'))
    progress.step("compile the binding")
    python = sysconfig.get_config_var("INCLUDEPY")
    flags = [*GLUE_FLAGS.split(), *make_variable(source, "PJ_CXXFLAGS")]
    flags = [flag for flag in flags if flag != "-O2"]
    run([f"{prefix}g++", *flags, f"-I{python}", "-c", "pjsua2_wrap.cpp", "-o", "pjsua2_wrap.o"], log, cwd=out)
    libraries = make_variable(source, "PJ_LDXXFLAGS") + make_variable(source, "PJ_LDXXLIBS")
    run(
        [f"{prefix}g++", "-shared", "-s", *LDFLAGS.split(), "-o", "_pjsua2.so", "pjsua2_wrap.o", *libraries],
        log,
        cwd=out,
    )
    progress.step("type stubs")
    notes = out / "annotated"
    notes.mkdir()
    run(
        [
            *swig,
            "-features",
            "python:annotations=c",
            "-outdir",
            "annotated",
            "-o",
            "annotated/w.cpp",
            "../pjsua2.i",
        ],
        log,
        cwd=out,
    )
    (out / "pjsua2.pyi").write_text(stubs.generate((notes / "pjsua2.py").read_text()))
    return out


def write_wheel(files: dict[str, bytes], version: str, executable: set[str], target: Path) -> None:
    """A wheel is a zip with a RECORD (PEP 427); fixed times make equal inputs equal wheels."""
    info = f"steadyline_pjsua2-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: steadyline-pjsua2\nVersion: {version}\n"
            "Summary: pjproject's pjsua2 as Steadyline builds it\n"
            "License: GPL-2.0-or-later\nRequires-Python: >=3.11\n"
        ).encode(),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: steadyline\nRoot-Is-Purelib: false\nTag: {wheel_tag()}\n"
        ).encode(),
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name in executable else 0o644) << 16
            wheel.writestr(entry, data)


def build(progress: Progress, refresh: bool) -> Path:
    """Gives the wheel's path: from the cache if it holds one, else built."""
    cached = cached_wheel()
    if cached and not refresh:
        progress.step(f"from the cache: {cached.name}")
        return cached
    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / "build.log"
    log.unlink(missing_ok=True)
    debian_version, tarball = fetch(progress, log)
    with tempfile.TemporaryDirectory(prefix="pjsua2-", dir=CACHE) as scratch:
        progress.step(f"unpack {tarball.name}")
        run(["tar", "-xf", str(tarball), "-C", scratch], log)
        source = next(Path(scratch).iterdir())
        pj_version = prepare(source)
        # A local version may hold letters, digits and dots only (PEP 440).
        local = re.sub(r"[^a-z0-9]+", ".", debian_version.lower()).strip(".")
        version = f"{pj_version}+deb{local}.o{options_hash()}"
        wheel = CACHE / f"steadyline_pjsua2-{version}-{wheel_tag()}.whl"
        if wheel.exists():
            progress.step(f"the newest source is built already: {wheel.name}")
            return wheel
        out = compile_binding(source, progress, log)
        module = f"_pjsua2.cpython-{sys.version_info.major}{sys.version_info.minor}-{TARGET}.so"
        files = {
            module: (out / "_pjsua2.so").read_bytes(),
            "pjsua2.py": (out / "pjsua2.py").read_bytes(),
            # PEP 561 knows stubs of a single module only as a package of their own.
            "pjsua2-stubs/__init__.pyi": (out / "pjsua2.pyi").read_bytes(),
        }
        partial = wheel.with_suffix(".part")
        write_wheel(files, version, {module}, partial)
        partial.replace(wheel)
    progress.step(f"done: {wheel.name} ({wheel.stat().st_size / 1e6:.1f} MB)")
    return wheel


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--refresh", action="store_true", help="look for a newer source even if a wheel is cached"
    )
    parser.add_argument(
        "--print", action="store_true", help="only print the cached wheel's path; exit 1 if there is none"
    )
    arguments = parser.parse_args()
    if arguments.print:
        wheel = cached_wheel()
        if wheel:
            print(wheel)
        return 0 if wheel else 1
    try:
        print(build(Progress(), arguments.refresh))
    except BuildError as error:
        print(f"pjsua2: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
