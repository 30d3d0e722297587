"""The columns of a scan group, and the name by which every stored row knows them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from config.tags import Kind


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of a column for ever after: enough to read a row whose plant file is gone."""

    name: str
    role: str
    unit: str
    kind: Kind
    engineering_unit: str | None = None
    address: str = ""
    scale: float = 1.0
    offset: float = 0.0
    low: float | None = None
    high: float | None = None
    states: tuple[tuple[int, str], ...] = ()


_COLUMN_FIELDS = tuple(field.name for field in fields(Column))


@dataclass(frozen=True)
class Layout:
    """The ordered columns of a scan group. Every stored row names its layout by `id`, a hash of all of it,
    so that a re-ordered tag list can never turn into wrong values."""

    endpoint: str
    device: str
    group: str
    period_ns: int
    columns: tuple[Column, ...]

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of `to_json()`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The units that own its tags, each once, in the order of the columns."""
        return tuple(dict.fromkeys(column.unit for column in self.columns))

    @cached_property
    def places(self) -> dict[tuple[str, str], int]:
        """The column of each tag, by unit and name; of two of the same name the first."""
        return {(column.unit, column.name): at for at, column in reversed(list(enumerate(self.columns)))}

    @cached_property
    def integer_columns(self) -> NDArray[np.intp]:
        """Indices of the integer columns, ascending."""
        return self._of_kind(Kind.INTEGER)

    @cached_property
    def text_columns(self) -> NDArray[np.intp]:
        """Indices of the text columns, ascending."""
        return self._of_kind(Kind.TEXT)

    def _of_kind(self, kind: Kind) -> NDArray[np.intp]:
        return np.array([i for i, column in enumerate(self.columns) if column.kind is kind], np.intp)

    def to_json(self) -> str:
        """Canonical: the same layout gives the same text."""
        # As `asdict` would have it, which makes a deep copy: 0.1 s for 5,000 columns.
        fields = {name: getattr(self, name) for name in ("endpoint", "device", "group", "period_ns")}
        columns = [{name: getattr(column, name) for name in _COLUMN_FIELDS} for column in self.columns]
        return json.dumps({**fields, "columns": columns}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """The layout that `to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
        fields = json.loads(text)
        columns = tuple(
            Column(**{**column, "kind": Kind(column["kind"]), "states": tuple((n, s) for n, s in column["states"])})
            for column in fields.pop("columns")
        )
        return cls(columns=columns, **fields)
