"""Boots the kept kernel under QEMU with this machine's own file system as its root, read-only.

There is no image to build: the programs, the environment of Python packages and the checkout that the virtual
machine sees are those of this machine, by 9p, below a tmpfs that takes what is written. The initramfs holds
busybox, a few modules and the script that puts these together. Plain emulation (TCG): KVM is not needed.
"""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.vm.kernel import ROOT, Kernel

FIRST = ("9pnet_virtio", "9p", "overlay")
"""What it takes to see a root file system; everything else is loaded by those who need it."""
MARK = "steadyline-vm:"

_INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
for module in {modules}; do $bb insmod /$module; done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 root /lower
$bb mount -t tmpfs tmp /upper
$bb mkdir /upper/rw /upper/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/rw,workdir=/upper/work over /new
$bb mount --move /dev /new/dev
$bb mount -t proc proc /new/proc
$bb mount -t sysfs sys /new/sys
$bb mount -t tmpfs run /new/run
$bb mount -t tmpfs tmp /new/tmp
$bb mkdir -p /new/dev/pts /new/dev/shm
$bb mount -t devpts pts /new/dev/pts
$bb mount -t tmpfs shm /new/dev/shm
$bb ifconfig lo 127.0.0.1 up
exec $bb switch_root /new /bin/sh -c {command}
"""


def _cpio(entries: Sequence[tuple[str, int, bytes]]) -> bytes:
    """An archive in the "newc" format: (path, mode, content) each (early-userspace/buffer-format)."""
    out = bytearray()
    for inode, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        name = path.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + content
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def _initramfs(kernel: Kernel, command: str) -> bytes:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("busybox is missing: apt-get install busybox")
    entries: list[tuple[str, int, bytes]] = [
        (name, 0o040755, b"")
        for name in ("bin", "lib", "lib64", "lib/x86_64-linux-gnu", "dev", "proc", "lower", "upper", "new")
    ]
    listed = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout.split()
    for path in (busybox, *(word for word in listed if word.startswith("/"))):
        place = "bin/busybox" if path == busybox else path.lstrip("/").removeprefix("usr/")
        entries.append((place, 0o100755, Path(path).read_bytes()))
    modules = kernel.files(FIRST)
    entries += [(path.name, 0o100644, path.read_bytes()) for path in modules]
    script = _INIT.format(modules=" ".join(path.name for path in modules), command=shlex.quote(command))
    return _cpio([*entries, ("init", 0o100755, script.encode())])


def boot(
    kernel: Kernel,
    command: str,
    say: Callable[[str], None] = print,
    *,
    limit_s: float = 1800.0,
    memory_mib: int = 768,
    cores: int = 2,
) -> int:
    """Runs a shell command as the machine's first process and shows what it prints; gives its exit code.

    Raises SystemExit when QEMU is missing, or the machine ends or hangs without a word.
    """
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise SystemExit("QEMU is missing: apt-get install --no-install-recommends qemu-system-x86")
    place = ROOT / "build" / "vm"
    place.mkdir(parents=True, exist_ok=True)
    initrd, words = place / f"initrd.{os.getpid()}", place / f"kernel.{os.getpid()}.log"
    environment = f"PATH={os.environ['PATH']} HOME=/root LC_ALL=C.UTF-8 STEADYLINE_VM=1"
    whole = (
        f"cd {shlex.quote(str(ROOT))}; {environment} {command}; echo {MARK} $?; sync; exec busybox reboot -f"
    )
    initrd.write_bytes(_initramfs(kernel, f"exec </dev/null >/dev/hvc0 2>&1; {whole}"))
    argv = [
        qemu, "-M", "pc", "-cpu", "max", "-smp", str(cores),
        "-m", str(memory_mib), "-accel", "tcg,thread=multi", "-nodefaults", "-no-user-config", "-nographic",
        "-no-reboot", "-kernel", str(kernel.image), "-initrd", str(initrd),
        "-append", "console=ttyS0 quiet loglevel=4 panic=-1 nokaslr mitigations=off random.trust_cpu=on",
        "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
        "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=out",
        "-chardev", "stdio,id=out,signal=off", "-serial", f"file:{words}",
    ]  # fmt: skip
    code: int | None = None
    machine = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    )
    alarm = threading.Timer(limit_s, machine.kill)
    alarm.start()
    try:
        assert machine.stdout is not None
        for line in machine.stdout:
            line = line.rstrip("\r\n")
            if line.startswith(MARK):
                code = int(line.removeprefix(MARK))
            else:
                say(line)
    finally:
        alarm.cancel()
        machine.kill()
        machine.wait()
        initrd.unlink(missing_ok=True)
    if code == 0:
        words.unlink(missing_ok=True)
    if code is None:
        raise SystemExit(f"the virtual machine ended without a result; its kernel's words: {words}")
    return code


if __name__ == "__main__":
    from tests.vm.kernel import kernel as kept

    sys.exit(boot(kept(), " ".join(sys.argv[1:])))
