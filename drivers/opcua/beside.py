"""What runs beside a session for as long as it lasts. None of it ends without a word, or values would go stale and
nobody be told why.

    work ── returns ─────────────────────────────────> nothing: it has done all it had to
         ── raises, or is cancelled by nobody here ──> `fail`: the session ends, and the endpoint connects again
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from drivers.base import DeviceError, Status

Work = Callable[[], Awaitable[None]]
Fail = Callable[[DeviceError], None]

_log = structlog.get_logger()


@asynccontextmanager
async def beside(works: Sequence[Work], place: str, fail: Fail) -> AsyncIterator[None]:
    """Run `works`, each in a task, until the context ends; `fail` is told at once of what ended one, a defect of ours too."""
    tasks = [asyncio.create_task(_never_in_silence(work, place, fail)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _never_in_silence(work: Work, place: str, fail: Fail) -> None:
    try:
        await work()
    except DeviceError as exc:
        fail(exc)
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        fail(_defect(exc, place))
    except Exception as exc:  # noqa: BLE001  the edge of a task
        fail(_defect(exc, place))


def _defect(exc: BaseException, place: str) -> DeviceError:
    _log.error("a defect ended the session, please report it", server=place, exc_info=exc)
    text = f"{place}: the session was given up on this side ({type(exc).__name__}: {exc!s:.200}): a defect, please report it"
    return DeviceError(text, status=Status.BAD_COMMUNICATION_ERROR)
