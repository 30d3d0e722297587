"""`reactorwatch probe` against a peer with a hole in its registers, and typed wrongly."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from collector.__main__ import app
from config.tags import ModbusType
from tests.system.modbus_peer import Request, Step, serving, value_at


def lacking(hole: int) -> object:
    def script(request: Request) -> list[Step]:
        refused = request.first <= hole < request.first + request.count or request.unit != 7 or request.function != 3
        return [request.refusal(2) if refused else request.answer()]

    return script


async def typed(hole: int, *words: str) -> Result:
    script = lacking(hole)
    assert callable(script)
    async with serving(script) as peer:
        arguments = [word.replace("PORT", str(peer.port)) for word in words]
        return await asyncio.to_thread(CliRunner().invoke, app, ["probe", *arguments])


async def test_registers_are_shown_and_the_hole_is_named() -> None:
    result = await typed(105, "modbus://127.0.0.1:PORT?unit=7", "--registers", "100-239", "--json")
    assert result.exit_code == 0, result.output
    told = {row["address"]: row for row in json.loads(result.stdout)["registers"]}
    assert sorted(told) == list(range(100, 240))
    assert told[105] == {"address": 105, "refused": "exception 2 (illegal data address)"}
    assert all(told[n]["decodings"]["uint16"]["ABCD"]["value"] == value_at(n) for n in told if n != 105)
    assert "float32" not in told[104]["decodings"] and "float32" in told[103]["decodings"]


async def test_tables_fit_a_narrow_terminal() -> None:
    result = await typed(102, "modbus://127.0.0.1:PORT?unit=7", "--registers", "100-107")
    assert result.exit_code == 0, result.output
    assert "102 is refused: exception 2 (illegal data address)" in result.output
    kinds = set(get_args(ModbusType)) - {"bit"}
    assert all(word in result.output for word in (*kinds, "ABCD", "CDAB", "BADC", "DCBA", "bits")), "all that a tag may have"
    assert max(len(line.rstrip()) for line in result.output.splitlines()) <= 80


async def test_all_refused_is_a_failure_that_says_what_to_look_at() -> None:
    result = await typed(0, "modbus://127.0.0.1:PORT?unit=7", "--registers", "5", "--table", "input")
    assert (result.exit_code, "is input the right table" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["http://h", "--registers", "1"], 2, "is no Modbus url"),
        (["modbus://h?unit=300", "--registers", "1"], 2, "unit_id"),
        (["modbus://h?baudrate=9600", "--registers", "1"], 2, "baudrate fits modbus+serial"),
        (["modbus://h/x", "--registers", "1"], 2, "more than a host"),
        (["modbus://h", "--registers", "a-b"], 2, "is no range"),
        (["modbus://h", "--registers", "9-1"], 2, "the lower address first"),
        (["modbus+serial:///dev/nowhere?unit=3", "--registers", "1"], 1, "No such file"),
    ],
)
def test_what_is_typed_wrongly_is_told(words: list[str], code: int, text: str) -> None:
    result = CliRunner().invoke(app, ["probe", *words])
    assert (result.exit_code, text in " ".join(result.output.split())) == (code, True), result.output
