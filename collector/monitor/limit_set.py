"""The limit set that holds for a unit: the rows for its product and recipe version, of every phase. It has a hash, so that
what was judged can name by what.

Two plant files with the same rows have the same hash, in whatever order the rows stand and whatever else stands in the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from collector.monitor.limits import fits
from collector.terms import Stamp
from config.limits import Limit


class LimitSets:
    """Of a plant's limits."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self._hashes: dict[tuple[str, str, str], str] = {}

    def hash(self, unit: str, stamp: Stamp) -> str:
        """SHA-256, hexadecimal: of the rows as JSON without what is left out, one per line, sorted."""
        key = (unit, stamp.product, stamp.recipe_version)
        if key not in self._hashes:
            rows = sorted(row.as_json for row in self._limits if _is_in(row, unit, stamp))
            self._hashes[key] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        return self._hashes[key]


def _is_in(row: Limit, unit: str, stamp: Stamp) -> bool:
    return fits(row, unit, stamp if row.phase is None else replace(stamp, phase=row.phase))
