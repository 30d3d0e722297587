"""Reading a scenario: what is written is what happens, and whatever cannot happen is a fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.faults import ConfigError
from simulators.spans import span_s, span_text
from simulators.upset import Upset
from tests.unit.simulators.small_plant import scenario


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        scenario(tmp_path, text)
    return [str(fault).partition("scenario.yaml:")[2] for fault in caught.value.faults]


def fault(tmp_path: Path, entry: str) -> str:
    (told,) = faults(tmp_path, f"timeline:\n  - {entry}\n")
    return told


def test_what_is_written_is_what_the_scenario_holds(tmp_path: Path) -> None:
    held = scenario(
        tmp_path,
        "units:\n"
        "  R-201: {vessel: pilot_100l, head_start: 1h50min, first_batch: 7}\n"
        "timeline:\n"
        "  - {at: 1h20min, upset: cooling_failure, target: R-201, for: 10min}\n"
        "  - in: {unit: R-201, phase: Dose, after: 20min, batch: 1}\n"
        "    upset: dosing_too_fast\n"
        "    target: R-201\n"
        "    value: 2.85\n"
        "    for: 14min\n"
        "  - {at: 90, upset: dropout, target: TT-301A, value: BadNotConnected}\n"
        "  - {at: 0.5h, upset: exception, target: r301-plc, value: 6, for: 1.5min}\n",
    )
    (unit,) = held.units
    assert (unit.name, unit.vessel, unit.recipe, unit.head_start, unit.first_batch) == (
        "R-201",
        "pilot_100l",
        "exothermic-dosing",
        6600,
        7,
    )
    first, second, third, fourth = held.timeline
    assert (first.at, first.begun) == (4800, Upset("cooling_failure", "R-201", None, 600))
    assert second.moment is not None
    assert (second.moment.unit, second.moment.phase, second.moment.after, second.moment.batch) == ("R-201", "Dose", 1200, 1)
    assert second.begun == Upset("dosing_too_fast", "R-201", 2.85, 840)
    assert (third.at, third.begun) == (90, Upset("dropout", "TT-301A", "BadNotConnected"))
    assert (fourth.at, fourth.begun) == (1800, Upset("exception", "r301-plc", 6.0, 90))


def test_an_empty_scenario_is_none(tmp_path: Path) -> None:
    assert scenario(tmp_path, "timeline: []\n").timeline == ()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "{at: 1min, upset: coolng_failure, target: R-201}",
            "no upset is called 'coolng_failure'; did you mean 'cooling_failure'?",
        ),
        ("{at: 1min, upset: cooling_failure, target: R-202}", "there is no 'R-202'; cooling_failure is for a unit; did you mean"),
        ("{at: 1min, upset: freeze, target: R-201}", "'R-201' is a unit; freeze is for an endpoint"),
        ("{at: 1min, upset: offset, target: TT-201A}", "offset needs a value: how far (EU)"),
        ("{at: 1min, upset: offset, target: TT-201A, value: a lot}", "'a lot' is no number: offset takes the how far"),
        ("{at: 1min, upset: cooling_failure, target: R-201, value: 2}", "2 does not fit"),
        ("{at: 1min, upset: freeze, target: r201-opcua, value: 2}", "freeze takes no value"),
        ("{at: 1min, upset: exception, target: r301-plc, value: 1.5}", "1.5 is no whole number"),
        ("{at: 1min, upset: dropout, target: TT-201A, value: BadNotConected}", "did you mean 'BadNotConnected'?"),
        ("{at: -5min, upset: stirrer_trip, target: R-201}", "'-5min' is before the beginning"),
        ("{at: soon, upset: stirrer_trip, target: R-201}", "'soon' is no span of time"),
        ("{at: 1min, upset: stirrer_trip, target: R-201, for: 0}", "lasts no time"),
        ("{upset: stirrer_trip, target: R-201}", "say when: either at: 1h20min, or in:"),
        ("{at: 1min, in: {unit: R-201, phase: Dose}, upset: stirrer_trip, target: R-201}", "say when: either"),
        ("{at: 1min, upset: hold, target: R-201, for: 5min}", "hold of a unit happens once: leave the duration out"),
        ("{at: 1min, upset: exception, target: r201-opcua}", "speaks OPC UA, which has no exception"),
        ("{at: 1min, upset: uncertain, target: TT-301A}", "speaks Modbus, which has no uncertain"),
        ("{at: 1min, upset: noise, target: PHASE}", "'PHASE' is a tag of several units: write R-201/PHASE or R-301/PHASE"),
        ("{at: 1min, upset: offset, target: STATE, value: 1}", "STATE is an enumeration: offset needs a number"),
        ("{at: 1min, upset: flat_line, target: TT-201A, value: high}", "'high' is no number"),
        ("{at: 1min, upset: flat_line, target: STATE, value: Runing}", "'Runing' is no state of STATE; did you mean 'Running'?"),
        ("{at: 1min, upset: flat_line, target: STEP, value: 1.5}", "1.5 is no whole number, and STEP is integer"),
        ("{at: 1min, upset: flat_line, target: TT-201A, value: .inf}", "inf is no number that a plant can have"),
        (
            "{at: 1min, upset: spike, target: TT-201A, value: .nan}",
            "nan is no number that a plant can have: spike takes",
        ),
        ("{at: 1min, upset: jacket_leak, target: R-201, value: .nan}", "nan is no number that a plant can have"),
        ("{at: 1min, upset: drift, target: TT-201A, value: 1.0e+308}", "1e+308 does not fit: drift takes the speed"),
        (
            "{in: {unit: R-201, phase: Doze}, upset: stirrer_trip, target: R-201}",
            "the recipe has no phase 'Doze'; did you mean 'Dose'?",
        ),
        ("{in: {unit: R-999, phase: Dose}, upset: stirrer_trip, target: R-201}", "the plant has no unit 'R-999'"),
        ("{at: 1min, upset: stirrer_trip, target: R-201, four: 5min}", "unknown key; did you mean 'for'?"),
    ],
)
def test_what_cannot_happen_is_a_fault_that_says_what_would_be_right(tmp_path: Path, entry: str, told: str) -> None:
    said = fault(tmp_path, entry)
    assert said.startswith("2: timeline[1]")
    assert told in said


def test_all_faults_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        "units:\n"
        "  R-201: {vessel: bucket}\n"
        "  R-203: {recipe: exothermic-dosing}\n"
        "  R-301: {recipe: exotermic-dosing}\n"
        "timeline:\n"
        "  - {at: 1min, upset: stirer_trip, target: R-201, for: never}\n"
        "  - {at: 1min, upset: stirrer_trip, target: R-201}\n"
        "  - {at: 1min, upset: spike, target: TT-999}\n",
    )
    assert [line.partition(":")[0] for line in said] == ["2", "3", "4", "6", "6", "8", "8"] or len(said) >= 6
    assert [
        text
        for line in said
        for text in ("bucket", "R-203", "exotermic-dosing", "stirer_trip", "never", "TT-999")
        if text in line
    ]
    assert {line.partition(":")[0] for line in said} == {"2", "3", "4", "6", "8"}


def test_two_of_a_kind_at_one_target_must_not_overlap(tmp_path: Path) -> None:
    first = "timeline:\n  - {at: 10min, upset: offset, target: TT-201A, value: 2, for: 5min}\n"
    assert "it would have to end 2min earlier" in "".join(
        faults(tmp_path, first + "  - {at: 13min, upset: offset, target: TT-201A, value: 3}\n")
    )
    assert "the two overlap" in "".join(faults(tmp_path, first + "  - {at: 10min, upset: offset, target: TT-201A, value: 3}\n"))
    assert "the two overlap" in "".join(faults(tmp_path, first + "  - {at: 5min, upset: offset, target: TT-201A, value: 3}\n"))
    for fine in (
        "{at: 15min, upset: offset, target: TT-201A, value: 3}",
        "{at: 13min, upset: offset, target: TT-201B, value: 3}",
    ):
        assert len(scenario(tmp_path, f"{first}  - {fine}\n").timeline) == 2


def test_a_file_that_is_no_scenario_is_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, "- at: 5\n")
    assert "unknown key; did you mean 'timeline'?" in faults(tmp_path, "timelin: []\n")[0]


@given(st.integers(0, 366 * 86_400))
def test_a_span_that_is_told_is_read_back(seconds: int) -> None:
    assert span_s(span_text(seconds)) == seconds


@given(st.text(max_size=12) | st.floats() | st.booleans() | st.none() | st.lists(st.integers(), max_size=2))
def test_no_span_is_ever_negative_endless_or_a_traceback(written: object) -> None:
    try:
        seconds = span_s(written)
    except ValueError as exc:
        assert "write e.g. 1h20min" in str(exc)
    else:
        assert 0 <= seconds <= 366 * 86_400
