"""Tables as plain text: columns as wide as they need, whatever the terminal's width, so they can be piped and searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def aligned(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A line of headings, then one per row; a column that is empty in all rows is left out. Cells may hold anything: what would
    steer a terminal or break the line is made visible."""
    cells = [tuple(map(_on_one_line, row)) for row in rows]
    used = [place for place in range(len(headings)) if any(row[place] for row in cells)]
    table = [[row[place] for place in used] for row in (tuple(headings), *cells)]
    widths = [max(len(row[column]) for row in table) for column in range(len(used))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _on_one_line(cell: str) -> str:
    seen = (c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in cell)
    return " ".join("".join(seen).split())
