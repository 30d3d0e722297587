"""A finished record before the judge that the daemon has: the same core, so the same transitions and excursions.

A journal is replayed in its order, with the stamps that its rows have, and begins anew where the daemon did. Of recorded
batches each has a judge of its own: no window reaches from one into the next.

What nobody has anything to tell of does not go scan by scan: see `screen`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from collector.monitor.durations import PhaseDurations
from collector.monitor.figures import OF_ITS_OWN, Known
from collector.monitor.judge import Judge
from collector.monitor.lasting import group_of
from collector.monitor.relations import Relations
from collector.monitor.resumed import OutsideBefore
from collector.report.contexts import Context, Contexts
from collector.report.recording import Batch
from collector.report.screen import screened
from collector.report.tally import Tally, Verdict
from collector.report.violations import Violations
from collector.store.reader import Reader
from collector.store.rows import ScanRow
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import Limit
from drivers.base import Layout, Quality, Scan, Status

ROWS_AT_ONCE = 2_000
TOLD = (EventKind.TRANSITION, EventKind.EVALUABILITY, EventKind.EXCURSION)
EARLIEST_NS = -(1 << 62)
RuleName = tuple[Json, ...]


class FinishedRecord:
    """Judges scans in their order, of as many scan groups as there are."""

    def __init__(self, limits: Sequence[Limit], from_ns: int = EARLIEST_NS, *, from_begin: bool = False) -> None:
        """What is before `from_ns` is judged too, so that windows are full, but not told. `from_begin`: each layout's first
        scan is the first of its batch."""
        self._limits, self._from_ns, self.from_begin = limits, from_ns, from_begin
        self._judges: dict[str, tuple[Judge, Tally]] = {}
        self._relations = Relations(limits, from_begin=from_begin)
        self._related: dict[str, Tally] = {}
        """Of relations, by the id of their layout."""
        self._durations = PhaseDurations(limits, from_begin=from_begin)
        self.contexts = Contexts(limits)
        self._relates = any(limit.is_derived for limit in limits)
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}
        self.violations = Violations()
        self._before: list[OutsideBefore] = []
        self._accumulated: dict[RuleName, Event] = {}
        """How lasting figures stood when the run before ended, by unit and scan group."""
        self._outside: dict[RuleName, Event] = {}
        self.held: set[Limit] = set()
        """The limits that applied at some time."""
        self.refused = 0
        """Scans whose slot was not after the one before: not judged."""

    @property
    def at_rest(self) -> bool:
        """Nothing is outside, and no excursion is open."""
        return all(judge.at_rest for judge, _ in self._judges.values())

    def take(self, scan: Scan, stamps: tuple[Stamp, ...], *, counted: bool = False, known: Known = OF_ITS_OWN) -> list[Event]:
        """What a scan changes. `counted`: its samples are, already; `known`: figures of its layout."""
        judge, tally = self._of(scan.layout, known)
        refused = judge.refused
        events = judge.judge(scan, stamps)
        if self._relates:
            events += self._relate(scan, stamps)
        events += self._durations.judge(scan.slot_ns, scan.layout.units, stamps)
        self._follow(events)
        events = self._told(events)
        if not counted and judge.refused == refused and scan.slot_ns >= self._from_ns:
            tally.scan(scan, stamps)
        tally.hear(events)
        return events

    def _relate(self, scan: Scan, stamps: tuple[Stamp, ...]) -> list[Event]:
        """What the relations that `scan` drives change. Nobody else has counted them."""
        events = []
        for judge, made, of in self._relations.made(scan, stamps):
            events += judge.judge(made, of)
            if made.slot_ns >= self._from_ns:
                self._tally_of_relations(made.layout).scan(made, of)
        return events

    def _follow(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.kind is EventKind.TRANSITION:
                if event.body["to"] == "outside":
                    self._outside.setdefault(_key(event), event)
                else:
                    self._outside.pop(_key(event), None)

    def _told(self, events: Sequence[Event]) -> list[Event]:
        return [event for event in events if event.kind in TOLD and event.slot_ns >= self._from_ns]

    def close(self, slot_ns: int) -> list[Event]:
        """End what is open: the daemon stopped here, or the record ends."""
        told = []
        for judge, tally in self._judges.values():
            events = self._told(judge.close(slot_ns))
            tally.hear(events)
            tally.close(slot_ns)
            self.refused += judge.refused
            told += events
        for _, judge in self._relations.judges:
            events = self._told(judge.close(slot_ns))
            tally = self._tally_of_relations(judge.layout)
            tally.hear(events)
            tally.close(slot_ns)
            told += events
        told += self._told(self._durations.close(slot_ns))
        self.held |= self._durations.held
        self._judges.clear()
        self._related.clear()
        self._relations = Relations(self._limits, from_begin=self.from_begin)
        self._durations = PhaseDurations(self._limits, from_begin=self.from_begin)
        return told

    def restart(self, slot_ns: int, *, killed: bool = False) -> list[Event]:
        """The daemon ended at `slot_ns`; what was outside then is outside for the next run until it can be evaluated. One that
        was killed told nothing: excursions that were open end with what is known."""
        before = list(self._outside.values())
        found = [event for judge, _ in self._judges.values() for event in judge.accumulated] + self._relations.accumulated
        found += self._durations.accumulated
        self._accumulated.update({group_of(event): event for event in found})
        told = [event for event in self.close(slot_ns) if not killed or event.kind is not EventKind.TRANSITION]
        self._outside = {_key(event): event for event in before}
        self._before = [_heard(event) for event in before]
        accumulated = list(self._accumulated.values())
        self._relations = Relations(self._limits, self._before, accumulated)
        self._durations = PhaseDurations(self._limits, self._before, accumulated)
        return told

    @property
    def verdicts(self) -> list[Verdict]:
        """After `close`; in the order in which they were met."""
        return list(self._verdicts.values())

    def count(self, batch: Batch, layout: Layout, contexts: Sequence[Context]) -> None:
        """Its samples at once, without a judge."""
        tally = Tally(layout, self._limits, self._verdicts, self.held, self.violations)
        for each in contexts:
            begin = max(each.first, int(np.searchsorted(batch.slots_ns, self._from_ns)))
            if begin < each.end:
                tally.block(batch.slots_ns[begin : each.end], batch.values[begin : each.end], each.stamp, each.rules)
        tally.close(int(batch.slots_ns.max()))

    def _of(self, layout: Layout, known: Known) -> tuple[Judge, Tally]:
        if layout.id not in self._judges:
            self._judges[layout.id] = (
                Judge(layout, self._limits, self._before, self._accumulated.values(), from_begin=self.from_begin, known=known),
                Tally(layout, self._limits, self._verdicts, self.held, self.violations),
            )
        return self._judges[layout.id]

    def _tally_of_relations(self, layout: Layout) -> Tally:
        if layout.id not in self._related:
            self._related[layout.id] = Tally(layout, self._limits, self._verdicts, self.held, self.violations, derived=True)
        return self._related[layout.id]


def _key(event: Event) -> RuleName:
    return (event.unit, *(event.body[name] for name in ("role", "statistic", "window_s", "rule")))


def _heard(event: Event) -> OutsideBefore:
    """A rule that went outside."""
    body = event.body
    role, statistic, rule = (str(body[name]) for name in ("role", "statistic", "rule"))
    window_s, value, level = (body[name] for name in ("window_s", "value", "level"))
    return OutsideBefore(
        event.unit, role, statistic, window_s if isinstance(window_s, float) else None, rule, float(str(level)),
        event.slot_ns, float(str(value)), bool(body["cpp"]),
    )  # fmt: skip


def replayed(reader: Reader, record: FinishedRecord, after_seq: int, to_ns: int) -> Iterator[tuple[int, list[Event]]]:
    """(row, events) of each row of the journal beyond `after_seq` with slot < to, in their order. Raises StoreError."""
    newest_ns = 0
    while rows := reader.read(after_seq, ROWS_AT_ONCE):
        for row in rows:
            after_seq = row.seq
            if isinstance(row, ScanRow):
                told = record.take(row.scan, row.stamps) if row.scan.slot_ns < to_ns else []
                newest_ns = max(newest_ns, row.scan.slot_ns if row.scan.slot_ns < to_ns else newest_ns)
            elif row.event.kind is EventKind.DAEMON and row.event.slot_ns < to_ns:
                stopped = row.event.body.get("state") == "stopped"
                told = record.restart(row.event.slot_ns) if stopped else record.restart(newest_ns, killed=True)
            else:
                told = []
            yield after_seq, told
    yield after_seq, record.restart(newest_ns, killed=True)


def judged(batch: Batch, layout: Layout, record: FinishedRecord, limits: Sequence[Limit]) -> Iterator[list[Event]]:
    """Events of each scan of a recorded batch, whose columns are those of `layout`, that may have any."""
    if not len(batch.slots_ns):
        return
    contexts = list(record.contexts.of(batch, layout))
    screen = screened(batch, layout, limits, contexts, from_begin=record.from_begin)
    if screen.in_order:
        record.count(batch, layout, contexts)
    if len(screen.loud):
        part, at = _part(layout, screen.loud), 0
        while at < len(batch.slots_ns):
            scan = scan_of(part, int(batch.slots_ns[at]), batch.values[at, screen.loud])
            yield record.take(scan, (batch.stamps[at],), counted=screen.in_order, known=screen.known)
            at = screen.next_due(at) if record.at_rest else at + 1
    yield record.close(int(batch.slots_ns.max()))


def scan_of(layout: Layout, slot_ns: int, values: NDArray[np.float64]) -> Scan:
    """A recorded row, `[k]`; NaN is a bad sample."""
    bad = np.isnan(values)
    status = np.where(bad, np.uint32(Status.BAD_NO_DATA), np.uint32(0))
    quality = np.where(bad, np.uint8(Quality.BAD), np.uint8(Quality.GOOD))
    return Scan(layout, slot_ns, slot_ns, values, status, quality)


def _part(layout: Layout, columns: NDArray[np.intp]) -> Layout:
    return replace(layout, columns=tuple(layout.columns[at] for at in columns.tolist()))
