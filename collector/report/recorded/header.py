"""What the columns of a recorded file are: places in its header."""

from __future__ import annotations

from dataclasses import dataclass, field

from config.faults import ConfigError, Fault
from config.spreadsheet.table import Table


@dataclass(slots=True)
class Columns:
    """Places in the header."""

    samples: dict[int, str]
    """Columns of samples, and which name is meant; of a tidy file none."""
    place: dict[str, int | None]
    """By `batch`, `phase`, `unit`, `product`, `recipe_version`, `time`, `date`, `tag`, `value`, `quality`."""
    status: dict[int, int]
    """The status column of a column of samples."""
    batch_with: tuple[int, ...] = ()
    """Columns that name the batch together with that of `batch`."""
    time_unit: str | None = None
    first_row: int = 0
    """How many rows stand before the samples."""
    told: list[str] = field(default_factory=list)
    not_batch: set[int] = field(default_factory=set)
    """Known to be something else, though nothing is taken from it."""

    @property
    def is_tidy(self) -> bool:
        """A row per sample."""
        return not self.samples

    @property
    def taken(self) -> set[int]:
        """All places that something is taken from."""
        placed = (at for at in self.place.values() if at is not None)
        return {*self.samples, *self.status.values(), *self.batch_with, *placed}


def fault(table: Table, what: str, line: int | None = None) -> ConfigError:
    """One, of the header if `line` says nothing else."""
    return ConfigError([Fault(table.file, table.header.line if line is None else line, "", what)])
