"""Door: SQLite. The call log, the timeline and the minutes of each uplink, in one file.

Law: what is lost here costs no call. A file that is no database any more goes aside and is begun anew, which
is said; a disk that is full or gone makes history forget, not the gateway stumble.
"""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gateway.errors import DoorError
from gateway.history.model import Batch
from gateway.history.series import worst
from gateway.messages import CallEnded
from gateway.records import MOST, CallRecord, EventRecord, GetCalls, GetEvents, Sample

FILE: Final = "history.db"
KEEP_CALLS: Final = 100_000
KEEP_EVENTS: Final = 50_000
KEEP_DAYS: Final = 35
_SCHEMA: Final = """
create table if not exists calls (
    record integer primary key, direction text, phone text, remote text, caller_id text, uplink text,
    started_at real, answered_at real, ended_at real, sip_code integer, reason text, moves integer,
    attempts text, mos real) strict;
create table if not exists events (
    record integer primary key, at real, kind text, text text, uplink text, call integer) strict;
create index if not exists events_by_kind on events (kind, record);
create table if not exists minutes (
    uplink text, at real, seconds real, state text, usable real, carried real, rtt_ms real, jitter_ms real,
    loss real, mos real, primary key (uplink, at)) strict, without rowid;
pragma user_version = 1;
"""
_CALL: Final = tuple(name for name in CallRecord.__struct_fields__ if name != "record")
_SAMPLE: Final = Sample.__struct_fields__


