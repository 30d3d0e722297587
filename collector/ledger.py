"""The loss ledger: samples read = accepted + queued + dead-lettered + damaged, for every sink at any moment.

Each is counted on its own: `read` and `queued` from the journal's rows, `accepted` and `dead_lettered` by the sink's
cursor. That they add up is therefore a statement, and `balanced` says whether it holds.

`damaged` are samples of a file that was set aside which the sink had not settled by then. How many those are only follows
from the others, for the rows are gone; at the next start, when nothing of them can be on its way any more, the number is
written down (`write_off`), and from then on it is counted on its own like the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from collector.store.cursors import Cursor, KnownSink
from collector.store.daily import Totals
from collector.store.losses import Loss, write
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.retention import REMOVED, removed_until
from collector.terms import Json

WRITTEN_OFF = "damaged"
"""Kind of the registry's states: by sink, the damaged samples of each loss."""
BEGUN = "begun"
"""Kind of the registry's states: by sink, the samples that retention had taken away before it began, or while it was out of the
plant file, and up to which row that is."""


@dataclass(frozen=True, slots=True)
class SinkLedger:
    """Samples of one sink."""

    accepted: int
    queued: int
    dead_lettered: int
    beyond: int = 0
    """Read since it was taken out of the plant file, or removed before it was in it or while it was not: none of its business."""
    damaged: int = 0
    """Lost with a damaged file before the sink had settled them."""

    @property
    def sum(self) -> int:
        """What was read, if nothing is missing and nothing is counted twice."""
        return self.accepted + self.queued + self.dead_lettered + self.damaged + self.beyond


@dataclass(frozen=True, slots=True)
class Ledger:
    """Samples and scans in the journal, and what became of them."""

    read: int
    scans: int
    sinks: dict[str, SinkLedger]

    @property
    def balanced(self) -> bool:
        """True when nothing is missing and nothing is counted twice."""
        return all(sink.sum == self.read for sink in self.sinks.values())

    def lines(self) -> list[str]:
        """For people: one line per sink."""
        if not self.sinks:
            return [f"ledger: read {self.read}, all of it in the journal; no sinks"]
        return [
            f"ledger {name}: read {self.read}, accepted {sink.accepted}, queued {sink.queued}, dead-lettered {sink.dead_lettered}"
            + (f", damaged {sink.damaged}" if sink.damaged else "")
            + (f", not its own {sink.beyond}" if sink.beyond else "")
            for name, sink in self.sinks.items()
        ]


def ledger_of(reader: Reader, registry: Registry, names: Iterable[str]) -> Ledger:
    """The ledger now. Rows committed while it is made may count as queued, never as lost."""
    lost, written_off, begun, known = reader.losses(), _written_off(registry), begun_at(registry), registry.sinks()
    wanted = {name: known.get(name, KnownSink()) for name in names}
    settled = {name: _settled_samples(reader, lost, sink.cursor) for name, sink in wanted.items()}
    totals = reader.totals()
    sinks = {
        name: _of_sink(reader, totals, lost, sink, settled[name], written_off.get(name, {}), begun.get(name, 0))
        for name, sink in wanted.items()
    }
    return Ledger(totals.samples, totals.scans, sinks)


def pass_by(reader: Reader, registry: Registry, end_seq: int) -> None:
    """The oldest file, up to row `end_seq`, is about to be removed. Sinks that were taken out of the plant file before they
    had settled all of it won't get the rest, not even when they are put back. Durable on return; once more changes nothing.
    Raises StoreError."""
    lost, begun = reader.losses(), registry.states(BEGUN)
    for name, sink in registry.sinks().items():
        if sink.removed_seq is None or sink.cursor.settled_until >= end_seq:
            continue
        moved = sink.cursor.passed_by(end_seq)
        if begun.get(name, {}).get("until") != end_seq:
            gone = _settled_samples(reader, lost, moved) - _settled_samples(reader, lost, sink.cursor)
            samples = begun_samples(begun.get(name)) + gone
            registry.put_states(BEGUN, {name: {"samples": samples, "until": end_seq}})
        registry.put_sinks({name: replace(sink, cursor=moved)})


def begin(registry: Registry, name: str) -> None:
    """A sink that has got nothing yet begins with the oldest row that is still there; durable on return."""
    removed = removed_until(registry.states(REMOVED))
    registry.put_states(BEGUN, {name: {"samples": removed.samples} if removed.samples else None})
    registry.put_sinks({name: KnownSink(Cursor(removed.seq))})


