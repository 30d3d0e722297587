"""The drivers, by the protocol of an endpoint. Each is loaded by the plant that needs it: asyncua alone takes 33 MB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

from config.model import ModbusEndpoint, OpcUaEndpoint
from drivers.base import Clock, Driver, Endpoint, ScanGroup


def connect_driver(endpoint: Endpoint, groups: Sequence[ScanGroup], clock: Clock) -> AbstractAsyncContextManager[Driver]:
    """An open driver of the endpoint's protocol."""
    if isinstance(endpoint, ModbusEndpoint):
        return _modbus()(endpoint, groups, clock)
    return _opcua()(endpoint, groups, clock)


def load_drivers(endpoints: Iterable[Endpoint]) -> None:
    """Load what these endpoints need now: while polls run it would make them late."""
    for endpoint in endpoints:
        if isinstance(endpoint, ModbusEndpoint):
            _modbus()
        else:
            _opcua()


def _modbus() -> Callable[[ModbusEndpoint, Sequence[ScanGroup], Clock], AbstractAsyncContextManager[Driver]]:
    from drivers.modbus.session import connect  # noqa: PLC0415  see above

    return connect


def _opcua() -> Callable[[OpcUaEndpoint, Sequence[ScanGroup], Clock], AbstractAsyncContextManager[Driver]]:
    from drivers.opcua.session import connect  # noqa: PLC0415  see above

    return connect
