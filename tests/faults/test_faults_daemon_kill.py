"""kill -9 of the whole daemon under load, with a real InfluxDB behind it: nothing committed is lost, nothing is there twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from collector.commits import COMMIT_INTERVAL_S
from tests.faults.daemon_process import DEADLINE_S, DaemonProcess, Wish, daemon_process
from tests.faults.influx_points import assert_same_points
from tests.faults.recorded import Recorded
from tests.faults.rows import Row
from tests.servers import running_influxdb

LATE_S, BUSY_S = 1.5, 15.0
"""How late a commit may begin, and the first one after a start; and in the short form, which runs beside other tests."""


@pytest.mark.faults(
    "kill -9 of the daemon under load",
    must="0 committed lost, 0 doubled in journal and InfluxDB, loss ≤ one commit interval, each gap told",
    short=3,
    long=200,
)
def test_kill_under_load(row: Row, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "data")
    with running_influxdb() as influx, daemon_process() as daemon:
        influx.create("plant")
        wish = Wish(str(recorded.data), influx=influx.url, drain_s=DEADLINE_S / 2)
        for trial in row.trials():
            daemon.start(wish)
            told, unsafe_s = _killed_after(daemon, row.chance(trial).uniform(0.2, 2.5), LATE_S if row.long else BUSY_S)
            before = recorded.samples
            recorded.walk()
            row.count(samples=recorded.samples - before, lost=max(0, told - recorded.samples))
            row.worst(loss_s=(loss_s := _loss_s(recorded, wish)))
            assert loss_s <= unsafe_s + wish.period_s + (0 if row.long else BUSY_S)
        daemon.start(wish)
        daemon.hear("committed")
        daemon.kill(signal.SIGTERM)
        assert daemon.hear("gone")[-1] == "gone 0"
        recorded.walk()
        recorded.assert_ledger()
        row.count(doubled=recorded.doubled, silent=recorded.silent(), points=assert_same_points(influx, recorded, "plant"))
    assert (row.lost, row.doubled, row.others["silent"]) == (0, 0, 0)


def _killed_after(daemon: DaemonProcess, seconds: float, late_s: float) -> tuple[int, float]:
    """Samples that were told to be committed, and for how long nothing had been committed then, but what was under way."""
    time.sleep(seconds)
    daemon.kill()
    killed_ns, told, begin_ns, safe_ns, begun = time.monotonic_ns(), 0, 0, 0, False
    for line in daemon.hear("gone"):
        what, *numbers = line.split()
        if what == "began":
            begin_ns, begun = int(numbers[0]), True
        elif what == "committed":
            told, safe_ns, begun = int(numbers[1]), begin_ns, False
    unsafe_s = (killed_ns - safe_ns) / 1e9 if safe_ns else seconds
    assert unsafe_s <= COMMIT_INTERVAL_S + (killed_ns - begin_ns) / 1e9 * begun + late_s
    return told, unsafe_s


def _loss_s(recorded: Recorded, wish: Wish) -> float:
    """Seconds of answers that are not in the journal."""
    period_ns, losses = round(wish.period_s * 1e9), [0]
    for n, (first_ns, newest_ns) in enumerate(wish.answers()):
        if newest_ns:
            kept_ns = recorded.slots[f"D-{n}"][-1:] or [0]
            losses.append(newest_ns - max(kept_ns[0], first_ns - period_ns))
    return max(losses) / 1e9
