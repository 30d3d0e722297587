"""The page over real sockets: what it serves, what it refuses, that it stops, and what a real browser makes of it."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import aiohttp
import orjson
import pytest
import uvicorn
from structlog.testing import capture_logs

from collector.show.picture import (
    AlarmPicture,
    AlarmsPicture,
    BreachPicture,
    DevicePicture,
    EventPicture,
    ExcursionPicture,
    GatewayPicture,
    LimitPicture,
    Picture,
    SinkPicture,
    Span,
    TagPicture,
    UnitPicture,
)
from collector.show.trend import NoTrend, Trend
from collector.store.files import StoreError
from collector.web.server import PageError, serve
from collector.web.stream import MOST_CLIENTS
from tests.servers import free_port
from tests.wire.lateness import lateness

AT = "2026-11-23T08:53:52.000Z"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
LIMIT = LimitPicture("value", 65, Span(63, 67), Span(60, 70), None, None, "action")
BREACH = BreachPicture("PAR high", "value", "action", "high", 70, AT, "above PAR 70 °C")
HOT = TagPicture("TT-301A", "product_temperature", "°C", 70.5, "70.5", "good", "", 0.1, None, (LIMIT,), (BREACH,), "action")
STALE = TagPicture("PT-301", "pressure", "bar", 1.42, "1.42", "stale", "BadTimeout", 75.0, None, (), (), "no limits")
FAR = LimitPicture("deviation", None, Span(-1, 1), Span(-2, 2), None, None, "alert")
LEAD = TagPicture(
    "TT-301A − TIC-301.SP", "product_temperature", "°C", 1.3, "1.3", "good", "", 0.1, None, (FAR,), (), "alert",
    "product_temperature − temperature_setpoint",
)  # fmt: skip
MET = replace(FAR, statistic="value", nor=None, par=None, state="ok")
STIRRED = replace(
    LEAD, name="stirred", role="stirred", value=True, shown="met", limits=(MET,), state="ok", relation="a < 1 or b > 40"
)
NOTE = TagPicture("NOTE", HOSTILE, "", HOSTILE, HOSTILE, "good", "", 0.1, None, (), (), "no limits")
PICTURE = Picture(
    site="basel",
    time=AT,
    units=(
        UnitPicture(
            "R-301",
            "Reactor",
            HOSTILE,
            "Dose",
            "DEMO",
            "1.0",
            "pilot",
            125.0,
            "told",
            "action",
            (HOT, STALE, NOTE),
            (LEAD, STIRRED),
        ),
    ),
    excursions=(
        ExcursionPicture(
            unit="R-301",
            tag="TT-301A",
            role="product_temperature",
            engineering_unit="°C",
            batch=HOSTILE,
            phase="Dose",
            first=AT,
            last=AT,
            duration_s=61.0,
            peak="70.6",
            area="18.7",
            par=Span(60, 70),
            par_shown="60 … 70",
            not_evaluable_s=0.0,
            cpp=True,
            ended="",
            consequence="By-product.",
            action="Stop the feed.",
        ),
    ),
    closed_excursions=(),
    events=(EventPicture(AT, "R-301", "fault", HOSTILE),),
    devices=(DevicePicture("plc-1", "plc", False, AT, HOSTILE),),
    sinks=(SinkPicture("influx", True, 10, 6, 1, ""),),
    gateway=GatewayPicture(1234, 56, 2, 1200, 34, 0, ""),
    alarms=AlarmsPicture(
        shown=(
            AlarmPicture(
                id="R-301/product_temperature/HH",
                unit="R-301",
                tag="TT-301A",
                rule="HH",
                statistic="value",
                priority="critical",
                state="acknowledged",
                calls=False,
                hidden=False,
                outside=True,
                since=AT,
                value="75.5",
                limit="above HH 75 °C",
                batch=HOSTILE,
                phase="Dose",
                cpp=True,
                handled=f"acknowledged by {HOSTILE}",
                consequence="It runs away.",
                action="Quench.",
            ),
        ),
        calling=3,
        hidden=2,
        left_out=4,
        calls=14,
        counted_s=600.0,
        flood_since=AT,
    ),
)


@dataclass
class Easel:
    """Paints the same picture, with the number of times it was asked as the samples read."""

    painted: int = 0
    fault: Exception | None = None
    disk_fault: str = ""

    def paint(self) -> Picture:
        self.painted += 1
        if self.fault:
            raise self.fault
        return replace(PICTURE, gateway=replace(PICTURE.gateway, read=self.painted, disk_fault=self.disk_fault))


def past(unit: str, tag: str, seconds: float) -> Trend:
    """Half an hour on the ramp, with a stretch that was not read."""
    if (unit, tag) != ("R-301", "TT-301A"):
        raise NoTrend(f"the journal knows no tag {tag} of unit {unit}")
    to_ms = datetime.fromisoformat(AT).timestamp() * 1000
    points = [(to_ms - 1000 * (300 - i), 60 + 0.035 * i, 60.2 + 0.035 * i) for i in range(300)]
    gap: list[tuple[float, float, float] | None] = [None]
    drawn = (*points[:120], *gap, *points[150:])
    return Trend(unit, tag, "product_temperature", "°C", to_ms - 1000 * seconds, to_ms, drawn, (points[130][0],))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)) as session:
        yield session


async def next_picture(stream: aiohttp.ClientResponse) -> dict[str, dict[str, int]]:
    """The next picture of a stream of server-sent events."""
    while line := await stream.content.readline():
        if line.startswith(b"data: "):
            picture: dict[str, dict[str, int]] = orjson.loads(line.removeprefix(b"data: "))
            return picture
    raise EOFError


async def test_the_page_and_its_parts(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url:
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
        for path, kind in (("/", "text/html"), ("/static/page.js", "text/javascript"), ("/static/page.css", "text/css")):
            async with http.get(url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert "Access-Control-Allow-Origin" not in answer.headers
        for path in ("/nothing", "/static/nothing.js", "/static/../server.py", "/static/%2e%2e/server.py", "/docs"):
            async with http.get(url + path) as answer:
                assert answer.status == 404
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_fetches_nothing_from_elsewhere_and_has_nothing_inline(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url:
        async with http.get(url) as answer:
            page = await answer.text()
        texts = [page]
        for path in (paths := re.findall(r'(?:src|href)="([^"#]+)"', page)):
            assert path.startswith(("/static/", "/picture")), path
            async with http.get(url + path) as answer:
                assert answer.status == 200
                texts.append(await answer.text())
    assert len(paths) >= 3
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page)
    for text in texts:
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"']+", text)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


async def test_the_picture_is_what_was_painted(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url, http.get(f"{url}/picture") as answer:
        assert (answer.content_type, answer.headers["Cache-Control"]) == ("application/json", "no-store")
        expected = replace(PICTURE, gateway=replace(PICTURE.gateway, read=1))
        assert await answer.json() == orjson.loads(orjson.dumps(expected))


async def test_the_stream_gives_pictures_at_most_one_a_second_painted_once_for_all(http: aiohttp.ClientSession) -> None:
    easel = Easel()
    async with serve(easel.paint, past, "127.0.0.1", 0) as url, AsyncExitStack() as stack:
        assert easel.painted == 0
        began_s = time.monotonic()
        streams = [await stack.enter_async_context(http.get(f"{url}/stream")) for _ in range(5)]
        assert streams[0].content_type == "text/event-stream"
        numbers = []
        for _ in range(3):
            pictures = await asyncio.gather(*(next_picture(stream) for stream in streams))
            numbers.append([picture["gateway"]["read"] for picture in pictures])
        for _ in range(20):
            async with http.get(f"{url}/picture") as answer:
                assert answer.status == 200
    assert all(before < after for pair in pairwise(numbers) for before, after in zip(*pair, strict=True))
    assert easel.painted <= 1 + time.monotonic() - began_s, "five who look, and twenty who ask"


async def test_nothing_is_painted_once_nobody_looks(http: aiohttp.ClientSession) -> None:
    easel = Easel()
    async with serve(easel.paint, past, "127.0.0.1", 0) as url, lateness() as late:
        async with http.get(f"{url}/stream") as stream:
            await next_picture(stream)
        async with http.get(f"{url}/stream") as stream:  # tells when the time for a second picture has come
            await next_picture(stream)
            await next_picture(stream)
        painted = easel.painted
    assert 2 <= painted <= 2 + late.sum_s, "where the machine stood still a second one may be due for the second stream"


async def test_it_stops_promptly_though_browsers_look_and_one_reads_nothing(http: aiohttp.ClientSession) -> None:
    huge = replace(PICTURE, events=(EventPicture(AT, "", "info", "x" * 4_000_000),))
    async with AsyncExitStack() as stack:
        async with serve(lambda: huge, past, "127.0.0.1", port := free_port()) as url:
            streams = [await stack.enter_async_context(http.get(f"{url}/stream")) for _ in range(3)]
            idle = await asyncio.open_connection("127.0.0.1", port)
            deaf = socket.create_connection(("127.0.0.1", port))
            stack.callback(deaf.close)
            deaf.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.gather(*(stream.content.readexactly(100) for stream in streams))
            late = await stack.enter_async_context(lateness())
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 3.0 + late.sum_s
        idle[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_browsers_that_read_see_a_proper_end(http: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        async with serve(Easel().paint, past, "127.0.0.1", 0) as url:
            stream = await stack.enter_async_context(http.get(f"{url}/stream"))
            await next_picture(stream)
            late = await stack.enter_async_context(lateness())
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 1.5 + late.sum_s
        await stream.content.read()  # raises where the end is missing
        assert stream.content.at_eof()


async def test_cancelling_stops_it_too() -> None:
    serving, port = asyncio.Event(), free_port()

    async def run() -> None:
        async with serve(Easel().paint, past, "127.0.0.1", port):
            serving.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await serving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_what_ends_the_context_comes_out_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve(Easel().paint, past, "127.0.0.1", 0):
            raise ZeroDivisionError


async def test_a_server_that_ends_by_itself_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def ticks(*_: object) -> bool:
        asyncio.get_running_loop().call_later(0.01, ended.set)
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(uvicorn.Server, "on_tick", ticks)
    with capture_logs() as logs, pytest.raises(ZeroDivisionError):
        async with serve(Easel().paint, past, "127.0.0.1", 0):
            await ended.wait()
            assert [log["cause"] for log in logs] == ["ZeroDivisionError('a bug')"]


async def test_signals_stay_the_daemons(http: aiohttp.ClientSession) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url, http.get(url):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PageError, match=rf"127\.0\.0\.1:{port}: Address already in use; choose another") as caught:
            async with serve(Easel().paint, past, "127.0.0.1", port):
                pass
    assert isinstance(caught.value, OSError)


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(PageError, match=r"192\.0\.2\.1:8480: Cannot assign"):
        async with serve(Easel().paint, past, "192.0.2.1", 8480):
            pass


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("LOCALHOST:8480", 200),
        ("[::1]:9", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
        ("", 421),
    ],
)
async def test_a_loopback_page_answers_to_its_own_names_only(http: aiohttp.ClientSession, host: str, status: int) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url:
        for path in ("/", "/picture", "/health"):
            async with http.get(url + path, headers={"Host": host}) as answer:
                assert answer.status == status


async def test_a_page_for_the_plant_answers_to_any_name(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "0.0.0.0", 0) as url:
        local = f"http://127.0.0.1:{url.rsplit(':', 1)[1]}/health"
        async with http.get(local, headers={"Host": "gateway-7.plant"}) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_it_is_read_only(http: aiohttp.ClientSession, method: str) -> None:
    easel = Easel()
    async with serve(easel.paint, past, "127.0.0.1", 0) as url:
        for path in ("/", "/picture", "/stream", "/health"):
            async with http.request(method, url + path) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert easel.painted == 0


async def test_browsers_are_bounded_and_one_that_left_makes_room(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(http.get(f"{url}/stream")) for _ in range(MOST_CLIENTS)]
        assert {stream.status for stream in streams} == {200}
        async with http.get(f"{url}/stream") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        async with http.get(f"{url}/picture") as answer:
            assert answer.status == 200
        streams[0].close()
        async with asyncio.timeout(60):
            while True:
                async with http.get(f"{url}/stream") as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.02)


async def test_a_picture_that_fails_is_told_and_the_stream_goes_on(http: aiohttp.ClientSession) -> None:
    easel = Easel(fault=ZeroDivisionError("a defect"))
    async with serve(easel.paint, past, "127.0.0.1", 0) as url:
        async with http.get(f"{url}/picture") as answer:
            assert (answer.status, "can't be painted" in await answer.text()) == (500, True)
        async with http.get(f"{url}/health") as answer:
            assert (answer.status, (await answer.json())["well"]) == (503, False)
        async with http.get(f"{url}/stream") as stream:
            easel.fault = None
            assert (await next_picture(stream))["gateway"]["read"] >= 2, "the first was the one that failed, perhaps others too"


async def test_health_is_about_the_disk_and_tells_the_rest(http: aiohttp.ClientSession) -> None:
    for disk_fault, status in (("", 200), ("disk full", 503)):
        async with serve(Easel(disk_fault=disk_fault).paint, past, "127.0.0.1", 0) as url, http.get(f"{url}/health") as answer:
            assert answer.status == status
            assert await answer.json() == {
                "well": not disk_fault,
                "fault": disk_fault,
                "time": AT,
                "devices_lost": ["plc-1"],
                "sinks_not_taking": [],
                "open_excursions": 1,
            }


async def test_a_trend_is_served_by_unit_and_tag(http: aiohttp.ClientSession) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url:
        async with http.get(f"{url}/trend", params={"unit": "R-301", "tag": "TT-301A", "seconds": "300"}) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            drawn = await answer.json()
            assert len(drawn["points"]) == 271
            assert drawn["points"][120] is None
        for parameters, status, words in (
            ({"unit": "R-301", "tag": "TT-999"}, 404, "no tag TT-999"),
            ({"unit": "R-301", "tag": "TT-301A", "seconds": "soon"}, 400, "number of seconds"),
            ({"unit": "R-301", "tag": "TT-301A", "seconds": "1e9"}, 400, "at most 14400"),
            ({}, 404, "no tag"),
        ):
            async with http.get(f"{url}/trend", params=parameters) as answer:
                assert (answer.status, words in await answer.text()) == (status, True)


async def test_a_damaged_day_costs_the_trend_only(http: aiohttp.ClientSession) -> None:
    def damaged(_unit: str, _tag: str, _seconds: float) -> Trend:
        raise StoreError("2026-11-23.db is damaged")

    async with serve(Easel().paint, damaged, "127.0.0.1", 0) as url:
        async with http.get(f"{url}/trend") as answer:
            assert (answer.status, await answer.text()) == (500, "2026-11-23.db is damaged\n")
        async with http.get(f"{url}/health") as answer:
            assert answer.status == 200


# ---- a real browser ---------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--window-size=1400,1000",
    "--disable-dev-shm-usage",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium")
ONCE = """new Promise(done => {{
  const look = () => {{ const seen = {expression}; if (seen) done(seen); else setTimeout(look, 20); }};
  look();
}})"""


class Gone(Exception):
    """The page went while something was evaluated in it."""


class Tab:
    """A page of a browser, by its debugging protocol."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire, self._number = wire, 0

    async def call(self, method: str, **parameters: object) -> dict[str, dict[str, object]]:
        self._number += 1
        await self._wire.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._wire.receive_json()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Gone(answer["error"])
                result: dict[str, dict[str, object]] = answer["result"]
                return result

    async def evaluate(self, expression: str) -> object:
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    async def once(self, expression: str) -> object:
        """The value of an expression, once it is true; where a navigation ends the page that was asked, of the next one."""
        while True:
            with suppress(Gone):
                return await self.evaluate(ONCE.format(expression=expression))
            await asyncio.sleep(0.02)


