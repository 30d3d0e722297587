"""What the one answer to a request must look like, byte for byte. Pure.

    transaction | protocol 0 | length | unit | function | byte count | data        an answer
    transaction | protocol 0 |      3 | unit | +0x80    | code                     a refusal (Modbus exception)
         2            2          2       1       1           1

Everything but data and code is known from the request. An answer to an earlier request, of another unit, of another
length, one byte too many or one that nobody asked for is a fault, and after a fault nothing more is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Status

_TEXTS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
_ADDRESS_REFUSED = (2, 3)
_GATEWAY = (10, 11)
_HEAD = (
    (0, 2, "transaction id"),
    (2, 4, "protocol id"),
    (4, 6, "length"),
    (6, 7, "unit id"),
    (7, 8, "function code"),
    (8, 9, "byte count"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Modbus exception: the device answered, and said why it gives no values."""

    code: int

    @property
    def address_refused(self) -> bool:
        """It does not have these addresses, or not so many at once (many devices say 3 for 2): smaller reads may be answered."""
        return self.code in _ADDRESS_REFUSED

    @property
    def status(self) -> int:
        """The OPC UA status code for the record."""
        if self.address_refused:
            return Status.BAD_NODE_ID_UNKNOWN
        return Status.BAD_NO_COMMUNICATION if self.code in _GATEWAY else Status.BAD_DEVICE_FAILURE

    def __str__(self) -> str:
        return f"exception {self.code} ({_TEXTS.get(self.code, 'unknown')})"


class AnswerGuard:
    """Learns from each request what may come, and tells of everything else."""

    def __init__(self) -> None:
        self._answer = self._refusal = b""
        self._answer_size = 0

    def asked(self, request: bytes) -> None:
        """`request` is sent: a whole frame with function 1 to 4."""
        function, count = request[7], int.from_bytes(request[10:12], "big")
        size = 2 * count if function > 2 else (count + 7) // 8
        self._answer = request[:4] + (size + 3).to_bytes(2, "big") + request[6:8] + bytes([size])
        self._refusal = request[:4] + bytes([0, 3, request[6], function | 0x80])
        self._answer_size = size + 9

    def fault(self, received: bytes) -> str | None:
        """What is wrong with `received`, all bytes that came since the request; None: nothing so far."""
        if not self._answer:
            return f"{len(received)} bytes that nobody asked for: {received[:16].hex(' ')}"
        if received.startswith(self._answer):
            return self._complete(received, self._answer_size)
        if received.startswith(self._refusal):
            return self._complete(received, len(self._refusal) + 1)
        if self._answer.startswith(received) or self._refusal.startswith(received):
            return None
        return self._difference(received)

    def _complete(self, received: bytes, size: int) -> str | None:
        if len(received) > size:
            return f"{len(received) - size} bytes more than asked for: {received[size : size + 16].hex(' ')}"
        if len(received) == size:
            self._answer = b""
        return None

    def _difference(self, received: bytes) -> str:
        right = self._refusal if received[7:8] == self._refusal[7:8] else self._answer
        for start, end, name in _HEAD:
            came = received[start:end]
            if not right.startswith(came, start):
                wanted = int.from_bytes(right[start:end], "big")
                return f"{name} {int.from_bytes(came, 'big')} instead of {wanted}: {received[:16].hex(' ')}"
        raise AssertionError("called for a beginning that is right")
