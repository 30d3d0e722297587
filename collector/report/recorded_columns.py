"""What the columns of a recorded file are: decided by their names and by what the user says, with the first row of samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.report.recorded_cells import number, unclear
from collector.report.recorded_names import (
    CLOCK_ALONE,
    CONTEXT,
    DATE_ALONE,
    QUALITY,
    TAG_NAME,
    TIME,
    UNITS_OF_TIME,
    VALUE,
    matched,
    own_times,
    standing,
    status_columns,
    unit_of_time,
)
from collector.report.recorded_times import NoTime, Reading, read_times
from collector.report.recording import Wanted
from config.csv_cells import Decimal
from config.csv_table import Row, Table
from config.engineering_units import understood
from config.faults import ConfigError, Fault, did_you_mean

NONE = "none"
"""Said of a column: there is none."""
_BAD_WORDS = frozenset(
    ("bad", "nan", "na", "n/a", "#n/a", "-", "--", "---", "null", "none", "nodata", "no data", "error", "?", "bad input")
)
_MOST_SHOWN = 12


@dataclass(slots=True)
class Columns:
    """Places in the header."""

    samples: dict[int, str]
    """Columns of samples, and which name is meant; of a tidy file none."""
    place: dict[str, int | None]
    """By `batch`, `phase`, `unit`, `product`, `recipe_version`, `time`, `date`, `tag`, `value`, `quality`."""
    status: dict[int, int]
    """The status column of a column of samples."""
    time_unit: str | None = None
    first_row: int = 0
    """How many rows stand before the samples."""
    told: list[str] = field(default_factory=list)

    @property
    def is_tidy(self) -> bool:
        """A row per sample."""
        return not self.samples


def fault(table: Table, what: str, line: int | None = None) -> ConfigError:
    """One, of the header if `line` says nothing else."""
    return ConfigError([Fault(table.file, table.header.line if line is None else line, "", what)])


def is_header(cells: Sequence[str], wanted: Wanted) -> bool:
    """Whether a line names what is looked for."""
    return bool(matched(cells, wanted.roles)[0]) or _tidy(cells) is not None


def columns_of(table: Table, wanted: Wanted) -> Columns:
    """Raises ConfigError."""
    header = table.header.cells
    named = {key: _named(table, key, name) for key, name in wanted.said.columns.items()}
    said = {at for at in named.values() if at is not None}
    found, several = matched(["" if at in said else name for at, name in enumerate(header)], wanted.roles)
    tidy = _tidy(header)
    if tidy is None or len(found) > 1:
        columns = _wide(table, wanted, found, several, named)
    else:
        columns = Columns({}, {**named, "value": tidy[1]}, {})
    _find_context(table, columns, wanted)
    if columns.is_tidy:
        columns.place["tag"] = _tag_column(table, columns, wanted)
    _find_time(table, columns, wanted)
    _pass_over_units(table, columns)
    _find_batch(table, columns, wanted)
    return columns


def _named(table: Table, key: str, name: str) -> int | None:
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


def _taken(columns: Columns) -> set[int]:
    return {*columns.samples, *columns.status.values(), *(at for at in columns.place.values() if at is not None)}


def _find_context(table: Table, columns: Columns, wanted: Wanted) -> None:
    header = table.header.cells
    keys: dict[str, Sequence[str]] = {**CONTEXT, **({"quality": QUALITY} if columns.is_tidy else {})}
    for key, names in keys.items():
        if key in columns.place:
            continue
        places = standing(header, names, _taken(columns))
        columns.place[key] = places[0] if places else None
        if key == "unit" and places and _are_engineering_units(table, places[0]):
            columns.place[key] = None
        if key == "phase" and places and not wanted.phases:
            columns.place[key] = None
            columns.told.append(
                f"column {header[places[0]]!r} is not used, for no limit is about a phase "
                f"(with --phase-column {header[places[0]]!r} a change of phase ends excursions, as in the daemon)"
            )


def _are_engineering_units(table: Table, at: int) -> bool:
    texts = {row.cells[at] for row in table.rows} - {""}
    return bool(texts) and all(understood(text) is not None for text in texts)


def _tag_column(table: Table, columns: Columns, wanted: Wanted) -> int:
    """That which names the most of what is looked for."""
    places = standing(table.header.cells, TAG_NAME, _taken(columns) - {columns.place.get("tag")})
    counts = {at: len(matched(sorted({row.cells[at] for row in table.rows}), wanted.roles)[0]) for at in places}
    best = max(counts, key=lambda at: counts[at], default=None)
    if best is None or not counts[best]:
        names = sorted({row.cells[places[0]] for row in table.rows}) if places else []
        shown = ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
        missing = ", ".join(sorted(set(wanted.roles.values())))
        raise fault(table, f"no tag is named as a role that has limits ({missing}); found: {shown}")
    return best


# --- time


def _find_time(table: Table, columns: Columns, wanted: Wanted) -> None:
    header, place = table.header.cells, columns.place
    place.setdefault("date", None)
    if "time" not in place:
        places = standing(header, TIME, _taken(columns))
        place["time"] = places[0] if places else None
        dates, clocks = (standing(header, names, _taken(columns) - {place["time"]}) for names in (DATE_ALONE, CLOCK_ALONE))
        if dates and clocks and place["time"] in (dates[0], clocks[0]) and _is_clock(table, clocks[0]):
            place["date"], place["time"] = dates[0], clocks[0]
        elif place["time"] is None and (at := _first_of_dates(table, columns)) is not None:
            place["time"] = at
    at = place["time"]
    columns.time_unit = wanted.said.time_unit or (None if at is None else unit_of_time(header[at]))


def _is_clock(table: Table, at: int) -> bool:
    cells = [row.cells[at] for row in table.rows[:5]]
    return all(":" in cell for cell in cells if cell[:1].isdigit()) and any(":" in cell for cell in cells)


def _first_of_dates(table: Table, columns: Columns) -> int | None:
    """The first column, if it holds dates whatever its name."""
    if 0 in _taken(columns):
        return None
    return 0 if _says_time([row.cells[0] for row in table.rows[-3:]], dates_only=True) else None


def _says_time(cells: Sequence[str], *, dates_only: bool = False) -> bool:
    try:
        return (
            read_times(cells, Reading(Decimal.COMMA if any("," in cell for cell in cells) else Decimal.POINT)).has_dates
            or not dates_only
        )
    except NoTime:
        return False


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
        return not _says_time([time]) if time else any(cells)
    return any(cell and cell.casefold() not in _BAD_WORDS for cell in cells)


# --- batch


def _find_batch(table: Table, columns: Columns, wanted: Wanted) -> None:
    """Without a column of that name the first one, if it says the same of several rows."""
    if columns.place["batch"] is not None or "batch" in wanted.said.columns or columns.is_tidy or 0 in _taken(columns):
        return
    rows = table.rows[columns.first_row :]
    names = {row.cells[0] for row in rows}
    if "" not in names and len(names) < len(rows):
        columns.place["batch"] = 0
        name = table.header.cells[0]
        columns.told.append(f"no column is called batch: taken from the first one, {name!r}; --batch-column none if it is not")


def passed_over(table: Table, columns: Columns) -> list[str]:
    """Names of columns that nothing is taken from."""
    taken = _taken(columns)
    return [name or f"(column {at + 1})" for at, name in enumerate(table.header.cells) if at not in taken]


def rows_of(table: Table, columns: Columns) -> list[Row]:
    """Those with samples."""
    return table.rows[columns.first_row :]
