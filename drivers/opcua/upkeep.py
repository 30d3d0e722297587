"""What a connection needs while nobody reads: the channel's security token renewed, the session kept alive.

When that fails the socket is closed, and the next read says so: whoever polls is the only one to connect again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from drivers.base import DeviceError
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
    tasks = [asyncio.create_task(_renewing(connection))]
    if fastest_poll_s > KEEP_ALIVE_SHARE * connection.session_timeout_s:
        tasks.append(asyncio.create_task(_keeping_alive(connection)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()  # a bug of ours is not lost with its task


async def _renewing(connection: Connection) -> None:
    await _repeat(connection, lambda: RENEW_SHARE * connection.token_life_s, connection.renew)


async def _keeping_alive(connection: Connection) -> None:
    state = NodeReader(connection, "keeping the session alive", {0: SERVER_STATE}, None)
    await _repeat(connection, lambda: KEEP_ALIVE_SHARE * connection.session_timeout_s, state.answers)


async def _repeat(connection: Connection, pause_s: Callable[[], float], work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(max(pause_s(), _LEAST_PAUSE_S))
        try:
            await work()
        except DeviceError as exc:
            _log.warning("connection given up", reason=str(exc))
            connection.abort()
            return
