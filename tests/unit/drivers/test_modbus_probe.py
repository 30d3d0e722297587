"""Whatever a value is and however it stands in registers, the probe shows it in its column, and says that it is plausible."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.probe import BYTE_ORDERS, ORDERS, WIDE, one, texts, wide

PACKED = {"float32": ">f", "int32": ">i", "uint32": ">I", "float64": ">d", "int64": ">q", "uint64": ">Q"}


def packed(value: int, kind: str) -> bytes:
    return bytes.fromhex(f"{value:08}") if kind == "bcd32" else struct.pack(PACKED[kind], value)


def stored(raw: bytes, order: str) -> dict[int, bytes | None]:
    """As a device with this order has it, by hand from the letters: A is the most significant byte."""
    pairs = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    pairs = pairs if order[0] in "AB" else pairs[::-1]
    pairs = [pair if order in ("ABCD", "CDAB") else pair[::-1] for pair in pairs]
    return {100 + n: pair for n, pair in enumerate(pairs)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", WIDE)
@given(st.integers(0, 100_000))
def test_a_value_is_in_the_column_of_its_order(kind: str, order: str, value: int) -> None:
    found = wide(stored(packed(value, kind), order), 100, kind)[order]
    assert (found.value, found.plausible) == (value, True)


def test_a_value_that_is_not_whole_is_not_shown() -> None:
    registers = stored(struct.pack(">f", 64.9), "ABCD") | {101: None}
    assert wide(registers, 100, "float32") == wide(registers, 101, "float32") == {}


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0x00000001, 0x7E000000])
def test_what_nobody_would_write_is_not_plausible(bits: int) -> None:
    assert not wide(stored(struct.pack(">I", bits), "ABCD"), 100, "float32")["ABCD"].plausible


def test_a_register_alone() -> None:
    told = {kind: (str(decoding), decoding.plausible) for kind, decoding in one(b"\xff\x38").items()}
    assert told["uint16"] == ("65336", False)
    assert told["int16"] == ("-200", True)
    assert told["bcd16"] == ("-", False)
    assert told["bits"] == ("11111111 00111000", False)
    assert str(one(b"\x12\x34")["bcd16"]) == "1234"
    assert one(b"R-")["text"].plausible


@pytest.mark.parametrize("order", BYTE_ORDERS)
def test_a_register_whose_bytes_are_swapped_is_shown_in_its_order(order: str) -> None:
    def told(raw: bytes) -> dict[str, str]:
        return {kind: str(decoding) for kind, decoding in one(raw if order == "ABCD" else raw[::-1], order).items()}

    assert told(b"\x01\xf4")["uint16"] == told(b"\x01\xf4")["int16"] == "500"
    assert told(b"\x12\x34")["bcd16"] == "1234"
    assert told(struct.pack(">e", 64.9375))["float16"] == "64.9375"
    assert told(b"R-")["text"] == "R-"
    assert told(b"\x80\x01")["bits"] == "10000000 00000001"


def test_digits_that_are_none_are_not_shown() -> None:
    assert [str(told) for told in wide(stored(b"\x12\x3a\x56\x78", "ABCD"), 100, "bcd32").values()] == ["-"] * 4


def test_texts_are_found_in_both_orders_and_end_at_what_is_not_there() -> None:
    registers: dict[int, bytes | None] = {10: b"R-", 11: b"20", 12: b"1\0", 13: b"\0\1", 20: b"ab", 21: None, 22: b"cd"}
    assert [(text.first, text.last, text.text) for text in texts(registers) if not text.swapped] == [(10, 12, "R-201")]
    assert ("R-20", True) in [(text.text, text.swapped) for text in texts({1: b"-R", 2: b"02"})]
