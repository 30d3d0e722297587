"""The timeline on virtual time: each kind has its effect, begins and ends when it should, however time goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from simulators.scenario import Scenario
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_SENSOR_FAILURE, GOOD, SimulationError
from simulators.upset import Upset
from tests.unit.simulators.small_plant import PLANT, scenario
from tests.unit.simulators.virtual import VirtualPlant

TIMELINE = """\
units:
  R-201: {recipe: quick.yaml, head_start: 2min}
timeline:
  - {at: 1min, upset: flat_line, target: TT-201A, for: 20s}
  - {at: 1min, upset: flat_line, target: EXTRA, value: 42, for: 20s}
  - {at: 70, upset: spike, target: TT-201B, value: 40}
  - {at: 90, upset: offset, target: TT-201B, value: -3, for: 30s}
  - {at: 100, upset: dropout, target: TT-202, for: 10s}
  - {at: 105, upset: node_gone, target: TT-202, for: 10s}
  - {at: 100, upset: uncertain, target: PT-201, for: 5s}
  - {at: 2min, upset: stirrer_trip, target: R-201, for: 2min}
  - {in: {unit: R-201, phase: Dose, after: 1min}, upset: dosing_too_fast, target: R-201, value: 3, for: 3min}
  - {at: 4min, upset: freeze, target: r201-opcua, for: 30s}
  - {at: 4min, upset: silent, target: r301-plc, for: 40s}
  - {at: 25min, upset: hold, target: R-201}
