"""verify --sink against the real servers: what was accepted is there, and what is changed there is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.proof.readback import Hour, compare
from collector.store.cursors import Cursor, Stretch
from collector.store.journal import Entry, Journal, Stamped
from collector.store.reader import Reader
from collector.terms import Stamp
from collector.uplink.influx import encoder_for
from collector.uplink.readback import NotReadable, open_readback
from config.sinks import InfluxDB1Sink, InfluxDB2Sink, Sink, VictoriaMetricsSink
from config.tags import Kind
from drivers.base import Scan
from tests.journal_rows import BAD, SLOT_NS, Value, column, layout, scan
from tests.servers import request, running_influxdb, running_victoriametrics

SITE = "O'Neill's plant"
HOUR_NS = 3_600_000_000_000
BEGIN_NS = SLOT_NS - SLOT_NS % HOUR_NS
GROUP = layout(
    column("t"), column("n", Kind.INTEGER), column("b", Kind.BOOLEAN), column("s", Kind.TEXT), column("phase", Kind.TEXT)
)
OTHER = layout(column("t", unit="R-202"), group="other")
ROWS = 40
ODD: list[list[Value]] = [
    [-0.0, 2**63 - 1, True, "Ä\\\"'\n€", "Dose"],
    [5e-324, -(2**63), False, "", "x"],
    [65.0, 0, True, "B-24-017", ""],
    [1.7976931348623157e308, 2**53 + 1, False, "\ud800", "y"],
]


def scans(odd: bool) -> list[Scan]:
    """Over three hours; some samples are bad, one scan is lost."""
    found = []
    for n in range(ROWS):
        slot_ns = BEGIN_NS + n * HOUR_NS * 3 // ROWS // 1_000_000 * 1_000_000
        values: list[Value] = ODD[n] if odd and n < len(ODD) else [n / 7, n, n % 2 == 0, f"text {n}", "Heat"]
        quality = [BAD, 0, 0, 0, 0] if n % 5 == 4 else None
        found.append(scan(GROUP, values, slot_ns, quality=quality))
        found.append(scan(OTHER, [float("nan") if n == 9 else n * 1.1], slot_ns))
    found.append(Scan.of_lost(OTHER, BEGIN_NS + 1_000_000, BEGIN_NS, 0x8031_0000))
    return found


def filled(data: Path, odd: bool) -> Path:
    (data / "journal").mkdir()
    entries: list[Entry] = [Stamped(each, (Stamp("B-1", "Dose"),)) for each in scans(odd)]
    with closing(Journal(data)) as journal:
        journal.append(entries, SLOT_NS)
    return data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return filled(tmp_path, odd=True)


ALL = Cursor(2 * ROWS + 1)


def hours(data: Path, config: Sink, cursor: Cursor = ALL, dead: frozenset[int] = frozenset()) -> list[Hour]:
    async def compared() -> list[Hour]:
        with closing(Reader(data)) as reader:
            async with open_readback(config) as sink:
                return [hour async for hour in compare(reader, cursor, dead, SITE, sink)]

    return asyncio.run(compared())


def sent(data: Path, config: Sink, write: Callable[[bytes], int], until: int = 2 * ROWS + 1) -> None:
    """As the uploader would."""
    with closing(Reader(data)) as reader:
        encoded = encoder_for(config, SITE).encode(reader.read(0, until))
    for row in encoded:
        if row.lines:
            assert write(b"\n".join(line.data for line in row.lines)) == 204


def test_influxdb_holds_it_to_the_bit_and_what_is_changed_there_is_found(data: Path) -> None:
    with running_influxdb() as influx:
        influx.create("plant")
        config = InfluxDB1Sink(name="influx", kind="influxdb1", url=influx.url, database="plant")
        everything = hours(data, config)
        assert all(hour.missing == hour.expected > 0 for hour in everything), "nothing was sent yet"
        sent(data, config, lambda body: influx.write(body, "plant"))
        same = hours(data, config)
        assert [hour.example for hour in same] == [""] * 6
        assert all(hour.same and hour.checksum == hour.sink_checksum for hour in same)
        assert sum(hour.expected for hour in same) == ROWS * 5 - ROWS // 5 + ROWS - 1
        head = r"process,site=O'Neill's\ plant,unit=R-201,batch=B-1,phase=Dose "
        influx.write(f"{head}t=0 {BEGIN_NS}\n".encode(), "plant")  # the negative zero lost its sign
        influx.write(f"{head}n=1i {BEGIN_NS + 7}\n".encode(), "plant")
        first, *others = [hour for hour in hours(data, config) if hour.unit == "R-201"]
        assert (first.different, first.foreign, first.missing) == (1, 1, 0)
        assert first.checksum != first.sink_checksum
        assert first.example
        assert all(hour.same for hour in others)


def test_what_is_not_settled_is_not_expected(data: Path) -> None:
    with running_influxdb() as influx:
        influx.create("plant")
        config = InfluxDB1Sink(name="influx", kind="influxdb1", url=influx.url, database="plant")
        sent(data, config, lambda body: influx.write(body, "plant"), until=31)
        assert all(hour.same for hour in hours(data, config, Cursor(31)))
        assert all(hour.same for hour in hours(data, config, Cursor(20))), "more than is settled is no fault"
        assert all(hour.same for hour in hours(data, config, Cursor(81, behind=(Stretch(31, 81),))))
        assert all(hour.same for hour in hours(data, config, Cursor(33), frozenset({32, 33})))
        assert not all(hour.same for hour in hours(data, config, Cursor(33)))


def test_victoriametrics_holds_it_as_far_as_it_can(tmp_path: Path) -> None:
    """It stores the values of a stretch with one exponent: 1e308 beside 65 would leave nothing of the 65."""
    data = filled(tmp_path, odd=False)
    with running_victoriametrics() as victoria:
        config = VictoriaMetricsSink(name="victoria", kind="victoriametrics", url=victoria.url)

        def write(body: bytes) -> int:
            return request(f"{victoria.url}/api/v2/write?precision=ns", body)[0]

        sent(data, config, write)
        victoria.export('{__name__="none"}')  # has it flushed
        found = hours(data, config)
        assert [hour.example for hour in found] == [""] * 6
        write(rf"process,site=O'Neill's\ plant,unit=R-202,batch=B-1 t=7 {BEGIN_NS + 2_000_000}".encode())
        victoria.export('{__name__="none"}')
        assert sum(hour.foreign for hour in hours(data, config)) == 1


def test_a_sink_that_cannot_be_read_back_is_told(data: Path) -> None:
    config = InfluxDB2Sink.model_validate(
        {"name": "two", "kind": "influxdb2", "url": "http://127.0.0.1:1", "bucket": "b", "token": {"env": "NONE"}}
    )
    with pytest.raises(NotReadable, match="InfluxDB 2"):
        hours(data, config)
    absent = InfluxDB1Sink(name="influx", kind="influxdb1", url="http://127.0.0.1:1", database="plant")
    with pytest.raises(NotReadable, match="127"):
        hours(data, absent)
