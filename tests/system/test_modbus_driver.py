"""The Modbus driver against devices of three makes: Debian's libmodbus, pymodbus's own server, and a scripted peer."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from structlog.testing import capture_logs

from config.model import ModbusEndpoint
from config.tags import Kind
from drivers.base import DeviceError, Scan, Status, scan_groups
from drivers.modbus.blocks import PROBES_PER_SLOT, RETRY_S
from drivers.modbus.session import connect
from tests.system.libmodbus import compiled_device
from tests.system.modbus_peer import FixedClock, Request, plant, right, serving, value_at

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def by_name(scan: Scan) -> dict[str, float | int | str | None]:
    """Each column's exact value; None where it is bad."""
    integers, texts = iter(scan.integers.tolist()), iter(scan.texts)
    found: dict[str, float | int | str | None] = {}
    for column, value, bad in zip(scan.layout.columns, scan.values.tolist(), scan.quality.tolist(), strict=True):
        exact = next(integers) if column.kind is Kind.INTEGER else next(texts) if column.kind is Kind.TEXT else value
        found[column.name] = None if bad else exact
    return found


async def scans(port: int, tags: dict[str, str], slots: int = 1) -> list[Scan]:
    endpoint, (group,) = plant(port, tags)
    async with connect(endpoint, [group], FixedClock()) as driver:
        return [await driver.read(group, slot_ns) for slot_ns in range(slots)]


