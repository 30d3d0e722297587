"""The recipe on the reactor: its phases, its batches, its limits, and that time's speed changes nothing."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from config.model import Device, Plant
from simulators.live import Live, PlantTime
from simulators.programme import unit_plan
from simulators.reactor import Readings
from simulators.scenario import load_scenario
from simulators.source import Value
from simulators.unit import ReactorUnit
from tests.thorough import THOROUGH
from tests.unit.simulators.virtual import VirtualPlant

pytestmark = pytest.mark.timeout(400)
"""Ten seconds of computing: on a busy machine they are not soon over."""

DEMO = Path(__file__).parents[3] / "config" / "examples" / "demo.yaml"
SCENARIO = DEMO.with_name("demo-scenario.yaml")
PHASES = ["Inert", "Charge", "Heat", "Dose", "Hold", "Cool", "Idle"]
ROLES = {
    "product_temperature", "product_temperature_b", "jacket_inlet_temperature", "jacket_outlet_temperature",
    "temperature_setpoint", "jacket_valve_output", "headspace_pressure", "stirrer_speed", "stirrer_power", "contents_mass",
    "dosing_rate", "dosed_mass", "nitrogen_flow", "ph", "batch_id", "phase", "phase_number", "batch_state", "product",
    "recipe_version", "step_number", "dosing_valve_open",
}  # fmt: skip
Shown = list[Readings]


@pytest.fixture(scope="module")
def plant() -> Plant:
    return Plant.model_validate(yaml.safe_load(DEMO.read_text(encoding="utf-8")))


def demo(plant: Plant, seed: int = 1) -> VirtualPlant:
    """The demonstration, on virtual time."""
    return VirtualPlant(plant, load_scenario(SCENARIO, plant), seed)


def ran(virtual: VirtualPlant, seconds: range) -> dict[str, Shown]:
    """What each unit shows at these seconds."""
    shown: dict[str, Shown] = {name: [] for name in virtual.simulation.units}
    for second in seconds:
        virtual.advance_to(second)
        for name, unit in virtual.simulation.units.items():
            shown[name].append(dict(unit.readings()))
    return shown


TWO_BATCHES_S = 23_000
"""In this time each unit begins its second one."""
LASTS_S = 35_000 if THOROUGH else 28_000
"""In this time the upset unit has dosed its second batch, in 35,000 s ended it."""


@pytest.fixture(scope="module")
def runs(plant: Plant) -> dict[str, Shown]:
    return ran(demo(plant), range(1, LASTS_S + 1))


def excursions(plant: Plant, shown: Shown) -> list[tuple[str, str, int]]:
    """(role, phase, seconds) of every stretch outside PAR, as the demo's own limits say."""
    par = {(row.phase, row.role): row.par for row in plant.limits if row.par}
    found = []
    for role in ("product_temperature", "headspace_pressure"):
        outside = (
            (str(s["phase"]), float(s[role]) not in par[str(s["phase"]), role]) for s in shown if (s["phase"], role) in par
        )
        found += [(role, phase, len(list(run))) for (phase, out), run in groupby(outside) if out]
    return found


def test_a_batch_goes_through_all_phases_in_their_order_in_five_to_six_hours(runs: dict[str, Shown]) -> None:
    names = [name for name, _ in groupby(str(shown["phase"]) for shown in runs["R-201"])]
    assert names[:9] == [*PHASES, "Inert", "Charge"]
    first_s = next(second for second, shown in enumerate(runs["R-201"], 1) if shown["batch_id"] == "B-26-002")
    assert 5 * 3600 < first_s < 6 * 3600
    assert names[0] == runs["R-201"][0]["phase"] and runs["R-201"][900]["phase"] == "Charge"


def test_every_role_is_shown_and_the_context_agrees_with_itself(runs: dict[str, Shown]) -> None:
    for shown in runs["R-201"][::50]:
        assert set(shown) >= ROLES
        idle = shown["phase"] == "Idle"
        assert shown["phase_number"] == (0 if idle else PHASES.index(str(shown["phase"])) + 1)
        assert shown["batch_state"] in ((0,) if idle else (1, 2))
        assert shown["product"] == ("" if idle else "DEMO-17")
        assert shown["recipe_version"] == ("" if idle else "1.0")
        assert (shown["batch_id"] == "") == idle


def test_batches_are_numbered_by_unit(runs: dict[str, Shown]) -> None:
    begun = {name: run[:TWO_BATCHES_S] for name, run in runs.items()}
    ids = {name: [batch for batch, _ in groupby(shown["batch_id"] for shown in run) if batch] for name, run in begun.items()}
    assert ids == {"R-201": ["B-26-001", "B-26-002"], "R-301": ["B-26-101", "B-26-102"]}


