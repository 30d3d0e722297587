"""Recorded batches, served sample by sample in lock-step: the next sample comes when `advance` is called, not before.

    batch_id,TT,PT          BATCH_ID  the first column          SAMPLE_NO  the data row in the whole file, from 1
    1,19.6,119.9      ──►   TT, PT    the columns of their names
    1,20.2,62.9             anything else is refused at the start

A number is `float()` of its text, an integer `int()`; nothing is rounded, except by a Modbus register that is declared
as an integer. An empty cell has no value (BadNoData).
SAMPLE_NO counts over the file also where only some batches are served, so it is one key for replays side by side.
After the last sample SAMPLE_NO is 0 and all else BadNoData: an OPC UA server gives null values with that status, a
Modbus server refuses every request that touches one of them (server device failure) and still answers SAMPLE_NO
where it is read alone. Neither can be mistaken for data.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from config.model import Device
from config.tags import Kind, ModbusTag, Tag
from simulators.source import BAD_NO_DATA, GOOD, Point, Reading, SimulationError, Value

SAMPLE_NO, BATCH_ID = "SAMPLE_NO", "BATCH_ID"


@dataclass(frozen=True, slots=True)
class Sample:
    """One data row of a recording."""

    number: int
    batch: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A CSV file: its columns, the first of which names the batch, and its rows as they are written."""

    name: str
    columns: tuple[str, ...]
    samples: tuple[Sample, ...]

    @property
    def batches(self) -> tuple[str, ...]:
        """Every batch once, in the order of the file."""
        return tuple(dict.fromkeys(sample.batch for sample in self.samples))


def load_recording(path: Path) -> Recording:
    """Read a CSV with a header. Raises SimulationError for a row that does not fit it, OSError."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        columns = tuple(next(rows, ()))
        samples = tuple(_sample(path, columns, number, row) for number, row in enumerate(rows, 1))
    if not samples:
        raise SimulationError(f"{path}: no samples; give a header and at least one row")
    return Recording(path.name, columns, samples)


def _sample(path: Path, columns: tuple[str, ...], number: int, row: list[str]) -> Sample:
    if len(row) != len(columns) or not row:
        raise SimulationError(f"{path}: sample {number} has {len(row)} cells, the header {len(columns)}")
    return Sample(number, row[0], tuple(row))


class Replay:
    """A `Source` that holds each sample of a recording until it is told to go on."""

    def __init__(
        self, recording: Recording, batches: Collection[str] | None = None, *, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Serve `batches` (default: all) in the order of the file. Raises SimulationError for one that is not there."""
        if batches is not None and (absent := set(batches) - set(recording.batches)):
            raise SimulationError(f"{recording.name} has no batch {', '.join(sorted(absent))}")
        self.samples = tuple(sample for sample in recording.samples if batches is None or sample.batch in batches)
        self._recording = recording
        self._index = 0
        self._wall_ns = wall_ns
        self._source_ns = wall_ns()

    @property
    def sample(self) -> Sample | None:
        """The one that is served now; None after the last."""
        return self.samples[self._index] if self._index < len(self.samples) else None

    def advance(self) -> bool:
        """Go on to the next sample, for the very next read on. False when there is none."""
        self._index = min(self._index + 1, len(self.samples))
        self._source_ns = self._wall_ns()
        return self.sample is not None

    def refresh(self) -> int:
        return self._index

    def point(self, device: Device, tag: Tag) -> Point:
        if tag.name == SAMPLE_NO:
            return self._sample_no
        column = 0 if tag.name == BATCH_ID else self._column(device, tag)
        read = _reader(tag)
        self._try_all(tag, column, read)

        def point() -> Reading:
            text = self.sample.cells[column] if self.sample else ""
            return Reading(read(text), GOOD, self._source_ns) if text else Reading(None, BAD_NO_DATA, self._source_ns)

        return point

    def _sample_no(self) -> Reading:
        return Reading(self.sample.number if self.sample else 0, GOOD, self._source_ns)

    def _column(self, device: Device, tag: Tag) -> int:
        if tag.name not in self._recording.columns:
            raise SimulationError(
                f"{device.name}/{tag.name}: {self._recording.name} has no such column; "
                f"there are {', '.join(self._recording.columns)}, and {SAMPLE_NO}, {BATCH_ID}"
            )
        return self._recording.columns.index(tag.name)

    def _try_all(self, tag: Tag, column: int, read: Callable[[str], Value]) -> None:
        """A cell that is no value of the tag's kind is found before anything is served."""
        for sample in self.samples:
            try:
                read(sample.cells[column] or "0")
            except ValueError:
                where = f"{self._recording.name}, sample {sample.number}"
                text = f"{where}: {sample.cells[column]!r} is no {tag.value_kind} for {tag.name}"
                raise SimulationError(text) from None


def _reader(tag: Tag) -> Callable[[str], Value]:
    integer = _number if isinstance(tag, ModbusTag) else int
    return {Kind.REAL: float, Kind.INTEGER: integer, Kind.BOOLEAN: _boolean, Kind.TEXT: str}[tag.value_kind]


def _number(text: str) -> Value:
    """An int where it is written as one: a float64 cannot hold every int64."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("0", "1", "false", "true"):
        raise ValueError(text)
    return text.lower() in ("1", "true")
