"""After a kill the next start tells, group by group, which slots nobody read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from collector.acquire.slots import Cause, Left, Slots
from collector.memory.slots import left_by, look_back_ns
from collector.store.files import locked
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.terms import CauseClass, Event, EventKind, Json, Stamp
from drivers.base import Scan, ScanGroup, Status, scan_groups
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, scan

FAST, SLOW = scan_groups(endpoint_of({"plc": {"fast": 1.0, "slow": 10.0}}))
CAUSE = Cause("gateway down", CauseClass.GATEWAY_DOWN)
NO_DEVICES: dict[str, dict[str, Json]] = {}


def good(group: ScanGroup, second: int) -> Stamped:
    return Stamped(scan(group.layout, [1], SLOT_NS + second * SECOND_NS), (Stamp(),))


def lost(group: ScanGroup, second: int) -> Stamped:
    return Stamped(Scan.of_lost(group.layout, SLOT_NS + second * SECOND_NS, SLOT_NS, Status.BAD_TIMEOUT), (Stamp(),))


def gap(group: ScanGroup, second: int) -> Event:
    body: dict[str, Json] = {
        "endpoint": "plc",
        "device": "plc",
        "group": group.layout.group,
        "to_ns": SLOT_NS + second * SECOND_NS,
    }
    return Event(EventKind.GAP, SLOT_NS, body=body)


def left(data: Path, *days: list[Entry], devices: Mapping[str, Mapping[str, Json]] = NO_DEVICES) -> dict[str, Left]:
    with locked(data):
        for number, entries in enumerate(days):
            with closing(Journal(data)) as journal:
                journal.append(entries, SLOT_NS + number * 86_400 * SECOND_NS)
        with closing(Reader(data)) as reader:
            return left_by((FAST, SLOW), reader.newest_slots(look_back_ns((FAST, SLOW))), devices)


def seconds(told: Mapping[str, Left]) -> dict[str, tuple[int, CauseClass]]:
    return {name.split("/")[-1]: ((each.from_ns - SLOT_NS) // SECOND_NS, each.cause.kind) for name, each in told.items()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_group_goes_on_behind_its_own_newest_scan(data: Path) -> None:
    entries: list[Entry] = [good(SLOW, 10), *(good(FAST, second) for second in range(15))]
    assert seconds(left(data, entries)) == {"fast": (15, CauseClass.GATEWAY_DOWN), "slow": (20, CauseClass.GATEWAY_DOWN)}


def test_a_gap_that_was_open_begins_with_its_lost_scan_and_keeps_its_cause(data: Path) -> None:
    told = left(data, [good(FAST, 3), lost(FAST, 4), good(SLOW, 10)], devices={"plc": {"cause": "no answer"}})
    assert seconds(told)["fast"] == (4, CauseClass.DEVICE_DOWN)
    assert told[FAST.name].cause.text == "no answer; then gateway down: the daemon did not run"


def test_a_gap_that_was_told_is_not_told_again(data: Path) -> None:
    assert seconds(left(data, [good(FAST, 3), lost(FAST, 4), gap(FAST, 9)]))["fast"] == (10, CauseClass.GATEWAY_DOWN)


def test_a_device_that_has_been_down_for_long_is_known_from_its_state(data: Path) -> None:
    state: dict[str, Json] = {"answers": False, "since_ns": SLOT_NS - 999 * SECOND_NS, "cause": "no route"}
    told = left(data, [good(SLOW, 10)], devices={"plc": state})
    assert seconds(told) == {"fast": (-999, CauseClass.DEVICE_DOWN), "slow": (20, CauseClass.GATEWAY_DOWN)}


def test_a_new_day_and_a_new_plant(data: Path) -> None:
    assert seconds(left(data, [good(SLOW, 0)], [good(FAST, 9)])) == {
        "fast": (10, CauseClass.GATEWAY_DOWN),
        "slow": (10, CauseClass.GATEWAY_DOWN),
    }
    assert left(data / "new") == {}


def test_the_gap_ends_where_the_schedule_begins() -> None:
    slots = Slots(FAST, SLOT_NS + 5 * SECOND_NS, first=True)
    (event,) = filter(None, [slots.resume(Left(SLOT_NS + 2 * SECOND_NS, CAUSE))])
    assert (event.body["from_ns"], event.body["to_ns"], event.body["slots"]) == (
        SLOT_NS + 2 * SECOND_NS,
        slots.next_ns - SECOND_NS,
        4,
    )
    assert slots.resume(Left(slots.next_ns, CAUSE)) is None
