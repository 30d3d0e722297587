"""The journal's daily files: their names, schema and connections.

    DATA/
      registry.db                 cursors, dead letters, states      (collector.store.registry)
      journal/2026-11-23.db       the scans and events committed on that day (UTC)
      journal/2026-11-24.db       ...

A file is only ever appended to by the one daemon that holds DATA/daemon.lock. Readers open it read-only (WAL:
they never block the writer). The day is that of the commit; a clock that goes backward does not reopen an older file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from collector.store import schema
from collector.store.rows import DamagedRow

ARCHIVE = "archive.json"
"""The manifest that makes a folder an archive: see collector.store.archive."""
LOCK = "daemon.lock"


class StoreError(Exception):
    """The data folder can't be used as it is; the text says what, where, and what to do."""


Connect = Callable[[Path, str], sqlite3.Connection]
"""Makes a connection to a file, in the mode `ro`, `rw` or `rwc`; tests put a disk with faults underneath."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection that begins no transaction by itself, and serves any thread, one at a time. Raises sqlite3.Error."""
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


class Damaged(StoreError):
    """A file of the data folder is not what was written: it can be set aside, so that collection goes on without it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is damaged: {what}")
        self.path = path
        self.what = what
        self.inode = inode_of(path)
        """By which it is known again: another file may have its name by now."""


def inode_of(path: Path) -> int:
    """0 for a file that is not there."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def identity_of(path: Path) -> tuple[str, int]:
    """By which a file is known again among all that were ever there: a file system soon gives the inode of one that was removed
    to the next that is made."""
    return path.name, inode_of(path)


_OF_DAMAGE = ("Could not decode to UTF-8", "no such table", "no such column")
"""A statement of ours names what the schema of a daily file has: without it the schema is not what was written."""


