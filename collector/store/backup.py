"""A copy of the data folder, made while the daemon writes it; and a data folder made of a copy.

The registry is copied first, the daily files after it from the oldest to the newest: so no cursor of the copy is ahead
of its rows. Each file is copied by SQLite's own online backup out of one snapshot, some pages at a time, so that the
writer never waits; retention does. The manifest is written last: a copy without one is not finished.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from collector.store.files import ARCHIVE, StoreError, journal_files, sync_folder
from collector.store.losses import FOLDER, quarantine
from collector.store.retention import held

MANIFEST = "manifest.json"
PAGES_AT_ONCE = 256
REST_S = 0.002
"""Between two steps: the disk is the daemon's before it is ours."""
_PIECE_BYTES = 1_000_000
_IS_ARCHIVE = """\
{0} is an archive: it has no cursors, no newest day, and is not made a data folder of. To look into it, read it where it is:
  reactorwatch export --data {0} --from 2026-11-01 -o november.csv       (judge and verify likewise)
To go on collecting after a lost disk: `restore` the newest backup; without one, start `run` with a data folder that is not there
yet. The archive stays the record of its days; archive the new data folder to a folder of its own."""


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of a copy."""

    path: str
    """In the folder, with slashes."""
    size: int
    sha256: str


Show = Callable[[int], None]
"""Called with the bytes that were copied since it was called last."""


def bytes_to_copy(data: Path) -> int:
    """About."""
    paths = [data / "registry.db", *journal_files(data), *_beside(data)]
    return sum(path.stat().st_size for path in paths if path.is_file())


def back_up(data: Path, to: Path, version: str, now_ns: int, show: Show = lambda size: None) -> list[Copied]:
    """Copy a data folder into `to`, which must be empty or not there. Raises StoreError."""
    if not (data / "registry.db").is_file():
        raise StoreError(f"{data}: no daemon has ever written here; give its folder with --data")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StoreError(f"{to} is not empty: give a folder that is not there yet")
    here, there = data.resolve(), to.resolve()
    if here in there.parents or here == there:
        raise StoreError(f"{to} lies in the data folder {data}, and would be lost with it: give a folder elsewhere")
    before = {path.name for path in _beside(data)}
    try:
        (to / "journal").mkdir(parents=True)
        with held(data):
            copied = _copy_all(data, to, show)
        if {path.name for path in _beside(data)} != before:
            raise StoreError("a file was set aside while the copy was made: make another")
        manifest = {"version": version, "made_ns": now_ns, "files": [asdict(each) for each in copied]}
        _write(to / MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for folder in [path for path in to.rglob("*") if path.is_dir()] + [to, to.parent]:
            sync_folder(folder)
    except (sqlite3.Error, OSError) as exc:
        raise StoreError(f"{to}: the copy can't be made, and is not whole: {exc}") from exc
    return copied


def _copy_all(data: Path, to: Path, show: Show) -> list[Copied]:
    copied = [_copied(to, _online(data / "registry.db", to / "registry.db", show))]
    for path in journal_files(data):
        copied.append(_copied(to, _online(path, to / "journal" / path.name, show)))
    copied += [_copied(to, _plain(path, to / "journal" / FOLDER / path.name, show)) for path in _beside(data)]
    return copied


def restore(copy: Path, data: Path, show: Show = lambda size: None) -> list[Copied]:
    """Make a data folder of a copy, if every byte is as it was copied; `data` must be empty or not there.

    Raises StoreError; there is no data folder then.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise StoreError(f"{data} is not empty: a record is never written over; give a folder that is not there yet")
    files = manifest_of(copy)
    unfinished = data.with_name(f"{data.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        for each in files:
            found = _copied(unfinished, _plain(_inside(copy, each.path), _inside(unfinished, each.path), show))
            if found != each:
                raise StoreError(f"{copy / each.path} is not what was copied: SHA-256 {found.sha256}, not {each.sha256}")
        (unfinished / "journal").mkdir(exist_ok=True)
        for folder in [path for path in unfinished.rglob("*") if path.is_dir()] + [unfinished]:
            sync_folder(folder)
        if data.exists():
            data.rmdir()
        unfinished.rename(data)
        sync_folder(data.parent)
    except OSError as exc:
        raise StoreError(f"{copy} can't be restored to {data}: {exc}") from exc
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return files


def manifest_of(copy: Path) -> list[Copied]:
    """What a copy holds. Raises StoreError."""
    try:
        fields = orjson.loads((copy / MANIFEST).read_bytes())
        return [Copied(**each) for each in fields["files"]]
    except FileNotFoundError:
        if (copy / ARCHIVE).exists():
            raise StoreError(_IS_ARCHIVE.format(copy)) from None
        raise StoreError(f"{copy} has no {MANIFEST}: it is no copy, or one that was not finished") from None
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise StoreError(f"{copy / MANIFEST} can't be read: {exc}") from None


def _inside(folder: Path, path: str) -> Path:
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts:
        raise StoreError(f"{path!r} leads out of the copy: its manifest was changed")
    return folder / path


def _beside(data: Path) -> Iterator[Path]:
    """What lies in the quarantine."""
    folder = quarantine(data)
    return iter(sorted(path for path in folder.iterdir() if path.is_file())) if folder.is_dir() else iter(())


def _online(source: Path, target: Path, show: Show) -> Path:
    """By SQLite's backup: a snapshot is held all the while, so that what is committed meanwhile does not begin it anew."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader,
        closing(sqlite3.connect(target, isolation_level=None)) as writer,
    ):
        reader.execute("PRAGMA busy_timeout = 5000")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        copy_pages(reader, writer, show)
        reader.execute("COMMIT")
    _sync(target)
    return target


def copy_pages(reader: sqlite3.Connection, writer: sqlite3.Connection, show: Show) -> None:
    """Every page of the snapshot that `reader` holds, some at a time, with rests. Raises sqlite3.Error."""
    (page_bytes,) = reader.execute("PRAGMA page_size").fetchone()
    left = -1

    def step(_: int, remaining: int, total: int) -> None:
        nonlocal left
        show((total - remaining if left < 0 else left - remaining) * page_bytes)
        left = remaining
        time.sleep(REST_S)

    reader.backup(writer, pages=PAGES_AT_ONCE, progress=step, sleep=0.0)


def _plain(source: Path, target: Path, show: Show) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("wb") as writer:
        while piece := reader.read(_PIECE_BYTES):
            writer.write(piece)
            show(len(piece))
        writer.flush()
        os.fsync(writer.fileno())
    return target


def _copied(folder: Path, path: Path) -> Copied:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return Copied(path.relative_to(folder).as_posix(), path.stat().st_size, digest.hexdigest())


def _write(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
