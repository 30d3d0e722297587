"""`reactorwatch check --live` against real servers: each contradiction is found, and what is lost costs itself only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.status_codes import StatusCodes

from collector.acquire.clock import PlantClock
from collector.survey.reading import Visit
from collector.survey.visit import DriversWords, visit
from config.model import ModbusEndpoint
from drivers.base import Quality
from drivers.opcua.properties import Description, ToldUnit
from tests.command_line import typed
from tests.servers import free_port
from tests.system.described_plant import DescribedPlant
from tests.system.modbus_peer import Request, Step, serving
from tests.system.modbus_peer import plant as modbus_plant
from tests.system.opcua_peers import endpoint_of, peer, silent
from tests.wire.lateness import where_it_is_prompt

V = ua.VariantType


@pytest.fixture(scope="module")
def plant() -> Iterator[DescribedPlant]:
    with DescribedPlant() as server:
        server.describe("TT201A", 64.9, unit="°C", code="CEL", range_=(-30, 200))
        server.describe("TT201B", 148.2, unit="°F", code="FAH", range_=(-22, 392))
        server.describe("TT202", 338.1, unit="K", code="KEL")
        server.describe("PT201", 1.2, unit="bar", code="BAR", description="bar absolute", range_=(0, 7))
        server.describe("PT202", 1.2, unit="bar(g)", code="BAR", range_=(0, 7))
        server.describe("PT203", 1013.0, unit="mbar", code="MBR")
        server.describe("ST201", 160.0, range_=(0, 200))
        server.describe("JT201", 3.0, age_s=3 * 3600)
        server.describe("XV201", "open", V.String)
        server.describe("WT201", 3.0, status=StatusCodes.BadSensorFailure)
        server.describe("AT201", [1.0, 2.0])
        server.describe("BATCH_ID", "B-1", V.String)
        yield server


TAGS: dict[str, dict[str, Any]] = {
    "TT-201A": {"address": "TT201A", "engineering_unit": "°C", "range": [-30, 200]},
    "TT-201B": {"address": "TT201B", "engineering_unit": "°C", "range": [-30, 200]},
    "TT-202": {"address": "TT202", "engineering_unit": "°C"},
    "PT-201": {"address": "PT201", "engineering_unit": "bar(a)", "range": [0, 7]},
    "PT-202": {"address": "PT202", "engineering_unit": "bar(a)", "range": [0, 7]},
    "PT-203": {"address": "PT203", "engineering_unit": "bar(a)"},
    "ST-201": {"address": "ST201", "range": [0, 150]},
    "JT-201": {"address": "JT201"},
    "XV-201": {"address": "XV201", "kind": "boolean"},
    "WT-201": {"address": "WT201"},
    "LT-201": {"address": "NOWHERE"},
    "BATCH_ID": {"address": "BATCH_ID", "kind": "text"},
}
EXPECTED = {
    "TT-201A": [],
    "TT-201B": ["fault unit °F"],
    "TT-202": ["fault unit K"],
    "PT-201": [],
    "PT-202": ["fault unit bar(g)"],
    "PT-203": ["fault unit mbar"],
    "ST-201": ["warning range", "warning outside"],
    "JT-201": ["warning old"],
    "XV-201": ["fault type String"],
    "WT-201": ["fault bad"],
    "LT-201": ["fault bad"],
    "BATCH_ID": [],
}


def placed(plant: DescribedPlant, tags: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**tag, "address": plant.address(tag["address"])} for name, tag in tags.items()}


def plant_file(folder: Path, plant: DescribedPlant, tags: dict[str, dict[str, Any]], *more: str) -> Path:
    file = folder / "plant.yaml"
    devices = json.dumps({"plc": {"unit": "R-201", "tags": placed(plant, tags)}}, ensure_ascii=False)
    endpoints = [f"  south: {{url: '{plant.url}', timeout_s: 60, devices: {devices}}}", *more]
    file.write_text("\n".join(["site: T", "units: {R-201: , R-301: }", "endpoints:", *endpoints, ""]), encoding="utf-8")
    return file


def check(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return typed("check", str(file), "--live", *options)


def check_in_a_process(file: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Where the words of the drivers matter: it takes them from the log, which has other ends in the process of tests."""
    command = [sys.executable, "-m", "collector", "check", str(file), "--live", *options]
    clean = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=clean, check=False)


