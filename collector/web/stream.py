"""The newest picture, painted once for all who look, and its stream to their browsers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from http import HTTPStatus

import orjson
import structlog
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from collector.show.picture import Picture

log = structlog.get_logger()

PICTURE_INTERVAL_S = 1.0
PAINTING_SHARE = 0.05
"""The most of a core that painting may take: a plant so large that it takes longer is painted less often."""
LONGEST_INTERVAL_S = 4.0
"""But this often all the same: after 5 s the page takes the stream for lost."""
KEEPALIVE_S = 10.0
MOST_CLIENTS = 50


class Newest:
    """The newest picture, painted when somebody looks."""

    def __init__(self, paint: Callable[[], Picture]) -> None:
        self._paint = paint
        self._picture: Picture | None = None
        self._body = b""
        self._next_s = 0.0
        self._fault = ""

    @property
    def due_in_s(self) -> float:
        """Until there can be a newer one."""
        return max(0.0, self._next_s - time.monotonic())

    def picture(self) -> Picture | None:
        """None while it can't be painted."""
        if self.due_in_s == 0.0:
            began_s, began_cpu_s = time.monotonic(), time.thread_time()
            self._picture = self._painted()
            self._body = orjson.dumps(self._picture) if self._picture else b""
            wait_s = (time.thread_time() - began_cpu_s) / PAINTING_SHARE
            self._next_s = began_s + min(max(PICTURE_INTERVAL_S, wait_s), LONGEST_INTERVAL_S)
        return self._picture

    def body(self) -> bytes:
        """As JSON; empty while it can't be painted."""
        self.picture()
        return self._body

    def _painted(self) -> Picture | None:
        try:
            picture = self._paint()
        except Exception as exc:  # the edge: whatever a picture fails of, collecting goes on
            if self._fault != repr(exc):
                log.exception("picture can't be painted")
            self._fault = repr(exc)
            return None
        self._fault = ""
        return picture


class Stream:
    """`/stream`, for a bounded number of browsers; ends when `stopping` is set."""

    def __init__(self, newest: Newest, stopping: asyncio.Event) -> None:
        self._newest, self._stopping = newest, stopping
        self._clients = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._clients >= MOST_CLIENTS:
            full = f"{MOST_CLIENTS} browsers look at this page already: close one of them\n"
            await PlainTextResponse(full, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "10"})(scope, receive, send)
            return
        self._clients += 1
        try:
            async with asyncio.TaskGroup() as group:
                ends = {group.create_task(self._send_pictures(send)), group.create_task(_disconnected(receive))}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
        finally:
            self._clients -= 1

    async def _send_pictures(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        shown, sent_s = b"", time.monotonic()
        while not self._stopping.is_set():
            body = self._newest.body()
            if body and body is not shown:
                await send(_chunk(b"data: " + body + b"\n\n"))
                shown, sent_s = body, time.monotonic()
            elif time.monotonic() - sent_s >= KEEPALIVE_S:
                await send(_chunk(b": no new picture\n\n"))
                sent_s = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._newest.due_in_s):
                    await self._stopping.wait()
        await send({"type": "http.response.body"})


def _chunk(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
