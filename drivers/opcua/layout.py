"""Where things stand in the answer to a Read: learned from one answer, proven for every other one. Pure.

A poll asks the same nodes again and again, so its answers look alike: only values, statuses and stamps change.

    header                        an item with a number             an item with a text                tail
    type  time,handle  result ... mask type value    status stamp   mask type length text     stamp    diagnostics
    ====  ...........  ====== === ==== ==== ........ ...... .....   ==== ==== ====== ........ .....    ===========

The bytes under `=` say how long the others are. An item's mask, type and length say where the next item begins; so, from the
first item to the last, an answer with the same `=` bytes in the same places has everything else in the same places too.
That is the whole proof, and it is made anew for each answer, in one comparison. Items whose extent only a full decoder can
tell (arrays, structures, ...) are decoded and must end where they ended before.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary
from numpy.typing import NDArray

HAS_VALUE, HAS_STATUS, HAS_SOURCE_STAMP = 1, 2, 4
"""Bits of an item's mask (part 6, 5.2.2.17)."""
STRING = ua.VariantType.String.value
_AFTER_VALUE = ((HAS_STATUS, 4), (HAS_SOURCE_STAMP, 8), (8, 8), (16, 2), (32, 2))
_VALUE_BYTES = {
    ua.VariantType.Null: 0,
    ua.VariantType.Boolean: 1,
    ua.VariantType.SByte: 1,
    ua.VariantType.Byte: 1,
    ua.VariantType.Int16: 2,
    ua.VariantType.UInt16: 2,
    ua.VariantType.Int32: 4,
    ua.VariantType.UInt32: 4,
    ua.VariantType.Int64: 8,
    ua.VariantType.UInt64: 8,
    ua.VariantType.Float: 4,
    ua.VariantType.Double: 8,
    ua.VariantType.DateTime: 8,
    ua.VariantType.Guid: 16,
    ua.VariantType.StatusCode: 4,
}
_OF_NO_FIXED_SIZE = -1
_FIXED_BYTES = [_OF_NO_FIXED_SIZE] * 256
for _type, _size in _VALUE_BYTES.items():
    _FIXED_BYTES[_type.value] = _size
_TAIL_BYTES = [sum(size for bit, size in _AFTER_VALUE if mask & bit) for mask in range(256)]
_TAIL_BYTES_OF = np.array(_TAIL_BYTES, np.intp)
STAMP_AND_HANDLE_BYTES = 12
_INT32 = struct.Struct("<i")


class NoLayout(Exception):
    """An answer from which nothing is learned: the generic decoder says what it is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerLayout:
    """The layout of an answer of n items. Offsets count from the body's first byte."""

    size_bytes: int
    starts: NDArray[np.intp]
    """`[n]`, of the masks."""
    masks: NDArray[np.uint8]
    types: NDArray[np.uint8]
    """`[n]`: the byte that tells type and array; 0 (Null) where there is no value."""
    status_at: NDArray[np.intp]
    """`[n]`, where HAS_STATUS."""
    source_stamp_at: NDArray[np.intp]
    """`[n]`, where HAS_SOURCE_STAMP."""
    unmeasured: Mapping[int, int]
    """Items whose extent has to be found by decoding them, and where they ended."""
    fixed_at: NDArray[np.intp]
    fixed: bytes
    """What must be the same at `fixed_at`."""

    @classmethod
    def learn(cls, body: bytes, count: int) -> AnswerLayout:
        """The layout of a good ReadResponse with `count` items. Raises NoLayout on anything else."""
        try:
            return _learn(body, count)
        except Exception as exc:  # asyncua raises nearly anything; so does a body that ends too soon
            raise NoLayout from exc

    def others(self, body: bytes) -> Mapping[int, ua.DataValue] | None:
        """The `unmeasured` items of an answer whose `fixed` bytes are proven; None when one has another extent."""
        others = {}
        for item, end in self.unmeasured.items():
            try:
                others[item], ended = decoded_at(body, int(self.starts[item]))
            except Exception:  # noqa: BLE001  whatever it is, the generic decoder will come upon it too, and tells it
                return None
            if ended != end:
                return None
        return others

    def item(self, body: bytes, item: int) -> ua.DataValue:
        """One item of an answer of this layout, by asyncua's decoder."""
        return decoded_at(body, int(self.starts[item]))[0]


