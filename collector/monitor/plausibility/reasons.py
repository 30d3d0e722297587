"""Why a sample is doubted: the rule's name in events and alarms, and the status code that stands on the sample.

The codes are those of OPC UA (parts 4 and 8), which need no column of their own anywhere. Their info bits are those of a value
with limit bits, which servers seldom set; what a server itself doubts is never given another code.

    reason        status                              info bits, lower 16
    range         UncertainEngineeringUnitsExceeded   0x0500 below, 0x0600 above
    spike         UncertainDataSubNormal              0x0400
    rate          UncertainSensorNotAccurate          0x0400
    flat line     UncertainLastUsableValue            0x0700: the value is constant
    difference    UncertainSubNormal                  0x0400
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from drivers.base import Status


class Reason(StrEnum):
    """The first that fits is the one that stands on the sample; each is told on its own."""

    RANGE = "implausible range"
    """Beyond what the instrument can measure."""
    SPIKE = "implausible spike"
    """A jump that no other sample has confirmed yet."""
    RATE = "implausible rate"
    """Farther from the last plausible sample than the process can have moved."""
    FLAT = "implausible flat line"
    """It does not move any more."""
    DIFFERENCE = "implausible difference"
    """Another tag that measures the same says something else."""


REASONS: Final = tuple(Reason)
RANGE, SPIKE, RATE, FLAT, DIFFERENCE = range(len(REASONS))
"""Rows of arrays `[5, k]`."""

_LIMITED = 0x0400
BELOW: Final = Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED | _LIMITED | 0x0100
ABOVE: Final = Status.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED | _LIMITED | 0x0200
CODES: Final = (
    ABOVE,
    Status.UNCERTAIN_DATA_SUB_NORMAL | _LIMITED,
    Status.UNCERTAIN_SENSOR_NOT_ACCURATE | _LIMITED,
    Status.UNCERTAIN_LAST_USABLE_VALUE | _LIMITED | 0x0300,
    Status.UNCERTAIN_SUB_NORMAL | _LIMITED,
)
"""In the order of `REASONS`."""
REASON_OF: Final[Mapping[int, Reason]] = {**dict(zip(CODES, REASONS, strict=True)), BELOW: Reason.RANGE}
"""By the whole status code."""
