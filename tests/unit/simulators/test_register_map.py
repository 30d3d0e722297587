"""The documented map: it tells every address, it tells the truth, and it is enough to read the device by."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from config.model import Device, ModbusDevice, ModbusEndpoint
from config.tags import Tag
from simulators.modbus.device import SimulatedDevice
from simulators.modbus.register_map import HEADINGS, LAST_ADDRESS, Row, register_map
from simulators.modbus.tables import TABLES
from simulators.source import Point, Reading, Value

FUNCTION = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
CODES = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
CODES |= {"float16": "e", "float32": "f", "float64": "d"}
REGISTERS = {"uint16": 1, "bcd16": 1, "bcd32": 2, **{name: struct.calcsize(code) // 2 for name, code in CODES.items()}}


@dataclass
class Values:
    """A source of fixed values by tag name."""

    values: dict[str, Value]

    def refresh(self) -> int:
        return 0

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(self.values[tag.name])


def endpoint(**devices: dict[str, object]) -> ModbusEndpoint:
    return ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://h", "devices": devices})


PLC: dict[str, object] = {
    "unit_id": 7,
    "gap": 3,
    "forbidden": ["holding:104-105", "holding:200-219"],
    "tags": {
        "WORD": {"address": "holding:100", "type": "uint16", "states": {1: "On", 0: "Off"}},
        "ALARM": {"address": "holding:100.5"},
        "TEMPERATURE": {"address": "holding:102", "type": "int16", "scale": 0.1, "offset": -40, "engineering_unit": "°C",
                        "word_order": "BADC", "range": [-40, 200], "role": "product_temperature"},
        "FAR": {"address": "holding:9998", "type": "float32", "word_order": "CDAB"},
        "VALVE": {"address": "coil:16"},
    },
}  # fmt: skip


def test_a_map_as_it_is_printed() -> None:
    rows = [row.cells() for row in register_map(endpoint(plc=PLC)) if row.table == "holding"]
    assert all(len(cells) == len(HEADINGS) for cells in rows)
    assert [(*cells[3:8], *cells[8:]) for cells in rows] == [
        ("0-99", "40001", "100", "illegal", *[""] * 8),
        ("100", "40101", "1", "uint16", "ABCD", "1", "0", "", "", "0=Off, 1=On", "WORD", "WORD"),
        ("100.5", "40101.5", "1", "bit", "ABCD", "", "", "", "", "", "ALARM", "ALARM"),
        ("101", "40102", "1", "gap", *[""] * 8),
        ("102", "40103", "1", "int16", "BADC", "0.1", "-40", "°C", "-40…200", "", "product_temperature", "TEMPERATURE"),
        ("103", "40104", "1", "illegal", *[""] * 8),
        ("104-105", "40105", "2", "forbidden", *[""] * 8),
        ("106-199", "40107", "94", "illegal", *[""] * 8),
        ("200-219", "40201", "20", "forbidden", *[""] * 8),
        ("220-9997", "40221", "9778", "illegal", *[""] * 8),
        ("9998", "49999", "2", "float32", "CDAB", "1", "0", "", "", "", "FAR", "FAR"),
        ("10000-65535", "410001", "55536", "illegal", *[""] * 8),
    ]


def test_unit_ids_and_tables_come_in_order_and_empty_tables_are_told() -> None:
    rows = register_map(endpoint(b={"unit_id": 9, "tags": {"T": {"address": "input:0", "type": "uint16"}}}, a=PLC))
    assert list(dict.fromkeys((row.unit_id, row.device, row.table) for row in rows)) == [
        (unit_id, device, table) for unit_id, device in ((9, "b"), (7, "a")) for table in TABLES
    ]
    coils = [(row.notation, row.address, row.meaning) for row in rows if row.unit_id == 7 and row.table == "coil"]
    assert coils == [("00001", "0-15", "illegal"), ("00017", "16", "tag"), ("00018", "17-65535", "illegal")]
    assert [(row.notation, row.count) for row in rows if row.unit_id == 9 and row.table == "discrete"] == [("10001", 65536)]


def value_of(wire_type: str) -> st.SearchStrategy[Value]:
    if wire_type == "text":
        return st.text("abcÄ1 ", max_size=4)
    if wire_type == "bit":
        return st.booleans()
    if wire_type.startswith("bcd"):
        return st.integers(0, 10 ** (4 * REGISTERS[wire_type]) - 1)
    if wire_type.startswith("float"):
        return st.floats(width=16 * REGISTERS[wire_type], allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]
    bits = 16 * REGISTERS[wire_type]
    return st.integers(0, 2**bits - 1) if wire_type.startswith("u") else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@st.composite
def devices(draw: st.DrawFn) -> tuple[ModbusDevice, dict[str, Value]]:
    tags: dict[str, dict[str, object]] = {}
    values: dict[str, Value] = {}
    at = dict.fromkeys(TABLES, 0)
    for number in range(draw(st.integers(1, 12))):
        table = draw(st.sampled_from(TABLES))
        at[table] += draw(st.integers(0, 12))
        wire_type = "bit" if table in ("coil", "discrete") else draw(st.sampled_from([*REGISTERS, "text", "bit"]))
        tag: dict[str, object] = {
            "address": f"{table}:{at[table]}",
            "word_order": draw(st.sampled_from(("ABCD", "CDAB", "BADC", "DCBA"))),
        }
        if wire_type == "bit" and table in ("holding", "input"):
            tag["address"] = f"{table}:{at[table]}.{draw(st.integers(0, 15))}"
        elif wire_type != "bit":
            tag["type"] = wire_type
        if wire_type == "text":
            tag["length"] = 4
        tags[f"T{number}"], values[f"T{number}"] = tag, draw(value_of(wire_type))
        at[table] += REGISTERS.get(wire_type, 4 if wire_type == "text" else 1)
    gap, forbidden = draw(st.integers(0, 8)), draw(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 4)), max_size=2))
    fields = {"gap": gap, "forbidden": [f"holding:{first}-{first + more}" for first, more in forbidden]}
    return ModbusDevice.model_validate({"name": "plc", "tags": tags, **fields}), values


def answered(device: SimulatedDevice, row: Row) -> bytes | int:
    """The content, or the exception's code."""
    answer = device.answer(struct.pack(">BHH", FUNCTION[row.table], row.first, row.count))
    return answer[1] if answer[0] & 0x80 else answer[2:]


