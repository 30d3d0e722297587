"""The loss ledger: samples read = accepted + queued + dead-lettered, for every sink at any moment.

Each of the four is counted on its own: `read` and `queued` from the journal's rows, `accepted` and `dead_lettered` by
the sink's cursor. That they add up is therefore a statement, and `balanced` says whether it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collector.store.cursors import Cursor
from collector.store.reader import Reader
from collector.store.registry import Registry


@dataclass(frozen=True, slots=True)
class SinkLedger:
    """Samples of one sink."""

    accepted: int
    queued: int
    dead_lettered: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Samples and scans in the journal, and what became of them."""

    read: int
    scans: int
    sinks: dict[str, SinkLedger]

    @property
    def balanced(self) -> bool:
        """True when nothing is missing and nothing is counted twice."""
        return all(sink.accepted + sink.queued + sink.dead_lettered == self.read for sink in self.sinks.values())

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
    cursors = {name: registry.cursor(name) for name in names}
    settled = {name: _settled_samples(reader, cursor) for name, cursor in cursors.items()}
    totals = reader.totals()
    for name, cursor in cursors.items():
        sinks[name] = SinkLedger(cursor.accepted, totals.samples - settled[name], cursor.dead_lettered)
    return Ledger(totals.samples, totals.scans, sinks)


def _settled_samples(reader: Reader, cursor: Cursor) -> int:
    """Samples of the rows that the cursor calls settled, counted from the journal."""

    def until(seq: int) -> int:
        return reader.totals(seq).samples if seq else 0

    return until(cursor.seq) - sum(until(each.until) - until(each.after) for each in cursor.behind)
