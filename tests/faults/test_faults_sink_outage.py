"""Sinks that are away, die, or hang: all arrives, what is live soon, and memory stays as it was."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from collector.gateway import resident_bytes
from collector.ledger import SinkLedger
from collector.store.rows import ScanRow
from collector.uplink import upload
from tests.faults.rows import Row
from tests.faults.sink_stage import TAGS, Stage, counted, newest_ns, sink, until
from tests.http_peer import Reply, Request, scripted
from tests.servers import InfluxDB, VictoriaMetrics, running_influxdb, running_victoriametrics

OUTAGES_S = (60, 3600, 86_400)
MOST_GROWTH_BYTES = 48_000_000
LIVE_LAG_S, BUSY_LAG_S = 5.0, 30.0
"""The second in the short form, which runs beside other tests."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path / "data")) as stage:
        yield stage


@pytest.fixture(scope="module")
def influx() -> Iterator[InfluxDB]:
    with running_influxdb() as influx:
        yield influx


@asynccontextmanager
async def committing(stage: Stage) -> AsyncIterator[None]:
    """A row each quarter of a second, until the block is left."""

    left = asyncio.Event()

    async def commit() -> None:
        while not left.is_set():
            await asyncio.to_thread(stage.commit)  # a thread is not cancelled: it would commit after the block
            with suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), 0.25)

    task = asyncio.create_task(commit())
    try:
        yield
    finally:
        left.set()
        await task


class Memory:
    """How much the process grew, at the most, beyond where it began."""

    def __init__(self) -> None:
        self.begin_bytes = self.most_bytes = resident_bytes()

    def look(self) -> int:
        self.most_bytes = max(self.most_bytes, resident_bytes())
        return self.most_bytes - self.begin_bytes


@pytest.mark.faults(
    "InfluxDB stopped for 1 min, 1 h, 24 h",
    must="all arrives; memory flat; what is live lags less than 5 s soon after its return and while the backlog is sent",
    short=1,
    long=3,
)
async def test_outage(row: Row, tmp_path: Path, influx: InfluxDB) -> None:
    for trial in row.trials():
        with closing(Stage(tmp_path / f"data {trial}")) as stage:
            await _outage(row, stage, influx, f"outage {trial}", OUTAGES_S[trial % len(OUTAGES_S)])


async def _outage(row: Row, stage: Stage, influx: InfluxDB, database: str, seconds: int) -> None:
    influx.create(database)
    config = sink(kind="influxdb1", url=influx.url, database=database, backlog_rate=1e9)

    def lag_s() -> float:
        return (stage.clock.now_ns() - newest_ns(influx, database)) / 1e9

    most_lag_s = LIVE_LAG_S if row.long else BUSY_LAG_S
    async with stage.uploading(config):
        stage.commit(600)  # until everything that it needs is loaded
        await until(lambda: counted(influx, database).get("t00") == 600)
        await asyncio.to_thread(influx.stop)
        await asyncio.to_thread(stage.pass_time, seconds)
        memory = Memory()
        await asyncio.to_thread(influx.start)
        back_s = time.monotonic()
        async with committing(stage):
            await until(lambda: lag_s() < most_lag_s, 2 * most_lag_s)
            row.worst(live_again_after_s=time.monotonic() - back_s)
            while stage.ledger("copy").sinks["copy"].queued > TAGS * 40:
                row.worst(live_lag_s=await asyncio.to_thread(lag_s), growth_mb=memory.look() / 1e6)
                await asyncio.sleep(0.05)
        await until(lambda: stage.ledger("copy").sinks["copy"].queued == 0)
    found = counted(influx, database)
    row.count(samples=stage.rows * TAGS, lost=sum(stage.rows - found.get(f"t{i:02}", 0) for i in range(TAGS)))
    assert set(found.values()) == {stage.rows}
    assert stage.ledger("copy").sinks["copy"] == SinkLedger(stage.rows * TAGS, 0, 0)
    assert row.others.get("live_lag_s", 0) < most_lag_s
    assert row.others.get("growth_mb", 0) < MOST_GROWTH_BYTES / 1e6