def decoded(row: Row, content: bytes) -> Value:
    """By the row alone."""
    assert row.tag
    order, wire_type = row.tag.word_order, row.cells()[6]
    if row.table in ("coil", "discrete"):
        return bool(content[0] & 1)
    registers = [content[at : at + 2] for at in range(0, len(content), 2)]
    if order in ("BADC", "DCBA"):
        registers = [register[::-1] for register in registers]
    if order in ("CDAB", "DCBA") and wire_type != "text":
        registers.reverse()
    plain = b"".join(registers)
    if wire_type == "bit":
        return bool(int.from_bytes(plain, "big") >> (row.tag.bit or 0) & 1)
    if wire_type == "text":
        return plain.rstrip(b"\0").decode()
    if wire_type.startswith("bcd"):
        return int(plain.hex())
    value: float | int = struct.unpack(">" + CODES[wire_type], plain)[0]
    return value


@given(devices())
def test_the_map_is_enough_to_read_every_tag(made: tuple[ModbusDevice, dict[str, Value]]) -> None:
    device, values = made
    served = SimulatedDevice(device, Values(values))
    rows = [row for row in register_map(endpoint(plc=device.model_dump(exclude={"name"}) | {"tags": device.tags})) if row.tag]
    assert {row.tag.name for row in rows if row.tag} == set(values)
    for row in rows:
        content = answered(served, row)
        assert isinstance(content, bytes) and row.tag
        assert decoded(row, content) == values[row.tag.name]


@given(devices())
def test_the_map_tells_every_address_and_tells_the_truth(made: tuple[ModbusDevice, dict[str, Value]]) -> None:
    device, values = made
    served = SimulatedDevice(device, Values(values))
    rows = register_map(endpoint(plc=device.model_dump(exclude={"name"}) | {"tags": device.tags}))
    for table in TABLES:
        own = [row for row in rows if row.table == table]
        firsts = Counter(row.first for row in own if not (row.tag and row.tag.bit is not None))
        firsts |= Counter({row.first for row in own})
        lengths = {row.first: row.count for row in own}
        at = 0
        while at <= LAST_ADDRESS:
            assert firsts[at] == 1, f"{table} {at}"
            at += lengths[at]
        assert at == LAST_ADDRESS + 1
    for row in rows:
        if row.meaning == "tag":
            continue
        for first in (row.first, row.last):
            content = answered(served, Row(row.unit_id, row.device, row.table, first, 1, row.meaning))
            assert content == 2 if row.meaning != "gap" else isinstance(content, bytes) and not any(content)
