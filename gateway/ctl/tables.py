"""Tables for people: values in, text out. Columns are as wide as what stands in them."""

from collections.abc import Sequence
from datetime import datetime

from gateway.changes import RevisionView, TrialView
from gateway.records import CallRecord
from gateway.status import CallView, PhoneView, SettingsStatus, Status, UplinkStatus


def table(heads: str, rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads (words of `heads`)."""
    every = [heads.split(), *rows]
    widths = [max(len(row[n]) for row in every) for n in range(len(every[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in every]
    return "\n".join(line.rstrip() for line in lines)


def status(now: Status, wall: float) -> str:
    """The whole appliance; `wall` in Unix seconds."""
    parts = [now.verdict + (f"\n{now.action}" if now.action else "")]
    parts.append(f"Calls process {now.calls_process}, guard {now.guard}.")
    parts += [told] if (told := _settings(now.settings)) else []
    parts.append(uplinks(now))
    if now.phones:
        parts.append(phones(now.phones))
    if now.calls:
        parts.append(calls(now.calls, wall))
    return "\n\n".join([parts[0] + "\n" + parts[1], *parts[2:]])


_ORIGINS = {
    "owner": "",
    "good_copy": "The file of settings was refused; the last good copy is in force.",
    "vault": "The settings in force came out of the vault.",
    "none": "There are no settings yet: gatewayctl settings edit.",
}


def _settings(now: SettingsStatus) -> str:
    """What an owner should know of the settings; empty when all is as it was left."""
    lines = [
        _ORIGINS[now.origin],
        f"{now.restored} (When you have read this: gatewayctl seen.)" if now.restored else "",
        f"A change of {now.trial} is on trial: gatewayctl trial show." if now.trial else "",
        f"A tap of the button approves: {now.presence}." if now.presence else "",
        f"The vault: {now.vault_trouble}" if now.vault_trouble else "",
    ]
    return "\n".join(line for line in lines if line)


def uplinks(now: Status) -> str:
    """Every channel, and a sentence for each that is in trouble."""
    rows = [_uplink(u, now) for u in now.uplinks]
    sentences = [f"  {u.name}: {u.sentence}" for u in now.uplinks if u.sentence and u.state != "up"]
    heads = "NAME ROLE DEVICE STATE ADDRESS SEEN-AS CONFIRMED DELAY LOSS MOS CARRIES"
    return "\n".join([table(heads, rows), *sentences])


def _uplink(u: UplinkStatus, now: Status) -> list[str]:
    loads = {"calls": now.active_uplink, "internet": now.internet_uplink}
    return [
        u.name,
        u.role,
        u.device,
        u.state,
        u.address or "-",
        u.observed_address or u.public_address or "-",
        day(u.confirmed_at) if u.confirmed_at else "no",
        "-" if u.rtt_ms is None else f"{u.rtt_ms:.0f} ms",
        "-" if u.loss is None else f"{u.loss * 100:.0f} %",
        "-" if u.mos is None else f"{u.mos:.1f}",
        "+".join(load for load, name in loads.items() if name == u.name) or "-",
    ]


def calls(live: Sequence[CallView], wall: float) -> str:
    """Live calls."""
    rows = [
        [
            str(c.call),
            c.phone or "-",
            c.direction,
            c.remote,
            c.caller_id or "-",
            c.state,
            c.uplink,
            c.codec or "-",
            str(c.moves),
            f"{max(0, wall - c.started_at):.0f} s",
        ]
        for c in live
    ]
    return table("CALL PHONE WAY REMOTE SHOWN STATE UPLINK CODEC MOVES LASTS", rows)


def ended(records: Sequence[CallRecord]) -> str:
    """Calls of the past."""
    rows = [
        [
            f"{day(c.started_at)} {clock(c.started_at)[:8]}",
            c.phone or "-",
            c.direction,
            c.remote,
            c.caller_id or "-",
            c.uplink or "-",
            str(c.moves),
            f"{c.ended_at - c.answered_at:.0f} s" if c.answered_at else "-",
            "-" if c.mos is None else f"{c.mos:.1f}",
            f"{c.sip_code} {c.reason}" if c.sip_code else c.reason,
        ]
        for c in records
    ]
    return table("WHEN PHONE WAY REMOTE SHOWN UPLINK MOVES LASTED MOS ENDED", rows)


def phones(all_of_them: Sequence[PhoneView]) -> str:
    """The phones of the box."""
    rows = [[p.name, p.kind, p.state, p.hears or "-", p.remote or "-"] for p in all_of_them]
    return table("PHONE KIND STATE HEARS REMOTE", rows)


def trial(view: TrialView) -> str:
    """What a change changes, which live calls it touches, and what else is to be known."""
    lines = []
    for d in view.differences:
        if d.before and d.after:
            lines += [f"~ {d.path}: {_one(d.before)} -> {_one(d.after)}"]
        elif d.after:
            lines += [f"+ {d.path} = {_one(d.after)}"]
        else:
            lines += [f"- {d.path} = {_one(d.before)}"]
    if view.touches:
        count = len(view.touches)
        lines += ["", f"It touches {count} live call{'s' if count > 1 else ''}:"]
        lines += [f"  {sentence}" for sentence in view.touches]
    if view.notes:
        lines += ["", *view.notes]
    return "\n".join(lines)


def _one(value: str) -> str:
    """A value on one line: a text of many lines as its first line and a count."""
    first, *rest = value.strip().splitlines() or [""]
    return f"{first} (and {len(rest)} lines more)" if rest else first


def history(revisions: Sequence[RevisionView]) -> str:
    """Confirmed revisions, newest first."""
    rows = [
        [
            str(r.revision),
            f"{datetime.fromtimestamp(r.at):%Y-%m-%d %H:%M}",
            r.who or "-",
            str(r.differences),
            "yes" if r.sealed else "no",
            r.why or "-",
        ]
        for r in revisions
    ]
    return table("REVISION WHEN WHO CHANGES SEALED WHY", rows)


def day(at: float) -> str:
    """The date of a moment (Unix seconds)."""
    return f"{datetime.fromtimestamp(at):%Y-%m-%d}"


def clock(at: float) -> str:
    """The time of day of a moment (Unix seconds), to the millisecond."""
    return f"{datetime.fromtimestamp(at):%H:%M:%S}.{int(at % 1 * 1000):03d}"
