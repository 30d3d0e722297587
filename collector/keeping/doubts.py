"""Closed days that somebody could not work with: read as a whole, and what is not sound is to be set aside.

compaction failed             the day would stay as it is, ten times as large, and could not be archived
`archive` found it unsound    with gmp data it would be held for ever, and all days behind it with it

Only the file itself is believed: a day that is sound stays, for what failed was something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import structlog

from collector.store.daily import DailyFile
from collector.store.files import Connect, Damaged, connect, journal_files, reading
from collector.store.losses import losses
from collector.store.registry import Registry
from collector.store.retention import UNSOUND
from collector.store.walk import walk
from collector.terms import Json

log = structlog.get_logger()


class Doubts:
    """About the daily files of one data folder. Blocking calls, for one thread."""

    def __init__(
        self, data: Path, registry: Registry, connect: Connect = connect, after_each: Callable[[], None] = lambda: None
    ) -> None:
        """`after_each` is called behind each commit that was looked at; what it raises comes through."""
        self._data, self._registry, self._connect, self._after_each = data, registry, connect, after_each
        self._own: dict[str, str] = {}

    def about(self, path: Path, cause: str) -> None:
        """A daily file to be looked at next time."""
        self._own[path.name] = cause

    def look(self) -> list[Damaged]:
        """Closed days that were doubted, and are not sound. Raises StoreError, sqlite3.Error: they are doubted still."""
        told = self._registry.states(UNSOUND)
        closed = {path.name: path for path in journal_files(self._data)[:-1]}
        found: list[Damaged] = []
        over: list[str] = []
        for name, cause in ({name: str(body.get("cause")) for name, body in told.items()} | self._own).items():
            if (path := closed.get(name)) is None:
                over.append(name)  # it was set aside, or removed
            elif what := self._damage(path):
                found.append(Damaged(path, what))
            else:
                log.warning("daily file is sound, whatever failed", file=name, cause=cause)
                over.append(name)
        self._forget(over, told)
        return found

    def _forget(self, names: list[str], told: Mapping[str, Mapping[str, Json]]) -> None:
        for name in names:
            self._own.pop(name, None)
        if known := [name for name in names if name in told]:
            self._registry.put_states(UNSOUND, dict.fromkeys(known))

    def _damage(self, path: Path) -> str:
        """What is wrong with it, the first of it; empty where nothing is. Reads all of it."""
        ends = {loss.after.seq for loss in losses(self._data)}  # of commits without rows, which close a hole
        try:
            with reading(path):
                with closing(DailyFile.open(path, self._connect)) as file:
                    (told,) = file.connection.execute("PRAGMA integrity_check(1)").fetchone()
                if told != "ok":
                    return f"SQLite: {told}"
                breaks = walk(path, self._connect, self._after_each).breaks
        except Damaged as exc:
            return exc.what
        return next((f"rows {each.after_seq + 1} to {each.seq}: {each.what}" for each in breaks if each.seq not in ends), "")