def decoded_at(body: bytes, start: int) -> tuple[ua.DataValue, int]:
    """The DataValue that begins at `start`, and where it ends. Raises what asyncua raises."""
    buffer = Buffer(body, start)
    return struct_from_binary(ua.DataValue, buffer), buffer.cur_pos


def _learn(body: bytes, count: int) -> AnswerLayout:
    stamp_at, first = _header(body, count)
    items = walk(body, count, first)
    tail = items[1][-1] if count else first
    check_diagnostics(body, tail)
    proof = [np.arange(stamp_at), np.arange(stamp_at + STAMP_AND_HANDLE_BYTES, first), np.arange(tail, len(body))]
    return layout_of(body, items, proof)


def layout_of(body: bytes, items: Items, proof: Sequence[NDArray[np.intp]]) -> AnswerLayout:
    """The layout of a body with these items; `proof` has the places outside of them that must stay the same."""
    starts, ends, text_lengths_at, unmeasured = items
    start, end = np.array(starts, np.intp), np.array(ends, np.intp)
    octets = np.frombuffer(body, np.uint8)
    masks = octets[start]
    with_value = (masks & HAS_VALUE).astype(bool)
    status_at = end - _TAIL_BYTES_OF[masks]
    fixed_at = np.concatenate(
        [
            *proof,
            start,
            start[with_value] + 1,
            (np.array(text_lengths_at, np.intp)[:, None] + np.arange(_INT32.size)).ravel(),
        ]
    )
    return AnswerLayout(
        size_bytes=len(body),
        starts=start,
        masks=masks,
        types=np.where(with_value, octets[start + 1], np.uint8(0)),
        status_at=status_at,
        source_stamp_at=status_at + np.where(masks & HAS_STATUS, 4, 0),
        unmeasured=unmeasured,
        fixed_at=fixed_at,
        fixed=octets[fixed_at].tobytes(),
    )


def _header(body: bytes, count: int) -> tuple[int, int]:
    """Where time and handle stand, and the first item."""
    buffer = Buffer(body)
    type_id = nodeid_from_binary(buffer)
    stamp_at = buffer.cur_pos
    header = struct_from_binary(ua.ResponseHeader, buffer)
    told = _INT32.unpack(buffer.read(_INT32.size))[0]
    of_this_kind = type_id.Identifier == ObjectIds.ReadResponse_Encoding_DefaultBinary
    if not of_this_kind or not header.ServiceResult.is_good() or told != count:
        raise NoLayout
    return stamp_at, buffer.cur_pos


Items = tuple[Sequence[int], Sequence[int], Sequence[int], Mapping[int, int]]
"""Where each begins and ends, where lengths of texts stand, and the ends that had to be decoded."""


def walk(body: bytes, count: int, at: int, before_each: int = 0) -> Items:
    """From item to item, each with `before_each` bytes before it."""
    starts, ends, text_lengths_at, unmeasured = [], [], [], {}
    for item in range(count):
        at += before_each
        starts.append(at)
        mask = body[at]
        if not mask & HAS_VALUE:
            at += 1 + _TAIL_BYTES[mask]
        elif (value_bytes := _FIXED_BYTES[body[at + 1]]) >= 0:
            at += 2 + value_bytes + _TAIL_BYTES[mask]
        elif body[at + 1] == STRING:
            text_lengths_at.append(at + 2)
            at += 2 + _text_bytes(body, at + 2) + _TAIL_BYTES[mask]
        else:
            at = unmeasured[item] = _measured(body, at)
        ends.append(at)
    return starts, ends, text_lengths_at, unmeasured


def _text_bytes(body: bytes, at: int) -> int:
    length: int = _INT32.unpack_from(body, at)[0]
    if length < -1:  # asyncua goes backwards there: not to be followed
        raise NoLayout
    return _INT32.size + max(length, 0)


def _measured(body: bytes, at: int) -> int:
    end = decoded_at(body, at)[1]
    if end <= at:
        raise NoLayout
    return end


def check_diagnostics(body: bytes, at: int) -> None:
    """Diagnostics, and not a byte more."""
    buffer = Buffer(body, at)
    for _ in range(_INT32.unpack(buffer.read(_INT32.size))[0]):
        struct_from_binary(ua.DiagnosticInfo, buffer)
    if len(buffer):
        raise NoLayout
