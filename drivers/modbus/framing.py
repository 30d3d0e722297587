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
from functools import lru_cache
from typing import NamedTuple, Protocol

from pymodbus.framer import FramerRTU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from drivers.modbus.plan import Read

_REQUESTS = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
"""All that this driver ever asks: it has no write path."""


@lru_cache(maxsize=4096)
def _pdu(table: str, first: int, count: int) -> bytes:
    """Function code and body of a request, in pymodbus' encoding."""
    request = _REQUESTS[table](address=first, count=count)
    return bytes((request.function_code,)) + request.encode()


class Expected(NamedTuple):
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
        self._number = (self._number + 1) & 0xFFFF
        number = self._number.to_bytes(2, "big")
        request, answer, refusal, size = _behind_number(unit_id, read.table, read.first, read.count)
        return number + request, Expected(number + answer, number + refusal, size, 9)

    def data(self, frame: bytes, expected: Expected) -> bytes | None:
        return frame[9:] if len(frame) == expected.size and frame.startswith(expected.answer) else frame[8:]


@lru_cache(maxsize=4096)
def _behind_number(unit_id: int, table: str, first: int, count: int) -> tuple[bytes, bytes, bytes, int]:
    """The request, how its answer and its refusal begin, and the answer's size."""
    pdu, size = _pdu(table, first, count), Read(table, first, count, ()).size_bytes
    function = pdu[0]
    request = struct.pack(">HHB", 0, 6, unit_id) + pdu
    answer = struct.pack(">HHBBB", 0, size + 3, unit_id, function, size)
    return request, answer, struct.pack(">HHBB", 0, 3, unit_id, function | 0x80), size + 9


class Rtu:
    """RTU frames, over TCP or on a serial line."""

    numbered = False
    key_size = 1
    head: tuple[tuple[int, int, str], ...] = ((0, 1, "unit id"), (1, 2, "function code"), (2, 3, "byte count"))
    hint = "is it an RTU line with these settings, and are we its only master?"

    def request(self, unit_id: int, read: Read) -> tuple[bytes, Expected]:
        pdu, size = _pdu(read.table, read.first, read.count), read.size_bytes
        function, request = pdu[0], bytes((unit_id,)) + pdu
        expected = Expected(bytes((unit_id, function, size)), bytes((unit_id, function | 0x80)), size + 5, 5)
        return request + checksum(request), expected

    def data(self, frame: bytes, expected: Expected) -> bytes | None:
        if checksum(frame[:-2]) != frame[-2:]:
            return None
        return frame[3 if frame.startswith(expected.answer) else 2 : -2]


def checksum(frame: bytes) -> bytes:
    """CRC-16 of Modbus as it stands behind `frame`; MODBUS over Serial Line, 6.2.2."""
    return FramerRTU.compute_CRC(frame).to_bytes(2, "big")
