"""What a journal of `ScriptedPlant` must be: every scan right, each slot once and in order, and none missing without a gap."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

from collector.ledger import ledger_of
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import CauseClass, Event, EventKind
from tests.faults.scripted_plant import is_right


def rows_of(data: Path, after_seq: int = 0) -> Iterator[Row]:
    """All rows beyond `after_seq`; fails where a number is missing."""
    with closing(Reader(data)) as reader:
        while rows := reader.read(after_seq, 1000):
            for row in rows:
                after_seq += 1
                assert row.seq == after_seq, f"row {after_seq} is missing"
                yield row


@dataclass(slots=True)
class Recorded:
    """A walk over the journal, that can go on where it ended."""

    data: Path
    seq: int = 0
    samples: int = 0
    doubled: int = 0
    slots: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Good ones, by device."""
    period_ns: int = 0
    gaps: list[Event] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def walk(self) -> None:
        """Take what is new; fails at a wrong value."""
        for row in rows_of(self.data, self.seq):
            self.seq = row.seq
            if isinstance(row, EventRow):
                (self.gaps if row.event.kind is EventKind.GAP else self.events).append(row.event)
            else:
                self._take(row)

    def _take(self, row: ScanRow) -> None:
        scan = row.scan
        self.samples += scan.samples
        if scan.lost:
            return
        assert is_right(scan), f"row {row.seq}: a wrong value"
        slots = self.slots[scan.layout.device]
        self.period_ns = scan.layout.period_ns
        self.doubled += bool(slots) and scan.slot_ns <= slots[-1]
        slots.append(scan.slot_ns)

    def silent(self) -> int:
        """Slots between two scans of a device that no gap tells of."""
        return sum(self._silent(device, slots) for device, slots in self.slots.items())

    def _silent(self, device: str, slots: list[int]) -> int:
        spans = _joined(
            (int(str(gap.body["from_ns"])), int(str(gap.body["to_ns"])))
            for gap in self.gaps
            if gap.body.get("device") in (None, device)
        )
        begins = [begin for begin, _ in spans]
        missing = 0
        for before, after in pairwise(slots):
            slot = before + self.period_ns
            while slot < after:
                at = bisect_right(begins, slot) - 1
                if at >= 0 and slot <= spans[at][1]:
                    slot += (spans[at][1] - slot) // self.period_ns * self.period_ns
                else:
                    missing += 1
                slot += self.period_ns
        return missing

    def gaps_of_the_machine(self, device: str | None = None) -> list[Event]:
        """Slots that it was too busy for: of a device, or all."""
        classes = (CauseClass.OVERLOAD, CauseClass.LATE)
        gaps = [gap for gap in self.gaps if gap.body.get("cause_class") in classes]
        return [gap for gap in gaps if device is None or gap.body.get("device") == device]

    def disk_states(self, trouble: str) -> list[str]:
        """How that trouble of the disk came and went; a busy machine may tell of commits that stall besides."""
        states = [str(event.body["state"]) for event in self.events if event.kind is EventKind.DISK]
        of_it = [state for state, _ in groupby(state for state in states if state in (trouble, "takes"))]
        return of_it[of_it[:1] == ["takes"] :]

    def assert_ledger(self) -> None:
        """It balances, and says what the walk has seen."""
        with closing(Reader(self.data)) as reader, closing(Registry(self.data, read_only=True)) as registry:
            ledger = ledger_of(reader, registry, registry.cursors())
            assert ledger.balanced
            assert ledger.read == self.samples


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Disjoint and ascending."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined
