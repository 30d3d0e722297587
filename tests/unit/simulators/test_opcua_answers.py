"""Prepared answers say what asyncua says: both are decoded with asyncua and compared, for random tags and readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.address_space import AddressSpace
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from config.model import OpcUaDevice
from config.tags import OpcUaTag
from simulators.opcua.answers import Attributes, Plans
from simulators.opcua.values import Variable, ticks
from simulators.source import Reading

NAMES = ("REAL", "SCALED", "INTEGER", "STATES", "BOOLEAN", "TEXT")
TAGS: dict[str, dict[str, object]] = {
    "REAL": {},
    "SCALED": {"scale": 0.1, "offset": 3.0},
    "INTEGER": {"kind": "integer"},
    "STATES": {"kind": "integer", "states": {0: "Off", 1: "On"}},
    "BOOLEAN": {"kind": "boolean"},
    "TEXT": {"kind": "text"},
}
DEVICE = OpcUaDevice.model_validate(
    {"name": "plc", "tags": {name: {"address": f"ns=2;s={name}", **tag} for name, tag in TAGS.items()}}
)
VALUES: dict[str, st.SearchStrategy[float | int | bool | str]] = {
    "REAL": st.floats(),
    "SCALED": st.floats(-1e300, 1e300),
    "INTEGER": st.integers(-(2**64), 2**64) | st.floats(-10, 10),
    "STATES": st.integers(-5, 2**33),
    "BOOLEAN": st.booleans(),
    "TEXT": st.text(max_size=40),
}
STATUSES = st.sampled_from(
    [0, 0, 0, 0x4094_0000, 0x0000_0400, StatusCodes.BadSensorFailure, StatusCodes.BadNodeIdUnknown, 0xFFFF_FFFF]
)
STAMPS = st.sampled_from([0]) | st.integers(1, 2**62)


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[str], dict[str, Reading], ua.TimestampsToReturn]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12))
    readings = {name: Reading(draw(st.none() | VALUES[name]), draw(STATUSES), draw(STAMPS)) for name in NAMES}
    readings = {name: replace_none(reading) for name, reading in readings.items()}
    stamps = draw(st.sampled_from(["Source", "Server", "Both", "Neither"]))
    return names, readings, ua.TimestampsToReturn[stamps]


def replace_none(reading: Reading) -> Reading:
    """A source gives no null with a good status."""
    return (
        reading
        if reading.value is not None or (reading.bad and reading.status)
        else reading._replace(status=StatusCodes.BadNoData)
    )


def variables(readings: dict[str, Reading]) -> dict[ua.NodeId, Variable]:
    def point_of(tag: OpcUaTag) -> Variable:
        return Variable(DEVICE, tag, ua.NodeId(ua.String(tag.name), ua.Int16(2)), lambda: readings[tag.name])

    return {variable.node_id: variable for variable in map(point_of, DEVICE.tags)}


def request(
    *nodes: ua.NodeId, stamps: ua.TimestampsToReturn, attribute: int = AttributeIds.Value, **fields: object
) -> ua.ReadParameters:
    asked_for = [ua.ReadValueId(NodeId=node, AttributeId=ua.UInt32(attribute)) for node in nodes]
    return replace(ua.ReadParameters(TimestampsToReturn=stamps, NodesToRead=asked_for), **fields)  # type: ignore[arg-type]


def decoded(answer: bytes) -> ua.ReadResponse:
    body = Buffer(answer)
    response = ua.ReadResponse()
    response.TypeId = nodeid_from_binary(body)
    response.ResponseHeader = struct_from_binary(ua.ResponseHeader, body)
    response.Results = [struct_from_binary(ua.DataValue, body) for _ in range(int.from_bytes(body.read(4), "little"))]
    assert body.read(4) == b"\0\0\0\0" and len(body) == 0, "no diagnostics, and nothing more"
    return response


@given(case=asked())
def test_prepared_answers_are_what_asyncua_answers(case: tuple[list[str], dict[str, Reading], ua.TimestampsToReturn]) -> None:
    names, readings, stamps = case
    by_node = variables(readings)
    parameters = request(*(ua.NodeId(ua.String(name), ua.Int16(2)) for name in names), stamps=stamps)
    plan = Plans(by_node).plan(bytes(struct_to_binary(parameters)))
    assert plan is not None
    before = datetime.now(UTC)
    prepared = decoded(plan.answer(4711))
    whole = ua.ReadResponse()
    whole.ResponseHeader.RequestHandle = ua.UInt32(4711)
    whole.Results = Attributes(AddressSpace(), by_node).read(parameters)
    other = decoded(bytes(struct_to_binary(whole)))
    assert prepared.TypeId == other.TypeId
    assert prepared.ResponseHeader.RequestHandle == 4711 and prepared.ResponseHeader.ServiceResult.value == 0
    assert len(prepared.Results) == len(other.Results) == len(names)
    for mine, theirs in zip(prepared.Results, other.Results, strict=True):
        assert (mine.ServerTimestamp is None) == (theirs.ServerTimestamp is None) == (stamps.name in ("Source", "Neither"))
        if mine.ServerTimestamp is not None:
            assert before - timedelta(milliseconds=1) <= mine.ServerTimestamp <= datetime.now(UTC)
        assert repr(replace(mine, ServerTimestamp=None)) == repr(replace(theirs, ServerTimestamp=None)), "repr: NaN is NaN"


def test_a_plan_tells_the_values_of_now_each_time() -> None:
    readings = {name: Reading(None, StatusCodes.BadNoData) for name in NAMES}
    by_node = variables(readings)
    body = bytes(struct_to_binary(request(*by_node, stamps=ua.TimestampsToReturn.Source)))
    plans = Plans(by_node)
    shown = []
    for number in (1.0, 2.0):
        readings["REAL"] = Reading(number, 0, 1)
        plan = plans.plan(body)
        assert plan is not None
        first = decoded(plan.answer(1)).Results[0]
        shown.append(first.Value.Value if first.Value else None)
    assert shown == [1.0, 2.0]


@pytest.mark.parametrize(
    "parameters",
    [
        request(stamps=ua.TimestampsToReturn.Both),
        request(ua.NodeId(ua.String("REAL"), ua.Int16(2)), stamps=ua.TimestampsToReturn.Invalid),
        request(ua.NodeId(ua.String("REAL"), ua.Int16(2)), stamps=ua.TimestampsToReturn.Both, MaxAge=-1.0),
        request(ua.NodeId(ua.String("REAL"), ua.Int16(2)), stamps=ua.TimestampsToReturn.Both, attribute=AttributeIds.BrowseName),
        request(ua.NodeId(ua.String("STRANGER"), ua.Int16(2)), stamps=ua.TimestampsToReturn.Both),
    ],
)
def test_whatever_is_not_the_values_of_tags_is_asyncuas(parameters: ua.ReadParameters) -> None:
    by_node = variables({name: Reading(1.0) for name in NAMES})
    assert Plans(by_node).plan(bytes(struct_to_binary(parameters))) is None
    assert Plans(by_node).plan(b"garbage") is None


def test_an_index_range_of_a_single_value_has_no_data() -> None:
    by_node = variables({name: Reading(1.0) for name in NAMES})
    asked_for = [ua.ReadValueId(next(iter(by_node)), ua.UInt32(AttributeIds.Value), IndexRange="0:1")]
    parameters = ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=asked_for)
    assert Plans(by_node).plan(bytes(struct_to_binary(parameters))) is None
    (answer,) = Attributes(AddressSpace(), by_node).read(parameters)
    assert answer.StatusCode and answer.StatusCode.value == StatusCodes.BadIndexRangeNoData


def test_a_wrong_max_age_is_a_fault() -> None:
    with pytest.raises(ServiceError):
        Attributes(AddressSpace(), {}).read(request(ua.NodeId(), stamps=ua.TimestampsToReturn.Both, MaxAge=-1.0))


def test_ticks_are_those_of_the_specification() -> None:
    assert ticks(datetime(1970, 1, 1, tzinfo=UTC)) == 11_644_473_600 * 10_000_000
