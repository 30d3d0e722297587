"""A copy made while the daemon writes is one record: cursors never ahead of rows, every byte proved when it is restored."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.backup import MANIFEST, back_up, bytes_to_copy, restore
from collector.store.cursors import Cursor
from collector.store.daily import Totals
from collector.store.files import StoreError, journal_files
from collector.store.journal import Journal
from collector.store.reader import Reader
from collector.store.recovery import recover
from collector.store.registry import Registry
from tests.journal_rows import SLOT_NS
from tests.unit.store.simple import DAY_NS, journal_of, one, values


def filled(data: Path, days: int = 3) -> None:
    (data / "journal").mkdir(parents=True)
    with journal_of(data) as journal:
        for day in range(days):
            journal.append([one(float(day)), one(day + 0.5)], SLOT_NS + day * DAY_NS)
    Registry(data).close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    filled(tmp_path / "data")
    return tmp_path / "data"


def test_there_and_back(data: Path, tmp_path: Path) -> None:
    shown: list[int] = []
    copied = back_up(data, tmp_path / "copy", "0", 1, shown.append)
    assert sum(shown) >= bytes_to_copy(data) * 0.9
    assert copied[0].path == "registry.db", "first: its cursors are then never ahead"
    restore(tmp_path / "copy", tmp_path / "back")
    assert values(tmp_path / "back") == values(data)
    with journal_of(tmp_path / "back") as journal:
        assert journal.append([one(9.0)], SLOT_NS + 3 * DAY_NS).seq == 7, "the daemon goes on from it"


class Load(threading.Thread):
    """Commits without a rest, across days, and acknowledges each commit."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data, self.stop, self.commits = data, threading.Event(), 0

    def run(self) -> None:
        with closing(Journal(self.data)) as journal, closing(Registry(self.data)) as registry:
            while not self.stop.is_set():
                self.commits += 1
                time_ns = SLOT_NS + (3 + self.commits // 40) * DAY_NS
                totals = journal.append([one(float(self.commits + n)) for n in range(50)], time_ns)
                registry.acknowledge("influx", Cursor(totals.seq, totals.samples, 0))


def test_under_load(data: Path, tmp_path: Path) -> None:
    load = Load(data)
    load.start()
    try:
        for number in range(2):
            seen = load.commits
            while load.commits < seen + 3:
                load.stop.wait(0.005)
            copy, back = tmp_path / f"copy{number}", tmp_path / f"back{number}"
            back_up(data, copy, "0", 1)
            restore(copy, back)
            with closing(Reader(back)) as reader, closing(Registry(back)) as registry:
                totals, cursor = reader.totals(), registry.cursor("influx")
                assert cursor.seq <= totals.seq
                assert totals.seq == totals.samples
                assert reader.totals(cursor.seq).samples == cursor.accepted
                assert len(values(back)) == totals.samples, "every row is there"
    finally:
        load.stop.set()
        load.join()
    assert load.commits > 6


@pytest.mark.parametrize("name", ["registry.db", "journal/2024-11-23.db", MANIFEST])
def test_a_copy_that_is_not_as_it_was_made_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    copy, back = tmp_path / "copy", tmp_path / "back"
    back_up(data, copy, "0", 1)
    body = bytearray((copy / name).read_bytes())
    body[len(body) // 2] ^= 1
    (copy / name).write_bytes(body)
    with pytest.raises(StoreError, match=f"{name}|is not what was copied"):
        restore(copy, back)
    assert not back.exists()
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_a_copy_that_was_not_finished_is_refused(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "copy", "0", 1)
    (tmp_path / "copy" / MANIFEST).unlink()
    with pytest.raises(StoreError, match="not finished"):
        restore(tmp_path / "copy", tmp_path / "back")


def test_a_manifest_that_leads_elsewhere_is_refused(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "copy", "0", 1)
    manifest = json.loads((tmp_path / "copy" / MANIFEST).read_text())
    manifest["files"][0]["path"] = "../registry.db"
    (tmp_path / "copy" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="leads out"):
        restore(tmp_path / "copy", tmp_path / "back")


def test_nothing_is_written_over(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "copy", "0", 1)
    with pytest.raises(StoreError, match="not empty"):
        back_up(data, tmp_path / "copy", "0", 1)
    with pytest.raises(StoreError, match="not empty"):
        restore(tmp_path / "copy", data)
    with pytest.raises(StoreError, match="lies in the data folder"):
        back_up(data, data / "copy", "0", 1)
    assert not (data / "copy").exists()
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "copy", tmp_path / "empty")
    assert values(tmp_path / "empty") == values(data)


def test_a_folder_that_no_daemon_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--data"):
        back_up(tmp_path / "none", tmp_path / "copy", "0", 1)


def test_what_was_set_aside_goes_along(data: Path, tmp_path: Path) -> None:
    journal_files(data)[-1].write_bytes(b"nothing of ours" * 1000)
    recover(data, Totals(6, 6, 6), SLOT_NS + 5 * DAY_NS)
    back_up(data, tmp_path / "copy", "0", 1)
    restore(tmp_path / "copy", tmp_path / "back")
    with closing(Reader(tmp_path / "back")) as reader, closing(Reader(data)) as original:
        assert reader.losses() == original.losses()
        assert reader.totals() == original.totals()
