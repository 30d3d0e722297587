"""The Modbus driver has no write path: no request it can make is anything but a read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers.modbus
from drivers.modbus.framing import Framing, Rtu, Tcp
from drivers.modbus.plan import TABLES, Read

SOURCES = sorted(Path(drivers.modbus.__file__).parent.glob("*.py"))
TO_THE_WIRE = {"transport.py", "serial_line.py"}
"""Where bytes are handed to a socket or a port, which is called writing."""


def names(tree: ast.AST) -> set[str]:
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return found | {alias.name for node in imports for alias in node.names}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_that_writes_is_named(source: Path) -> None:
    found = names(ast.parse(source.read_text(encoding="utf-8")))
    assert {name for name in found if "write" in name.lower()} == ({"write"} if source.name in TO_THE_WIRE else set())
    assert not found & {"execute", "__getattribute__", "eval", "exec", "import_module"}


def test_all_that_is_sent_is_a_request_of_the_framing() -> None:
    sent = []
    for source in SOURCES:
        calls = [node for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        sent += [(source.name, ast.unparse(call)) for call in calls if ast.unparse(call.func).endswith(".send")]
    assert sent == [("connection.py", "self._transport.send(request)")]


@pytest.mark.parametrize("framing", [Tcp(), Rtu()], ids=["tcp", "rtu"])
@given(st.sampled_from(TABLES), st.integers(0, 255), st.integers(0, 65535), st.integers(1, 125))
def test_a_request_is_one_of_the_four_reads(framing: Framing, table: str, unit_id: int, first: int, count: int) -> None:
    request, _ = framing.request(unit_id, Read(table, first, count, ()))
    body = request[6:] if framing.numbered else request[:-2]
    assert len(body) == 6
    assert body[:2] == bytes((unit_id, {"coil": 1, "discrete": 2, "holding": 3, "input": 4}[table]))
