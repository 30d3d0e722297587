"""What holds where the controller says nothing, and what survives a restart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.batch.context import ContextTracker
from collector.terms import Stamp
from config.tags import Kind
from drivers.base import Column, Layout
from tests.unit.batch.followed import BATCH, PHASE, SECOND_NS, TEXTS, TWO_UNITS, Followed, Value, layouts, plant, scan

TOLD = plant(
    BATCH, {"role": "product", "kind": "text"}, {"role": "recipe_version", "kind": "text"},
    units={"R-201": {"product": "A", "recipe_version": "3.10"}},
)  # fmt: skip


def test_product_and_recipe_of_the_plant_file_hold_where_the_controller_says_nothing() -> None:
    unit = Followed(TOLD)
    assert unit.stamp == Stamp(product="A", recipe_version="3.10")
    unit.see("B-1", "", " ")
    assert unit.stamp == Stamp("B-1", "", "A", "3.10")
    unit.see("B-1", "C", "4")
    assert unit.stamp == Stamp("B-1", "", "C", "4")
    unit.see("B-1", "", None)
    assert unit.stamp == Stamp("B-1", "", "A", "4")


def test_a_recipe_alone_may_change() -> None:
    unit = Followed(TOLD)
    unit.see("B-1", "C", "4")
    assert unit.see("B-1", "C", "5") == [], "neither batch nor phase began or ended"
    assert unit.stamp.recipe_version == "5"


def test_a_batch_goes_on_after_a_restart_without_beginning_again() -> None:
    known = {"R-201": Stamp("B-1", "Heat", "A", "3", "gmp"), "R-999": Stamp("B-9", "Heat")}
    unit = Followed(TEXTS, known)
    assert unit.now == ("B-1", "Heat")
    assert unit.stamp.mode == "pilot", "the mode is the plant file's"
    assert unit.see(None, None) == []
    assert unit.see("B-1", "Heat") == []
    assert unit.see("B-1", "Dose") == ["R-201 phase Heat ended", "R-201 phase Dose began"]


def test_a_batch_that_ended_while_the_daemon_did_not_run_is_told_ended() -> None:
    unit = Followed(TEXTS, {"R-201": Stamp("B-1", "Heat")})
    assert unit.see("B-2", "Charge") == [
        "R-201 phase Heat ended", "R-201 batch B-1 ended", "R-201 batch B-2 began", "R-201 phase Charge began",
    ]  # fmt: skip


UNTOLD = {"R-201": {"product": "B", "recipe_version": "2"}}


def test_a_new_product_in_the_plant_file_holds_after_a_restart_where_the_controller_does_not_tell_it() -> None:
    """The limits of product B were written for it; what was known came from the plant file of before."""
    unit = Followed(plant(BATCH, PHASE, units=UNTOLD), {"R-201": Stamp("B-1", "Heat", "A", "1")})
    assert unit.stamp == Stamp("B-1", "Heat", "B", "2")


def test_a_product_first_named_in_the_plant_file_holds_from_the_restart_on() -> None:
    unit = Followed(plant(BATCH, PHASE, units=UNTOLD), {"R-201": Stamp("B-1", "Heat")})
    assert unit.stamp == Stamp("B-1", "Heat", "B", "2")


def test_what_the_controller_told_survives_a_restart_whatever_the_plant_file_says() -> None:
    unit = Followed(TOLD, {"R-201": Stamp("B-1", "", "C", "4")})
    assert unit.stamp == Stamp("B-1", "", "C", "4")
    unit.see(None, None, None)
    assert unit.stamp == Stamp("B-1", "", "C", "4")


NAMES = st.sampled_from(["", "", "B-1", "B-2", " B-1 ", None])


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), max_size=25), st.integers(0, 25))
@settings(deadline=None)
def test_whoever_hears_the_events_knows_every_batch_and_phase_also_over_a_restart(
    rows: list[tuple[Value, Value, Value, Value]], restart: int
) -> None:
    """began opens what is closed, ended closes what is open, a phase ends before its batch and begins after it."""
    tracker, main = ContextTracker(TWO_UNITS), layouts(TWO_UNITS)["main"]
    running: dict[tuple[str, str], str] = {}
    wanted = {("R-201", "batch"): "", ("R-201", "phase"): "", ("R-202", "batch"): "", ("R-202", "phase"): ""}
    order = [("R-201", "batch"), ("R-202", "batch"), ("R-202", "phase"), ("R-201", "phase")]
    for second, row in enumerate(rows):
        if second == restart:
            tracker = ContextTracker(TWO_UNITS, tracker.stamps)
        wanted |= {key: str(value).strip() for key, value in zip(order, row, strict=True) if value is not None}
        events = tracker.observe(scan(main, row, second))
        for event in events:
            what = str(event.body["what"])
            if event.body["state"] == "began":
                running[event.unit, what] = str(event.body[what])
            else:
                assert running.pop((event.unit, what)) == event.body[what]
        for unit in ("R-201", "R-202"):
            order_of = [(event.body["state"], event.body["what"]) for event in events if event.unit == unit]
            full = [("ended", "phase"), ("ended", "batch"), ("began", "batch"), ("began", "phase")]
            assert order_of == [step for step in full if step in order_of]
        assert {key: name for key, name in wanted.items() if name} == running
        assert {unit: (tracker.stamps[unit].batch, tracker.stamps[unit].phase) for unit in ("R-201", "R-202")} == {
            unit: (wanted[unit, "batch"], wanted[unit, "phase"]) for unit in ("R-201", "R-202")
        }


def test_columns_of_a_unit_the_plant_does_not_have_tell_nothing() -> None:
    of = Layout("e", "plc", "main", SECOND_NS, (Column("B", "batch_id", "R-999", Kind.TEXT),))
    assert ContextTracker(TEXTS).observe(scan(of, ["B-1"])) == []
