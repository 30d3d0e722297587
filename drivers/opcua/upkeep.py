"""What a connection needs while nobody reads: the channel's security token renewed, the session kept alive.

When that fails the socket is closed, and the next read says so: whoever polls is the only one to connect again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

from drivers.base import DeviceError
from drivers.opcua.beside import Work, beside
from drivers.opcua.read import SERVER_STATE, NodeReader
from drivers.opcua.wire import Connection

RENEW_SHARE = 0.75
"""Of a security token's life, after which a new one is asked for (part 4, 5.5.2)."""
KEEP_ALIVE_SHARE = 1 / 3
"""Of a session's timeout, within which there must be a request."""
_LEAST_PAUSE_S = 0.05

_log = structlog.get_logger()


@asynccontextmanager
async def kept_up(connection: Connection, fastest_poll_s: float) -> AsyncIterator[None]:
    """Renew the channel, and keep the session alive where the polls are too rare for that."""
    works: list[Work] = [partial(_renewing, connection)]
    if fastest_poll_s > KEEP_ALIVE_SHARE * connection.session_timeout_s:
        works.append(partial(_keeping_alive, connection))

    def give_up(exc: DeviceError) -> None:
        _log.warning("connection given up", reason=str(exc))
        connection.abort(exc)

    async with beside(works, connection.place, give_up):
        yield


async def _renewing(connection: Connection) -> None:
    await _repeat(lambda: RENEW_SHARE * connection.token_life_s, connection.renew)


async def _keeping_alive(connection: Connection) -> None:
    state = NodeReader(connection, "keeping the session alive", {0: SERVER_STATE}, None)
    await _repeat(lambda: KEEP_ALIVE_SHARE * connection.session_timeout_s, state.answers)


async def _repeat(pause_s: Callable[[], float], work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(max(pause_s(), _LEAST_PAUSE_S))
        await work()
