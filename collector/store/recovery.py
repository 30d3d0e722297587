"""What is looked at before the journal is opened: cheap checks of its end, so that a start is fast however much it holds.

The newest file decides where the numbers go on, so damage there is found here, and the file set aside. Older files are
looked at later (`holes`, and whoever reads them); every byte is looked at by `reactorwatch verify` alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import date, timedelta
from pathlib import Path

from collector.store.daily import DailyFile, Totals
from collector.store.files import Connect, Damaged, connect, day_of, journal_files, lone_logs, reading
from collector.store.losses import Loss, losses, quarantine
from collector.store.quarantine import Quarantine
from collector.store.reader import Reader

ROWS_LOOKED_AT = 200


def recover(
    data: Path,
    known: Totals,
    now_ns: int,
    connect: Connect = connect,
    removed: Totals = Totals(),  # noqa: B008  frozen
) -> list[Loss]:
    """Set aside what would keep the journal from going on, put down what it has no more at either end. `known`: the most that is
    known to have been committed; `removed`: what retention took away.

    Returns what was found now. Raises StoreError when the folder can't be used.
    """
    aside = Quarantine(data, known, now_ns, connect=connect)
    before = losses(data)
    for original, kept, cause in _orphans(data):
        for log in (log for log in lone_logs(data) if log.name.startswith(original.name)):
            aside.keep_log(log, kept)
        aside.put_down(original, kept, cause)
    for log in lone_logs(data):
        aside.keep_log(log)
    while files := journal_files(data):
        if damage := damage_at_end(files[-1], connect) or _copy_of_another(files, connect):
            aside.set_aside(files[-1], damage)
        else:
            break
    with closing(Reader(data, connect)) as reader:
        end = reader.totals()
    if known.seq > end.seq:
        missing = f"rows {end.seq + 1} to {known.seq} had been committed, and are in no file"
        aside.put_down_end(end, f"{missing}: it was deleted, cut short, or put back from an older copy")
    _recover_beginning(data, aside, removed, connect)
    return [loss for loss in losses(data) if loss not in before]


def _copy_of_another(files: Sequence[Path], connect: Connect) -> str:
    """What is wrong with the newest file, beside the one before it. One that can't be opened is found by whoever reads it."""
    with suppress(Damaged):
        for older in files[-2:-1]:
            return next((what for path, what in _misplaced(older, files[-1], connect) if path == files[-1]), "")
    return ""


def _recover_beginning(data: Path, aside: Quarantine, removed: Totals, connect: Connect) -> None:
    """Put down what was deleted before the oldest file. One that can't be opened is found by whoever reads it."""
    with suppress(Damaged):
        for path in journal_files(data)[:1]:
            with reading(path), closing(DailyFile.open(path, connect)) as file:
                first = file.before
            while missing := missing_before(first, losses(data), removed):
                aside.put_down_beginning(path, *missing)


def missing_before(first: Totals, lost: Sequence[Loss], removed: Totals) -> tuple[Totals, Totals] | None:
    """From where to where rows are in no file before the oldest one, which goes on from `first`, are not known to be lost, and
    were not `removed` by retention. `lost` by its rows."""
    reached = removed
    for loss in lost:
        if loss.before.seq >= first.seq:
            break
        if loss.before.seq > reached.seq:
            return reached, loss.before
        reached = max(reached, loss.after, key=_seq)
    return (reached, first) if reached.seq < first.seq else None


def _seq(totals: Totals) -> int:
    return totals.seq


def damage_at_end(path: Path, connect: Connect = connect) -> str:
    """What is wrong with a file, as far as its first page and its last rows show; empty where nothing is. Milliseconds.

    Raises StoreError for what is no damage: a newer schema, no permission.
    """
    try:
        with reading(path), closing(DailyFile.open(path, connect)) as file:
            _check_size(file)
            end = file.totals()
            _check_end(file, end)
            file.after(end.seq - ROWS_LOOKED_AT, ROWS_LOOKED_AT)
            file.last_commit_ns()
    except Damaged as exc:
        return exc.what
    except (TypeError, OverflowError) as exc:  # a column of another type, which STRICT would not have let in
        return f"its newest commits are not what was written ({exc})"
    return ""


