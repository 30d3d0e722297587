"""The sinks against real servers, and against a peer that answers as servers, proxies and broken networks do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from collector.store.cursors import Cursor
from collector.store.journal import Journal, Stamped
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.store.rows import ScanRow
from collector.terms import EventKind, Stamp
from collector.uplink import upload as upload_module
from collector.uplink.escape import name
from collector.uplink.influx import encoder_for, open_sink
from collector.uplink.lane import Rows
from collector.uplink.lines import Encoder
from collector.uplink.progress import Cursors
from collector.uplink.sink import Busy, Refused, Taken
from collector.uplink.upload import Upload
from config.sinks import SecretError, Sink
from config.tags import Kind
from tests.http_peer import Reply, Request, scripted
from tests.journal_rows import SECOND_NS, SLOT_NS, MemoryJournal, Value, column, event_row, layout, scan, scan_row
from tests.line_protocol import bits, unescaped
from tests.servers import InfluxDB, VictoriaMetrics, free_port, running_influxdb, running_victoriametrics
from tests.servers import request as http

TOKEN = "s3cret-token"
DOSE = Stamp(batch="B-24-017", phase="Dose")
LAYOUT = layout(column("a"), column("b"), column("n", Kind.INTEGER), column("open", Kind.BOOLEAN), column("id", Kind.TEXT))
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Clock:
    def now_ns(self) -> int:
        return SLOT_NS

    def monotonic_ns(self) -> int:
        return 0


@pytest.fixture(scope="module")
def influxdb() -> Iterator[InfluxDB]:
    with running_influxdb() as server:
        yield server


@pytest.fixture
def database(influxdb: InfluxDB, request: pytest.FixtureRequest) -> str:
    return influxdb.create(request.node.name)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLINK_TEST_TOKEN", TOKEN)


def config(**fields: object) -> Sink:
    sink: Sink = TypeAdapter(Sink).validate_python({"name": "copy", "timeout_s": 60.0, **fields})
    return sink


def influx1(url: str, database: str = "plant", **fields: object) -> Sink:
    return config(kind="influxdb1", url=url, database=database, **fields)


def influx2(url: str, **fields: object) -> Sink:
    return config(kind="influxdb2", url=url, org="pilot", bucket="plant", token={"env": "UPLINK_TEST_TOKEN"}, **fields)


def values(seq: int) -> list[Value]:
    return [seq / 7, -seq * 1e-300, 2**53 + seq, seq % 2 == 0, f'text "{seq}", \\ é=\n']


def rows(count: int, first: int = 1) -> list[ScanRow]:
    return [scan_row(seq, scan(LAYOUT, values(seq), SLOT_NS + seq * SECOND_NS), DOSE) for seq in range(first, first + count)]


@contextlib.asynccontextmanager
async def uploading(sink: Sink, journal: Rows, cursors: Cursors, told: asyncio.Queue[str] | None = None) -> AsyncIterator[Upload]:
    """An uploader that tries a busy sink again soon."""

    def edge(name: str, state: str, cause: str) -> None:
        if told is not None:
            told.put_nowait(f"{state}: {cause}")

    async def soon(_: float) -> None:
        await asyncio.sleep(0.02)

    async with open_sink(sink) as opened:
        encoder = partial(encoder_for, sink, "basel")
        with closing(Upload("copy", journal, cursors, encoder, opened, Clock(), on_state=edge, wait=soon)) as upload:
            yield upload


async def drain(sink: Sink, journal: MemoryJournal) -> None:
    async with uploading(sink, journal, journal) as upload, asyncio.timeout(90):
        await upload.drain()


def assert_complete(found: Sequence[dict[str, object]], first: int, last: int) -> None:
    """Every row once, every value bit for bit."""
    assert [(row.pop("time"), {k: bits(v) for k, v in row.items()}) for row in found] == [
        (SLOT_NS + seq * SECOND_NS, dict(zip(("a", "b", "n", "open", "id"), map(bits, values(seq)), strict=True)))
        for seq in range(first, last + 1)
    ]


def stored(influxdb: InfluxDB, database: str) -> list[dict[str, object]]:
    """The points of `process`; InfluxDB's JSON writes a whole float without its point, so the kinds are put back."""
    found: list[dict[str, object]] = []
    for series in influxdb.query("SELECT a, b, n, open, id FROM process WHERE unit = 'R-201' AND batch = 'B-24-017'", database):
        for row in series.rows():
            found.append({k: float(v) if k in ("a", "b") and isinstance(v, int) else v for k, v in row.items()})
    return found


