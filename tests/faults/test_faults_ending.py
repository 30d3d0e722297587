"""SIGTERM under load: what is read is committed and sent within the limit, and the ledger is the last word; a second
SIGTERM does not wait for a sink."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from collector.app import DRAIN_S
from tests.faults.daemon_process import DEADLINE_S, Wish, daemon_process
from tests.faults.recorded import Recorded
from tests.faults.rows import Row
from tests.servers import free_port, running_influxdb

SLACK_S = 5.0
"""For a machine that is busy. The short form runs beside other tests: there all the time that one waits for news may pass."""
PATIENCE_S = DEADLINE_S / 2


@pytest.mark.faults(
    "SIGTERM under load, InfluxDB there",
    must="everything committed and sent within the limit, ledger printed, exit 0",
    short=1,
    long=20,
)
def test_sigterm_drains(row: Row, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "data")
    with running_influxdb() as influx, daemon_process() as daemon:
        influx.create("plant")
        wish = Wish(str(recorded.data), influx=influx.url, drain_s=DRAIN_S if row.long else PATIENCE_S)
        for trial in row.trials():
            daemon.start(wish)
            daemon.hear("committed")
            time.sleep(row.chance(trial).uniform(0, 1))
            daemon.kill(signal.SIGTERM)
            begin_s = time.monotonic()
            *_, ledger, gone = daemon.hear("gone")
            row.worst(took_s=time.monotonic() - begin_s)
            before = recorded.samples
            recorded.walk()
            row.count(samples=recorded.samples - before, lost=_unwritten(recorded, wish))
            assert gone == "gone 0"
            assert ledger == _ledger(recorded.samples, recorded.samples, 0)
            assert row.others["took_s"] < DRAIN_S + SLACK_S or not row.long
        row.count(doubled=recorded.doubled)
        assert (row.lost, row.doubled, recorded.silent()) == (0, 0, 0)


@pytest.mark.faults(
    "SIGTERM, then a second one, with a sink that nobody serves",
    must="the sink's last chance ends at once; the rest waits in the journal, and the ledger says so",
    short=1,
    long=20,
)
def test_a_second_sigterm_hurries(row: Row, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "data")
    with daemon_process() as daemon:
        sink = f"http://127.0.0.1:{free_port()}"
        wish = Wish(str(recorded.data), influx=sink, drain_s=DRAIN_S if row.long else 10 * DEADLINE_S)
        for _ in row.trials():
            daemon.start(wish)
            daemon.hear("committed")
            daemon.deliver(signal.SIGTERM)
            daemon.kill(signal.SIGTERM)
            begin_s = time.monotonic()
            *_, ledger, gone = daemon.hear("gone")
            row.worst(took_s=time.monotonic() - begin_s)
            before = recorded.samples
            recorded.walk()
            row.count(samples=recorded.samples - before, lost=_unwritten(recorded, wish))
            assert gone == "gone 0"
            assert ledger == _ledger(recorded.samples, 0, recorded.samples)
            assert row.others["took_s"] < SLACK_S or not row.long
    row.count(doubled=recorded.doubled)
    assert (row.lost, row.doubled) == (0, 0)


def _ledger(read: int, accepted: int, queued: int) -> str:
    return f"ledger ledger influx: read {read}, accepted {accepted}, queued {queued}, dead-lettered 0"


def _unwritten(recorded: Recorded, wish: Wish) -> int:
    """Samples that were answered before the end and are not in the journal; an answer to a read that was cut off is none, and
    one that a busy machine gave too late is told as that."""
    newest = [newest_ns - _reached_ns(recorded, f"D-{n}") for n, (_, newest_ns) in enumerate(wish.answers())]
    return sum(late_ns > recorded.period_ns for late_ns in newest) * wish.tags


def _reached_ns(recorded: Recorded, device: str) -> int:
    return max([recorded.slots[device][-1], *(int(str(gap.body["to_ns"])) for gap in recorded.gaps_of_the_machine(device))])
