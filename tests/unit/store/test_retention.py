"""What may go goes, whole days and the oldest first; what may not keeps all behind it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.daily import Totals
from collector.store.files import journal_files
from collector.store.journal import Stamped
from collector.store.reader import Reader
from collector.store.retention import Decision, Keep, Stored, decide, free_to_remove, held, remove, stored, to_be_freed
from collector.store.walk import walk
from collector.terms import Json, Stamp
from tests.journal_rows import SLOT_NS, scan
from tests.unit.store.simple import DAY_NS, ONE, all_rows, journal_of, one

EVERYTHING_SETTLED = {"influx": 10**6}


def day(n: int, *, size_bytes: int = 10, batches: frozenset[str] = frozenset(), is_gmp: bool = False) -> Stored:
    """The n-th of a journal, a hundred rows each."""
    return Stored(Path(f"2026-11-{n:02}.db"), Totals(n * 100, n * 100, n * 100), 100, n * DAY_NS, size_bytes, batches, is_gmp, "")


DAYS = [day(n) for n in range(1, 8)]


def removed(decision: Decision) -> list[int]:
    return [file.end.seq // 100 for file in decision.remove]


def test_without_a_word_everything_is_kept() -> None:
    assert decide(DAYS, Keep(), 1000 * DAY_NS, EVERYTHING_SETTLED, ()) == Decision()


def test_by_age_what_is_older_goes() -> None:
    assert removed(decide(DAYS, Keep(days=3.0), 7 * DAY_NS, EVERYTHING_SETTLED, ())) == [1, 2, 3]
    assert removed(decide(DAYS, Keep(days=3.0), 100 * DAY_NS, EVERYTHING_SETTLED, ())) == [1, 2, 3, 4, 5, 6], "never the newest"


def test_by_size_the_oldest_go_until_the_rest_fits() -> None:
    assert removed(decide(DAYS, Keep(size_bytes=70), 7 * DAY_NS, EVERYTHING_SETTLED, ())) == []
    assert removed(decide(DAYS, Keep(size_bytes=45), 7 * DAY_NS, EVERYTHING_SETTLED, ())) == [1, 2, 3]
    assert removed(decide(DAYS, Keep(size_bytes=1), 7 * DAY_NS, EVERYTHING_SETTLED, ())) == [1, 2, 3, 4, 5, 6]


def test_the_runway_counts_what_size_will_free() -> None:
    """Seven days of 10 bytes, 100 allowed: 30 more may be written before the first goes."""
    keep = Keep(size_bytes=100)
    assert to_be_freed(DAYS, keep, 31, EVERYTHING_SETTLED, ()) == 60, "all but the newest"
    assert to_be_freed(DAYS, keep, 30, EVERYTHING_SETTLED, ()) == 0, "the disk is full first"
    assert to_be_freed(DAYS, keep, 31, {"influx": 10**6, "backup": 250}, ()) == 20, "up to the first that is held"
    assert to_be_freed([replace(DAYS[0], is_gmp=True), *DAYS[1:]], keep, 31, EVERYTHING_SETTLED, ()) == 0
    assert to_be_freed(DAYS, Keep(days=1.0), 31, EVERYTHING_SETTLED, ()) == 0, "age frees when it is time, not when room is short"


def test_what_a_sink_has_not_settled_stays_and_all_behind_it() -> None:
    settled = {"influx": 10**6, "backup": 250}
    decision = decide(DAYS, Keep(size_bytes=1), 7 * DAY_NS, settled, ())
    assert removed(decision) == [1, 2]
    assert decision.held == DAYS[2]
    assert decision.reason == "sink backup has not settled all of it"


def test_a_batch_that_runs_keeps_its_days() -> None:
    days = [day(1), day(2, batches=frozenset({"B-1", "B-2"})), day(3, batches=frozenset({"B-2"})), day(4)]
    decision = decide(days, Keep(days=1.0), 50 * DAY_NS, EVERYTHING_SETTLED, {"B-2"})
    assert (removed(decision), decision.reason) == ([1], "batch B-2 still runs, and has samples in it")
    assert removed(decide(days, Keep(days=1.0), 50 * DAY_NS, EVERYTHING_SETTLED, {"B-3"})) == [1, 2, 3]


@pytest.mark.parametrize("keep", [Keep(days=1.0), Keep(size_bytes=1)])
def test_gmp_data_that_is_in_no_archive_is_never_removed(keep: Keep) -> None:
    days = [day(1), day(2, is_gmp=True), day(3), day(4)]
    decision = decide(days, keep, 50 * DAY_NS, EVERYTHING_SETTLED, ())
    assert removed(decision) == [1]
    assert decision.held == days[1]
    assert "gmp data" in decision.reason


def note(file: Stored, **other: str) -> dict[str, Json]:
    told: dict[str, Json] = {"folder": "/mnt/a", "seq": file.end.seq, "hash": file.hash, "archived_ns": 1, "version": "0"}
    return told | dict(other)


@pytest.mark.parametrize("keep", [Keep(days=1.0), Keep(size_bytes=1)])
def test_gmp_data_goes_only_when_it_is_archived_as_it_is(keep: Keep) -> None:
    days = [replace(day(n, is_gmp=True), hash=f"{n:02}") for n in range(1, 6)]
    notes = {file.path.name: note(file) for file in days[:3]} | {days[3].path.name: note(days[3], hash="ff")}
    noted = [file.noted(notes) for file in days]
    decision = decide(noted, keep, 50 * DAY_NS, EVERYTHING_SETTLED, ())
    assert (removed(decision), decision.held) == ([1, 2, 3], noted[3])
    assert "is not what was archived to /mnt/a" in decision.reason
    assert [file.archive for file in decision.remove] == ["/mnt/a"] * 3
    behind = decide(noted, keep, 50 * DAY_NS, {"influx": 150}, ())
    assert (removed(behind), behind.reason) == ([1], "sink influx has not settled all of it"), "an archive is no sink"
    assert to_be_freed(noted, Keep(size_bytes=100), 1000, EVERYTHING_SETTLED, ()) == 30


@pytest.mark.parametrize(
    "told", [{}, {"seq": "100"}, {"folder": "/mnt/a", "seq": 100, "hash": ""}, {"seq": 100.0, "hash": "01"}, {"hash": "01"}]
)
def test_a_note_that_says_too_little_lets_nothing_go(told: dict[str, Json]) -> None:
    file = replace(day(1, is_gmp=True), hash="01")
    assert not file.noted({file.path.name: told}).is_archived
    assert not replace(file, hash="").noted({file.path.name: told}).is_archived, "a file without a chain"


DAYS_OF_ANY_KIND = st.lists(
    st.builds(
        lambda size, batch, is_gmp: (size, frozenset({batch}), is_gmp),
        st.integers(1, 50),
        st.sampled_from(["A", "B"]),
        st.booleans(),
    ),
    max_size=8,
)


@given(
    DAYS_OF_ANY_KIND,
    st.none() | st.floats(0.5, 10),
    st.none() | st.integers(1, 300),
    st.integers(0, 900),
    st.sets(st.sampled_from("AB")),
)
def test_no_hole_is_left_and_nothing_that_is_held_goes(
    kinds: list[tuple[int, frozenset[str], bool]], days: float | None, size: int | None, seq: int, running: set[str]
) -> None:
    files = [day(n, size_bytes=bytes_, batches=batches, is_gmp=gmp) for n, (bytes_, batches, gmp) in enumerate(kinds, 1)]
    decision = decide(files, Keep(days, size), 9 * DAY_NS, {"influx": seq}, running)
    assert list(decision.remove) == files[: len(decision.remove)]
    assert not files or len(decision.remove) < len(files)
    assert all(file.end.seq <= seq and not file.is_gmp and not file.batches & running for file in decision.remove)
    assert decision.held is None or decision.held == files[len(decision.remove)]
    assert (decision.held is None) == (decision.reason == "")


# --- files


def test_what_is_known_of_a_file(data: Path) -> None:
    gmp = Stamp("B-7", "Dose", "ONCB", "2", "gmp")
    with journal_of(data) as journal:
        journal.append([one(), Stamped(scan(ONE, [2.0]), (Stamp("B-6"),))], SLOT_NS)
        journal.append([one(), Stamped(scan(ONE, [2.0]), (gmp,))], SLOT_NS + DAY_NS)
        head = journal.head
    first, second = (stored(path) for path in journal_files(data))
    assert (first.end.seq, first.samples, first.last_ns, set(first.batches), first.is_gmp) == (2, 2, SLOT_NS, {"B-6"}, False)
    assert (second.end, second.samples, set(second.batches), second.is_gmp) == (Totals(4, 4, 4), 2, {"B-7"}, True)
    assert second.hash == (head.hash or b"").hex()
    assert first.size_bytes >= journal_files(data)[0].stat().st_size


def test_readers_go_on_without_what_was_removed(data: Path) -> None:
    with journal_of(data) as journal, closing(Reader(data)) as reader:
        for n in range(3):
            journal.append([one(float(n))], SLOT_NS + n * DAY_NS)
        assert len(all_rows(reader)) == 3
        oldest = journal_files(data)[0]
        before = walk(journal_files(data)[1]).before
        remove(oldest)
        assert [row.seq for row in all_rows(reader)] == [2, 3]
        assert reader.totals() == journal.totals
        assert walk(journal_files(data)[0]).before == before
    assert not list((data / "journal").glob(f"{oldest.name}*"))


def test_nothing_may_be_removed_while_it_is_held(data: Path) -> None:
    with held(data), held(data), free_to_remove(data) as is_free:
        assert not is_free
    with free_to_remove(data) as is_free:
        assert is_free
