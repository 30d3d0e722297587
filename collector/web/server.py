"""Serves the page: read-only, from this process, with nothing fetched from elsewhere.

    /          the page                      /picture   the newest picture, JSON
    /static/*  its scripts and style         /stream    the newest picture each second, server-sent events
    /health    200 while what is read gets to the disk, 503 while it does not
    /trend     ?unit=R-201&tag=TT-201A&seconds=900: the recent past of one tag, JSON

Invariants: GET only; a picture is painted once for all who look, at most once a second, and not at all while nobody
looks; a browser that is slow or gone costs a socket, never the collector's time; a picture that can't be painted is
logged and missing on the page, and ends nothing else. Trends are read in a thread, one at a time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path

import orjson
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from collector.show.picture import Picture
from collector.show.trend import MOST_SECONDS, NoTrend, Trend
from collector.store.files import StoreError
from collector.web.guard import Guard
from collector.web.stream import MOST_CLIENTS, Newest, Stream

UNREAD_MS = 20_000
"""A browser that takes nothing for so long is cut off, by the kernel."""
STOP_S = 1
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

log = structlog.get_logger()

_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class PageError(OSError):
    """The page can't be served; the text says where, why, and what to do."""


Past = Callable[[str, str, float], Trend]
"""(unit, tag, seconds) -> the trend until now; blocks, and raises NoTrend or StoreError."""


class _Trends:
    """`/trend`: reads the disk in a thread, one trend at a time however many look."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> Response:
        unit, tag = request.query_params.get("unit", ""), request.query_params.get("tag", "")
        seconds = _seconds(request.query_params.get("seconds", "900"))
        if seconds is None:
            wanted = f"seconds is a number of seconds, at most {MOST_SECONDS}\n"
            return PlainTextResponse(wanted, HTTPStatus.BAD_REQUEST)
        try:
            async with self._turn:
                trend = await asyncio.to_thread(self._past, unit, tag, seconds)
        except NoTrend as exc:
            return PlainTextResponse(f"{exc}\n", HTTPStatus.NOT_FOUND)
        except StoreError as exc:
            return PlainTextResponse(f"{exc}\n", HTTPStatus.INTERNAL_SERVER_ERROR)
        return Response(orjson.dumps(trend), media_type="application/json")


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 1 <= seconds <= MOST_SECONDS else None


def application(paint: Callable[[], Picture], past: Past, stopping: asyncio.Event, hosts: frozenset[str] | None) -> ASGIApp:
    """The page as an ASGI application; its streams end when `stopping` is set."""
    newest = Newest(paint)
    files = {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in Path(__file__).with_name("static").iterdir()}

    async def page(_: Request) -> Response:
        return _file("index.html")

    async def static(request: Request) -> Response:
        return _file(request.path_params["name"])

    def _file(name: str) -> Response:
        if name not in files:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        body, media_type = files[name]
        return Response(body, media_type=media_type, headers={"Cache-Control": "no-cache"})

    async def picture(_: Request) -> Response:
        if body := newest.body():
            return Response(body, media_type="application/json")
        return PlainTextResponse("the picture can't be painted; the daemon's log says why\n", HTTPStatus.INTERNAL_SERVER_ERROR)

    async def health(_: Request) -> Response:
        return _health(newest.picture())

    routes = [
        Route("/", page),
        Route("/static/{name}", static),
        Route("/picture", picture),
        Route("/stream", Stream(newest, stopping)),
        Route("/health", health),
        Route("/trend", _Trends(past).__call__),
    ]
    return Guard(Starlette(routes=routes), hosts)


def _health(picture: Picture | None) -> Response:
    """Lost devices and sinks are told, but are the plant's: only the disk, and a picture that fails, make it unwell."""
    if picture is None:
        return Response(b'{"well": false, "fault": "the picture can\'t be painted"}', 503, media_type="application/json")
    fault = picture.gateway.disk_fault
    body = {
        "well": not fault,
        "fault": fault,
        "time": picture.time,
        "devices_lost": [device.name for device in picture.devices if device.answers is False],
        "sinks_not_taking": [sink.name for sink in picture.sinks if not sink.taking],
        "open_excursions": len(picture.excursions),
    }
    return Response(orjson.dumps(body), 503 if fault else 200, media_type="application/json")


class _Server(uvicorn.Server):
    """Leaves signals to the daemon, whose order of stopping it would break."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def abort_connections(self) -> None:
        """Let go of browsers that did not take the end of what they were sent."""
        for connection in list(self.server_state.connections):
            if isinstance(transport := getattr(connection, "transport", None), asyncio.WriteTransport):
                transport.abort()


@asynccontextmanager
async def serve(picture: Callable[[], Picture], past: Past, host: str, port: int) -> AsyncIterator[str]:
    """Serve the page until the context ends; yields its address. Port 0 takes a free one. Raises PageError."""
    listener = await _listen(host, port)
    address, actual_port = listener.getsockname()[:2]
    stopping = asyncio.Event()
    hosts = LOOPBACK_NAMES | {_in_url(address)} if ip_address(address).is_loopback else None
    config = uvicorn.Config(
        application(picture, past, stopping, hosts),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=2 * MOST_CLIENTS,
        timeout_graceful_shutdown=STOP_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]), name="page")
    serving.add_done_callback(lambda ended: None if stopping.is_set() else _tell_end(ended))
    try:
        yield f"http://{_in_url(socket.gethostname() if ip_address(address).is_unspecified else address)}:{actual_port}"
    finally:
        stopping.set()
        server.should_exit = True
        try:
            await serving
        finally:
            server.abort_connections()
            listener.close()


def _tell_end(ended: asyncio.Task[None]) -> None:
    """At once, and not with the end of the daemon, whose collecting goes on."""
    cause = "cancelled" if ended.cancelled() else repr(ended.exception() or "it returned")
    log.error("the page is not served any more: a defect, please report it", cause=cause)


async def _listen(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as exc:
        advice = "choose another `web: {host, port}` in the plant file, or end what listens there"
        raise PageError(f"the page can't be served at {_in_url(host)}:{port}: {exc.strerror or exc}; {advice}") from exc
    listener.setblocking(False)
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
