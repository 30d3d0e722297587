"""Which daily files may go, when the plant file says how much is kept: whole days, the oldest first, so that no hole is left.

A file that may not go keeps all behind it. It may go when every sink has settled its rows, when no batch that still runs has
samples in it, and when it holds no gmp data, or is noted to be archived with the content that it has now. The newest file
always stays.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path

import orjson

from collector.store.daily import DailyFile, Totals
from collector.store.files import Connect, connect, reading, sync_folder
from collector.terms import Json

REMOVED = "retention"
"""Kind of the registry's states: under `removed`, what was taken away last."""
ARCHIVED = "archive"
"""Kind of the registry's states: by daily file, the `Note` of its archived copy."""
UNSOUND = "unsound"
"""Kind of the registry's states: by daily file, the `cause` why `archive` found it unsound; the daemon looks at it."""
_DAY_NS = 86_400_000_000_000
_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept; None: everything."""

    days: float | None = None
    size_bytes: float | None = None
    sinks: tuple[str, ...] = ()
    """That a plant has: one that has never taken anything is waited for too."""

    @property
    def everything(self) -> bool:
        """Nothing is ever removed."""
        return self.days is None and self.size_bytes is None


@dataclass(frozen=True, slots=True)
class Note:
    """A daily file was archived: its copy was read back, and was the same."""

    folder: str
    seq: int
    """Its last row."""
    hash: str
    """Of its newest commit, hexadecimal."""
    sha256: str
    """Of the copy."""
    archived_ns: int
    version: str

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Note:
        """What can't be read is a note of nothing."""
        texts = {name: str(told.get(name, "")) for name in ("folder", "hash", "sha256", "version")}
        seq, archived_ns = (each if type(each := told.get(name)) is int else -1 for name in ("seq", "archived_ns"))
        return cls(**texts, seq=seq, archived_ns=archived_ns)

    def as_json(self) -> dict[str, Json]:
        """For the registry."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is to be known of a daily file before it goes."""

    path: Path
    end: Totals
    """Of the journal up to its last row."""
    samples: int
    """In it."""
    last_ns: int
    """Plant time of its newest commit."""
    size_bytes: int
    batches: frozenset[str]
    """Those that have samples or events in it."""
    is_gmp: bool
    hash: str
    """Of its newest commit, hexadecimal: what the next file goes on from."""
    note: Note | None = None
    """Of its archived copy, if there is one."""

    @property
    def is_archived(self) -> bool:
        """It still has the content of its archived copy."""
        return self.note is not None and bool(self.hash) and (self.note.seq, self.note.hash) == (self.end.seq, self.hash)

    @property
    def archive(self) -> str:
        """The folder that has the same content; empty: none has."""
        return self.note.folder if self.note and self.is_archived else ""

    def noted(self, notes: Mapping[str, Mapping[str, Json]]) -> Stored:
        """With its note, of the registry's states."""
        told = notes.get(self.path.name)
        return replace(self, note=Note.from_json(told)) if told else self

    def as_removed(self) -> dict[str, dict[str, Json]]:
        """For the registry, before it goes."""
        end = self.end
        told: dict[str, Json] = {"file": self.path.name, "seq": end.seq, "samples": end.samples, "scans": end.scans}
        return {"removed": told | {"hash": self.hash}}


def removed_until(states: Mapping[str, Mapping[str, Json]]) -> Totals:
    """Of the registry's states: what the journal had up to the last row that was taken away; zeros where nothing was."""
    told = states.get("removed", {})
    seq, samples, scans = (each if isinstance(each := told.get(name), int) else 0 for name in ("seq", "samples", "scans"))
    return Totals(seq, samples, scans)


@dataclass(frozen=True, slots=True)
class Decision:
    """Files that go, oldest first, and the one that should have gone next but may not."""

    remove: tuple[Stored, ...] = ()
    held: Stored | None = None
    reason: str = ""


def stored(path: Path, connect: Connect = connect) -> Stored:
    """Raises StoreError, Damaged among them."""
    with reading(path), closing(DailyFile.open(path, connect)) as file:
        totals, head = file.totals(), file.head()
        bodies = [orjson.loads(body) for (body,) in file.connection.execute("SELECT body FROM stamps")]
        last_ns = file.last_commit_ns() or 0
    stamps = [stamp for body in bodies for stamp in body]
    return Stored(
        path,
        totals,
        totals.samples - file.before.samples,
        last_ns,
        sum(each.stat().st_size for suffix in _SUFFIXES if (each := path.with_name(path.name + suffix)).exists()),
        frozenset(stamp[0] for stamp in stamps if stamp[0]),
        any(stamp[-1] == "gmp" for stamp in stamps),
        head.hash.hex() if head.hash else "",
    )


def decide(files: Sequence[Stored], keep: Keep, now_ns: int, settled: Mapping[str, int], running: Collection[str]) -> Decision:
    """What goes of `files`, all that there are, oldest first.

    `settled`: of each sink the row up to which it has settled everything; `running`: the batches that still run.
    """
    size_bytes = sum(file.size_bytes for file in files)
    remove: list[Stored] = []
    for file in files[:-1]:
        too_old = keep.days is not None and now_ns - file.last_ns > keep.days * _DAY_NS
        too_much = keep.size_bytes is not None and size_bytes > keep.size_bytes
        if not too_old and not too_much:
            break
        if reason := _held(file, settled, running):
            return Decision(tuple(remove), file, reason)
        remove.append(file)
        size_bytes -= file.size_bytes
    return Decision(tuple(remove))


def to_be_freed(
    files: Sequence[Stored], keep: Keep, free_bytes: int, settled: Mapping[str, int], running: Collection[str]
) -> int:
    """Bytes that keeping by size will free before the disk, with `free_bytes` free, is full; arguments as of `decide`.

    Only of files that may go as things are: what a sink has not settled yet may never be. 0 where the disk is full before
    the files take `keep.size_bytes`.
    """
    size_bytes = sum(file.size_bytes for file in files)
    if keep.size_bytes is None or keep.size_bytes - size_bytes >= free_bytes:
        return 0
    return sum(file.size_bytes for file in takewhile(lambda file: not _held(file, settled, running), files[:-1]))


def _held(file: Stored, settled: Mapping[str, int], running: Collection[str]) -> str:
    """Why a file may not go; empty when it may."""
    behind = [sink for sink, seq in settled.items() if seq < file.end.seq]
    if file.is_gmp and not file.is_archived:
        return _not_archived(file.note)
    if behind:
        return f"sink {', '.join(behind)} has not settled all of it"
    if open_batches := sorted(file.batches & set(running)):
        return f"batch {', '.join(open_batches)} still runs, and has samples in it"
    return ""


def _not_archived(note: Note | None) -> str:
    if note:
        return f"it holds gmp data, and is not what was archived to {note.folder}: run `reactorwatch verify` on both"
    return "it holds gmp data, which goes only after it was archived: run `reactorwatch archive`"


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Nothing is taken away inside, whichever process does so: a copy is of one moment. A disk that can't lock does not hold."""
    with _folder(data) as folder:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH)
        yield


@contextmanager
def free_to_remove(data: Path) -> Iterator[bool]:
    """Whether anything may be taken away inside: not while somebody has it `held`."""
    with _folder(data) as folder:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # no disk that could be held either
            pass
        yield True


@contextmanager
def _folder(data: Path) -> Iterator[int]:
    descriptor = os.open(data / "journal", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Take a daily file away. Raises OSError."""
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_folder(path.parent)
