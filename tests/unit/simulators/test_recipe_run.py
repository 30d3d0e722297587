"""The run of a recipe on made-up readings: what leads on, what is asked for, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.reactor import Readings, TemperatureMode
from simulators.recipe.recipe import TRANSITIONS, BatchState, Command, Recipe, Run, advance, begun, context, inputs, refusal
from tests.unit.simulators.recipe_texts import SMALL, at_rest, recipe_of

CHARGED = {"contents_mass": 800.0}
HOT = {"product_temperature": 76.0}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return recipe_of(tmp_path_factory.mktemp("recipe"))


def after(run: Run, recipe: Recipe, seconds: int, shown: Readings) -> Run:
    for _ in range(seconds):
        run = advance(run, recipe, shown)
    return run


def heating(recipe: Recipe) -> Run:
    """At the first second of phase Heat."""
    run = after(begun(recipe), recipe, 20, at_rest(**CHARGED))
    assert recipe.phases[run.phase_index].name == "Heat" and run.phase_s == 0
    return run


def held(recipe: Recipe) -> Run:
    run = advance(after(heating(recipe), recipe, 10, at_rest()), recipe, at_rest(), Command.HOLD)
    run = after(run, recipe, 4, at_rest())
    assert run.state is BatchState.HELD
    return run


def test_a_phase_is_over_when_its_conditions_are_met_and_its_minimum_has_passed(small: Recipe) -> None:
    assert after(begun(small), small, 19, at_rest(**CHARGED)).phase_index == 0
    assert after(begun(small), small, 20, at_rest(**CHARGED)).phase_index == 1
    assert after(begun(small), small, 90, at_rest()).phase_index == 0


def test_a_condition_must_last_without_a_break(small: Recipe) -> None:
    inside, outside = at_rest(product_temperature=21.0), at_rest(product_temperature=22.0)
    broken = after(after(after(heating(small), small, 5, inside), small, 1, outside), small, 5, inside)
    assert broken.state is BatchState.RUNNING
    assert advance(broken, small, inside).state is BatchState.COMPLETE


def test_at_its_maximum_a_phase_is_held_or_goes_on_as_it_says(small: Recipe) -> None:
    late = after(begun(small), small, 100, at_rest())
    assert late.state is BatchState.HOLDING
    assert late.message == "HOLD because phase Charge is not over after 100 s"
    assert after(heating(small), small, 59, at_rest()).state is BatchState.RUNNING
    assert after(heating(small), small, 60, at_rest()).state is BatchState.COMPLETE


def test_after_a_restart_the_maximum_begins_anew(small: Recipe) -> None:
    run = advance(after(begun(small), small, 105, at_rest()), small, at_rest(), Command.RESTART)
    run = after(run, small, 50, at_rest())
    assert (run.state, run.phase_index) == (BatchState.RUNNING, 0)
    states = [after(run, small, second, at_rest()).state.word for second in (51, 52)]
    assert states == ["Running", "Holding"]


def test_a_setpoint_ramps_to_its_target_and_no_further(small: Recipe) -> None:
    run, setpoints = heating(small), []
    for _ in range(25):
        setpoints.append(inputs(run, small).temperature_setpoint_c)
        run = advance(run, small, at_rest())
    assert setpoints[:20] == pytest.approx([20 + 0.05 * second for second in range(1, 21)])
    assert setpoints[20:] == [21.0] * 5


def test_a_flow_grows_to_its_rate_and_starts_small_again_after_a_hold(small: Recipe) -> None:
    run = begun(small)
    assert [inputs(after(run, small, s, at_rest()), small).charge_kg_per_h for s in (0, 4, 9, 15)] == [160, 800, 1600, 1600]
    run = after(advance(after(run, small, 15, at_rest()), small, at_rest(), Command.HOLD), small, 6, at_rest())
    run = advance(run, small, at_rest(), Command.RESTART)
    rates = [inputs(after(run, small, second, at_rest()), small).charge_kg_per_h for second in range(4)]
    assert rates == [0, 0, 160, 320]


def test_held_by_command_flows_stop_and_time_in_the_phase_stands(small: Recipe) -> None:
    running = after(heating(small), small, 10, at_rest())
    assert inputs(running, small).dosing_kg_per_h == 100
    run = advance(running, small, at_rest(), Command.HOLD)
    asked = inputs(run, small)
    assert (asked.dosing_kg_per_h, asked.temperature_mode, asked.jacket_setpoint_c) == (0, TemperatureMode.JACKET, -10)
    assert asked.stirrer_speed_rpm == 80, "what a hold does not write stays as the phase has it"
    assert run.message == "HOLD by command"
    later = after(run, small, 500, at_rest())
    assert (later.state, later.phase_s, later.phase_index) == (BatchState.HELD, 11, 1)


def test_holding_lasts_until_it_is_safe(small: Recipe) -> None:
    run = advance(heating(small), small, at_rest(), Command.HOLD)
    assert after(run, small, 50, at_rest(dosing_rate=20.0)).state is BatchState.HOLDING
    assert [after(run, small, second, at_rest()).state.word for second in (2, 3)] == ["Holding", "Held"]


@pytest.mark.parametrize(
    ("changed", "seconds", "why"),
    [
        (HOT, 1, "HOLD because product_temperature is 76, at least 75"),
        ({"headspace_pressure": 2.0}, 1, "HOLD because headspace_pressure is 2, at least 2"),
        ({"stirrer_running": False}, 3, "HOLD because stirrer_running is false, false for 2 s"),
    ],
)
def test_conditions_of_the_recipe_and_of_the_phase_hold(small: Recipe, changed: dict[str, float], seconds: int, why: str) -> None:
    assert after(heating(small), small, seconds - 1, at_rest(**changed)).state is BatchState.RUNNING
    run = after(heating(small), small, seconds, at_rest(**changed))
    assert (run.state, run.message) == (BatchState.HOLDING, why)


def test_a_condition_of_one_phase_holds_no_other(small: Recipe) -> None:
    assert after(begun(small), small, 15, at_rest(headspace_pressure=3.0)).state is BatchState.RUNNING


def test_restarting_waits_for_its_conditions_and_ramps_from_what_is_measured(small: Recipe) -> None:
    cold = at_rest(product_temperature=12.0)
    run = advance(held(small), small, cold, Command.RESTART)
    asked = inputs(run, small)
    assert (run.state, asked.temperature_mode, asked.dosing_kg_per_h) == (BatchState.RESTARTING, TemperatureMode.PRODUCT, 0)
    assert asked.temperature_setpoint_c == pytest.approx(12.05)
    assert after(run, small, 9, at_rest(product_temperature=61.0)).state is BatchState.RESTARTING
    going = after(run, small, 2, cold)
    assert (going.state, inputs(going, small).dosing_kg_per_h) == (BatchState.RUNNING, 100)


def test_a_restart_ramps_from_what_is_measured_also_after_a_hold_on_the_product(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, SMALL.replace("temperature: {mode: jacket, setpoint_c: -10}", "temperature: {setpoint_c: 5}"))
    run = held(recipe)
    assert inputs(run, recipe).temperature_setpoint_c == 5
    asked = inputs(advance(run, recipe, at_rest(product_temperature=12.0), Command.RESTART), recipe)
    assert asked.temperature_setpoint_c == pytest.approx(12.05)


def test_in_another_mode_a_ramp_begins_at_what_is_measured_and_its_limit_is_passed_on(tmp_path: Path) -> None:
    jacket = (
        "temperature: {mode: jacket, setpoint_c: 90, ramp_k_per_min: 3, jacket_limit_c: 95}\n        receive_distillate: true"
    )
    recipe = recipe_of(tmp_path, SMALL.replace("temperature: {setpoint_c: 21, ramp_k_per_min: 3}", jacket))
    warm = at_rest(jacket_inlet_temperature=33.0)
    run = after(begun(recipe), recipe, 19, at_rest(**CHARGED))
    run = advance(run, recipe, at_rest(jacket_inlet_temperature=33.0, **CHARGED))
    asked = inputs(run, recipe)
    assert (asked.temperature_mode, asked.jacket_limit_c, asked.receive_distillate) == (TemperatureMode.JACKET, 95, True)
    assert asked.jacket_setpoint_c == pytest.approx(33.05)
    assert inputs(advance(run, recipe, warm), recipe).jacket_setpoint_c == pytest.approx(33.10), "then from the setpoint"
    paused = after(advance(run, recipe, warm, Command.PAUSE), recipe, 60, warm)
    assert (paused.state, inputs(paused, recipe).receive_distillate) == (BatchState.PAUSED, False)


def test_a_recipe_may_restart_by_itself(tmp_path: Path) -> None:
    text = SMALL.replace("restart:\n", "restart:\n  when: [{role: product_temperature, high: 70, for_s: 5}]\n")
    recipe = recipe_of(tmp_path, text)
    run = held(recipe)
    assert after(run, recipe, 50, at_rest(**HOT)).state is BatchState.HELD
    run = after(run, recipe, 6, at_rest())
    assert (run.state, run.message) == (BatchState.RESTARTING, "RESTART by the recipe")


def test_aborting_is_stronger_than_anything_and_ends_in_the_safe_state(small: Recipe) -> None:
    for begin in (heating(small), held(small)):
        run = advance(begin, small, at_rest(product_temperature=90.0, **CHARGED), Command.STOP)
        assert (run.state, run.message) == (BatchState.ABORTING, "ABORT because product_temperature is 90, at least 90")
        asked = inputs(run, small)
        assert (asked.temperature_mode, asked.discharge_kg_per_h, asked.dosing_kg_per_h) == (TemperatureMode.OFF, 9000, 0)
        assert after(run, small, 100, at_rest(**CHARGED)).state is BatchState.ABORTING
        states = [after(run, small, second, at_rest()).state.word for second in (1, 10, 11)]
        assert states == ["Aborted", "Aborted", "Idle"]


def test_an_abort_condition_of_a_phase_must_last(small: Recipe) -> None:
    states = [after(heating(small), small, second, at_rest(oxygen=9.0)).state.word for second in (3, 4)]
    assert states == ["Running", "Aborting"]


def test_stopped_waits_for_a_reset_where_the_recipe_has_none(small: Recipe) -> None:
    run = advance(heating(small), small, at_rest(), Command.STOP)
    assert (run.state, inputs(run, small).purge_nm3_per_h) == (BatchState.STOPPING, 4)
    run = after(run, small, 1000, at_rest())
    assert run.state is BatchState.STOPPED
    idle = advance(run, small, at_rest(), Command.RESET)
    assert (idle.state, context(idle, small)["phase"], context(idle, small)["batch_id"]) == (BatchState.IDLE, "Idle", "")
    assert context(run, small)["batch_id"] == "T-01"


def test_a_pause_lets_the_phase_end_and_resume_begins_the_next(small: Recipe) -> None:
    run = advance(after(begun(small), small, 12, at_rest()), small, at_rest(), Command.PAUSE)
    assert (run.state, inputs(run, small).charge_kg_per_h) == (BatchState.PAUSING, 1600), "the phase does not notice"
    run = after(run, small, 200, at_rest(**CHARGED))
    assert (run.state, run.phase_index, inputs(run, small).charge_kg_per_h) == (BatchState.PAUSED, 0, 0)
    run = advance(run, small, at_rest(), Command.RESUME)
    assert (run.state, run.phase_index, run.phase_s) == (BatchState.RUNNING, 1, 0)


def test_the_last_phase_may_be_paused_too(small: Recipe) -> None:
    run = advance(heating(small), small, at_rest(), Command.PAUSE)
    run = after(run, small, 60, at_rest())
    assert run.state is BatchState.PAUSED
    run = advance(run, small, at_rest(), Command.RESUME)
    assert (run.state, run.phase_index) == (BatchState.RUNNING, 1)
    assert after(run, small, 61, at_rest()).state is BatchState.COMPLETE


def test_a_whole_batch_and_the_next(small: Recipe) -> None:
    run = after(heating(small), small, 60, at_rest())
    assert (run.state, context(run, small)["phase"], context(run, small)["batch_id"]) == (BatchState.COMPLETE, "Heat", "T-01")
    assert inputs(run, small).dosing_kg_per_h == 0
    run = after(run, small, 60, at_rest(**CHARGED))
    assert (run.state, inputs(run, small).discharge_kg_per_h) == (BatchState.IDLE, 6000)
    assert after(run, small, 500, at_rest(**CHARGED)).state is BatchState.IDLE, "not before it is empty"
    run = after(run, small, 30, at_rest())
    assert (run.state, run.batch, run.phase_index) == (BatchState.RUNNING, 2, 0)
    assert context(run, small, first_batch=7)["batch_id"] == "T-08"
    assert [inputs(after(run, small, second, at_rest()), small).reset_totals for second in (0, 1)] == [True, False]


def test_without_repeat_a_start_is_waited_for_and_refused_while_the_unit_is_not_ready(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, SMALL.replace("batch_id: T-##", "batch_id: T-##\nrepeat: false"))
    run = begun(recipe, idle=True)
    assert after(run, recipe, 1000, at_rest()).state is BatchState.IDLE
    refused = advance(run, recipe, at_rest(contents_mass=640.0), Command.START)
    assert refused.state is BatchState.IDLE
    assert refused.message == "START is refused: the unit is not ready, contents_mass is 640, must be at most 0.5"
    started = advance(run, recipe, at_rest(), Command.START)
    assert (started.state, started.batch, context(started, recipe)["batch_id"]) == (BatchState.RUNNING, 1, "T-01")


def test_a_refused_command_changes_nothing_but_the_message(small: Recipe) -> None:
    run = heating(small)
    refused = advance(run, small, at_rest(), Command.RESTART)
    assert refused.message == "RESTART is refused: the batch is Running, which takes HOLD or PAUSE or STOP or ABORT"
    assert refusal(run, small, Command.RESTART, at_rest()) == refused.message
    assert replace(refused, message="") == advance(run, small, at_rest())
    assert refusal(run, small, Command.HOLD, at_rest()) is None


def test_the_context_names_procedure_operation_and_step(small: Recipe) -> None:
    assert context(heating(small), small) == {
        "batch_id": "T-01", "phase": "Heat", "phase_number": 3, "batch_state": 1, "product": "P-1", "recipe_version": "0.1",
        "step_number": 30, "unit_procedure": "Make P-1", "operation": "React",
    }  # fmt: skip


@st.composite
def days(draw: st.DrawFn) -> list[tuple[Readings, Command | None, int]]:
    """Stretches of readings, each begun with a command or none."""
    changes: dict[str, st.SearchStrategy[float]] = {
        "product_temperature": st.sampled_from([15.0, 21.0, 61.0, 76.0, 91.0]),
        "contents_mass": st.sampled_from([0.0, 400.0, 800.0]),
        "dosing_rate": st.sampled_from([0.0, 50.0]),
        "oxygen": st.sampled_from([0.0, 0.0, 9.0]),
        "stirrer_running": st.booleans(),
    }
    stretch = st.tuples(st.fixed_dictionaries({}, optional=changes), st.none() | st.sampled_from(Command), st.integers(1, 70))
    return [(at_rest(**changed), command, seconds) for changed, command, seconds in draw(st.lists(stretch, max_size=25))]


@settings(deadline=None)
@given(days())
def test_whatever_comes_the_run_keeps_to_the_table(small: Recipe, day: list[tuple[Readings, Command | None, int]]) -> None:
    moves = {(origin, target) for (origin, _), target in TRANSITIONS.items()}
    run = again = begun(small)
    for shown, command, seconds in day:
        for second in range(seconds):
            asked = command if second == 0 else None
            before, run, again = run, advance(run, small, shown, asked), advance(again, small, shown, asked)
            assert run == again, "the same readings and commands give the same run"
            assert run.state is before.state or (before.state, run.state) in moves
            same_phase = (run.batch, run.phase_index) == (before.batch, before.phase_index)
            assert before.phase_s <= run.phase_s <= before.phase_s + 1 if same_phase else run.phase_s == 0
            assert run.batch - before.batch in (0, 1)
            assert (run.state is BatchState.IDLE) == (run.phase_index == len(small.phases) - 1)
            flows = inputs(run, small)
            fed = flows.charge_kg_per_h + flows.dosing_kg_per_h + flows.seed_kg_per_h
            assert fed == 0 or run.state in (BatchState.RUNNING, BatchState.PAUSING)
