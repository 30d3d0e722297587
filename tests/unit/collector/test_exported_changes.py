"""`export --changes`: what came between the slots as rows, of the chosen tags alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from collector.__main__ import app
from collector.report.export import HEADER, Selection, changes, restricted
from config.tags import Kind
from drivers.base import Changes
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan, scan_row

GROUP = layout(column("t"), column("s", Kind.TEXT), column("n", Kind.INTEGER), column("b", Kind.BOOLEAN))
STAMP_NS = SLOT_NS - SECOND_NS // 4
BETWEEN = Changes(
    np.array([3, 0, 2, 0], np.int32),
    np.array([STAMP_NS, STAMP_NS, 0, STAMP_NS + 1000]),
    np.array([1.0, 0.1, 7.0, np.nan]),
    np.array([0, 0, 0x4000_0000, 0x808C_0000], np.uint32),
)
ROW = scan_row(1, replace(scan(GROUP, [0.5, "Dose", 8, True]), changes=BETWEEN))


def exported(*tags: str) -> list[dict[str, str]]:
    part = restricted(ROW, Selection(0, 2**62, tags=frozenset(tags)))
    assert part is not None
    return [dict(zip(HEADER, row, strict=True)) for row in changes(part)]


def test_each_is_a_row_with_its_time_and_its_exact_value() -> None:
    rows = exported()
    assert [(row["tag"], row["value"], row["quality"]) for row in rows] == [
        ("B", "true", "good"),
        ("T", "0.1", "good"),
        ("N", "7", "uncertain"),
        ("T", "", "bad"),
    ]
    assert rows[1]["time"] == rows[1]["source_time"] == "2024-11-22T10:06:39.750000000Z"
    assert (rows[2]["time"], rows[2]["source_time"]) == ("2024-11-22T10:06:39.000000001Z", "")
    assert rows[3]["status"] == "0x808C0000"


@pytest.mark.parametrize(("tags", "values"), [(["t"], ["0.1", ""]), (["n", "b"], ["true", "7"]), (["s"], [])])
def test_of_the_chosen_tags_alone(tags: list[str], values: list[str]) -> None:
    rows = exported(*tags)
    assert [row["value"] for row in rows] == values
    assert {row["role"] for row in rows} <= set(tags)


def test_line_protocol_has_none() -> None:
    told = CliRunner().invoke(app, ["export", "--changes", "--format", "lines"])
    assert told.exit_code == 2
    assert "--changes is for --format csv" in told.output
