"""The time of the rows of a recorded file, as plants write it, in nanoseconds.

    2026-11-26T17:05:00.250+01:00   26.11.2026 17:05:00   11/26/2026 5:05 PM   26-Nov-26 17:05:00     dates
    1795712700   1795712700000   46352.7118 (told to be Excel's days)                                 dates
    0.5   0,5   00:01:30   0 days 00:01:30                                                            time since the beginning

What a cell leaves open is asked of the whole column (which of 03/04 is the day); what that leaves open is told, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal as Exact
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collector.report.recorded.cells import number, written_plainly
from collector.report.recorded.dates import Moment, clock_ns, is_digits, moment_of, split_seconds
from collector.report.recorded.digits import NS_OF, Times, as_meant
from config.spreadsheet.cells import Decimal

EXCEL: Final = "excel"
"""Days since the end of 1899, as spreadsheets count."""
PERIODS: Final = "periods"
"""Rows, a period apart from each other."""
_EXCEL_EPOCH_DAYS: Final = 25_569
_LEAST_EPOCH_S: Final = 1e8
_MOST_NS: Final = 1 << 62
_HOUR_NS: Final = 3_600_000_000_000
_SPAN = re.compile(
    r"(?:(?P<d>[0-9]+) ?d(?:ays?)?,? )?(?P<h>[0-9]{1,5}):(?P<min>[0-5][0-9])(?::(?P<s>[0-5][0-9])(?:[.,](?P<f>[0-9]{1,12}))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ADVICE: Final = "write seconds, or e.g. 2026-11-23T14:00:00Z, the same in all rows"


class NoTime(Exception):
    """`row` of the column can't be read; the text says why, and what to do."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row, self.what = row, what


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a column of times beforehand."""

    decimal: Decimal
    unit: str | None = None
    """Of numbers: a key of `NS_OF`, or `EXCEL`, or `PERIODS`."""
    period_ns: int = 1_000_000_000
    zone: ZoneInfo | None = None
    """Of dates that name none."""
    day_first: bool | None = None
    """Of dates such as 03/04/2026; None: by what the column leaves possible."""
    is_called_a_date: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of times: of local ones the moment as the clock on the wall showed it."""

    wall_ns: Times
    is_local: NDArray[np.bool_]
    """Names no zone."""
    has_dates: bool
    told: str
    """How it was read."""


def read_times(cells: Sequence[str], how: Reading) -> Column:
    """`[n]` of a column. Raises NoTime."""
    if "" in cells:
        raise NoTime(cells.index(""), "'' is no time: every row needs its time")
    first = cells[0]
    if how.unit is None and is_digits(first) and all(map(is_digits, cells)):
        return _of_dates(cells, how)
    if not np.isnan(number(first, how.decimal)):
        _all_are(cells, lambda cell: not np.isnan(number(cell, how.decimal)))
        return _of_numbers(cells, how)
    if _SPAN.fullmatch(first):
        _all_are(cells, lambda cell: _SPAN.fullmatch(cell) is not None)
        return _of_spans(cells)
    return _of_dates(cells, how)


def _all_are(cells: Sequence[str], alike: Callable[[str], bool]) -> None:
    """Raises NoTime where one is not written as the first."""
    for row, cell in enumerate(cells):
        if not alike(cell):
            raise NoTime(row, f"{cell!r} is no time: {_ADVICE}")


# --- numbers


def _of_numbers(cells: Sequence[str], how: Reading) -> Column:
    values = [Exact(written_plainly(cell, how.decimal)) for cell in cells]
    largest, unit, told = float(max(map(abs, values))), how.unit, ""
    if unit is None and 30_000 < values[0] < 80_000 and (how.is_called_a_date or _is_less_than_a_day_apart(values)):
        if not how.is_called_a_date:
            raise NoTime(0, f"{cells[0]!r} may be days as Excel counts them, or seconds: say --time-unit excel, or --time-unit s")
        unit = EXCEL
    if unit == EXCEL:
        stamps, grid = as_meant([value - _EXCEL_EPOCH_DAYS for value in values], "d")
        is_local = np.ones(len(cells), np.bool_)
        return Column(stamps, is_local, True, f"days as Excel counts them{grid}{_zone_told(is_local, how)}")
    if unit == PERIODS:
        counts = np.array([int(value) * how.period_ns for value in values], np.int64)
        return Column(counts, np.zeros(len(cells), np.bool_), False, f"counts of rows, taken as {how.period_ns / 1e9:g} s apart")
    if unit in (None, "s") and largest >= _LEAST_EPOCH_S:
        unit = "s" if largest < 1e11 else "ms" if largest < 1e14 else "us" if largest < 1e17 else "ns"
    has_dates = unit is not None and largest * NS_OF[unit] >= _LEAST_EPOCH_S * 1e9
    if unit is None:
        unit, told = "s", ": taken as seconds, say --time-unit if they are others"
    if largest * NS_OF[unit] >= _MOST_NS:
        raise NoTime(values.index(max(values, key=abs)), f"a time of {largest:g} {unit} is beyond all times: {_ADVICE}")
    stamps, grid = as_meant(values, unit)
    what = f"numbers, {unit} since 1970 UTC" if has_dates else f"numbers, {unit} since the beginning{told}"
    return Column(stamps, np.zeros(len(cells), np.bool_), has_dates, what + grid)


