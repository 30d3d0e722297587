"""`verify`: is the record whole? Every page, every row, the hash chain, the sequence, the totals, each sink's ledger.

Read-only, and beside a daemon that runs: what comes while it is read is left for the next time. What is known to be lost
(collector.store.losses) is no fault of the record, for the record says so.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from collector.keeping.damage import End
from collector.ledger import Ledger, ledger_of
from collector.store.chain import Head
from collector.store.daily import DailyFile, Totals
from collector.store.files import Connect, StoreError, connect, journal_files, reading
from collector.store.losses import Loss, losses
from collector.store.reader import Reader
from collector.store.recovery import missing_before
from collector.store.registry import Registry
from collector.store.retention import REMOVED, removed_until
from collector.store.rows import EventRow, Row
from collector.store.walk import walk
from collector.terms import EventKind, Json

ROWS_AT_ONCE = 2_000
MOST_FINDINGS = 100
"""Of one file: a disk that is gone says the same of every row."""
_STOP_AND_START = "keep the folder as it is, and start the daemon: it sets the file aside and goes on in a new one"
_MADE_ANEW = "start the daemon: it makes a new one, and learns the cursors again"
_BRING_BACK = "bring the file back from a backup, with the daemon stopped; see docs/how-to/look-after-the-record.md"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written, or worth knowing."""

    where: str
    what: str
    advice: str = ""
    fault: bool = True
    """False: the record is sound all the same."""


@dataclass(slots=True)
class FileProof:
    """A daily file."""

    name: str
    before: Totals = field(default_factory=Totals)
    end: Totals = field(default_factory=Totals)
    rows: int = 0
    commits: int = 0
    unchained: int = 0
    """Commits from before there was a hash chain."""
    chain_before: Head = field(default_factory=Head)
    chain_end: Head = field(default_factory=Head)


@dataclass(slots=True)
class Proof:
    """What was found."""

    files: list[FileProof] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lost: tuple[Loss, ...] = ()
    ledger: Ledger | None = None
    gaps: Counter[str] = field(default_factory=Counter)
    """Gap events by cause class."""

    @property
    def sound(self) -> bool:
        """Nothing contradicts."""
        return not any(finding.fault for finding in self.findings)


Show = Callable[[int], None]
"""Called with the number of rows that were read since it was called last."""


def rows_to_read(data: Path) -> int:
    """For a progress bar. Raises nothing: what can't be opened is told by `prove`."""
    return sum(_rows_of(path) for path in journal_files(data))


def _rows_of(path: Path) -> int:
    try:
        with reading(path), closing(DailyFile.open(path)) as file:
            return file.totals().seq - file.before.seq
    except (StoreError, sqlite3.Error):
        return 0


def prove(data: Path, show: Show = lambda rows: None) -> Proof:
    """Read all of a data folder. Raises StoreError where the folder itself can't be read."""
    proof = Proof(lost=losses(data))
    for path in journal_files(data):
        proof.files.append(prove_file(path, proof, show))
    proof.findings += _between(proof)
    proof.findings += [_told(loss) for loss in proof.lost]
    _prove_registry(data, proof)
    return proof


def _told(loss: Loss) -> Finding:
    kept = f"kept as journal/quarantine/{loss.kept}" if loss.kept else "gone"
    noted = "" if loss.acknowledged_ns else "take note of it with `reactorwatch quarantine --acknowledge`"
    what = f"lost with {loss.samples} samples, {kept}: {loss.cause}"
    return Finding(loss.file, what, noted, fault=False)


# --- one file


def prove_file(path: Path, proof: Proof, show: Show, connect: Connect = connect) -> FileProof:
    """Read all of a daily file; what is wrong with it becomes findings of `proof`."""
    found = FileProof(path.name)
    faults: list[Finding] = []
    try:
        with reading(path), closing(DailyFile.open(path, connect)) as file:
            found.before, found.end = file.before, file.totals()
            faults += [Finding(path.name, f"SQLite: {what}", _BRING_BACK) for what in _integrity(file)]
            for rows, fault in _decoded(file, found.end.seq):
                found.rows += len(rows)
                proof.gaps.update(_causes(rows))
                faults += [Finding(path.name, fault, _BRING_BACK)] if fault else []
                show(len(rows))
        faults += _chain(path, found, proof.lost, connect)
    except (StoreError, sqlite3.Error) as exc:
        faults.append(Finding(path.name, str(exc), _STOP_AND_START))
    proof.findings += faults[:MOST_FINDINGS]
    return found


def _integrity(file: DailyFile) -> Iterator[str]:
    """SQLite tells many faults of a page in as many lines of one row: the first, and how many."""
    for (told,) in file.connection.execute("PRAGMA integrity_check(20)"):
        lines = [line for line in str(told).splitlines() if not line.startswith("*** in database")]
        if lines and lines != ["ok"]:
            yield lines[0] if len(lines) == 1 else f"{lines[0]}, and {len(lines) - 1} more"


def _decoded(file: DailyFile, until_seq: int) -> Iterator[tuple[Sequence[Row], str]]:
    """All rows, some at a time; where one can't be read, what is wrong with it."""
    at = file.before.seq
    while at < until_seq:
        rows, fault = _next(file, at, ROWS_AT_ONCE)
        if fault:
            rows, fault = _next(file, at, 1)
            at = rows[-1].seq if rows else at + 1
            yield rows, f"row {at}: {fault}" if fault else ""
            continue
        if not rows:
            return
        yield rows, ""
        at = rows[-1].seq


