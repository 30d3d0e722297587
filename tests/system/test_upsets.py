"""Upsets of a whole simulated plant, seen by real clients over real sockets: each has its effect, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from asyncua.ua.uaerrors import UaStatusCodeError
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from config.model import OpcUaEndpoint
from simulators.board import Happening
from simulators.control import Control, Request, ask
from simulators.opcua.node_map import namespace_uris, node_map
from simulators.plant import SimulatedPlant
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_SENSOR_FAILURE
from simulators.upset import KINDS, Level, Upset
from tests.system.opcua_peers import stock_client
from tests.unit.simulators.small_plant import PLANT, at_ports_of_its_own, scenario

OPCUA, MODBUS = "r201-opcua", "r301-modbus"
PATIENCE_S, IMPATIENT_S = 30.0, 0.3
"""How long a client waits for what should come, for the machine may be busy; and for what should not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of one tag: a value, a status or exception code, or that nothing right came."""

    value: float | None = None
    code: int = 0
    fault: str = ""


async def over_opcua(plant: SimulatedPlant, timeout_s: float = PATIENCE_S) -> Seen:
    client = stock_client(plant.urls[OPCUA], timeout_s)
    try:
        async with asyncio.timeout(3 * timeout_s):
            await client.connect()
            try:
                value = await client.get_node("ns=2;s=A").read_data_value(raise_on_bad_status=False)
            finally:
                await client.disconnect()
    except (OSError, TimeoutError, UaStatusCodeError) as exc:
        return Seen(fault=type(exc).__name__)
    assert value.Value is not None
    return Seen(value.Value.Value, value.StatusCode.value if value.StatusCode else 0)


async def over_modbus(plant: SimulatedPlant, timeout_s: float = PATIENCE_S) -> Seen:
    """A stock client on a connection of its own."""
    parts = urlsplit(plant.urls[MODBUS])
    client = AsyncModbusTcpClient(parts.hostname or "", port=parts.port or 0, retries=0, timeout=timeout_s)
    try:
        if not await client.connect():
            return Seen(fault="no connection")
        answer = await client.read_input_registers(0, count=2)
    except (OSError, ModbusException) as exc:
        return Seen(fault=type(exc).__name__)
    finally:
        client.close()
    if answer.isError():
        return Seen(code=answer.exception_code)
    if len(answer.registers) != 2:
        return Seen(fault=f"{len(answer.registers)} registers")
    value = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
    assert isinstance(value, float)
    return Seen(value)


@pytest.fixture(name="plant")
async def _plant() -> AsyncIterator[SimulatedPlant]:
    async with SimulatedPlant(at_ports_of_its_own(), security="none") as plant:
        yield plant


@asynccontextmanager
async def active(plant: SimulatedPlant, upset: Upset) -> AsyncIterator[None]:
    plant.board.begin(upset)
    try:
        yield
    finally:
        plant.board.end(upset.kind, upset.target)


READERS: dict[str, Callable[[SimulatedPlant], Awaitable[Seen]]] = {"TT-201A": over_opcua, "TT-301A": over_modbus}
Judge = Callable[[Seen], bool]
IN_ORDER: Judge = lambda seen: seen.code == 0 and seen.value is not None and 15 < seen.value < 25  # noqa: E731
TAG_KINDS: list[tuple[str, float | str | None, Judge, Judge | None]] = [
    ("flat_line", 42.0, lambda seen: seen.value == 42, None),
    ("spike", 40.0, lambda seen: seen.value is not None and seen.value > 55, None),
    ("offset", -30.0, lambda seen: seen.value is not None and seen.value < 0, None),
    ("noise", 1e6, lambda seen: seen.value is not None and abs(seen.value - 20) > 0.5, None),
    ("dropout", None, lambda seen: seen.code == BAD_SENSOR_FAILURE, lambda seen: seen.code == 4),
    ("node_gone", None, lambda seen: seen.code == BAD_NODE_ID_UNKNOWN, lambda seen: seen.code == 2),
    ("uncertain", None, lambda seen: seen.code >> 30 == 1 and IN_ORDER(Seen(seen.value)), None),
]


@pytest.mark.parametrize(("kind", "value", "over_ua", "over_bus"), TAG_KINDS, ids=[row[0] for row in TAG_KINDS])
async def test_an_instrument_upset_is_seen_by_a_client_of_each_protocol_and_ends(
    plant: SimulatedPlant, kind: str, value: float | str | None, over_ua: Judge, over_bus: Judge | None
) -> None:
    for tag, judge in (("TT-201A", over_ua), ("TT-301A", over_bus or over_ua)):
        if tag == "TT-301A" and kind == "uncertain":
            continue
        assert IN_ORDER(await READERS[tag](plant))
        async with active(plant, Upset(kind, tag, value, 3600.0)):
            seen = await READERS[tag](plant)
            assert judge(seen), (tag, seen)
        assert IN_ORDER(await READERS[tag](plant))


WIRE_KINDS = ["refuse", "restart", "freeze", "cut", "delay", "slow"]
DEVICE_KINDS = ["exception", "silent", "foreign_unit", "short", "oversized"]
"""Not `wrong_transaction`: this client does not look at it."""


@pytest.mark.parametrize("kind", WIRE_KINDS + DEVICE_KINDS)
async def test_an_upset_of_the_connection_or_the_device_is_seen_by_a_client_and_ends(plant: SimulatedPlant, kind: str) -> None:
    assert IN_ORDER(await over_modbus(plant))
    async with active(plant, Upset(kind, MODBUS if Level.ENDPOINT in KINDS[kind].levels else "r301-plc")):
        assert not IN_ORDER(await over_modbus(plant, IMPATIENT_S))
    assert IN_ORDER(await over_modbus(plant))


@pytest.mark.parametrize("kind", ["service_fault", "freeze", "refuse"])
async def test_an_upset_of_the_opcua_endpoint_is_seen_by_a_client_and_ends(plant: SimulatedPlant, kind: str) -> None:
    async with active(plant, Upset(kind, OPCUA)):
        assert (await over_opcua(plant, IMPATIENT_S)).fault
    assert IN_ORDER(await over_opcua(plant))


async def test_connections_are_reset_once(plant: SimulatedPlant) -> None:
    parts = urlsplit(plant.urls[MODBUS])
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(bytes.fromhex("000100000006010400000002"))
    assert await reader.read(64)
    plant.board.begin(Upset("reset", MODBUS))
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read(1)
    writer.close()
    assert plant.board.active == []
    assert IN_ORDER(await over_modbus(plant))


PROCESS = """\
units:
  R-201: {recipe: quick.yaml, head_start: 2min}
