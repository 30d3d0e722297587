"""The short form of `make flapping`: the same twenty devices and the same daemon, for a few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.flapping import run

SECONDS, SEED, LEAST_FAULTS = 3.0, 11, 21


@pytest.mark.timeout(400)
async def test_twenty_devices_flap_and_nothing_is_wrong_lost_or_left(tmp_path: Path) -> None:
    summary = await run(SECONDS, SEED, tmp_path, LEAST_FAULTS)
    assert summary["problems"] == []
    assert sum(summary["faults"].values()) >= LEAST_FAULTS
    assert summary["slots_good"] > 100
    assert summary["most_connections"] == summary["most_sessions"] == 1
