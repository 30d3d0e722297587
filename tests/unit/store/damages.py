"""Ways in which a daily file comes to harm: what a disk, a person or another program does to it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

Damage = Callable[[Path, random.Random], object]


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


def truncated(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def emptied(path: Path, _: random.Random) -> None:
    os.truncate(path, 0)


def overwritten(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def zeroed(path: Path, _: random.Random) -> None:
    """All but its first page: a disk that gave back blocks it never wrote."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(max(0, size - 4096)))


def flipped(path: Path, chance: random.Random, count: int = 1) -> None:
    """Single bytes, anywhere."""
    with path.open("r+b") as file:
        for _ in range(count):
            at = chance.randrange(path.stat().st_size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ chance.randrange(1, 256)]))


def many_flipped(path: Path, chance: random.Random) -> None:
    flipped(path, chance, 200)


def foreign(path: Path, _: random.Random) -> None:
    """Another program's database under the name of a day."""
    for each in (path, *_beside(path)):
        each.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
        connection.commit()


def a_folder(path: Path, _: random.Random) -> None:
    for each in (path, *_beside(path)):
        each.unlink(missing_ok=True)
    path.mkdir()


def deleted(path: Path, _: random.Random) -> None:
    for each in (path, *_beside(path)):
        each.unlink(missing_ok=True)


def without_meta(path: Path, _: random.Random) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM meta")
        connection.commit()


def without_a_table(path: Path, chance: random.Random) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {chance.choice(['scans', 'events', 'commits', 'layouts', 'stamps'])}")
        connection.commit()


def with_another_column(path: Path, _: random.Random) -> None:
    """A byte of the schema's text is another: it reads well, and names a column that nobody asks for."""
    settled(path)
    path.write_bytes(path.read_bytes().replace(b"samples_before", b"sbmples_before"))


def settled(path: Path) -> None:
    """All that is in it stands in the file itself."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def put_back_older(path: Path, older: Path) -> None:
    """A copy of before was put over it."""
    deleted(path, random.Random())
    shutil.copy(older, path)


OBVIOUS: dict[str, Damage] = {
    each.__name__: each
    for each in (
        truncated, emptied, overwritten, zeroed, foreign, a_folder, without_meta, without_a_table, with_another_column,
    )
}  # fmt: skip
"""Seen when the file is opened."""
