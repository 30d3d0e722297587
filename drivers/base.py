"""What every driver gives, and how it fails. Imported by all drivers, imports none of them; no asyncio here.

Layouts and scan groups are importable from here too.

A scan is what one scan group gave in one slot, as columns from the wire to the disk:

    column        0        1        2        3
    tag        TT-201A  PT-201   BATCH_ID  WT-205      <- Layout.columns
    values      64.93    1.42      nan     1.8e3       float64, for every column
    status        0        0        0        0         uint32, the protocol's own, OPC UA numbering
    quality     good     good     good     good        uint8, derived
    texts                        'B-017'               one per text column, in their order
    integers                               1800        int64, one per integer column, in their order

A float64 cannot hold an int64 nor a text, so those columns have the exact value in `integers` and `texts`
(and in `values` the nearest float64, or NaN for a text).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.layout import Column, Layout
from drivers.scan_groups import Endpoint, ScanGroup, scan_groups

__all__ = [
    "GOOD",
    "Changes",
    "Clock",
    "Column",
    "DeviceError",
    "Driver",
    "Endpoint",
    "Layout",
    "Note",
    "Quality",
    "Scan",
    "ScanGroup",
    "Status",
    "quality_of",
    "scan_groups",
]


class DeviceError(Exception):
    """The device, or the path to it, misbehaved; trying again may help.

    `status` is the OPC UA status code that tells it in the record. `connection_lost` says whether the connection
    itself is of no more use: the endpoint then makes a fresh one for all its devices.
    """

    def __init__(self, text: str, *, status: int, connection_lost: bool = True) -> None:
        super().__init__(text)
        self.status = status
        self.connection_lost = connection_lost


class Quality(IntEnum):
    """How far a value can be trusted; fits uint8, worse is greater."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    STALE = 3


GOOD: Final = np.uint8(Quality.GOOD)
"""To compare arrays with; with the enumeration it takes numpy six times as long."""
_BAD, _SEVERITY_AT = np.uint32(Quality.BAD), np.uint32(30)


class Status:
    """The OPC UA status codes that the product itself gives (part 6, annex A)."""

    GOOD = 0x0000_0000
    UNCERTAIN_LAST_USABLE_VALUE = 0x4090_0000
    UNCERTAIN_SENSOR_NOT_ACCURATE = 0x4093_0000
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x4094_0000
    UNCERTAIN_SUB_NORMAL = 0x4095_0000
    UNCERTAIN_DATA_SUB_NORMAL = 0x40A4_0000
    BAD_DECODING = 0x8007_0000
    BAD_TIMEOUT = 0x800A_0000
    BAD_NO_COMMUNICATION = 0x8031_0000
    BAD_NODE_ID_UNKNOWN = 0x8034_0000
    BAD_OUT_OF_RANGE = 0x803C_0000
    BAD_TYPE_MISMATCH = 0x8074_0000
    BAD_DEVICE_FAILURE = 0x808B_0000
    BAD_NO_DATA = 0x809B_0000
    BAD_COMMUNICATION_ERROR = 0x8005_0000
    BAD_SENSOR_FAILURE = 0x808C_0000


def quality_of(status: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Quality from status codes by their two severity bits, `[k] -> [k]`: 00 good, 01 uncertain, 1x bad."""
    quality: NDArray[np.uint8] = np.minimum(status >> _SEVERITY_AT, _BAD).astype(np.uint8)
    return quality


_NO_INTEGERS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Note:
    """What a driver has to tell of how a scan group is read: for the record, once."""

    state: str
    """`subscribed`, `stale`, `polled`, or `changes lost`: some changes are missing, values are right again."""
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a subscription told between the slot before and this one, and followed by another value of its tag before the slot was
    read: n ≥ 1 rows in the order of their arrival. The newest value of each tag is the scan's own.

    A text, or an integer that no float64 holds, has no row: `values` are exact.
    """

    columns: NDArray[np.int32]
    source_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    status: NDArray[np.uint32]

    def times_ns(self, slot_ns: int, period_ns: int) -> NDArray[np.int64]:
        """When each was, `[n]`: its source stamp where it lies in (slot - period, slot), else the nearest time within. Of one tag
        each is later than the one before, by a nanosecond where the stamps don't tell."""
        times = np.clip(self.source_ns, slot_ns - period_ns + 1, slot_ns - 1)
        for column in np.unique(self.columns):
            rows = np.flatnonzero(self.columns == column)
            nth = np.arange(len(rows))
            rising = np.minimum(np.maximum.accumulate(times[rows] - nth) + nth, slot_ns - 1)
            times[rows] = np.minimum.accumulate((rising - nth)[::-1])[::-1] + nth
        return times


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What one scan group gave in one slot; k columns. A lost scan has no values at all: `samples` is 0."""

    layout: Layout
    slot_ns: int
    received_ns: int
    values: NDArray[np.float64]
    status: NDArray[np.uint32]
    quality: NDArray[np.uint8]
    source_ns: NDArray[np.int64] | None = None
    """The device's own stamps, 0 where it gave none; None where the protocol has none."""
    integers: NDArray[np.int64] = field(default_factory=lambda: _NO_INTEGERS)
    texts: tuple[str, ...] = ()
    lost: bool = False
    notes: tuple[Note, ...] = ()
    """Told as events before it; not a part of the record's row."""
    changes: Changes | None = None
    """What came between the slots and is not in `values`; None where nothing did. Not counted in `samples`."""

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which values are good, and numbers; `[k]`."""
        good: NDArray[np.bool_] = (self.quality == GOOD) & np.isfinite(self.values)
        return good

    @property
    def samples(self) -> int:
        """Values read: k, or 0 for a lost scan."""
        return 0 if self.lost else len(self.values)

    @classmethod
    def of_lost(cls, layout: Layout, slot_ns: int, received_ns: int, status: int) -> Scan:
        """The scan that says: in this slot the device did not answer, and why."""
        k = len(layout.columns)
        return cls(
            layout,
            slot_ns,
            received_ns,
            np.full(k, np.nan),
            np.full(k, status, np.uint32),
            np.full(k, Quality.BAD, np.uint8),
            None,
            np.zeros(len(layout.integer_columns), np.int64),
            ("",) * len(layout.text_columns),
            lost=True,
        )


class Clock(Protocol):
    """Plant time and monotonic time: the only way to ask for either."""

    def now_ns(self) -> int:
        """Plant time: nanoseconds since 1970-01-01 UTC, never backward while a batch runs."""

    def monotonic_ns(self) -> int:
        """For durations and deadlines."""


class Driver(Protocol):
    """An open connection to one endpoint. The async context manager that makes it opens and closes it."""

    async def read(self, group: ScanGroup, slot_ns: int) -> Scan:
        """Read every tag of `group` once. One bad tag is a bad sample, not an error.

        Raises DeviceError, OSError or TimeoutError when nothing could be read; a cancelled read leaves the
        connection unusable, and the endpoint closes it.
        """