def _check_size(file: DailyFile) -> None:
    """A database that is shorter than it says has lost its end. Pages that stand in the log only may be missing yet."""
    pages, page_bytes = (int(file.connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    size_bytes = file.path.stat().st_size
    log = file.path.with_name(file.path.name + "-wal")
    if pages * page_bytes > size_bytes and not (log.exists() and log.stat().st_size):
        raise Damaged(file.path, f"it is cut short: {size_bytes} bytes of {pages * page_bytes}")


def _misplaced(older: Path, newer: Path, connect: Connect) -> Iterator[tuple[Path, str]]:
    """Of two neighbours the one that is there twice: it has rows of the other, and begins on another day than its name says."""
    (_, end), (first, _) = _edges(older, connect), _edges(newer, connect)
    if first < end:
        for path in (newer, older):
            if (day := _first_day(path, connect)) not in ("", path.stem):
                yield path, f"it begins on {day}, and has rows that are in another file too: it is a copy under another name"
                return


def _first_day(path: Path, connect: Connect) -> str:
    """That of its first commit: a file is made for it. Empty where there is none."""
    with reading(path), closing(DailyFile.open(path, connect)) as file:
        first = file.connection.execute("SELECT time_ns FROM commits ORDER BY seq LIMIT 1").fetchone()
    return day_of(first[0]) if first else ""


def _check_end(file: DailyFile, end: Totals) -> None:
    if end.seq < file.before.seq or end.samples < file.before.samples or end.scans < file.before.scans:
        raise Damaged(file.path, f"it ends ({end}) before it begins ({file.before})")
    try:
        (beyond,) = file.connection.execute(
            "SELECT count(*) FROM (SELECT seq FROM scans WHERE seq > ? UNION ALL SELECT seq FROM events WHERE seq > ?)",
            (end.seq, end.seq),
        ).fetchone()
    except sqlite3.OperationalError as exc:
        raise Damaged(file.path, str(exc)) from exc
    if beyond:
        raise Damaged(file.path, f"{beyond} rows stand beyond its last commit")


def _orphans(data: Path) -> Iterator[tuple[Path, str, str]]:
    """Files in the quarantine without a record: moved there by hand, or just before a crash."""
    recorded = {f"{loss.name}.db" for loss in losses(data)} | {loss.kept for loss in losses(data)}
    for path in sorted(quarantine(data).glob("????-??-??*.db")):
        original = data / "journal" / f"{path.name[:10]}.db"
        if path.name not in recorded and not original.exists():
            yield original, path.name, "it was moved here by hand, or the daemon ended while it was set aside"


def holes(data: Path, connect: Connect = connect) -> Iterator[tuple[Path, str]]:
    """Daily files that can't be opened, those that are there twice, and those that must have been there, for the one behind goes
    on beyond the one before: with what is wrong. Reads the edges of every file: seconds for years of them. Raises StoreError."""
    before: Path | None = None
    for path in journal_files(data):
        try:
            first, _ = _edges(path, connect)
            if before is not None:
                if copies := list(_misplaced(before, path, connect)):
                    yield from copies
                    before = path if copies[0][0] == before else before
                    continue
                _, end = _edges(before, connect)  # now, not when it was the newest and still grew
                if end < first and first not in {loss.after.seq for loss in losses(data)}:
                    yield _between(before, path), f"it is gone: it had the rows {end + 1} to {first}"
            before = path
        except Damaged as exc:
            yield exc.path, exc.what
            before = None


def _edges(path: Path, connect: Connect) -> tuple[int, int]:
    with reading(path), closing(DailyFile.open(path, connect)) as file:
        _check_size(file)
        return file.before.seq, file.totals().seq


def _between(older: Path, newer: Path) -> Path:
    """The name that a file between two days had, as far as can be told; it is never that of one which is there."""
    day = date.fromisoformat(newer.stem) - timedelta(days=1)
    return newer.with_name(f"{day}.db" if f"{day}" > older.stem else f"{older.stem}~.db")
