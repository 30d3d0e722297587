"""The hash chain over commits: what was committed can't be changed, left out or put in between without it being seen.

    hash of a commit = SHA-256(hash of the commit before ‖ its rows in the order of their numbers ‖ itself)

    a scan    's' seq slot received lost_status  i64 each, length u32 | SHA-256(layout) SHA-256(stamps) | blob
    an event  'e' seq slot  i64 each, lengths of kind, unit, body u32 each | SHA-256(stamps) | kind unit body
    a commit  'c' seq time samples scans  i64 each

Little-endian; layout and stamps are the bodies that the row's keys stand for. The first commit follows 32 zero bytes. A
row counts with the bytes that were appended, wherever they stand now: compaction changes no hash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
_START = bytes(HASH_BYTES)
_SCAN = struct.Struct("<cqqqqI")
_EVENT = struct.Struct("<cqqIII")
_COMMIT = struct.Struct("<cqqqq")
_AT_ONCE_BYTES = 1 << 16
_ROW_BYTES = _SCAN.size + 2 * HASH_BYTES
"""Of a row, besides its blob or its texts."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain has got to: the last row of a commit and its hash, None where nothing is chained yet."""

    seq: int = 0
    hash: bytes | None = None


def digest(body: str) -> bytes:
    """By which a row names the body of its layout or its stamps in the chain."""
    return sha256(body.encode()).digest()


class Link:
    """The hash of one commit, as its rows go by in their order."""

    __slots__ = ("_parts", "_sha", "_size")

    def __init__(self, before: bytes | None) -> None:
        """`before` is the hash of the commit before, None for the first."""
        self._sha = sha256(_START if before is None else before)
        self._parts: list[bytes] = []
        """Gone by, and not yet in the hash: many small ones cost more one by one than together."""
        self._size = 0

    def scan(self, seq: int, slot_ns: int, received_ns: int, lost_status: int, digests: bytes, blob: bytes) -> None:
        """`digests` are those of its layout and of its stamps, one behind the other. Raises OverflowError."""
        size = len(blob)
        try:
            self._parts += (_SCAN.pack(b"s", seq, slot_ns, received_ns, lost_status, size), digests, blob)
        except struct.error:
            raise _unfit(seq, slot_ns, received_ns, lost_status, size) from None
        self._size += size + _ROW_BYTES
        if self._size > _AT_ONCE_BYTES:
            self._take_in()

    def event(self, seq: int, slot_ns: int, kind: str, unit: str, stamps: bytes, body: str) -> None:
        """`stamps` is a digest. Raises OverflowError, UnicodeEncodeError."""
        texts = [text.encode() for text in (kind, unit, body)]
        sizes = [len(text) for text in texts]
        try:
            self._parts += (_EVENT.pack(b"e", seq, slot_ns, *sizes), stamps, *texts)
        except struct.error:
            raise _unfit(seq, slot_ns, *sizes) from None
        self._size += sum(sizes) + _ROW_BYTES
        if self._size > _AT_ONCE_BYTES:
            self._take_in()

    def seal(self, seq: int, time_ns: int, samples_total: int, scans_total: int) -> bytes:
        """The hash, once all rows have gone by."""
        try:
            self._parts.append(_COMMIT.pack(b"c", seq, time_ns, samples_total, scans_total))
        except struct.error:
            raise _unfit(seq, time_ns, samples_total, scans_total) from None
        self._take_in()
        return self._sha.digest()

    def _take_in(self) -> None:
        self._sha.update(b"".join(self._parts))
        self._parts, self._size = [], 0


def _unfit(*numbers: int) -> OverflowError:
    return OverflowError(f"a number of {numbers} does not fit the journal")
