"""Rows from one place of the journal on, as bodies of lines: whole rows, bounded, in their order.

An uploader has two lanes, one for what is live and one for the backlog. Each has an encoder of its own, for an encoder
remembers which qualities it told last: where the rows of a lane don't follow on, it tells all of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.store.cursors import Stretch
from collector.store.rows import Row
from collector.uplink.delivery import BODY_BYTES, BODY_LINES, Delivery
from collector.uplink.lines import Encoded, Encoder, Line

_FIRST_ROWS, _MOST_ROWS = 16, 5_000


class Rows(Protocol):
    """The journal as an uploader reads it; blocking, called from threads."""

    def read(self, after_seq: int, limit: int) -> Sequence[Row]:
        """Rows beyond `after_seq`, ascending, at most `limit`; empty when there are none yet."""

    def committed_before(self, time_ns: int) -> int:
        """The last row committed at plant time `time_ns` or earlier; 0 when none was."""


@dataclass(frozen=True, slots=True)
class Body:
    """Rows that are sent together, and the stretch that is settled when they are."""

    stretch: Stretch
    rows: tuple[Encoded, ...]

    @property
    def lines(self) -> list[Line]:
        """All of them."""
        return [line for row in self.rows for line in row.lines]

    @property
    def samples(self) -> int:
        """Of all rows."""
        return sum(row.samples for row in self.rows)


class Lane:
    """Reads and encodes; `delivery` sends. Not for several threads at once."""

    def __init__(self, rows: Rows, encoder: Callable[[], Encoder], delivery: Delivery) -> None:
        self.delivery = delivery
        self._rows, self._encoder = rows, encoder()
        self._rows_limit = _FIRST_ROWS
        self._encoded_seq = -1
        self.at_end = False
        """The newest read had all rows there were, of its day at least."""

    def bodies(self, after: int, until: int | None = None) -> list[Body]:
        """The next rows beyond `after`, up to `until` where that is given; blocking. [] at the end of what there is."""
        rows = self._rows.read(after, self._rows_limit)
        self.at_end = len(rows) < self._rows_limit
        if until is not None:
            rows = [row for row in rows if row.seq <= until]
        if after != self._encoded_seq:
            self._encoder.forget()
        if not rows:
            return []
        self._encoded_seq = rows[-1].seq
        encoded = self._encoder.encode(rows)
        self._fit(encoded)
        return list(_bodies(encoded, after, self.delivery.body_bytes))

    def _fit(self, encoded: Sequence[Encoded]) -> None:
        """Read as many rows the next time as make about a body."""
        size_bytes = sum(len(line.data) for row in encoded for line in row.lines)
        ideal = len(encoded) * BODY_BYTES // max(size_bytes, 1)
        self._rows_limit = max(1, min(ideal, 2 * self._rows_limit, _MOST_ROWS))


def _bodies(rows: Sequence[Encoded], after: int, limit_bytes: int) -> Iterator[Body]:
    """Whole rows in their order, cut into bodies within the limits; a row larger than a body stands alone."""
    body: list[Encoded] = []
    size_bytes = lines = 0
    for row in rows:
        row_bytes = sum(len(line.data) + 1 for line in row.lines)
        if body and (size_bytes + row_bytes > limit_bytes or lines + len(row.lines) > BODY_LINES):
            yield Body(Stretch(after, body[-1].seq), tuple(body))
            after = body[-1].seq
            body, size_bytes, lines = [], 0, 0
        body.append(row)
        size_bytes += row_bytes
        lines += len(row.lines)
    if body:
        yield Body(Stretch(after, body[-1].seq), tuple(body))
