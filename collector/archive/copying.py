"""`archive`: closed days are copied to a folder elsewhere, proved there, and noted in the registry, beside a running daemon.

    copy     out of one snapshot, to a name that counts for nothing; synced, and dropped from memory
    prove    every byte is read back from the disk: the same rows in every table, every page, row, link and total in order
    name     the file gets its name, then the manifest gets its entry
    note     the registry: only now retention may take the original

Whenever it ends, the next run goes on: a copy without its name is made anew, one without an entry is proved again, one
without a note is held against its entry.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from collector.archive.folder import WrongFolder, no_room, refusals, taken, unproved_path
from collector.proof.record import FileProof, Proof, prove_file
from collector.store.archive import (
    ArchivedDay,
    Manifest,
    as_it_lies,
    contents,
    copy_day,
    day_path,
    is_archive,
    read_manifest,
    sha256_of,
    sha256_on_disk,
    sync_names,
    write_manifest,
)
from collector.store.backup import Show
from collector.store.daily import DailyFile
from collector.store.files import Damaged, StoreError, journal_files, reading
from collector.store.losses import losses
from collector.store.registry import Registry, site_of
from collector.store.retention import ARCHIVED, UNSOUND, Note, Stored, held, stored
from collector.terms import Json


class State(StrEnum):
    """What became of a day."""

    ARCHIVED = "archived"
    """Copied, proved, noted."""
    NOTED = "noted"
    """It was in the archive, and was held against its entry again: it had no note."""
    ALREADY = "already"
    """It was archived before."""
    WAITING = "waiting"
    """It still changes its file."""
    UNSOUND = "unsound"
    """The original is not what was written: it is not archived."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one day."""

    day: str
    state: State
    cause: str = ""
    entry: ArchivedDay | None = None


class _Unsound(Exception):
    """Of the original; the text says what."""


def bytes_to_archive(data: Path, to: Path, until: str) -> int:
    """About: to be copied, and as many to be proved. Raises StoreError."""
    there = {day.day for day in read_manifest(to).days} if is_archive(to) else set()
    return sum(2 * path.stat().st_size for path in journal_files(data)[:-1] if path.stem <= until and path.stem not in there)


def archive(
    data: Path,
    to: Path,
    version: str,
    now_ns: Callable[[], int],
    *,
    until: str = "9999-12-31",
    same_disk: bool = False,
    show: Show = lambda size: None,
) -> Iterator[Outcome]:
    """Archive the closed days of `data` up to and including `until`, the oldest first; what became of each, as it comes.

    `same_disk`: the folder may lie on the disk of the data folder. Raises StoreError; what was told until then stays.
    """
    if not (data / "registry.db").is_file():
        raise StoreError(f"{data}: no daemon has ever written here; give its folder with --data")
    site = site_of(data)
    with taken(data, to, site, same_disk=same_disk), closing(Registry(data)) as registry:
        archiving = _Archiving(data, to, registry, version, now_ns, show)
        for path in [path for path in journal_files(data) if path.stem <= until]:
            with held(data):
                outcome = archiving.day(path) if path.exists() else None  # retention may have taken it since
            if outcome:
                yield outcome