class Store:
    """The file. Use it from one thread at a time. `trouble`: what had to be put aside, in a sentence."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._db: sqlite3.Connection | None = None
        self.trouble = ""

    def write(self, batch: Batch) -> None:
        """Add these, on the disk when it returns. Raises DoorError; nothing was added then."""
        with self._asked("write") as db:
            db.executemany(
                f"insert into calls ({','.join(_CALL)}) values ({','.join('?' * len(_CALL))})",
                [_row(call) for call in batch.calls],
            )
            db.executemany(
                "insert into events (at, kind, text, uplink, call) values (?,?,?,?,?)",
                [(e.at, e.kind, e.text, e.uplink, e.call) for e in batch.events],
            )
            db.executemany(
                f"insert or replace into minutes (uplink,{','.join(_SAMPLE)})"
                f" values (?{',?' * len(_SAMPLE)})",
                [(uplink, *(getattr(sample, name) for name in _SAMPLE)) for uplink, sample in batch.minutes],
            )

    def prune(self, now: float) -> None:
        """Forget what is too old or too much."""
        with self._asked("prune") as db:
            db.execute("delete from minutes where at < ?", (now - KEEP_DAYS * 86400,))
            for table, most in (("calls", KEEP_CALLS), ("events", KEEP_EVENTS)):
                db.execute(
                    f"delete from {table} where record <= (select max(record) from {table}) - ?", (most,)
                )

    def calls(self, asked: GetCalls) -> tuple[list[CallRecord], bool]:
        """One page, newest first, and whether there are older ones."""
        words = f"%{asked.words}%"
        sql = f"select record,{','.join(_CALL)} from calls where (? = 0 or record < ?)"
        values: list[Any] = [asked.before, asked.before]
        if asked.words:
            fields = ("remote", "caller_id", "phone", "uplink", "reason")
            sql += f" and ({' or '.join(f'{field} like ?' for field in fields)})"
            values += [words] * len(fields)
        rows, more = self._page(sql, values, asked.limit)
        return [_call(row) for row in rows], more

    def events(self, asked: GetEvents) -> tuple[list[EventRecord], bool]:
        """One page, newest first, and whether there are older ones."""
        sql = "select record, at, kind, text, uplink, call from events where (? = 0 or record < ?)"
        values: list[Any] = [asked.before, asked.before]
        if asked.kinds:
            sql += f" and kind in ({','.join('?' * len(asked.kinds))})"
            values += asked.kinds
        if asked.uplink:
            sql += " and uplink = ?"
            values.append(asked.uplink)
        rows, more = self._page(sql, values, asked.limit)
        return [EventRecord(**dict(row)) for row in rows], more

    def minutes(self, uplink: str, since: float, until: float) -> list[Sample]:
        """Every minute from `since` to `until`, oldest first."""
        with self._asked("read") as db:
            rows = db.execute(
                f"select {','.join(_SAMPLE)} from minutes"
                " where uplink = ? and at >= ? and at < ? order by at",
                (uplink, since, until),
            ).fetchall()
        return [Sample(**dict(row)) for row in rows]

    def merged(self, uplink: str, since: float, until: float, step_s: float) -> list[Sample]:
        """As series.thinned makes them of `minutes`, by steps of `step_s`; a month is one look."""
        with self._asked("read") as db:
            rows = db.execute(
                "select cast((at - :since) / :step as integer) as number, group_concat(distinct state),"
                " sum(usable * seconds) / sum(seconds), sum(carried * seconds) / sum(seconds),"
                " avg(rtt_ms), max(jitter_ms), avg(loss), min(mos) from minutes"
                " where uplink = :uplink and at >= :since and at < :until group by number order by number",
                {"uplink": uplink, "since": since, "until": until, "step": step_s},
            ).fetchall()
        return [
            Sample(
                at=since + number * step_s,
                seconds=step_s,
                state=worst(states.split(",")),
                **dict(zip(("usable", "carried", "rtt_ms", "jitter_ms", "loss", "mos"), values, strict=True)),
            )
            for number, states, *values in map(tuple, rows)
        ]

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _page(self, sql: str, values: Sequence[Any], limit: int) -> tuple[list[sqlite3.Row], bool]:
        most = max(1, min(limit, MOST))
        with self._asked("read") as db:
            rows = db.execute(f"{sql} order by record desc limit ?", [*values, most + 1]).fetchall()
        return rows[:most], len(rows) > most

    def _asked(self, what: str) -> "_Asked":
        return _Asked(self, what)

    def open(self) -> sqlite3.Connection:
        """The file, opened; one that is no sound database is put aside. Raises sqlite3.Error, OSError."""
        if self._db is None:
            try:
                self._db = self._opened()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # locked, full, read-only: the file is sound
                    raise
                aside = self._path.with_suffix(".damaged")
                self._path.replace(aside)
                self.trouble = f"The history could not be read and was begun anew; the old file is {aside}."
                self._db = self._opened()
        return self._db

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=2.0, check_same_thread=False, cached_statements=16)
        try:
            db.row_factory = sqlite3.Row
            for setting in ("journal_mode = truncate", "synchronous = full", "cache_size = -256"):
                db.execute(f"pragma {setting}")
            db.executescript(_SCHEMA)
        except BaseException:
            db.close()
            raise
        return db


class _Asked:
    """One transaction; what SQLite or the disk refuse becomes a DoorError."""

    def __init__(self, store: Store, what: str) -> None:
        self._store, self._what = store, what

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._db = self._store.open()
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error
        return self._db

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._db.commit()
            else:
                self._db.rollback()
        except sqlite3.Error as refused:
            self._store.close()
            raise self._refused(refused) from refused
        if isinstance(error, sqlite3.Error):
            self._store.close()
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> DoorError:
        return DoorError(
            f"the history cannot be used ({self._what}: {error})",
            where=FILE,
            remedy="Check the disk; calls do not need it",
        )


def _row(call: CallEnded) -> tuple[Any, ...]:
    values = {name: getattr(call, name) for name in _CALL}
    values["attempts"] = json.dumps(call.attempts)
    return tuple(values.values())


def _call(row: sqlite3.Row) -> CallRecord:
    values = dict(row)
    values["attempts"] = tuple(json.loads(values["attempts"]))
    return CallRecord(**values)
