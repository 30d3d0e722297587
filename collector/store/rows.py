"""Rows of the journal, and the binary column blob of a scan.

blob of a lost scan:  b""  (its one status is in the row's `status` column)
blob of a scan of k columns, i integers, t texts, little-endian:

    flags u8   values f64[k]   [status u32[k]]   [quality u8[k]]   [source i64[k]]   integers i64[i]   texts   [changes]
                                bit 0              bit 1             bit 2                                        bit 3

Left out, and so 0: status when all are 0, quality when it follows from the status, source where there is none.
Texts: u32 length and UTF-8 of each, in the order of the text columns.
Changes, n of them: n u32, columns u32[n], source i64[n], values f64[n], status u32[n]; left out where there are none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collector.terms import Event, Stamp
from drivers.base import Changes, Layout, Quality, Scan, quality_of

HAS_STATUS, HAS_QUALITY, HAS_SOURCE, HAS_CHANGES = 1, 2, 4, 8
_COUNT = struct.Struct("<I")
_CHANGE_BYTES = 24
_SHORT_BYTES, _MOST_KNOWN = 512, 1024
_known_texts: dict[tuple[str, ...], bytes] = {}
"""Never more than some hundred kilobytes."""
_WORST = np.uint8(max(Quality))
_F8, _I8, _U4, _U1 = np.dtype("<f8"), np.dtype("<i8"), np.dtype("<u4"), np.dtype("u1")


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A scan with the sequence number of its row and one stamp per unit of its layout, in the order of `Layout.units`."""

    seq: int
    scan: Scan
    stamps: tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event with the sequence number of its row. Scans and events share one sequence, without gaps."""

    seq: int
    event: Event


Row = ScanRow | EventRow


class StoredScan(NamedTuple):
    """A row of a scan as it was appended; `layout` and `stamps` are keys in its file."""

    seq: int
    slot_ns: int
    received_ns: int
    lost_status: int
    layout: int
    stamps: int
    blob: bytes


class StoredEvent(NamedTuple):
    """A row of an event as it was appended; `stamps` is a key in its file."""

    seq: int
    slot_ns: int
    kind: str
    unit: str
    stamps: int
    body: str


class DamagedRow(ValueError):
    """A blob that does not fit its layout: it is never read as values."""


def encode(scan: Scan) -> bytes:
    """The column blob of `scan`. Raises ValueError for one that does not fit its layout: it could never be read again."""
    layout, source_ns = scan.layout, scan.source_ns
    k = len(layout.columns)
    values, status, quality = _bytes(scan.values, _F8), _bytes(scan.status, _U4), _bytes(scan.quality, _U1)
    integers, source = _bytes(scan.integers, _I8), b"" if source_ns is None else _bytes(source_ns, _I8)
    sizes = (len(values), len(status), len(quality), len(integers), len(scan.texts), len(source))
    wanted = (8 * k, 4 * k, k, 8 * len(layout.integer_columns), len(layout.text_columns), 0 if source_ns is None else 8 * k)
    if sizes != wanted or scan.changes is not None:
        _check(scan)
    if scan.lost:
        return b""
    flags = 0 if source_ns is None else HAS_SOURCE
    if status == bytes(len(status)):  # of status codes that are all 0, qualities that are all 0 follow: much the most scans
        status, follows = b"", quality == bytes(k)
    else:
        flags, follows = flags | HAS_STATUS, np.array_equal(scan.quality, quality_of(scan.status))
    if follows:
        quality = b""
    else:
        flags |= HAS_QUALITY
    texts = (_known_texts.get(scan.texts) or _coded_texts(scan.texts)) if scan.texts else b""
    changes = b""
    if scan.changes is not None:
        flags, changes = flags | HAS_CHANGES, _coded(scan.changes)
    return b"".join((bytes((flags,)), values, status, quality, source, integers, texts, changes))


def _coded_texts(texts: tuple[str, ...]) -> bytes:
    """Kept where they are short: a scan's texts are mostly those of the scan before."""
    coded = [text.encode("utf-8", "surrogatepass") for text in texts]
    body = b"".join([part for text in coded for part in (_COUNT.pack(len(text)), text)])
    if len(body) <= _SHORT_BYTES:
        if len(_known_texts) >= _MOST_KNOWN:
            _known_texts.clear()
        _known_texts[texts] = body
    return body


def _bytes(array: NDArray[np.generic], dtype: np.dtype[np.generic]) -> bytes:
    return (array if array.dtype is dtype else array.astype(dtype)).tobytes()


def _coded(changes: Changes) -> bytes:
    arrays = ((changes.columns, "<u4"), (changes.source_ns, "<i8"), (changes.values, "<f8"), (changes.status, "<u4"))
    return _COUNT.pack(len(changes.columns)) + b"".join(array.astype(dtype, copy=False).tobytes() for array, dtype in arrays)


