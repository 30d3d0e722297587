"""A value as Modbus registers, written from the words of the configuration alone: drivers have their own decoder.

    value, big-endian    R0 R1 R2 R3     (a float32 has two, an int16 one)
    ABCD                 R0 R1 R2 R3
    CDAB                 R3 R2 R1 R0     registers reversed, the bytes within each kept
    BADC                 bytes swapped within each register, the registers in order
    DCBA                 both: all bytes reversed

A text has two characters per register, the first in the high byte (swapped by BADC and DCBA), its registers are never
reversed; it is UTF-8, padded with NUL. What does not fit is clamped to the nearest that does, or cut at a character:
it never wraps around.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from config.tags import ModbusTag
from simulators.source import Value

_INTEGERS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
_FLOATS = {"float16": ("e", 65504.0), "float32": ("f", 3.4028234663852886e38), "float64": ("d", math.inf)}
_DIGITS = {"bcd16": 4, "bcd32": 8}


class Encoded(NamedTuple):
    """Registers in the order of their addresses; `clamped` when they hold not quite what was asked."""

    registers: tuple[int, ...]
    clamped: bool


def encode(tag: ModbusTag, value: Value) -> Encoded:
    """The registers of a whole value in engineering units. Raises ValueError for what no register can hold."""
    wire_type = tag.wire_type
    if wire_type == "text":
        data, clamped = _text(str(value), 2 * tag.register_count)
        return Encoded(_ordered(data, tag.word_order, reversible=False), clamped)
    raw = _raw(tag, value)
    if wire_type in _FLOATS:
        data, clamped = _float(wire_type, float(raw))
    elif wire_type in _DIGITS:
        data, clamped = _bcd(_DIGITS[wire_type], _whole(tag, raw))
    else:
        data, clamped = _integer(_INTEGERS[wire_type], _whole(tag, raw))
    return Encoded(_ordered(data, tag.word_order, reversible=True), clamped)


def bit_mask(tag: ModbusTag) -> int:
    """The addressed bit on the wire: BADC and DCBA swap the bytes of the register, so its bits 0-7 and 8-15."""
    assert tag.bit is not None
    return 1 << (tag.bit ^ 8 if tag.word_order in ("BADC", "DCBA") else tag.bit)


def _raw(tag: ModbusTag, value: Value) -> float | int:
    number = value if isinstance(value, (int, float)) else float(value)
    if (tag.scale, tag.offset) == (1.0, 0.0):
        return number
    return (number - tag.offset) / tag.scale


def _whole(tag: ModbusTag, raw: float | int) -> int:
    if not math.isfinite(raw):
        raise ValueError(f"{tag.name}: {tag.wire_type} has no {raw}")
    return round(raw)


def _integer(code: str, whole: int) -> tuple[bytes, bool]:
    bits = 8 * struct.calcsize(">" + code)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1)
    fitting = min(max(whole, low), high)
    return struct.pack(">" + code, fitting), fitting != whole


def _float(wire_type: str, raw: float) -> tuple[bytes, bool]:
    code, most = _FLOATS[wire_type]
    try:
        return struct.pack(">" + code, raw), False
    except OverflowError:
        return struct.pack(">" + code, math.copysign(most, raw)), True


def _bcd(digits: int, whole: int) -> tuple[bytes, bool]:
    fitting = min(max(whole, 0), 10**digits - 1)
    return bytes.fromhex(f"{fitting:0{digits}d}"), fitting != whole


def _text(text: str, size: int) -> tuple[bytes, bool]:
    data = text.encode()
    fitting = data[:size].decode(errors="ignore").encode()
    return fitting.ljust(size, b"\0"), fitting != data


def _ordered(data: bytes, word_order: str, *, reversible: bool) -> tuple[int, ...]:
    registers = struct.unpack(f">{len(data) // 2}H", data)
    if word_order in ("BADC", "DCBA"):
        registers = tuple((register & 0xFF) << 8 | register >> 8 for register in registers)
    if reversible and word_order in ("CDAB", "DCBA"):
        registers = registers[::-1]
    return registers
