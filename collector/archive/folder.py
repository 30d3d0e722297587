"""The folder of an archive, for who writes there: it is the right one, nobody else writes, and what it refuses is told in words.

A disk that is not mounted is the trap: its folder is there all the same, on the disk that is to be relieved.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from collector.store.archive import Manifest, is_archive, read_manifest, sync_names, write_manifest
from collector.store.files import ARCHIVE, StoreError


class WrongFolder(StoreError):
    """It is not one to archive to; trying again will not help."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MANIFEST_BEGUN = f"{ARCHIVE}.unfinished"
_UNPROVED = ".unproved"


def unproved_path(to: Path, day: str) -> Path:
    """Where a day's copy lies until it is proved."""
    return to / "journal" / f"{day}{_UNPROVED}"


@contextmanager
def taken(data: Path, to: Path, site: str, *, same_disk: bool) -> Iterator[None]:
    """The archive `to` of `site`, made where it is not there, for one writer; what an earlier one left unproved is gone.

    `same_disk`: it may lie on the disk of `data`. Raises StoreError.
    """
    _check_place(data, to, same_disk=same_disk)
    with refusals(to):
        to.mkdir(exist_ok=True)
    with _alone(to):
        with refusals(to):
            _make(to, site)
            for left in (to / "journal").glob(f"????-??-??{_UNPROVED}"):
                left.unlink()
        yield


def _check_place(data: Path, to: Path, *, same_disk: bool) -> None:
    here, there = data.resolve(), to.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise WrongFolder(f"{to} and the data folder {data} lie in each other: give a folder elsewhere")
    if outer := next((folder for folder in there.parents if is_archive(folder) or (folder / "registry.db").is_file()), None):
        what = "an archive itself" if is_archive(outer) else "the data folder of a daemon"
        raise WrongFolder(f"{to} lies in {outer}, which is {what}: give a folder beside it")
    if to.exists() and not to.is_dir():
        raise WrongFolder(f"{to} is no folder")
    nearest = there if there.exists() else there.parent
    if not nearest.is_dir():
        raise StoreError(f"{nearest} is not there: is its disk or share mounted?")
    if not same_disk and nearest.stat().st_dev == (data / "journal").stat().st_dev:
        raise StoreError(
            f"{to} is on the disk of the data folder, and would be lost with it: is the disk or share mounted? "
            "--same-disk if you mean it"
        )


def _make(to: Path, site: str) -> None:
    """Of an empty folder an archive of `site`. Raises StoreError for one that is something else, OSError."""
    if not is_archive(to):
        if {path.name for path in to.iterdir()} - {_MANIFEST_BEGUN}:
            raise WrongFolder(
                f"{to} is no archive, and not empty: give an archive of this record, or a folder that is not there yet"
            )
        write_manifest(to, Manifest(site))
        with suppress(PermissionError):  # it lies in a folder that is not ours
            sync_names(to.parent)
    if (found := read_manifest(to).site) != site:
        raise WrongFolder(f"{to} is the archive of site {found}, not of {site}: give another folder")
    if not (to / "journal").is_dir():
        (to / "journal").mkdir()
        sync_names(to)


@contextmanager
def _alone(to: Path) -> Iterator[None]:
    """No other archives to the folder meanwhile. A share that can't lock does not hold."""
    with refusals(to):
        descriptor = os.open(to, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{to}: another `reactorwatch archive` is at work there") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def refusals(to: Path) -> Iterator[None]:
    """What the folder refuses, in words."""
    try:
        yield
    except (OSError, sqlite3.Error) as exc:
        full = getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(exc, "errno", None) in _NO_ROOM
        if full:
            raise no_room(to, str(exc)) from exc
        raise StoreError(f"{to} can't be written: {exc}; what was archived before is whole") from exc


def no_room(to: Path, cause: str) -> StoreError:
    """To raise where a day does not fit."""
    return StoreError(f"{to} has no room for the next day ({cause}); what was archived before is whole: go on in another folder")
