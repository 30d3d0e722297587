"""What a subscription has told of a scan group: the newest value of each tag, and what came since the slot before. Pure.

put(told) ──┬──> newest value of each tag ─────────────> scan, the same again until another is told
            └──> log of all since the slot before ──> changes: those that the scan does not have
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from asyncua.ua.status_codes import StatusCodes
from numpy.typing import NDArray

from drivers.base import Changes, Layout, Quality, Scan, Status, quality_of
from drivers.opcua.decode import BAD
from drivers.opcua.publish import Told
from drivers.opcua.samples import Samples, is_zero

MOST_CHANGES = 100_000
"""Values that are kept between two slots, 2.4 MB: whatever a server tells beyond them is counted, and the newest is known."""
EXACT = 2**53
"""Integers up to this size are exact as float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """What came since the slot before and is not the newest of its tag."""

    changes: Changes | None
    beyond: int = 0
    """Values that were too many to be kept."""
    without: tuple[int, ...] = ()
    """Columns some of whose values have no place among changes: texts, integers that no float64 holds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where the samples of a message go."""

    columns: NDArray[np.intp]
    """Kept, so that no other array has its id."""
    at: NDArray[np.intp] | slice
    """The same; a slice where they are all of the group, in order."""
    integers: NDArray[np.intp]
    texts: Sequence[int]
    once: bool
    """No column stands there twice."""


_NOTHING = Between(None)
_MOST_PLACES = 32
_MEANING = np.uint32(0xFFFF_0000)
"""Of a status code: the rest of it is about the message that brought it."""
_SAYS_NOTHING = tuple(
    getattr(StatusCodes, name)
    for name in (
        "BadNotReadable", "BadUserAccessDenied", "BadTimeout", "BadTooManyOperations", "BadResourceUnavailable", "BadOutOfMemory",
        "BadWaitingForInitialData", "BadRequestCancelledByRequest", "BadServiceUnsupported", "BadSecurityModeInsufficient",
    )
)  # fmt: skip
"""Refusals of a Read that don't tell how the tag is."""


