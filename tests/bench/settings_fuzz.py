"""10,000 settings files that have a fault, each in a way of its own, read as the daemon reads them."""

import json
import subprocess
import sys

from tests.bench.figures import Figure

FILES = 10_000
LONGEST_MS = 500
MOST_MB = 64

_CHILD = """
import json, sys
from tests import settings_fuzz
settings_fuzz.run(20, seed=99)  # what is loaded once is no growth
done = settings_fuzz.run(int(sys.argv[1]))
troubles = [trouble for _, trouble in done.troubles]
print(json.dumps([
    sum(trouble == "it was taken" for trouble in troubles),
    sum("Traceback" in trouble for trouble in troubles),
    sum(trouble != "it was taken" and "Traceback" not in trouble for trouble in troubles),
    1000 * done.worst_s,
    done.grown_mb,
]))
"""


def run(quick: bool) -> list[Figure]:
    """Five figures of one run in a process of its own."""
    files = FILES // 20 if quick else FILES
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(files)], capture_output=True, text=True, check=True, timeout=3600
    )
    taken, tracebacks, unnamed, worst_ms, grown_mb = json.loads(child.stdout)
    note = f"{files} files"
    return [
        Figure("fuzzed settings: taken", "", [taken], 0, "worst", note=note),
        Figure("fuzzed settings: ended in a traceback", "", [tracebacks], 0, "worst"),
        Figure("fuzzed settings: an error that does not name its place", "", [unnamed], 0, "worst"),
        Figure("fuzzed settings: the most CPU time that one took", "ms", [worst_ms], LONGEST_MS, "worst"),
        Figure("fuzzed settings: growth of the process", "MB", [grown_mb], MOST_MB, "worst"),
    ]
