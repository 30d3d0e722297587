"""A registry that is damaged, foreign or gone: it is set aside, made anew, and each sink's cursor is learnt again.

    registry.db           what the daemon lives with
    registry-copy.json    cursors, context and the journal's end, each minute: for when registry.db is lost

A cursor is believed only where the ledger adds up with it: what it says was accepted is what the journal holds up to
there. Otherwise the sink begins at the first row again, which changes nothing in InfluxDB: the same points once more.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from collector.ledger import BEGUN, WRITTEN_OFF, begin, begun_samples, sink_ledger
from collector.store.cursors import Cursor, KnownSink, Stretch
from collector.store.files import Connect, Damaged, StoreError, connect, journal_files, sync_folder
from collector.store.losses import quarantine
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.retention import ARCHIVED, REMOVED
from collector.terms import Event, EventKind, Json

COPY = "registry-copy.json"
KEPT_STATES = ("alarm", "context", "daemon", "journal", REMOVED, ARCHIVED, WRITTEN_OFF, BEGUN)
CHECKED_BYTES = 64_000_000
"""A registry up to this size is checked as a whole at a start: a tenth of a second. Only dead letters make it larger."""

States = dict[str, dict[str, dict[str, Json]]]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of cursors and states from elsewhere than the registry."""

    source: str
    sinks: dict[str, KnownSink]
    states: States


@dataclass(frozen=True, slots=True)
class Rescued:
    """A registry made anew."""

    kept: str
    """Under which name the old one lies in the quarantine; empty: it is gone."""
    cause: str
    memories: tuple[Memory, ...]

    def event(self, now_ns: int, resumed: Iterable[str]) -> Event:
        """As the journal has it."""
        on = ", ".join(resumed) or "no sink was known"
        body: dict[str, Json] = {"file": "registry.db", "kept": self.kept, "cause": f"{self.cause}; {on}"}
        return Event(EventKind.DAMAGE, now_ns, body=body)


def open_registry(data: Path, now_ns: int, connect: Connect = connect) -> tuple[Registry, Rescued | None]:
    """The registry; a new one where it is damaged, or gone though there is a journal. Raises StoreError."""
    path = data / "registry.db"
    cause = ""
    if not path.exists():
        cause = "it is gone" if journal_files(data) else ""
    elif not path.stat().st_size and journal_files(data):
        cause = "it is empty"
    if not cause:
        try:
            registry = Registry(data, connect)
        except Damaged as exc:
            cause = exc.what
        else:
            if not (cause := registry.check() if path.stat().st_size <= CHECKED_BYTES else ""):
                return registry, None
            registry.close()
    memories = tuple(memory for memory in (_remains(path), _copy(data)) if memory)
    kept = _set_aside(data, path, now_ns)
    return Registry(data, connect), Rescued(kept, cause, memories)


def begin_anew(data: Path, registry: Registry, now_ns: int) -> Rescued | None:
    """Of a daemon that runs: where its registry is damaged or gone, a new one with all that the daemon knows; None where it is
    sound. Raises StoreError."""
    cause = "it was taken away, or replaced, while the daemon ran" if registry.is_gone() else registry.check()
    if not cause:
        return None
    kept = ""

    def set_aside() -> None:
        nonlocal kept
        kept = _set_aside(data, data / "registry.db", now_ns)

    registry.renew(set_aside)
    return Rescued(kept, cause, ())


def _set_aside(data: Path, path: Path, now_ns: int) -> str:
    folder = quarantine(data)
    name = f"registry-{datetime.fromtimestamp(now_ns // 1_000_000_000, UTC):%Y%m%dT%H%M%SZ}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = next(f for n in range(1, 10_000) if not (folder / (f := f"{name}{f'-{n}' if n > 1 else ''}.db")).exists())
        there = path.exists()
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                shutil.move(path.with_name(path.name + suffix), folder / f"{kept}{suffix}")  # may be another file system
        sync_folder(folder)
        sync_folder(data)
    except OSError as exc:
        raise StoreError(f"{path} is damaged, and can't be set aside: {exc}") from exc
    return kept if there else ""


# --- what is known from elsewhere