@asynccontextmanager
async def browser(http: aiohttp.ClientSession, profile: Path) -> AsyncIterator[Tab]:
    assert CHROMIUM
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr
    try:
        while b"DevTools listening on" not in (line := await process.stderr.readline()):
            assert line, "the browser ended"
        port = line.split(b":")[2].split(b"/")[0].decode()
        draining = asyncio.create_task(process.stderr.read())
        async with http.ws_connect(await _first_page(http, port), max_msg_size=0) as wire:
            yield Tab(wire)
    finally:
        process.terminate()
        await process.wait()
    await draining


async def _first_page(http: aiohttp.ClientSession, port: str) -> str:
    """Where it is debugged; a browser listens before it has one."""
    while True:
        async with http.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [page["webSocketDebuggerUrl"] for page in await answer.json() if page["type"] == "page"]
        if pages:
            return str(pages[0])
        await asyncio.sleep(0.02)


@needs_chromium
@pytest.mark.parametrize("width", [360, 1920])
async def test_a_browser_shows_the_picture_as_text_only(http: aiohttp.ClientSession, tmp_path: Path, width: int) -> None:
    easel = Easel()
    async with serve(easel.paint, past, "127.0.0.1", 0) as url, browser(http, tmp_path) as tab:
        await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        await tab.call("Page.navigate", url=url)
        await tab.once("document.querySelectorAll('.tags tbody tr').length")
        text = str(await tab.evaluate("document.body.innerText"))
        for words in (
            "Advisory only, not the safety layer", "OUTSIDE PAR", "R-301 TT-301A (CPP)", "Do: Stop the feed.", "DEVICE LOST",
            "70.5", "ACTION", "above PAR 70 °C", "SP 65 · NOR 63 … 67 · PAR 60 … 70", "STALE 1 min 15 s · BadTimeout",
            "Phase Dose · 2 min 05 s", f"Batch {HOSTILE}", "● live", "‼ CRITICAL", f"acknowledged by {HOSTILE}", "Do: Quench.",
            "3 alarms to acknowledge · 2 shelved", "4 more are not shown", "above HH 75 °C",
            "ALARM FLOOD since 08:53:52", "14 calls in the last 10 min (manageable: 2 in 10 min)", "▲ 1 ALERT",
            "TT-301A − TIC-301.SP", "product temperature − temperature setpoint", "NOR -1 … 1 · PAR -2 … 2", "met",
        ):  # fmt: skip
            assert words in text, words
        assert text.lower().count("advisory") == 1, "said twice it is passed over"
        assert await tab.evaluate("document.querySelectorAll('img, iframe, main script, main a').length") == 0
        assert "owned" not in str(await tab.evaluate("document.title"))
        struck = "getComputedStyle(document.querySelector('.quality-stale .figure')).textDecorationLine"
        assert await tab.evaluate(struck) == "line-through"
        assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await tab.once("document.querySelector('#gateway dd').textContent > '1'"), "pictures go on coming"


