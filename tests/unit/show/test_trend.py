"""A trend never draws a line over what was not read, and loses no spike, however long the time it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.show.trend import MOST_POINTS, NoTrend, Trend, trend
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.terms import Stamp
from config.tags import Kind
from drivers.base import Scan
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan
from tests.unit.store.simple import DAY_NS

LAYOUT = layout(column("temperature", name="TT-1"), column("phase", Kind.TEXT, name="PHASE"))
BAD = 0x808C_0000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path


def written(data: Path, values: Sequence[float | None], missing: Sequence[int] = (), from_ns: int = SLOT_NS) -> None:
    """One sample a second; None is a bad one, `missing` slots have no row."""
    scans = [
        scan(LAYOUT, [0.0 if value is None else value, "Dose"], from_ns + n * SECOND_NS, [0 if value is not None else BAD, 0])
        for n, value in enumerate(values)
        if n not in missing
    ]
    with closing(Journal(data)) as journal:
        for one in scans:
            journal.append([Stamped(one, (Stamp(),))], one.slot_ns)


def shown(data: Path, seconds: int, tag: str = "TT-1", from_ns: int = SLOT_NS) -> Trend:
    with closing(Reader(data)) as reader:
        return trend(reader, "R-201", tag, from_ns, from_ns + seconds * SECOND_NS)


def second(ms: float) -> int:
    return round(ms / 1000 - SLOT_NS / 1e9)


def test_each_sample_is_a_point_where_there_are_few(data: Path) -> None:
    written(data, [20.0, 21.0, 22.0])
    drawn = shown(data, 60)
    assert [(second(point[0]), *point[1:]) for point in drawn.points if point] == [(0, 20, 20), (1, 21, 21), (2, 22, 22)]
    assert None not in drawn.points
    assert (drawn.role, drawn.not_good_ms, drawn.to_ms - drawn.from_ms) == ("temperature", (), 60_000)


def test_a_bad_sample_and_a_missing_one_break_the_line(data: Path) -> None:
    written(data, [20.0, None, 22.0, 23.0, 24.0, 25.0], missing=[4])
    drawn = shown(data, 60)
    runs: list[list[int]] = [[]]
    for point in drawn.points:
        runs[-1].append(second(point[0])) if point else runs.append([])
    assert [run for run in runs if run] == [[0], [2, 3], [5]]
    assert [second(ms) for ms in drawn.not_good_ms] == [1]


def test_a_lost_scan_is_marked(data: Path) -> None:
    with closing(Journal(data)) as journal:
        journal.append([Stamped(Scan.of_lost(LAYOUT, SLOT_NS, SLOT_NS, 0x800A_0000), (Stamp(),))], SLOT_NS)
    assert [second(ms) for ms in shown(data, 60).not_good_ms] == [0]
    assert not [point for point in shown(data, 60).points if point]


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, 2999), bad=st.integers(0, 2999))
def test_however_many_samples_a_span_holds_no_spike_and_no_gap_is_lost(
    at: int, bad: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data")
    (data / "journal").mkdir()
    values: list[float | None] = [20.0 + math.sin(n / 100) for n in range(3000)]
    values[at] = 99.0
    values[bad] = None
    scans = [
        Stamped(scan(LAYOUT, [value or 0.0, "x"], SLOT_NS + n * SECOND_NS, [0 if value is not None else BAD, 0]), (Stamp(),))
        for n, value in enumerate(values)
    ]
    with closing(Journal(data)) as journal:
        journal.append(scans, SLOT_NS)
    drawn = shown(data, 3000)
    good = [point for point in drawn.points if point]
    assert len(good) <= MOST_POINTS
    if at != bad:
        assert max(high for _, _, high in good) == 99.0
    assert [second(ms) for ms in drawn.not_good_ms] == [bad]
    assert None in drawn.points


def test_it_goes_over_midnight_and_back_no_further_than_asked(data: Path) -> None:
    midnight = SLOT_NS // DAY_NS * DAY_NS + DAY_NS
    written(data, [float(n) for n in range(20)], from_ns=midnight - 10 * SECOND_NS)
    drawn = shown(data, 12, from_ns=midnight - 6 * SECOND_NS)
    assert [point[1] for point in drawn.points if point] == [float(n) for n in range(4, 16)]


def test_what_can_not_be_drawn_is_said(data: Path) -> None:
    written(data, [20.0])
    with pytest.raises(NoTrend, match="no tag TT-9 of unit R-201"):
        shown(data, 60, tag="TT-9")
    with pytest.raises(NoTrend, match="is a text"):
        shown(data, 60, tag="PHASE")


def test_a_time_without_samples_is_empty(data: Path) -> None:
    written(data, [20.0])
    assert shown(data, 60, from_ns=SLOT_NS + 100 * SECOND_NS).points == ()
