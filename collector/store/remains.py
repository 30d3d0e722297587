"""What a damaged daily file still says of itself. Nothing of it is certain: whoever asks holds it against what is known."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from collector.store.daily import Totals


def beginning_told(path: Path) -> Totals | None:
    """What had been committed before it."""
    told = _asked(path, "SELECT first_seq - 1, samples_before, scans_before FROM meta")
    return told if told and min(told.seq, told.samples, told.scans) >= 0 else None


def end_told(path: Path) -> Totals | None:
    """What had been committed with it."""
    return _asked(path, "SELECT seq, samples_total, scans_total FROM commits ORDER BY seq DESC LIMIT 1")


def _asked(path: Path, query: str) -> Totals | None:
    if not path.is_file():
        return None
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            row = connection.execute(query).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return Totals(*row) if row and all(type(each) is int for each in row) else None
