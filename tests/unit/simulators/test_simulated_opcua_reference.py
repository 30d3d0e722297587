"""The page on simulated OPC UA servers is held against the program."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from simulators.opcua.identity import OperationLimits
from simulators.opcua.nodes import DI_URI, STRUCTURE_URI, UA_URI
from simulators.opcua.server import OpcUaServer
from simulators.opcua.units import OWN_UNITS
from simulators.source import SimulationError
from simulators.upset import KINDS, Upset
from simulators.wire.wire import KINDS_OF_WIRE
from tests.simulated_source import Changeable, opcua_endpoint

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "simulated-opcua.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \|([^|]*)\|", re.MULTILINE)


async def test_every_upset_of_the_server_has_its_row_with_its_default() -> None:
    promised = [name for name, kind in KINDS.items() if "endpoint" in kind.levels and "opcua" in kind.protocols]
    rows = dict(ROW.findall(PAGE))
    assert list(rows) == [name for name in promised if name not in KINDS_OF_WIRE]
    server = OpcUaServer(opcua_endpoint({"T": {"address": "ns=2;s=T"}}), Changeable())
    for name, value in rows.items():
        default = KINDS[name].default
        assert (f"{default:g}" if isinstance(default, float) else default or "") in value, name
        server.disturb(Upset(name, "opc"))()
    with pytest.raises(SimulationError, match="exception is nothing that an OPC UA server can do"):
        server.disturb(Upset("exception", "opc"))


def test_namespaces_and_limits_are_those_of_the_page() -> None:
    assert all(f"`{uri}`" in PAGE for uri in (OWN_UNITS,))
    assert all(uri in PAGE for uri in (UA_URI, DI_URI, STRUCTURE_URI))
    assert {getattr(OperationLimits(), limit.name) for limit in fields(OperationLimits)} == {10_000} and "10,000 nodes" in PAGE
