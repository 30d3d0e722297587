"""docs/reference/journal.md: its schema is the one that is written, its queries run, and its lines of Python read what the
journal holds.
"""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.store.compactor import Compactor
from collector.store.journal import Journal, Stamped
from collector.store.registry import Registry
from collector.store.schema import APPLICATION_ID, SCHEMA_VERSION
from collector.terms import Event, EventKind, Stamp
from config.tags import Kind
from drivers.base import Changes, Column, Quality, Scan
from tests.journal_rows import SLOT_NS, column, layout, scan
from tests.unit.store.simple import DAY_NS

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "journal.md").read_text("utf-8")
GROUP = layout(column("t"), column("n", Kind.INTEGER), column("b", Kind.BOOLEAN), column("s", Kind.TEXT), column("u", Kind.TEXT))
PLAIN = layout(column("p"), group="plain")
BAD, STALE = 0x8031_0000, int(Quality.STALE)
BATCH = Stamp("B-26-101", "Dose", "P", "1.0")


def scans() -> Iterator[Scan]:
    yield scan(GROUP, [64.93, 2**63 - 1, True, "α", ""], SLOT_NS)
    yield scan(GROUP, [0.1, -1, False, "B-017", "x" * 300], SLOT_NS + 1, status=[0, 0x4000_0000, BAD, 0, 0])
    yield scan(GROUP, [5e-324, 0, True, "", "y"], SLOT_NS + 2, quality=[0, 0, STALE, 0, 0])
    yield Scan.of_lost(GROUP, SLOT_NS + 3, SLOT_NS + 3, BAD)
    between = Changes(np.array([1, 0], np.int32), np.array([7, 0]), np.array([-5.0, 0.25]), np.array([0, BAD], np.uint32))
    yield replace(scan(GROUP, [64.93, 7, True, "α", "z"], SLOT_NS + 5), changes=between)
    plain = scan(PLAIN, [1.5], SLOT_NS + 4)
    yield Scan(PLAIN, plain.slot_ns, plain.received_ns, plain.values, plain.status, plain.quality, np.array([SLOT_NS - 7]))


@pytest.fixture
def daily_file(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path)
    closed = Event(
        EventKind.EXCURSION, SLOT_NS, "R-201", BATCH, {"role": "t", "state": "closed", "peak": 71.5, "duration_s": 3.0}
    )
    gap = Event(EventKind.GAP, SLOT_NS, body={"device": "plc", "slots": 2, "cause": "late"})
    journal.append([Stamped(each, (BATCH,)) for each in scans()], SLOT_NS)
    journal.append([closed, gap], SLOT_NS)
    journal.close()
    (file,) = (tmp_path / "journal").glob("*.db")
    return file


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)


def shape(statement: str) -> str:
    """A statement on one line, without what only makes its table strict."""
    plain = re.sub(r"\s+", " ", statement).strip(" ;")
    return re.sub(r"\) (STRICT)?,?( WITHOUT ROWID)?$", ")", plain.replace("( ", "(").replace(" )", ")"))