class ToldValues:
    """Of k columns."""

    def __init__(self, layout: Layout) -> None:
        k = len(layout.columns)
        self._layout = layout
        self._values, self._source_ns = np.full(k, np.nan), np.zeros(k, np.int64)
        self._status = np.full(k, StatusCodes.BadWaitingForInitialData, np.uint32)
        self._integers, self._texts = np.zeros(k, np.int64), [""] * k
        self._is_integer = np.isin(np.arange(k), layout.integer_columns)
        self._is_text = np.isin(np.arange(k), layout.text_columns)
        self._text_columns = layout.text_columns.tolist()
        self._stale = np.zeros(k, np.bool_)
        self._any_stale = False
        self._log: list[Told] = []
        self._rows = self._over = 0
        self._places: dict[int, _Place] = {}
        self._followed = np.zeros(k, np.bool_)
        self._beyond = 0

    def begin(self) -> None:
        """Nothing is known any more: a new subscription will tell all values anew."""
        self._status[:] = StatusCodes.BadWaitingForInitialData
        self._values[:] = np.nan
        self._stale[:] = self._any_stale = False
        self._over = self._rows

    def refuse(self, column: int, status: int) -> None:
        """The column is not monitored, and why."""
        self._status[column] = status
        self._stale[column] = False

    def withhold(self, columns: Sequence[int]) -> None:
        """Nobody knows their values any more, until something is told of them."""
        self._status[columns] = Status.BAD_TIMEOUT
        self._stale[columns] = self._any_stale = True

    def differ(self, columns: Sequence[int], read: Samples, tolerance: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether what was read of `columns` is another than what was told last, by more than `tolerance`, `[n]`.

        Not where the Read itself was refused, nor where its value is older than the one told.
        """
        at = np.array(columns, np.intp)
        bad = read.status >= BAD
        near = np.abs(read.values - self._values[at]) <= tolerance
        exact = self._is_integer[at] & (tolerance == 0.0)
        near[exact] = read.integers[exact[self._is_integer[at]]] == self._integers[at[exact]]
        told = [self._texts[column] for column in at[self._is_text[at]].tolist()]
        near[self._is_text[at]] = [mine == theirs for mine, theirs in zip(told, read.texts, strict=True)]
        same = ((read.status ^ self._status[at]) & _MEANING == 0) & (near | bad)
        older = (read.source_ns > 0) & (read.source_ns < self._source_ns[at])
        nothing: NDArray[np.bool_] = same | older | np.isin(read.status, _SAYS_NOTHING)
        return ~nothing

    def put(self, told: Told) -> None:
        """Later ones over earlier ones."""
        samples, place = told.samples, self._place(told.columns)
        at = place.at
        if self._any_stale:
            self._stale[at] = False
            self._any_stale = bool(self._stale.any())
        self._values[at], self._status[at] = samples.values, samples.status
        self._source_ns[at] = samples.source_ns
        if len(samples.integers):
            self._integers[place.integers] = samples.integers
        for column, text in zip(place.texts, samples.texts, strict=True):
            self._texts[column] = text
        if self._rows + len(told.columns) > MOST_CHANGES and self._rows:
            self._beyond += len(told.columns)
            self._followed[at] = True
            return
        self._log.append(told)
        self._rows += len(told.columns)

    def _place(self, columns: NDArray[np.intp]) -> _Place:
        """Where samples of `columns` go: found once for as long as the same array comes again."""
        place = self._places.get(id(columns))
        if place is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            place = self._places[id(columns)] = _Place(
                columns,
                slice(None) if np.array_equal(columns, np.arange(len(self._values))) else columns,
                columns[self._is_integer[columns]],
                columns[self._is_text[columns]].tolist(),
                once=len(np.unique(columns)) == len(columns),
            )
        return place

    def scan(self, slot_ns: int, received_ns: int, changes: Changes | None) -> Scan:
        """The newest values."""
        layout = self._layout
        values, integers = self._values, self._integers
        status, source_ns = self._status.copy(), self._source_ns.copy()
        texts = [self._texts[column] for column in self._text_columns]
        if is_zero(status):  # what is stale has a bad status
            quality = np.zeros(len(status), np.uint8)
            values = values.copy()
        else:
            bad = status >= BAD
            quality = quality_of(status)
            quality[self._stale] = Quality.STALE
            values, integers = np.where(bad, np.nan, values), np.where(bad, 0, integers)
            texts = ["" if is_bad else text for text, is_bad in zip(texts, bad[layout.text_columns].tolist(), strict=True)]
        of_integers = integers[layout.integer_columns]
        return Scan(layout, slot_ns, received_ns, values, status, quality, source_ns, of_integers, tuple(texts), changes=changes)

    def stale(self, slot_ns: int, received_ns: int, changes: Changes | None) -> Scan:
        """Nobody knows any value."""
        layout, k = self._layout, len(self._layout.columns)
        nothing, status = np.full(k, np.nan), np.full(k, Status.BAD_TIMEOUT, np.uint32)
        quality, stamps = np.full(k, Quality.STALE, np.uint8), np.zeros(k, np.int64)
        integers, texts = np.zeros(len(layout.integer_columns), np.int64), ("",) * len(layout.text_columns)
        return Scan(layout, slot_ns, received_ns, nothing, status, quality, stamps, integers, texts, changes=changes)

    def between(self, *, newest_too: bool) -> Between:
        """What came since this was last asked; with the newest values where the scan of the slot does not have them."""
        if not self._rows:
            return _NOTHING
        found = _NOTHING
        if newest_too or self._over or self._beyond or self._any_twice():
            found = self._found(newest_too=newest_too)
        if self._beyond:
            self._followed[:] = False
        self._log = []
        self._rows = self._over = self._beyond = 0
        return found

    def _any_twice(self) -> bool:
        """Whether anything was told twice, so that something is not the newest of its tag."""
        if len(self._log) == 1:
            return not self._place(self._log[0].columns).once
        told = np.zeros(len(self._values), np.bool_)
        for each in self._log:
            told[each.columns] = True
        return self._rows > int(np.count_nonzero(told))

    def _found(self, *, newest_too: bool) -> Between:
        columns = np.concatenate([told.columns for told in self._log])
        row = np.arange(len(columns))
        newest = np.zeros(len(self._values), np.intp)
        newest[columns] = row  # of one that stands there repeatedly the last counts
        wanted = row != newest[columns]
        if self._over:
            wanted[: self._over] = True
        if self._beyond:
            wanted |= self._followed[columns]
        if newest_too:
            wanted[:] = True
        kept = wanted & self._exact(columns)
        left_out = wanted & ~kept
        without = tuple(np.unique(columns[left_out]).tolist()) if left_out.any() else ()
        if not kept.any():
            return Between(None, self._beyond, without)
        samples = [told.samples for told in self._log]
        changes = Changes(
            columns[kept].astype(np.int32),
            np.concatenate([each.source_ns for each in samples])[kept],
            np.concatenate([each.values for each in samples])[kept],
            np.concatenate([each.status for each in samples])[kept],
        )
        return Between(changes, self._beyond, without)

    def _exact(self, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which rows of the log a float64 holds."""
        exact = ~self._is_text[columns]
        integers = np.concatenate([told.samples.integers for told in self._log])
        exact[self._is_integer[columns]] = (integers >= -EXACT) & (integers <= EXACT)
        return exact
