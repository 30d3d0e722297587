"""A plant whose tags tell a context, scans of it, and a tracker that follows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from collector.batch.context import ContextTracker
from collector.terms import Event, EventKind, Stamp
from config.model import Plant
from config.tags import Kind
from drivers.base import Layout, Quality, Scan, scan_groups

SECOND_NS = 1_000_000_000
START_NS = 1_732_270_020 * SECOND_NS

Value = float | str | None
"""None: bad, with a value that would be taken for a good one."""


def plant(*tags: Mapping[str, object], units: Mapping[str, object] | None = None) -> Plant:
    """A plant with one OPC UA device. A tag: role, kind, unit, group, states."""
    named = {f"T-{n}": {"address": f"ns=2;i={n}", "unit": "R-201", **tag} for n, tag in enumerate(tags)}
    groups = {str(tag.get("group", "main")): dict[str, object]() for tag in tags} or {"main": {}}
    device = {"groups": groups, "tags": named or {"X": {"address": "ns=2;i=99", "unit": "R-201"}}}
    endpoint = {"url": "opc.tcp://127.0.0.1:4840", "devices": {"plc": device}}
    return Plant.model_validate({"site": "s", "endpoints": {"e": endpoint}, "units": units or {"R-201": {}}})


def layouts(of: Plant) -> dict[str, Layout]:
    return {group.layout.group: group.layout for endpoint in of.endpoints for group in scan_groups(endpoint)}


def scan(of: Layout, values: Sequence[Value], second: int = 0, quality: Quality = Quality.BAD) -> Scan:
    """None has `quality`."""
    qualities = np.array([quality if value is None else Quality.GOOD for value in values], np.uint8)
    floats = [0.0 if value is None else math.nan if isinstance(value, str) else float(value) for value in values]
    pairs = list(zip(of.columns, values, strict=True))
    integers = [0 if value is None else int(value) for column, value in pairs if column.kind is Kind.INTEGER]
    texts = tuple("" if value is None else str(value) for column, value in pairs if column.kind is Kind.TEXT)
    slot_ns = START_NS + second * SECOND_NS
    status = np.where(qualities == Quality.GOOD, 0, 0x8000_0000).astype(np.uint32)
    return Scan(of, slot_ns, slot_ns, np.array(floats), status, qualities, None, np.array(integers, np.int64), texts)


BATCH = {"role": "batch_id", "kind": "text"}
PHASE = {"role": "phase", "kind": "text"}
TEXTS = plant(BATCH, PHASE)
TWO_UNITS = plant(
    {**BATCH, "unit": "R-201"},
    {**BATCH, "unit": "R-202"},
    {**PHASE, "unit": "R-202"},
    {**PHASE, "unit": "R-201"},
    units={"R-201": {}, "R-202": {"mode": "gmp"}, "R-203": {"product": "C"}},
)


class Followed:
    """A tracker and what it told; one scan a second."""

    def __init__(self, of: Plant, known: Mapping[str, Stamp] | None = None) -> None:
        self.plant, self.tracker = of, ContextTracker(of, known)
        self.layouts = layouts(of)
        self.second = 0

    def see(self, *values: Value, group: str = "main", quality: Quality = Quality.BAD) -> list[str]:
        """`unit what name state` of every event, in their order."""
        events = self.tracker.observe(scan(self.layouts[group], values, self.second, quality))
        assert {event.slot_ns for event in events} <= {START_NS + self.second * SECOND_NS}
        self.second += 1
        return [words(event) for event in events]

    @property
    def stamp(self) -> Stamp:
        return self.tracker.stamps["R-201"]

    @property
    def now(self) -> tuple[str, str]:
        return (self.stamp.batch, self.stamp.phase)


def words(event: Event) -> str:
    assert event.kind is EventKind.BATCH
    what, state = event.body["what"], event.body["state"]
    return f"{event.unit} {what} {event.body['batch' if what == 'batch' else 'phase']} {state}"
