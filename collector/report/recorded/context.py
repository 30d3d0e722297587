"""Which columns of a recorded file tell the context: batch, phase, unit, product; by their names, else by what stands in them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from collector.report.recorded.cells import is_word_of_quality, number
from collector.report.recorded.header import Columns, fault
from collector.report.recorded.names import CONTEXT, QUALITY, TIME, WEAK_TIME, bare, standing
from collector.report.recorded.time_column import counts_rows
from collector.report.recording import Wanted
from config.spreadsheet.cells import Decimal
from config.spreadsheet.columns import normal
from config.spreadsheet.table import Table
from config.unit_columns import are_engineering_units


def find_context(table: Table, columns: Columns, wanted: Wanted) -> None:
    """Fills in the places. Raises ConfigError."""
    header = table.header.cells
    keys: dict[str, Sequence[str]] = {**CONTEXT, **({"quality": QUALITY} if columns.is_tidy else {})}
    for key, names in keys.items():
        if key in columns.place:
            continue
        places = standing(header, names, columns.taken)
        if key == "phase":
            columns.place[key] = _phase(table, columns, wanted, places)
        else:
            columns.place[key] = places[0] if places else None
        if key == "unit" and places and _are_no_units(table, places[0]):
            columns.place[key] = None


def _phase(table: Table, columns: Columns, wanted: Wanted, places: Sequence[int]) -> int | None:
    header = table.header.cells
    if not wanted.phases:
        columns.not_batch.update(places)
        columns.told += [
            f"column {header[at]!r} is not used, for no limit is about a phase "
            f"(with --phase-column {header[at]!r} a change of phase ends excursions, as in the daemon)"
            for at in places[:1]
        ]
        return None
    if not wanted.phase_names:
        return next(iter(places), None)
    named = _holding(table, places, wanted.phase_names)
    others = [at for at in range(len(header)) if at not in columns.taken and at not in places]
    found = named or ([] if any(_is_number(name) for name in wanted.phase_names) else _holding(table, others, wanted.phase_names))
    if len(found) > 1 and not named:
        names = " and ".join(repr(header[at]) for at in found)
        raise fault(
            table, f"columns {names} both hold phases that limits name: say with --phase-column which one tells the phase"
        )
    return next(iter([*found, *places]), None)


def _is_number(name: str) -> bool:
    return not math.isnan(number(name, Decimal.POINT))


def _holding(table: Table, places: Iterable[int], names: Collection[str]) -> list[int]:
    """Columns in which one of the names stands, spelt somehow."""
    return [at for at in places if phases_as_named({row.cells[at] for row in table.rows}, names)]


def phases_as_named(texts: Collection[str], names: Collection[str]) -> dict[str, str]:
    """The name that limits have for what a file calls `HEAT`, `heat` or, of numbers, `3.0`; only where one alone can be meant."""
    found = {text: text for text in texts if text in names}
    for alike in (normal, _plain_number):
        for name in names:
            spelt = [text for text in texts if text not in found and alike(text) and alike(text) == alike(name)]
            if name not in found.values() and len(spelt) == 1:
                found[spelt[0]] = name
    return found


def _plain_number(text: str) -> str:
    value = number(text, Decimal.COMMA if "," in text else Decimal.POINT)
    return f"{value:g}" if not math.isnan(value) else ""


def _are_no_units(table: Table, at: int) -> bool:
    """Whether they are engineering units, or measurements."""
    texts = {row.cells[at] for row in table.rows} - {""}
    return are_engineering_units(texts) or _are_measured(texts)


def _are_measured(texts: Iterable[str]) -> bool:
    return any(_is_number(text) and not number(text, Decimal.POINT).is_integer() for text in texts)


# --- batch


def find_batch(table: Table, columns: Columns, wanted: Wanted) -> None:
    """Without a column of that name the first one, if it says the same of several rows one after another."""
    if columns.place["batch"] is not None or "batch" in wanted.said.columns or columns.is_tidy:
        return
    if 0 in columns.taken | columns.not_batch or not _may_name_batches(table, columns.first_row):
        return
    columns.place["batch"] = 0
    name = table.header.cells[0]
    columns.told.append(f"no column is called batch: taken from the first one, {name!r}; --batch-column none if it is not")


def _may_name_batches(table: Table, first_row: int) -> bool:
    """Not a count of rows, not a measurement, and not a state that comes back."""
    cells = [row.cells[0] for row in table.rows[first_row:]]
    name, names = table.header.cells[0], [cell for cell, _ in groupby(cells)]
    measured = bare(name) != name or _are_measured(names)
    measured = measured or bool(standing(table.header.cells[:1], (*TIME, *WEAK_TIME), ()))
    comes_back = len(set(names)) < len(names)
    return not measured and not comes_back and "" not in names and len(names) < len(cells) and not counts_rows(table, 0)


# --- quality


def find_quality(table: Table, columns: Columns) -> None:
    """A column of a wide file that says of each row whether it is good: of all samples that have no status of their own. What is
    the same over each batch is a word about the batch."""
    if columns.is_tidy:
        return
    rows, batch = table.rows[columns.first_row :], columns.place["batch"]
    for at in standing(table.header.cells, QUALITY, columns.taken):
        words = {row.cells[at] for row in rows} - {""}
        of_batches = {("" if batch is None else row.cells[batch], row.cells[at]) for row in rows}
        if words and all(map(is_word_of_quality, words)) and len(of_batches) > len({batch for batch, _ in of_batches}):
            columns.status |= dict.fromkeys((sample for sample in columns.samples if sample not in columns.status), at)
            columns.told.append(f"status of each row from column {table.header.cells[at]!r}")
            return