def tells_damage(exc: BaseException) -> bool:
    """SQLite says that the file is not what was written; a full disk, a lock or a refusal does not say so."""
    code = getattr(exc, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    told = isinstance(exc, sqlite3.OperationalError) and str(exc).startswith(_OF_DAMAGE)
    return told or isinstance(exc, UnicodeDecodeError)  # of a text, or of the name of a column


def is_of_the_disk(exc: BaseException) -> bool:
    """The disk, a lock or a right refused, and may not the next time: nothing is known of what the file holds."""
    cause = exc.__cause__ if isinstance(exc, StoreError) and not isinstance(exc, Damaged) else exc
    return isinstance(cause, (sqlite3.OperationalError, OSError)) and not tells_damage(cause)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What is read inside is of one file: raises Damaged when it shows that the file is not what was written."""
    try:
        yield
    except DamagedRow as exc:
        raise Damaged(path, str(exc)) from exc
    except (sqlite3.Error, UnicodeDecodeError) as exc:
        if tells_damage(exc):
            raise Damaged(path, str(exc)) from exc
        raise


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold DATA for one daemon. Raises StoreError when another has it, the folder can't be made, or is an archive."""
    if (data / ARCHIVE).exists():
        raise StoreError(f"{data} is an archive, which no daemon writes to; choose another folder with --data")
    try:
        _make(data / "journal")
        lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise StoreError(
            f"{data}: the data folder can't be made or written: {exc.strerror}; choose another with --data"
        ) from None
    try:
        _take(lock, data)
        yield
        fcntl.flock(lock, fcntl.LOCK_UN)  # also for a child that is just being started and still shares the descriptor
    finally:
        os.close(lock)


def _make(folder: Path) -> None:
    """Make a folder and those it lies in, their names durable: a power cut after the first commit would else take all of them."""
    if not folder.parent.is_dir():
        _make(folder.parent)
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # it lies in a folder that is not ours, and was made by who may
        sync_folder(folder.parent)


def _take(lock: int, data: Path) -> None:
    for wait_s in (0.05, 0.05, 0.1, None):  # `is_locked` of another process holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if wait_s is None:
                raise StoreError(
                    f"{data}: another reactorwatch writes there; stop it first, or choose another folder with --data"
                ) from None
            time.sleep(wait_s)
        else:
            return


def is_locked(data: Path) -> bool:
    """True while a daemon holds DATA."""
    try:
        lock = os.open(data / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def day_of(time_ns: int) -> str:
    """`2026-11-23`, UTC."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d")


def journal_files(data: Path) -> list[Path]:
    """The daily files, oldest first."""
    return sorted((data / "journal").glob("????-??-??.db"))


def lone_logs(data: Path) -> list[Path]:
    """What belonged to daily files that are no longer there: SQLite would read it into the next file of that name."""
    return [log for log in sorted((data / "journal").glob("????-??-??.db-*")) if not (log.parent / log.name[:13]).exists()]


def create(
    path: Path,
    first_seq: int,
    samples_before: int,
    scans_before: int,
    hash_before: bytes | None = None,
    connect: Connect = connect,
) -> None:
    """Make an empty daily file. It gets its name only when it is whole and on the disk. Raises StoreError.

    It is in WAL mode by then and never has a rollback journal: one that comes back with a power cut could not be rolled
    back by readers.
    """
    unfinished = path.with_suffix(".new")
    if path.exists():
        raise StoreError(f"{path} is there already: it is never made anew")
    try:
        for left in unfinished.parent.glob(f"{unfinished.name}*"):
            left.unlink()
        with closing(connect(unfinished, "rwc")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = OFF")
            schema.make(connection, (first_seq, samples_before, scans_before, hash_before))
            connection.execute("PRAGMA journal_mode = WAL")
        for log in lone_logs(path.parent.parent):
            if log.name.startswith(path.name):
                log.replace(log.with_name(f"left-{log.name}"))
        unfinished.rename(path)
        sync_folder(path.parent)
    except (sqlite3.Error, OSError) as exc:
        raise StoreError(f"{path}: the daily file can't be made: {exc}") from exc


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_writer(path: Path, connect: Connect = connect) -> sqlite3.Connection:
    """The writer's connection; an older file is brought up to date first. Raises StoreError."""
    return _open_to_write(path, connect, "journal_mode = WAL", "synchronous = FULL", "secure_delete = OFF")


def _open_to_write(path: Path, connect: Connect, *pragmas: str) -> sqlite3.Connection:
    connection = _open(connect, path, "rw", pragmas)
    try:
        schema.bring_up_to_date(connection)
    except BaseException as exc:
        connection.close()
        if tells_damage(exc):
            raise Damaged(path, str(exc)) from exc
        if isinstance(exc, sqlite3.Error):
            raise StoreError(f"{path} can't be brought to schema version {schema.SCHEMA_VERSION}: {exc}") from exc
        raise
    return connection


def open_compactor(path: Path, connect: Connect = connect) -> sqlite3.Connection:
    """The compactor's connection, beside the writer's. It does not sync: the log is in order, and the writer's next commit syncs
    it; nor does it checkpoint in a transaction, for a commit would wait for that. Raises StoreError."""
    return _open_to_write(
        path, connect, "journal_mode = WAL", "synchronous = NORMAL", "secure_delete = OFF", "wal_autocheckpoint = 0"
    )


def open_reader(path: Path, connect: Connect = connect) -> sqlite3.Connection:
    """A read-only connection, to an older file too. Raises StoreError."""
    return _open(connect, path, "ro", ())


def _open(connect: Connect, path: Path, mode: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    try:
        connection = connect(path, mode)
    except sqlite3.Error as exc:
        raise refusal(path, exc) from exc
    try:
        connection.execute("PRAGMA busy_timeout = 5000")
        _check_schema(connection, path)  # before any other pragma: a foreign database stays as it is
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException as exc:
        connection.close()
        if isinstance(exc, (sqlite3.Error, UnicodeDecodeError)):
            raise refusal(path, exc) from exc
        raise
    return connection


def refusal(path: Path, exc: Exception) -> StoreError:
    """What to raise for an error of opening a file. A table that is missing is damage, and so is a folder in its place."""
    code = getattr(exc, "sqlite_errorcode", None)
    missing = code == sqlite3.SQLITE_ERROR
    if missing or tells_damage(exc) or (path.exists() and not path.is_file()):
        return Damaged(path, str(exc))
    return StoreError(f"{path} can't be {'opened' if code == sqlite3.SQLITE_CANTOPEN else 'used'}: {exc}")


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raises Damaged for a file that is none of ours, StoreError for one of a later version, sqlite3.Error for what is broken."""
    try:
        version = schema.version_of(connection)
    except schema.NewerSchema as exc:
        raise StoreError(f"{path} {exc}") from None
    except schema.UnknownSchema as exc:
        raise Damaged(path, f"it {exc}") from None
    schema.check_tables(connection, version)
    if connection.execute("SELECT first_seq FROM meta").fetchone() is None:
        raise Damaged(path, "it does not say where it begins")
