"""What `bench.sink` sends: the signals of one reactor, a scan each second, into a journal or from memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collector.store.journal import Journal, Stamped
from collector.terms import Stamp
from config.tags import Kind
from drivers.base import Column, Layout, Scan

UNIT, TAGS = "R-201", 100
BODY_VALUES = 20_000
"""Of one body of the script; about as many as ours has."""
SECOND_NS = 1_000_000_000
BEGIN_NS = 1_795_342_830 * SECOND_NS
_ROWS_PER_COMMIT = 60


def roles() -> list[str]:
    """Names of the tags' fields."""
    return [f"product_temperature_{number:03}" for number in range(TAGS)]


def values_of(number: int) -> NDArray[np.float64]:
    """Scan `number`: about 60 with two decimals, as a transmitter gives them, each tag by itself."""
    phase = number / 97 + np.arange(TAGS)
    values: NDArray[np.float64] = np.round(60 + 15 * np.sin(phase) + 0.3 * np.sin(31 * phase), 2)
    return values


def write(data: Path, rows: int) -> None:
    """A journal of so many scans."""
    layout = Layout("plc", "plc", "main", SECOND_NS, tuple(Column(role.upper(), role, UNIT, Kind.REAL) for role in roles()))
    (data / "journal").mkdir(parents=True)
    stamps, good, quality = (Stamp("B-24-017", "Dose"),), np.zeros(TAGS, np.uint32), np.zeros(TAGS, np.uint8)
    journal = Journal(data)
    for first in range(0, rows, _ROWS_PER_COMMIT):
        slots = ((number, BEGIN_NS + number * SECOND_NS) for number in range(first, min(first + _ROWS_PER_COMMIT, rows)))
        scans = [Scan(layout, slot_ns, slot_ns, values_of(number), good, quality) for number, slot_ns in slots]
        journal.append([Stamped(scan, stamps) for scan in scans], scans[-1].slot_ns)
    journal.close()