def _remains(path: Path) -> Memory | None:
    """What a damaged registry still says."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT name, seq, accepted, dead_lettered, removed_seq, forget FROM sinks").fetchall()
            behind = connection.execute("SELECT sink, after, until FROM behind ORDER BY sink, after").fetchall()
            states = connection.execute("SELECT kind, name, body FROM states").fetchall()
        sinks = {
            name: _sink(seq, accepted, dead, removed, forget, [each[1:] for each in behind if each[0] == name])
            for name, seq, accepted, dead, removed, forget in rows
        }
        kept: States = {kind: {} for kind in KEPT_STATES}
        for kind, name, body in states:
            if kind in kept:
                kept[kind][name] = orjson.loads(body)
        return Memory("what the damaged one still says", sinks, kept)
    except (sqlite3.Error, ValueError, TypeError):
        return None


def _copy(data: Path) -> Memory | None:
    try:
        fields = orjson.loads((data / COPY).read_bytes())
        sinks = {name: _sink(*each) for name, each in fields["sinks"].items()}
        return Memory(
            f"{COPY}, which was written each minute", sinks, {kind: fields["states"].get(kind, {}) for kind in KEPT_STATES}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _sink(
    seq: int, accepted: int, dead_lettered: int, removed_seq: int | None, forget: int, behind: Iterable[tuple[int, int]]
) -> KnownSink:
    """One that has got nothing yet, where the numbers can't be a cursor. Raises TypeError, ValueError."""
    stretches = tuple(Stretch(after, until) for after, until in behind)
    ends = [number for each in stretches for number in (each.after, each.until)]
    numbers = [seq, accepted, dead_lettered, removed_seq or 0, *ends]
    if any(type(number) is not int or number < 0 for number in numbers) or ends != sorted(ends) or max(ends, default=0) > seq:
        return KnownSink()
    return KnownSink(Cursor(seq, accepted, dead_lettered, stretches), removed_seq, bool(forget))


def write_copy(data: Path, registry: Registry) -> None:
    """Put down what a new registry would have to know. Raises OSError, sqlite3.Error."""
    sinks = {name: _as_list(sink) for name, sink in registry.sinks().items()}
    body = {"sinks": sinks, "states": {kind: registry.states(kind) for kind in KEPT_STATES}}
    unfinished = data / f"{COPY}.unfinished"
    with unfinished.open("wb") as file:
        file.write(orjson.dumps(body))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(data / COPY)


def _as_list(sink: KnownSink) -> list[object]:
    cursor = sink.cursor
    behind = [[each.after, each.until] for each in cursor.behind]
    return [cursor.seq, cursor.accepted, cursor.dead_lettered, sink.removed_seq, int(sink.forget), behind]


# --- learning again


def relearn(registry: Registry, reader: Reader, memories: Iterable[Memory]) -> list[str]:
    """Give a new registry what is known and true; one line per sink, of where it goes on. Raises StoreError."""
    found = list(memories)
    for kind in KEPT_STATES:
        for memory in reversed(found):  # the first has the last word
            registry.put_states(kind, memory.states.get(kind, {}))
    return [_relearn(registry, reader, found, name) for name in dict.fromkeys(name for each in found for name in each.sinks)]


def _relearn(registry: Registry, reader: Reader, memories: Sequence[Memory], name: str) -> str:
    believed = [each for each in memories if name in each.sinks and _is_true(reader, each, name)]
    source = max(believed, key=lambda memory: memory.sinks[name].cursor.seq, default=None)
    if source is None or not source.sinks[name].cursor.seq:
        begin(registry, name)
        registry.put_states(WRITTEN_OFF, {name: None})
        return f"sink {name} is sent everything again"
    registry.put_sinks({name: source.sinks[name]})
    for kind in (WRITTEN_OFF, BEGUN):
        registry.put_states(kind, {name: source.states[kind].get(name)})
    return f"sink {name} goes on from row {source.sinks[name].cursor.seq}, by {source.source}"


def _is_true(reader: Reader, memory: Memory, name: str) -> bool:
    """The ledger adds up with what it says of a sink."""
    sink, totals = memory.sinks[name], reader.totals()
    written_off = memory.states[WRITTEN_OFF].get(name) or {}
    begun = begun_samples(memory.states[BEGUN].get(name))
    ledger = sink_ledger(reader, sink, {loss: number for loss, number in written_off.items() if isinstance(number, int)}, begun)
    return sink.cursor.seq <= totals.seq and ledger.queued >= 0 and ledger.sum == totals.samples
