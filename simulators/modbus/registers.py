"""A value as Modbus registers, written from the words of the configuration alone: drivers have their own decoder.

    value, big-endian    R0 R1 R2 R3     (a float32 has two, an int16 one)
    ABCD                 R0 R1 R2 R3
    CDAB                 R3 R2 R1 R0     registers reversed, the bytes within each kept
    BADC                 bytes swapped within each register, the registers in order
    DCBA                 both: all bytes reversed

A text has two characters per register, the first in the high byte (swapped by BADC and DCBA), its registers are never
reversed; it is UTF-8, padded with NUL. What does not fit is clamped to the nearest that does, or cut at a character:
it never wraps around.

So CDAB and DCBA are little-endian as a whole, and BADC and CDAB have the bytes of each register swapped afterwards.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import NamedTuple

from config.tags import ModbusTag
from simulators.source import Value

Lay = Callable[[bytearray, int, Value], bool]
"""Writes a value in engineering units into an image of registers, at a byte. True when it holds not quite what was
asked. Raises ValueError for what no register can hold."""

_INTEGERS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
_FLOATS = {"float16": ("e", 65504.0), "float32": ("f", 3.4028234663852886e38), "float64": ("d", math.inf)}
_DIGITS = {"bcd16": ("H", 4), "bcd32": ("I", 8)}


class Encoded(NamedTuple):
    """Registers in the order of their addresses; `clamped` when they hold not quite what was asked."""

    registers: tuple[int, ...]
    clamped: bool


def encode(tag: ModbusTag, value: Value) -> Encoded:
    """The registers of a whole value in engineering units. Raises ValueError for what no register can hold."""
    image = bytearray(2 * tag.register_count)
    clamped = layer(tag)(image, 0, value)
    return Encoded(struct.unpack(f">{tag.register_count}H", image), clamped)


def layer(tag: ModbusTag) -> Lay:
    """What lays the values of `tag`; a coil or discrete input is laid as bit 0."""
    if tag.wire_type == "bit":
        return _bit(bit_mask(tag) if tag.bit is not None else 1)
    size, swap = 2 * tag.register_count, tag.word_order in ("BADC", "CDAB")
    if tag.wire_type == "text":
        return _swapped(_text(size), size) if tag.word_order in ("BADC", "DCBA") else _text(size)
    lay = _number(tag, "<" if tag.word_order in ("CDAB", "DCBA") else ">")
    return _swapped(lay, size) if swap else lay


def bit_mask(tag: ModbusTag) -> int:
    """The addressed bit on the wire: BADC and DCBA swap the bytes of the register, so its bits 0-7 and 8-15."""
    assert tag.bit is not None
    return 1 << (tag.bit ^ 8 if tag.word_order in ("BADC", "DCBA") else tag.bit)


def _number(tag: ModbusTag, endian: str) -> Lay:
    if tag.wire_type in _FLOATS:
        code, most = _FLOATS[tag.wire_type]
        return _float(tag, struct.Struct(endian + code), most)
    if tag.wire_type in _DIGITS:
        code, digits = _DIGITS[tag.wire_type]
        return _integer(tag, struct.Struct(endian + code), 0, 10**digits - 1, lambda whole: int(str(whole), 16))
    code = _INTEGERS[tag.wire_type]
    wire = struct.Struct(endian + code)
    bits = 8 * wire.size
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)
    return _integer(tag, wire, low, high)


def _raw(tag: ModbusTag) -> Callable[[Value], float | int]:
    scale, offset = tag.scale, tag.offset
    if (scale, offset) == (1.0, 0.0):
        return lambda value: value if isinstance(value, (int, float)) else float(value)
    return lambda value: (float(value) - offset) / scale


def _integer(tag: ModbusTag, wire: struct.Struct, low: int, high: int, word: Callable[[int], int] | None = None) -> Lay:
    raw_of, pack_into = _raw(tag), wire.pack_into

    def lay(image: bytearray, at: int, value: Value) -> bool:
        try:
            whole = round(raw_of(value))
        except (OverflowError, ValueError):
            raise ValueError(f"{tag.name}: {tag.wire_type} has no {value}") from None
        fitting = low if whole < low else high if whole > high else whole
        pack_into(image, at, word(fitting) if word else fitting)
        return fitting != whole

    return lay


def _float(tag: ModbusTag, wire: struct.Struct, most: float) -> Lay:
    raw_of, pack_into = _raw(tag), wire.pack_into

    def lay(image: bytearray, at: int, value: Value) -> bool:
        raw = float(raw_of(value))
        try:
            pack_into(image, at, raw)
        except OverflowError:
            pack_into(image, at, math.copysign(most, raw))
            return True
        return False

    return lay


def _text(size: int) -> Lay:
    def lay(image: bytearray, at: int, value: Value) -> bool:
        data = str(value).encode()
        fitting = data[:size].decode(errors="ignore").encode() if len(data) > size else data
        image[at : at + size] = fitting.ljust(size, b"\0")
        return fitting != data

    return lay


def _bit(mask: int) -> Lay:
    high, low = divmod(mask, 256)

    def lay(image: bytearray, at: int, value: Value) -> bool:
        if value:
            image[at] |= high
            image[at + 1] |= low
        else:
            image[at] &= ~high
            image[at + 1] &= ~low
        return False

    return lay


def _swapped(lay: Lay, size: int) -> Lay:
    """The same, with the two bytes of each register swapped."""

    def swapped(image: bytearray, at: int, value: Value) -> bool:
        clamped = lay(image, at, value)
        even, odd = slice(at, at + size, 2), slice(at + 1, at + size, 2)
        image[even], image[odd] = image[odd], image[even]
        return clamped

    return swapped