def schema_of(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as database:
        return {shape(sql) for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}


def test_the_schema_of_a_daily_file(daily_file: Path) -> None:
    told = {shape(statement) for statement in blocks("sql")[0].split(";\n") if statement.strip()}
    assert told == schema_of(daily_file)


def test_the_schema_of_the_registry(tmp_path: Path) -> None:
    Registry(tmp_path).close()
    told = {shape(statement) for statement in blocks("sql")[1].split(";\n") if statement.strip()}
    assert told == schema_of(tmp_path / "registry.db")


def test_the_marks_of_a_file(daily_file: Path, tmp_path: Path) -> None:
    Registry(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
        (registry_id,) = database.execute("PRAGMA application_id").fetchone()
    assert f"0x{APPLICATION_ID:X}" in REFERENCE
    assert f"0x{registry_id:X}" in REFERENCE
    assert f"version, {SCHEMA_VERSION}." in REFERENCE


@pytest.fixture
def compacted_file(daily_file: Path) -> Path:
    """The same, when the day is over."""
    with closing(Journal(daily_file.parents[1])) as journal:
        journal.append([Event(EventKind.DAEMON, SLOT_NS, body={"state": "started"})], SLOT_NS + DAY_NS)
    for _ in Compactor(daily_file.parents[1], threading.Lock()).work(SLOT_NS + DAY_NS):
        pass
    with closing(sqlite3.connect(daily_file)) as database:
        assert database.execute("SELECT count(*) FROM scans").fetchone() == (0,)
    return daily_file


@pytest.mark.parametrize("file", ["daily_file", "compacted_file"])
def test_its_queries_run(file: str, request: pytest.FixtureRequest) -> None:
    with closing(sqlite3.connect(request.getfixturevalue(file))) as database:
        excursions, gaps, groups, missing = (
            database.execute(query).fetchall() for query in blocks("sql")[2].split(";\n") if query.strip()
        )
    assert [row[1:] for row in excursions] == [("R-201", "t", 71.5, 3.0)]
    assert gaps == [("plc", 2, "late")]
    assert sorted(groups) == [("plc", "main", 5), ("plc", "plain", 1)]
    assert missing == [(0,)]


def test_its_python_reads_every_sample(daily_file: Path) -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)  # noqa: S102  the reference's own lines
    samples: Callable[[Path], Iterator[tuple[Any, ...]]] = names["samples"]
    assert list(samples(daily_file)) == list(expected())


@pytest.mark.parametrize("tag", ["T", "N", "B", "P"])
def test_its_python_reads_what_is_compacted(compacted_file: Path, tag: str) -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)  # noqa: S102
    assert list(names["samples"](compacted_file)) == []
    exec(blocks("python")[1], names)  # noqa: S102
    found: Callable[[Path, str], Iterator[tuple[Any, ...]]] = names["compacted"]
    rows = {slot: (slot, value, status) for slot, name, value, status, *_ in expected() if name == tag}  # changes come before
    assert list(found(compacted_file, tag)) == list(rows.values())


COURSES = {
    "decimals": [20 + n / 100 for n in range(60)],
    "a float32": [float(np.float32(0.1 * n)) for n in range(60)],
    "a float32 with noise": [float(np.float32(math.sin(n))) for n in range(60)],
    "anything": [math.sin(n) for n in range(60)],
    "a register": [n * 0.1 + -20.0 for n in range(60)],
    "some that are none": [math.nan if n == 7 else math.inf if n == 30 else n * n / 10 for n in range(60)],
    "great steps": [float(n % 2 * 10**15) for n in range(60)],
}


@pytest.mark.parametrize("course", COURSES)
def test_its_python_reads_every_form_of_values(tmp_path: Path, course: str) -> None:
    (tmp_path / "journal").mkdir()
    of = layout(Column("X", "x", "R-201", Kind.REAL, scale=0.1, offset=-20.0))
    with closing(Journal(tmp_path)) as journal:
        journal.append([Stamped(scan(of, [value], SLOT_NS + n), (BATCH,)) for n, value in enumerate(COURSES[course])], SLOT_NS)
        journal.append([Event(EventKind.DAEMON, SLOT_NS)], SLOT_NS + DAY_NS)
    for _ in Compactor(tmp_path, threading.Lock()).work(SLOT_NS + DAY_NS):
        pass
    names: dict[str, Any] = {}
    exec(blocks("python")[1], names)  # noqa: S102
    found = list(names["compacted"](sorted((tmp_path / "journal").glob("*.db"))[0], "X"))
    assert [slot for slot, _, _ in found] == [SLOT_NS + n for n in range(60)]
    assert np.array([value for _, value, _ in found]).tobytes() == np.array(COURSES[course]).tobytes()


def expected() -> Iterator[tuple[object, ...]]:
    for each in scans():
        if each.changes is not None:
            yield each.slot_ns, "N", -5.0, 0, 0, 7
            yield each.slot_ns, "T", 0.25, BAD, int(Quality.BAD), 0
        integers, texts = iter(each.integers.tolist()), iter(each.texts)
        for i in range(each.samples):
            about = each.layout.columns[i]
            value: object = float(each.values[i])
            if about.kind is Kind.INTEGER:
                value = next(integers)
            elif about.kind is Kind.TEXT:
                value = next(texts)
            source_ns = 0 if each.source_ns is None else int(each.source_ns[i])
            yield each.slot_ns, about.name, value, int(each.status[i]), int(each.quality[i]), source_ns
