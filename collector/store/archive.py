"""An archive: closed days of one record, in a folder elsewhere, each proved by reading it back.

    FOLDER/
      archive.json               the manifest: the site, each day with its totals, chain and SHA-256, and what is known to be lost
      journal/2026-11-23.db      a daily file, complete in itself; no log belongs to it, and a disk that can't be written will do

As the daily files of a data folder it can be read in place. A day counts when the manifest has it; the manifest is replaced
as a whole. What is written here is on the disk when a call returns.
"""

from __future__ import annotations

import errno
import marshal
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path

import orjson

from collector.store.backup import Show, copy_pages
from collector.store.daily import Totals
from collector.store.files import ARCHIVE, StoreError, sync_folder
from collector.store.losses import Loss, loss_from_json
from collector.terms import Json

_FORM = 1
_READ_AND_WRITE_VERSION_AT = 18
"""In the header of a database, two bytes: 2 with a write-ahead log, 1 without."""
_TABLES = ("meta", "layouts", "stamps", "scans", "events", "commits", "segments", "blocks", "chunks")
_KINDS: Mapping[object, type] = {"str": str, "int": int, "bool": bool}


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A daily file in an archive, as it was proved."""

    day: str
    first_seq: int
    last_seq: int
    rows: int
    samples: int
    scans: int
    commits: int
    samples_before: int
    """In the journal before its first row."""
    scans_before: int
    hash_before: str
    """The chain's head that it goes on from, hexadecimal; empty where nothing was chained."""
    hash: str
    """The chain's head at its end."""
    gmp: bool
    size_bytes: int
    sha256: str
    """Of the file."""
    archived_ns: int
    version: str
    """Of the program that archived it."""

    @property
    def before(self) -> Totals:
        """Of the journal up to its first row."""
        return Totals(self.first_seq - 1, self.samples_before, self.scans_before)

    @property
    def end(self) -> Totals:
        """Of the journal up to its last row."""
        return Totals(self.last_seq, self.samples_before + self.samples, self.scans_before + self.scans)

    def path(self, folder: Path) -> Path:
        """In an archive."""
        return day_path(folder, self.day)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive holds."""

    site: str
    days: tuple[ArchivedDay, ...] = ()
    """Oldest first."""
    lost: tuple[Loss, ...] = ()
    """What the record had lost to damage when its days were archived."""

    def of(self, day: str) -> ArchivedDay | None:
        """The entry of a day."""
        return next((each for each in self.days if each.day == day), None)


def day_path(folder: Path, day: str) -> Path:
    """Where an archive has a day's file."""
    return folder / "journal" / f"{day}.db"


def is_archive(folder: Path) -> bool:
    """It has a manifest, be it a damaged one."""
    return (folder / ARCHIVE).exists()


def read_manifest(folder: Path) -> Manifest:
    """Raises StoreError."""
    path = folder / ARCHIVE
    try:
        told = orjson.loads(path.read_bytes())
        if told["form"] != _FORM:
            raise StoreError(f"{path} is of form {told['form']}, this program reads {_FORM}: use a newer reactorwatch")
        days = sorted(map(_day, told["days"]), key=lambda day: day.day)
        return Manifest(str(told["site"]), tuple(days), tuple(map(loss_from_json, told["lost"])))
    except FileNotFoundError:
        raise StoreError(f"{folder} has no {ARCHIVE}: it is no archive") from None
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise StoreError(f"{path} can't be read: {exc}") from None


def _day(told: Mapping[str, Json]) -> ArchivedDay:
    for each in fields(ArchivedDay):
        if type(told[each.name]) is not _KINDS[each.type]:
            raise ValueError(f"{each.name} is {told[each.name]!r}")
    day = ArchivedDay(**told)  # type: ignore[arg-type]
    if f"{date.fromisoformat(day.day)}" != day.day:
        raise ValueError(f"{day.day!r} is no day")
    return day


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """In the place of the one before, as a whole. Raises OSError."""
    unfinished = folder / f"{ARCHIVE}.unfinished"
    with unfinished.open("wb") as file:
        file.write(orjson.dumps({"form": _FORM} | asdict(manifest), option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / ARCHIVE)
    sync_names(folder)


def sync_names(folder: Path) -> None:
    """Make names durable, where the folder's file system has a call for that: some network shares have none."""
    try:
        sync_folder(folder)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def as_it_lies(path: Path, mode: str) -> sqlite3.Connection:
    """A `Connect` to what nobody writes: without locks, which a share may not have, and on a disk that can't be written."""
    uri = f"{path.resolve().as_uri()}?mode={mode}&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def copy_day(reader: sqlite3.Connection, target: Path, show: Show) -> None:
    """Copy the snapshot of a daily file that `reader` holds to `target`, which is not there. On the disk on return. Raises
    sqlite3.Error, OSError."""
    target.open("xb").close()  # the system says better than SQLite why it can't be made
    with closing(sqlite3.connect(f"{target.resolve().as_uri()}?nolock=1", uri=True, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = OFF")
        writer.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
        copy_pages(reader, writer, show)
    with target.open("r+b") as copy:
        copy.seek(_READ_AND_WRITE_VERSION_AT)
        copy.write(b"\x01\x01")  # else who can't write beside it can't open it
        copy.flush()
        os.fsync(copy.fileno())


def contents(connection: sqlite3.Connection) -> str:
    """A digest of every row of every table. To compare two files in one run: its form may change with the program."""
    digest = sha256()
    for table in _TABLES:
        digest.update(table.encode())
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1"):  # noqa: S608  names of ours
            digest.update(marshal.dumps(row, 2))  # the last form that is the same for equal rows
    return digest.hexdigest()


def sha256_on_disk(path: Path) -> str:
    """Of a file as the disk gives it back: what the system holds of it in memory is dropped first. Raises OSError."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Of a file, be it still in memory. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
