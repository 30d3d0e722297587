"""The decoder against values encoded by struct, and by pymodbus, from the words of the encoding's description."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from config.model import ModbusDevice, ModbusEndpoint
from config.tags import Kind, ModbusTag
from drivers.base import ScanGroup, Status, scan_groups
from drivers.modbus.decode import Decoded, Decoder
from drivers.modbus.plan import Read, plan_reads

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
STRUCT = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}
ENCODED = {
    "int16": AsyncModbusTcpClient.DATATYPE.INT16,
    "uint16": AsyncModbusTcpClient.DATATYPE.UINT16,
    "int32": AsyncModbusTcpClient.DATATYPE.INT32,
    "uint32": AsyncModbusTcpClient.DATATYPE.UINT32,
    "int64": AsyncModbusTcpClient.DATATYPE.INT64,
}


@dataclass(frozen=True)
class Case:
    """A tag without its place, what its registers hold, and what must come out."""

    tag: dict[str, object]
    wire: bytes
    value: float
    exact: int | str | None = None
    status: int = Status.GOOD


def swapped(wire: bytes) -> bytes:
    return b"".join(wire[n : n + 2][::-1] for n in range(0, len(wire), 2))


def in_order(big_endian: bytes, order: str) -> bytes:
    return {
        "ABCD": big_endian,
        "CDAB": swapped(big_endian[::-1]),
        "BADC": swapped(big_endian),
        "DCBA": big_endian[::-1],
    }[order]


def bits_of(width: int) -> tuple[int, int]:
    return -(1 << width - 1), (1 << width - 1) - 1


@st.composite
def numbers(draw: st.DrawFn) -> Case:
    kind = draw(st.sampled_from(list(STRUCT)))
    order = draw(st.sampled_from(ORDERS))
    width = 8 * struct.calcsize(STRUCT[kind])
    tag: dict[str, object] = {"type": kind, "word_order": order}
    if kind.startswith("float"):
        value = draw(st.floats(width=width, allow_subnormal=True))  # type: ignore[arg-type]
        wire = in_order(struct.pack(">" + STRUCT[kind], value), order)
        return Case(tag, wire, value) if math.isfinite(value) else Case(tag, wire, math.nan, None, Status.BAD_OUT_OF_RANGE)
    low, high = bits_of(width) if kind.startswith("int") else (0, (1 << width) - 1)
    number = draw(st.integers(low, high))
    wire = in_order(struct.pack(">" + STRUCT[kind], number), order)
    if draw(st.booleans()):
        scale, offset = draw(st.sampled_from([(0.1, 0.0), (1.0, -40.0), (-2.5e-3, 7.0)]))
        return Case({**tag, "scale": scale, "offset": offset}, wire, float(number) * scale + offset)
    if number > 2**63 - 1:
        return Case(tag, wire, math.nan, 0, Status.BAD_OUT_OF_RANGE)
    return Case(tag, wire, float(number), number)


@st.composite
def decimals(draw: st.DrawFn) -> Case:
    kind, digits = draw(st.sampled_from([("bcd16", 4), ("bcd32", 8)]))
    order = draw(st.sampled_from(ORDERS))
    nibbles = draw(st.lists(st.integers(0, 10), min_size=digits, max_size=digits).map(lambda d: [n if n < 10 else 15 for n in d]))
    wire = in_order(bytes.fromhex("".join(f"{n:x}" for n in nibbles)), order)
    tag: dict[str, object] = {"type": kind, "word_order": order}
    if any(n > 9 for n in nibbles):
        return Case(tag, wire, math.nan, 0, Status.BAD_DECODING)
    number = int("".join(map(str, nibbles)))
    return Case(tag, wire, float(number), number)


@st.composite
def texts(draw: st.DrawFn) -> Case:
    length = draw(st.integers(1, 8))
    order = draw(st.sampled_from(ORDERS))
    text = draw(st.text("B-0 ß€𝄞\0", max_size=length)).encode()[: 2 * length]
    padded = text.ljust(2 * length, draw(st.sampled_from([b"\0", b" "])))
    tag: dict[str, object] = {"type": "text", "length": length, "word_order": order}
    wire = swapped(padded) if order in ("BADC", "DCBA") else padded
    try:
        return Case(tag, wire, math.nan, padded.rstrip(b"\0 ").decode())
    except UnicodeDecodeError:
        return Case(tag, wire, math.nan, "", Status.BAD_DECODING)


@st.composite
def register_bits(draw: st.DrawFn) -> Case:
    word, bit, order = draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 15)), draw(st.sampled_from(ORDERS))
    return Case({"bit": bit, "word_order": order}, in_order(struct.pack(">H", word), order), float(word >> bit & 1))


def placed(cases: Sequence[Case], gaps: Sequence[int]) -> tuple[ScanGroup, dict[int, int]]:
    """The cases one after another in the holding registers, with gaps; and all registers by address."""
    tags, registers, at = {}, {}, 10
    for number, (case, gap) in enumerate(zip(cases, gaps, strict=True)):
        address = f"holding:{at}" + (f".{case.tag['bit']}" if "bit" in case.tag else "")
        tags[f"T-{number}"] = {"address": address, **{key: item for key, item in case.tag.items() if key != "bit"}}
        for n in range(0, len(case.wire), 2):
            registers[at + n // 2] = int.from_bytes(case.wire[n : n + 2], "big")
        at += len(case.wire) // 2 + gap
    return group_of(tags), registers


def group_of(tags: dict[str, dict[str, object]], **limits: object) -> ScanGroup:
    device = {"unit": "R-201", "tags": tags, **limits}
    endpoint = ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://127.0.0.1", "devices": {"PLC": device}})
    (group,) = scan_groups(endpoint)
    return group


def modbus(group: ScanGroup) -> tuple[tuple[ModbusTag, ...], ModbusDevice]:
    assert isinstance(group.device, ModbusDevice)
    return group.device.tags, group.device


def decoder_of(group: ScanGroup, reads: tuple[Read, ...] | None = None) -> Decoder:
    tags, device = modbus(group)
    return Decoder(group.layout, tags, plan_reads(tags, device) if reads is None else reads)


def check(group: ScanGroup, cases: Sequence[Case], got: Decoded) -> None:
    assert got.status.tolist() == [case.status for case in cases]
    assert got.values.tobytes() == np.array([case.value for case in cases]).tobytes()
    kinds = [column.kind for column in group.layout.columns]
    assert got.integers.tolist() == [case.exact for case, kind in zip(cases, kinds, strict=True) if kind is Kind.INTEGER]
    assert list(got.texts) == [case.exact for case, kind in zip(cases, kinds, strict=True) if kind is Kind.TEXT]


CASES = st.lists(st.one_of(numbers(), numbers(), decimals(), texts(), register_bits()), min_size=1, max_size=25)


@settings(deadline=None)
@given(CASES, st.data())
def test_every_type_and_order_comes_out_as_it_went_in(cases: list[Case], data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.integers(0, 12), min_size=len(cases), max_size=len(cases)))
    group, registers = placed(cases, gaps)
    decoder = decoder_of(group)
    answers = [struct.pack(f">{read.count}H", *(registers.get(n, 0xFFFF) for n in range(read.first, read.last + 1)))
               for read in decoder.reads]  # fmt: skip
    check(group, cases, decoder.decode(answers))
    check(group, cases, decoder.decode(answers))  # nothing of the first one is left behind


@settings(deadline=None)
@given(CASES, st.data())
def test_a_failed_read_is_bad_for_its_own_columns_alone(cases: list[Case], data: st.DataObject) -> None:
    group, registers = placed(cases, [9] * len(cases))
    decoder = decoder_of(group)
    failed = data.draw(st.sets(st.sampled_from(range(len(decoder.reads)))))
    answers: list[bytes | int] = [
        Status.BAD_DEVICE_FAILURE if number in failed else
        struct.pack(f">{read.count}H", *(registers.get(n, 0) for n in range(read.first, read.last + 1)))
        for number, read in enumerate(decoder.reads)
    ]  # fmt: skip
    lost = {column for number in failed for column in decoder.reads[number].columns}
    expected = [
        case if n not in lost else
        Case(case.tag, case.wire, math.nan, "" if isinstance(case.exact, str) else 0, Status.BAD_DEVICE_FAILURE)
        for n, case in enumerate(cases)
    ]  # fmt: skip
    check(group, expected, decoder.decode(answers))


@settings(deadline=None)
@given(st.sampled_from(["coil", "discrete"]), st.lists(st.booleans(), min_size=1, max_size=64), st.integers(0, 40), st.data())
def test_bit_tables(table: str, bits: list[bool], first: int, data: st.DataObject) -> None:
    """The least significant bit of the first byte is the first address."""
    wanted = data.draw(st.lists(st.sampled_from(range(len(bits))), min_size=1, unique=True))
    group = group_of({f"XV-{n}": {"address": f"{table}:{first + n}"} for n in wanted})
    decoder = decoder_of(group)
    asked = [(read, bits[read.first - first : read.last - first + 1]) for read in decoder.reads]
    answers = [sum(bit << n for n, bit in enumerate(block)).to_bytes(read.size_bytes, "little") for read, block in asked]
    assert decoder.decode(answers).values.tolist() == [float(bits[n]) for n in wanted]


@settings(deadline=None)
@given(st.sampled_from(list(ENCODED)), st.sampled_from(["ABCD", "CDAB"]), st.data())
def test_as_pymodbus_encodes(kind: str, order: str, data: st.DataObject) -> None:
    width = 8 * struct.calcsize(STRUCT[kind])
    low, high = (0, (1 << width) - 1) if kind.startswith("u") else bits_of(width)
    number = data.draw(st.integers(low, high))
    word_order: Literal["big", "little"] = "big" if order == "ABCD" else "little"
    registers = AsyncModbusTcpClient.convert_to_registers(number, ENCODED[kind], word_order)
    group = group_of({"T": {"address": "input:5", "type": kind, "word_order": order}})
    got = decoder_of(group).decode([struct.pack(f">{len(registers)}H", *registers)])
    assert got.integers.tolist() == [number]


def test_the_described_orders_of_64_bits() -> None:
    wire = bytes.fromhex("0102030405060708")
    group = group_of({order: {"address": "holding:0", "type": "int64", "word_order": order} for order in ORDERS})
    assert [f"{number:016x}" for number in decoder_of(group).decode([wire]).integers] == [
        "0102030405060708",
        "0708050603040102",
        "0201040306050807",
        "0807060504030201",
    ]


def test_unscaled_floats_stay_bit_exact() -> None:
    patterns = [-0.0, 5e-324, 0.1, -1.7976931348623157e308]
    group = group_of({f"T-{n}": {"address": f"holding:{4 * n}", "type": "float64"} for n in range(4)})
    got = decoder_of(group).decode([struct.pack(">4d", *patterns)])
    assert got.values.tobytes() == np.array(patterns).tobytes()


def test_what_is_no_number_is_bad_without_a_warning() -> None:
    signalling = bytes.fromhex("7fa00001")
    group = group_of(
        {
            "snan": {"address": "holding:0", "type": "float32"},
            "inf": {"address": "holding:2", "type": "float32"},
            "overflow": {"address": "holding:4", "type": "float64", "scale": 10.0},
            "good": {"address": "holding:8", "type": "float16", "offset": 1.0},
        }
    )
    got = decoder_of(group).decode([signalling + struct.pack(">fde", -math.inf, 1.7e308, 0.5)])
    assert got.status.tolist() == [Status.BAD_OUT_OF_RANGE] * 3 + [0]
    assert np.array_equal(got.values, [math.nan] * 3 + [1.5], equal_nan=True)


def test_unread_columns_are_unknown() -> None:
    group = group_of(
        {
            "A": {"address": "holding:0", "type": "uint16"},
            "B": {"address": "holding:1", "type": "text", "length": 1},
            "C": {"address": "holding:2", "type": "uint16", "scale": 2.0},
        }
    )
    got = decoder_of(group, (Read("holding", 2, 1, (2,)),)).decode([b"\x00\x15"])
    assert got.status.tolist() == [Status.BAD_NODE_ID_UNKNOWN, Status.BAD_NODE_ID_UNKNOWN, 0]
    assert (got.integers.tolist(), got.texts, got.values[2]) == ([0], ("",), 42.0)
    nothing = decoder_of(group, ()).decode([])
    assert nothing.status.tolist() == [Status.BAD_NODE_ID_UNKNOWN] * 3
    assert (nothing.integers.tolist(), nothing.texts) == ([0], ("",))


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\x00\x01\x02"])
def test_an_answer_of_another_length_is_refused(answer: bytes) -> None:
    group = group_of({"A": {"address": "holding:0", "type": "uint16"}})
    with pytest.raises(ValueError, match=f"holding:0-0 takes 2 bytes, its answer has {len(answer)}"):
        decoder_of(group).decode([answer])
