"""Excursions of 71 real batches against the definition."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.monitor.judge import Judge
from collector.terms import Event, EventKind, Stamp
from tests.unit.monitor.judged import SECOND_NS, START_NS, Told, agrees, layout, limit, number, of_kind, run, text, whole
from tests.unit.monitor.stretches import Figures, Record, Stretch

ONE = layout()


@pytest.fixture(scope="module")
def temperatures(recorded: Path) -> dict[str, list[float]]:
    """`DryerTemp` of each batch, one a second."""
    path = recorded / "dryer.csv"
    batches: dict[str, list[float]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            batches[row["batch_id"]].append(float(row["DryerTemp"]))
    return dict(batches)


def judged(temperatures: dict[str, list[float]], judge: Judge) -> list[Event]:
    """All batches, one behind the other; the views checked at every scan."""
    at, told, heard = 0, list[Event](), Told()
    for batch, values in temperatures.items():
        for value in values:
            events = run(judge, ONE, [(at, [value], (Stamp(batch=batch),))])
            for event in events:
                heard.hear(event)
            agrees(heard, judge)
            told += events
            at += 1
    return told + judge.close(START_NS + at * SECOND_NS)


def defined(temperatures: dict[str, list[float]], bounds: Sequence[float]) -> list[tuple[str, Figures, str]]:
    """(batch, figures, how it ended) of every stretch; what is outside at the end of a batch ends with the next one's first."""
    found, start = list[tuple[str, Figures, str]](), 0
    *_, final = temperatures
    for batch, values in temperatures.items():
        slots = range(START_NS + start * SECOND_NS, START_NS + (start + len(values)) * SECOND_NS, SECOND_NS)
        record = Record(list(zip(slots, values, strict=True)), bounds[0], bounds[1], SECOND_NS)
        for stretch in record.stretches():
            why = "inside" if stretch.last is not None else "stopped" if batch == final else "limits changed"
            found.append((batch, ended(record, stretch, slots.stop), why))
        start += len(values)
    return found


def ended(record: Record, stretch: Stretch, next_ns: int) -> Figures:
    figures = record.figures(stretch)
    last_ns = next_ns if stretch.last is None else figures.last_ns
    return Figures(figures.first_ns, last_ns, figures.peak, figures.area, figures.not_evaluable)


@pytest.mark.parametrize("bounds", [(10.0, 70.0), (25.0, 60.0), (19.0, 20.0)])
def test_excursions_of_the_dryer_are_those_of_the_definition(
    temperatures: dict[str, list[float]], bounds: tuple[float, float]
) -> None:
    told = of_kind(judged(temperatures, Judge(ONE, [limit(par=list(bounds))])), EventKind.EXCURSION)
    closed = [event for event in told if event.body["state"] == "closed"]
    wanted = defined(temperatures, bounds)
    assert len(closed) == len(told) - len(closed) == len(wanted) > 30
    for event, (batch, figures, why) in zip(closed, wanted, strict=True):
        assert (event.stamp.batch, text(event, "ended")) == (batch, why)
        assert (whole(event, "first_ns"), whole(event, "last_ns")) == (figures.first_ns, figures.last_ns)
        assert number(event, "duration_s") == (figures.last_ns - figures.first_ns) / 1e9
        assert number(event, "peak") == figures.peak
        assert number(event, "area") == pytest.approx(float(figures.area), rel=1e-12)
        assert number(event, "not_evaluable_s") == 0
