"""The library's recipes on the reactor: whole batches (`make thorough`: in all vessels), and what holds and aborts them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from simulators.reactor import VESSELS, Inputs
from simulators.recipe.recipe import STATE_NAMES, BatchState, Run, library, load_recipe
from tests.thorough import THOROUGH
from tests.unit.simulators.recipe_texts import Disturbance, Second, batch

PRODUCTION, SMALLEST = "production_1600l", "lab_1l"
PILOT = [name for name in library() if not name.endswith("-gmp")]
SIZES = [(name, vessel) for name in PILOT for vessel in VESSELS if THOROUGH or vessel == PRODUCTION]
"""Of the pilot recipes. One of them is in the smallest vessel too, whose jacket is the largest for what it holds."""
SIZES += [] if THOROUGH else [("exothermic-dosing", SMALLEST)]
BATCHES = SIZES + [(f"{name}-gmp", PRODUCTION) for name in PILOT]
MINUTES = {
    "exothermic-dosing": {
        "Inert": (9.9, 15), "Charge": (20, 21), "Heat": (90, 95), "Dose": (95, 100), "Hold": (45, 50), "Cool": (74, 85),
        "Idle": (14.9, 40),
    },
    "exothermic-dosing-gmp": {
        "Inert": (14.9, 25), "Charge": (20, 22), "Heat": (100, 120), "Dose": (95, 100), "Hold": (120, 150), "Cool": (300, 330),
        "Idle": (30, 60),
    },
    "crystallisation": {
        "Inert": (9.9, 15), "Charge": (30, 31), "Heat": (90, 95), "Dissolve": (30, 33), "Cool to seed": (26, 32),
        "Seed": (15, 16), "Age": (45, 50), "Cool": (234, 240), "Ripen": (30, 31), "Idle": (14.9, 45),
    },
    "crystallisation-gmp": {
        "Inert": (14.9, 25), "Charge": (30, 32), "Heat": (95, 110), "Dissolve": (60, 65), "Cool to seed": (50, 70),
        "Seed": (15, 16), "Age": (90, 95), "Cool": (235, 245), "Ripen": (60, 65), "Idle": (30, 60),
    },
    "distillation": {
        "Inert": (9.9, 15), "Charge": (30, 31), "Evacuate": (1, 4), "Heat": (30, 60), "Distil": (15, 120), "Cool": (30, 50),
        "Vent": (1, 6), "Idle": (14.9, 45),
    },
    "distillation-gmp": {
        "Inert": (14.9, 25), "Charge": (30, 32), "Evacuate": (2, 5), "Heat": (60, 90), "Distil": (60, 120), "Cool": (40, 60),
        "Vent": (1, 6), "Idle": (30, 60),
    },
}  # fmt: skip


def ran(name: str, vessel: str = PRODUCTION) -> list[Second]:
    return _ran(name, vessel)


@cache
def _ran(name: str, vessel: str) -> list[Second]:
    """Apart from `ran`: a default and the same value given are not the same to a cache."""
    return batch(load_recipe(name, vessel))


def in_phase(seconds: list[Second], phase: str) -> list[Second]:
    return [second for second in seconds if second.phase == phase and second.run.state is BatchState.RUNNING]


def at_end(seconds: list[Second]) -> Second:
    """The last second of the batch, before it is discharged."""
    return [second for second in seconds if second.run.state is BatchState.COMPLETE][-1]


def states(seconds: list[Second]) -> list[str]:
    return [state.word for state, _ in groupby(seconds, key=lambda second: second.run.state)]


def slopes_k_per_min(seconds: list[Second], minutes: int = 10) -> list[float]:
    """Of the product temperature, over as many minutes each."""
    by_time = {second.plant_s: float(second.shown["product_temperature"]) for second in seconds}
    later = ((by_time[at + minutes * 60] - value) / minutes for at, value in by_time.items() if at + minutes * 60 in by_time)
    return list(later)


@pytest.mark.parametrize(("name", "vessel"), BATCHES)
def test_a_batch_goes_through_every_phase_to_its_end_and_leaves_the_unit_ready(name: str, vessel: str) -> None:
    seconds = ran(name, vessel)
    assert_phases_in_their_time(name, seconds)
    scale = VESSELS[vessel].volume_m3 / 1.6
    assert_end(name, at_end(seconds), scale)
    assert seconds[-1].state.contents_kg < 1.0 * scale
    assert 14.8 <= float(seconds[-1].shown["product_temperature"]) <= 25.2


def assert_phases_in_their_time(name: str, seconds: list[Second]) -> None:
    assert states(seconds) == ["Running", "Complete", "Idle"]
    begins = [next(group) for _, group in groupby(seconds, key=lambda second: (second.phase, second.run.state))]
    ends_s = [second.plant_s for second in begins[1:]] + [seconds[-1].plant_s + 1]
    lasted = {begin.phase: (end_s - begin.plant_s) / 60 for begin, end_s in zip(begins, ends_s, strict=True) if _works(begin)}
    assert list(lasted) == list(MINUTES[name])
    outside = {phase: lasts for phase, lasts in lasted.items() if not MINUTES[name][phase][0] <= lasts <= MINUTES[name][phase][1]}
    assert outside == {}


def _works(second: Second) -> bool:
    return second.run.state in (BatchState.RUNNING, BatchState.IDLE)


def assert_end(name: str, end: Second, scale: float) -> None:
    """Mass, temperature, yield."""
    mass_kg, temperature_c = float(end.shown["contents_mass"]) / scale, float(end.shown["product_temperature"])
    if name.startswith("exothermic"):
        assert mass_kg == pytest.approx(950, abs=2)
        assert float(end.shown["dosed_mass"]) / scale == pytest.approx(150, abs=0.5)
        assert temperature_c == pytest.approx(5, abs=2)
        assert end.state.converted_mol / (end.state.converted_mol + end.state.reactant_mol) == pytest.approx(0.927, abs=0.005)
        assert end.state.accumulated_mol * scale < 0.001 * end.state.converted_mol
    elif name.startswith("crystallisation"):
        assert mass_kg == pytest.approx(1003, abs=2)
        assert temperature_c == pytest.approx(5, abs=2)
        solute_kg = end.state.crystals_kg + end.state.dissolved_kg
        assert end.state.crystals_kg / solute_kg == pytest.approx(0.84, abs=0.03), "what 2-propanol does not dissolve at 5 °C"
    else:
        assert mass_kg == pytest.approx(500, abs=3)
        assert float(end.shown["distillate_mass"]) / scale == pytest.approx(500, abs=3)
        assert float(end.shown["headspace_pressure"]) == pytest.approx(1.05, abs=0.05)


@pytest.mark.parametrize(("name", "vessel"), [each for each in SIZES if each[0] in ("exothermic-dosing", "crystallisation")])
def test_a_heating_ramp_is_kept(name: str, vessel: str) -> None:
    heating = in_phase(ran(name, vessel), "Heat")
    ramp = [second for second in heating if second.run.phase_s > 1200 and float(second.shown["temperature_setpoint"]) < 64.99]
    assert slopes_k_per_min(ramp) == pytest.approx([0.5] * len(slopes_k_per_min(ramp)), abs=0.1)
    assert max(slopes_k_per_min(heating, 1)) < 1.0, "PAR of the rate"
    behind = [float(second.shown["temperature_setpoint"]) - float(second.shown["product_temperature"]) for second in ramp]
    assert max(map(abs, behind)) < 3.0
    assert max(float(s.shown["jacket_inlet_temperature"]) - float(s.shown["product_temperature"]) for s in heating) <= 60.0


@pytest.mark.parametrize(
    ("name", "vessel"), [*(each for each in SIZES if each[0] == "crystallisation"), ("exothermic-dosing-gmp", PRODUCTION)]
)
def test_a_cooling_ramp_is_kept(name: str, vessel: str) -> None:
    ramp = [second for second in in_phase(ran(name, vessel), "Cool") if 1200 < second.run.phase_s < 13000]
    rates = slopes_k_per_min(ramp)
    assert len(rates) > 1000
    assert min(rates) > -0.25 and max(rates) < -0.15, "NOR of the rate"


def test_dosing_stays_inside_its_limits() -> None:
    dosing = in_phase(ran("exothermic-dosing"), "Dose")
    assert all(63.0 <= float(second.shown["product_temperature"]) <= 67.0 for second in dosing[1:])
    assert all(float(second.shown["headspace_pressure"]) <= 1.5 for second in dosing)
    steady = [float(second.shown["dosing_rate"]) for second in dosing if second.run.phase_s > 1000]
    assert min(steady) > 99.0 and max(steady) < 101.0


def test_crystals_come_from_the_seed_and_not_by_themselves() -> None:
    seconds = ran("crystallisation")
    assert in_phase(seconds, "Dissolve")[-1].state.crystals_kg == 0.0
    assert in_phase(seconds, "Cool to seed")[-1].state.crystals_kg == 0.0
    last = at_end(seconds)
    assert last.state.crystal_count_kg == pytest.approx(3.0, abs=0.05), "as many crystals as were seeded"


def test_the_distillation_keeps_to_its_vacuum_and_its_jacket() -> None:
    distilling = in_phase(ran("distillation"), "Distil")
    assert all(0.10 <= float(second.shown["headspace_pressure"]) <= 0.20 for second in distilling)
    assert all(float(second.shown["jacket_inlet_temperature"]) <= 95.0 for second in distilling)
    assert float(in_phase(ran("distillation"), "Heat")[-1].shown["distillate_mass"]) == 0.0, "total reflux"


@pytest.mark.parametrize("name", PILOT)
def test_the_gmp_recipe_has_the_phases_of_the_pilot_recipe_and_leaves_less_to_itself(name: str) -> None:
    pilot, gmp = load_recipe(name), load_recipe(f"{name}-gmp")
    assert (pilot.file.mode, gmp.file.mode) == ("pilot", "gmp")
    assert [(step.name, step.number) for step in pilot.phases] == [(step.name, step.number) for step in gmp.phases]
    assert pilot.version != gmp.version and pilot.product == gmp.product
    assert pilot.restart_when and not gmp.restart_when
    assert pilot.file.abort.reset_after_s is not None and gmp.file.abort.reset_after_s is None
    for before, after in zip(pilot.phases, gmp.phases, strict=True):
        assert after.minimum_s >= before.minimum_s
        assert before.maximum_s is None or (after.maximum_s or 0) <= before.maximum_s


def test_the_demonstrations_recipe_is_what_it_was() -> None:
    recipe = load_recipe("exothermic-dosing")
    assert (recipe.product, recipe.version, recipe.vessel) == ("DEMO-17", "1.0", "production_1600l")
    assert [(step.name, step.number) for step in recipe.phases] == [
        ("Inert", 1), ("Charge", 2), ("Heat", 3), ("Dose", 4), ("Hold", 5), ("Cool", 6), ("Idle", 0),
    ]  # fmt: skip


def test_the_demonstrations_tags_have_a_word_for_every_state_and_phase() -> None:
    plant = load(Path(__file__).parents[3] / "config" / "examples" / "demo.yaml")
    words = {(tag.role, tag.name): tag.states for _, tag in plant.tags() if tag.states}
    phases = {step.number: step.name for step in load_recipe("exothermic-dosing").phases}
    assert {role for role, _ in words} == {"batch_state", "phase_number"}
    assert all(states == (STATE_NAMES if role == "batch_state" else phases) for (role, _), states in words.items())


def before(name: str, phase: str, after_s: int) -> Second:
    """Of the undisturbed batch: a second of the phase, at most ten before `after_s` of it."""
    return [second for second in in_phase(ran(name), phase) if second.run.phase_s <= after_s][-1]


def disturbed(since: Second, after_s: int, lasts_s: int, **what: Any) -> Disturbance:
    """From `after_s` of the phase on, for a while."""
    begins_s = since.plant_s + after_s - since.run.phase_s

    def disturb(plant_s: int, _run: Run, asked: Inputs) -> Inputs:
        return replace(asked, **what) if begins_s < plant_s <= begins_s + lasts_s else asked

    return disturb


@pytest.mark.parametrize(
    ("name", "phase", "what", "why"),
    [
        ("exothermic-dosing", "Dose", {"stirrer_available": False}, "stirrer_running is false"),
        ("exothermic-dosing", "Dose", {"cooling_available": 0.0, "dosing_factor": 2.85}, "product_temperature is 75"),
        ("crystallisation", "Cool", {"stirrer_available": False}, "stirrer_running is false"),
        ("distillation", "Distil", {"stirrer_available": False}, "stirrer_running is false"),
    ],
)
def test_an_upset_holds_the_batch_and_when_it_is_over_the_batch_comes_to_its_end(
    name: str, phase: str, what: dict[str, Any], why: str
) -> None:
    since = before(name, phase, 1200)
    seconds = batch(load_recipe(name), disturbed(since, 1200, 1500, **what), since)
    assert states(seconds) == ["Running", "Holding", "Held", "Restarting", "Running", "Complete", "Idle"]
    held = [second for second in seconds if second.run.state is BatchState.HELD]
    assert {second.phase for second in held} == {phase}
    assert held[0].run.message.startswith(f"HOLD because {why}")
    fed = [float(second.shown["dosed_mass"]) + float(second.shown["distillate_mass"]) for second in held]
    assert fed[-1] - fed[0] <= 1.0, "flows stand while it is held"
    assert all(earlier.run.phase_s == later.run.phase_s for earlier, later in pairwise(held))
    assert float(at_end(seconds).shown["contents_mass"]) == pytest.approx(
        float(at_end(ran(name)).shown["contents_mass"]), abs=2.0
    )


def test_a_runaway_aborts_the_batch_dumps_it_and_the_next_one_starts() -> None:
    since = before("exothermic-dosing", "Hold", 600)
    seconds = batch(load_recipe("exothermic-dosing"), disturbed(since, 600, 7200, decomposition_factor=1e5), since)
    assert states(seconds) == ["Running", "Holding", "Held", "Aborting", "Aborted", "Idle"]
    aborting = [second for second in seconds if second.run.state is BatchState.ABORTING]
    assert aborting[0].run.message.startswith("ABORT because product_temperature is ")
    assert all(second.shown["discharge_valve_open"] for second in aborting[1:])
    aborted = [second for second in seconds if second.run.state is BatchState.ABORTED]
    assert aborted[0].state.contents_kg <= 0.5
    assert aborted[-1].plant_s - aborted[0].plant_s == 1800 - 1
    assert aborted[-1].shown["batch_id"] == "B-26-001", "an aborted batch keeps its name until it is reset"


def test_a_gmp_batch_stays_held_until_a_person_restarts_it() -> None:
    since = before("exothermic-dosing-gmp", "Dose", 1200)
    with pytest.raises(AssertionError, match="still Held in Dose: HOLD because stirrer_running is false"):
        batch(load_recipe("exothermic-dosing-gmp"), disturbed(since, 1200, 60, stirrer_available=False), since, most_s=8_000)