"""


def plant(tmp_path: Path, text: str = TIMELINE, speed: float = 1.0) -> VirtualPlant:
    return VirtualPlant(PLANT, scenario(tmp_path, text), speed=speed, folder=tmp_path)


def happened_in(tmp_path: Path, step_s: int, until_s: int = 1800) -> VirtualPlant:
    virtual = plant(tmp_path)
    for second in range(0, until_s + 1, step_s):
        virtual.advance_to(second)
    return virtual


def test_the_log_is_the_timeline(tmp_path: Path) -> None:
    virtual = happened_in(tmp_path, 60)
    dose = [each for each in virtual.happenings if each[2] == "dosing_too_fast"]
    assert [each for each in virtual.happenings if each[2] != "dosing_too_fast"] == [
        (60, "begins", "flat_line", "TT-201A"),
        (60, "begins", "flat_line", "EXTRA"),
        (70, "begins", "spike", "TT-201B"),
        (71, "ends", "spike", "TT-201B"),
        (80, "ends", "flat_line", "TT-201A"),
        (80, "ends", "flat_line", "EXTRA"),
        (90, "begins", "offset", "TT-201B"),
        (100, "begins", "dropout", "TT-202"),
        (100, "begins", "uncertain", "PT-201"),
        (105, "ends", "uncertain", "PT-201"),
        (105, "begins", "node_gone", "TT-202"),
        (110, "ends", "dropout", "TT-202"),
        (115, "ends", "node_gone", "TT-202"),
        (120, "ends", "offset", "TT-201B"),
        (120, "begins", "stirrer_trip", "R-201"),
        (240, "ends", "stirrer_trip", "R-201"),
        (240, "begins", "freeze", "r201-opcua"),
        (240, "begins", "silent", "r301-plc"),
        (270, "ends", "freeze", "r201-opcua"),
        (280, "ends", "silent", "r301-plc"),
        (1500, "begins", "hold", "R-201"),
    ]
    assert [each[1] for each in dose] == ["begins", "ends"]
    assert dose[1][0] - dose[0][0] == 180
    assert virtual.endpoints["r201-opcua"].happened == [("begins", "freeze", "r201-opcua"), ("ends", "freeze", "r201-opcua")]
    assert virtual.endpoints["r301-modbus"].happened == [("begins", "silent", "r301-plc"), ("ends", "silent", "r301-plc")]


def test_values_and_log_are_the_same_however_time_is_advanced(tmp_path: Path) -> None:
    seconds = [60, 71, 100, 106, 121, 600, 1500, 1740]
    wide = plant(tmp_path).all_at(seconds)
    narrow = plant(tmp_path, speed=7.0)
    every = narrow.all_at(range(1, 1741))
    assert [every[second - 1] for second in seconds] == wide
    assert happened_in(tmp_path, 60, 1740).happenings == narrow.happenings


def test_every_instrument_upset_has_its_effect_and_ends(tmp_path: Path) -> None:
    upset, quiet = plant(tmp_path), plant(tmp_path, TIMELINE.partition("timeline")[0])
    rows = {}
    for second in range(58, 125):
        upset.advance_to(second)
        quiet.advance_to(second)
        rows[second] = {
            tag: (upset.reading(tag), quiet.reading(tag)) for tag in ("TT-201A", "TT-201B", "TT-202", "PT-201", "EXTRA")
        }

    def off(second: int, tag: str) -> float:
        shown, right = rows[second][tag]
        return float(shown.value or 0.0) - float(right.value or 0.0)

    assert {rows[second]["TT-201A"][0].value for second in range(60, 80)} == {rows[60]["TT-201A"][1].value}
    assert {rows[second]["EXTRA"][0].value for second in range(60, 80)} == {42.0}
    assert [off(second, "TT-201A") for second in (59, 80, 81)] == [0, 0, 0]
    assert [off(second, "TT-201B") for second in (69, 70, 71)] == [0, pytest.approx(40, abs=0.011), 0]
    assert [off(second, "TT-201B") for second in (89, 90, 119, 120)] == [0, *[pytest.approx(-3, abs=0.011)] * 2, 0]
    statuses = {second: rows[second]["TT-202"][0].status for second in (99, 100, 105, 109, 114, 115)}
    gone, failed = BAD_NODE_ID_UNKNOWN, BAD_SENSOR_FAILURE
    assert statuses == {99: 0, 100: failed, 105: gone, 109: gone, 114: gone, 115: 0}
    assert rows[100]["TT-202"][0].value is None
    uncertain = rows[102]["PT-201"][0]
    assert (uncertain.status >> 30, uncertain.value) == (1, rows[102]["PT-201"][1].value)


def test_process_upsets_act_on_the_process_and_operators_on_the_recipe(tmp_path: Path) -> None:
    virtual = plant(tmp_path)
    virtual.advance_to(119)
    assert virtual.value("ST-201") > 50
    virtual.advance_to(200)
    assert virtual.value("ST-201") == 0.0
    virtual.advance_to(300)
    assert virtual.value("ST-201") > 50
    virtual.advance_to(1800)
    assert virtual.reading("STATE").value in (5, 6), "Holding or Held"


def test_an_entry_in_a_phase_begins_in_every_batch_or_in_the_one_it_names(tmp_path: Path) -> None:
    every = "{in: {unit: R-201, phase: Charge, after: 30s}, upset: noise, target: TT-201A, for: 10s}"
    second = "{in: {unit: R-201, phase: Charge, after: 30s, batch: 2}, upset: noise, target: TT-201B, for: 10s}"
    units = "units: {R-201: {recipe: quick.yaml}}\n"
    virtual = plant(tmp_path, f"{units}timeline: [{every}, {second}]\n")
    virtual.advance_to(3_000)
    found = {
        target: [(plant_s, what) for plant_s, what, _, at in virtual.happenings if at.endswith(target)]
        for target in ("TT-201A", "TT-201B")
    }
    assert [what for _, what in found["TT-201A"]] == ["begins", "ends"] * 2
    assert found["TT-201B"] == found["TT-201A"][2:]


def test_somebody_who_asks_is_answered_and_the_value_of_this_second_changes() -> None:
    virtual = VirtualPlant(PLANT)
    virtual.advance_to(50)
    board, live, before = virtual.simulation.board, virtual.simulation.live, virtual.value("TT-201A")
    version = live.refresh()
    board.begin(Upset("offset", "R-201/TT-201A", 5.0))
    assert live.refresh() > version
    assert virtual.value("TT-201A") == pytest.approx(before + 5, abs=0.011)
    with pytest.raises(SimulationError, match="no offset of TT-201B is active; active are: offset of R-201/TT-201A 5"):
        board.end("offset", "TT-201B")
    assert board.end("offset", "R-201/TT-201A") == 1
    assert virtual.value("TT-201A") == before
    assert [each.by for each in board.happenings] == ["command", "command"]


@pytest.mark.parametrize(
    ("tag", "value", "shown"),
    [
        ("STATE", "Running", 1),
        ("STATE", 7.0, 7),
        ("STEP", 40.0, 40),
        ("R-201/PHASE", "Dose", "Dose"),
        ("R-201/PHASE", 7.0, "7"),
        ("R-201/PHASE", 2024001.0, "2024001"),
        ("NAMED", "Hold", 5),
        ("NAMED", 5.0, 5),
        ("XS-201", 1.0, True),
    ],
)
def test_a_flat_line_stands_where_it_is_told_in_the_words_of_its_tag(tag: str, value: float | str, shown: object) -> None:
    virtual = VirtualPlant(PLANT)
    virtual.simulation.board.begin(Upset("flat_line", tag, value))
    assert virtual.reading(tag.rpartition("/")[2]) == (shown, GOOD, 0)


def test_an_operator_is_told_what_the_recipe_refuses() -> None:
    virtual = VirtualPlant(PLANT, Scenario())
    virtual.advance_to(10)
    with pytest.raises(SimulationError, match="unit R-201: RESTART is refused: the batch is Running"):
        virtual.simulation.board.begin(Upset("restart", "R-201"))


def test_an_operator_leads_a_recipe_that_does_nothing_by_itself(tmp_path: Path) -> None:
    virtual = plant(tmp_path, "units: {R-201: {recipe: exothermic-dosing-gmp}}\ntimeline: []\n")
    board, states = virtual.simulation.board, []
    commands = {10: "pause", 1000: "resume", 1010: "hold", 1100: "restart", 1500: "abort", 4000: "reset"}
    for second, command in commands.items():
        virtual.advance_to(second)
        board.begin(Upset(command, "R-201"))
        virtual.advance_to(second + 5)
        states.append(virtual.value("STATE"))
    assert states == [3, 1, 6, 7, 10, 0]


def test_a_number_without_an_instrument_is_no_place_for_noise() -> None:
    virtual = VirtualPlant(PLANT)
    with pytest.raises(SimulationError, match="STEP is a number in the controller without an instrument"):
        virtual.simulation.board.begin(Upset("noise", "STEP"))


def test_what_is_logged_is_what_is_recorded(tmp_path: Path) -> None:
    with capture_logs() as logs:
        virtual = happened_in(tmp_path, 60, 300)
    told = [(line["plant_s"], line["event"].removeprefix("upset "), line["kind"], line["target"]) for line in logs]
    assert told == virtual.happenings
    assert len(told) > 15
    assert logs[0] == {
        "event": "upset begins", "kind": "flat_line", "target": "TT-201A", "lasts": "20s", "plant_s": 60, "by": "timeline",
        "log_level": "info",
    }  # fmt: skip
