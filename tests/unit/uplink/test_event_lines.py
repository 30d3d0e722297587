"""Events as points: their measurements, and types that can't disagree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.store.rows import EventRow
from collector.terms import EventKind, Json, Stamp
from collector.uplink.schema import EVENT_SPREAD_NS, event_lines, type_of
from tests.journal_rows import SLOT_NS, event_row
from tests.line_protocol import Point, parse

DOSE = Stamp(batch="B-1", phase="Dose")
STAMPED = {"site": "s", "unit": "R-201", "batch": "B-1", "phase": "Dose"}
TYPES = {"number": float, "whole": int, "flag": bool, "text": str}


def points(row: EventRow, *, texts: bool = True, phase: bool = True) -> list[Point]:
    return [parse(line) for line in event_lines("s", row, texts=texts, phase=phase)]


def test_a_transition_is_an_alarm() -> None:
    body: dict[str, Json] = {
        "role": "product_temperature", "rule": "par high", "statistic": "value", "from": "inside", "to": "outside",
        "value": 70, "level": None, "cpp": True,
    }  # fmt: skip
    (point,) = points(event_row(7, EventKind.TRANSITION, body, "R-201", DOSE))
    assert point.measurement == "alarm"
    assert point.tags == {**STAMPED, "role": "product_temperature", "rule": "par high"}
    assert point.fields == {"statistic": "value", "from": "inside", "to": "outside", "value": 70.0, "cpp": True}
    assert isinstance(point.fields["value"], float)


def test_an_excursion() -> None:
    body: dict[str, Json] = {
        "role": "t",
        "state": "closed",
        "first_ns": 2**60 + 1,
        "last_ns": 2**60 + 3,
        "duration_s": 2.0,
        "peak": 71.5,
    }
    (point,) = points(event_row(1, EventKind.EXCURSION, body, "R-201", DOSE))
    assert (point.measurement, point.tags) == ("excursion", {**STAMPED, "role": "t"})
    assert point.fields == {"state": "closed", "first_ns": 2**60 + 1, "last_ns": 2**60 + 3, "duration_s": 2.0, "peak": 71.5}


def test_a_phase_began_and_ended() -> None:
    body: dict[str, Json] = {"what": "phase", "state": "began", "batch": "B-1", "phase": "Dose"}
    (began,) = points(event_row(1, EventKind.BATCH, body, "R-201", DOSE))
    (ended,) = points(event_row(2, EventKind.BATCH, {**body, "state": "ended"}, "R-201", DOSE))
    assert (began.measurement, began.tags) == ("batch", {"site": "s", "unit": "R-201"})
    assert began.fields == {**body, "text": "Phase Dose began", "running": "Dose"}
    assert (ended.fields["text"], ended.fields["running"]) == ("Phase Dose ended", "")


def test_a_batch_began() -> None:
    body: dict[str, Json] = {"what": "batch", "state": "began", "batch": "B-1", "phase": ""}
    (point,) = points(event_row(1, EventKind.BATCH, body, "R-201", DOSE))
    assert point.fields == {**body, "text": "Batch B-1 began"}


def test_statistics_have_a_point_for_each_role() -> None:
    body: dict[str, Json] = {"window_s": 60.0, "roles": {"t": {"mean": 1.5, "slope": None, "coverage": 1}, "p": {"mean": 2.5}}}
    rows = points(event_row(1, EventKind.STATISTICS, body, "R-201", DOSE))
    assert [(point.tags["role"], point.tags["window"], point.fields) for point in rows] == [
        ("t", "60", {"mean": 1.5, "coverage": 1.0}),
        ("p", "60", {"mean": 2.5}),
    ]


def test_what_lasts_has_a_point_for_each_role_and_figure() -> None:
    figures: dict[str, Json] = {
        "ewma 60 s": {"roles": ["t", "p"], "value": [1.5, None], "samples": [9, 0]},
        "time outside PAR in phase": {"roles": ["t"], "value": [301.0], "total_ns": [301_000_000_000]},
    }
    rows = points(event_row(1, EventKind.ACCUMULATED, {"group": "main", "figures": figures}, "R-201", DOSE))
    assert [(point.measurement, point.tags["role"], point.tags["statistic"], point.fields) for point in rows] == [
        ("accumulated", "t", "ewma 60 s", {"value": 1.5}),
        ("accumulated", "t", "time outside PAR in phase", {"value": 301.0}),
    ]


def test_health_goes_to_gateway_told_apart_by_kind() -> None:
    body: dict[str, Json] = {"endpoint": "plc", "device": "plc", "state": "lost", "cause": "no answer", "kind": "odd"}
    (point,) = points(event_row(1, EventKind.DEVICE, body))
    assert point.measurement == "gateway"
    assert point.tags == {"site": "s", "kind": "device", "endpoint": "plc", "device": "plc"}
    assert point.fields == {"state": "lost", "cause": "no answer", "kind_value_text": "odd"}


def test_without_texts_only_numbers_are_left_and_perhaps_nothing() -> None:
    transition = event_row(1, EventKind.TRANSITION, {"role": "t", "rule": "h", "to": "outside", "value": 1.0}, "R-201", DOSE)
    (point,) = points(transition, texts=False, phase=False)
    assert (point.fields, "phase" in point.tags) == ({"value": 1.0}, False)
    assert points(event_row(2, EventKind.BATCH, {"what": "phase", "phase": "Dose", "state": "began"}), texts=False) == []


def test_events_of_one_slot_stay_apart_and_replays_do_not() -> None:
    body: dict[str, Json] = {"role": "t", "rule": "h", "to": "outside"}
    times = [points(event_row(seq, EventKind.TRANSITION, body))[0].time_ns for seq in (41, 42, 42)]
    assert times[0] != times[1] == times[2]
    assert all(SLOT_NS <= time < SLOT_NS + EVENT_SPREAD_NS for time in times)


SCALARS: st.SearchStrategy[Json] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.none(), max_size=1)
)
KEYS = st.sampled_from(
    [
        "role",
        "state",
        "value",
        "cpp",
        "first_ns",
        "time",
        "site",
        "x",
        "x_text",
        "x_flag",
        "x_number",
        "x_whole",
        "state_number",
        "a b",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(list(EventKind)), st.dictionaries(KEYS, SCALARS)), max_size=6))
def test_a_field_has_one_type_whatever_bodies_hold(events: list[tuple[EventKind, dict[str, Json]]]) -> None:
    for seq, (kind, body) in enumerate(events):
        for point in points(event_row(seq, kind, body)):
            assert not set(point.fields) & set(point.tags)
            assert "time" not in point.fields
            for name, value in point.fields.items():
                assert type(value) is TYPES[type_of(name)], name


@given(st.dictionaries(KEYS, st.booleans() | st.text(max_size=3) | st.integers(-(2**40), 2**40)))
def test_no_scalar_of_a_body_goes_missing(body: dict[str, Json]) -> None:
    found = [len(point.fields) for point in points(event_row(1, EventKind.GAP, body))]
    assert sum(found) == len(body)
