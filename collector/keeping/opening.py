"""Opening a data folder for a daemon: what is damaged is set aside before anything is built on it.

The registry comes first, for it knows how far the journal had got; then the journal's end; then, with a journal that can
be read, the cursors of a registry that was made anew, and what each sink lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from collector.keeping.damage import End
from collector.keeping.rescue import Memory, Rescued, open_registry, relearn
from collector.ledger import make_room, write_off
from collector.store.daily import Totals
from collector.store.files import Connect, Damaged, connect, journal_files
from collector.store.quarantine import Quarantine
from collector.store.reader import Reader
from collector.store.recovery import recover
from collector.store.registry import Registry
from collector.store.retention import REMOVED, removed_until


@dataclass(frozen=True, slots=True)
class Opened:
    """What a daemon begins with."""

    registry: Registry
    end: End
    """The most that is known to have been committed."""
    rescued: Rescued | None
    resumed: tuple[str, ...]
    """Of a registry that was made anew: where each sink goes on, in words."""


def open_record(data: Path, now_ns: int, connect: Connect = connect) -> Opened:
    """For whoever holds the folder. Raises StoreError; OSError where the quarantine can't be written."""
    registry, rescued = open_registry(data, now_ns, connect)
    try:
        memories = rescued.memories if rescued else ()
        end, removed = _end(registry, memories), _removed(registry, memories)
        recover(data, end.totals, now_ns, connect, removed)
        while True:
            try:
                resumed = _count(data, registry, rescued, connect)
                break
            except Damaged as exc:  # an older file, in which a sink's cursor stands
                if exc.path not in journal_files(data):
                    raise
                Quarantine(data, end.totals, now_ns, connect=connect).set_aside(exc.path, exc.what)
    except BaseException:
        registry.close()
        raise
    return Opened(registry, end, rescued, tuple(resumed))


def _count(data: Path, registry: Registry, rescued: Rescued | None, connect: Connect) -> list[str]:
    """The sinks' part of it."""
    with closing(Reader(data, connect)) as reader:
        resumed = relearn(registry, reader, rescued.memories) if rescued else []
        make_room(data, reader, registry)
        write_off(reader, registry)
    return resumed


def _removed(registry: Registry, memories: Sequence[Memory]) -> Totals:
    """What retention took away."""
    known = [registry.states(REMOVED), *(memory.states.get(REMOVED, {}) for memory in memories)]
    return max(map(removed_until, known), key=lambda totals: totals.seq)


def _end(registry: Registry, memories: Sequence[Memory]) -> End:
    """By what was remembered, and by what sinks have settled."""
    heads = [registry.states("journal"), *(memory.states.get("journal", {}) for memory in memories)]
    ends = [End.from_json(head.get("head") or {}) for head in heads]
    known = [registry.sinks(), *(memory.sinks for memory in memories)]
    cursors = [sink.cursor for sinks in known for sink in sinks.values()]
    return End(
        max([0, *(end.seq for end in ends), *(cursor.seq for cursor in cursors)]),
        max([0, *(end.samples for end in ends), *(cursor.accepted + cursor.dead_lettered for cursor in cursors)]),
        max(end.scans for end in ends),
        max(end.time_ns for end in ends),
    )
