"""What goes wrong in an OPC UA server itself: the desk that refuses requests while an upset lasts.

Several upsets may be active: the strictest limit counts, and the fault that was begun last.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData, ServiceError
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaError

from simulators.opcua.identity import OperationLimits
from simulators.source import SimulationError
from simulators.upset import KINDS, End, Upset

_I = ObjectIds
_READ = _I.ReadRequest_Encoding_DefaultBinary
_COUNT = Struct("<i").unpack_from


class Limits:
    """How many operations a request may have, and which service fails altogether."""

    def __init__(self, advertised: OperationLimits) -> None:
        self._advertised = advertised
        self._most: list[int] = []
        self._faults: list[int] = []

    def admit(self, service: int, parameters: bytes) -> None:
        """Raises ServiceError."""
        if service == _READ and self._faults:
            raise ServiceError(self._faults[-1])
        counted = _COUNTED.get(service)
        if counted is None:
            return
        limit, count = counted
        most = min([getattr(self._advertised, limit), *self._most])
        if count(parameters) > most:
            raise ServiceError(StatusCodes.BadTooManyOperations)

    def disturb(self, upset: Upset) -> End:
        """Begin `too_many_operations` or `service_fault`. Raises SimulationError."""
        value = KINDS[upset.kind].value_of(upset)
        if upset.kind == "too_many_operations":
            return _added(self._most, int(float(value or 0)))
        return _added(self._faults, bad_status(str(value)))


def bad_status(name: str) -> int:
    """The code of a Bad status by its name. Raises SimulationError."""
    code = getattr(StatusCodes, name, None)
    if not isinstance(code, int) or code < 0x8000_0000:
        raise SimulationError(f"{name} is no bad status of OPC UA: write e.g. BadInternalError, BadTimeout")
    return code


def _added(active: list[int], value: int) -> End:
    active.append(value)
    ended: list[bool] = []

    def end() -> None:
        if not ended:
            ended.append(True)
            active.remove(value)

    return end


def _at(offset: int) -> Callable[[bytes], int]:
    """The length of an array that begins at `offset` of the parameters; 0 where they are shorter: asyncua will tell."""
    return lambda parameters: int(_COUNT(parameters, offset)[0]) if len(parameters) >= offset + 4 else 0


def _browsed(parameters: bytes) -> int:
    try:
        asked = struct_from_binary(ua.BrowseParameters, Buffer(parameters))
    except (ValueError, NotEnoughData, UaError):
        return 0
    return len(asked.NodesToBrowse or ())


_COUNTED: dict[int, tuple[str, Callable[[bytes], int]]] = {
    _READ: ("nodes_per_read", _at(12)),
    _I.WriteRequest_Encoding_DefaultBinary: ("nodes_per_write", _at(0)),
    _I.BrowseRequest_Encoding_DefaultBinary: ("nodes_per_browse", _browsed),
    _I.RegisterNodesRequest_Encoding_DefaultBinary: ("nodes_per_register_nodes", _at(0)),
    _I.TranslateBrowsePathsToNodeIdsRequest_Encoding_DefaultBinary: ("nodes_per_translate_browse_paths_to_node_ids", _at(0)),
    _I.CreateMonitoredItemsRequest_Encoding_DefaultBinary: ("monitored_items_per_call", _at(8)),
}
"""Service -> the limit it has, and how many operations its parameters ask for."""