@needs_chromium
async def test_a_browser_that_lost_the_daemon_says_so_and_finds_it_again(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with serve(Easel().paint, past, "127.0.0.1", port := free_port()) as url:
            tab = await stack.enter_async_context(browser(http, tmp_path))
            await tab.call("Page.navigate", url=url)
            await tab.once("document.querySelectorAll('.tags tbody tr').length")
            assert await tab.evaluate("document.getElementById('lost').hidden")
        banner = str(await tab.once("!document.getElementById('lost').hidden && document.getElementById('lost').innerText"))
        assert re.search(r"CONNECTION LOST\. The values below are OLD: the last picture came \d+ s ago, at 08:53:52 UTC", banner)
        assert await tab.evaluate("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        assert await tab.evaluate("document.getElementById('link').textContent") == "✕ LOST"
        async with serve(Easel().paint, past, "127.0.0.1", port):
            assert await tab.once("document.getElementById('lost').hidden")


@needs_chromium
@pytest.mark.parametrize("width", [360, 1400])
async def test_a_browser_draws_the_trend_of_a_tag(http: aiohttp.ClientSession, tmp_path: Path, width: int) -> None:
    async with serve(Easel().paint, past, "127.0.0.1", 0) as url, browser(http, tmp_path) as tab:
        await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        await tab.call("Page.navigate", url=url)
        await tab.once("document.querySelectorAll('.tags tbody tr').length")
        await tab.evaluate("document.querySelector('.tags button.label').click()")
        path = str(await tab.once("document.querySelector('#trend .line')?.getAttribute('d')"))
        assert path.count("M") == 2, "the line breaks where nothing was read"
        text = str(
            await tab.once(
                "document.getElementById('trend').innerText.includes('NOR') && document.getElementById('trend').innerText"
            )
        )
        for words in (
            "R-301 TT-301A",
            "70.5 °C",
            "lowest 60 °C",
            "limits that hold now, SP 65 · NOR 63 … 67 · PAR 60 … 70",
            "✕ no good value",
        ):
            assert words in text, words
        assert await tab.evaluate("document.querySelectorAll('#trend rect.par, #trend rect.nor').length") == 2
        assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await tab.evaluate("[...document.querySelectorAll('button.label')].find(b => b.textContent === 'NOTE').disabled")
        await tab.evaluate("document.querySelectorAll('#trend-spans button')[0].click()")
        await tab.once("document.querySelector('#trend-spans button').getAttribute('aria-pressed') === 'true'")
        await tab.evaluate("document.getElementById('trend-close').click()")
        assert await tab.evaluate("document.getElementById('trend').hidden")