def remarks_of(result: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    facts = json.loads(result.stdout)
    tags = [tag for endpoint in facts["endpoints"] for tag in endpoint["tags"]]
    return {tag["tag"]: [f"{each['level']} {each['short']}" for each in tag["remarks"]] for tag in tags}


def test_every_contradiction_is_found_and_nothing_else(plant: DescribedPlant, tmp_path: Path) -> None:
    result = check_in_a_process(plant_file(tmp_path, plant, TAGS), "--json")
    assert result.returncode == 1
    assert remarks_of(result) == EXPECTED
    facts = json.loads(result.stdout)
    assert (facts["faults"], facts["warnings"]) == (7, 3)
    tag = {tag["tag"]: tag for tag in facts["endpoints"][0]["tags"]}["TT-201B"]
    assert (tag["value"], tag["unit"], tag["quality"], tag["status_name"]) == (148.2, "R-201", "good", "Good")
    assert tag["server"] == {"data_type": "Double", "engineering_unit": "°F", "unece_code": "FAH", "range": [-22.0, 392.0]}
    assert 0 <= tag["age_s"] < 3000


def test_a_plant_that_agrees_is_exit_0(plant: DescribedPlant, tmp_path: Path) -> None:
    fine = {name: tag for name, tag in TAGS.items() if not EXPECTED[name]}
    result = check(plant_file(tmp_path, plant, fine))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 of 3 tags read from 1 endpoint: 0 faults, 0 warnings" in result.stdout


def test_the_table_for_people(plant: DescribedPlant, tmp_path: Path) -> None:
    result = check_in_a_process(plant_file(tmp_path, plant, TAGS), COLUMNS="160")
    assert "Traceback" not in result.stderr
    assert "south: connected" in result.stderr, "progress in lines where there is no terminal"
    assert max(map(len, result.stdout.splitlines())) <= 160
    (line,) = [line for line in result.stdout.splitlines() if " TT-201B " in line and "148.2" in line]
    assert "°C" in line
    assert "unit °F" in line
    assert "✗ R-201 LT-201: no good value, BadNodeIdUnknown: check the address: the server has no such node" in result.stdout


def test_an_endpoint_that_is_not_there_costs_itself_only(plant: DescribedPlant, tmp_path: Path) -> None:
    devices = "{skid-plc: {unit: R-301, tags: {T: {address: 'coil:1'}}}}"
    nobody = f"  skid: {{url: 'modbus://127.0.0.1:{free_port()}', devices: {devices}}}"
    result = check(plant_file(tmp_path, plant, {"TT-201A": TAGS["TT-201A"]}, nobody), "--json")
    assert result.returncode == 1
    south, skid = json.loads(result.stdout)["endpoints"]
    assert [tag["value"] for tag in south["tags"]] == [64.9]
    assert skid["tags"] == []
    assert "refused" in skid["lost"]["skid-plc"]


def test_an_endpoint_that_says_nothing_ends_within_the_deadline(tmp_path: Path) -> None:
    with peer(silent) as port:
        file = tmp_path / "plant.yaml"
        devices = "{plc: {unit: R-201, tags: {T: {address: 'ns=2;s=T'}}}}"
        mute = f"{{url: 'opc.tcp://127.0.0.1:{port}', timeout_s: 300, devices: {devices}}}"
        file.write_text(f"site: T\nunits: {{R-201: }}\nendpoints:\n  mute: {mute}\n", encoding="utf-8")
        began = time.monotonic()
        result = check(file, "--deadline", "500ms")
    assert time.monotonic() - began < 100
    assert result.returncode == 1
    assert "nothing could be read: not done within the deadline of 0.5 s" in result.stdout


def test_a_wrong_file_is_exit_2_before_anything_is_connected(plant: DescribedPlant, tmp_path: Path) -> None:
    file = plant_file(tmp_path, plant, {"TT-201A": {**TAGS["TT-201A"], "rnage": [0, 1]}})
    result = check(file)
    assert (result.returncode, result.stdout) == (2, "")
    assert "did you mean 'range'?" in result.stderr
    assert check(plant_file(tmp_path, plant, TAGS), "--deadline", "soon").returncode == 2


async def visited(plant: DescribedPlant, tags: dict[str, dict[str, Any]], **settings: Any) -> Visit:
    """With time enough for a busy machine."""
    endpoint = endpoint_of(plant.url, placed(plant, tags), **({"timeout_s": 60.0} | settings))
    return await visit(endpoint, PlantClock(), 90.0, DriversWords())


@contextmanager
def translating(plant: DescribedPlant, answer: Callable[[list[ua.BrowsePath]], list[ua.BrowsePathResult]]) -> Iterator[None]:
    """The server answers TranslateBrowsePaths so."""
    with patch.object(plant.server.iserver.view_service, "translate_browsepaths_to_nodeids", answer):
        yield


async def test_what_a_server_tells_of_its_variables(plant: DescribedPlant) -> None:
    tags = {"A": {"address": "TT201B"}, "B": {"address": "AT201"}, "C": {"address": "JT201"}, "D": {"address": "NOWHERE"}}
    told = [reading.description for reading in (await visited(plant, tags)).readings]
    fahrenheit = ToldUnit("°F", "", "FAH")
    assert told == [
        Description("Double", False, fahrenheit, (-22.0, 392.0)),
        Description("Double", True),
        Description("Double"),
        Description(),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("°C", ToldUnit("°C")),
        (ua.LocalizedText("bar(g)"), ToldUnit("bar(g)")),
        (ua.EUInformation(), None),
        (ua.EUInformation(DisplayName=ua.LocalizedText(None), UnitId=ua.Int32(4408652)), ToldUnit("", "", "CEL")),
        (
            ua.EUInformation(NamespaceUri="urn:own", DisplayName=ua.LocalizedText("x" * 999), UnitId=ua.Int32(4408652)),
            ToldUnit("x" * 80),
        ),
        (17, None),
        ("", None),
        (ua.Range(0, 1), None),
    ],
)
async def test_units_as_servers_may_have_them(plant: DescribedPlant, given: object, told: ToldUnit | None) -> None:
    name = f"EU{abs(hash(repr(given)))}"
    plant.describe(name, 20.0, property_=given, range_=(0.0, 0.0))
    (reading,) = (await visited(plant, {"T": {"address": name}})).readings
    assert (reading.value, reading.description.unit, reading.description.range) == (20.0, told, None)