def begun_at(registry: Registry) -> dict[str, int]:
    """By sink: samples that were gone before it began."""
    return {name: begun_samples(body) for name, body in registry.states(BEGUN).items()}


def begun_samples(body: Mapping[str, Json] | None) -> int:
    """Of a state of `BEGUN`."""
    samples = (body or {}).get("samples")
    return samples if isinstance(samples, int) else 0


def sink_ledger(reader: Reader, sink: KnownSink, written_off: Mapping[str, int], begun: int) -> SinkLedger:
    """That of one sink, if it were as far as this. `written_off`: damaged samples by loss; `begun`: gone before it began."""
    lost = reader.losses()
    settled = _settled_samples(reader, lost, sink.cursor)
    return _of_sink(reader, reader.totals(), lost, sink, settled, written_off, begun)


def _of_sink(
    reader: Reader,
    totals: Totals,
    lost: Sequence[Loss],
    sink: KnownSink,
    settled: int,
    written_off: Mapping[str, int],
    begun: int,
) -> SinkLedger:
    until, cursor = sink.removed_seq, sink.cursor
    its = totals.samples if until is None else _samples_until(reader, lost, until)
    lost_of_it = [loss for loss in lost if until is None or loss.before.seq < until]
    queued = its - sum(loss.samples for loss in lost_of_it) - settled
    known = sum(written_off.get(loss.name, 0) for loss in lost_of_it)
    open_samples = sum(loss.samples for loss in lost_of_it if loss.name not in written_off)
    rest = its - cursor.accepted - cursor.dead_lettered - queued - known - begun
    damaged = known + min(max(rest, 0), open_samples)
    return SinkLedger(cursor.accepted, queued, cursor.dead_lettered, totals.samples - its + begun, damaged)


def _samples_until(reader: Reader, lost: Sequence[Loss], seq: int) -> int:
    """All that was read up to a row, what is lost included; of a row that is lost, with all that was lost with it."""
    inside = next((loss for loss in lost if loss.holds(seq)), None)
    return inside.after.samples if inside else reader.totals(seq).samples if seq else 0


def write_off(reader: Reader, registry: Registry) -> None:
    """Write down what of each loss each sink had not settled. Only while nothing is on its way to any sink."""
    lost = reader.losses()
    begun = begun_at(registry)
    for name, sink in registry.sinks().items():
        before = _written_off(registry).get(name, {})
        its = [loss for loss in lost if sink.removed_seq is None or loss.before.seq < sink.removed_seq]
        damaged = sink_ledger(reader, sink, before, begun.get(name, 0)).damaged
        left = damaged - sum(before.get(loss.name, 0) for loss in its)
        now = dict(before)
        for loss in reversed([loss for loss in its if loss.name not in before]):  # the newest is what was settled last
            now[loss.name] = min(left, loss.samples)
            left -= now[loss.name]
        if now != before:
            registry.put_states(WRITTEN_OFF, {name: now})


def make_room(data: Path, reader: Reader, registry: Registry) -> None:
    """Where sinks have settled more of a loss at the journal's end than is known to have been there: it was there.

    Only before anything is appended behind it. Raises StoreError, OSError.
    """
    ledger = ledger_of(reader, registry, registry.cursors())
    excess = max((sink.sum - ledger.read for sink in ledger.sinks.values()), default=0)
    loss = next((loss for loss in reader.losses() if loss.after.seq == reader.totals().seq), None)
    if excess > 0 and loss is not None and not loss.exact:
        write(data, replace(loss, after=replace(loss.after, samples=loss.after.samples + excess)))


def _written_off(registry: Registry) -> dict[str, dict[str, int]]:
    """By sink: damaged samples by loss."""
    return {
        name: {loss: number for loss, number in body.items() if isinstance(number, int)}
        for name, body in registry.states(WRITTEN_OFF).items()
    }


def _settled_samples(reader: Reader, lost: Sequence[Loss], cursor: Cursor) -> int:
    """Samples of the rows that the cursor calls settled, counted from the journal's files: without those that are lost."""

    def until(seq: int) -> int:
        if not seq:
            return 0
        inside = next((loss for loss in lost if loss.before.seq <= seq < loss.after.seq), None)
        samples = inside.before.samples if inside else reader.totals(seq).samples
        return samples - sum(loss.samples for loss in lost if loss.after.seq <= seq)

    return until(cursor.seq) - sum(until(each.until) - until(each.after) for each in cursor.behind)
