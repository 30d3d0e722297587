"""The answers to one and the same Read, again and again: the fast way where it is proven, the exact way for all else.

The first answer is decoded both ways. If they differ, which no test of ours has seen, the fast way is not used for this request,
and the log says so: a wrong value with a good status is worse than a slow one. After that an answer whose layout is another
one costs learning it once.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from asyncua.common.utils import Buffer

from drivers.base import Column
from drivers.opcua.decode import ItemDecoder, no_value
from drivers.opcua.gather import ColumnTable, Gatherer
from drivers.opcua.layout import AnswerLayout, NoLayout
from drivers.opcua.samples import Samples
from drivers.opcua.wire import read_results

_log = structlog.get_logger()


class AnswerDecoder:
    """Decodes the answers to a Read of n nodes, the tags of `columns`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._items, self._table = ItemDecoder(columns), ColumnTable(columns)
        self._gatherer: Gatherer | None = None
        self._proven: bool | None = None
        """Whether both ways gave the same for the first answer; None before it came."""

    def decode(self, body: bytes, what: str) -> Samples:
        """The samples of an answer; `what` tells in errors what was read. Raises DeviceError, Undecodable."""
        if self._proven:
            samples = self._gathered(body)
            return self._decoded(body, what) if samples is None else samples
        samples = self._decoded(body, what)
        if self._proven is None:
            self._prove(body, what, samples)
        return samples

    def refused(self, status: int) -> Samples:
        """The samples when there is no answer that could be decoded."""
        return self._items.decode([no_value(status)] * len(self._columns))

    def _decoded(self, body: bytes, what: str) -> Samples:
        return self._items.decode(read_results(Buffer(body), len(self._columns), what))

    def _gathered(self, body: bytes) -> Samples | None:
        samples = self._gatherer.samples(body) if self._gatherer else None
        if samples is not None:
            return samples
        try:
            self._gatherer = Gatherer(AnswerLayout.learn(body, len(self._columns)), self._table, self._items)
        except NoLayout:
            self._gatherer = None
            return None
        return self._gatherer.samples(body)

    def _prove(self, body: bytes, what: str, samples: Samples) -> None:
        gathered = self._gathered(body)
        if gathered is None:
            return
        self._proven = gathered.same_as(samples)
        if not self._proven:
            _log.error("two ways of decoding differ: the slow one is used", reading=what, nodes=len(self._columns))
