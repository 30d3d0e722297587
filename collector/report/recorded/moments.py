"""The times of the rows of a recorded file: which column, how it is read, and in which order the rows of a course then are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.report.recorded.header import Columns, fault
from collector.report.recorded.order import MOST_DIFFERING, InOrder, begins_anew, in_order, latest_first
from collector.report.recorded.times import Column, NoTime, Reading, read_times
from collector.report.recorded.zones import as_utc, refuse_an_hour_twice
from collector.report.recording import Wanted
from config.spreadsheet.cells import Decimal
from config.spreadsheet.table import Row, Table

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Course:
    """Rows of one batch, of all columns of samples or of one tag."""

    key: tuple[str, str]
    """Unit and batch."""
    rows: NDArray[np.intp]
    """Among the rows with samples, in the order of the file."""
    roles: tuple[str, ...]
    values: NDArray[np.float64]
    """`[len(rows), len(roles)]`"""
    name: str
    """For people."""


class Moments:
    """Of the rows with samples; what is odd goes to `remarks`."""

    def __init__(
        self, table: Table, rows: Sequence[Row], columns: Columns, wanted: Wanted, decimal: Decimal, remarks: list[str]
    ) -> None:
        """Raises ConfigError."""
        self._table, self._rows, self._said, self._remarks = table, rows, wanted.said, remarks
        self._column = self._read(columns, decimal)

    @property
    def has_dates(self) -> bool:
        """They are not counted from the beginning of a batch."""
        return self._column is not None and self._column.has_dates

    def _read(self, columns: Columns, decimal: Decimal) -> Column | None:
        at, date = columns.place["time"], columns.place["date"]
        if at is None:
            return None
        cells = [row.cells[at] if date is None else f"{row.cells[date]} {row.cells[at]}".strip() for row in self._rows]
        named = self._table.header.cells[at].casefold()
        is_called_a_date = "date" in named or "datum" in named
        period_ns = round((self._said.period_s or 1.0) * 1e9)
        how = Reading(decimal, columns.time_unit, period_ns, self._said.zone, self._said.day_first, is_called_a_date)
        try:
            column = read_times(cells, how)
        except NoTime as exc:
            raise fault(self._table, exc.what, self._rows[exc.row].line) from None
        columns.told.insert(0, f"times are {column.told}")
        return column

    def begins_anew(self) -> list[int]:
        """Rows where time since the beginning is back at it."""
        if self._column is None or self.has_dates:
            return []
        wall_ns = self._column.wall_ns
        if latest_first(wall_ns):
            return [len(wall_ns) - row for row in reversed(begins_anew(wall_ns[::-1]))]
        return begins_anew(wall_ns)

    def in_order(self, course: Course) -> InOrder:
        """Its moments, each once; rows are those of the file. Raises ConfigError."""
        times_ns = self._of(course)
        turned = latest_first(times_ns)
        of_file = np.arange(len(times_ns))[:: -1 if turned else 1]
        found = in_order(times_ns[of_file], course.values[of_file])
        if len(found.differing) > max(min(2, len(times_ns) // 4), MOST_DIFFERING * len(times_ns)):
            line = min(self._line(course, int(of_file[row])) for row in found.differing.tolist())
            share = f"{len(found.differing)} of {len(times_ns)} rows"
            what = f"{share} have the time of another row and other values: are seconds missing?"
            how = "export times whole, or go by rows with --time-column none --period 1s"
            raise fault(self._table, f"{course.name}: {what} {how}", line)
        if turned:
            self._remarks.append(f"{course.name}: the latest row stands first: turned round")
        for rows, what in (
            (found.late, "later than one after it: put in the order of time"),
            (found.double, "of a moment that another row had: taken as one with it, of each column the first good sample"),
            (found.differing, "of a moment that another row had say otherwise of a sample: the first one counts"),
        ):
            if len(rows):
                line = min(self._line(course, int(of_file[row])) for row in rows.tolist())
                count = f"{len(rows)} rows" if len(rows) > 1 else "1 row"
                self._remarks.append(f"{course.name}: {count} {what}, the first is line {line}")
        return replace(found, rows=course.rows[of_file[found.rows]])

    def _of(self, course: Course) -> Times:
        """In UTC or since the beginning, of its rows."""
        if self._column is None:
            return np.arange(len(course.rows), dtype=np.int64) * round((self._said.period_s or 1.0) * 1e9)
        wall_ns, is_local = self._column.wall_ns[course.rows], self._column.is_local[course.rows]
        turn = -1 if latest_first(wall_ns) else 1
        if not self.has_dates and (anew := begins_anew(wall_ns[::turn])):
            how = "name the column of the batch with --batch-column (columns as LINE,RUN), or another time with --time-column"
            what = f"begins anew here: {how}"
            at = anew[0] if turn > 0 else len(wall_ns) - anew[0]
            raise fault(self._table, f"the time of {course.name} {what}", self._line(course, at))
        try:
            return self._in_utc(wall_ns[::turn], is_local[::turn])[::turn]
        except NoTime as exc:
            row = exc.row if turn > 0 else len(wall_ns) - 1 - exc.row
            raise fault(self._table, exc.what, self._line(course, row)) from None

    def _in_utc(self, wall_ns: Times, is_local: NDArray[np.bool_]) -> Times:
        if self._said.zone is None and self.has_dates and is_local.all():
            refuse_an_hour_twice(wall_ns)
        return as_utc(wall_ns, is_local, self._said.zone)

    def _line(self, course: Course, row: int) -> int:
        return self._rows[int(course.rows[row])].line