def test_a_batch_does_what_its_phases_say(runs: dict[str, Shown]) -> None:
    batch = [shown for shown in runs["R-201"] if shown["batch_id"] == "B-26-001"]
    ends = {str(phase): list(run)[-1] for phase, run in groupby(batch, key=lambda shown: shown["phase"])}
    assert float(ends["Charge"]["contents_mass"]) == pytest.approx(800.0, abs=3.0)
    assert float(ends["Heat"]["product_temperature"]) == pytest.approx(65.0, abs=1.2)
    assert float(ends["Dose"]["dosed_mass"]) == pytest.approx(150.0, abs=0.5)
    assert float(ends["Cool"]["product_temperature"]) == pytest.approx(5.0, abs=2.0)
    open_s = Counter(str(shown["phase"]) for shown in batch if shown["dosing_valve_open"])
    assert open_s["Dose"] > 5000
    assert open_s.total() - open_s["Dose"] <= 1, "the valve closes one second after the phase has ended"


def test_the_first_unit_stays_inside_par(plant: Plant, runs: dict[str, Shown]) -> None:
    assert excursions(plant, [shown for shown in runs["R-201"] if shown["batch_id"] == "B-26-001"]) == []
    assert {str(shown["phase"]) for shown in runs["R-201"]} >= {row.phase for row in plant.limits}


def test_the_second_unit_leaves_par_while_dosing_and_returns(plant: Plant, runs: dict[str, Shown]) -> None:
    batch = [shown for shown in runs["R-301"] if shown["batch_id"] == "B-26-101"]
    found = excursions(plant, batch)
    assert {(role, phase) for role, phase, _ in found} == {("product_temperature", "Dose")}
    assert 600 < sum(seconds for _, _, seconds in found) < 1500
    assert 72.0 < max(float(shown["product_temperature"]) for shown in batch) < 75.0
    assert max(float(shown["dosing_rate"]) for shown in batch) > 200.0
    dosing = [shown for shown in batch if shown["phase"] == "Dose"]
    assert 60.0 < float(dosing[-1]["product_temperature"]) < 70.0


def test_the_demonstration_shows_something_soon(runs: dict[str, Shown]) -> None:
    """At speed 60: a phase changes within 20 s, the excursion begins within a minute."""
    assert runs["R-201"][20 * 60]["phase"] != runs["R-201"][0]["phase"]
    assert any(float(shown["product_temperature"]) > 70.0 and shown["phase"] == "Dose" for shown in runs["R-301"][:3600])


def test_the_second_batch_of_the_upset_unit_is_quiet(plant: Plant, runs: dict[str, Shown]) -> None:
    later = runs["R-301"][13_999:]
    assert later[0]["batch_id"] == "B-26-102"
    assert "Hold" in {shown["phase"] for shown in later}, "what follows the dosing"
    assert excursions(plant, later) == []


def test_the_same_seed_gives_the_same_run_and_another_seed_other_noise(plant: Plant, runs: dict[str, Shown]) -> None:
    assert ran(demo(plant), range(1, 2001))["R-201"] == runs["R-201"][:2000]
    other = ran(demo(plant, seed=2), range(1, 101))["R-201"]
    pairs = zip(other, runs["R-201"], strict=False)
    assert sum(a["product_temperature"] != b["product_temperature"] for a, b in pairs) > 80


def shown_by(device: Device, speed: float, plant_seconds: list[int]) -> list[list[Value | None]]:
    """All tags at the given plant seconds, read through a source whose time runs at `speed`."""
    wall = {"ns": 0}
    live = Live([ReactorUnit(unit_plan("R-201"), seed=3)], PlantTime(speed, lambda: wall["ns"], lambda: wall["ns"]))
    points = [live.point(device, tag) for tag in device.tags]
    rows = []
    for second in plant_seconds:
        wall["ns"] = round(second / speed * 1e9) + 1
        live.refresh()
        rows.append([point().value for point in points])
    return rows


def test_the_run_is_the_same_at_any_speed(plant: Plant) -> None:
    device = plant.endpoints[0].devices[0]
    seconds = [1, 2, 600, 601, 2500, *([7777] if THOROUGH else [])]
    slow = shown_by(device, 1.0, list(range(1, seconds[-1] + 1)))
    assert [slow[second - 1] for second in seconds] == shown_by(device, 100.0, seconds) == shown_by(device, 0.5, seconds)
