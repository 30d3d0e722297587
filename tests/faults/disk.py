"""A disk under SQLite that fails on command: each write, sync, truncation, deletion and opening of a file passes by here.

`Disk.before` is called before each; it may raise (`full`, `broken`, `read_only`), wait (a disk that stalls), or look.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import apsw
from typing_extensions import Buffer

from collector.store.files import Connect
from tests.faults.apsw_connection import connecting_through

_numbers = itertools.count()


class Act(StrEnum):
    """What is done to a file."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    DELETE = "delete"


CHANGES = frozenset({Act.WRITE, Act.TRUNCATE, Act.SYNC, Act.DELETE})


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is about to be done to a file."""

    act: Act
    path: Path
    at: int = 0
    """Offset, or the size to cut to."""
    data: bytes = b""
    flags: int = 0


Before = Callable[[Change], None]


class Disk(apsw.VFS):
    """Files are real ones; `connect` makes connections to them. `after` sees what has been done."""

    def __init__(self, before: Before = lambda _: None, after: Before = lambda _: None, *, syncs: bool = True) -> None:
        """`syncs` off: nothing is really synced, for disks that keep their own account of it."""
        self.name = f"disk {next(_numbers)}"
        self.before, self.after, self.syncs = before, after, syncs
        super().__init__(self.name, base="")

    def connect(self, pragmas: dict[str, str] | None = None) -> Connect:
        """For `Journal`, `Reader`, `Registry` and `Outside`."""
        return connecting_through(self.name, pragmas)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:  # noqa: N802
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        change = Change(Act.DELETE, Path(filename), flags=int(syncdir))
        self.before(change)
        super().xDelete(filename, syncdir)
        self.after(change)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary")
        change = Change(Act.OPEN, self._path, flags=flags[0])
        disk.before(change)
        super().__init__("", name, flags)
        disk.after(change)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.before(Change(Act.READ, self._path, offset))
        return super().xRead(amount, offset)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802
        change = Change(Act.WRITE, self._path, offset, bytes(data))
        self._disk.before(change)
        super().xWrite(data, offset)
        self._disk.after(change)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        change = Change(Act.TRUNCATE, self._path, newsize)
        self._disk.before(change)
        super().xTruncate(newsize)
        self._disk.after(change)

    def xLock(self, level: int) -> None:  # noqa: N802
        """A last reader tries to lock what it may only read, and minds nothing: no exception must be left of it."""
        try:
            super().xLock(level)
        except apsw.IOError as exc:
            raise apsw.BusyError(str(exc)) from exc

    def xSync(self, flags: int) -> None:  # noqa: N802
        change = Change(Act.SYNC, self._path, flags=flags)
        self._disk.before(change)
        if self._disk.syncs:
            super().xSync(flags)
        self._disk.after(change)


def full(change: Change) -> None:
    """No room is left: for `Disk.before`."""
    if change.act is Act.WRITE:
        raise apsw.FullError("database or disk is full")


def broken(change: Change) -> None:
    """Every write and every sync ends in an I/O error: for `Disk.before`."""
    if change.act in CHANGES:
        raise apsw.IOError("disk I/O error")


def read_only(change: Change) -> None:
    """The system has mounted the disk read-only, as it does after errors: for `Disk.before`."""
    if change.act in CHANGES:
        raise apsw.ReadOnlyError("attempt to write a readonly database")
