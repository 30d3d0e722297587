"""Power cuts: what was committed is on the platter, and what is found there is a journal to go on with."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from collector.store.files import Connect, StoreError, journal_files, locked
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.registry import Registry
from tests.faults.known_rows import Told, assert_all_there, assert_whole, write
from tests.faults.power import Platter, PowerCut
from tests.faults.rows import Row

CUTS_PER_SITE = 5
"""A new folder has more names that are not yet safe than one that was there before."""
MOST_CHANGES = 700
"""Of files and folders, between two cuts: a few days' commits with their checkpoints."""


def run_until_cut(root: Path, patch: pytest.MonkeyPatch, chance: random.Random, told: Told, **pragmas: str) -> None:
    """Write until the power goes, and leave `root` as it is found then. `told` is what had been told by then."""
    arriving = random.Random(chance.random()) if chance.random() < 0.5 else None
    platter = Platter(root, patch, chance.randrange(1, MOST_CHANGES), arriving)
    connect = platter.disk.connect({f"PRAGMA {name} = FULL": f"PRAGMA {name} = {value}" for name, value in pragmas.items()})

    def hear(line: str) -> None:
        if platter.is_cut:
            raise PowerCut
        told.hear(line)

    with suppress(PowerCut):
        _write(root / "data", connect, chance, hear)
    platter.restore(root)


def _write(data: Path, connect: Connect, chance: random.Random, tell: Callable[[str], None]) -> None:
    with (
        locked(data),
        closing(Journal(data, connect)) as journal,
        closing(Reader(data, connect)) as reader,
        closing(Registry(data, connect)) as registry,
    ):
        write(journal, reader, registry, chance, tell)


@pytest.mark.faults(
    "power cut: all or part of what was not yet synced is gone, names of files too",
    must="0 committed lost, 0 doubled; it goes on from there; loss at most the commit under way",
    short=25,
    long=200,
)
def test_power_cut(row: Row, tmp_path: Path) -> None:
    longest = 0
    for trial in row.trials():
        root = tmp_path / str(trial // CUTS_PER_SITE)
        if not root.exists():
            told, seen = Told(), 0
            root.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            run_until_cut(root, patch, row.chance(trial), told)
        before, seen = seen, assert_all_there(root / "data", told, seen)
        row.count(rows=seen - before)
        if seen:
            samples = assert_whole(root / "data", seen).samples
            longest = max(longest, len(journal_files(root / "data")))
        if trial % CUTS_PER_SITE == CUTS_PER_SITE - 1:
            row.count(samples=samples)
    assert longest > 5, "no cut can have met the beginning of a day"


@pytest.mark.faults(
    "the same with synchronous=OFF, to see that the row above can fail",
    must="the loss is seen",
    short=5,
    long=20,
)
def test_power_cut_without_syncs_is_seen(row: Row, tmp_path: Path) -> None:
    seen = 0
    for trial in row.trials():
        root, told = tmp_path / str(trial), Told()
        root.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            run_until_cut(root, patch, row.chance(trial), told, synchronous="OFF")
        try:
            assert_all_there(root / "data", told, 0)
        except (AssertionError, StoreError, sqlite3.Error):
            seen += 1
    row.count(losses_seen=seen)
    assert seen >= row.planned / 2
