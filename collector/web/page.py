"""The page of a daemon. What serves it is loaded only where a plant wants one: that spares 4 MB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from collector.loading import loaded
from collector.show.picture import Picture
from collector.show.trend import Trend
from config.model import Web

log = structlog.get_logger()


class Page:
    """Serves until it is cancelled. Where it can't, that is told and no more: collecting matters more than showing."""

    def __init__(self, web: Web | None, port: int | None) -> None:
        """`port` overrides the plant's."""
        self._web, self._port = web, port
        self.url: str | None = None
        """Once it is served."""

    async def run(self, picture: Callable[[], Picture], past: Callable[[str, str, float], Trend]) -> None:
        """`past` as `server.Past`."""
        if self._web is None:
            return
        serve = await loaded(_server)
        port = self._web.port if self._port is None else self._port
        try:
            async with serve(picture, past, self._web.host, port) as self.url:
                log.info("page", url=self.url)
                await asyncio.Event().wait()
        except OSError as exc:
            log.error("no page", cause=str(exc))


def _server() -> Callable[..., AbstractAsyncContextManager[str]]:
    from collector.web.server import serve  # noqa: PLC0415  see above

    return serve
