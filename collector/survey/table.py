"""A survey for people: a table per endpoint, then every remark as a whole sentence, the worst first.

Where there is a width, a table keeps to it: addresses lose their beginning, other cells fold. Elsewhere every tag is one
line, and so is every sentence. A mark and a word say what a colour says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from collector.show.words import duration, visible
from collector.survey.reading import Level, Reading, Remark, Visit
from drivers.base import Quality
from drivers.opcua.faults import status_name

MARKS = {Level.FAULT: "✗", Level.WARNING: "!", Level.NOTE: "·"}
STYLES = {Level.FAULT: "bold red", Level.WARNING: "yellow", Level.NOTE: "dim"}
HEADER = ("", "unit", "tag", "address", "value", "EU", "quality", "age", "contradicts")
ADDRESS = HEADER.index("address")
FOLDING = tuple(HEADER.index(name) for name in ("quality", "contradicts", "value"))
"""Columns that fold between words before an address gets less than `LEAST_ADDRESS`; with less it is left out."""
LEAST_ADDRESS = 12
LONGEST_CELL = 40
GAP = 2
MOST_NAMES = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """A reading with what is to be said of it, the worst first."""

    reading: Reading
    remarks: tuple[Remark, ...]

    @property
    def level(self) -> Level | None:
        return self.remarks[0].level if self.remarks else None


def show(console: Console, visits: Sequence[tuple[Visit, Sequence[Judged]]], width: int | None) -> None:
    """Print all of it, in `width` columns or as wide as it is."""
    for visit, judged in visits:
        for part in _endpoint(visit, judged, width):
            console.print(part, soft_wrap=width is None)


def _endpoint(visit: Visit, judged: Sequence[Judged], width: int | None) -> Iterator[RenderableType]:
    endpoint = visit.endpoint
    yield Text.assemble((endpoint.name, "bold"), f"  {endpoint.url}  {_count(len(judged))} read in {visit.took_s:.1f} s")
    if judged:
        yield _table(judged, width)
    lines = [*_lost(visit), *_sentences(judged)]
    if visit.untold:
        lines.append((Level.WARNING, "", f"the server's units, ranges and types could not be asked for: {visit.untold}"))
    if lines:
        yield Text()
        yield from _list(lines, width)
    yield Text()


def _count(tags: int) -> str:
    return f"{tags} tag{'' if tags == 1 else 's'}"


def _table(judged: Sequence[Judged], width: int | None) -> Table:
    rows = [_row(each) for each in judged]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    widths = _widths(rows, width)
    shown = [at for at in range(len(HEADER)) if widths[at] != 0]
    for at in shown:
        justify: Literal["left", "right"] = "right" if HEADER[at] in ("value", "age") else "left"
        table.add_column(HEADER[at], justify=justify, max_width=widths[at], overflow="fold", no_wrap=widths[at] is None)
    for each, row in zip(judged, rows, strict=True):
        style = STYLES[each.level] if each.level is not None else ""
        cells = [Text(_end(cell, widths[ADDRESS]) if at == ADDRESS else cell) for at, cell in enumerate(row)]
        for marked in (0, len(HEADER) - 1):
            cells[marked].stylize(style)
        table.add_row(*(cells[at] for at in shown))
    return table


def _row(judged: Judged) -> tuple[str, ...]:
    reading = judged.reading
    short = ", ".join(remark.short for remark in judged.remarks)
    mark = MARKS[judged.level] if judged.level is not None else ""
    place = (reading.unit, reading.tag.name, reading.tag.address)
    figures = (value_text(reading), unit_text(reading), quality_text(reading), age_text(reading.age_s))
    return (mark, *(visible(cell) for cell in (*place, *figures, short)))


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int | None]:
    """What each column may have, 0 for one that has no room; whatever it needs where there is no width to keep to."""
    if width is None:
        return [None] * len(HEADER)
    natural = [max(cell_len(row[at]) for row in (HEADER, *rows)) for at in range(len(HEADER))]
    widths = [min(needed, LONGEST_CELL) for needed in natural]
    least = [max(cell_len(word) for row in (HEADER, *rows) for word in row[at].split() or [""]) for at in range(len(HEADER))]
    for at in FOLDING:
        over = sum(widths) + GAP * (len(HEADER) - 1) - widths[ADDRESS] + min(natural[ADDRESS], LEAST_ADDRESS) - width
        widths[at] -= max(0, min(over, widths[at] - least[at]))
    left = width - GAP * (len(HEADER) - 1) - (sum(widths) - widths[ADDRESS])
    address = min(natural[ADDRESS], left)
    widths = [max(1, each) for each in widths]
    widths[ADDRESS] = address if address >= min(natural[ADDRESS], LEAST_ADDRESS) else 0
    return list(widths)


def _end(address: str, width: int | None) -> str:
    """The end of an address, where tags differ: `…;s=R201.TT201A`."""
    return address if width is None or len(address) <= width else f"…{address[1 - width :]}"


def value_text(reading: Reading) -> str:
    """Six digits of a number, its state's name beside it."""
    value = reading.value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or "(empty)"
    state = reading.tag.states.get(int(value)) if value == int(value) else None
    return f"{value:.6g} {state}" if state else (str(value) if isinstance(value, int) else f"{value:.6g}")


def unit_text(reading: Reading) -> str:
    """The file's unit; in brackets the server's where the file has none."""
    told = reading.description.unit
    return reading.tag.engineering_unit or (f"({told.display_name})" if told and told.display_name else "")


def quality_text(reading: Reading) -> str:
    """`good`, `bad BadSensorFailure`"""
    word = Quality(reading.quality).name.lower()
    return word if reading.status == 0 else f"{word} {status_name(reading.status)}"


def age_text(age_s: float | None) -> str:
    """`0.4 s`, `2 min 10 s`; – where the device gives no stamp."""
    if age_s is None:
        return "–"
    return duration(round(age_s, 1)) if age_s > -0.05 else f"−{duration(round(-age_s, 1))}"


Line = tuple[Level, str, str]
"""How much it weighs, which tags, and the sentence."""


def _lost(visit: Visit) -> Iterator[Line]:
    """One line where all devices are lost for one reason."""
    devices: dict[str, list[str]] = {}
    for device, cause in visit.lost:
        devices.setdefault(cause, []).append(device)
    for cause, names in devices.items():
        yield Level.FAULT, _names(names), f"nothing could be read: {visible(cause)}"


def _sentences(judged: Iterable[Judged]) -> list[Line]:
    """Each sentence once, with all the tags it holds for."""
    tags: dict[tuple[Level, str, str], list[str]] = {}
    for each in judged:
        for remark in each.remarks:
            tags.setdefault((remark.level, remark.text, each.reading.unit), []).append(each.reading.tag.name)
    lines = [(level, f"{unit} {_names(names)}", text) for (level, text, unit), names in tags.items()]
    return sorted(lines, key=lambda line: -line[0])


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


def _list(lines: Iterable[Line], width: int | None) -> Iterator[RenderableType]:
    texts = [
        (
            Text(MARKS[level], STYLES[level]),
            Text.assemble((visible(names), "bold"), ": " if names else "", visible_sentence(text)),
        )
        for level, names, text in lines
    ]
    if width is None:
        yield from (Text.assemble(mark, " ", text) for mark, text in texts)
        return
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column()
    grid.add_column(overflow="fold")
    for mark, text in texts:
        grid.add_row(mark, text)
    yield grid


def visible_sentence(text: str) -> str:
    """A sentence whole, on one line, without what can't be seen."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))
