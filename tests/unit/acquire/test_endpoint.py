"""An endpoint's task on virtual time: its grid, its waits and its faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from collector.acquire.pace import spread
from collector.terms import EventKind
from drivers.base import Changes, Note, Scan, ScanGroup, Status
from tests.fakes import PROMPT, START_NS, Act, FakePlant, VirtualWall, script
from tests.unit.acquire.bench import SECOND_NS, Bench, dropped, silent
from tests.unit.acquire.tiling import assert_tiled


def when(device: str, act: Act) -> Callable[[ScanGroup, int], Act]:
    """`act` for every request to `device`; the others answer at once."""
    return lambda group, _slot_ns: act if group.layout.device == device else PROMPT


# --- the grid


def test_an_hour_of_slow_answers_does_not_drift() -> None:
    bench = Bench({"a": {"fast": 1.0}, "b": {"slow": 5.0}}, FakePlant(lambda _group, _slot_ns: Act(0.37))).run(3600.2)
    fast, slow = bench.groups
    assert len(assert_tiled(bench.collected, fast, START_NS)) in (3600, 3601)
    assert len(assert_tiled(bench.collected, slow, START_NS)) in (720, 721)
    assert bench.missed(fast) + bench.missed(slow) <= 2, "only what was being read at the stop"
    for group in bench.groups:
        offset_ns = spread(group.name, group.layout.period_ns)
        delays = {START_NS + call.begin_ns - call.slot_ns - offset_ns for call in bench.plant.asked if call.what == group.name}
        assert min(delays) >= 0, "read before its time"
        assert max(delays) <= 0.37 * SECOND_NS + 1000, "waits for its neighbour's answer at the most"


def test_prompt_answers_are_read_at_their_very_time() -> None:
    bench = Bench({"a": {"fast": 1 / 3, "slow": 2.0}}).run(60)
    for group in bench.groups:
        offset_ns = spread(group.name, group.layout.period_ns)
        times = [START_NS + call.begin_ns - call.slot_ns - offset_ns for call in bench.plant.asked if call.what == group.name]
        assert max(times) < 10, "nanoseconds"
        assert min(times) >= 0


@pytest.mark.parametrize("period_s", [1.0, 0.2])
def test_groups_that_tell_the_context_are_read_first(period_s: float) -> None:
    devices = {f"d{i}": {"main": period_s} for i in range(6)}
    bench = Bench(devices, context=frozenset({"plc/d4/main"})).run(10)
    order = [call.what for call in bench.plant.asked if call.slot_ns == bench.plant.asked[-1].slot_ns]
    assert order[0] == "plc/d4/main"
    at_slot = [START_NS + call.begin_ns - call.slot_ns for call in bench.plant.asked if call.what == "plc/d4/main"]
    assert max(at_slot) < 10
    assert_tiled(bench.collected, bench.groups[4], START_NS, first=True)


def test_a_plant_clock_that_moves_forward_leaves_one_gap() -> None:
    async def step(wall: VirtualWall) -> None:
        await asyncio.sleep(5.5)
        wall.shift_ns += 30 * SECOND_NS
        wall.clock.follow()

    bench = Bench({"a": {"main": 1.0}}).run(20, step)
    assert_tiled(bench.collected, bench.groups[0], START_NS)
    assert bench.missed(bench.groups[0]) in (29, 30)
    assert bench.classes("a") == ["clock"]


# --- late answers


def test_a_late_answer_is_lost_and_never_another_slots_value() -> None:
    acts = script([PROMPT, PROMPT, Act(2.5), PROMPT])
    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: next(acts))).run(10)
    (group,) = bench.groups
    assert_tiled(bench.collected, group, START_NS)
    (lost,), (gap,) = bench.collected.lost(group), bench.collected.gaps(group)
    assert lost.slot_ns == gap.body["from_ns"]
    assert lost.status[0] == Status.BAD_TIMEOUT
    assert "late" in str(gap.body["cause"])
    assert gap.body["cause_class"] == "late"
    assert bench.edges("a") == ["answers"], "one late answer is no lost device"


def test_what_a_late_answer_has_to_tell_is_told_and_so_are_the_changes_that_go_with_it() -> None:
    acts = script([PROMPT, Act(2.5), PROMPT])
    between = Changes(np.zeros(1, np.int32), np.ones(1, np.int64), np.ones(1), np.zeros(1, np.uint32))

    def told(scan: Scan) -> Scan:
        return replace(scan, changes=between, notes=(Note("stale", "heard of nothing"),))

    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: next(acts), told)).run(5)
    (lost,) = bench.collected.lost(bench.groups[0])
    notes = [event for event in bench.collected.events(EventKind.SUBSCRIPTION) if event.slot_ns == lost.slot_ns]
    assert [event.body["state"] for event in notes] == ["stale", "changes lost"]
    assert "late" in str(notes[1].body["cause"])


def test_two_late_answers_in_a_row_are_a_lost_device() -> None:
    acts = script([PROMPT, Act(1.2), Act(1.2), PROMPT])
    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: next(acts))).run(10)
    assert bench.edges("a") == ["answers", "lost", "answers"]
    assert len(bench.collected.lost(bench.groups[0])) == 1


def test_an_answer_just_before_the_next_reading_is_in_time() -> None:
    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: Act(0.999_999))).run(30)
    assert bench.missed(bench.groups[0]) <= 1
    assert not bench.collected.lost(bench.groups[0])


def test_a_device_always_slower_than_its_period_starves_nobody() -> None:
    bench = Bench({"slow": {"main": 1.0}, "fast": {"main": 1.0}}, FakePlant(when("slow", Act(1.5)))).run(60)
    slow, fast = bench.groups
    assert not bench.collected.scans(slow)
    assert len(bench.collected.scans(fast)) >= 19, "a slot in three at the least"
    for group in bench.groups:
        assert_tiled(bench.collected, group, START_NS)


# --- faults and waits


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (silent, Status.BAD_TIMEOUT),
        (dropped, Status.BAD_COMMUNICATION_ERROR),
        (TimeoutError, Status.BAD_TIMEOUT),
        (ConnectionResetError, Status.BAD_NO_COMMUNICATION),
    ],
)
def test_a_lost_scan_says_why(fault: Callable[[], Exception], status: int) -> None:
    acts = script([PROMPT, PROMPT, Act(0.1, fault)])
    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: next(acts))).run(10)
    (lost,) = bench.collected.lost(bench.groups[0])
    assert set(lost.status.tolist()) == {status}
    assert bench.causes("a") == [str(fault()) or type(fault()).__name__]
    assert bench.edges("a") == ["answers", "lost", "answers"]


def test_waits_for_a_connection_grow_to_their_limit() -> None:
    bench = Bench({"a": {"main": 1.0}}, FakePlant(connecting=script(then=Act(0.5, ConnectionRefusedError)))).run(600)
    waits = [(after.begin_ns - (before.end_ns or 0)) / 1e9 for before, after in pairwise(bench.plant.connects)]
    for n, wait_s in enumerate(waits):
        expected_s = min(1.6**n, 30.0)
        assert 0.8 * expected_s <= wait_s <= 1.2 * expected_s + 1e-6
    (group,) = bench.groups
    assert len(assert_tiled(bench.collected, group, START_NS)) >= 599
    assert len(bench.collected.lost(group)) == 1
    assert bench.edges("a") == ["lost"]


def test_waits_begin_anew_after_a_connection() -> None:
    refused = [Act(fault=ConnectionRefusedError)] * 8
    acts = script([PROMPT] * 3 + [Act(fault=dropped)])
    plant = FakePlant(lambda _group, _slot_ns: next(acts), connecting=script([*refused, PROMPT, *refused[:2]]))
    bench = Bench({"a": {"main": 1.0}}, plant).run(300)
    failed = [call for call in bench.plant.connects if call.failed]
    assert len(failed) == 10
    assert (failed[9].begin_ns - failed[8].begin_ns) / 1e9 <= 1.2


def test_a_silent_device_costs_its_neighbours_one_timeout_per_wait() -> None:
    timeout_s = 2.0
    plant = FakePlant(when("dead", Act(timeout_s, silent)))
    bench = Bench({"dead": {"main": 1.0, "other": 1.0}, "well": {"main": 0.5}}, plant).run(3600)
    asked = [call for call in bench.plant.asked if call.what.startswith("plc/dead")]
    assert len(asked) <= 5 + 3600 / (0.8 * 30) + 8, "one request per wait, for all of its groups"
    well = bench.groups[2]
    assert bench.missed(well) <= len(asked) * (timeout_s / 0.5 + 1)
    assert bench.edges("dead") == ["lost"]
    assert bench.edges("well") == ["answers"]
    assert len(bench.plant.connects) == 1
    for group in bench.groups:
        assert_tiled(bench.collected, group, START_NS)
    assert all(len(bench.collected.lost(group)) == 1 for group in bench.groups[:2])


def test_neighbours_go_on_over_a_connection_that_one_device_breaks() -> None:
    plant = FakePlant(when("dead", Act(0.1, dropped)), connecting=script(then=Act(0.05)))
    bench = Bench({"dead": {"main": 1.0}, "well": {"main": 1.0}}, plant).run(600)
    assert bench.missed(bench.groups[1]) <= 1 + 5
    assert bench.edges("well") == ["answers"]


@pytest.mark.parametrize("act", [Act(2.3, silent), Act(2.3)], ids=["silent", "late"])
def test_a_slot_that_passed_while_a_neighbour_was_waited_for_is_no_overload(act: Act) -> None:
    """The gateway was not too slow: whoever reads the gap looks at the neighbour."""
    bench = Bench({"slow": {"main": 10.0}, "well": {"main": 0.5}}, FakePlant(when("slow", act))).run(60)
    assert bench.missed(bench.groups[1]) > 3
    assert {cause.split(",")[0] for cause in bench.causes("well")} == {"waiting: plc/slow/main was waited for"}
    assert_tiled(bench.collected, bench.groups[1], START_NS)


def test_a_slot_that_passed_while_the_connection_was_made_anew_is_no_overload() -> None:
    """A gap's cause goes into the batch record: there was no overload, the connection was gone."""
    acts = {"dead": script([PROMPT, PROMPT, Act(0.1, dropped)]), "well": script()}
    plant = FakePlant(lambda group, _slot_ns: next(acts[group.layout.device]), connecting=script([PROMPT], then=Act(3.5)))
    bench = Bench({"dead": {"main": 1.0}, "well": {"main": 1.0}}, plant).run(20)
    assert bench.missed(bench.groups[1]) >= 2
    assert bench.classes("well") == ["connecting"]
    assert bench.classes("dead") == ["device down"]


