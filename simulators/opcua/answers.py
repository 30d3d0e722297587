"""Answers to Read, prepared: what a collector asks each second is decoded once.

    body of the request ──> plan: one encoder per node ──> head | value value value … | tail
                   (the same bytes, the same plan)             the server's time behind each value

A plan is found by the bytes of the request's parameters. Whatever asks for anything but the values of tags has none,
and asyncua answers it. Both say the same: `test_prepared_answers` holds them against each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from struct import Struct

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData, ServiceError
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import UaError

from simulators.opcua.values import Encoder, Sent, Stamps, Variable, data_value, encoder, ticks

_MOST_PLANS = 64
_STAMPS = {
    ua.TimestampsToReturn.Source: Stamps(source=True, server=False),
    ua.TimestampsToReturn.Server: Stamps(source=False, server=True),
    ua.TimestampsToReturn.Both: Stamps(source=True, server=True),
    ua.TimestampsToReturn.Neither: Stamps(source=False, server=False),
}
_EPOCH_TICKS = ticks(datetime(1970, 1, 1, tzinfo=UTC))
_EMPTY = struct_to_binary(ua.ReadResponse())
_HEAD, _NO_DIAGNOSTICS = bytes(_EMPTY[:-8]), bytes(_EMPTY[-4:])
"""A ReadResponse ends in two arrays, results and diagnostics; both are empty here."""
_STAMP_AND_HANDLE = Struct("<QI")
_AFTER_TYPE = 4
"""The response header follows the four bytes of its type."""


class Plan:
    """How one request is answered, again and again."""

    def __init__(self, variables: list[Variable], stamps: Stamps) -> None:
        self._stamps = stamps
        self._encoders: list[Encoder] = [encoder(variable, stamps) for variable in variables]
        self._head = bytearray(_HEAD + len(variables).to_bytes(4, "little"))

    def answer(self, request_handle: int) -> bytes:
        """A ReadResponse in OPC UA binary, of now."""
        now = time.time_ns() // 1000 * 10 + _EPOCH_TICKS
        head = self._head
        _STAMP_AND_HANDLE.pack_into(head, _AFTER_TYPE, now, request_handle)
        server = now.to_bytes(8, "little") if self._stamps.server else b""
        parts = [encode() for encode in self._encoders]
        return b"".join((head, server.join(parts), server, _NO_DIAGNOSTICS))


class Plans:
    """The plans of one server, by the bytes of their request."""

    def __init__(self, variables: Mapping[ua.NodeId, Variable]) -> None:
        self._variables = variables
        self._plans: dict[bytes, Plan | None] = {}

    def plan(self, parameters: bytes) -> Plan | None:
        """How to answer ReadParameters; None where asyncua has to."""
        if parameters not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[parameters] = self._prepare(parameters)
        return self._plans[parameters]

    def _prepare(self, parameters: bytes) -> Plan | None:
        try:
            asked = struct_from_binary(ua.ReadParameters, Buffer(parameters))
        except (ValueError, NotEnoughData, UaError):
            return None
        stamps = _STAMPS.get(asked.TimestampsToReturn)
        if stamps is None or not asked.NodesToRead or asked.MaxAge < 0:
            return None
        variables = [self._variable(item) for item in asked.NodesToRead]
        found = [variable for variable in variables if variable is not None]
        return Plan(found, stamps) if len(found) == len(variables) else None

    def _variable(self, asked: ua.ReadValueId) -> Variable | None:
        plain = asked.AttributeId == AttributeIds.Value and not asked.IndexRange and not asked.DataEncoding.Name
        return self._variables.get(asked.NodeId) if plain else None


class Attributes(AttributeService):
    """Read as OPC 10000-4, 5.11.2 has it: with the timestamps that were asked for, and the faults for what is wrong."""

    def __init__(self, space: AddressSpace, variables: Mapping[ua.NodeId, Variable]) -> None:
        super().__init__(space)
        self._space, self._variables = space, variables

    def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """One DataValue per node. Raises ServiceError."""
        stamps = _STAMPS.get(params.TimestampsToReturn)
        if stamps is None:
            raise ServiceError(StatusCodes.BadTimestampsToReturnInvalid)
        if not params.NodesToRead:
            raise ServiceError(StatusCodes.BadNothingToDo)
        if params.MaxAge < 0:
            raise ServiceError(StatusCodes.BadMaxAgeInvalid)
        now = datetime.now(UTC)
        return [self._read(item, stamps, now) for item in params.NodesToRead]

    def _read(self, asked: ua.ReadValueId, stamps: Stamps, now: datetime) -> ua.DataValue:
        variable = self._variables.get(asked.NodeId) if asked.AttributeId == AttributeIds.Value else None
        if asked.IndexRange and variable is not None:
            return Sent(None, ua.StatusCode(ua.UInt32(StatusCodes.BadIndexRangeNoData)))
        if variable is not None:
            return data_value(variable, variable.point(), stamps, now)
        found = self._space.read_attribute_value(asked.NodeId, asked.AttributeId)
        source = found.SourceTimestamp if stamps.source else None
        return Sent(found.Value, found.StatusCode, source, found.ServerTimestamp if stamps.server else None)
