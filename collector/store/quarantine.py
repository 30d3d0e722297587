"""Setting a daily file aside: it is kept as it was found, and collection goes on in a new one.

What must stay true: no sequence number is given twice. What was committed last before the damage may not be known any
more, so the new file begins a billion rows beyond all that is known: more than a day can have.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from collector.store.daily import DailyFile, Totals
from collector.store.files import Connect, Damaged, StoreError, connect, journal_files, reading, sync_folder
from collector.store.losses import Loss, losses, quarantine, write
from collector.store.remains import beginning_told, end_told

ROWS_NEVER_GIVEN = 1_000_000_000
_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where the journal is sure to have been at a time."""

    totals: Totals
    time_ns: int = 0


@dataclass(frozen=True, slots=True)
class Quarantine:
    """That of a data folder. `known`: the most that is known to have been committed; `exact`: nothing was beyond it."""

    data: Path
    known: Totals
    now_ns: int
    exact: bool = False
    connect: Connect = connect

    def set_aside(self, path: Path, cause: str) -> Loss:
        """Move a damaged daily file away and put down what is lost with it; one that is gone is put down too. Daily files
        before it that are damaged as well are set aside with it. Raises StoreError when the folder does not let it happen."""
        name = self._name(path)
        loss = self._loss(path, name, f"{name}.db" if path.exists() else "", cause)
        try:
            self._move(path, loss)
            write(self.data, loss)
        except OSError as exc:
            raise StoreError(f"{path} is damaged ({cause}), and can't be set aside: {exc}") from exc
        return loss

    def put_down(self, path: Path, kept: str, cause: str) -> Loss:
        """The record of a daily file that is gone, or in the quarantine already as `kept`. Raises StoreError."""
        return self._written(self._loss(path, Path(kept).stem if kept else self._name(path), kept, cause))

    def keep_log(self, log: Path, kept: str = "") -> None:
        """Move what belonged to a daily file that is gone, or lies in the quarantine already as `kept`. Raises StoreError."""
        day, suffix = log.name[:13], log.name[13:]
        folder = quarantine(self.data)
        try:
            folder.mkdir(exist_ok=True)
            log.rename(folder / f"{kept or f'{self._name(log.with_name(day))}.db'}{suffix}")
            sync_folder(log.parent)
            sync_folder(folder)
        except OSError as exc:
            raise StoreError(f"{log} belongs to a file that is gone, and can't be set aside: {exc}") from exc

    def put_down_end(self, end: Totals, cause: str) -> Loss:
        """The record of what was committed beyond `end`, where the journal's files end. Raises StoreError."""
        newest = journal_files(self.data)[-1:]
        path = newest[0] if newest else self.data / "journal" / "none.db"
        after = self._beyond(end, None)
        from_ns = self._end(path).time_ns if newest else 0
        name = self._name(path)
        return self._written(Loss(name, path.name, "", cause, self.now_ns, end, after, from_ns, self.now_ns, exact=False))

    def put_down_beginning(self, oldest: Path, before: Totals, after: Totals) -> Loss:
        """The record of rows that were before the oldest file, between what retention took away and what is known. Raises
        StoreError."""
        path = oldest.with_name(f"{date.fromisoformat(oldest.stem) - timedelta(days=1)}.db")
        cause = (
            f"it is gone: the rows {before.seq + 1} to {after.seq} are in no file, and were not removed by keep_days or keep_gb"
        )
        to_ns = self._beginning(oldest).time_ns or self.now_ns
        return self._written(Loss(self._name(path), path.name, "", cause, self.now_ns, before, after, 0, to_ns))

    def _written(self, loss: Loss) -> Loss:
        try:
            write(self.data, loss)
        except OSError as exc:
            raise StoreError(f"{quarantine(self.data)} can't be written: {exc}") from exc
        return loss

    def _loss(self, path: Path, name: str, kept: str, cause: str) -> Loss:
        before, after = self._edge_before(path, kept), self._edge_after(path)
        if after and after.totals.seq < before.totals.seq:  # what it says of its own beginning can't be
            before = after
        return Loss(
            name=name,
            file=path.name,
            kept=kept,
            cause=cause,
            found_ns=self.now_ns,
            before=before.totals,
            after=after.totals if after else self._beyond(before.totals, end_told(self._found(path, kept))),
            from_ns=before.time_ns,
            to_ns=after.time_ns if after else self.now_ns,
            exact=self.exact or after is not None,
        )

    def _name(self, path: Path) -> str:
        stem = f"{path.stem}-{datetime.fromtimestamp(self.now_ns // 1_000_000_000, UTC):%Y%m%dT%H%M%SZ}"
        taken = {each.name.partition(".")[0] for each in quarantine(self.data).glob(f"{stem}*")}
        return next(name for n in range(1, len(taken) + 2) if (name := stem if n == 1 else f"{stem}-{n}") not in taken)

    def _found(self, path: Path, kept: str) -> Path:
        """Where the damaged file lies now."""
        return path if path.exists() or not kept else quarantine(self.data) / kept

    def _move(self, path: Path, loss: Loss) -> None:
        """Renamed while it may be open: SQLite sees that the file has moved, and leaves it as it is when it is closed."""
        folder = quarantine(self.data)
        path.parent.mkdir(exist_ok=True)  # somebody may have deleted it with all that was in it
        folder.mkdir(exist_ok=True)
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(folder / f"{loss.name}.db{suffix}")
        sync_folder(path.parent)
        sync_folder(folder)

    def _edge_before(self, path: Path, kept: str) -> _Edge:
        """What is sure of the journal before a file: the end of the one before it, or of what was lost before it."""
        edges = []
        for older in reversed([each for each in journal_files(self.data) if each.name < path.name]):
            try:
                edges.append(self._end(older))
                break
            except Damaged as exc:
                self.set_aside(older, exc.what)
        edges += [_Edge(loss.after, loss.to_ns) for loss in losses(self.data) if loss.file <= path.name]
        return _latest(edges) or _Edge(beginning_told(self._found(path, kept)) or Totals())

    def _edge_after(self, path: Path) -> _Edge | None:
        """Where the journal goes on behind a file; None behind the newest. A damaged file there is passed over: what is lost
        with it is lost from here on."""
        edges = [_Edge(loss.before, loss.from_ns) for loss in losses(self.data) if loss.file > path.name]
        for newer in (each for each in journal_files(self.data) if each.name > path.name):
            with suppress(Damaged):
                edges.append(self._beginning(newer))
                break
        return min(edges, key=_seq, default=None)

    def _end(self, path: Path) -> _Edge:
        with reading(path), closing(DailyFile.open(path, self.connect)) as file:
            return _Edge(file.totals(), file.last_commit_ns() or 0)

    def _beginning(self, path: Path) -> _Edge:
        with reading(path), closing(DailyFile.open(path, self.connect)) as file:
            (first_ns,) = file.connection.execute("SELECT min(time_ns) FROM commits").fetchone()
            return _Edge(file.before, first_ns or 0)

    def _beyond(self, before: Totals, told: Totals | None) -> Totals:
        """Where to go on: beyond all that is known, and what the damaged file tells where that can be true."""
        known = self.known
        if self.exact and known == before:  # nothing of it was ever ours: the file that is written goes on without a hole
            return before
        sure = known if known.seq >= before.seq and known.samples >= before.samples else before
        if told and not self.exact and _plausible(sure, told):
            sure = told
        return Totals(sure.seq + ROWS_NEVER_GIVEN, sure.samples, sure.scans)


def _seq(edge: _Edge) -> int:
    return edge.totals.seq


def _latest(edges: Iterable[_Edge]) -> _Edge | None:
    return max(edges, key=_seq, default=None)


def _plausible(sure: Totals, told: Totals) -> bool:
    rows, samples, scans = told.seq - sure.seq, told.samples - sure.samples, told.scans - sure.scans
    return 0 <= rows < ROWS_NEVER_GIVEN and 0 <= scans <= rows and 0 <= samples < 100_000 * max(rows, 1)