timeline:
  - {at: 0, upset: stirrer_trip, target: R-201, for: 2min}
  - {at: 3min, upset: abort, target: R-201}
  - {at: 1min, upset: offset, target: TT-301A, value: 30, for: 2min}
"""


async def test_a_scenario_file_run_twice_gives_the_same_values_at_the_same_plant_seconds(tmp_path: Path) -> None:
    told = scenario(tmp_path, PROCESS)
    first = await _run(SimulatedPlant(PLANT, 120, ports="free", scenario=told, folder=tmp_path))
    second = await _run(SimulatedPlant(PLANT, 300, ports="free", scenario=told, folder=tmp_path))
    assert first == second
    assert first[0][0][0] == 0.0, "the stirrer stands"
    assert first[0][0][1] == pytest.approx(50, abs=1) and first[0][1][1] == pytest.approx(20, abs=1)
    assert [each.what for each in first[1]] == ["begins", "begins", "ends", "ends", "begins"]


async def _run(plant: SimulatedPlant) -> tuple[list[tuple[float, float]], list[Happening]]:
    """Stirrer speed of R-201 and product temperature of R-301 at plant seconds 90 and 210, while a client reads; events."""
    shown: dict[int, tuple[float, float]] = {}
    async with plant:
        devices = {tag.name: (device, tag) for device, tag in plant.plant.tags()}
        points = {name: plant.live.point(*devices[name]) for name in ("ST-201", "TT-301A")}
        advance = plant.live._on_second

        def record(plant_s: int) -> None:
            advance(plant_s)
            if plant_s in (90, 210):
                speed, product = (points[name]().value for name in points)
                assert isinstance(speed, float) and isinstance(product, float)
                shown[plant_s] = (speed, product)

        plant.live._on_second = record
        async with asyncio.timeout(60):
            while 210 not in shown:
                assert (await over_modbus(plant)).value is not None
        return list(shown.values()), [each for each in plant.board.happenings if each.plant_s <= 200]


async def test_a_command_over_the_socket_is_done_recorded_listed_and_ended(plant: SimulatedPlant, tmp_path: Path) -> None:
    async with Control(plant.board, plant.live, 1.0, tmp_path / "control.sock") as control:
        assert control.path.stat().st_mode & 0o777 == 0o600

        async def asked(**fields: object) -> str:
            answer = await asyncio.to_thread(ask, control.path, Request.model_validate(fields))
            return answer.said or f"wrong: {answer.wrong}" if answer.said or answer.wrong else f"failed: {answer.failed}"

        said = await asked(do="begin", kind="offset", target="TT-301A", value=30, lasts_s=600)
        assert said.startswith("offset of TT-301A 30 begins at plant time ") and said.endswith(", for 10min")
        seen = await over_modbus(plant)
        assert seen.value is not None and seen.value > 45
        listed = await asyncio.to_thread(ask, control.path, Request(do="list"))
        assert [(each.kind, each.target, each.value, each.by) for each in listed.active] == [("offset", "TT-301A", 30, "command")]
        assert (await asked(do="end", kind="offset", target="TT-301A")).startswith("offset of TT-301A ends at plant time ")
        assert IN_ORDER(await over_modbus(plant))
        assert (await asked(do="end", kind="offset", target="TT-301A")).startswith("failed: no offset of TT-301A is active")
        assert (await asked(do="begin", kind="offset", target="TT-301B", value=1)).startswith("wrong: there is no 'TT-301B'")
        assert (await asked(do="begin", kind="restart", target="R-201")).startswith("failed: unit R-201: RESTART is refused")
        assert [(each.what, each.by) for each in plant.board.happenings] == [("begins", "command"), ("ends", "command")]
    assert not control.path.exists()


async def test_two_simulators_cannot_have_one_socket_and_nonsense_is_answered(plant: SimulatedPlant, tmp_path: Path) -> None:
    from simulators.source import SimulationError

    async with Control(plant.board, plant.live, 1.0, tmp_path / "control.sock") as control:
        with pytest.raises(SimulationError, match="another simulator listens there"):
            async with Control(plant.board, plant.live, 1.0, control.path):
                pass
        reader, writer = await asyncio.open_unix_connection(control.path)
        writer.write(b"hello\n")
        assert b"that is no request" in await reader.readline()
        writer.close()
    with pytest.raises(SimulationError, match="too long for a socket"):
        async with Control(plant.board, plant.live, 1.0, tmp_path / ("x" * 120)):
            pass


async def test_every_node_of_the_map_is_there(plant: SimulatedPlant) -> None:
    endpoint = plant.plant.endpoints[0]
    assert isinstance(endpoint, OpcUaEndpoint)
    rows = list(node_map(endpoint))
    async with stock_client(plant.urls[OPCUA]) as client:
        assert await client.get_namespace_array() == list(namespace_uris(endpoint))
        for _, address, type_name, *_, tag in rows:
            value = await client.get_node(address).read_data_value()
            assert value.Value is not None
            assert (value.Value.VariantType.name, value.StatusCode and value.StatusCode.value) == (type_name, 0), tag
    assert len(rows) == len(endpoint.devices[0].tags)
