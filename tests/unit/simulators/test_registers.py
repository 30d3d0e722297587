"""Values as registers, against pymodbus' own conversions and against words written by hand."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from config.tags import REGISTERS, ModbusTag
from simulators.modbus.registers import bit_mask, encode

Conversions = ModbusClientMixin[Any]
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
TYPES = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def tag(wire_type: str, word_order: str = "ABCD", **fields: object) -> ModbusTag:
    return ModbusTag.model_validate({"name": "X", "address": "holding:0", "type": wire_type, "word_order": word_order, **fields})


def swapped(registers: tuple[int, ...]) -> list[int]:
    return [int.from_bytes(register.to_bytes(2, "big"), "little") for register in registers]


def decoded(wire_type: str, word_order: str, registers: tuple[int, ...]) -> Any:
    """pymodbus knows the order of registers only; the bytes of BADC and DCBA are swapped back here."""
    plain = swapped(registers) if word_order in ("BADC", "DCBA") else list(registers)
    words = "little" if word_order in ("CDAB", "DCBA") else "big"
    return Conversions.convert_from_registers(plain, Conversions.DATATYPE[wire_type.upper()], word_order=words)  # type: ignore[arg-type]


def numbers(wire_type: str) -> st.SearchStrategy[float]:
    if wire_type == "float32":
        return st.floats(width=32, allow_nan=False)
    return st.floats(allow_nan=False) if wire_type == "float64" else st.integers(*bounds(wire_type))


def bounds(wire_type: str) -> tuple[int, int]:
    bits = 16 * REGISTERS[wire_type]
    return (0, 2**bits - 1) if wire_type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@given(st.data(), st.sampled_from(TYPES), st.sampled_from(ORDERS))
def test_what_is_encoded_is_what_pymodbus_reads(data: st.DataObject, wire_type: str, word_order: str) -> None:
    value = data.draw(numbers(wire_type))
    encoded = encode(tag(wire_type, word_order), value)
    assert len(encoded.registers) == REGISTERS[wire_type]
    assert not encoded.clamped
    assert decoded(wire_type, word_order, encoded.registers) == value


@pytest.mark.parametrize(
    ("word_order", "one", "two", "four"),
    [
        ("ABCD", (0x0102,), (0x0102, 0x0304), (0x0102, 0x0304, 0x0506, 0x0708)),
        ("CDAB", (0x0102,), (0x0304, 0x0102), (0x0708, 0x0506, 0x0304, 0x0102)),
        ("BADC", (0x0201,), (0x0201, 0x0403), (0x0201, 0x0403, 0x0605, 0x0807)),
        ("DCBA", (0x0201,), (0x0403, 0x0201), (0x0807, 0x0605, 0x0403, 0x0201)),
    ],
)
def test_word_orders_as_written(word_order: str, one: tuple[int, ...], two: tuple[int, ...], four: tuple[int, ...]) -> None:
    assert encode(tag("uint16", word_order), 0x0102).registers == one
    assert encode(tag("uint32", word_order), 0x01020304).registers == two
    assert encode(tag("uint64", word_order), 0x0102030405060708).registers == four


@given(st.integers(-(10**25), 10**25), st.sampled_from([t for t in TYPES if "int" in t]))
def test_an_integer_that_does_not_fit_is_clamped_and_never_wraps(value: int, wire_type: str) -> None:
    low, high = bounds(wire_type)
    encoded = encode(tag(wire_type), value)
    assert decoded(wire_type, "ABCD", encoded.registers) == min(max(value, low), high)
    assert encoded.clamped == (not low <= value <= high)


@given(st.floats(-3000, 3000))
def test_a_scaled_integer_is_the_nearest_raw(value: float) -> None:
    encoded = encode(tag("int16", scale=0.1, offset=5.0), value)
    assert decoded("int16", "ABCD", encoded.registers) == round((value - 5.0) / 0.1)


def test_a_scaled_float_is_raw_too() -> None:
    assert decoded("float64", "ABCD", encode(tag("float64", scale=2.0, offset=1.0), 7.0).registers) == 3.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_small_floats_are_clamped_to_their_greatest(value: float) -> None:
    for wire_type, code, most in (("float16", "e", 65504.0), ("float32", "f", 3.4028234663852886e38)):
        encoded = encode(tag(wire_type), value)
        (reached,) = struct.unpack(f">{code}", b"".join(register.to_bytes(2, "big") for register in encoded.registers))
        assert encoded.clamped == (math.isfinite(value) and not abs(value) < most * (1 + 2.0 ** (-12 if code == "e" else -25)))
        assert reached == pytest.approx(min(max(value, -most), most), rel=1e-3 if code == "e" else 1e-6, abs=1e-7)


def test_floats_that_are_no_number_pass_and_integers_refuse_them() -> None:
    assert math.isnan(decoded("float32", "DCBA", encode(tag("float32", "DCBA"), math.nan).registers))
    assert decoded("float32", "ABCD", encode(tag("float32"), -math.inf).registers) == -math.inf
    for wire_type in ("int16", "uint64", "bcd16"):
        with pytest.raises(ValueError, match=f"X: {wire_type} has no"):
            encode(tag(wire_type), math.nan)


@pytest.mark.parametrize(
    ("wire_type", "value", "registers", "clamped"),
    [
        ("bcd16", 1234, (0x1234,), False),
        ("bcd16", 7.6, (0x0008,), False),
        ("bcd16", 12345, (0x9999,), True),
        ("bcd16", -1, (0x0000,), True),
        ("bcd32", 12345678, (0x1234, 0x5678), False),
        ("bcd32", 10**8, (0x9999, 0x9999), True),
    ],
)
def test_bcd_packs_decimal_digits(wire_type: str, value: float, registers: tuple[int, ...], clamped: bool) -> None:
    assert encode(tag(wire_type), value) == (registers, clamped)
    assert encode(tag(wire_type, "DCBA"), value).registers == tuple(swapped(registers))[::-1]


def test_a_text_is_two_characters_to_a_register_and_never_reversed() -> None:
    assert encode(tag("text", length=3), "B-17").registers == (0x422D, 0x3137, 0)
    assert encode(tag("text", "CDAB", length=3), "B-17").registers == (0x422D, 0x3137, 0)
    assert encode(tag("text", "BADC", length=3), "B-17").registers == (0x2D42, 0x3731, 0)
    assert encode(tag("text", "DCBA", length=3), "B-17").registers == (0x2D42, 0x3731, 0)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), st.integers(1, 8))
def test_a_text_is_cut_at_a_character(text: str, length: int) -> None:
    encoded = encode(tag("text", length=length), text)
    read = b"".join(register.to_bytes(2, "big") for register in encoded.registers).rstrip(b"\0").decode()
    assert text.startswith(read)
    assert encoded.clamped == (read != text) == (len(text.encode()) > 2 * length)


def test_bits_count_from_the_least_after_the_bytes_are_swapped_back() -> None:
    for word_order, masks in (
        ("ABCD", (0x0001, 0x8000)),
        ("CDAB", (0x0001, 0x8000)),
        ("BADC", (0x0100, 0x0080)),
        ("DCBA", (0x0100, 0x0080)),
    ):
        for bit, mask in zip((0, 15), masks, strict=True):
            fields = {"name": "X", "address": f"holding:0.{bit}", "word_order": word_order}
            assert bit_mask(ModbusTag.model_validate(fields)) == mask
