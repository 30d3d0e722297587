"""Process upsets: what all that are active make of the inputs of the reactor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import TypedDict

from simulators.reactor import Inputs
from simulators.upset import KINDS, End, Upset


class _Changes(TypedDict, total=False):
    cooling_available: float
    heating_available: float
    stirrer_available: bool
    dosing_factor: float
    decomposition_factor: float
    jacket_leak_kg_per_h: float


_FOLD: Mapping[str, Callable[[list[float]], _Changes]] = {
    "cooling_failure": lambda shares: {"cooling_available": min(shares)},
    "heating_failure": lambda shares: {"heating_available": min(shares)},
    "stirrer_trip": lambda _trips: {"stirrer_available": False},
    "dosing_too_fast": lambda factors: {"dosing_factor": prod(factors)},
    "runaway": lambda factors: {"decomposition_factor": prod(factors)},
    "jacket_leak": lambda leaks: {"jacket_leak_kg_per_h": sum(leaks)},
}
PROCESS_KINDS = frozenset(_FOLD)


class Disturbances:
    """The active process upsets of one unit."""

    def __init__(self) -> None:
        self._active: dict[int, Upset] = {}
        self._changes: _Changes = {}
        self._count = 0

    def begin(self, upset: Upset) -> End:
        """`upset.kind` is one of PROCESS_KINDS."""
        self._count += 1
        key = self._count
        self._active[key] = upset
        self._fold()

        def end() -> None:
            if self._active.pop(key, None):
                self._fold()

        return end

    def of(self, inputs: Inputs) -> Inputs:
        """The inputs, disturbed."""
        return replace(inputs, **self._changes) if self._changes else inputs

    def _fold(self) -> None:
        values: dict[str, list[float]] = {}
        for upset in self._active.values():
            kind = KINDS[upset.kind]
            values.setdefault(upset.kind, []).append(kind.number_of(upset) if kind.value == "number" else 0.0)
        self._changes = {}
        for name, numbers in values.items():
            self._changes |= _FOLD[name](numbers)
