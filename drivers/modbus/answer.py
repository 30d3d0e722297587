"""Which bytes are the answer to which request: all bytes that come, compared one by one with what may come. Pure.

    asked ──► pending, by transaction number or unit id ──► answered
                 └── forsaken: nobody waits any more; its late answer is known when it comes, and dropped

Everything but data and code is known from the request. An answer to a request that nobody made, of another unit or length,
one byte too many, a wrong checksum: that is a fault, and after a fault nothing more is believed, not even what came with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Status
from drivers.modbus.framing import Expected, Framing
from drivers.modbus.plan import Read

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


class NotAsked(Exception):
    """Bytes that are no answer to anything; the text says why."""


Answer = bytes | Refusal


class Answers:
    """What was asked on one connection, and what came."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._pending: dict[bytes, Expected] = {}
        self._forsaken: set[bytes] = set()
        self._buffer = b""

    @property
    def half_an_answer(self) -> bytes:
        """What has come of an answer that is not complete."""
        return self._buffer

    def asked(self, unit_id: int, read: Read) -> tuple[bytes, bytes]:
        """The request to send, and the key under which its answer will come."""
        request, expected = self._framing.request(unit_id, read)
        key = expected.answer[: self._framing.key_size]
        self._pending[key] = expected
        self._forsaken.discard(key)
        return request, key

    def forsake(self, key: bytes) -> None:
        """Nobody waits for this answer any more; it may come all the same."""
        self._forsaken.add(key)

    def received(self, data: bytes) -> list[tuple[bytes, Answer | None]]:
        """The answers that are now complete, by their keys; None for one that nobody waits for any more.

        Raises NotAsked; then nothing of `data` is to be believed.
        """
        if not self._buffer and (whole := self._whole(data)):
            return [whole]
        buffer = self._buffer + data if self._buffer else data
        complete: list[tuple[bytes, Answer | None]] = []
        while buffer:
            expected = self._whose(buffer, after_an_answer=bool(complete))
            size = self._size(buffer, expected)
            if size > len(buffer):
                break
            complete.append(self._taken(buffer[:size], expected))
            buffer = buffer[size:]
        self._buffer = buffer
        return complete

    def _whole(self, data: bytes) -> tuple[bytes, Answer] | None:
        """Of `data` that is one whole answer which somebody waits for, as nearly all are; None where it needs a closer look."""
        key = data[: self._framing.key_size]
        expected = self._pending.get(key)
        if expected is None or len(data) != expected.size or not data.startswith(expected.answer) or key in self._forsaken:
            return None
        content = self._framing.data(data, expected)
        if content is None:
            return None
        del self._pending[key]
        return key, content

    def _whose(self, buffer: bytes, *, after_an_answer: bool) -> Expected:
        if expected := self._pending.get(buffer[: self._framing.key_size]):
            return expected
        if not self._pending:
            more = "more than asked for" if after_an_answer else "that nobody asked for"
            raise NotAsked(f"{len(buffer)} bytes {more}: {buffer[:16].hex(' ')}")
        likely = [expected for key, expected in self._pending.items() if key.startswith(buffer)]
        return likely[0] if likely else next(reversed(self._pending.values()))

    def _size(self, buffer: bytes, expected: Expected) -> int:
        """Of the frame that begins the buffer; more than the buffer has while its beginning may still become right."""
        if buffer.startswith(expected.answer):
            return expected.size
        if buffer.startswith(expected.refusal):
            return expected.refusal_size
        if expected.answer.startswith(buffer) or expected.refusal.startswith(buffer):
            return len(buffer) + 1
        raise NotAsked(self._difference(buffer, expected))

    def _taken(self, frame: bytes, expected: Expected) -> tuple[bytes, Answer | None]:
        data = self._framing.data(frame, expected)
        if data is None:
            raise NotAsked(f"wrong checksum: {frame[:16].hex(' ')}")
        key = frame[: self._framing.key_size]
        del self._pending[key]
        if key in self._forsaken:
            self._forsaken.discard(key)
            return key, None
        return key, data if frame.startswith(expected.answer) else Refusal(data[0])

    def _difference(self, received: bytes, expected: Expected) -> str:
        right = expected.answer
        for start, end, name in self._framing.head:
            if name == "function code" and received[start:end] == expected.refusal[start:end]:
                right = expected.refusal
        for start, end, name in self._framing.head:
            came = received[start:end]
            if not right.startswith(came, start):
                wanted = int.from_bytes(right[start:end], "big")
                return f"{name} {int.from_bytes(came, 'big')} instead of {wanted}: {received[:16].hex(' ')}"
        raise AssertionError("called for a beginning that is right")
