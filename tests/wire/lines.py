"""Endpoints for tests of the wire, as plain fields: what both the process of the devices and the daemon are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from tests.wire.marks import tag_name

Protocol = Literal["opcua", "modbus", "rtu"]
_SCHEMES = {"opcua": "opc.tcp", "modbus": "modbus", "rtu": "modbus+rtu"}
_TAGS_PER_DEVICE = 6
_APART = 1000


@dataclass(frozen=True)
class Pace:
    """How an endpoint is collected from."""

    period_s: float
    timeout_s: float
    backoff_s: float


@dataclass(frozen=True)
class Line:
    """One endpoint with `units` devices, `NAME-1` and so on."""

    name: str
    protocol: Protocol
    units: int = 1

    @property
    def devices(self) -> list[str]:
        """Their names."""
        return [f"{self.name}-{unit}" for unit in range(1, self.units + 1)]

    def fields(self, pace: Pace, port: int = 1, **more: Any) -> dict[str, Any]:
        """As a plant file has it."""
        devices = {name: self._device(unit, pace) for unit, name in enumerate(self.devices, 1)}
        url = f"{_SCHEMES[self.protocol]}://127.0.0.1:{port}"
        settings = {"timeout_s": pace.timeout_s, "backoff_s": pace.backoff_s, "backoff_limit_s": pace.backoff_s}
        return {"name": self.name, "url": url, "devices": devices} | settings | more

    def _device(self, unit: int, pace: Pace) -> dict[str, Any]:
        first = (unit - 1) * _TAGS_PER_DEVICE
        numbers = range(first, first + _TAGS_PER_DEVICE)
        tags = {tag_name(number): self._tag(number) for number in numbers}
        device = {"unit": f"{self.name}-{unit}", "groups": {"main": {"period_s": pace.period_s}}, "tags": tags}
        return device if self.protocol == "opcua" else device | {"unit_id": unit}

    def _tag(self, number: int) -> dict[str, Any]:
        """On Modbus in two reads that look alike, so that the answer of one could be taken for the other's."""
        whole = number % 3 == 1
        if self.protocol == "opcua":
            return {"address": f"ns=2;s={self.name}.{number}", "kind": "integer" if whole else "real"}
        register = 4 * number + (_APART if number % _TAGS_PER_DEVICE >= _TAGS_PER_DEVICE // 2 else 0)
        return {"address": f"holding:{register}", "type": "uint32" if whole else "float64"}


def endpoint(fields: dict[str, Any]) -> OpcUaEndpoint | ModbusEndpoint:
    """The model of an endpoint's fields."""
    kind = OpcUaEndpoint if fields["url"].startswith("opc.tcp") else ModbusEndpoint
    return kind.model_validate(fields)


def plant(endpoints: list[dict[str, Any]]) -> Plant:
    """Of these endpoints' fields; it serves no page."""
    named = {fields["name"]: {key: value for key, value in fields.items() if key != "name"} for fields in endpoints}
    units: dict[str, dict[str, Any]] = {device["unit"]: {} for fields in endpoints for device in fields["devices"].values()}
    return Plant.model_validate({"site": "test", "web": None, "units": units, "endpoints": named})