@dataclass(frozen=True, slots=True)
class _Archiving:
    """Of one data folder to one archive."""

    data: Path
    to: Path
    registry: Registry
    version: str
    now_ns: Callable[[], int]
    show: Show

    def day(self, path: Path) -> Outcome:
        """Raises StoreError."""
        notes, manifest = self._notes(), read_manifest(self.to)
        try:
            with reading(path), closing(DailyFile.open(path)) as file:
                if waiting := self._waiting(file):
                    return Outcome(path.stem, State.WAITING, waiting)
                found = stored(path).noted(notes)
                if entry := manifest.of(path.stem):
                    return self._again(found, entry)
                self._check_neighbours(found, file, manifest)
                entry = self._archived(found, file)
        except (Damaged, _Unsound) as exc:
            self._tell_daemon(path, str(exc))
            return Outcome(path.stem, State.UNSOUND, str(exc))
        except sqlite3.Error as exc:
            raise StoreError(f"{path} can't be read: {exc}") from exc
        self._enter(manifest, entry)
        self._note(entry)
        return Outcome(path.stem, State.ARCHIVED, entry=entry)

    def _enter(self, manifest: Manifest, entry: ArchivedDay) -> None:
        days = tuple(sorted((*manifest.days, entry), key=lambda day: day.day))
        brought_back = [loss.name for loss in manifest.lost if loss.file == f"{entry.day}.db"]  # if no longer among `losses`
        before = {loss.name: loss for loss in manifest.lost if loss.name not in brought_back}
        lost = before | {loss.name: loss for loss in losses(self.data) if loss.before.seq <= entry.last_seq}
        with refusals(self.to):
            sync_names(entry.path(self.to).parent)
            write_manifest(self.to, replace(manifest, days=days, lost=tuple(lost.values())))

    def _waiting(self, file: DailyFile) -> str:
        """Why a day's file still changes; empty when it does not."""
        if file.path == journal_files(self.data)[-1]:
            return "it is the newest: rows may still come"
        end = file.totals().seq
        hot = file.connection.execute("SELECT 1 FROM scans LIMIT 1").fetchone()
        if hot or file.before.seq < end != file.scans.compacted_until():
            return "it is not compacted yet: the daemon does that when it runs"
        return ""

    def _check_neighbours(self, found: Stored, file: DailyFile, manifest: Manifest) -> None:
        """A day fits between those that the archive has. Raises StoreError."""
        first, before = file.before, file.before_head.hash
        older = next((day for day in reversed(manifest.days) if day.day < found.path.stem), None)
        newer = next((day for day in manifest.days if day.day > found.path.stem), None)
        apart = (older and first.seq < older.last_seq) or (newer and newer.first_seq <= found.end.seq)
        torn = older and first.seq == older.last_seq and (before.hex() if before else "") != older.hash
        torn = torn or (newer and newer.first_seq == found.end.seq + 1 and newer.hash_before != found.hash)
        if apart or torn:
            raise WrongFolder(
                f"{self.to} is the archive of another record: its days and {found.path.name} don't go on from each other"
            )

    def _again(self, found: Stored, entry: ArchivedDay) -> Outcome:
        """A day that the archive has."""
        there = entry.path(self.to)
        if (entry.last_seq, entry.hash) != (found.end.seq, found.hash):
            raise WrongFolder(f"{self.to} has another record's {entry.day}: nothing is ever written over; give another folder")
        if not there.exists() or there.stat().st_size != entry.size_bytes:
            raise StoreError(f"{there} is not what was archived, or gone: run `reactorwatch verify --data {self.to}`")
        if found.archive == str(self.to.resolve()):
            return Outcome(entry.day, State.ALREADY, entry=entry)
        with refusals(self.to):
            if sha256_on_disk(there) != entry.sha256:
                raise StoreError(f"{there} is not what was archived: run `reactorwatch verify --data {self.to}`")
        self._note(entry)
        return Outcome(entry.day, State.NOTED, entry=entry)

    def _archived(self, found: Stored, file: DailyFile) -> ArchivedDay:
        """Raises StoreError, _Unsound, and sqlite3.Error of the original."""
        there, unproved = day_path(self.to, found.path.stem), unproved_path(self.to, found.path.stem)
        with file.snapshot():
            digest = contents(file.connection)
            if there.exists():  # it has no entry: an earlier run was ended just before
                return self._proved(there, found, file, digest)
            try:
                with refusals(self.to):
                    self._check_room(file)
                    copy_day(file.connection, unproved, self.show)
                    written = sha256_of(unproved)
                entry = self._proved(unproved, found, file, digest, written)
                with refusals(self.to):
                    unproved.rename(there)
            finally:
                with suppress(OSError):
                    unproved.unlink(missing_ok=True)
        return entry

    def _check_room(self, file: DailyFile) -> None:
        pages, page_bytes = (int(file.connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
        if (free := shutil.disk_usage(self.to).free) < pages * page_bytes:
            raise no_room(self.to, f"{free:,} bytes free, {pages * page_bytes:,} needed")

    def _proved(self, copy: Path, found: Stored, file: DailyFile, digest: str, written: str = "") -> ArchivedDay:
        """The entry of a copy that was read back. Raises StoreError where it is not what was copied, _Unsound."""
        with refusals(self.to):
            size_bytes, sha256 = copy.stat().st_size, sha256_on_disk(copy)
        if written and sha256 != written:
            raise _not_a_copy(copy, "other bytes were read back than were written")
        self._compare(copy, digest)
        proof, rows = Proof(lost=losses(self.data)), max(1, found.end.seq - file.before.seq)
        proved = prove_file(copy, proof, lambda read: self.show(size_bytes * read // rows), as_it_lies)
        if faults := [finding.what for finding in proof.findings if finding.fault]:
            raise _Unsound(f"{faults[0]}{f', and {len(faults) - 1} more' if len(faults) > 1 else ''}")
        return self._entry(proved, found, size_bytes, sha256)

    def _compare(self, copy: Path, digest: str) -> None:
        try:
            with closing(as_it_lies(copy, "ro")) as connection:
                same = contents(connection) == digest
            cause = "other rows were read back than were written"
        except sqlite3.Error as exc:
            same, cause = False, f"{exc}"
        if not same:
            raise _not_a_copy(copy, cause)

    def _entry(self, proved: FileProof, found: Stored, size_bytes: int, sha256: str) -> ArchivedDay:
        before, end = proved.before, proved.end
        if end != found.end or (proved.chain_end.hash or b"").hex() != found.hash:
            raise StoreError(f"{found.path} changed while it was archived: run it again")
        return ArchivedDay(
            day=found.path.stem,
            first_seq=before.seq + 1,
            last_seq=end.seq,
            rows=proved.rows,
            samples=end.samples - before.samples,
            scans=end.scans - before.scans,
            commits=proved.commits,
            samples_before=before.samples,
            scans_before=before.scans,
            hash_before=(proved.chain_before.hash or b"").hex(),
            hash=found.hash,
            gmp=found.is_gmp,
            size_bytes=size_bytes,
            sha256=sha256,
            archived_ns=self.now_ns(),
            version=self.version,
        )

    def _tell_daemon(self, path: Path, cause: str) -> None:
        """It sets aside what it finds unsound as well. A registry that refuses: the next run tells it again."""
        with suppress(sqlite3.Error):
            self.registry.put_states(UNSOUND, {path.name: {"cause": cause}})

    def _notes(self) -> dict[str, dict[str, Json]]:
        try:
            return self.registry.states(ARCHIVED)
        except sqlite3.Error as exc:
            raise StoreError(f"the registry of {self.data} can't be read: {exc}") from exc

    def _note(self, entry: ArchivedDay) -> None:
        """Durable on return. Raises StoreError."""
        note = Note(str(self.to.resolve()), entry.last_seq, entry.hash, entry.sha256, self.now_ns(), self.version)
        try:
            self.registry.put_states(ARCHIVED, {f"{entry.day}.db": note.as_json()})
        except sqlite3.Error as exc:
            raise StoreError(f"{entry.day} is archived, but {self.data} does not take the note: {exc}; run it again") from exc


def _not_a_copy(copy: Path, cause: str) -> StoreError:
    return StoreError(f"{copy} is not a copy of the original: {cause}; nothing was noted. Look at that disk, give another folder")
