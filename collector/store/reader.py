"""Reading the journal: by sequence number for sinks, by time for people.

One `Reader` serves several threads; its calls are short, hold no transaction when they return, and need few files open
however many days there are. A damaged day costs its own rows only: whoever needs none of them does not notice.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from collector.store.blocks import Block
from collector.store.daily import DailyFile, Totals
from collector.store.files import Connect, StoreError, connect, journal_files, reading
from collector.store.history import History, Part, parts_of
from collector.store.hold import Hold
from collector.store.losses import Loss, losses
from collector.store.newest import Group, NewestSlot, newest_slots
from collector.store.rows import DamagedRow, EventRow, Row, ScanRow
from collector.terms import Event, EventKind
from drivers.base import Layout

MOST_OPEN = 8
_COMMITTED_BEFORE = "SELECT seq FROM commits WHERE time_ns <= ? ORDER BY seq DESC LIMIT 1"
_LEAST_HOURS, _ENOUGH_HOURS = 1 / 60, 1.0
_LAYOUTS = "SELECT key, id FROM layouts ORDER BY key"


class Reader:
    """Reads the daily files of a data folder, also while the daemon writes them."""

    def __init__(self, data: Path, connect: Connect = connect, hold: Hold | None = None) -> None:
        """`hold`: of the daemon whose sinks get what is read."""
        self._data, self._connect, self._hold = data, connect, hold
        self._open: OrderedDict[Path, DailyFile] = OrderedDict()
        self._first_seq: dict[Path, int] = {}
        self._inodes: dict[Path, int] = {}
        self._layouts: dict[str, Layout] = {}
        self._lock = threading.RLock()

    def know(self, layouts: Iterable[Layout]) -> None:
        """Layouts that are in memory anyway: rows of them, by their ids, get these and none made anew of the file's text."""
        self._layouts.update((layout.id, layout) for layout in layouts)

    def read(self, after_seq: int, limit: int) -> list[Row]:
        """Rows beyond `after_seq`, ascending, at most `limit` and of one daily file; [] when there are none yet.

        Raises StoreError when they are in a file that can't be read, or of another daemon.
        """
        if self._hold:
            self._hold.check(still_there=True)
        with self._lock:
            for path in self._from(after_seq + 1):
                with reading(path):
                    rows = self._file(path).after(after_seq, limit)
                if rows:
                    return rows
        return []

    def totals(self, until_seq: int | None = None) -> Totals:
        """What the journal had, up to and including row `until_seq` where given: lost rows count. Raises StoreError."""
        totals = self._totals_of_files(until_seq)
        lost = [loss.after for loss in losses(self._data) if until_seq is None or loss.after.seq <= until_seq]
        return max([totals, *lost], key=_seq)

    def _totals_of_files(self, until_seq: int | None) -> Totals:
        with self._lock:
            paths = journal_files(self._data)[-1:] if until_seq is None else self._from(until_seq)
            if not paths:
                return Totals()
            with reading(paths[0]):
                file = self._file(paths[0])
                totals = file.before if until_seq is not None and until_seq < file.first_seq else file.totals(until_seq)
            if until_seq is not None and totals.seq < until_seq and len(paths) > 1:
                self._file(paths[1])  # it was passed over because it is damaged, and the row may be in it: raises
            return totals

    def losses(self) -> tuple[Loss, ...]:
        """What was lost to damage. Raises StoreError."""
        return losses(self._data)

    def last_commit_ns(self) -> int | None:
        """Plant time of the newest commit, None for an empty journal. Raises StoreError."""
        with self._lock:
            for path in reversed(journal_files(self._data)):
                with reading(path):
                    if (time_ns := self._file(path).last_commit_ns()) is not None:
                        return time_ns
            return None

    def committed_before(self, time_ns: int) -> int:
        """The last row that was committed at plant time `time_ns` or earlier; 0 when none was. Raises StoreError."""
        with self._lock:
            for path in reversed(journal_files(self._data)):
                with reading(path):
                    row = self._file(path).connection.execute(_COMMITTED_BEFORE, (time_ns,)).fetchone()
                if row is not None:
                    return int(row[0])
        return 0

    def bytes_per_hour(self) -> float | None:
        """How fast the journal grows while it is written; None before it was for a minute. Raises StoreError.

        By the newest daily file, and those before it until they make an hour: the beginning of a day tells too little.
        """
        held, hours = 0, 0.0
        with self._lock:
            for path in reversed(journal_files(self._data)):
                with reading(path):
                    file_bytes, file_hours = self._file(path).growth()
                held, hours = held + file_bytes, hours + file_hours
                if hours >= _ENOUGH_HOURS:
                    break
        return held / hours if hours >= _LEAST_HOURS else None

    def newest_events(self, kind: EventKind, limit: int) -> list[Event]:
        """The newest `limit` events of a kind, oldest first; fewer where an older day can't be read."""
        rows: list[EventRow] = []
        for path in reversed(journal_files(self._data)):
            try:
                with closing(DailyFile.open(path, self._connect, self._layouts)) as file:
                    rows += file.events(" WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind.value, limit - len(rows)))
            except StoreError:
                break
            if len(rows) >= limit:
                break
        return [row.event for row in reversed(rows)]

    def events_after(self, kind: EventKind, after_seq: int) -> list[EventRow]:
        """Every event of a kind beyond row `after_seq`, in the order of their rows. Raises StoreError, DamagedRow."""
        rows: list[EventRow] = []
        with self._lock:
            for path in self._from(after_seq + 1):
                with reading(path):
                    rows += self._file(path).events(" WHERE seq > ? AND kind = ? ORDER BY seq", (after_seq, kind.value))
        return rows

    def newest_slots(self, back_ns: int) -> dict[Group, NewestSlot]:
        """Of each group with a scan not more than `back_ns` before the newest, or a gap told of it, in the last two files.

        A file that is damaged tells nothing here.
        """
        newest: dict[Group, NewestSlot] = {}
        with self._lock:
            for path in journal_files(self._data)[-2:]:
                with suppress(StoreError, DamagedRow, sqlite3.Error):
                    newest.update(newest_slots(self._file(path), back_ns))
        return newest

    def layouts(self) -> list[Layout]:
        """Every layout that any row may name, oldest first. Raises StoreError."""
        found: dict[str, Layout] = {}
        for file in self._each():
            found |= {layout.id: layout for _, layout in self._layouts_of(file)}
        return list(found.values())

    def scans_between(self, from_ns: int, to_ns: int) -> Iterator[ScanRow]:
        """Every scan with from ≤ slot < to, in the order of slots within each day. Raises StoreError."""
        for file in self._each():
            with file.snapshot():
                yield from map(file.scan_row, file.scans.by_slot(from_ns, to_ns))

    def scans_of(self, wanted: Callable[[Layout], bool], from_ns: int, to_ns: int) -> Iterator[ScanRow]:
        """Scans with from ≤ slot < to of the layouts that are `wanted`, the newest day first, ascending within each day.

        Days that end before `from_ns` are not opened. Raises StoreError.
        """
        for path in reversed(journal_files(self._data)):
            with closing(DailyFile.open(path, self._connect, self._layouts)) as file:
                keys = [key for key, layout in self._layouts_of(file) if wanted(layout)]
                with file.snapshot():
                    yield from map(file.scan_row, file.scans.by_slot(from_ns, to_ns, keys))
                    first_ns = file.scans.first_slot_ns()
                if first_ns is not None and first_ns < from_ns:
                    return

    def blocks_between(self, from_ns: int, to_ns: int) -> Iterator[Block]:
        """Every scan with from ≤ slot < to in blocks of one layout, of each day about in the order of time: what replays read.

        Raises StoreError.
        """
        for file in self._each():
            with reading(file.path), file.snapshot():
                yield from file.scans.in_blocks(from_ns, to_ns)

    def history(self, unit: str, tag: str, from_ns: int, to_ns: int) -> History:
        """The samples of a tag with from ≤ slot < to, ascending by slot. Raises StoreError.

        Days that end before `from_ns` are not opened.
        """
        parts: list[Part] = []
        for path in reversed(journal_files(self._data)):
            with reading(path), closing(DailyFile.open(path, self._connect, self._layouts)) as file, file.snapshot():
                parts += parts_of(file, self._layouts_of(file), (unit, tag), from_ns, to_ns)
                first_ns = file.scans.first_slot_ns()
            if first_ns is not None and first_ns < from_ns:
                break
        return History.of(parts)

    def events_between(self, from_ns: int, to_ns: int) -> Iterator[EventRow]:
        """Every event with from ≤ slot < to, in the order of their rows. Raises StoreError."""
        for file in self._each():
            yield from file.events(" WHERE slot_ns >= ? AND slot_ns < ? ORDER BY seq", (from_ns, to_ns))

    def count_between(self, from_ns: int, to_ns: int) -> int:
        """Scans with from ≤ slot < to: what a progress bar needs. Raises StoreError."""
        count = 0
        for file in self._each():
            with file.snapshot():
                count += file.scans.count(from_ns, to_ns)
        return count

    def slot_span(self) -> tuple[int, int] | None:
        """The first and the last slot of any scan; None where there is none. Raises StoreError."""
        found = [ns for file in self._each() for ns in file.scans.slot_span()]
        return (min(found), max(found)) if found else None

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _layouts_of(self, file: DailyFile) -> list[tuple[int, Layout]]:
        """With their keys in the file; each is made of its text once, however many days have it."""
        keys = file.connection.execute(_LAYOUTS).fetchall()
        return [(key, self._layouts.get(id_) or self._layouts.setdefault(id_, file.layout(key))) for key, id_ in keys]

    def _each(self) -> Iterator[DailyFile]:
        """Every day after the other, each open only for its turn."""
        for path in journal_files(self._data):
            with closing(DailyFile.open(path, self._connect, self._layouts)) as file:
                yield file

    def _from(self, seq: int) -> list[Path]:
        """The days from the one that holds row `seq` on. Where a day begins is not known when it is damaged: then the day
        before it is the first that may hold the row."""
        paths = journal_files(self._data)
        for at in range(len(paths) - 1, 0, -1):
            try:
                if self._begins(paths[at]) <= seq:
                    return paths[at:]
            except StoreError:
                continue
        return paths

    def _begins(self, path: Path) -> int:
        file = self._same(path)
        if path not in self._first_seq:
            self._first_seq[path] = (file or self._file(path)).first_seq
        return self._first_seq[path]

    def _same(self, path: Path) -> DailyFile | None:
        """The file of this name that is open. One that was set aside, and begun anew under the same name, is no more it."""
        try:
            inode = path.stat().st_ino
        except OSError as exc:
            raise StoreError(f"{path} can't be read: {exc.strerror}") from None
        if self._inodes.setdefault(path, inode) != inode:
            self._inodes[path] = inode
            self._first_seq.pop(path, None)
            if path in self._open:
                self._open.pop(path).close()
        return self._open.get(path)

    def _file(self, path: Path) -> DailyFile:
        file = self._same(path)
        if file is None:
            file = self._open[path] = DailyFile.open(path, self._connect, self._layouts)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(path)
        return file


def _seq(totals: Totals) -> int:
    return totals.seq
