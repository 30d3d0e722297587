"""`reactorwatch probe`: what registers hold, in every type and word order, side by side."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated
from urllib.parse import parse_qsl

import orjson
import typer
from pydantic import ValidationError
from rich.table import Table

from collector.commands.terms import failed, output, seconds, wrong_input
from config.modbus_line import EXAMPLES, TRANSPORTS
from config.model import ModbusEndpoint
from drivers.base import DeviceError
from drivers.modbus.probe import BYTE_ORDERS, ORDERS, WIDE, Decoding, one, texts, wide
from drivers.modbus.registers import Found, read_registers

_MOST = 1000
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class RegisterTable(StrEnum):
    """The tables that hold registers."""

    holding = "holding"
    input = "input"


def probe(
    url: Annotated[str, typer.Argument(help="modbus://host:port?unit=1, or another Modbus url.", metavar="URL")],
    registers: Annotated[str, typer.Option(help="Addresses as on the wire, from 0: 100-139.")],
    table: Annotated[RegisterTable, typer.Option(help="holding or input.")] = RegisterTable.holding,
    timeout: Annotated[str, typer.Option(help="Deadline of connecting and of each request.")] = "4s",
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Print every plausible decoding of some registers of a Modbus device, side by side. Reads only."""
    first, last = _range(registers)
    endpoint = _endpoint(url, f"{table.value}:{first}", seconds(timeout))
    unit_id = endpoint.devices[0].unit_id
    try:
        found, refused = asyncio.run(read_registers(endpoint, unit_id, table.value, first, last))
    except DeviceError as exc:
        failed(str(exc))
    if json:
        typer.echo(orjson.dumps(_facts(found, refused), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(found, refused, f"{table.value} registers of unit {unit_id}")
    if len(refused) == len(found):
        failed(
            f"every register is refused, {refused[first]}: is {table.value} the right table, and do the addresses count from 0?"
        )


def _range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text.strip())
    if not match:
        wrong_input(f"--registers {text!r} is no range of addresses: write e.g. 100-139")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= 65535 or last - first >= _MOST:
        wrong_input(f"--registers {text}: the lower address first, at most 65535, and at most {_MOST} registers")
    return first, last


def _endpoint(url: str, address: str, timeout_s: float) -> ModbusEndpoint:
    plain, _, query = url.partition("?")
    if plain.partition("://")[0] not in TRANSPORTS:
        wrong_input(f"{url!r} is no Modbus url: write e.g. {EXAMPLES['tcp']}?unit=1")
    keys = {key: int(value) if value.isdecimal() else value for key, value in parse_qsl(query, keep_blank_values=True)}
    device = {"unit": "probe", "unit_id": keys.pop("unit", 1), "tags": {"first": {"address": address, "type": "uint16"}}}
    fields = {"name": "probe", "url": plain, "timeout_s": timeout_s, "devices": {"probe": device}}
    try:
        return ModbusEndpoint.model_validate(keys | fields)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in error["loc"] if isinstance(step, str))
        wrong_input(f"{url!r}: {place or 'its keys'}: {error['msg'].removeprefix('Value error, ')}")


def _show(found: Found, refused: Mapping[int, str], what: str) -> None:
    """A table a type, none wider than a narrow terminal."""
    output.print(f"{what}; * is plausible, a value begins at its address", markup=False)
    for order, title in zip(BYTE_ORDERS, ("one register", "one register, its bytes swapped: BADC"), strict=True):
        output.print(_single(found, order, title))
    for kind in WIDE:
        rows = [(address, decodings) for address in sorted(found) if (decodings := wide(found, address, kind))]
        if rows:
            several = _table(kind, "address", *ORDERS)
            for address, decodings in rows:
                several.add_row(str(address), *(_cell(decodings[order]) for order in ORDERS))
            output.print(several)
    for address, why in refused.items():
        output.print(f"{address} is refused: {why}", markup=False)
    for text in texts(found):
        order = "BADC" if text.swapped else "ABCD"
        output.print(f"text {text.first}-{text.last} {order}: {text.text!r}", markup=False)


def _single(found: Found, order: str, title: str) -> Table:
    table = _table(title, "address", "hex", "uint16", "int16", "bcd16", "float16", "text", "bits")
    for address, raw in sorted(found.items()):
        if raw is None:
            table.add_row(str(address), "refused")
        else:
            table.add_row(str(address), raw.hex(), *(_cell(decoding) for decoding in one(raw, order).values()))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("text", "bits", "hex") else "right", overflow="fold")
    return table


def _cell(decoding: Decoding) -> str:
    return f"[bold]{_escaped(decoding)}*[/bold]" if decoding.plausible else _escaped(decoding)


def _escaped(decoding: Decoding) -> str:
    return str(decoding).replace("[", r"\[")


def _facts(found: Found, refused: Mapping[int, str]) -> dict[str, object]:
    return {
        "registers": list(_register_facts(found, refused)),
        "texts": [
            {"first": text.first, "last": text.last, "word_order": "BADC" if text.swapped else "ABCD", "text": text.text}
            for text in texts(found)
        ],
    }


def _register_facts(found: Found, refused: Mapping[int, str]) -> Iterator[dict[str, object]]:
    for address, raw in sorted(found.items()):
        if raw is None:
            yield {"address": address, "refused": refused[address]}
            continue
        single = {order: one(raw, order) for order in BYTE_ORDERS}
        decodings = {kind: {order: _fact(told[kind]) for order, told in single.items()} for kind in single["ABCD"]}
        for kind in WIDE:
            if by_order := wide(found, address, kind):
                decodings[kind] = {order: _fact(decoding) for order, decoding in by_order.items()}
        yield {"address": address, "hex": raw.hex(), "decodings": decodings}


def _fact(decoding: Decoding) -> dict[str, object]:
    """A float that JSON has no number for is told as a text."""
    value = decoding.value
    told = str(value) if isinstance(value, float) and not math.isfinite(value) else value
    return {"value": told, "plausible": decoding.plausible}