# --- real InfluxDB 1 ------------------------------------------------------------------------------------------------


async def test_influxdb_1_holds_every_value_bit_for_bit(influxdb: InfluxDB, database: str) -> None:
    journal = MemoryJournal(rows(700))
    await drain(influx1(influxdb.url, database), journal)
    assert_complete(stored(influxdb, database), 1, 700)
    assert journal.cursor("copy") == Cursor(700, 3500, 0)


async def test_from_the_real_journal_twice_over(influxdb: InfluxDB, database: str, tmp_path: Path) -> None:
    """A replay from the beginning changes nothing; the cursor survives the process."""
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path)
    for row in rows(40):
        journal.append([Stamped(row.scan, row.stamps)], SLOT_NS)
    reader = Reader(tmp_path)
    for sink_name in ("first", "second"):
        registry = Registry(tmp_path)
        async with open_sink(influx1(influxdb.url, database)) as sink:
            with closing(Upload(sink_name, reader, registry, partial(Encoder, "basel"), sink, Clock())) as upload:
                await upload.drain()
        registry.close()
    again = Registry(tmp_path, read_only=True)
    assert again.cursors() == {"first": Cursor(40, 200, 0), "second": Cursor(40, 200, 0)}
    assert journal.totals.samples == 200
    assert_complete(stored(influxdb, database), 1, 40)
    for part in (again, reader, journal):
        part.close()


SPECIAL = [
    5e-324,
    -0.0,
    0.0,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    2.2250738585072014e-308,
    0.1,
    1e16,
    1e22,
    1e23,
    65.0,
    2**53 + 2.0,
]
EXAMPLES = itertools.count(1)


@SLOW
@example(SPECIAL)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_any_float_comes_back(influxdb: InfluxDB, numbers: list[float]) -> None:
    database, seq = influxdb.create("floats"), next(EXAMPLES)
    of = layout(*[column(f"r{i}") for i in range(len(numbers))])
    (row,) = Encoder(f"example {seq}").encode([scan_row(seq, scan(of, numbers, SLOT_NS + seq))])
    assert influxdb.write(b"\n".join(line.data for line in row.lines), database) == 204
    (series,) = influxdb.query(f"SELECT * FROM process WHERE site = 'example {seq}'", database)  # noqa: S608
    (found,) = series.rows()
    assert [bits(float(str(found[f"r{i}"]))) for i in range(len(numbers))] == [bits(number) for number in numbers]


@SLOW
@example('a,b=c "d"\\')
@example("\\")
@example("line\nfeed\r\ttab")
@example("é😀\U0010ffff")
@example("#\x00\x7f")
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_comes_back(influxdb: InfluxDB, text: str) -> None:
    """As a field as it was; as a tag as `escape` says it is written."""
    database, seq = influxdb.create("texts"), next(EXAMPLES)
    of = layout(column("id", Kind.TEXT))
    (row,) = Encoder("s").encode([scan_row(seq, scan(of, [text], SLOT_NS + seq), Stamp(batch=text, phase="Dose"))])
    assert influxdb.write(b"\n".join(line.data for line in row.lines), database) == 204
    (series,) = influxdb.query(f"SELECT * FROM process WHERE time = {SLOT_NS + seq}", database)  # noqa: S608
    (found,) = series.rows()
    assert (found["id"], found["batch"], found["phase"]) == (text, unescaped(name(text)), "Dose")


async def test_only_the_poisoned_line_is_kept_back(influxdb: InfluxDB, database: str) -> None:
    """One row in the middle has a text where InfluxDB knows a number."""
    poison = layout(column("a", Kind.TEXT), column("other"), group="poison")
    journal = MemoryJournal(rows(100))
    journal.append(scan_row(101, scan(poison, ["no number", 7.0], SLOT_NS), DOSE), *rows(100, 102))
    await drain(influx1(influxdb.url, database), journal)
    (letter,) = journal.dead_letters
    assert (letter.seq, letter.samples) == (101, 2)
    assert letter.line.startswith(b"process,site=basel,unit=R-201,batch=B-24-017,phase=Dose a=")
    assert "field type conflict" in letter.reason
    found = stored(influxdb, database)
    assert_complete(found[:100], 1, 100)
    assert_complete(found[100:], 102, 201)
    journal.assert_ledger("copy")