def _is_less_than_a_day_apart(values: Sequence[Exact]) -> bool:
    steps = [abs(one - other) for one, other in zip(values[1:], values, strict=False)]
    return bool(steps) and sorted(steps)[len(steps) // 2] < 1


def _of_spans(cells: Sequence[str]) -> Column:
    found: dict[str, int] = {}
    clock = all(":" in cell and len(cell.split(":")) == 2 for cell in cells)
    for cell in dict.fromkeys(cells):
        match = _SPAN.fullmatch(cell)
        assert match is not None
        found[cell] = clock_ns(int(match["d"] or 0) * 24 + int(match["h"]), match)
    stamps = np.array([found[cell] for cell in cells], np.int64)
    steps = np.diff(stamps)
    over = np.flatnonzero(steps < -12 * _HOUR_NS)
    if len(over) and stamps.max() < 24 * _HOUR_NS:
        raise NoTime(
            int(over[0]) + 1, f"{cells[int(over[0]) + 1]!r} is after midnight, and there is no date: name a column with dates"
        )
    how = "hours:minutes (write 0:00:30 for 30 seconds)" if clock else "hours:minutes:seconds"
    return Column(stamps, np.zeros(len(cells), np.bool_), False, how)


# --- dates


def _of_dates(cells: Sequence[str], how: Reading) -> Column:
    minutes: dict[str, int] = {}
    shown: list[int] = []
    minute_of, since_ns = np.empty(len(cells), np.intp), np.empty(len(cells), np.int64)
    for row, cell in enumerate(cells):
        minute, since_ns[row] = split_seconds(cell)
        minute_of[row] = at = minutes.setdefault(minute, len(minutes))
        if at == len(shown):
            shown.append(row)
    parts = [_moment(minute, row, cells) for minute, row in zip(minutes, shown, strict=True)]
    day_first, told = _order({cells[row]: part for row, part in zip(shown, parts, strict=True)}, how)
    wall_ns = [_wall_ns(part, row, cells, day_first=day_first) for part, row in zip(parts, shown, strict=True)]
    is_local = np.array([part.zone is None for part in parts], np.bool_)[minute_of]
    stamps = np.array(wall_ns, np.int64)[minute_of] + since_ns
    return Column(stamps, is_local, True, "dates" + told + _zone_told(is_local, how))


def _moment(minute: str, row: int, cells: Sequence[str]) -> Moment:
    found = moment_of(minute)
    if found is None:
        raise NoTime(row, f"{cells[row]!r} is no time: {_ADVICE}")
    return found


def _wall_ns(found: Moment, row: int, cells: Sequence[str], *, day_first: bool) -> int:
    date = found.date
    year, month, day = date.year, date.one, date.other
    if date.order == "dmy" or (date.order == "?" and day_first):
        month, day = day, month
    try:
        moment = datetime(year, month, day, tzinfo=found.zone or UTC)
    except ValueError:
        raise NoTime(row, f"{cells[row]!r} is no date: {_ADVICE}") from None
    return (moment - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + found.clock_ns


def _zone_told(is_local: NDArray[np.bool_], how: Reading) -> str:
    if not is_local.any():
        return ""
    return f", local time of {how.zone.key}" if how.zone else " without a zone: taken as UTC, say --zone if they are others"


def _order(parts: dict[str, Moment], how: Reading) -> tuple[bool, str]:
    """Whether the day stands first in dates of three numbers, and what is told of that."""
    open_dates = {(date.year, date.one, date.other): cell for cell, moment in parts.items() if (date := moment.date).order == "?"}
    if not open_dates:
        return True, ""
    if how.day_first is not None:
        return how.day_first, f", {'day.month' if how.day_first else 'month/day'}"
    day_first = all(one <= 31 and other <= 12 for _, one, other in open_dates)
    month_first = all(one <= 12 and other <= 31 for _, one, other in open_dates)
    if day_first != month_first:
        return day_first, f", {'day.month' if day_first else 'month/day'}"
    if any(moment.half_days for moment in parts.values()):
        return False, ", month/day as it goes with AM and PM, say --dates dmy if not"
    if _days(open_dates, day_first=True) == _days(open_dates, day_first=False):
        shown = next(iter(open_dates.values()))
        return True, f", {shown!r} read as day.month, say --dates mdy if not"
    order = _days(open_dates, day_first=True) < _days(open_dates, day_first=False)
    return (
        order,
        f", {'day.month' if order else 'month/day'}: so they follow each other, say --dates {'mdy' if order else 'dmy'} if not",
    )


def _days(dates: dict[tuple[int, int, int], str], *, day_first: bool) -> int:
    """How many days lie between the first and the last; very many where one is none."""
    try:
        days = [datetime(year, two if day_first else one, one if day_first else two, tzinfo=UTC) for year, one, two in dates]
    except ValueError:
        return 1 << 40
    return (max(days) - min(days)).days
