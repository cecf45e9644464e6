#!/usr/bin/env python3
"""Runs tests inside the virtual machine:

    python -m tests.vm.run                                            every test that is marked `vm`
    python -m tests.vm.run tests/phones/test_slic_door.py -k ring     these; the words are pytest's
    python -m tests.vm.run --shell 'lsmod; ls -l /dev/snd'            a command instead

Such a test asks for a fixture of tests/vm/hardware.py (GPIO lines, HID and USB phones, sound loopback), and
is skipped elsewhere. The first run fetches a kernel (120 MB); each boots in about seven seconds, without KVM.
"""

import shlex
import sys
import time
from pathlib import Path

from tests.vm.boot import boot
from tests.vm.kernel import ROOT, KernelError, kernel


def marked() -> list[str]:
    """The test files that have something for the virtual machine; collecting all would take it a minute."""
    here = Path(__file__).resolve().parent
    files = (path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.vm" in path.read_text())
    return [str(path.relative_to(ROOT)) for path in files if path != here]


def main(words: list[str]) -> int:
    """The exit code of what ran inside."""
    start = time.monotonic()
    if words[:1] == ["--shell"]:
        command = f"sh -c {shlex.quote(' '.join(words[1:]))}"
    else:
        # What the hardware of a test needs is loaded when it asks; nothing is written to the tree.
        chosen = words or ["-m", "vm", *marked()]
        command = shlex.join(
            [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-v", *chosen]
        )
    try:
        code = boot(kernel(), command, lambda line: print(line, flush=True))
    except KernelError as error:
        raise SystemExit(str(error)) from None
    print(f"[{time.monotonic() - start:5.1f} s] the virtual machine is down, exit code {code}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
