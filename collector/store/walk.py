"""Walking the hash chain of a daily file: is every row there, as it was appended?

Reads in short snapshots, so that it may run beside the writer and the compactor. What does not hold is a break at its
commit, and the walk goes on from what is stored there: one change gives one break.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from pathlib import Path

from collector.store.chain import Head, Link
from collector.store.daily import Commit, DailyFile, Totals
from collector.store.files import Connect, connect
from collector.store.rows import DamagedRow, StoredEvent, StoredScan

_COMMITS_AT_ONCE = 100
_UNREADABLE = (sqlite3.Error, DamagedRow)


@dataclass(frozen=True, slots=True)
class Break:
    """A commit that is not what was appended; its rows are those after `after_seq`, up to and including `seq`."""

    after_seq: int
    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk through one daily file found."""

    before: Head
    """Where the file says that it goes on from: the head of the file before, when nothing is missing between them."""
    head: Head
    commits: int
    unchained: int
    """Commits of version 1: rows are counted, their contents can't be proved."""
    breaks: tuple[Break, ...]


def walk(path: Path, connect: Connect = connect, after_each: Callable[[], None] = lambda: None) -> Walked:
    """Check every commit of a file, `after_each` called behind it. Raises StoreError when it can't be opened, sqlite3.Error when
    commits can't be read."""
    with closing(DailyFile.open(path, connect)) as file:
        before = at = file.before_head
        commits = unchained = 0
        breaks: list[Break] = []
        for commit, what in checked(file):
            if what:
                breaks.append(Break(at.seq, commit.seq, what))
            at = Head(commit.seq, commit.hash)
            commits += 1
            unchained += commit.hash is None
            after_each()
        if late := _rows_beyond(file, at.seq):
            breaks.append(Break(at.seq, late, "rows that no commit holds"))
    return Walked(before, at, commits, unchained, tuple(breaks))


def checked(file: DailyFile) -> Iterator[tuple[Commit, str]]:
    """Every commit, and what is wrong with it; empty: nothing. Raises sqlite3.Error when commits can't be read."""
    at, totals = file.before_head, file.before
    while piece := _commits_after(file, at.seq):
        yield from _checked(file, piece, at, totals)
        last = piece[-1]
        at, totals = Head(last.seq, last.hash), Totals(last.seq, last.samples_total, last.scans_total)


def _commits_after(file: DailyFile, seq: int) -> list[Commit]:
    with file.snapshot():
        return file.commits(seq, _COMMITS_AT_ONCE)


def _checked(file: DailyFile, piece: Sequence[Commit], at: Head, totals: Totals) -> list[tuple[Commit, str]]:
    """Each commit with what is wrong with it. Where a row can't be read, one by one: only that commit is unreadable."""
    try:
        with file.snapshot():
            return list(_check(file, piece, at, totals))
    except _UNREADABLE as exc:
        if len(piece) == 1:
            return [(piece[0], f"can't be read: {exc}")]
    found = []
    for commit in piece:
        found += _checked(file, [commit], at, totals)
        at, totals = Head(commit.seq, commit.hash), Totals(commit.seq, commit.samples_total, commit.scans_total)
    return found


def _check(file: DailyFile, piece: Sequence[Commit], at: Head, totals: Totals) -> Iterator[tuple[Commit, str]]:
    last_seq = piece[-1].seq
    rows: Iterator[StoredScan | StoredEvent] = merge(
        file.scans.stored(at.seq, last_seq), file.stored_events(at.seq, last_seq), key=attrgetter("seq")
    )
    row = next(rows, None)
    for commit in piece:
        link, seen, samples, scans = Link(at.hash), at.seq, totals.samples, totals.scans
        complete = True
        while row is not None and row.seq <= commit.seq:
            complete &= row.seq == seen + 1
            seen = row.seq
            if isinstance(row, StoredScan):
                samples += _link_scan(file, link, row)
                scans += 1
            else:
                link.event(row.seq, row.slot_ns, row.kind, row.unit, file.digest("stamps", row.stamps), row.body)
            row = next(rows, None)
        sealed = link.seal(commit.seq, commit.time_ns, commit.samples_total, commit.scans_total)
        if not complete or seen != commit.seq:
            yield commit, "rows are missing, or doubled"
        elif (samples, scans) != (commit.samples_total, commit.scans_total):
            yield commit, "its totals are not those of its rows"
        elif commit.hash is None:
            yield commit, "" if at.hash is None else "it is not chained, and those before it are"
        else:
            yield commit, "" if sealed == commit.hash else "its rows are not those that were appended"
        at, totals = Head(commit.seq, commit.hash), Totals(commit.seq, commit.samples_total, commit.scans_total)


def _link_scan(file: DailyFile, link: Link, row: StoredScan) -> int:
    """Its samples."""
    digests = file.digest("layouts", row.layout) + file.digest("stamps", row.stamps)
    link.scan(row.seq, row.slot_ns, row.received_ns, row.lost_status, digests, row.blob)
    return len(file.layout(row.layout).columns) if row.blob else 0


def _rows_beyond(file: DailyFile, seq: int) -> int:
    """The last row that stands beyond the last commit; 0 where none does. Rows of a commit made meanwhile don't count."""
    with file.snapshot():
        if file.commits(seq, 1):
            return 0
        query = "SELECT max(seq) FROM (SELECT max(seq) AS seq FROM scans UNION ALL SELECT max(seq) FROM events)"
        (last_seq,) = file.connection.execute(query).fetchone()
    return int(last_seq) if last_seq is not None and last_seq > seq else 0
