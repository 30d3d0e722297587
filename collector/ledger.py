"""The loss ledger: samples read = accepted + queued + dead-lettered, for every sink at any moment.

Each of the four is counted on its own: `read` and `queued` from the journal's rows, `accepted` and `dead_lettered` by
the sink's cursor. That they add up is therefore a statement, and `balanced` says whether it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collector.store.cursors import Cursor, KnownSink
from collector.store.reader import Reader
from collector.store.registry import Registry


@dataclass(frozen=True, slots=True)
class SinkLedger:
    """Samples of one sink."""

    accepted: int
    queued: int
    dead_lettered: int
    beyond: int = 0
    """Read since it was taken out of the plant file: none of its business."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Samples and scans in the journal, and what became of them."""

    read: int
    scans: int
    sinks: dict[str, SinkLedger]

    @property
    def balanced(self) -> bool:
        """True when nothing is missing and nothing is counted twice."""
        sinks = self.sinks.values()
        return all(sink.accepted + sink.queued + sink.dead_lettered + sink.beyond == self.read for sink in sinks)

    def lines(self) -> list[str]:
        """For people: one line per sink."""
        if not self.sinks:
            return [f"ledger: read {self.read}, all of it in the journal; no sinks"]
        return [
            f"ledger {name}: read {self.read}, accepted {sink.accepted}, queued {sink.queued}, dead-lettered {sink.dead_lettered}"
            for name, sink in self.sinks.items()
        ]


def ledger_of(reader: Reader, registry: Registry, names: Iterable[str]) -> Ledger:
    """The ledger now. Rows committed while it is made may count as queued, never as lost."""
    sinks = {}
    known = registry.sinks()
    wanted = {name: known.get(name, KnownSink()) for name in names}
    settled = {name: _settled_samples(reader, sink.cursor) for name, sink in wanted.items()}
    totals = reader.totals()
    for name, sink in wanted.items():
        its = totals.samples if sink.removed_seq is None else _samples_until(reader, sink.removed_seq)
        cursor = sink.cursor
        sinks[name] = SinkLedger(cursor.accepted, its - settled[name], cursor.dead_lettered, totals.samples - its)
    return Ledger(totals.samples, totals.scans, sinks)


def _settled_samples(reader: Reader, cursor: Cursor) -> int:
    """Samples of the rows that the cursor calls settled, counted from the journal."""
    behind = sum(_samples_until(reader, each.until) - _samples_until(reader, each.after) for each in cursor.behind)
    return _samples_until(reader, cursor.seq) - behind


def _samples_until(reader: Reader, seq: int) -> int:
    return reader.totals(seq).samples if seq else 0
