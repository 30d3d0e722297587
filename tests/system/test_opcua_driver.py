"""The OPC UA driver against a real asyncua server: values, statuses, stamps, addresses, sessions."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from structlog.testing import capture_logs

from drivers.base import DeviceError, Quality, Status, scan_groups
from drivers.opcua.session import connect
from tests.servers import free_port
from tests.system.opcua_peers import CLOCK, PLANT, SLOT_NS, PlantServer, endpoint_of, nothing_left_behind, scan_of

STAMP = ua.DateTime(2026, 11, 22, 10, 20, 30, 123456, tzinfo=UTC)
STAMP_NS = 1795342830123456000
V = ua.VariantType


@pytest.fixture(scope="module")
def plant() -> Iterator[PlantServer]:
    with PlantServer() as server:
        yield server


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    async with nothing_left_behind():
        yield


def good(value: object, kind: ua.VariantType) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind), SourceTimestamp=STAMP)


async def test_values_of_every_kind_keep_value_status_and_stamp(plant: PlantServer) -> None:
    plant.put("double", good(-0.0, V.Double))
    plant.put("float", good(1.1, V.Float))
    plant.put("raw", good(200, V.UInt16))
    plant.put("least", good(-(2**63), V.Int64))
    plant.put("greatest", good(2**63 - 1, V.UInt64))
    plant.put("valve", good(True, V.Boolean))
    plant.put("batch", good("B-024 µ", V.String))
    plant.put("phase", good(ua.LocalizedText("Dose", "en"), V.LocalizedText))
    tags: dict[str, dict[str, Any]] = {
        "TT-1": {"address": plant.address("double")},
        "TT-2": {"address": plant.address("float")},
        "PT-1": {"address": plant.address("raw"), "scale": 0.1, "offset": -5.0},
        "N-1": {"address": plant.address("least"), "kind": "integer"},
        "BATCH_ID": {"address": plant.address("batch"), "kind": "text"},
        "XV-1": {"address": plant.address("valve"), "kind": "boolean"},
        "N-2": {"address": plant.address("greatest"), "kind": "integer"},
        "PHASE": {"address": plant.address("phase"), "kind": "text"},
    }
    before_ns = time.time_ns()

    scan = await scan_of(endpoint_of(plant.url, tags))

    assert scan.slot_ns == SLOT_NS
    assert before_ns <= scan.received_ns <= time.time_ns()
    expected = [-0.0, float(np.float32(1.1)), 200 * 0.1 - 5.0, -(2.0**63), math.nan, 1.0, 2.0**63, math.nan]
    assert scan.values.tobytes() == np.array(expected).tobytes()
    assert scan.integers.tolist() == [-(2**63), 2**63 - 1]
    assert scan.texts == ("B-024 µ", "Dose")
    assert scan.status.tolist() == [0] * 8
    assert scan.quality.tolist() == [Quality.GOOD] * 8
    assert scan.source_ns is not None
    assert scan.source_ns.tolist() == [STAMP_NS] * 8
    assert not scan.lost


async def test_one_bad_tag_is_a_bad_sample_and_its_neighbours_are_right(plant: PlantServer) -> None:
    def with_status(code: int) -> ua.DataValue:
        return ua.DataValue(ua.Variant(7.5, V.Double), ua.StatusCode(ua.UInt32(code)), STAMP)

    plant.put("fine", good(20.5, V.Double))
    plant.put("uncertain", with_status(StatusCodes.UncertainLastUsableValue))
    plant.put("overflown", with_status(0x0000_0480))
    plant.put("failed", with_status(StatusCodes.BadSensorFailure))
    plant.put("words", good("twenty", V.String))
    plant.put("huge", good(2**63, V.UInt64))
    plant.put("nan", good(math.nan, V.Double))
    plant.put("nothing", ua.DataValue(ua.Variant(), SourceTimestamp=STAMP))
    plant.put("many", good([1.0, 2.0], V.Double))
    plant.put("fraction", good(1.5, V.Double))
    names = ["fine", "uncertain", "overflown", "failed", "gone", "words", "huge", "nan", "nothing", "many", "fraction", "fine"]
    tags = {f"T{i}": {"address": plant.address(name)} for i, name in enumerate(names)}
    tags["T6"]["kind"] = tags["T10"]["kind"] = "integer"

    with capture_logs() as logs:
        endpoint = endpoint_of(plant.url, tags)
        (group,) = scan_groups(endpoint)
        async with connect(endpoint, [group], CLOCK) as driver:
            await driver.read(group, SLOT_NS)
            scan = await driver.read(group, SLOT_NS)

    nan = math.nan
    np.testing.assert_array_equal(scan.values, [20.5, 7.5, 7.5, nan, nan, nan, nan, nan, nan, nan, nan, 20.5])
    assert scan.status.tolist() == [
        0,
        StatusCodes.UncertainLastUsableValue,
        0x480,
        StatusCodes.BadSensorFailure,
        Status.BAD_NODE_ID_UNKNOWN,
        Status.BAD_TYPE_MISMATCH,
        Status.BAD_OUT_OF_RANGE,
        Status.BAD_OUT_OF_RANGE,
        Status.BAD_NO_DATA,
        Status.BAD_TYPE_MISMATCH,
        Status.BAD_TYPE_MISMATCH,
        0,
    ]
    assert scan.quality.tolist() == [0, 1, 0, 2, 2, 2, 2, 2, 2, 2, 2, 0]
    assert scan.integers.tolist() == [0, 0]
    told = {entry["tag"]: entry for entry in logs}
    assert len(told) == len(logs) == 7, "each fault once, not per scan; what a sensor says is not a fault of a tag"
    assert told["T4"]["status"] == "BadNodeIdUnknown"
    assert told["T5"]["address"] == plant.address("words")
    assert told["T5"]["found"] == "String"
    assert told["T5"]["expected"] == "a number"
    assert told["T9"]["found"] == "Double[]"


async def test_namespaces_are_resolved_at_every_connect_and_an_unknown_one_costs_its_own_tag() -> None:
    tags = {
        "TT-1": {"address": f"nsu={PLANT};s=tt;1=x"},
        "TT-2": {"address": "nsu=urn:nowhere;s=tt"},
        "STATE": {"address": f"i={ObjectIds.Server_ServerStatus_State}", "kind": "integer"},
    }
    with PlantServer([PLANT, "urn:other"], port := free_port()) as first:
        first.put("tt;1=x", good(1.5, V.Double))
        index = first.index
        endpoint = endpoint_of(first.url, tags)
        with capture_logs() as logs:
            scan = await scan_of(endpoint)
        assert scan.status.tolist() == [0, Status.BAD_NODE_ID_UNKNOWN, 0]
        np.testing.assert_array_equal(scan.values, [1.5, math.nan, 0.0])
        (entry,) = logs
        assert (entry["tag"], entry["log_level"]) == ("TT-2", "warning")
        assert "urn:nowhere" in entry["reason"]
    with PlantServer(["urn:other", PLANT], port) as second:
        assert second.index != index
        second.put("tt;1=x", good(2.5, V.Double))
        assert (await scan_of(endpoint)).values[0] == 2.5


async def test_user_name_and_password(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("REACTORWATCH_TEST_PASSWORD", "open sesame")
    login = {"user_name": "collector", "password": {"env": "REACTORWATCH_TEST_PASSWORD"}}
    tags = {"STATE": {"address": "i=2259", "kind": "integer"}}
    with PlantServer(passwords={"collector": "open sesame"}) as server:
        assert (await scan_of(endpoint_of(server.url, tags, **login))).quality.tolist() == [Quality.GOOD]
        assert "open sesame" not in caplog.text
        with pytest.raises(DeviceError, match=r"BadUserAccessDenied.*user_name and password") as anonymous:
            await scan_of(endpoint_of(server.url, tags))
        assert anonymous.value.status == StatusCodes.BadUserAccessDenied
        monkeypatch.setenv("REACTORWATCH_TEST_PASSWORD", "open barley")
        with pytest.raises(DeviceError, match="user_name and password") as wrong:
            await scan_of(endpoint_of(server.url, tags, **login))
        assert "barley" not in str(wrong.value)
        monkeypatch.delenv("REACTORWATCH_TEST_PASSWORD")
        with pytest.raises(DeviceError, match="REACTORWATCH_TEST_PASSWORD is not set"):
            await scan_of(endpoint_of(server.url, tags, **login))
        assert server.sessions == 0


def many_tags(plant: PlantServer, count: int) -> dict[str, dict[str, Any]]:
    for number in range(count):
        plant.put(f"many{number}", good(float(number), V.Double))
    return {f"M{number}": {"address": plant.address(f"many{number}")} for number in range(count)}


async def test_the_servers_limit_of_nodes_per_read_is_honoured(plant: PlantServer) -> None:
    endpoint = endpoint_of(plant.url, many_tags(plant, 10))
    limit = plant.server.get_node(ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)))
    plant.call(limit.write_value(ua.Variant(4, V.UInt32)))
    try:
        plant.reads.clear()
        scan = await scan_of(endpoint)
    finally:
        plant.call(limit.write_value(ua.Variant(0, V.UInt32)))
    assert scan.values.tolist() == list(range(10))
    assert plant.reads == [3, 4, 4, 2]
    plant.reads.clear()
    assert (await scan_of(endpoint)).values.tolist() == list(range(10))
    assert plant.reads == [3, 10], "0 is no limit"


async def test_too_many_operations_are_halved_once_and_for_all(plant: PlantServer) -> None:
    endpoint = endpoint_of(plant.url, many_tags(plant, 10))
    (group,) = scan_groups(endpoint)

    def at_most_three(parameters: ua.ReadParameters) -> list[ua.DataValue]:
        if len(parameters.NodesToRead) > 3:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        return plant.stock_answers(parameters)

    with plant.answering(at_most_three):
        async with connect(endpoint, [group], CLOCK) as driver:
            assert (await driver.read(group, SLOT_NS)).values.tolist() == list(range(10))
            plant.reads.clear()
            assert (await driver.read(group, SLOT_NS)).values.tolist() == list(range(10))
            assert plant.reads == [2, 3, 2, 3]


async def test_a_node_that_cannot_be_decoded_spoils_nobody_else(plant: PlantServer) -> None:
    strange = ua.Variant(b"", V.ByteString)
    strange.VariantType = ua.uatypes.VariantTypeCustom(31)  # type: ignore[assignment]
    strange.Value = None  # on the wire a null of a type that asyncua does not take as null
    tags = many_tags(plant, 9)
    plant.put("strange", ua.DataValue(strange))
    tags["M4"]["address"] = plant.address("strange")
    with capture_logs() as logs:
        scan = await scan_of(endpoint_of(plant.url, tags))
    np.testing.assert_array_equal(scan.values, [0, 1, 2, 3, math.nan, 5, 6, 7, 8])
    assert scan.status.tolist() == [0, 0, 0, 0, Status.BAD_DECODING, 0, 0, 0, 0]
    assert [entry["tag"] for entry in logs] == ["M4"]


@pytest.mark.parametrize("shift", [-1, 1])
async def test_another_number_of_results_is_an_error_never_a_shift(plant: PlantServer, shift: int) -> None:
    endpoint = endpoint_of(plant.url, many_tags(plant, 5))
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        with plant.answering(lambda parameters: (plant.stock_answers(parameters) * 2)[: 5 + shift]):
            with pytest.raises(DeviceError, match=f"south/plc/main: {5 + shift} results for 5 nodes") as error:
                await driver.read(group, SLOT_NS)
            assert error.value.connection_lost


@pytest.mark.parametrize(
    ("code", "lost"), [(StatusCodes.BadSessionIdInvalid, True), (StatusCodes.BadOutOfMemory, False), (0x80FF0000, True)]
)
async def test_a_refused_read_tells_the_servers_code(plant: PlantServer, code: int, lost: bool) -> None:
    def refuse(_parameters: ua.ReadParameters) -> list[ua.DataValue]:
        raise ServiceError(code)

    endpoint = endpoint_of(plant.url, many_tags(plant, 5))
    (group,) = scan_groups(endpoint)
    async with connect(endpoint, [group], CLOCK) as driver:
        with plant.answering(refuse), pytest.raises(DeviceError, match=r"south \(opc.tcp://.*reading south/plc/main") as error:
            await driver.read(group, SLOT_NS)
        assert error.value.status == code
        assert error.value.connection_lost is lost
        if not lost:
            assert (await driver.read(group, SLOT_NS)).values.tolist() == list(range(5))
