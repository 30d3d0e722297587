"""Keys by which rows of a daily file name layouts and stamps, and the digests by which the hash chain names them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from collector.store.chain import digest
from collector.store.daily import stamps_to_json
from collector.terms import Stamp
from drivers.base import Layout

Key = tuple[int, bytes]
"""Key in the file, and the digest of the body it stands for."""


@dataclass(frozen=True, slots=True)
class ScanKeys:
    """Of the scans of a layout, as long as their stamps are these."""

    of_stamps: tuple[Stamp, ...]
    layout: int
    stamps: int
    digests: bytes
    """Of the layout, then of the stamps."""


class Keys:
    """Of one file. What is new is written in the transaction that is open; where that is rolled back, call `forget`."""

    def __init__(self) -> None:
        self._layouts: dict[str, Key] = {}
        self._stamps: dict[str, Key] = {}
        self._newest: dict[str, ScanKeys] = {}
        """By layout: its units' stamps are mostly those of the scan before."""

    def forget(self) -> None:
        """All of them."""
        self._layouts.clear()
        self._stamps.clear()
        self._newest.clear()

    def of_scan(self, connection: sqlite3.Connection, layout: Layout, stamps: tuple[Stamp, ...]) -> ScanKeys:
        """Raises sqlite3.Error."""
        keys = self._newest.get(layout.id)
        if keys is None or keys.of_stamps != stamps:
            layout_key, laid_out = self._layouts.get(layout.id) or self._of_layout(connection, layout)
            stamps_key, stamped = self.of_stamps(connection, stamps)
            keys = self._newest[layout.id] = ScanKeys(stamps, layout_key, stamps_key, laid_out + stamped)
        return keys

    def _of_layout(self, connection: sqlite3.Connection, layout: Layout) -> Key:
        body = layout.to_json()
        connection.execute("INSERT OR IGNORE INTO layouts (id, body) VALUES (?, ?)", (layout.id, body))
        (key,) = connection.execute("SELECT key FROM layouts WHERE id = ?", (layout.id,)).fetchone()
        self._layouts[layout.id] = (key, digest(body))
        return self._layouts[layout.id]

    def of_stamps(self, connection: sqlite3.Connection, stamps: tuple[Stamp, ...]) -> Key:
        """Raises sqlite3.Error."""
        body = stamps_to_json(stamps)
        if body not in self._stamps:
            connection.execute("INSERT OR IGNORE INTO stamps (body) VALUES (?)", (body,))
            (key,) = connection.execute("SELECT key FROM stamps WHERE body = ?", (body,)).fetchone()
            self._stamps[body] = (key, digest(body))
        return self._stamps[body]