@pytest.mark.faults(
    "VictoriaMetrics killed with -9 soon after it accepted",
    must="all arrives; what it accepted is queued until it is safe",
    short=1,
    long=20,
)
async def test_victoriametrics_killed(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time it is back before anybody sends again: then only its start time, in whole seconds, tells."""
    monkeypatch.setattr(upload, "RELEASE_INTERVAL_S", 0.2)
    with running_victoriametrics() as server:
        config = sink(kind="victoriametrics", url=server.url)
        for trial in row.trials():
            started_s = int(time.time())
            with closing(Stage(tmp_path / f"data {trial}")) as stage:
                async with stage.uploading(config) as each:
                    await until(lambda started_s=started_s: int(time.time()) > started_s)  # type: ignore[misc]
                    await _killed(row, stage, server, each, row.chance(trial).uniform(0, 0.05), noticed=trial % 2 == 1)
    assert row.others["gone_with_the_kill"], "it lost nothing: the kill came too late to try anything"


async def _killed(row: Row, stage: Stage, server: VictoriaMetrics, each: upload.Upload, after_s: float, *, noticed: bool) -> None:
    stage.commit(300)
    await until(lambda: _sent(each) == stage.rows)
    await asyncio.sleep(after_s)
    await asyncio.to_thread(server.stop, signal.SIGKILL)
    if noticed:
        stage.commit()
        await until(lambda: bool(each.status.cause))
    await asyncio.to_thread(server.start)
    stage.commit()
    wanted = {int(each.scan.slot_ns) // 1_000_000 for each in stage.reader.read(0, 1000) if isinstance(each, ScanRow)}
    row.count(samples=stage.rows * TAGS, gone_with_the_kill=len(wanted - slots(server)) * TAGS)
    await until(lambda: wanted <= slots(server))
    assert stage.ledger("copy").sinks["copy"] == SinkLedger(0, stage.rows * TAGS, 0)


def _sent(each: upload.Upload) -> int:
    return each.sent.seq


def slots(server: VictoriaMetrics) -> set[int]:
    """Milliseconds of all rows that it has."""
    return {stamp for series in server.export('{__name__="process_t00"}') for stamp in series["timestamps"]}


@pytest.mark.faults(
    "one sink slow, one hanging, one absent",
    must="the fourth has everything within 5 s all the time",
    short=1,
    long=3,
)
async def test_others_are_not_held_back(row: Row, stage: Stage, influx: InfluxDB) -> None:
    hold = asyncio.Event()

    async def slow(_: Request) -> Reply:
        await asyncio.sleep(1.5)
        return Reply()

    async def hangs(_: Request) -> Reply:
        await hold.wait()
        return Reply(503)

    database = influx.create("beside others")
    stage.commit(2000)
    fine = sink(kind="influxdb1", url=influx.url, database=database, backlog_rate=1e9)
    async with scripted(otherwise=slow) as one, scripted(otherwise=hangs) as other:
        beside = [
            sink(name=name, kind="influxdb1", url=url, database="x", timeout_s=20.0)
            for name, url in (("slow", one.url), ("hangs", other.url), ("absent", "http://127.0.0.1:9"))
        ]
        async with stage.uploading(fine), stage.uploading(beside[0]), stage.uploading(beside[1]), stage.uploading(beside[2]):
            async with committing(stage):
                await until(lambda: counted(influx, database).get("t00", 0) >= 2000)
                for _ in range(row.planned * 40):
                    lag_s = (stage.clock.now_ns() - await asyncio.to_thread(newest_ns, influx, database)) / 1e9
                    row.worst(live_lag_s=lag_s)
                    await asyncio.sleep(0.05)
            await until(lambda: counted(influx, database).get("t00") == stage.rows)
            await until(lambda: stage.ledger("slow").sinks["slow"].accepted > 0)
            hold.set()
    for _ in row.trials():
        row.count(samples=stage.rows * TAGS)
    assert row.others["live_lag_s"] < (LIVE_LAG_S if row.long else BUSY_LAG_S)
    ledger = stage.ledger("copy", "slow", "hangs", "absent")
    assert ledger.balanced
    assert ledger.sinks["copy"].accepted == ledger.read
    assert ledger.sinks["slow"].accepted > 0, "its own progress"
    assert ledger.sinks["hangs"] == ledger.sinks["absent"] == SinkLedger(0, ledger.read, 0)