def _next(file: DailyFile, at: int, limit: int) -> tuple[list[Row], str]:
    try:
        with reading(file.path):
            return file.after(at, limit), ""
    except StoreError as exc:
        return [], str(exc)


def _causes(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if isinstance(row, EventRow) and row.event.kind is EventKind.GAP:
            yield str(row.event.body.get("cause_class", "not told"))


def _chain(path: Path, found: FileProof, lost: Sequence[Loss], connect: Connect) -> list[Finding]:
    walked = walk(path, connect)
    found.commits, found.unchained = walked.commits, walked.unchained
    found.chain_before, found.chain_end = walked.before, walked.head
    ends = {loss.after.seq for loss in lost}
    return [
        Finding(path.name, f"rows {each.after_seq + 1} to {each.seq}: {each.what}", _BRING_BACK)
        for each in walked.breaks
        if each.seq not in ends  # a commit without rows that closes a hole
    ]


# --- between files


def _between(proof: Proof) -> Iterator[Finding]:
    """Each file goes on where the one before ended, or where something is known to be lost."""
    known = {loss.after for loss in proof.lost}
    opened = [each for each in proof.files if each.end.seq]
    for older, newer in pairwise(opened):
        if newer.before in known:
            continue
        if newer.before.seq < older.end.seq:
            last_seq = min(older.end.seq, newer.end.seq)
            what = f"rows {newer.before.seq + 1} to {last_seq} are in both: one is a copy, or of another record"
            yield Finding(f"{older.name}, {newer.name}", what, _STOP_AND_START)
        elif newer.before.seq != older.end.seq:
            what = f"rows {older.end.seq + 1} to {newer.before.seq} are in no file"
            yield Finding(f"{older.name}, {newer.name}", what, f"a file between them is gone: {_BRING_BACK}")
        elif newer.before != older.end:
            what = f"the one ends with {older.end}, the other begins with {newer.before}"
            yield Finding(f"{older.name}, {newer.name}", what, _BRING_BACK)
        elif newer.chain_before.hash != older.chain_end.hash:
            what = "the hash that the one ends with is not that which the other goes on from: one of them was exchanged"
            yield Finding(f"{older.name}, {newer.name}", what, _BRING_BACK)


def _before_the_first(proof: Proof, removed: Mapping[str, Json]) -> Iterator[Finding]:
    """What is not there any more was taken away by retention, as the registry remembers (`removed`), or is known to be lost."""
    first = next((each for each in proof.files if each.end.seq), None)
    if first is None:
        return
    until = removed_until({"removed": removed})
    if missing := missing_before(first.before, proof.lost, until):
        what = f"rows {missing[0].seq + 1} to {missing[1].seq} are in no file, and were not removed by keep_days or keep_gb"
        yield Finding(first.name, what, f"what was before it is gone: {_BRING_BACK}")
    elif until.seq == first.before.seq and removed.get("hash") and first.chain_before.hash != _bytes(removed["hash"]):
        what = "the hash that it goes on from is not that of the file which was removed before it: it was exchanged"
        yield Finding(first.name, what, _BRING_BACK)
    elif until.seq == first.before.seq and until.seq:
        yield Finding(first.name, f"begins at row {until.seq + 1}: what was before has been removed", fault=False)


def _bytes(told: Json) -> bytes:
    return bytes.fromhex(str(told))


# --- the registry


def _prove_registry(data: Path, proof: Proof) -> None:
    try:
        registry = Registry(data, read_only=True)
    except StoreError as exc:
        proof.findings.append(Finding("registry.db", str(exc), _MADE_ANEW))
        return
    with closing(registry), closing(Reader(data)) as reader:
        if wrong := registry.check():
            proof.findings.append(Finding("registry.db", wrong, _MADE_ANEW))
            return
        proof.findings += _remembered(data, registry, proof)
        proof.findings += _before_the_first(proof, registry.states(REMOVED).get("removed") or {})
        try:
            proof.ledger = ledger_of(reader, registry, registry.cursors())
        except (StoreError, sqlite3.Error) as exc:
            proof.findings.append(Finding("ledger", f"can't be made: {exc}"))
            return
    proof.findings += [
        Finding(f"sink {name}", f"the ledger does not add up: {sink.sum} of {proof.ledger.read} samples: {sink}")
        for name, sink in proof.ledger.sinks.items()
        if sink.sum != proof.ledger.read
    ]


def _remembered(data: Path, registry: Registry, proof: Proof) -> Iterator[Finding]:
    """The journal still has the end that the registry remembers, with the same hash."""
    end = End.from_json(registry.states("journal").get("head") or {})
    newest = max([0, *(each.end.seq for each in proof.files), *(loss.after.seq for loss in proof.lost)])
    if end.seq > newest:
        what = f"ends at row {newest}; rows up to {end.seq} had been committed"
        yield Finding("journal", what, f"it was cut short, or put back from an older copy: {_BRING_BACK}")
    for each in proof.files:
        if end.hash and each.before.seq < end.seq <= each.end.seq and _hash_at(data, each, end.seq) != end.hash:
            yield Finding(each.name, f"the hash at row {end.seq} is not what the registry remembers", _BRING_BACK)


def _hash_at(data: Path, each: FileProof, seq: int) -> str:
    try:
        with closing(DailyFile.open(data / "journal" / each.name)) as file:
            commits = file.commits(seq - 1, 1)
    except (StoreError, sqlite3.Error):
        return ""
    return commits[0].hash.hex() if commits and commits[0].seq == seq and commits[0].hash else ""
