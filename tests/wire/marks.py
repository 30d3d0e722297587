"""Values that tell when and where they were read, so that each journalled sample can be judged without a second record.

    mark of 32 bits:   milliseconds since 1970, modulo 2^26 | number of the tag, 6 bits

A good sample is right when it bears its own tag's number and was taken by the device between its slot and its arrival: an
answer that is late, another tag's, another unit's or torn is none of that.
"""

from __future__ import annotations

import time

import numpy as np

from config.model import Device
from config.tags import Tag
from drivers.base import Quality, Scan
from simulators.source import Point, Reading

_NUMBERS, _SPAN_MS = 2**6, 2**26
CLOCKS_MS = 25
"""What plant time and the device's clock, of one machine, may differ by."""


def mark(time_ns: int, number: int) -> int:
    """What tag `number` shows at `time_ns`."""
    return time_ns // 1_000_000 % _SPAN_MS * _NUMBERS + number


def tag_name(number: int) -> str:
    """With its number at the end; the name of tag `number` of its device."""
    return f"T-{number}"


class Marks:
    """A `simulators.source.Source`: every tag shows its mark of now."""

    def __init__(self) -> None:
        self._now_ns = 0

    def refresh(self) -> int:
        self._now_ns = time.time_ns()
        return self._now_ns

    def point(self, _device: Device, tag: Tag) -> Point:
        number = _number(tag.name)
        return lambda: Reading(mark(self._now_ns, number), 0, self._now_ns)


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def wrong_samples(scan: Scan) -> list[str]:
    """What is wrong with the good and uncertain samples of a scan; nothing is, when they are right."""
    found = []
    slot_ms, received_ms = scan.slot_ns // 1_000_000, scan.received_ns // 1_000_000
    for column, about in enumerate(scan.layout.columns):
        if scan.quality[column] >= Quality.BAD:
            continue
        value = scan.values[column]
        taken, number = divmod(int(value), _NUMBERS) if np.isfinite(value) else (-1, -1)
        if number != _number(about.name):
            found.append(f"{scan.layout.device} {about.name} at {scan.slot_ns}: {value} is tag {number}'s")
        elif not -CLOCKS_MS <= (received_ms - taken + CLOCKS_MS) % _SPAN_MS - CLOCKS_MS <= received_ms - slot_ms + CLOCKS_MS:
            found.append(
                f"{scan.layout.device} {about.name} at {scan.slot_ns}: taken {(slot_ms - taken) % _SPAN_MS} ms before it"
            )
    integers = scan.values[scan.layout.integer_columns]
    good = scan.quality[scan.layout.integer_columns] < Quality.BAD
    if not np.array_equal(integers[good], scan.integers[good]):
        found.append(f"{scan.layout.device} at {scan.slot_ns}: {scan.integers} are not {integers}")
    return found
