"""What a subscription tells: from the bytes of a Publish answer to samples. Pure.

    header ... | subscription  available  more | sequence  time | handle item  handle item ... | results
    ====    .. | ============  =====...    .   | ........  .... | ====== ==..  ====== ==..     | =======

The handle of a monitored item is its column. As with a Read (see `layout`), the bytes under `=` decide where the others stand: a
message with the same ones has the same tags in the same places. Any other is learned, or goes to asyncua's decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import nodeid_from_binary, nodeid_to_binary, struct_from_binary
from numpy.typing import NDArray

from drivers.base import Column
from drivers.opcua.decode import ItemDecoder
from drivers.opcua.gather import ColumnTable, Gatherer
from drivers.opcua.layout import STAMP_AND_HANDLE_BYTES, AnswerLayout, NoLayout, check_diagnostics, layout_of, walk
from drivers.opcua.samples import Samples

_INT32, _UINT32 = struct.Struct("<i"), struct.Struct("<I")
_HANDLE_BYTES = 4
_DATA_CHANGE = nodeid_to_binary(ua.FourByteNodeId(ua.Int32(ObjectIds.DataChangeNotification_Encoding_DefaultBinary))) + b"\1"
"""Type of the notification, and that its body is bytes."""
_MOST_LAYOUTS = 32
_SMALL_BYTES, _MOST_PATIENCE = 1200, 64
"""To learn a smaller message, of some 40 values, costs more than to have asyncua decode it once."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Values of tags, in the order in which they came: column and sample of each."""

    columns: NDArray[np.intp]
    samples: Samples


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A message of a subscription. Without `told` it only says that the subscription lives."""

    subscription: int
    sequence: int
    is_message: bool
    """False for a keep-alive, which has the number of the message to come."""
    told: tuple[Told, ...] = ()
    ended: int | None = None
    """The status with which the server ended the subscription."""


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    layout: AnswerLayout
    gatherer: Gatherer
    columns: NDArray[np.intp]
    subscription: int
    sequence_at: int


class PublishDecoder:
    """Decodes Publish answers of one session. `columns` has the tags of each subscription by its number."""

    def __init__(self) -> None:
        self.columns: dict[int, Sequence[Column]] = {}
        self._shapes: dict[int, _Shape] = {}
        self._proven: bool | None = None
        self._patience = self._wait = 0
        """Small messages of new layouts after which one is learned again, and how many of them are to come yet."""

    def forget(self, subscription: int) -> None:
        """It is no more; its number may come again."""
        self.columns.pop(subscription, None)
        self._shapes.clear()

    def decode(self, body: bytes) -> Published:
        """What an answer tells. Raises what asyncua raises."""
        if self._proven is False:
            return self._decoded(body)
        fast = self._gathered(self._shapes.get(len(body)), body)
        if fast:
            self._patience = self._wait = 0
        elif self._is_worth_learning(body):
            fast = self._learned(body)
        if fast is None or self._proven:
            return fast or self._decoded(body)
        exact = self._decoded(body)
        self._proven = _same(fast, exact)
        if not self._proven:
            _log.error("two ways of decoding changes differ: the slow one is used")
        return exact

    def message(self, subscription: int, message: ua.NotificationMessage) -> Published:
        """A message that was decoded by asyncua."""
        told, ended = [], None
        for data in message.NotificationData or ():
            if isinstance(data, ua.DataChangeNotification):
                told.append(self._items(subscription, data.MonitoredItems or ()))
            elif isinstance(data, ua.StatusChangeNotification):
                ended = data.Status.value
            else:
                raise ValueError(f"a notification of another kind: {type(data).__name__}")
        return Published(subscription, message.SequenceNumber, bool(message.NotificationData), tuple(told), ended)

    def _decoded(self, body: bytes) -> Published:
        buffer = Buffer(body)
        response = struct_from_binary(ua.PublishResponse, buffer)
        response.ResponseHeader.ServiceResult.check()
        if response.TypeId.Identifier != ObjectIds.PublishResponse_Encoding_DefaultBinary or len(buffer):
            raise ValueError(f"not one whole PublishResponse: {response.TypeId}, {len(buffer)} bytes are left over")
        return self.message(response.Parameters.SubscriptionId, response.Parameters.NotificationMessage)

    def _items(self, subscription: int, items: Sequence[ua.MonitoredItemNotification]) -> Told:
        columns = self.columns.get(subscription, ())
        known = [item for item in items if item.ClientHandle < len(columns)]
        handles = np.array([item.ClientHandle for item in known], np.intp)
        return Told(handles, ItemDecoder([columns[at] for at in handles.tolist()]).decode([item.Value for item in known]))

    def _gathered(self, shape: _Shape | None, body: bytes) -> Published | None:
        samples = shape.gatherer.samples(body) if shape else None
        if shape is None or samples is None:
            return None
        sequence: int = _UINT32.unpack_from(body, shape.sequence_at)[0]
        return Published(shape.subscription, sequence, True, (Told(shape.columns, samples),))

    def _is_worth_learning(self, body: bytes) -> bool:
        """Of small messages each with other tags than the one before, ever fewer are."""
        if len(body) >= _SMALL_BYTES:
            return True
        self._wait -= 1
        if self._wait >= 0:
            return False
        self._wait = self._patience = min(_MOST_PATIENCE, 2 * self._patience + 1)
        return True

    def _learned(self, body: bytes) -> Published | None:
        try:
            shape = _learn(body, self.columns)
        except Exception:  # noqa: BLE001  asyncua raises nearly anything; what it can decode at all is decoded then
            return None
        if len(self._shapes) >= _MOST_LAYOUTS:
            self._shapes.clear()
        self._shapes[len(body)] = shape
        return self._gathered(shape, body)


def _same(one: Published, other: Published) -> bool:
    return (one.subscription, one.sequence, len(one.told)) == (other.subscription, other.sequence, len(other.told)) and all(
        np.array_equal(mine.columns, theirs.columns) and mine.samples.same_as(theirs.samples)
        for mine, theirs in zip(one.told, other.told, strict=True)
    )


def _learn(body: bytes, columns_of: Mapping[int, Sequence[Column]]) -> _Shape:
    """The shape of a message with one notification of data changes. Raises NoLayout, and what asyncua raises, on any other."""
    buffer = Buffer(body)
    kind, stamp_at = nodeid_from_binary(buffer), buffer.cur_pos
    header = struct_from_binary(ua.ResponseHeader, buffer)
    if kind.Identifier != ObjectIds.PublishResponse_Encoding_DefaultBinary or not header.ServiceResult.is_good():
        raise NoLayout
    subscription = _UINT32.unpack(buffer.read(4))[0]
    available = _length(buffer.read(4))
    available_at = buffer.cur_pos
    buffer.read(4 * available + 1)
    sequence_at = buffer.cur_pos
    buffer.read(12)
    notifications_at = buffer.cur_pos
    count, first, ends = _data_change(buffer)
    items = walk(body, count, first, _HANDLE_BYTES)
    tail = items[1][-1] if count else first
    if tail + 4 > ends:
        raise NoLayout
    check_diagnostics(body[:ends], tail)
    _check_results(body, ends)
    handles_at = (np.array(items[0], np.intp)[:, None] - np.arange(_HANDLE_BYTES, 0, -1)).ravel()
    proof = [
        np.arange(stamp_at),
        np.arange(stamp_at + STAMP_AND_HANDLE_BYTES, available_at),
        np.arange(notifications_at, first),
        handles_at,
        np.arange(tail, len(body)),
    ]
    layout = layout_of(body, items, proof)
    handles = np.frombuffer(body, np.uint8)[handles_at].view("<u4").astype(np.intp)
    known = columns_of[subscription]
    columns = [known[handle] for handle in handles.tolist()]
    return _Shape(layout, Gatherer(layout, ColumnTable(columns), ItemDecoder(columns)), handles, subscription, sequence_at)


def _data_change(buffer: Buffer) -> tuple[int, int, int]:
    """How many items the only notification has, where they begin, and where it ends."""
    if _INT32.unpack(buffer.read(4))[0] != 1:
        raise NoLayout
    if buffer.read(len(_DATA_CHANGE)) != _DATA_CHANGE:
        raise NoLayout
    size = _INT32.unpack(buffer.read(4))[0]
    ends = buffer.cur_pos + size
    count = _INT32.unpack(buffer.read(4))[0]
    if count < 0:
        raise NoLayout
    return count, buffer.cur_pos, ends


def _check_results(body: bytes, at: int) -> None:
    """Of acknowledgements, then diagnostics, and not a byte more."""
    results = _length(body[at : at + 4])
    check_diagnostics(body, at + 4 + 4 * results)


def _length(field: bytes) -> int:
    """Elements of an array; −1 says that there is none, and any other negative length is no length."""
    length: int = _INT32.unpack(field)[0]
    if length < -1:
        raise NoLayout
    return max(0, length)
