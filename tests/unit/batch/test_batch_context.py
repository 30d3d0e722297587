"""Which batch and phase a unit is in, as its controller tells it."""

from __future__ import annotations

import pytest

from collector.batch.context import ContextTracker, tells_context
from collector.terms import EventKind, Stamp
from drivers.base import Quality, Scan, Status
from tests.unit.batch.followed import BATCH, PHASE, SECOND_NS, START_NS, TEXTS, TWO_UNITS, Followed, layouts, plant, scan


def test_a_batch_from_its_first_phase_to_its_end() -> None:
    unit = Followed(TEXTS)
    assert unit.see("", "") == []
    assert unit.see("B-1", "Charge") == ["R-201 batch B-1 began", "R-201 phase Charge began"]
    assert unit.see("B-1", "Charge") == []
    assert unit.see("B-1", "Heat") == ["R-201 phase Charge ended", "R-201 phase Heat began"]
    assert unit.see("B-1", "") == ["R-201 phase Heat ended"]
    assert unit.see("B-1", "Heat") == ["R-201 phase Heat began"]
    assert unit.see("", "") == ["R-201 phase Heat ended", "R-201 batch B-1 ended"]
    assert unit.now == ("", "")


def test_the_next_batch_ends_the_one_before_and_its_phase_even_of_the_same_name() -> None:
    unit = Followed(TEXTS)
    unit.see("B-1", "Charge")
    assert unit.see("B-2", "Charge") == [
        "R-201 phase Charge ended",
        "R-201 batch B-1 ended",
        "R-201 batch B-2 began",
        "R-201 phase Charge began",
    ]


def test_a_phase_without_a_batch_is_a_phase() -> None:
    unit = Followed(TEXTS)
    assert unit.see("", "Clean") == ["R-201 phase Clean began"]
    assert unit.see("B-1", "") == ["R-201 phase Clean ended", "R-201 batch B-1 began"]


def test_an_event_has_the_whole_stamp_of_what_it_tells() -> None:
    roles = [BATCH, PHASE, {"role": "product", "kind": "text"}, {"role": "recipe_version", "kind": "text"}]
    tracker = ContextTracker(plant(*roles, units={"R-201": {"mode": "gmp"}}))
    of = layouts(plant(*roles))["main"]
    tracker.observe(scan(of, ["B-1", "Heat", "A", "3.10"]))
    ended, over, began, first = tracker.observe(scan(of, ["B-2", "Charge", "C", "4"], 7))
    one, two = Stamp("B-1", "Heat", "A", "3.10", "gmp"), Stamp("B-2", "Charge", "C", "4", "gmp")
    for event, stamp, what, state in (
        (ended, one, "phase", "ended"), (over, one, "batch", "ended"),
        (began, two, "batch", "began"), (first, two, "phase", "began"),
    ):  # fmt: skip
        assert (event.kind, event.unit, event.stamp, event.slot_ns) == (EventKind.BATCH, "R-201", stamp, START_NS + 7 * SECOND_NS)
        told = {key: value for key, value in event.body.items() if key != "text"}
        assert told == {
            "what": what, "state": state, "batch": stamp.batch, "phase": stamp.phase, "product": stamp.product,
            "recipe_version": stamp.recipe_version, "mode": "gmp",
        }  # fmt: skip


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.STALE])
def test_what_cannot_be_read_keeps_what_it_said(quality: Quality) -> None:
    unit = Followed(TEXTS)
    unit.see("B-1", "Heat")
    assert unit.see(None, None, quality=quality) == []
    assert unit.see(None, "Dose", quality=quality) == ["R-201 phase Heat ended", "R-201 phase Dose began"]
    assert unit.now == ("B-1", "Dose")


def test_a_lost_scan_says_nothing() -> None:
    unit = Followed(TEXTS)
    unit.see("B-1", "Heat")
    of = unit.layouts["main"]
    assert unit.tracker.observe(Scan.of_lost(of, START_NS + SECOND_NS, START_NS, Status.BAD_TIMEOUT)) == []
    assert unit.now == ("B-1", "Heat")


@pytest.mark.parametrize("text", ["B-1", " B-1", "B-1  ", "\tB-1\r\n", "\u00a0B-1\u3000"])
def test_space_around_a_name_is_none_of_it(text: str) -> None:
    unit = Followed(TEXTS)
    unit.see("B-1", "Heat")
    assert unit.see(text, " Heat ") == []
    assert unit.now == ("B-1", "Heat")


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_nothing_but_space_is_no_batch(text: str) -> None:
    unit = Followed(TEXTS)
    unit.see("B-1", "Heat")
    assert unit.see(text, text) == ["R-201 phase Heat ended", "R-201 batch B-1 ended"]


def test_space_inside_a_name_is_part_of_it() -> None:
    unit = Followed(TEXTS)
    unit.see("B  1", "Heat up")
    assert unit.now == ("B  1", "Heat up")


def test_what_comes_in_several_scan_groups_is_put_together() -> None:
    slow, fast = {"group": "slow"}, {"group": "fast"}
    unit = Followed(plant({**BATCH, **slow}, {**PHASE, **fast}, {"role": "product", "kind": "text", **slow}))
    assert unit.see("B-1", "A", group="slow") == ["R-201 batch B-1 began"]
    assert unit.see("Heat", group="fast") == ["R-201 phase Heat began"]
    assert unit.stamp == Stamp("B-1", "Heat", "A")
    assert unit.see("Dose", group="fast") == ["R-201 phase Heat ended", "R-201 phase Dose began"]
    assert unit.see("", "", group="slow") == ["R-201 phase Dose ended", "R-201 batch B-1 ended", "R-201 phase Dose began"]


def test_a_group_that_tells_nothing_is_none_of_ours() -> None:
    of = plant({**BATCH, "group": "slow"}, {"role": "temperature", "group": "fast"})
    units = {unit.name: unit for unit in of.units}
    told = {name: tells_context(each, units) for name, each in layouts(of).items()}
    assert told == {"slow": True, "fast": False}
    unit = Followed(of)
    assert unit.see(20.0, group="fast") == []


def test_a_role_of_a_unit_is_told_by_the_name_the_unit_gives_it() -> None:
    units = {"R-201": {"context": {"batch_id": "LOT", "phase": "STEP"}}}
    unit = Followed(plant({"role": "LOT", "kind": "text"}, {"role": "STEP", "kind": "text"}, BATCH, units=units))
    assert unit.see("B-1", "Heat", "not mine") == ["R-201 batch B-1 began", "R-201 phase Heat began"]
    assert unit.now == ("B-1", "Heat")


def test_two_units_in_one_scan_keep_apart() -> None:
    unit = Followed(TWO_UNITS)
    assert unit.see("B-1", "B-7", "Dose", "Heat") == [
        "R-201 batch B-1 began", "R-201 phase Heat began", "R-202 batch B-7 began", "R-202 phase Dose began",
    ]  # fmt: skip
    assert unit.see("B-1", "", None, "Heat") == ["R-202 phase Dose ended", "R-202 batch B-7 ended", "R-202 phase Dose began"]
    assert unit.tracker.of(unit.layouts["main"]) == (Stamp("B-1", "Heat"), Stamp("", "Dose", mode="gmp"))
    assert unit.tracker.stamps["R-203"] == Stamp(product="C"), "nobody tells anything of it"
