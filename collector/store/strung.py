"""Blobs strung together: one stretch of memory instead of an object for each, which the processor would have to look for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Strung:
    """n blobs, one behind the other."""

    body: bytes
    lengths: NDArray[np.int64]
    """`[n]`"""

    @classmethod
    def of(cls, blobs: Sequence[bytes]) -> Strung:
        """Raises TypeError for what is no blob."""
        return cls(b"".join(blobs), np.fromiter(map(len, blobs), np.int64, len(blobs)))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def begins(self) -> NDArray[np.int64]:
        """`[n]`: where each begins."""
        begins: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return begins

    def apart(self) -> list[bytes]:
        """Each by itself."""
        return [self.body[first:last] for first, last in pairwise([0, *np.cumsum(self.lengths).tolist()])]

    def same_as(self, other: Strung) -> bool:
        """To the byte."""
        return self.body == other.body and np.array_equal(self.lengths, other.lengths)

    def table(self, begins: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """`[len(begins), size]`: so many bytes from each of `begins` on. Raises TypeError, IndexError beyond the end."""
        if not size or not len(begins):
            return np.zeros((len(begins), size), np.uint8)
        places = np.ndarray(len(self.body) - size + 1, np.dtype((np.void, size)), self.body, strides=(1,))
        return places[begins].view(np.uint8).reshape(len(begins), size)

    def cut(self, begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> Strung:
        """A piece of each blob, `[n]`."""
        if not lengths.any():
            return Strung(b"", lengths)
        if (lengths == lengths[0]).all():
            return Strung(self.table(begins, int(lengths[0])).tobytes(), lengths)
        pieces = zip(begins.tolist(), (begins + lengths).tolist(), strict=True)
        return Strung(b"".join([self.body[first:last] for first, last in pieces]), lengths)

    def some(self, wanted: NDArray[np.bool_]) -> Strung:
        """Those that are `wanted [n]`."""
        return self.cut(self.begins[wanted], self.lengths[wanted])


NONE = Strung(b"", np.zeros(0, np.int64))
