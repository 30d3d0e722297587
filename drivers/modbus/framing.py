"""How a read stands on the wire, and the beginning of the only answers it can have. Pure.

    TCP   transaction | protocol 0 | length | unit | function | byte count | data                    2 2 2 1 1 1 n
          transaction | protocol 0 |      3 | unit | +0x80    | code             a refusal           2 2 2 1 1 1
    RTU                                       unit | function | byte count | data | CRC                  1 1 1 n 2
                                              unit | +0x80    | code | CRC       a refusal               1 1 1 2

TCP tells answers apart by the number of their transaction; they begin anywhere, for a gateway's late answer to the first
request before a reconnect must not fit the first one after it. RTU has the unit id alone, so there `drivers.modbus.connection`
must make sure that of one unit one answer can come.
Sources: MODBUS Messaging on TCP/IP V1.0b; MODBUS over Serial Line V1.02, 2.5.1.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import Protocol

from drivers.modbus.plan import Read

_FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""All that this driver ever asks: it has no write path."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What may come for one request."""

    answer: bytes
    """How its answer begins: everything before the data."""
    refusal: bytes
    """How its refusal begins: everything before the code."""
    size: int
    """Bytes of the whole answer."""
    refusal_size: int


class Framing(Protocol):
    """How requests and answers stand in a stream."""

    numbered: bool
    """Whether an answer tells which request it answers."""
    key_size: int
    """By so many bytes at its beginning an answer is told from another one's."""
    head: tuple[tuple[int, int, str], ...]
    """First byte, end and name of each field before the data; the function code is one of them."""
    hint: str
    """What to think of where something else comes."""

    def request(self, unit_id: int, read: Read) -> tuple[bytes, Expected]:
        """The bytes to send, and what may come then."""

    def data(self, frame: bytes, expected: Expected) -> bytes | None:
        """What follows the beginning of a whole frame; None where its checksum is wrong."""


class Tcp:
    """Modbus TCP, also inside TLS."""

    numbered = True
    key_size = 2
    head: tuple[tuple[int, int, str], ...] = (
        (0, 2, "transaction id"),
        (2, 4, "protocol id"),
        (4, 6, "length"),
        (6, 7, "unit id"),
        (7, 8, "function code"),
        (8, 9, "byte count"),
    )
    hint = "is a Modbus TCP device there?"

    def __init__(self) -> None:
        self._number = secrets.randbelow(0x10000)

    def request(self, unit_id: int, read: Read) -> tuple[bytes, Expected]:
        self._number = number = (self._number + 1) & 0xFFFF
        function, size = _FUNCTIONS[read.table], read.size_bytes
        request = _TCP_REQUEST.pack(number, 0, 6, unit_id, function, read.first, read.count)
        answer = _TCP_ANSWER.pack(number, 0, size + 3, unit_id, function, size)
        refusal = _TCP_REFUSAL.pack(number, 0, 3, unit_id, function | 0x80)
        return request, Expected(answer, refusal, size + 9, 9)

    def data(self, frame: bytes, expected: Expected) -> bytes | None:
        return frame[9:] if len(frame) == expected.size and frame.startswith(expected.answer) else frame[8:]


_TCP_REQUEST, _TCP_ANSWER, _TCP_REFUSAL = struct.Struct(">HHHBBHH"), struct.Struct(">HHHBBB"), struct.Struct(">HHHBB")
_RTU_REQUEST = struct.Struct(">BBHH")


class Rtu:
    """RTU frames, over TCP or on a serial line."""

    numbered = False
    key_size = 1
    head: tuple[tuple[int, int, str], ...] = ((0, 1, "unit id"), (1, 2, "function code"), (2, 3, "byte count"))
    hint = "is it an RTU line with these settings, and are we its only master?"

    def request(self, unit_id: int, read: Read) -> tuple[bytes, Expected]:
        function, size = _FUNCTIONS[read.table], read.size_bytes
        request = _RTU_REQUEST.pack(unit_id, function, read.first, read.count)
        expected = Expected(bytes((unit_id, function, size)), bytes((unit_id, function | 0x80)), size + 5, 5)
        return request + checksum(request), expected

    def data(self, frame: bytes, expected: Expected) -> bytes | None:
        if checksum(frame[:-2]) != frame[-2:]:
            return None
        return frame[3 if frame.startswith(expected.answer) else 2 : -2]


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC = tuple(map(_crc_of_byte, range(256)))


def checksum(frame: bytes) -> bytes:
    """CRC-16 of Modbus, low byte first; MODBUS over Serial Line, 6.2.2."""
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")
