"""What the columns of a recorded file are: decided by their names and by what the user says, with the first row of samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from collector.report.recorded.cells import number, unclear
from collector.report.recorded.context import find_batch, find_context, find_quality
from collector.report.recorded.header import Columns, fault
from collector.report.recorded.names import TAG_NAME, UNITS_OF_TIME, VALUE, matched, own_times, standing, status_columns
from collector.report.recorded.time_column import find_time, says_time
from collector.report.recording import Wanted
from config.faults import did_you_mean
from config.spreadsheet.cells import Decimal
from config.spreadsheet.table import Row, Table

NONE = "none"
"""Said of a column: there is none."""
_BAD_WORDS = frozenset(
    ("bad", "nan", "na", "n/a", "#n/a", "-", "--", "---", "null", "none", "nodata", "no data", "error", "?", "bad input")
)
_MOST_SHOWN = 12


def is_header(cells: Sequence[str], wanted: Wanted) -> bool:
    """Whether a line names what is looked for."""
    return bool(matched(cells, wanted.roles)[0]) or _tidy(cells) is not None


def columns_of(table: Table, wanted: Wanted) -> Columns:
    """Raises ConfigError."""
    header = table.header.cells
    named, batch_with = _said(table, wanted.said.columns)
    said = {*batch_with, *(at for at in named.values() if at is not None)}
    found, several = matched(["" if at in said else name for at, name in enumerate(header)], wanted.roles)
    tidy = _tidy(header)
    if tidy is None or len(found) > 1:
        columns = _wide(table, wanted, found, several, named)
    else:
        columns = Columns({}, {**named, "value": tidy[1]}, {})
    columns.batch_with = batch_with
    find_context(table, columns, wanted)
    if columns.is_tidy:
        columns.place["tag"] = _tag_column(table, columns, wanted)
    find_time(table, columns, wanted)
    _pass_over_units(table, columns)
    find_batch(table, columns, wanted)
    find_quality(table, columns)
    return columns


def _said(table: Table, columns: Mapping[str, str]) -> tuple[dict[str, int | None], tuple[int, ...]]:
    """Where the columns are that the user names; those after the first that name the batch, as in `line,run`."""
    batch = columns.get("batch", "")
    if "," not in batch or batch in table.header.cells:
        return {key: _named(table, name) for key, name in columns.items()}, ()
    first, *others = [name.strip() for name in batch.split(",")]
    named = {key: _named(table, first if key == "batch" else name) for key, name in columns.items()}
    return named, tuple(at for name in others if (at := _named(table, name)) is not None)


def _named(table: Table, name: str) -> int | None:
    header = table.header.cells
    if name in header:
        return header.index(name)
    if name.casefold() == NONE:
        return None
    raise fault(table, f"no column {name!r}{did_you_mean(name, header)}; found: {', '.join(header)}")


def _tidy(header: Sequence[str]) -> tuple[int, int] | None:
    """A column of names and one of values."""
    names, values = standing(header, TAG_NAME, ()), standing(header, VALUE, ())
    return (names[0], values[0]) if names and values and names[0] != values[0] else None


def _wide(
    table: Table, wanted: Wanted, found: dict[int, str], several: dict[str, list[str]], named: dict[str, int | None]
) -> Columns:
    header = table.header.cells
    for name, alike in several.items():
        both = f"two columns are {name!r}" if set(alike) == {name} else f"{' and '.join(map(repr, alike))} may both be {name!r}"
        raise fault(table, f"{both}: keep one, or name it as the limit does")
    twice = [role for role, count in Counter(wanted.roles[name] for name in found.values()).items() if count > 1]
    if twice:
        raise fault(table, f"two columns are {twice[0]!r}: keep one")
    if not found:
        near = next((hint for role in sorted(wanted.roles) if (hint := did_you_mean(role, header))), "")
        missing = ", ".join(sorted(set(wanted.roles.values())))
        raise fault(table, f"no column is named as a role that has limits ({missing}){near}; found: {', '.join(header)}")
    if (own := own_times(header, found)) and "time" not in named:
        what = f"each tag has a time of its own ({', '.join(own[:4])}): export a row per moment or a row per sample"
        raise fault(table, f"{what}, or name the one of all with --time-column")
    columns = Columns(found, dict(named), status_columns(header, found))
    columns.told += [f"{name} from column {header[at]!r}" for at, name in found.items() if name != header[at]]
    columns.told += [f"status of {found[of]} from column {header[at]!r}" for of, at in columns.status.items()]
    return columns


def _tag_column(table: Table, columns: Columns, wanted: Wanted) -> int:
    """That which names the most of what is looked for."""
    places = standing(table.header.cells, TAG_NAME, columns.taken - {columns.place.get("tag")})
    counts = {at: len(matched(sorted({row.cells[at] for row in table.rows}), wanted.roles)[0]) for at in places}
    best = max(counts, key=lambda at: counts[at], default=None)
    if best is None or not counts[best]:
        names = sorted({row.cells[places[0]] for row in table.rows}) if places else []
        shown = ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
        missing = ", ".join(sorted(set(wanted.roles.values())))
        raise fault(table, f"no tag is named as a role that has limits ({missing}); found: {shown}")
    return best


def _pass_over_units(table: Table, columns: Columns) -> None:
    """A row or two of units or descriptions under the header."""
    at = columns.place["time"]
    places = [columns.place["value"]] if columns.is_tidy else list(columns.samples)
    for row in table.rows[:3]:
        if not _is_no_sample([row.cells[place] for place in places if place is not None], None if at is None else row.cells[at]):
            return
        columns.first_row += 1
        shown = ", ".join(cell for cell in row.cells if cell)
        columns.told.append(f"line {row.line} passed over, it holds no samples ({shown[:60]})")
        unit = UNITS_OF_TIME.get(row.cells[at].strip("[]() ").casefold()) if at is not None else None
        columns.time_unit = columns.time_unit or unit


def _is_no_sample(cells: Sequence[str], time: str | None) -> bool:
    if any(not math.isnan(number(cell, Decimal.POINT)) or unclear(cell) for cell in cells):
        return False
    if time is not None:
        return not says_time([time]) if time else any(cells)
    return any(cell and cell.casefold() not in _BAD_WORDS for cell in cells)


def passed_over(table: Table, columns: Columns) -> list[str]:
    """Names of columns that nothing is taken from."""
    taken = columns.taken
    return [name or f"(column {at + 1})" for at, name in enumerate(table.header.cells) if at not in taken]


def rows_of(table: Table, columns: Columns) -> list[Row]:
    """Those with samples."""
    return table.rows[columns.first_row :]
