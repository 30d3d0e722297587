"""What can still be read of a daily file in quarantine: into a data folder of its own, never back into the record.

    quarantine/2026-11-23-20261126T141500Z.db    commit 1 | commit 2 | #### | commit 4 | ...    its hash tells each that is intact
    FOLDER/journal/2026-11-23.db                 commit 1 | commit 2        | commit 4 | ...
    FOLDER/salvaged.json                         where they come from, and which rows are not among them

A commit counts when its rows, as they are read now, bring about the hash that it was given; it is taken whole, or not at all. In
the new folder rows are numbered anew and have a chain of their own. What is in quarantine is copied, and stays as it was found.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from heapq import merge
from operator import attrgetter
from pathlib import Path

import orjson

from collector.store.daily import Commit, DailyFile
from collector.store.files import StoreError, locked
from collector.store.journal import Entry, Journal, Stamped
from collector.store.losses import Loss, quarantine
from collector.store.registry import Registry, site_of
from collector.store.rows import DamagedRow, Row, ScanRow
from collector.store.walk import Break, checked

REPORT = "salvaged.json"
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was brought to safety, and what was not."""

    name: str
    """Of the file in quarantine."""
    first_seq: int
    """Of its first row, in the record that it was part of."""
    commits: int
    rows: int
    samples: int
    unproved: int
    """Of the commits, those of version 1, which had no hash: they are whole, their contents can't be proved."""
    left: tuple[Break, ...]
    """The rows that were left, and why; a last one with `seq` 0: all from there on."""


def salvage(data: Path, loss: Loss, to: Path) -> Salvaged:
    """Make the data folder `to` of what is intact. Raises StoreError where nothing can be read, or `to` holds something."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StoreError(f"{to} is there and not empty: give a new folder")
    kept = quarantine(data) / loss.kept
    if not loss.kept or not kept.is_file():
        raise StoreError(f"{loss.name}: its file is gone, there is nothing to salvage")
    with locked(to):
        copy = to / "copy.db"
        try:
            _copy(kept, copy)
            with closing(DailyFile.open(copy)) as file, closing(Journal(to)) as journal:
                found = _Salvage(file, journal).run(loss.name)
            _registry(data, to)
            (to / REPORT).write_bytes(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
        except (StoreError, sqlite3.Error, OSError, UnicodeDecodeError) as exc:
            _clear(to)
            raise StoreError(f"{loss.name} can't be salvaged: {str(exc).replace(str(copy), str(kept))}") from exc
        finally:
            for part in to.glob(f"{copy.name}*"):
                part.unlink()
    return found


def _clear(folder: Path) -> None:
    """It was empty, and what is in it now is not all of it: nobody shall take it for that, and it is given again."""
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _registry(data: Path, to: Path) -> None:
    """One without sinks, of the same site where that is known: commands that read a data folder ask for it."""
    with closing(Registry(to)) as registry, suppress(StoreError):
        registry.put_states("daemon", {"about": {"site": site_of(data)}})


def _copy(kept: Path, copy: Path) -> None:
    """With its log, which a reader may bring into it."""
    for suffix in ("", "-wal"):
        if (part := kept.with_name(kept.name + suffix)).is_file():
            shutil.copyfile(part, copy.with_name(copy.name + suffix))


class _Salvage:
    """Takes the commits of a file over into a journal, one behind the other."""

    def __init__(self, file: DailyFile, journal: Journal) -> None:
        self._file, self._journal = file, journal
        self._commits = self._unproved = self._time_ns = 0
        self._left: list[Break] = []
        self._waiting: list[Entry] = []

    def run(self, name: str) -> Salvaged:
        """All of them."""
        at = self._file.before.seq
        try:
            for commit, what in checked(self._file):
                if what := what or self._take(at, commit):
                    self._leave(Break(at, commit.seq, what))
                at = commit.seq
        except (sqlite3.Error, DamagedRow) as exc:
            self._leave(Break(at, 0, f"nothing can be read from here on: {exc}"))
        self._append()
        totals = self._journal.totals
        first_seq, left = self._file.first_seq, tuple(self._left)
        return Salvaged(name, first_seq, self._commits, totals.seq, totals.samples, self._unproved, left)

    def _take(self, after_seq: int, commit: Commit) -> str:
        """Why it can't be taken; empty where it was."""
        try:
            self._waiting += list(_entries(self._file, after_seq, commit.seq))
        except (sqlite3.Error, DamagedRow, StoreError) as exc:
            return f"can't be read: {exc}"
        self._time_ns = commit.time_ns
        self._commits += 1
        self._unproved += commit.hash is None
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._append()
        return ""

    def _append(self) -> None:
        self._journal.append(self._waiting, self._time_ns)
        self._waiting = []

    def _leave(self, left: Break) -> None:
        last = self._left[-1] if self._left else None
        if last and (last.seq, last.what) == (left.after_seq, left.what):
            self._left[-1] = Break(last.after_seq, left.seq, left.what)
        else:
            self._left.append(left)


def _entries(file: DailyFile, after_seq: int, until_seq: int) -> Iterator[Entry]:
    """The rows of a commit. Raises DamagedRow, StoreError, sqlite3.Error."""
    scans: Iterator[Row] = map(file.scan_row, file.scans.stored(after_seq, until_seq))
    events = file.events(" WHERE seq > ? AND seq <= ? ORDER BY seq", (after_seq, until_seq))
    for row in merge(scans, events, key=attrgetter("seq")):
        yield Stamped(row.scan, row.stamps) if isinstance(row, ScanRow) else row.event
