"""Which row holds, which rules it makes, and deadbands nobody wrote."""

from __future__ import annotations

from itertools import product

import pytest

from collector.monitor.judge import Judge
from collector.monitor.limits import limits_for, rules_of
from collector.terms import Stamp
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column
from tests.unit.monitor.judged import DOSE, HOLD, changes, column, layout, limit, run
from tests.unit.monitor.rule_machine import fitting

ONE = layout()
WIDE = column(low=0.0, high=200.0)


def deadbands(about: Column, **fields: object) -> dict[str, float]:
    return {rule.name: rule.deadband for rule in rules_of(0, limit(**fields), about)}


def test_of_all_rows_that_fit_the_one_that_names_the_phase_then_the_unit_then_the_recipe_then_the_product_holds() -> None:
    """Every pair of the sixteen ways to name things."""
    stamp = Stamp(batch="B-1", phase="Dose", product="A", recipe_version="1")
    ways: list[Limit] = []
    for phase, unit, recipe, name in product(("Dose", None), ("R-201", None), ("1", None), ("A", None)):
        ways.append(limit(phase=phase, unit=unit, recipe_version=recipe, product=name, par=[0, 10]))
    for first, second in product(ways, ways):
        (held,) = [row for _, row in limits_for([first, second], ONE, [stamp])]
        assert held in fitting([first, second], "R-201", "t", stamp)
        assert [held] == [row for _, row in limits_for([second, first], ONE, [stamp])], "the order of the rows decides nothing"


@pytest.mark.parametrize(
    "names", [{"phase": "Hold"}, {"unit": "R-202"}, {"recipe_version": "2"}, {"product": "B"}, {"phase": "Dose", "product": "B"}]
)
def test_a_row_that_names_something_else_does_not_hold(names: dict[str, str]) -> None:
    stamp = Stamp(batch="B-1", phase="Dose", product="A", recipe_version="1")
    assert limits_for([limit(par=[0, 10], **names)], ONE, [stamp]) == []


def test_statistics_and_windows_do_not_displace_each_other() -> None:
    rows = [
        limit(par=[0, 10]),
        limit(phase="Dose", statistic="mean", window_s=60.0, nor=[0, 9]),
        limit(statistic="mean", window_s=10.0, nor=[0, 8]),
        limit(statistic="max", window_s=10.0, nor=[0, 7]),
    ]
    assert [row for _, row in limits_for(rows, ONE, [DOSE])] == rows


def test_columns_of_one_role_in_two_units_have_the_limits_of_their_own_unit() -> None:
    two = layout(column("t", "R-201"), column("t", "R-202"))
    rows = [limit(par=[0, 10]), limit(unit="R-202", par=[0, 20]), limit(phase="Hold", par=[0, 30])]
    assert limits_for(rows, two, [DOSE, DOSE]) == [(0, rows[0]), (1, rows[1])]
    assert limits_for(rows, two, [HOLD, DOSE]) == [(0, rows[2]), (1, rows[1])]


def test_only_numbers_have_limits() -> None:
    of = layout(*(Column("T", "t", f"R-{n}", kind) for n, kind in enumerate(Kind)))
    held = limits_for([limit(par=[0, 10])], of, [DOSE] * len(Kind))
    assert [of.columns[index].kind for index, _ in held] == [Kind.REAL, Kind.INTEGER]


def test_every_level_is_a_rule_and_null_is_none() -> None:
    row = limit(nor=[2, 8], par=[None, 10], alarm={"ll": -5, "h": 7, "hh": 12}, deadband=0.5)
    rules = {(rule.name, rule.side, rule.level) for rule in rules_of(0, row, WIDE)}
    assert rules == {
        ("NOR low", "low", 2), ("NOR high", "high", 8), ("PAR high", "high", 10),
        ("LL", "low", -5), ("H", "high", 7), ("HH", "high", 12),
    }  # fmt: skip


def test_a_default_deadband_is_a_hundredth_of_the_range() -> None:
    assert deadbands(WIDE, nor=[20, 100], alarm={"h": 90})["NOR high"] == pytest.approx(2.0)
    assert deadbands(WIDE, alarm={"h": 90}) == {"H": pytest.approx(2.0)}


@pytest.mark.parametrize("bounds", [[63, 67], [-0.001, 0.001], [100, 100.5]])
def test_a_default_deadband_is_at_most_a_tenth_of_the_band(bounds: list[float]) -> None:
    most = (bounds[1] - bounds[0]) / 10
    found = deadbands(WIDE, par=bounds, nor=bounds)
    assert all(deadband <= most * (1 + 1e-12) for deadband in found.values())
    assert deadbands(WIDE, alarm={"l": bounds[0], "h": bounds[1]}) == {"L": pytest.approx(most), "H": pytest.approx(most)}


def test_par_and_hh_of_a_cpp_have_no_deadband_unless_it_is_written() -> None:
    row = {"nor": [20, 100], "par": [10, 120], "alarm": {"ll": 5, "l": 15, "h": 110, "hh": 130}, "cpp": True}
    found = deadbands(WIDE, **row)
    assert {name for name, deadband in found.items() if deadband == 0} == {"PAR low", "PAR high", "LL", "HH"}
    assert set(deadbands(WIDE, **row, deadband=0.5).values()) == {0.5}


def test_zero_may_be_written() -> None:
    assert deadbands(WIDE, nor=[20, 100], deadband=0.0) == {"NOR low": 0.0, "NOR high": 0.0}


def test_without_a_range_nothing_is_guessed() -> None:
    assert set(deadbands(column(), nor=[20, 100], par=[10, 120]).values()) == {0.0}


def test_a_default_deadband_in_engineering_units_fits_no_std_and_no_slope() -> None:
    assert deadbands(WIDE, statistic="slope", window_s=60.0, nor=[None, 0.7]) == {"NOR high": 0.0}
    assert deadbands(WIDE, statistic="std", window_s=60.0, nor=[None, 0.7]) == {"NOR high": 0.0}


def test_the_level_is_inside_and_the_end_of_the_deadband_is_inside() -> None:
    """Once outside: back at 9.5 exactly, not at 9.6."""
    judge = Judge(ONE, [limit(nor=[1, 10], deadband=0.5)])
    samples = [10.0, 10.000001, 10.0, 9.6, 9.5, 10.0, 0.999999, 1.4, 1.5]
    told = run(judge, ONE, [(n, [sample], (DOSE,)) for n, sample in enumerate(samples)])
    assert changes(told) == [
        (1, "NOR high", "outside"),
        (4, "NOR high", "inside"),
        (6, "NOR low", "outside"),
        (8, "NOR low", "inside"),
    ]
