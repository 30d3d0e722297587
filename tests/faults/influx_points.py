"""What InfluxDB has of a `ScriptedPlant`, held against the journal, point for point."""

from __future__ import annotations

from tests.faults.recorded import Recorded
from tests.faults.scripted_plant import values_at
from tests.servers import InfluxDB


def assert_same_points(influx: InfluxDB, recorded: Recorded, database: str) -> int:
    """Every slot of the journal once with all its fields, two of them to the last digit, and no other; number of points."""
    points = scans = 0
    for series in influx.query("SELECT T0, T7 FROM process GROUP BY unit", database):
        slots = recorded.slots["D-" + series.tags["unit"].removeprefix("R-")]
        assert series.rows() == [{"time": slot, "T0": values_at(slot, 8)[0], "T7": values_at(slot, 8)[7]} for slot in slots]
    for series in influx.query("SELECT count(*) FROM process GROUP BY unit", database):
        slots = recorded.slots["D-" + series.tags["unit"].removeprefix("R-")]
        counts = [count for name, count in series.rows()[0].items() if name.startswith("count_T")]
        assert set(counts) == {len(slots)}
        points, scans = points + len(slots) * len(counts), scans + len(slots)
    assert scans == sum(map(len, recorded.slots.values())), "a device has no points at all"
    return points
