"""Simulated servers, read with the protocol libraries' own clients."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadUserAccessDenied, UaStatusCodeError
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from config.model import Device, ModbusEndpoint, OpcUaEndpoint, Plant
from config.tags import OpcUaTag, Tag
from simulators.modbus.server import ModbusServer
from simulators.opcua.server import OpcUaServer
from simulators.plant import SimulatedPlant
from simulators.replay import Recording, Replay, load_recording
from simulators.source import BAD_NO_DATA, BAD_TYPE_MISMATCH, PerDevice, Point, Reading, SimulationError, Value
from tests.servers import free_port
from tests.system.opcua_peers import stock_client

ROOT = Path(__file__).parents[2]
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, NO_RESPONSE = 1, 2, 3, 4, 11


@dataclass
class Fixed:
    """A source of values by tag name, that may be changed; `refresh` counts up."""

    values: dict[str, Value]
    status: Mapping[str, int] = field(default_factory=dict)
    version: int = 0

    def refresh(self) -> int:
        self.version += 1
        return self.version

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(self.values.get(tag.name), self.status.get(tag.name, 0), 1_700_000_000_123_456_789)


@asynccontextmanager
async def modbus_client(url: str) -> AsyncIterator[AsyncModbusTcpClient]:
    parts = urlsplit(url)
    client = AsyncModbusTcpClient(parts.hostname or "", port=parts.port or 0, retries=0, timeout=60)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def exception_code(answer: ModbusPDU) -> int:
    assert isinstance(answer, ExceptionResponse), answer
    return answer.exception_code


def opcua_endpoint(*devices: tuple[str, dict[str, dict[str, object]]], **fields: object) -> OpcUaEndpoint:
    plcs = {name: {"tags": tags} for name, tags in devices}
    return OpcUaEndpoint.model_validate({"name": "opc", "url": "opc.tcp://h:1/path", "devices": plcs, **fields})


def modbus_endpoint(**devices: dict[str, object]) -> ModbusEndpoint:
    return ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://h", "devices": devices})


async def opcua_values(client: Client, *addresses: str) -> list[ua.DataValue]:
    """One Read of all; asyncua would raise on the first that is bad."""
    request = ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Source)
    for address in addresses:
        node_id = client.get_node(address).nodeid
        request.NodesToRead.append(ua.ReadValueId(NodeId=node_id, AttributeId=ua.UInt32(AttributeIds.Value)))
    return await client.uaclient.read(request)


async def test_opcua_serves_every_kind_at_its_node_with_its_status_and_stamp() -> None:
    tags: dict[str, dict[str, object]] = {
        "REAL": {"address": "nsu=urn:plant:b;s=a;b=c"},
        "SCALED": {"address": "ns=5;i=70000", "scale": 0.5, "offset": 10.0},
        "INTEGER": {"address": "ns=5;i=7", "kind": "integer"},
        "BOOLEAN": {"address": "nsu=urn:plant:a;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "kind": "boolean"},
        "TEXT": {"address": "ns=2;b=AQI=", "kind": "text"},
        "UNCERTAIN": {"address": "ns=5;s=u"},
        "BAD": {"address": "ns=5;s=bad"},
        "HALF": {"address": "ns=5;s=half", "kind": "integer"},
        "CLOCK": {"address": "i=2258"},
    }
    exact: dict[str, Value] = {"REAL": 0.1 + 0.2, "SCALED": 12.0, "INTEGER": 2**53 + 1, "BOOLEAN": True, "TEXT": "Übung"}
    source = Fixed({**exact, "UNCERTAIN": 3.0, "BAD": 4.0, "HALF": 0.5}, {"UNCERTAIN": 0x4090_0000, "BAD": 0x808C_0000})
    async with OpcUaServer(opcua_endpoint(("plc", tags)), source) as server, stock_client(server.url) as client:
        first, second = [await client.get_namespace_index(f"urn:plant:{name}") for name in "ab"]
        assert min(first, second) > 5
        addresses = [str(tag["address"]).replace("nsu=urn:plant:a", f"ns={first}") for tag in tags.values()]
        addresses = [address.replace("nsu=urn:plant:b", f"ns={second}") for address in addresses]
        read = await opcua_values(client, *addresses)
    shown = [
        (value.Value.Value, value.Value.VariantType.name, value.StatusCode.value)
        for value in read
        if value.Value and value.StatusCode
    ]
    assert shown[:-1] == [
        (0.1 + 0.2, "Double", 0),
        (4.0, "Double", 0),
        (2**53 + 1, "Int64", 0),
        (True, "Boolean", 0),
        ("Übung", "String", 0),
        (3.0, "Double", 0x4090_0000),
        (None, "Null", 0x808C_0000),
        (None, "Null", BAD_TYPE_MISMATCH),
    ]
    assert shown[-1][1] == "DateTime"
    assert {value.SourceTimestamp.isoformat() for value in read[:-1] if value.SourceTimestamp} == {
        "2023-11-14T22:13:20.123456+00:00"
    }
    assert server.url.startswith("opc.tcp://127.0.0.1:") and server.url.endswith("/path")


async def test_opcua_values_of_one_read_belong_together_are_those_of_now_and_nobody_writes_them() -> None:
    tags: dict[str, dict[str, object]] = {f"T{n}": {"address": f"ns=2;i={n}", "kind": "integer"} for n in range(1, 101)}
    source = Fixed(dict.fromkeys(tags, 0))
    async with OpcUaServer(opcua_endpoint(("plc", tags)), source) as server, stock_client(server.url) as client:
        for round_no in range(5):
            source.values = dict.fromkeys(tags, round_no)
            read = await opcua_values(client, *(f"ns=2;i={n}" for n in range(1, 101)))
            assert {value.Value.Value for value in read if value.Value} == {round_no}
        with pytest.raises(BadUserAccessDenied):
            await client.get_node("ns=2;i=7").write_value(2, ua.VariantType.Int64)
        kept, unknown = await opcua_values(client, "ns=2;i=7", "ns=2;s=NOT_THERE")
        assert kept.Value and kept.Value.Value == 4
        assert unknown.StatusCode and unknown.StatusCode.value == StatusCodes.BadNodeIdUnknown


async def test_opcua_lets_in_only_the_configured_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "right")
    endpoint = opcua_endpoint(("plc", {"T": {"address": "ns=2;s=T"}}), user_name="collector", password={"env": "PLC_PASSWORD"})
    async with OpcUaServer(endpoint, Fixed({"T": 1.0})) as server:
        allowed = []
        for user_name, password in (("collector", "right"), ("collector", "wrong"), ("admin", "right")):
            client = stock_client(server.url)
            client.set_user(user_name)
            client.set_password(password)
            try:
                async with client:
                    allowed.append(await client.get_node("ns=2;s=T").read_value())
            except UaStatusCodeError:
                allowed.append(None)
    assert allowed == [1.0, None, None]


async def test_two_tags_cannot_have_one_node() -> None:
    tags: dict[str, dict[str, object]] = {name: {"address": "ns=2;s=T"} for name in ("T1", "T2")}
    with pytest.raises(SimulationError, match="endpoint opc: T1 and T2 have one NodeId, ns=2;s=T"):
        async with OpcUaServer(opcua_endpoint(("plc", tags)), Fixed({"T1": 1.0, "T2": 2.0})):
            pass


async def test_modbus_serves_every_type_in_every_word_order() -> None:
    values: dict[str, Value] = {"int16": -2, "uint16": 65000, "int32": -70000, "uint32": 2**31}
    values |= {"int64": -(2**40) - 1, "uint64": 2**63 + 1}
    values |= {"float32": 1.5, "float64": 0.1 + 0.2}
    tags: dict[str, dict[str, object]] = {}
    address = 0
    for order in ("ABCD", "CDAB", "BADC", "DCBA"):
        for name in values:
            tags[f"{name}:{order}"] = {"address": f"holding:{address}", "type": name, "word_order": order}
            address += 4
    source = Fixed({name: values[name.partition(":")[0]] for name in tags})
    async with ModbusServer(modbus_endpoint(plc={"tags": tags}), source) as server, modbus_client(server.url) as client:
        for name, tag in tags.items():
            wire_type, _, order = name.partition(":")
            kind = client.DATATYPE[wire_type.upper()]
            first = int(str(tag["address"]).partition(":")[2])
            registers = (await client.read_holding_registers(first, count=kind.value[1])).registers
            if order in ("BADC", "DCBA"):
                registers = [register % 256 * 256 + register // 256 for register in registers]
            words = "little" if order in ("CDAB", "DCBA") else "big"
            assert client.convert_from_registers(registers, kind, word_order=words) == values[wire_type], name  # type: ignore[arg-type]


MIXED: dict[str, dict[str, object]] = {
    "TEXT": {"address": "input:100", "type": "text", "length": 4},
    "TENTHS": {"address": "input:106", "type": "int16", "scale": 0.1},
    "ON": {"address": "input:107.9"},
    "COIL": {"address": "coil:1999"},
    "SWITCH": {"address": "discrete:5"},
    "SAME": {"address": "holding:100", "type": "uint16"},
    "FAR": {"address": "input:400", "type": "uint16"},
}
MIXED_VALUES: dict[str, Value] = {
    "TEXT": "B-17 ä",
    "TENTHS": -12.34,
    "ON": True,
    "COIL": True,
    "SWITCH": True,
    "SAME": 3,
    "FAR": 4,
}


async def test_modbus_tables_are_apart_and_gaps_are_zero() -> None:
    endpoint = modbus_endpoint(plc={"tags": MIXED, "unit_id": 7})
    async with ModbusServer(endpoint, Fixed(MIXED_VALUES)) as server, modbus_client(server.url) as client:
        registers = (await client.read_input_registers(100, count=8, device_id=7)).registers
        assert client.convert_from_registers(registers[:4], client.DATATYPE.STRING) == "B-17 ä"
        assert registers[4:] == [0, 0, 65536 - 123, 1 << 9]
        assert (await client.read_holding_registers(100, count=1, device_id=7)).registers == [3]
        assert (await client.read_coils(1999, count=1, device_id=7)).bits[0] is True
        assert (await client.read_discrete_inputs(5, count=1, device_id=7)).bits[0] is True


async def test_modbus_refuses_what_a_device_refuses() -> None:
    limited = {"tags": MIXED, "unit_id": 7, "max_registers": 7, "forbidden": ["input:105"], "gap": 8}
    async with ModbusServer(modbus_endpoint(plc=limited), Fixed(MIXED_VALUES)) as server, modbus_client(server.url) as client:

        async def code(function: str, address: int, count: int, device_id: int = 7) -> int:
            return exception_code(await getattr(client, f"read_{function}")(address, count=count, device_id=device_id))

        assert await code("input_registers", 100, 7) == ILLEGAL_ADDRESS, "105 is forbidden"
        assert await code("input_registers", 108, 1) == ILLEGAL_ADDRESS
        assert await code("input_registers", 400, 2) == ILLEGAL_ADDRESS
        assert await code("input_registers", 100, 8) == ILLEGAL_VALUE
        assert await code("coils", 1999, 2) == ILLEGAL_ADDRESS
        assert await code("coils", 1998, 1) == ILLEGAL_ADDRESS
        assert await code("discrete_inputs", 0, 1) == ILLEGAL_ADDRESS
        assert await code("input_registers", 100, 1, device_id=1) == NO_RESPONSE
        for answer in (
            await client.write_register(100, 1, device_id=7),
            await client.write_registers(100, [1], device_id=7),
            await client.write_coil(1999, False, device_id=7),
            await client.mask_write_register(address=100, and_mask=0, or_mask=1, device_id=7),
            await client.readwrite_registers(read_address=100, read_count=1, write_address=100, values=[1], device_id=7),
        ):
            assert exception_code(answer) == ILLEGAL_FUNCTION
        assert (await client.read_holding_registers(100, count=1, device_id=7)).registers == [3]


async def test_modbus_unit_ids_are_devices_of_their_own() -> None:
    tag: dict[str, dict[str, object]] = {"T": {"address": "holding:0", "type": "uint16"}}
    endpoint = modbus_endpoint(a={"tags": tag, "unit_id": 1}, b={"tags": tag, "unit_id": 0})
    source = PerDevice({"a": Fixed({"T": 10}), "b": Fixed({"T": 20})})
    async with ModbusServer(endpoint, source) as server, modbus_client(server.url) as client:
        assert (await client.read_holding_registers(0, count=1, device_id=1)).registers == [10]
        assert (await client.read_holding_registers(0, count=1, device_id=0)).registers == [20]
        assert exception_code(await client.read_holding_registers(0, count=1, device_id=2)) == NO_RESPONSE
    twice = modbus_endpoint(a={"tags": tag, "unit_id": 1}, b={"tags": tag, "unit_id": 1})
    with pytest.raises(SimulationError, match="endpoint bus: a and b have one unit_id, 1"):
        async with ModbusServer(twice, source):
            pass


async def test_modbus_says_device_failure_for_a_bad_value() -> None:
    tags: dict[str, dict[str, object]] = {name: {"address": f"holding:{at}", "type": "uint16"} for at, name in enumerate("AB")}
    source = Fixed({"A": 1, "B": 2}, {"B": BAD_NO_DATA})
    async with ModbusServer(modbus_endpoint(plc={"tags": tags}), source) as server, modbus_client(server.url) as client:
        assert (await client.read_holding_registers(0, count=1)).registers == [1]
        assert exception_code(await client.read_holding_registers(0, count=2)) == DEVICE_FAILURE


@pytest.fixture(scope="module")
def dryer(recorded: Path) -> Recording:
    return load_recording(recorded / "dryer.csv")


async def test_replay_in_lock_step_over_both_protocols_is_exact_and_complete(dryer: Recording) -> None:
    names = dryer.columns[1:]
    plc: dict[str, dict[str, object]] = {name: {"address": f"nsu=urn:dryer;s={name}"} for name in names}
    plc["SAMPLE_NO"] = {"address": "nsu=urn:dryer;s=SAMPLE_NO", "kind": "integer"}
    plc["BATCH_ID"] = {"address": "nsu=urn:dryer;s=BATCH_ID", "kind": "text"}
    bus: dict[str, dict[str, object]] = {n: {"address": f"holding:{4 * at}", "type": "float64"} for at, n in enumerate(names)}
    bus["SAMPLE_NO"] = {"address": f"holding:{4 * len(names)}", "type": "uint32", "word_order": "CDAB"}
    replay = Replay(dryer, dryer.batches[1:3])
    width = 4 * len(names) + 2
    async with (
        OpcUaServer(opcua_endpoint(("dryer", plc)), replay) as opcua,
        ModbusServer(modbus_endpoint(dryer={"tags": bus}), replay) as modbus,
        Client(opcua.url) as opcua_client,
        modbus_client(modbus.url) as client,
    ):
        index = await opcua_client.get_namespace_index("urn:dryer")
        addresses = [f"ns={index};s={name}" for name in plc]
        expected = [sample for sample in dryer.samples if sample.batch in ("2", "3")]
        assert len(expected) > 200
        for sample in expected:
            over_opcua = [value.Value.Value for value in await opcua_values(opcua_client, *addresses) if value.Value]
            assert over_opcua == [*map(float, sample.cells[1:]), sample.number, sample.batch]
            registers = (await client.read_holding_registers(0, count=width)).registers
            over_modbus = client.convert_from_registers(registers[:-2], client.DATATYPE.FLOAT64)
            assert over_modbus == list(map(float, sample.cells[1:]))
            assert registers[-2:] == [sample.number % 65536, sample.number // 65536]
            replay.advance()
        ended = await opcua_values(opcua_client, *addresses)
        bad = [(value.Value.Value, value.StatusCode.value) for value in ended if value.Value and value.StatusCode]
        assert bad == [(None, BAD_NO_DATA)] * len(names) + [(0, 0), (None, BAD_NO_DATA)]
        assert exception_code(await client.read_holding_registers(0, count=width)) == DEVICE_FAILURE
        assert (await client.read_holding_registers(width - 2, count=2)).registers == [0, 0]


async def test_replays_of_different_batches_run_side_by_side(dryer: Recording) -> None:
    tags: dict[str, dict[str, object]] = {
        "DryerTemp": {"address": "input:0", "type": "float64"},
        "SAMPLE_NO": {"address": "input:4", "type": "uint16"},
        "BATCH_ID": {"address": "input:5", "type": "text", "length": 2},
    }
    left, right = Replay(dryer, ["1"]), Replay(dryer, ["2"])
    endpoint = modbus_endpoint(left={"tags": tags, "unit_id": 1}, right={"tags": tags, "unit_id": 2})
    async with ModbusServer(endpoint, PerDevice({"left": left, "right": right})) as server, modbus_client(server.url) as client:
        right.advance()
        for unit_id, sample in ((1, left.samples[0]), (2, right.samples[1])):
            registers = (await client.read_input_registers(0, count=7, device_id=unit_id)).registers
            temperature = float(sample.cells[dryer.columns.index("DryerTemp")])
            assert client.convert_from_registers(registers[:4], client.DATATYPE.FLOAT64) == temperature
            assert registers[4] == sample.number
            assert client.convert_from_registers(registers[5:], client.DATATYPE.STRING) == sample.batch


@pytest.fixture
def demo() -> Plant:
    path = ROOT / "config" / "examples" / "demo.yaml"
    return Plant.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


async def test_the_demo_plant_is_served_and_its_time_goes_on_by_itself(demo: Plant) -> None:
    async with SimulatedPlant(demo, speed=60, ports="free") as simulated:
        assert list(simulated.urls) == ["r201-opcua", "r301-modbus"]
        async with stock_client(simulated.urls["r201-opcua"]) as opcua, modbus_client(simulated.urls["r301-modbus"]) as modbus:
            index = await opcua.get_namespace_index("urn:reactorwatch:simulator")
            tags = [tag for tag in demo.endpoints[0].devices[0].tags if isinstance(tag, OpcUaTag)]
            addresses = [tag.address.replace("nsu=urn:reactorwatch:simulator", f"ns={index}") for tag in tags]
            read = {tag.role: value for tag, value in zip(tags, await opcua_values(opcua, *addresses), strict=True)}
            assert all(value.StatusCode and value.StatusCode.is_good() for value in read.values())
            assert read["batch_id"].Value and read["batch_id"].Value.Value == "B-26-001"
            batch = (await modbus.read_holding_registers(100, count=10)).registers
            assert modbus.convert_from_registers(batch, modbus.DATATYPE.STRING) == "B-26-101"
            registers = (await modbus.read_input_registers(0, count=4)).registers
            first = modbus.convert_from_registers(registers[:2], modbus.DATATYPE.FLOAT32)
            second = modbus.convert_from_registers(registers[2:], modbus.DATATYPE.FLOAT32, word_order="little")
            assert isinstance(first, float) and isinstance(second, float) and math.isclose(first, second, abs_tol=1.0)
        reached_s = simulated.units["R-201"].plant_s
        for _ in range(500):
            if simulated.units["R-201"].plant_s > reached_s:
                break
            await asyncio.sleep(0.02)
        assert simulated.units["R-201"].plant_s > reached_s


async def test_a_port_that_is_taken_is_named(demo: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        endpoints = tuple(e.model_copy(update={"url": f"{e.url.partition('://')[0]}://127.0.0.1:{port}"}) for e in demo.endpoints)
        for endpoint in endpoints:
            plant = demo.model_copy(update={"endpoints": (endpoint,)})
            with pytest.raises(
                SimulationError, match=f"endpoint {endpoint.name}: cannot listen on 127.0.0.1 port {port}: .*in use"
            ):
                async with SimulatedPlant(plant):
                    pass


async def test_a_plant_that_cannot_be_opened_leaves_nothing_behind(demo: Plant) -> None:
    port = free_port()
    first, second = demo.endpoints
    served = first.model_copy(update={"url": f"opc.tcp://127.0.0.1:{port}"})
    refused = second.model_copy(update={"url": "modbus://host.invalid:1502"})
    with pytest.raises(SimulationError, match=r"endpoint r301-modbus: cannot listen on host.invalid port 1502"):
        async with SimulatedPlant(demo.model_copy(update={"endpoints": (served, refused)})):
            pass
    with socket.create_server(("127.0.0.1", port)):
        pass
