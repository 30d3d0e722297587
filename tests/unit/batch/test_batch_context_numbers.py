"""Batches and phases told by numbers: exactly, or not at all."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collector.batch.context import ContextTracker
from drivers.base import Scan
from tests.unit.batch.followed import START_NS, Followed, layouts, plant

PHASES = {1: "Charge", 2: "Heat", 3: "Dose"}


def enumerated(kind: str) -> Followed:
    return Followed(plant({"role": "batch_id", "kind": "integer"}, {"role": "phase", "kind": kind, "states": PHASES}))


@pytest.mark.parametrize("kind", ["integer", "real"])
def test_numbers_are_phases_by_their_names(kind: str) -> None:
    unit = enumerated(kind)
    assert unit.see(17, 1) == ["R-201 batch 17 began", "R-201 phase Charge began"]
    assert unit.see(17, 3) == ["R-201 phase Charge ended", "R-201 phase Dose began"]


def test_a_number_without_a_name_is_told_as_it_is() -> None:
    unit = enumerated("integer")
    unit.see(17, 9)
    assert unit.now == ("17", "9")


@pytest.mark.parametrize("number", [2**53 + 1, 20_241_122_001_234_567, 2**63 - 1, -(2**63)])
def test_an_integer_batch_id_is_exact(number: int) -> None:
    """A float64 can't hold an int64: its own column does."""
    of = plant({"role": "batch_id", "kind": "integer"}, {"role": "level"}, {"role": "other", "kind": "integer"})
    tracker, main = ContextTracker(of), layouts(of)["main"]
    values = np.array([float(number), 1.0, 5.0])
    tracker.observe(
        Scan(main, START_NS, START_NS, values, np.zeros(3, np.uint32), np.zeros(3, np.uint8), None, np.array([number, 5]))
    )
    assert tracker.stamps["R-201"].batch == str(number)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_real_that_is_no_number_says_nothing(number: float) -> None:
    """Good status or not: a daemon that collects other units must not end of it."""
    unit = enumerated("real")
    unit.see(17, 2)
    assert unit.see(17, number) == []
    assert unit.now == ("17", "Heat")


@pytest.mark.parametrize("number", [2.9999998, 3.0000002, 0.1 * 3 * 10 - 1e-15])
def test_a_real_that_is_off_by_rounding_is_the_number_it_stands_for(number: float) -> None:
    """A scaled register, or a float32 that was computed: 2.9999998 is no Heat."""
    unit = enumerated("real")
    unit.see(17, number)
    assert unit.now == ("17", "Dose")
