"""Recorded batches in a CSV file of any plant; each batch with its scans, to be judged.

    wide    batch_id;time;phase;TT;PT                        a row per moment, a column per tag
            B-17;2026-11-23T14:00:00Z;Dose;64,9;1,42
            B-17;2026-11-23T14:00:01Z;Dose;;Bad              an empty cell is a bad sample, and so is a text: the texts are told
    tidy    timestamp,tag,value,quality                      a row per sample; tags of other times than their neighbours'
            2026-11-23T14:00:00Z,TT,64.9,Good                are scan groups of their own

Nothing is filled in or rounded, and nothing is taken for something without being told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collector.terms import Stamp


@dataclass(frozen=True, slots=True)
class Said:
    """What the user says of a file that it does not say itself."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns by what they are: batch, time, phase, unit, product, recipe_version."""
    period_s: float | None = None
    time_unit: str | None = None
    """Of times that are numbers: a key of `recorded.times.NS_OF`, or `EXCEL`."""
    zone: ZoneInfo | None = None
    """Of dates that name none; None: UTC."""
    day_first: bool | None = None
    bad: Sequence[str] = ()
    """Cells that mark a bad sample."""
    good: Sequence[str] = ()
    """Statuses that are good; none: those that are known to be."""
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken from a file."""

    roles: Mapping[str, str]
    """Names of the columns of samples, and the role of each; those of other names are for people, or tell the context."""
    said: Said = field(default_factory=Said)
    unit: str = ""
    """Where no column tells it."""
    context: Stamp = field(default_factory=Stamp)
    """Product and recipe version where no column tells them."""
    only: Mapping[str, str] = field(default_factory=dict)
    """The unit, product or recipe version that every limit names: that of a file that tells none."""
    phases: bool = True
    """Whether a limit is about a phase; else the phases matter only where the user names their column."""
    phase_names: frozenset[str] = frozenset()
    """Phases that limits name."""
    together: bool = False
    """Whether a limit is about several roles, which are then to be in one scan."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of one unit, or the tags of it that have their times in common: n scans of m columns."""

    unit: str
    name: str
    slots_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    """`[n, m]`; NaN is a bad sample."""
    stamps: tuple[Stamp, ...]
    """`[n]`"""
    roles: tuple[str, ...] | None = None
    """`[m]`; None: those of the recording."""
    period_ns: int | None = None
    """None: that of the recording."""

    def before(self, to_ns: int) -> Batch:
        """Its scans with slot < to."""
        inside = self.slots_ns < to_ns
        if inside.all():
            return self
        stamps = tuple(stamp for stamp, is_inside in zip(self.stamps, inside.tolist(), strict=True) if is_inside)
        return Batch(self.unit, self.name, self.slots_ns[inside], self.values[inside], stamps, self.roles, self.period_ns)


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole file."""

    roles: tuple[str, ...]
    period_ns: int
    has_dates: bool
    """Slots are dates; else nanoseconds since the beginning of the batch."""
    batches: tuple[Batch, ...]
    read_as: tuple[str, ...]
    """What was taken for what, for people."""
    remarks: tuple[str, ...]
    """What is odd, but no fault."""