def test_the_slots_before_the_first_connection_are_told() -> None:
    bench = Bench({"a": {"main": 1.0}}, FakePlant(connecting=script([Act(5.5)]))).run(10)
    (cause,) = bench.causes("a")
    assert cause.startswith("start")
    assert bench.classes("a") == ["starting"]
    assert bench.missed(bench.groups[0]) in (4, 5, 6)


def test_a_fresh_driver_after_each_lost_connection() -> None:
    acts = script([PROMPT, Act(fault=dropped), Act(fault=TimeoutError), Act(fault=ConnectionResetError), Act(fault=silent)])
    bench = Bench({"a": {"main": 1.0}}, FakePlant(lambda _group, _slot_ns: next(acts))).run(60)
    assert bench.plant.opened == 4, "a silent device alone is no lost connection"


def test_closing_that_fails_is_no_end() -> None:
    acts = script([PROMPT, Act(fault=dropped)])
    plant = FakePlant(lambda _group, _slot_ns: next(acts), closing=script([Act(0.1, ConnectionResetError)]))
    bench = Bench({"a": {"main": 1.0}}, plant).run(20)
    assert len(bench.collected.scans(bench.groups[0])) >= 15
    assert_tiled(bench.collected, bench.groups[0], START_NS)


# --- bugs of ours


@pytest.mark.parametrize("place", ["reads", "connecting", "closing"])
def test_a_bug_is_not_retried(place: str) -> None:
    def bug() -> Exception:
        return ValueError("index out of range")

    plant = FakePlant()
    if place == "reads":
        acts = script([PROMPT, PROMPT, Act(0.1, bug)])
        plant = FakePlant(lambda _group, _slot_ns: next(acts))
    elif place == "connecting":
        plant = FakePlant(connecting=script([Act(0.1, bug)]))
    else:
        acts = script([PROMPT, Act(fault=dropped)])
        plant = FakePlant(lambda _group, _slot_ns: next(acts), closing=script([Act(fault=bug)]))
    bench = Bench({"a": {"main": 1.0}}, plant)
    with pytest.raises(ValueError, match="index out of range"):
        bench.run(20)
    assert plant.connections == 0
    assert plant.opened == len(plant.closes)
    assert_tiled(bench.collected, bench.groups[0], START_NS)