async def test_dead_letters_are_taken_up_once_the_server_is_set_right(
    influxdb: InfluxDB, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field had the wrong type in the database; what it refused again stays a dead letter with a newer time."""
    monkeypatch.setattr(upload_module, "LETTERS_INTERVAL_S", 0.02)
    (tmp_path / "journal").mkdir()
    assert influxdb.write(b'process,site=basel a="text" %d' % SLOT_NS, database) == 204
    sink = influx1(influxdb.url, database)
    with closing(Journal(tmp_path)) as journal, closing(Reader(tmp_path)) as reader, closing(Registry(tmp_path)) as registry:
        journal.append([Stamped(row.scan, row.stamps) for row in rows(20)], SLOT_NS)
        async with uploading(sink, reader, registry) as upload:
            task = asyncio.create_task(upload.run())
            try:
                await _until(lambda: registry.cursor("copy") == Cursor(20, 0, 100))
                assert registry.retry("copy") == 20
                await _until(lambda: not registry.letters("copy", only_retry=True))
                assert registry.cursor("copy") == Cursor(20, 0, 100), "refused again"
                influxdb.query("DROP MEASUREMENT process", database)
                registry.retry("copy")
                await _until(lambda: registry.cursor("copy") == Cursor(20, 100, 0))
            finally:
                task.cancel()
                await asyncio.wait([task])
        assert registry.dead_letters("copy") == []
    assert_complete(stored(influxdb, database), 1, 20)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  of a database
            await asyncio.sleep(0.02)


async def test_points_too_old_to_keep_are_dead_lettered(influxdb: InfluxDB, database: str) -> None:
    influxdb.query(f'CREATE RETENTION POLICY short ON "{database}" DURATION 1h REPLICATION 1')
    journal = MemoryJournal(rows(1))
    await drain(influx1(influxdb.url, database, retention_policy="short"), journal)
    assert {letter.reason for letter in journal.dead_letters} == {
        "HTTP 400: partial write: points beyond retention policy dropped=1"
    }
    assert journal.cursor("copy") == Cursor(1, 0, 5)


async def test_a_missing_database_alarms_and_nothing_is_lost(influxdb: InfluxDB) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    journal = MemoryJournal(rows(20))
    async with uploading(influx1(influxdb.url, "later"), journal, journal, told) as upload, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(upload.drain())
        assert await told.get() == 'alarm: HTTP 404: database not found: "later"'
        await asyncio.to_thread(influxdb.create, "later")
        await task
    assert await told.get() == "taking: "
    assert_complete(stored(influxdb, "later"), 1, 20)


async def test_absent_at_the_start_and_gone_for_a_while() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    journal = MemoryJournal(rows(50))
    with running_influxdb() as influxdb:
        influxdb.create("plant")
        influxdb.stop()
        async with uploading(influx1(influxdb.url), journal, journal, told) as upload:
            task = asyncio.create_task(upload.run())
            # The first time nobody is there; the second time its last connection may tell so, or its last answer: HTTP 500.
            for first, cause in ((51, f"{influxdb.url}: ClientConnectorError: "), (101, "")):
                assert (await told.get()).startswith(f"busy: {cause}")
                await asyncio.to_thread(influxdb.start)
                assert await told.get() == "taking: "
                await asyncio.to_thread(journal.looked.wait, 60)
                influxdb.stop()
                journal.append(*rows(50, first))
                upload.notify()
            await told.get()
            await asyncio.to_thread(influxdb.start)
            async with asyncio.timeout(60):
                await told.get()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await upload.drain()
        assert_complete(stored(influxdb, "plant"), 1, 150)
    assert journal.cursor("copy") == Cursor(150, 750, 0)
    assert journal.dead_letters == []


# --- InfluxDB 2 and 3, by contract ----------------------------------------------------------------------------------


async def test_influxdb_2_write_path(influxdb: InfluxDB, database: str, secrets: None) -> None:
    """What influxdb-client puts on the wire is the v2 contract, and its content is what InfluxDB 1 then holds."""

    async def forward(request: Request) -> Reply:
        status, body = await asyncio.to_thread(http, f"{influxdb.url}/write", request.text, {"db": database, "precision": "ns"})
        return Reply(status, body)

    journal = MemoryJournal(rows(300))
    async with scripted(otherwise=forward) as peer:
        await drain(influx2(peer.url), journal)
        for request in peer.requests:
            assert (request.method, request.path) == ("POST", "/api/v2/write")
            assert request.query == {"org": "pilot", "bucket": "plant", "precision": "ns"}
            assert request.headers["authorization"] == f"Token {TOKEN}"
            assert request.headers["content-encoding"] == "gzip"
            assert request.headers["content-type"].startswith("text/plain")
            assert request.body[:3] == b"\x1f\x8b\x08"
    assert_complete(stored(influxdb, database), 1, 300)
    assert journal.cursor("copy") == Cursor(300, 1500, 0)


async def test_influxdb_1_write_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLINK_TEST_PASSWORD", "pässword")
    login: dict[str, object] = {"user_name": "collector", "password": {"env": "UPLINK_TEST_PASSWORD"}}
    async with scripted() as peer, open_sink(influx1(f"{peer.url}/influx", "my db", retention_policy="year", **login)) as sink:
        assert await sink.write(b"m x=1 1") == Taken()
        (request,) = peer.requests
    assert (request.method, request.path, request.text) == ("POST", "/influx/write", b"m x=1 1")
    assert request.query == {"db": "my db", "precision": "ns", "rp": "year"}
    assert request.headers["authorization"] == "Basic " + base64.b64encode("collector:pässword".encode()).decode()


@pytest.mark.parametrize("kind", [influx1, influx2])
@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(204), Taken()),
        (Reply(200), Taken()),
        (Reply(400, b'{"error":"unable to parse"}'), Refused("HTTP 400: unable to parse")),
        (Reply(422, b'{"message":"beyond retention"}'), Refused("HTTP 422: beyond retention")),
        (Reply(413), Refused("HTTP 413", too_large=True)),
        (Reply(401, b'{"code":"unauthorized","message":"no"}'), Busy("HTTP 401: no", alarm=True)),
        (Reply(403), Busy("HTTP 403", alarm=True)),
        (Reply(404, b'{"message":"bucket \\"plant\\" not found"}'), Busy('HTTP 404: bucket "plant" not found', alarm=True)),
        (Reply(407), Busy("HTTP 407", alarm=True)),
        (Reply(429, headers={"Retry-After": "9"}), Busy("HTTP 429", 9.0)),
        (
            Reply(503, headers={"Retry-After": "Mon, 23 Nov 2026 08:01:00 GMT", "Date": "Mon, 23 Nov 2026 08:00:00 GMT"}),
            Busy("HTTP 503", 60.0),
        ),
        (Reply(500, b"oops"), Busy("HTTP 500: oops")),
        (Reply(400, b"<html>proxy</html>"), Busy("HTTP 400: <html>proxy</html>", alarm=True)),
        (Reply(200, b"<html>log in</html>"), Busy("HTTP 200: <html>log in</html>: not a database's answer", alarm=True)),
        (Reply(302, headers={"Location": "/elsewhere"}), Busy("HTTP 302", alarm=True)),
        (Reply(307, headers={"Location": "/elsewhere"}), Busy("HTTP 307", alarm=True)),
    ],
    ids=lambda value: str(value.status) + value.body[:2].decode() if isinstance(value, Reply) else "",
)
async def test_answers(secrets: None, kind: Callable[..., Sink], reply: Reply, outcome: object) -> None:
    async with scripted(reply) as peer, open_sink(kind(peer.url)) as sink:
        assert await sink.write(b"m x=1 1") == outcome
        assert len(peer.requests) == 1, "the client neither retries nor follows"
        assert await sink.write(b"m x=1 1") == Taken()


@pytest.mark.parametrize("kind", [influx1, influx2])
@pytest.mark.parametrize("fault", ["silence", "reset", "cut"])
async def test_broken_networks(secrets: None, kind: Callable[..., Sink], fault: str) -> None:
    reply = Reply(fault=fault)  # type: ignore[arg-type]
    timeout_s = 0.2 if fault == "silence" else 60.0
    async with scripted(reply) as peer, open_sink(kind(peer.url, timeout_s=timeout_s)) as sink:
        outcome = await sink.write(b"m x=1 1")
        assert isinstance(outcome, Busy)
        assert not outcome.alarm
        assert peer.url in outcome.reason
        assert TOKEN not in outcome.reason
        again = await sink.write(b"m x=1 1")
        while fault == "silence" and isinstance(again, Busy) and "no answer" in again.reason:  # of a busy machine
            again = await sink.write(b"m x=1 1")
        assert again == Taken()


@pytest.mark.parametrize("kind", [influx1, influx2])
async def test_all_faults_in_a_row_lose_nothing(secrets: None, kind: Callable[..., Sink]) -> None:
    script = [
        Reply(503), Reply(fault="reset"), Reply(401), Reply(413), Reply(fault="cut"), Reply(429, headers={"Retry-After": "0"}),
        Reply(fault="silence"), Reply(400, b'{"error":"a whim"}'), Reply(500), Reply(200, b"<html>"),
    ]  # fmt: skip
    journal = MemoryJournal(rows(60))
    async with scripted(*script) as peer:
        await drain(kind(peer.url, timeout_s=0.3), journal)
        taken = b"\n".join([request.text for request in peer.taken])
        assert not peer.script
    for row in Encoder("basel").encode(journal.rows):
        for line in row.lines:
            assert line.data in taken
    assert journal.cursor("copy") == Cursor(60, 300, 0)
    assert journal.dead_letters == []


async def test_nobody_listens(secrets: None) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with open_sink(influx2(url)) as sink:
        outcome = await sink.write(b"m x=1 1")
    assert isinstance(outcome, Busy)
    assert outcome.reason.startswith(f"{url}: ClientConnectorError: Cannot connect to host 127.0.0.1:")


async def test_a_large_body_goes_through_compressed(secrets: None) -> None:
    body = b"\n".join(b"m x=%d %d" % (i, i) for i in range(50_000))
    async with scripted() as peer, open_sink(influx2(peer.url)) as sink:
        assert await sink.write(body) == Taken()
        (request,) = peer.requests
    assert request.text == body
    assert len(request.body) < len(body) / 3


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (None, "sink copy: environment variable UPLINK_TEST_TOKEN is not set or empty"),
        ("a\nb", "sink copy: the secret has a line feed"),
    ],
)
async def test_a_secret_that_is_missing_or_no_header(monkeypatch: pytest.MonkeyPatch, secret: str | None, text: str) -> None:
    if secret is None:
        monkeypatch.delenv("UPLINK_TEST_TOKEN", raising=False)
    else:
        monkeypatch.setenv("UPLINK_TEST_TOKEN", secret)
    with pytest.raises(SecretError, match=text):
        async with open_sink(influx2("http://127.0.0.1:1")):
            pass


# --- real VictoriaMetrics -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def victoriametrics() -> Iterator[VictoriaMetrics]:
    with running_victoriametrics() as server:
        yield server


async def test_victoriametrics_holds_what_it_can(victoriametrics: VictoriaMetrics) -> None:
    journal = MemoryJournal(rows(200))
    journal.append(event_row(201, EventKind.BATCH, {"what": "phase", "state": "began", "phase": "Dose"}, "R-201", DOSE))
    await drain(config(kind="victoriametrics", url=victoriametrics.url), journal)
    found = {series["metric"]["__name__"]: series for series in victoriametrics.export('{site="basel"}')}
    assert set(found) == {"process_a", "process_b", "process_n", "process_open", "quality_status"}
    a = found["process_a"]
    assert a["metric"] == {"__name__": "process_a", "site": "basel", "unit": "R-201", "batch": "B-24-017"}
    assert a["timestamps"] == [(SLOT_NS + seq * SECOND_NS) // 1_000_000 for seq in range(1, 201)]
    assert a["values"] == pytest.approx([seq / 7 for seq in range(1, 201)], abs=0, rel=2e-12)
    assert found["process_open"]["values"] == [float(seq % 2 == 0) for seq in range(1, 201)]
    assert journal.cursor("copy") == Cursor(201, 1000, 0)


async def test_victoriametrics_write_path(secrets: None) -> None:
    async with scripted() as peer:
        async with open_sink(config(kind="victoriametrics", url=peer.url, token={"env": "UPLINK_TEST_TOKEN"})) as sink:
            assert await sink.write(b"m x=1 1") == Taken()
        async with open_sink(config(kind="victoriametrics", url=peer.url)) as sink:
            assert await sink.write(b"m x=1 1") == Taken()
        guarded, plain = peer.requests
    assert (guarded.path, guarded.headers["authorization"]) == ("/api/v2/write", f"Bearer {TOKEN}")
    assert "authorization" not in plain.headers
