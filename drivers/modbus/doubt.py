"""Which units of a line without transaction numbers may still owe an answer, and how to make sure that none does. Pure.

unproven ── marker answered ──► proven ── timeout ──► silent ── one more timeout, or its answer ──► unproven
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drivers.modbus.plan import Read, marker, shape


@dataclass(frozen=True, slots=True)
class _Doubt:
    until_s: float
    why: str


class Doubts:
    """Of one connection; times are the event loop's."""

    def __init__(self, unit_ids: Iterable[int], reads: Sequence[tuple[int, Read]], timeout_s: float) -> None:
        """`reads`: what will be asked, by unit id."""
        self._unit_ids = frozenset(unit_ids)
        self._timeout_s = timeout_s
        self._silent: dict[int, _Doubt] = {}
        self._proven: set[int] = set()
        self._shapes: dict[int, set[tuple[str, int]]] = {}
        for unit_id, read in reads:
            self._shapes.setdefault(unit_id, set()).add(shape(read))

    @property
    def of_all(self) -> bool:
        """No unit answers."""
        return self._silent.keys() >= self._unit_ids

    def begin(self, unit_id: int, why: str, now_s: float) -> None:
        """It did not answer in time: its answer may come within another timeout."""
        self._silent[unit_id] = _Doubt(now_s + self._timeout_s, why)
        self._proven.discard(unit_id)

    def came(self, unit_id: int) -> None:
        """Its late answer came, so there is nothing to wait for; what it is asked next may show more."""
        self._silent.pop(unit_id, None)

    def until_s(self, unit_id: int) -> float:
        """It must not be asked before; 0 where it may."""
        doubt = self._silent.get(unit_id)
        return doubt.until_s if doubt else 0.0

    def why(self, unit_id: int) -> str:
        """Why it must not be asked."""
        doubt = self._silent.get(unit_id)
        return doubt.why if doubt else "no answer"

    def marker(self, unit_id: int, read: Read) -> Read | None:
        """What to ask first; None when it is proven, or nothing is different enough."""
        if unit_id in self._proven:
            return None
        return marker(read, self._shapes.get(unit_id, set()) | {shape(read)})

    def settled(self, unit_id: int, read: Read) -> None:
        """It answered the marker, or there is none; `read` is asked now."""
        self._proven.add(unit_id)
        self._silent.pop(unit_id, None)
        self._shapes.setdefault(unit_id, set()).add(shape(read))
