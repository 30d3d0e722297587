"""Built-in plants: what is written is what is served, and there is something sound behind every tag."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import pytest

from config.load import load, load_with_warnings
from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from simulators.farm import LARGEST, TAGS_PER_REACTOR, Protocol, farm, farm_files, write_files
from simulators.scenario import load_scenario
from simulators.source import SimulationError
from tests.unit.simulators.virtual import VirtualPlant

EXAMPLES = files("config") / "examples"


@pytest.mark.parametrize(
    ("protocol", "kinds"),
    [("both", [OpcUaEndpoint, OpcUaEndpoint, ModbusEndpoint]), ("opcua", [OpcUaEndpoint] * 3), ("modbus", [ModbusEndpoint] * 3)],
)
def test_a_farm_is_what_its_files_say(tmp_path: Path, protocol: Protocol, kinds: list[type]) -> None:
    write_files(farm_files(3, protocol, "many.yaml"), tmp_path)
    written, warnings = load_with_warnings(tmp_path / "many.yaml")
    served = farm(3, protocol)
    assert warnings == ()
    assert written == served
    assert [type(endpoint) for endpoint in served.endpoints] == kinds
    assert len({endpoint.port for endpoint in served.endpoints}) == 3
    assert [len(endpoint.devices[0].tags) for endpoint in served.endpoints] == [TAGS_PER_REACTOR] * 3
    assert TAGS_PER_REACTOR == 50


@pytest.mark.parametrize("count", [0, -1, LARGEST + 1])
def test_a_farm_of_no_size_is_refused(count: int) -> None:
    with pytest.raises(SimulationError, match=f"a farm of {count} reactors cannot be served: give 1 to 400"):
        farm(count)


def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "many-modbus.csv").write_text("mine")
    with pytest.raises(SimulationError, match=r"many-modbus\.csv is there already"):
        write_files(farm_files(2, "both", "many.yaml"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["many-modbus.csv"]
    with pytest.raises(SimulationError, match="cannot be written"):
        write_files(farm_files(2, "both", "many.yaml"), tmp_path / "absent")


def practice() -> Plant:
    with as_file(EXAMPLES / "practice-plant.yaml") as file:
        return load(file)


def test_the_practice_plant_has_no_fault_and_no_warning() -> None:
    with as_file(EXAMPLES / "practice-plant.yaml") as file:
        _, warnings = load_with_warnings(file)
    assert warnings == ()


def test_its_first_reactor_has_the_whole_tag_list_of_a_glass_lined_reactor() -> None:
    names = {tag.name for device, tag in practice().tags() if device.unit_of(tag) == "R-201"}
    assert names >= {
        "TT-201A", "TT-201B", "TT-202", "TT-203", "TIC-201.SP", "TIC-201.OP", "TIC-201.MODE", "PT-201", "PT-202", "ST-201",
        "JT-201", "WT-201", "FT-205", "WT-205", "FT-202", "AT-201", "TT-204", "FT-206", "BATCH_ID", "UNIT_PROC", "OPERATION",
        "PHASE", "STATE", "RECIPE_ID", "RECIPE_VER", "STEP_NO",
    }  # fmt: skip
    assert sum(name.startswith("XV-") for name in names) >= 5
    assert names >= {"TSHH-201", "PSHH-201", "SSLL-201"}


def test_its_modbus_side_is_several_devices_behind_one_gateway() -> None:
    (gateway,) = (endpoint for endpoint in practice().endpoints if isinstance(endpoint, ModbusEndpoint))
    assert [device.unit_id for device in gateway.devices] == [1, 2, 3]
    tags = [tag for device in gateway.devices for tag in device.tags]
    assert {tag.word_order for tag in tags} == {"ABCD", "CDAB", "BADC", "DCBA"}
    assert {tag.table for tag in tags} == {"coil", "discrete", "input", "holding"}
    assert any(tag.scale != 1 and tag.wire_type.startswith("int") for tag in tags)
    assert gateway.devices[1].forbidden


@pytest.mark.parametrize("built_in", ["practice", "farm"])
def test_there_is_something_sound_behind_every_tag(built_in: str) -> None:
    plant = practice() if built_in == "practice" else farm(2)
    with as_file(EXAMPLES / "practice-scenario.yaml") as file:
        scenario = load_scenario(file, plant) if built_in == "practice" else None
    virtual = VirtualPlant(plant, scenario)
    for second in (0, 1, 900):
        (readings,) = virtual.all_at([second])
        bad = [tag.name for (_, tag), reading in zip(plant.tags(), readings, strict=True) if reading.bad or reading.value is None]
        assert bad == []
    outside = [
        f"{tag.name} {reading.value}"
        for (_, tag), reading in zip(plant.tags(), readings, strict=True)
        if tag.range and isinstance(reading.value, float) and reading.value not in tag.range
    ]
    assert outside == []