def _check(scan: Scan) -> None:
    layout = scan.layout
    sizes = (len(scan.values), len(scan.status), len(scan.quality), len(scan.integers), len(scan.texts))
    k = len(layout.columns)
    wanted = (k, k, k, len(layout.integer_columns), len(layout.text_columns))
    if sizes != wanted or (scan.source_ns is not None and len(scan.source_ns) != k):
        raise ValueError(f"a scan of {layout.device}/{layout.group} does not fit its layout {layout.id}: {sizes}, not {wanted}")
    fault = scan.changes and (_fault_of(scan.changes, layout) or (scan.lost and "they are of a lost scan"))
    if fault:
        raise ValueError(f"changes of {layout.device}/{layout.group} do not fit its layout {layout.id}: {fault}")


def _fault_of(changes: Changes, layout: Layout) -> str:
    """Why these can't be changes of a scan of `layout`; empty where they can."""
    columns = changes.columns
    sizes = {len(columns), len(changes.source_ns), len(changes.values), len(changes.status)}
    if len(sizes) > 1 or not len(columns):
        return f"{sorted(sizes)} of columns, stamps, values and status"
    if not 0 <= columns.min() <= columns.max() < len(layout.columns) or np.isin(columns, layout.text_columns).any():
        return "a column without a number"
    return ""


def decode(blob: bytes, layout: Layout, slot_ns: int, received_ns: int, lost_status: int) -> Scan:
    """The scan that `encode` wrote. Raises DamagedRow when sizes don't fit `layout`."""
    if not blob:
        if lost_status >> 31 == 0:
            raise DamagedRow(f"layout {layout.id}: the row is empty, but no lost scan")
        return Scan.of_lost(layout, slot_ns, received_ns, lost_status)
    k, i = len(layout.columns), len(layout.integer_columns)
    flags = blob[0]
    at = 1
    fixed = 1 + 8 * k + (flags & HAS_STATUS and 4 * k) + (flags & HAS_QUALITY and k) + (flags & HAS_SOURCE and 8 * k) + 8 * i
    if len(blob) < fixed or flags > 15:
        raise DamagedRow(f"layout {layout.id} needs at least {fixed} bytes, the row has {len(blob)}")

    def take(count: int, dtype: str) -> np.ndarray:
        nonlocal at
        array = np.frombuffer(blob, dtype, count, at)
        at += array.nbytes
        return array

    values = take(k, "<f8")
    status = take(k, "<u4") if flags & HAS_STATUS else np.zeros(k, np.uint32)
    quality = take(k, "u1") if flags & HAS_QUALITY else quality_of(status)
    if flags & HAS_QUALITY and (quality > _WORST).any():
        raise DamagedRow(f"layout {layout.id}: a quality that is none")
    source = take(k, "<i8") if flags & HAS_SOURCE else None
    integers = take(i, "<i8")
    texts, at = _texts(blob, at, len(layout.text_columns), layout)
    changes = _changes(blob, at, layout) if flags & HAS_CHANGES else None
    if changes is None and at != len(blob):
        raise DamagedRow(f"layout {layout.id}: {len(blob) - at} bytes too many")
    return Scan(layout, slot_ns, received_ns, values, status, quality, source, integers, texts, changes=changes)


def _texts(blob: bytes, at: int, count: int, layout: Layout) -> tuple[tuple[str, ...], int]:
    """The texts, and where they end."""
    texts = []
    for _ in range(count):
        if at + 4 > len(blob):
            raise DamagedRow(f"layout {layout.id}: a text is missing")
        (length,) = _COUNT.unpack_from(blob, at)
        at += 4
        if at + length > len(blob):
            raise DamagedRow(f"layout {layout.id}: a text is cut short")
        try:
            texts.append(blob[at : at + length].decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise DamagedRow(f"layout {layout.id}: a text that is none") from None
        at += length
    return tuple(texts), at


def _changes(blob: bytes, at: int, layout: Layout) -> Changes:
    """What stands from `at` to the end."""
    (count,) = _COUNT.unpack_from(blob, at) if len(blob) >= at + _COUNT.size else (0,)
    begin = at + _COUNT.size
    if not count or len(blob) != begin + _CHANGE_BYTES * count:
        raise DamagedRow(f"layout {layout.id}: {count} changes in {len(blob) - at} bytes")
    changes = Changes(
        np.frombuffer(blob, "<u4", count, begin).view("<i4"),
        np.frombuffer(blob, "<i8", count, begin + 4 * count),
        np.frombuffer(blob, "<f8", count, begin + 12 * count),
        np.frombuffer(blob, "<u4", count, begin + 20 * count),
    )
    if fault := _fault_of(changes, layout):
        raise DamagedRow(f"layout {layout.id}: changes of {fault}")
    return changes
