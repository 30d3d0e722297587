"""apsw behind the face of the standard library's `sqlite3`, as far as the store uses it: so that a disk made by a test
(`tests.faults.disk`) can stand under the journal. The standard library carries an SQLite of its own, which can't see it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import apsw

from collector.store.files import Connect

_FLAGS = {
    "ro": apsw.SQLITE_OPEN_READONLY,
    "rw": apsw.SQLITE_OPEN_READWRITE,
    "rwc": apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
}


def connecting_through(vfs: str, pragmas: dict[str, str] | None = None) -> Connect:
    """A `Connect` whose files go through `vfs`; statements that are keys of `pragmas` are replaced."""

    def connect(path: Path, mode: str) -> sqlite3.Connection:
        with _as_sqlite3():
            inner = apsw.Connection(str(path.resolve()), _FLAGS[mode], vfs)
        return cast(sqlite3.Connection, _Connection(inner, pragmas or {}))

    return connect


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.ConstraintError as exc:
        raise sqlite3.IntegrityError(str(exc)) from exc
    except (apsw.CorruptError, apsw.NotADBError) as exc:
        raise sqlite3.DatabaseError(str(exc)) from exc
    except apsw.Error as exc:
        raise sqlite3.OperationalError(str(exc)) from exc


class _Rows:
    """All rows of a statement."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


class _Connection:
    def __init__(self, inner: apsw.Connection, replaced: dict[str, str]) -> None:
        self._inner, self._replaced = inner, replaced

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> _Rows:
        with _as_sqlite3():
            rows = list(self._inner.execute(self._replaced.get(statement, statement), tuple(parameters)))
            return _Rows(rows, self._inner.changes())

    def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> _Rows:
        with _as_sqlite3():
            return _Rows(list(self._inner.executemany(statement, [tuple(each) for each in parameters])), self._inner.changes())

    def executescript(self, script: str) -> _Rows:
        return self.execute(script)

    def close(self) -> None:
        with _as_sqlite3():
            self._inner.close()

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.in_transaction:
            self.execute("COMMIT" if kind is None else "ROLLBACK")
