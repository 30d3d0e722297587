"""Deviations and expressions as people are shown them: value, level and state, and never a good one that is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.show.picture import Span, TagPicture
from drivers.base import Status
from tests.unit.show.test_picture import Watched

LIMITS: list[dict[str, object]] = [
    {"role": "temperature", "sp_role": "N", "nor": [-1, 1], "par": [-2, 2], "deadband": 0.5, "phase": "Dose", "cpp": True},
    {"role": "temperature", "sp_role": "N", "statistic": "mean", "window_s": 3, "nor": [-1, 1]},
    {"name": "ratio", "expression": "temperature /\n pressure", "alarm": {"h": 50}},
    {"name": "cold", "expression": "temperature < 70 and pressure > 1"},
]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    of = Watched(tmp_path, limits=LIMITS)
    yield of
    of.journal.close()


def rows(watched: Watched) -> dict[str, TagPicture]:
    (unit,) = watched.paint().units
    return {row.name: row for row in unit.relations}


def test_value_level_and_state_of_each(watched: Watched) -> None:
    watched.scan(TT=66.0, N=64)
    found = rows(watched)
    assert list(found) == ["TT − N", "ratio", "cold"]
    deviation = found["TT − N"]
    assert (deviation.shown, deviation.engineering_unit, deviation.state) == ("2.0", "°C", "alert")
    assert (deviation.relation, deviation.range) == ("temperature − N", None)
    assert [(row.statistic, row.nor) for row in deviation.limits] == [
        ("deviation", Span(-1, 1)),
        ("mean deviation over 3 s", Span(-1, 1)),
    ]
    assert [breach.text for breach in deviation.breaches] == ["above NOR 1 °C"]
    assert (found["ratio"].shown, found["ratio"].relation, found["ratio"].state) == ("46.48", "temperature / pressure", "ok")
    assert (found["cold"].shown, found["cold"].value, found["cold"].state) == ("met", True, "ok")
    watched.scan(TT=71.0, N=71)
    assert (rows(watched)["cold"].shown, rows(watched)["cold"].state) == ("NOT MET", "alert")
    assert rows(watched)["cold"].breaches[0].text == "condition not met"


def test_what_is_not_known_is_not_shown_as_good_and_its_age_runs(watched: Watched) -> None:
    watched.scan(TT=65.0, N=65)
    watched.scan({"PT": Status.BAD_SENSOR_FAILURE}, TT=65.0, N=65)
    watched.scan({"PT": Status.BAD_SENSOR_FAILURE}, TT=65.0, N=65)
    found = rows(watched)
    assert (found["ratio"].quality, found["ratio"].age_s, found["ratio"].state) == ("bad", 2.0, "not evaluable")
    assert found["ratio"].status == "an operand is missing, bad or too old, or the result is no number"
    assert found["TT − N"].quality == "good"
    assert watched.unit().state == "not evaluable"
    watched.clock.time_ns += 10_000_000_000
    assert {row.quality for row in rows(watched).values()} == {"stale"}


def test_a_digit_never_crosses_the_level_and_a_deadband_says_so(watched: Watched) -> None:
    watched.scan(TT=66.0404, N=65)
    assert rows(watched)["TT − N"].shown == "1.04"
    watched.scan(TT=65.7, N=65)
    assert rows(watched)["TT − N"].breaches[0].text == "was above NOR 1 °C, not yet back by the deadband"


def test_an_excursion_of_a_deviation_is_told_apart_from_that_of_its_tag(watched: Watched) -> None:
    watched.scan(TT=65.0, N=61)
    (excursion,) = watched.paint().excursions
    assert (excursion.tag, excursion.statistic, excursion.peak) == ("TT deviation", "deviation", "4.0")
    assert excursion.coverage == 1.0


def test_alarms_of_an_expression_have_its_digits_and_the_rate_is_shown(watched: Watched) -> None:
    watched.scan(TT=65.0, PT=1.0, N=65)
    alarms = watched.paint().alarms
    assert {(alarm.tag, alarm.limit, alarm.value) for alarm in alarms.shown} == {
        ("ratio", "above H 50", "65.00"),
        ("cold", "condition not met", ""),
    }
    assert (alarms.calls, alarms.counted_s, alarms.flood_since) == (2, 1.0, "")
