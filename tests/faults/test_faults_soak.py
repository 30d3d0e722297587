"""The short form of `make soak`: the same daemon and the same faults, for some seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rows import Row
from tests.soak.record import run


@pytest.mark.faults(
    "all of it at random: kill -9, SIGTERM, InfluxDB stopped, frozen device, disk stalls and full, clock set",
    must="the record is proved whole, InfluxDB has every point",
    short=1,
    long=3,
)
def test_soak(row: Row, tmp_path: Path) -> None:
    for trial in row.trials():
        folder = tmp_path / str(trial)
        folder.mkdir()
        summary = run(folder, 120 if row.long else 6, str(trial))
        row.count(samples=summary["samples"], lost=summary["committed_lost"], doubled=summary["doubled"])
        row.count(silent=summary["silent_slots"], points=summary["points_in_influxdb"], faults=sum(summary["faults"].values()))
        assert summary["held"], summary
