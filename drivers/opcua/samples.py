"""The samples of one answer as columns, and how those of several answers become one scan. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.base import Layout, Scan, quality_of


def is_zero(codes: NDArray[np.generic]) -> bool:
    """Whether no bit is set: by its bytes, which is quicker than numpy's `any`."""
    return codes.tobytes() == bytes(codes.nbytes)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A sample where the server's good or uncertain status was overruled."""

    column: int
    found: str
    """The type on the wire: `String`, `Double[]`, `Null`."""
    status: int


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n samples, in the order of the columns they belong to."""

    values: NDArray[np.float64]
    status: NDArray[np.uint32]
    source_ns: NDArray[np.int64]
    integers: NDArray[np.int64]
    """One for each integer column among the n."""
    texts: tuple[str, ...]
    """One for each text column among the n."""
    misfits: tuple[Misfit, ...]
    """Their `column` counts among the n."""

    def same_as(self, other: Samples) -> bool:
        """Whether both are the same, bit for bit."""
        return all(
            mine.tobytes() == theirs.tobytes() and mine.dtype == theirs.dtype
            for mine, theirs in zip(self.arrays, other.arrays, strict=True)
        ) and (self.texts, self.misfits) == (other.texts, other.misfits)

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """All of them but the texts."""
        return self.values, self.status, self.source_ns, self.integers

    def scan(self, layout: Layout, slot_ns: int, received_ns: int) -> Scan:
        """The scan of these samples, which must be all of `layout`."""
        quality = np.zeros(len(self.status), np.uint8) if is_zero(self.status) else quality_of(self.status)
        return Scan(layout, slot_ns, received_ns, self.values, self.status, quality, self.source_ns, self.integers, self.texts)


def joined(layout: Layout, parts: Sequence[tuple[NDArray[np.intp], Samples]]) -> Samples:
    """The samples of a whole scan group from parts of it, each with the ascending indices of its columns."""
    k = len(layout.columns)
    if len(parts) == 1 and len(parts[0][0]) == k:
        return parts[0][1]
    values, status, source_ns = np.full(k, np.nan), np.zeros(k, np.uint32), np.zeros(k, np.int64)
    integers, texts = np.zeros(k, np.int64), [""] * k
    misfits: list[Misfit] = []
    for columns, samples in parts:
        values[columns], status[columns], source_ns[columns] = samples.values, samples.status, samples.source_ns
        integers[np.intersect1d(columns, layout.integer_columns)] = samples.integers
        for column, text in zip(np.intersect1d(columns, layout.text_columns).tolist(), samples.texts, strict=True):
            texts[column] = text
        misfits += (Misfit(int(columns[misfit.column]), misfit.found, misfit.status) for misfit in samples.misfits)
    return Samples(
        values,
        status,
        source_ns,
        integers[layout.integer_columns],
        tuple(texts[column] for column in layout.text_columns),
        tuple(sorted(misfits, key=lambda misfit: misfit.column)),
    )
