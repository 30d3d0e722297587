"""Power cuts: a disk that knows, of every file and every folder, what is on the platter and what is only on its way.

What is on the platter: of a file what was written before its last sync, of a folder the names it had at its own last
sync. A cut either forgets all the rest, or lets any part of it have reached the platter, in sectors of 512 bytes and in
any order: both are what real disks do.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from tests.faults.disk import Act, Change, Disk

SECTOR_BYTES = 512
_SYNCS_ITS_NAME = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
"""SQLite syncs the folder with the first sync of these."""


@dataclass(slots=True, eq=False)
class _File:
    safe: bytes = b""
    under_way: list[Change] = field(default_factory=list)
    names_itself: bool = False

    def sync(self) -> None:
        self.safe = _applied(self.safe, self.under_way)
        self.under_way = []

    def after_cut(self, chance: random.Random | None) -> bytes:
        if chance is None:
            return self.safe
        sectors = [piece for change in self.under_way for piece in _sectors(change)]
        kept = [piece for piece in sectors if chance.random() < 0.5]
        chance.shuffle(kept)
        return _applied(self.safe, kept)


def _sectors(change: Change) -> list[Change]:
    if change.act is Act.TRUNCATE:
        return [change]
    cuts = range(0, len(change.data), SECTOR_BYTES)
    return [Change(Act.WRITE, change.path, change.at + at, change.data[at : at + SECTOR_BYTES]) for at in cuts]


def _applied(content: bytes, changes: list[Change]) -> bytes:
    platter = bytearray(content)
    for change in changes:
        if change.act is Act.TRUNCATE:
            del platter[change.at :]
            platter.extend(bytes(change.at - len(platter)))
        else:
            platter.extend(bytes(max(0, change.at - len(platter))))
            platter[change.at : change.at + len(change.data)] = change.data
    return bytes(platter)


_Found = dict[str, "bytes | _Found"]
"""What is found in a folder: files and folders by name."""


class PowerCut(BaseException):
    """For whoever is told of something after the cut: it has never happened."""


class Platter:
    """The folder `root`, whose own name is safe, up to a power cut.

    Files are seen through `disk`, folders through `os.fsync`.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, cut_at: int, chance: random.Random | None) -> None:
        """The power goes before change number `cut_at`; with `chance`, a part of what was under way then has arrived."""
        self.disk = Disk(self._before, self._after, syncs=False)
        self.found: _Found | None = None
        self._root, self._changes_left, self._chance = root, cut_at, chance
        self._files: dict[int, _File] = {}
        self._safe: dict[Path, dict[str, _File | Path]] = {}
        for folder, _, _ in os.walk(root):
            self._sync_folder(Path(folder))
        patch.setattr(os, "fsync", self._fsync(os.fsync))

    @property
    def is_cut(self) -> bool:
        return self.found is not None

    def restore(self, into: Path) -> None:
        """Write what the machine finds when it has power again."""
        assert self.found is not None
        shutil.rmtree(into)
        _write(into, self.found)

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                real(descriptor)
                return
            self._count()
            self._sync_folder(Path(f"/proc/self/fd/{descriptor}").readlink())

        return fsync

    def _before(self, change: Change) -> None:
        if change.act is Act.READ:
            return
        self._count()
        if change.act is Act.DELETE and change.path.exists():
            self._files.pop(change.path.stat().st_ino, None)  # the number may be given again

    def _count(self) -> None:
        self._changes_left -= 1
        if self._changes_left == 0:
            self.found = self._find(self._root)

    def _after(self, change: Change) -> None:
        if change.act is Act.OPEN:
            creates = change.flags & apsw.SQLITE_OPEN_CREATE
            self._file(change.path).names_itself = bool(creates and change.flags & _SYNCS_ITS_NAME)
        elif change.act is Act.DELETE:
            if change.flags:
                self._sync_folder(change.path.parent)
        elif change.act is Act.SYNC:
            self._file(change.path).sync()
            if self._file(change.path).names_itself:
                self._sync_folder(change.path.parent)
        else:
            self._file(change.path).under_way.append(change)

    def _find(self, folder: Path) -> _Found:
        names = self._safe.get(folder, {})
        if self._chance is not None and self._chance.random() < 0.5:
            names = self._names(folder)
        return {
            name: self._find(what) if isinstance(what, Path) else what.after_cut(self._chance) for name, what in names.items()
        }

    def _file(self, path: Path) -> _File:
        number = path.stat().st_ino
        if number not in self._files:
            self._files[number] = _File(path.read_bytes())
        return self._files[number]

    def _sync_folder(self, folder: Path) -> None:
        self._safe[folder] = self._names(folder)

    def _names(self, folder: Path) -> dict[str, _File | Path]:
        return {path.name: path if path.is_dir() else self._file(path) for path in folder.iterdir() if _is_kept(path)}


def _is_kept(path: Path) -> bool:
    return not path.name.endswith("-shm")  # shared memory: SQLite makes it anew


def _write(folder: Path, found: _Found) -> None:
    folder.mkdir()
    for name, what in found.items():
        if isinstance(what, dict):
            _write(folder / name, what)
        else:
            (folder / name).write_bytes(what)
