"""Modbus RTU frames of a server, as a serial gateway passes them over TCP: no header, a checksum at the end. Pure.

    unit id │ function  ...  │ CRC-16, low byte first
    └── 1 ──┴── PDU ─────────┴── 2 ──

A request's length follows from its function. On a serial line silence parts the frames; in a stream there is none, so what has
a wrong checksum, or a function of unknown length, takes along all that came with it: a device hunts for the next frame.
Source: MODBUS over Serial Line Specification V1.02, 2.5.1, and the application protocol V1.1b3, 6, for the lengths.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulators.modbus.frames import Frame

_FIXED = {**dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 8), **dict.fromkeys((7, 11, 12, 17), 4), 22: 10, 24: 6, 43: 7}
_COUNTED = {15: (6, 9), 16: (6, 9), 20: (2, 5), 21: (2, 5), 23: (10, 13)}
"""Function -> where its byte count stands, and the bytes besides those counted."""


class Rtu:
    """The framing of `ModbusServer` for RTU over TCP. Who is not on the line does not answer."""

    numbered = False
    has_gateway = False

    def take(self, buffer: bytearray) -> Iterator[Frame]:
        """Every complete request, in order, removed from `buffer`; never lost for good."""
        while buffer:
            size = _size(buffer)
            if size is None:
                return
            if size == 0 or bytes(buffer[size - 2 : size]) != _checksum(bytes(buffer[: size - 2])):
                buffer.clear()
                return
            frame = Frame(0, buffer[0], bytes(buffer[1 : size - 2]))
            del buffer[:size]
            yield frame

    def encoded(self, frame: Frame) -> bytes:
        data = bytes((frame.unit_id,)) + frame.pdu
        return data + _checksum(data)


def _size(buffer: bytearray) -> int | None:
    """Of the first request; None while more must come, 0 where nobody can tell."""
    if len(buffer) < 2:
        return None
    size = _FIXED.get(buffer[1], 0)
    if buffer[1] in _COUNTED:
        at, besides = _COUNTED[buffer[1]]
        if len(buffer) <= at:
            return None
        size = besides + buffer[at]
    return None if len(buffer) < size else size


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC = tuple(map(_crc_of_byte, range(256)))


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")
