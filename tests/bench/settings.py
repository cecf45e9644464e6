"""A change of large settings: 8 uplinks, 1,000 CallerID rules. Text in, differences out, all in one process.

It is what the keeper does before anything is applied: the secrets of the text come back to their places, the
text is read and checked whole, and compared with what is in force.
"""

import time
from pathlib import Path

from gateway import differences, editing, masking, schema
from tests.bench.figures import Figure

LIMIT_MS = 200
UPLINKS, RULES = 8, 1000
_BASE = Path(__file__).resolve().parents[1] / "schemas" / "v2.toml"


def text() -> str:
    """The largest settings that an office has."""
    lines = [_BASE.read_text()]
    for number in range(3, UPLINKS + 1):
        lines += ["[[uplinks]]", f'name = "line{number}"', f'device = "eth{number}"']
        lines += [
            f'addresses = ["203.0.113.{8 * number + 2}/29"]',
            f'gateways = ["203.0.113.{8 * number + 1}"]',
            "",
        ]
    for number in range(RULES - 1):
        lines += [
            "[[trunk.caller_id_rules]]",
            f'pattern = "_43{number:04d}X."',
            'caller_id = "442012345678"',
            "",
        ]
    return "\n".join(lines)


def run(quick: bool) -> list[Figure]:
    """One figure, with its steps, and what a client pays to make the change."""
    in_force = text()
    before = schema.parse(in_force, "in force")
    assert (len(before.uplinks), len(before.trunk.caller_id_rules)) == (UPLINKS, RULES)
    steps: dict[str, list[float]] = {"secrets put back": [], "read and checked": [], "compared": []}
    edits: list[float] = []
    for number in range(10 if quick else 50):
        shown = masking.masked(in_force)
        began = time.perf_counter()
        wanted = editing.set_value(shown, 'trunk.caller_id_rules."_430500X.".caller_id', "442037691880")
        wanted = wanted.replace("standby_interval_ms = 2000", f"standby_interval_ms = {2001 + number}")
        times = [time.perf_counter()]
        edits.append(1000 * (times[0] - began))
        whole = masking.unmasked(wanted, in_force, before)
        times.append(time.perf_counter())
        after = schema.parse(whole, "change")
        times.append(time.perf_counter())
        found = differences.difference(before, after)
        times.append(time.perf_counter())
        assert len(found) == 2
        for step, one, other in zip(steps, times, times[1:], strict=False):
            steps[step].append(1000 * (other - one))
    total = [sum(parts) for parts in zip(*steps.values(), strict=True)]
    name = f"settings: a change with {UPLINKS} channels and {RULES} rules, until it can be applied"
    return [
        Figure(name, "ms", total, LIMIT_MS, note="applying it is measured by itself", steps=steps),
        Figure("settings: one value changed in that text, comments kept", "ms", edits, None),
    ]
