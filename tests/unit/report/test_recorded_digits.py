"""Times in few digits of minutes, hours and days: the rows stand where they stood, as far as the digits can tell."""

from __future__ import annotations

from decimal import Decimal

import pytest

from collector.report.recorded.digits import NS_OF, as_meant

STEPS_S = (1, 2, 5, 6, 10, 12, 20, 30, 36, 45, 60, 72, 120, 180, 300, 360, 600, 720, 900, 1800, 3600)


@pytest.mark.parametrize("unit", ["min", "h", "d"])
@pytest.mark.parametrize("step_s", STEPS_S)
def test_even_rows_are_never_farther_off_than_their_digits_are(unit: str, step_s: int) -> None:
    for digits in range(1, 11):
        for rows, batches in ((4, 1), (50, 1), (200, 3)):
            truth = [step_s * 1_000_000_000 * n for _ in range(batches) for n in range(1, rows)]
            cells = [f"{each / NS_OF[unit]:.{digits}f}" for each in truth]
            if len(set(cells)) == rows - 1:
                found, _ = as_meant([Decimal(cell) for cell in cells], unit)
                off = max(abs(one - other) for one, other in zip(found.tolist(), truth, strict=True))
                as_written = max(abs(float(cell) * NS_OF[unit] - each) for cell, each in zip(cells, truth, strict=True))
                assert off <= as_written + 1_000, (digits, rows, batches)


@pytest.mark.parametrize(
    ("unit", "cells", "seconds"),
    [
        ("h", "0.0028 0.0056 0.0083 0.0111 0.0139", [10, 20, 30, 40, 50]),
        ("h", "0.2 0.4 0.6 0.8 1.2", [720, 1440, 2160, 2880, 4320]),
        ("h", "0.2 0.4 0.6000000000000001 0.8 1.0 0.2 0.4", [720, 1440, 2160, 2880, 3600, 720, 1440]),
        ("h", "0.02 0.03 0.05 0.07 0.08 0.10", [60, 120, 180, 240, 300, 360]),
        ("h", "0.25 0.5", [900, 1800]),
        ("min", "0.017 0.033 0.05 0.067", [1, 2, 3, 4]),
        ("d", "45767.0416666667 45767.0420138889 45767.0423611111", [45767 * 86400 + 3600 + 30 * n for n in range(3)]),
    ],
)
def test_what_is_meant(unit: str, cells: str, seconds: list[int]) -> None:
    found, _ = as_meant([Decimal(cell) for cell in cells.split()], unit)
    assert (found / 1e9).tolist() == pytest.approx(seconds, abs=1e-6)


def test_days_of_a_spreadsheet_are_as_exact_as_a_double() -> None:
    truth = [(20_000 * 86_400 + 10 * n) * 1_000_000_000 for n in range(5_000)]
    cells = [f"{each / 1e9 / 86_400 + 25_569:.10f}" for each in truth]
    found, _ = as_meant([Decimal(cell) - 25_569 for cell in cells], "d")
    assert found.tolist() == truth
