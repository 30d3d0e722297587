"""Which column of a recorded file has the times: by its name, else by what stands in it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from collector.report.recorded.cells import number
from collector.report.recorded.dates import is_digits
from collector.report.recorded.header import Columns, fault
from collector.report.recorded.names import CLOCK_ALONE, COUNTER, DATE_ALONE, TIME, WEAK_TIME, standing, unit_of_time
from collector.report.recorded.times import PERIODS, NoTime, Reading, read_times
from collector.report.recording import Wanted
from config.spreadsheet.cells import Decimal
from config.spreadsheet.table import Table

_LOOKED_AT = 12
"""Rows of a column that is looked at for dates."""
_DIGITS_OF_A_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]")
_TEMPERATURE = "T"
_LEAST_UPWARDS = 0.9
"""Of the steps of a column that runs on."""


def find_time(table: Table, columns: Columns, wanted: Wanted) -> None:
    """Fills in the places of `time` and `date`. Raises ConfigError."""
    header, place = table.header.cells, columns.place
    place.setdefault("date", None)
    if "time" not in place:
        place["time"] = _by_name(table, columns)
        dates, clocks = (standing(header, names, columns.taken - {place["time"]}) for names in (DATE_ALONE, CLOCK_ALONE))
        if dates and clocks and place["time"] in (dates[0], clocks[0]) and _is_clock(table, clocks[0]):
            place["date"], place["time"] = dates[0], clocks[0]
        elif place["time"] is None:
            _by_contents(table, columns)
    at = place["time"]
    columns.time_unit = wanted.said.time_unit or columns.time_unit or (None if at is None else unit_of_time(header[at]))


def _by_name(table: Table, columns: Columns) -> int | None:
    """A name that may as well be a tag's is one of times only if it runs on."""
    places = standing(table.header.cells, TIME, columns.taken)
    weak = standing(table.header.cells, WEAK_TIME, columns.taken)
    weak = [at for at in weak if table.header.cells[at] != _TEMPERATURE and _runs_on(table, at, may_stand=columns.is_tidy)]
    return next(iter([*places, *weak]), None)


def _runs_on(table: Table, at: int, *, may_stand: bool) -> bool:
    cells = [row.cells[at] for row in table.rows]
    if says_time(cells[-3:], dates_only=True):
        return True
    values = [number(cell, Decimal.COMMA if "," in cell else Decimal.POINT) for cell in cells]
    steps = [later - one for one, later in pairwise(values) if not math.isnan(later - one)]
    upwards = sum(step > 0 or (may_stand and step == 0) for step in steps)
    return any(step > 0 for step in steps) and upwards >= _LEAST_UPWARDS * len(steps)


def _is_clock(table: Table, at: int) -> bool:
    cells = [row.cells[at] for row in table.rows[:5]]
    with_colons = all(":" in cell for cell in cells if cell[:1].isdigit()) and any(":" in cell for cell in cells)
    return with_colons or all(_DIGITS_OF_A_CLOCK.fullmatch(row.cells[at]) for row in table.rows)


def _by_contents(table: Table, columns: Columns) -> None:
    """The column of dates, if there is one, that changes most; else one that counts the rows. Raises ConfigError."""
    rows = table.rows[len(table.rows) // 2 :]
    rows = rows[:: max(1, len(rows) // _LOOKED_AT)]
    free = [at for at in range(len(table.header.cells)) if at not in columns.taken]
    changes = {at: len(set(cells)) for at in free if _holds_dates(cells := [row.cells[at] for row in rows], first=at == 0)}
    changes = {at: count for at, count in changes.items() if count > 1 or len(rows) == 1}
    most = [at for at, count in changes.items() if count == max(changes.values())]
    if len(most) > 1 and 0 not in most:
        names = " and ".join(repr(table.header.cells[at]) for at in most)
        raise fault(table, f"columns {names} both hold dates: say with --time-column which one has the times of the rows")
    if most:
        columns.place["time"] = most[0]
    elif not columns.is_tidy:
        _count(table, columns)


def _holds_dates(cells: Sequence[str], *, first: bool) -> bool:
    """A large number may be a time in the first column; in any other it is a count of something."""
    as_numbers = all(not math.isnan(number(cell, Decimal.POINT)) and not is_digits(cell) for cell in cells)
    return (first or not as_numbers) and says_time(cells, dates_only=True)


def _count(table: Table, columns: Columns) -> None:
    counters = [at for at in standing(table.header.cells, COUNTER, columns.taken) if counts_rows(table, at)]
    if counters:
        columns.place["time"], columns.time_unit = counters[0], PERIODS


def counts_rows(table: Table, at: int) -> bool:
    """Whether it goes on, mostly by one, but where it begins anew."""
    cells = [row.cells[at] for row in table.rows]
    if not all(cell.isascii() and cell.isdigit() and len(cell) < 12 for cell in cells):
        return False
    steps = [later - one for one, later in pairwise(map(int, cells)) if later >= one]
    return bool(steps) and 2 * steps.count(1) >= len(steps) and 0 not in steps


def says_time(cells: Sequence[str], *, dates_only: bool = False) -> bool:
    """Whether all of some cells are times."""
    decimal = Decimal.COMMA if any("," in cell for cell in cells) else Decimal.POINT
    try:
        return read_times(cells, Reading(decimal)).has_dates or not dates_only
    except NoTime:
        return False
