"""What a kill left open is told as ended by the next start, once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.memory.excursions import KIND, left_open
from collector.monitor.judge import Judge
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import Event, EventKind
from tests.unit.monitor.judged import DOSE, SECOND_NS, START_NS, Told, layout, limit, of_kind, run

ONE = layout()
ROWS = [limit(par=[0, 10])]
DAY = 86_400


def committed(data: Path, told: Sequence[Event], at_ns: int) -> None:
    (data / "journal").mkdir(exist_ok=True)
    with closing(Journal(data)) as journal:
        journal.append(told, at_ns)


def ended(data: Path, remembered: Judge | None = None) -> list[Event]:
    """By a start; `remembered`: the judge at which the run looked last."""
    with closing(Reader(data)) as reader, closing(Registry(data)) as registry:
        if remembered is not None:
            registry.put_states(KIND, {each.id: asdict(each) for each in remembered.open.values()})
        return left_open(reader, registry.states(KIND))


def figures(event: Event) -> dict[str, Any]:
    return {name: event.body[name] for name in ("state", "ended", "first_ns", "last_ns", "duration_s", "peak", "area")}


def killed(data: Path, samples: Sequence[float], looked_after: int) -> list[Event]:
    """Of a run that told all, was looked at after so many samples, and killed at the end."""
    judge, told = Judge(ONE, ROWS), list[Event]()
    remembered = Judge(ONE, ROWS)
    for n, sample in enumerate(samples):
        step = [(n, [sample], (DOSE,))]
        told += of_kind(run(judge, ONE, step), EventKind.EXCURSION)
        if n < looked_after:
            run(remembered, ONE, step)
    committed(data, told, START_NS + len(samples) * SECOND_NS)
    return ended(data, remembered)


def test_it_ends_where_it_was_seen_last_with_the_figures_of_then(tmp_path: Path) -> None:
    (event,) = killed(tmp_path, [5, 11, 13, 12, 12], looked_after=4)
    assert (event.unit, event.stamp, event.slot_ns) == ("R-201", DOSE, START_NS + 3 * SECOND_NS)
    assert figures(event) == {
        "state": "closed", "ended": "stopped", "first_ns": START_NS + SECOND_NS, "last_ns": START_NS + 3 * SECOND_NS,
        "duration_s": 2.0, "peak": 13.0, "area": 2.0 + 2.5,
    }  # fmt: skip


def test_one_that_nobody_had_looked_at_ends_with_its_first_sample(tmp_path: Path) -> None:
    """The one that was looked at was another one of the same tag."""
    (event,) = killed(tmp_path, [11, 5, 5, 5, 12, 12], looked_after=1)
    assert figures(event) == {
        "state": "closed", "ended": "stopped", "first_ns": START_NS + 4 * SECOND_NS, "last_ns": START_NS + 4 * SECOND_NS,
        "duration_s": 0.0, "peak": 12.0, "area": 0.0,
    }  # fmt: skip


def test_one_that_has_been_open_for_days_is_found(tmp_path: Path) -> None:
    judge = Judge(ONE, ROWS)
    committed(tmp_path, of_kind(run(judge, ONE, [(0, [11], (DOSE,))]), EventKind.EXCURSION), START_NS)
    run(judge, ONE, [(3 * DAY, [12], (DOSE,))])
    committed(
        tmp_path,
        [Event(EventKind.DAEMON, START_NS + 3 * DAY * SECOND_NS, body={"state": "started"})],
        START_NS + 3 * DAY * SECOND_NS,
    )
    (event,) = ended(tmp_path, judge)
    assert event.body["duration_s"] == 3.0 * DAY


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([5, 5, 11, 12, -1]), max_size=12), st.integers(0, 12))
def test_who_has_the_events_knows_of_nothing_that_is_open(
    tmp_path_factory: pytest.TempPathFactory, samples: list[float], looked_after: int
) -> None:
    data = tmp_path_factory.mktemp("data")
    told, heard = killed(data, samples, looked_after), Told()
    with closing(Reader(data)) as reader:
        for row in reader.events_after(EventKind.EXCURSION, 0):
            heard.hear(row.event)
    for event in told:
        heard.hear(event)
    assert heard.excursions == {}
    committed(data, told, START_NS + 1_000 * SECOND_NS)
    assert ended(data) == [], "once"
