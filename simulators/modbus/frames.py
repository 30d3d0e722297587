"""Modbus TCP frames of a server: requests out of a stream, answers into one. Pure.

    transaction  protocol 0  length   unit id │ function  ...
    ├── 2 ──────┼── 2 ──────┼── 2 ───┼── 1 ───┤ PDU, at most 253 bytes
                                     └── length counts from here, at most 254

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1. A frame of another protocol is passed over. A length
that no frame can have leaves nobody knowing where the next one begins: that stream is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

_HEADER = struct.Struct(">HHHB")
_LONGEST, _SHORTEST = 254, 2


class Frame(NamedTuple):
    """A request, or what answers one."""

    transaction: int
    unit_id: int
    pdu: bytes

    def encoded(self) -> bytes:
        return _HEADER.pack(self.transaction, 0, len(self.pdu) + 1, self.unit_id) + self.pdu


class Framing(Protocol):
    """How requests and answers stand in a stream."""

    numbered: bool
    """Whether frames carry a transaction's number."""
    has_gateway: bool
    """Whether somebody answers for a unit id that is not there."""

    def take(self, buffer: bytearray) -> Iterator[Frame]:
        """Every complete request, in order, removed from `buffer`. Raises StreamLost after those before the loss."""

    def encoded(self, frame: Frame) -> bytes: ...


class StreamLost(Exception):
    """What comes is no Modbus TCP, or no longer; the text says why."""


def take_requests(buffer: bytearray) -> Iterator[Frame]:
    """Every complete request, in order, removed from `buffer`. Raises StreamLost after those before the loss."""
    at = 0
    try:
        while len(buffer) - at >= _HEADER.size:
            transaction, protocol, length, unit_id = _HEADER.unpack_from(buffer, at)
            if not _SHORTEST <= length <= _LONGEST:
                raise StreamLost(f"a frame of {length} bytes: {_SHORTEST} to {_LONGEST} are possible")
            end = at + _HEADER.size - 1 + length
            if end > len(buffer):
                break
            first, at = at + _HEADER.size, end
            if protocol == 0:
                yield Frame(transaction, unit_id, bytes(buffer[first:end]))
    finally:
        del buffer[:at]


class Tcp:
    """The framing of Modbus TCP."""

    numbered = True
    has_gateway = True

    def take(self, buffer: bytearray) -> Iterator[Frame]:
        return take_requests(buffer)

    def encoded(self, frame: Frame) -> bytes:
        return frame.encoded()
