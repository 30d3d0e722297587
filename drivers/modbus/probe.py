"""Every plausible decoding of a stretch of registers, so that nobody guesses types and word orders. Pure.

    address   raw    uint16 ...      float32 ABCD  CDAB  BADC  DCBA      from this register on
    100      4281    17025           64.93*        ...

All types and orders that a tag may have are shown. A decoding is plausible when a person would write such a number: a finite
float between 1e-4 and 1e6 in size, or 0; an integer of more than 16 bits below 1e9 in size; digits that are digits; printable
text. Registers the device refuses are None.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
BYTE_ORDERS = ("ABCD", "BADC")
"""Of one register, which has no others."""
WIDE = {"float32": 2, "int32": 2, "uint32": 2, "bcd32": 2, "float64": 4, "int64": 4, "uint64": 4}
"""Type -> registers."""
_LETTERS = {"float16": "e", "float32": "f", "int32": "i", "uint32": "I", "float64": "d", "int64": "q", "uint64": "Q"}
"""In `struct`."""
_SMALLEST, _LARGEST, _LARGEST_INTEGER = 1e-4, 1e6, 1e9
_LEAST_TEXT = 4
_TOO_LONG = 10**12
"""Integers that nobody reads digit by digit."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What registers mean if they are of a type."""

    value: float | int | str
    plausible: bool

    def __str__(self) -> str:
        if isinstance(self.value, float) or (isinstance(self.value, int) and abs(self.value) >= _TOO_LONG):
            return f"{self.value:.7g}"
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Text:
    """Printable characters in a row; `swapped` where each register has its second character first."""

    first: int
    last: int
    swapped: bool
    text: str


def ordered(raw: bytes, order: str) -> bytes:
    """The bytes of a value, most significant first, from registers in `order`; two bytes a register."""
    registers = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("BADC", "DCBA"):
        registers = [register[::-1] for register in registers]
    if order in ("CDAB", "DCBA"):
        registers.reverse()
    return b"".join(registers)


def one(register: bytes, order: str = "ABCD") -> dict[str, Decoding]:
    """A register alone; `order` is one of `BYTE_ORDERS`."""
    raw = ordered(register, order)
    unsigned, signed = int.from_bytes(raw, "big"), int.from_bytes(raw, "big", signed=True)
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in raw)
    return {
        "uint16": Decoding(unsigned, unsigned < 10_000),
        "int16": Decoding(signed, abs(signed) < 10_000),
        "bcd16": _decimal(raw),
        "float16": _decoding(raw, "float16"),
        "text": Decoding(letters, all(32 <= byte < 127 for byte in raw)),
        "bits": Decoding(f"{unsigned >> 8:08b} {unsigned & 255:08b}", False),
    }


def wide(registers: Mapping[int, bytes | None], first: int, kind: str) -> dict[str, Decoding]:
    """A value of several registers from `first` on, by word order; empty where one of them is not there."""
    count = WIDE[kind]
    parts = [registers.get(first + n) for n in range(count)]
    raw = b"".join(part for part in parts if part is not None)
    if len(raw) != 2 * count:
        return {}
    return {order: _decoding(ordered(raw, order), kind) for order in ORDERS}


def _decimal(raw: bytes) -> Decoding:
    digits = raw.hex()
    return Decoding(int(digits) if digits.isdecimal() else "-", digits.isdecimal())


def _decoding(raw: bytes, kind: str) -> Decoding:
    if kind == "bcd32":
        return _decimal(raw)
    value: float | int = struct.unpack(f">{_LETTERS[kind]}", raw)[0]
    if isinstance(value, int):
        return Decoding(value, abs(value) < _LARGEST_INTEGER)
    return Decoding(value, math.isfinite(value) and (value == 0 or _SMALLEST <= abs(value) < _LARGEST))


def texts(registers: Mapping[int, bytes | None]) -> Iterator[Text]:
    """Runs of at least four printable characters, in either order of the bytes, ascending."""
    for swapped in (False, True):
        run: list[tuple[int, str]] = []
        for address in (*sorted(registers), -1):
            raw = registers.get(address) or b"\0"
            plain = (raw[::-1] if swapped else raw).rstrip(b"\0")
            printable = bool(plain) and all(32 <= byte < 127 for byte in plain)
            follows = not run or run[-1][0] + 1 == address
            if printable and follows:
                run.append((address, plain.decode("ascii")))
                continue
            yield from _text(run, swapped=swapped)
            run = [(address, plain.decode("ascii"))] if printable else []


def _text(run: list[tuple[int, str]], *, swapped: bool) -> Iterator[Text]:
    text = "".join(part for _, part in run)
    if len(text.strip()) >= _LEAST_TEXT:
        yield Text(run[0][0], run[-1][0], swapped, text)
