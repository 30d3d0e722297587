"""What the journal of a run must account for: each slot of each scan group once, as a scan or as part of a gap with its cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from collector.store.reader import Reader
from collector.store.rows import EventRow
from collector.terms import Event, EventKind
from drivers.base import Layout, Quality, Scan
from tests.wire.marks import wrong_samples


@dataclass(frozen=True)
class Gap:
    """Slots that were not read, both ends included."""

    from_ns: int
    to_ns: int
    cause: str


@dataclass
class Account:
    """Of one device that has one scan group. Times in ns."""

    layout: Layout
    good: list[int] = field(default_factory=list)
    """Slots in which every sample was good."""
    partly: list[int] = field(default_factory=list)
    """Slots that were read, with a bad sample in them."""
    lost: list[int] = field(default_factory=list)
    """Slots of lost scans."""
    gaps: list[Gap] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Samples that are wrong and not marked bad."""

    def add(self, scan: Scan) -> None:
        if scan.lost:
            self.lost.append(scan.slot_ns)
            return
        self.wrong += wrong_samples(scan)
        (self.partly if scan.quality.max() >= Quality.BAD else self.good).append(scan.slot_ns)

    @property
    def told(self) -> list[int]:
        """Every slot that the journal tells something of, ascending."""
        return sorted([*self.good, *self.partly, *(slot_ns for gap in self.gaps for slot_ns in self._slots_of(gap))])

    def faults(self) -> list[str]:
        """What does not hold together; empty when every slot is accounted for."""
        found = list(self.wrong)
        period_ns = self.layout.period_ns
        told = self.told
        if told and told != list(range(told[0], told[-1] + 1, period_ns)):
            found.append(f"{self.layout.device}: a slot is there twice, or none knows of it")
        if not told:
            found.append(f"{self.layout.device}: nothing is known of it")
        found += [f"{self.layout.device}: a gap without a cause" for gap in self.gaps if not gap.cause]
        within = {slot_ns for gap in self.gaps for slot_ns in self._slots_of(gap)}
        found += [
            f"{self.layout.device}: the lost scan of {slot_ns} belongs to no gap"
            for slot_ns in self.lost
            if slot_ns not in within
        ]
        return found

    def _slots_of(self, gap: Gap) -> range:
        return range(gap.from_ns, gap.to_ns + 1, self.layout.period_ns)


def accounts(data: Path) -> dict[str, Account]:
    """Of every device, by its name, from the journal in `data`."""
    found: dict[str, Account] = {}
    gaps: dict[str, list[Gap]] = defaultdict(list)
    with closing(Reader(data)) as reader:
        seq = 0
        while rows := reader.read(seq, 5000):
            seq = rows[-1].seq
            for row in rows:
                if isinstance(row, EventRow):
                    _note(row.event, gaps)
                    continue
                layout = row.scan.layout
                found.setdefault(layout.device, Account(layout)).add(row.scan)
    for device, account in found.items():
        account.gaps = gaps[device]
    return found


def silent_ends(found: dict[str, Account]) -> list[str]:
    """Of whom the journal tells nothing any more long before its end: not even that it was lost."""
    ends = {device: max([0, *account.told]) for device, account in found.items()}
    last_ns = max(ends.values(), default=0)
    return [
        f"{device}: nothing is told of its last {(last_ns - end_ns) / 1e9:.1f} s"
        for device, end_ns in ends.items()
        if last_ns - end_ns > 3 * found[device].layout.period_ns
    ]


def _note(event: Event, gaps: dict[str, list[Gap]]) -> None:
    if event.kind is EventKind.GAP and "device" in event.body:
        body = event.body
        gaps[str(body["device"])].append(Gap(cast(int, body["from_ns"]), cast(int, body["to_ns"]), str(body["cause"])))


def table(lines: Sequence[Sequence[object]]) -> str:
    """Aligned, for people."""
    texts = [[str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in texts)