async def test_a_thousand_tags_are_a_handful_of_requests(plant: DescribedPlant) -> None:
    names = [f"N{number}" for number in range(1000)]
    for name in names:
        plant.describe(name, 20.0, unit="°C", code="CEL", range_=(0, 100))
    tags = {name: {"address": name, "engineering_unit": "°C", "range": [0, 100]} for name in names}
    with plant.counting() as services:
        began_s = time.process_time()
        told = await visited(plant, tags)
        took_s = time.process_time() - began_s
    assert all(reading.description.unit == ToldUnit("°C", "", "CEL") for reading in told.readings)
    assert services["TranslateBrowsePathsToNodeIds"] == 2
    assert services["Read"] <= 8
    assert took_s < 10, "seconds of this process and the server in it"


async def test_a_server_that_takes_few_nodes_is_asked_in_halves(plant: DescribedPlant) -> None:
    stock = plant.server.iserver.view_service.translate_browsepaths_to_nodeids
    sizes: list[int] = []

    def few(paths: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        sizes.append(len(paths))
        if len(paths) > 5:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        return stock(paths)

    with translating(plant, few):
        told = await visited(plant, TAGS)
    assert max(sizes[1:]) == 12
    units = [reading.description.unit for reading in told.readings]
    assert [unit.display_name if unit else None for unit in units[:4]] == ["°C", "°F", "K", "bar"]


@pytest.mark.parametrize("status", [StatusCodes.BadServiceUnsupported, StatusCodes.BadUserAccessDenied])
async def test_a_server_that_does_not_look_up_paths_still_gives_its_values(plant: DescribedPlant, status: int) -> None:
    def refuse(_: object) -> list[ua.BrowsePathResult]:
        raise ServiceError(status)

    with translating(plant, refuse):
        told = await visited(plant, {"TT-201A": TAGS["TT-201A"]})
    (reading,) = told.readings
    assert (reading.value, reading.description.unit) == (64.9, None)
    assert ("BadUserAccessDenied" in told.untold) == (status == StatusCodes.BadUserAccessDenied)


async def test_subscribed_tags_are_read_like_others(plant: DescribedPlant) -> None:
    """A subscription tells nothing at the moment it is made: every tag of it looked like a fault."""
    device = {"unit": "R-201", "groups": {"main": {"mode": "subscribe"}}, "tags": placed(plant, {"TT-201A": TAGS["TT-201A"]})}
    told = await visited(plant, {}, devices={"plc": device})
    (reading,) = told.readings
    assert (reading.value, reading.quality) == (64.9, Quality.GOOD)
    assert plant.server.iserver.subscription_service.subscriptions == {}


async def test_the_way_out_is_orderly(plant: DescribedPlant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.opcua.wire.CLOSE_S", 60.0)
    before = plant.sessions
    await visited(plant, TAGS)
    assert plant.sessions == before


@pytest.fixture
def words() -> Iterator[DriversWords]:
    """What the drivers log, as the command takes it."""
    taken = DriversWords()
    structlog.configure(processors=[taken])
    yield taken
    structlog.reset_defaults()


@pytest.mark.parametrize("lacking", [range(50, 100), range(0, 100, 2), range(0)], ids=["upper half", "every second", "none"])
async def test_a_modbus_device_that_lacks_addresses(words: DriversWords, lacking: range) -> None:
    """The driver looks for what is missing over several reads; what is there is read all the same, and the cause is told."""

    def script(request: Request) -> list[Step]:
        asked = range(request.first, request.first + request.count)
        return [request.refusal(2) if any(address in lacking for address in asked) else request.answer()]

    tags = {f"N{number}": f"holding:{number} uint16" for number in range(100)}
    async with serving(script) as there:
        endpoint, _ = modbus_plant(there.port, tags)
        told = await visit(endpoint, PlantClock(), 60.0, words)
    bad = [reading for reading in told.readings if reading.quality is not Quality.GOOD]
    assert [reading.tag.name for reading in bad] == [f"N{number}" for number in lacking]
    assert all("illegal data address" in reading.advice for reading in bad)
    assert told.lost == ()
    assert len(there.requests) < 1000


@where_it_is_prompt(0.05)
async def test_a_silent_modbus_device_is_told_and_the_next_one_is_read() -> None:
    def only_unit_4(request: Request) -> list[Step]:
        return [request.answer()] if request.unit == 4 else []

    async with serving(only_unit_4) as there:
        tags = {"T": {"address": "holding:1", "type": "uint16"}}
        devices = {f"PLC-{unit}": {"unit": "R-201", "unit_id": unit, "tags": tags} for unit in (3, 4)}
        url = f"modbus://127.0.0.1:{there.port}"
        endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": url, "timeout_s": 0.2, "devices": devices})
        told = await visit(endpoint, PlantClock(), 20.0, DriversWords())
    ((device, cause),) = told.lost
    assert device == "PLC-3"
    assert "no answer" in cause
    assert [(reading.device, reading.value) for reading in told.readings] == [("PLC-4", 270)]


@where_it_is_prompt(0.05)
async def test_what_a_device_gave_before_the_deadline_is_kept() -> None:
    def only_unit_3(request: Request) -> list[Step]:
        return [request.answer()] if request.unit == 3 else []

    async with serving(only_unit_3) as there:
        tags = {"T": {"address": "holding:1", "type": "uint16"}}
        devices = {f"PLC-{unit}": {"unit": "R-201", "unit_id": unit, "tags": tags} for unit in (3, 4, 5)}
        url = f"modbus://127.0.0.1:{there.port}"
        endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": url, "timeout_s": 100.0, "devices": devices})
        told = await visit(endpoint, PlantClock(), 0.3, DriversWords())
    assert [reading.device for reading in told.readings] == ["PLC-3"]
    assert [device for device, _ in told.lost] == ["PLC-4", "PLC-5"]
    assert {cause for _, cause in told.lost} == {"not done within the deadline of 0.3 s"}