@pytest.fixture(scope="module")
def libmodbus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of a device that was compiled here."""
    return compiled_device(tmp_path_factory.mktemp("libmodbus"))


@pytest.fixture(scope="module")
def libmodbus_port(libmodbus: Path) -> Iterator[int]:
    """The port of a running one."""
    with subprocess.Popen([libmodbus], stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout
        yield int(device.stdout.readline())
        device.kill()


async def test_libmodbus_every_table_type_and_order(libmodbus_port: int) -> None:
    tags = {"low": "holding:100 int16", "high": "holding:101 uint16"}
    wanted: dict[str, float | int | str] = {"low": -12345, "high": 54321}
    kinds = {"int32": -123456789, "float32": 3.1415927410125732, "float64": -2.718281828459045, "uint64": 9007199254740993}
    at = 102
    for order in ORDERS:
        for kind, value in (kinds | {"uint16": 0x1234}).items():
            tags[f"{kind} {order}"] = f"holding:{at} {kind} {order}"
            wanted[f"{kind} {order}"] = value
            at += {"int32": 2, "float32": 2, "uint16": 1}.get(kind, 4)
    tags |= {"bcd16": "holding:160 bcd16", "bcd32": "holding:161 bcd32", "bit 15": "holding:167.15", "bit 1": "holding:167.1"}
    wanted |= {"bcd16": 1234, "bcd32": 98765432, "bit 15": 1.0, "bit 1": 0.0}
    tags |= {f"coil {n}": f"coil:{n + 5}" for n in range(20)} | {f"discrete {n}": f"discrete:{n}" for n in range(12)}
    wanted |= {f"coil {n}": float(n % 3 == 0) for n in range(20)} | {f"discrete {n}": float(n % 2) for n in range(12)}
    tags |= {f"input {n}": f"input:{n} uint16" for n in range(125)}
    wanted |= {f"input {n}": 1000 + n for n in range(125)}
    for scan in await scans(libmodbus_port, tags, slots=3):
        assert by_name(scan) == wanted


async def test_libmodbus_text_and_scale(libmodbus_port: int) -> None:
    tags = {
        "text": {"address": "holding:163", "type": "text", "length": 4},
        "scaled": {"address": "holding:100", "type": "int16", "scale": 0.1, "offset": -40.0},
    }
    device = {"unit": "R-201", "tags": tags}
    settings = {"name": "bus", "url": f"modbus://127.0.0.1:{libmodbus_port}", "devices": {"PLC": device}}
    endpoint = ModbusEndpoint.model_validate(settings)
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], FixedClock()) as driver:
        assert by_name(await driver.read(group, 0)) == {"text": "R-201", "scaled": -12345 * 0.1 - 40.0}


async def test_libmodbus_addresses_it_lacks(libmodbus_port: int) -> None:
    tags = {"before": "holding:167.0", "lacking": "holding:170 uint16", "after": "holding:171 uint16"}
    tags |= {"last": "holding:179 uint16", "beyond": "holding:180 uint16", "astride": "holding:179 uint32"}
    for scan in await scans(libmodbus_port, tags, slots=3):
        assert by_name(scan) == {"before": 1.0, "lacking": None, "after": 7, "last": 0, "beyond": None, "astride": None}
        assert {int(status) for status in scan.status if status} == {Status.BAD_NODE_ID_UNKNOWN}


@asynccontextmanager
async def pymodbus_server() -> AsyncIterator[int]:
    as_registers, kind = AsyncModbusTcpClient.convert_to_registers, AsyncModbusTcpClient.DATATYPE
    holding = as_registers(64.93, kind.FLOAT32) + as_registers(-7, kind.INT64, "little")
    tables = (
        [SimData(0, values=[True, False, True] + [False] * 13, datatype=DataType.BITS)],
        [SimData(0, values=[False, True] + [False] * 14, datatype=DataType.BITS)],
        [SimData(0, values=list(holding), datatype=DataType.REGISTERS)],
        [SimData(0, values=[11, 22], datatype=DataType.REGISTERS)],
    )
    server = ModbusTcpServer(SimDevice(3, simdata=tables), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def test_pymodbus_server() -> None:
    tags = {"TT": "holding:0 float32", "count": "holding:2 int64 CDAB", "beyond": "holding:40 uint16", "I1": "input:1 uint16"}
    tags |= {"X0": "coil:0", "X2": "coil:2", "D0": "discrete:0", "D1": "discrete:1"}
    async with pymodbus_server() as port:
        for scan in await scans(port, tags, slots=2):
            bits = {"X0": 1.0, "X2": 1.0, "D0": 0.0, "D1": 1.0}
            assert by_name(scan) == {"TT": np.float32(64.93), "count": -7, "beyond": None, "I1": 22} | bits


FAR = {"A": "holding:0 uint16", "B": "holding:50 uint16", "C": "input:0 uint16"}
"""Three blocks."""


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (1, Status.BAD_DEVICE_FAILURE),
        (2, Status.BAD_NODE_ID_UNKNOWN),
        (4, Status.BAD_DEVICE_FAILURE),
        (6, Status.BAD_DEVICE_FAILURE),
        (10, Status.BAD_NO_COMMUNICATION),
        (11, Status.BAD_NO_COMMUNICATION),
    ],
)
async def test_a_refused_block_is_bad_for_its_own_tags(code: int, status: int) -> None:
    async with serving(lambda r: [r.refusal(code)] if r.first == 50 else right(r)) as peer:
        first, again = await scans(peer.port, FAR, slots=2)
    for scan in (first, again):
        assert by_name(scan) == {"A": value_at(0), "B": None, "C": value_at(0)}
        assert scan.status.tolist() == [Status.GOOD, status, Status.GOOD]
    assert peer.connections == 1


async def test_a_busy_block_is_asked_again_in_the_next_slot_and_logged_once() -> None:
    async with serving(lambda r: [r.refusal(6)] if r.first == 50 and r.number < 7 else right(r)) as peer:
        with capture_logs() as logs:
            found = [by_name(scan)["B"] for scan in await scans(peer.port, FAR, slots=4)]
    assert found == [None, None, value_at(50), value_at(50)]
    assert logs == [
        {"event": "tags lost", "log_level": "warning", "group": "bus/PLC/main", "tags": ["B"],
         "cause": "holding:50-50: exception 6 (server device busy)"},
        {"event": "tags back", "log_level": "info", "group": "bus/PLC/main", "tags": ["B"]},
    ]  # fmt: skip


async def test_a_lacking_register_is_found_remembered_and_retried_slowly() -> None:
    lacks = {33}
    clock = FixedClock()
    async with serving(lambda r: [r.refusal(2)] if lacks & set(range(r.first, r.first + r.count)) else right(r)) as peer:
        endpoint, (group,) = plant(peer.port, {f"T{n}": f"holding:{n} uint16" for n in range(100)})
        async with connect(endpoint, [group], clock) as driver:
            with capture_logs() as logs:
                scan = await driver.read(group, 0)
                assert [n for n, bad in enumerate(scan.quality) if bad] == [33]
                assert scan.integers.tolist() == [0 if n == 33 else value_at(n) for n in range(100)]
                searching = len(peer.requests)
                assert searching <= 1 + PROBES_PER_SLOT
                await driver.read(group, 1)
                settled = len(peer.requests) - searching
                assert settled < searching
                assert all(not r.first <= 33 < r.first + r.count for r in peer.requests[searching:])
                lacks.clear()
                clock.steady_ns += RETRY_S * 1_000_000_000
                assert not (await driver.read(group, 2)).quality.any()
    assert [(entry["event"], entry["tags"]) for entry in logs] == [("tags lost", ["T33"]), ("tags back", ["T33"])]
    assert logs[0]["cause"] == "holding:33-33: exception 2 (illegal data address)"


async def test_a_device_that_lacks_everything_costs_a_bounded_search() -> None:
    async with serving(lambda r: [r.refusal(2)]) as peer:
        for scan in await scans(peer.port, {f"T{n}": f"holding:{n} uint16" for n in range(100)}, slots=3):
            assert scan.status.tolist() == [Status.BAD_NODE_ID_UNKNOWN] * 100
    assert len(peer.requests) <= 1 + 3 * PROBES_PER_SLOT


async def test_several_units_share_the_connection() -> None:
    def gateway(request: Request) -> list[bytes]:
        return [request.refusal(11)] if request.unit == 2 else [request.answer(bytes([0, request.unit]))]

    async with serving(gateway) as peer:
        tag = {"address": "input:0", "type": "uint16"}
        devices = {f"PLC-{n}": {"unit": "R-201", "unit_id": n, "tags": {f"T{n}": tag}} for n in (0, 1, 2, 255)}
        endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": f"modbus://127.0.0.1:{peer.port}", "devices": devices})
        groups = scan_groups(endpoint)
        async with connect(endpoint, groups, FixedClock()) as driver:
            found = [by_name(await driver.read(groups[i], 0)) for i in (0, 1)]
            with pytest.raises(DeviceError, match=r"unit_id 2 .*gateway target device") as silent:
                await driver.read(groups[2], 0)
            found.append(by_name(await driver.read(groups[3], 0)))
    assert (silent.value.status, silent.value.connection_lost) == (Status.BAD_NO_COMMUNICATION, False)
    assert found == [{"T0": 0}, {"T1": 1}, {"T255": 255}]
    assert peer.connections == 1


async def test_only_the_four_reads_are_ever_sent_and_the_stamp_is_that_of_the_last_answer() -> None:
    clock = FixedClock()

    def stamping(request: Request) -> list[bytes]:
        clock.plant_ns = 1000 + request.number
        return [request.answer(bytes((request.count + 7) // 8) if request.function < 3 else None)]

    tags = {"D": "discrete:9", "I": "input:7 uint16", "H": "holding:1.3", "C": "coil:70"}
    async with serving(stamping) as peer:
        endpoint, (group,) = plant(peer.port, tags)
        async with connect(endpoint, [group], clock) as driver:
            scan = await driver.read(group, 5)
    assert [(r.function, r.first, r.count, r.unit) for r in peer.requests] == [
        (1, 70, 1, 3),
        (2, 9, 1, 3),
        (3, 1, 1, 3),
        (4, 7, 1, 3),
    ]
    assert (scan.slot_ns, scan.received_ns, scan.layout) == (5, 1004, group.layout)


async def test_a_tag_that_no_read_can_take_in_is_told_before_connecting() -> None:
    async with serving() as peer:
        with pytest.raises(ValueError, match="tag A: holding:0 takes more than the 1"):
            async with connect(*plant(peer.port, {"A": "holding:0 float32"}, max_registers=1), FixedClock()):
                pytest.fail("connected for tags that can't be read")
    assert peer.connections == 0
