"""The guard around asyncua: deadlines, cancellation, one family of errors."""

from __future__ import annotations

import asyncio
import socket

import pytest
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from drivers.base import DeviceError, Status
from drivers.opcua.faults import guarded, status_name


def with_code(code: int) -> Exception:
    return UaStatusCodeError(code)  # type: ignore[no-untyped-call]


async def endless() -> None:
    await asyncio.Event().wait()


async def swallows() -> None:
    """As asyncio.wait_for of Python 3.11 does when the result comes with the cancellation."""
    try:
        await endless()
    except asyncio.CancelledError:
        return


async def renames() -> None:
    try:
        await endless()
    except asyncio.CancelledError as exc:
        raise OSError("request cancelled outside the library") from exc


class OfItsOwn(asyncio.CancelledError):
    """As wait_for2 raises, which asyncua takes on Python 3.11, when the result comes with the cancellation."""


async def of_its_own() -> None:
    try:
        await endless()
    except asyncio.CancelledError as exc:
        raise OfItsOwn from exc


LIBRARIES = [endless, swallows, renames, of_its_own]


@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_deadline_is_a_deadline(library: object) -> None:
    assert callable(library)
    with pytest.raises(DeviceError, match=r"^south: reading: no answer within 0.01 s") as error:
        async with guarded("south", "reading", 0.01):
            await library()
    assert error.value.status == Status.BAD_TIMEOUT
    assert error.value.connection_lost
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_cancellation_cancels(library: object) -> None:
    assert callable(library)
    began = asyncio.Event()

    async def work() -> None:
        async with guarded("south", "reading", 60) as honour:
            began.set()
            await library()
            honour()
            pytest.fail("it goes on after it was cancelled")

    task = asyncio.create_task(work())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_what_is_done_while_being_cancelled_is_guarded_too() -> None:
    """The way out closes the session: that has a deadline of its own, and is not cut off by the cancellation it follows."""
    closed: list[str] = []

    async def work() -> None:
        try:
            await endless()
        finally:
            async with guarded("south", "closing", 60):
                await asyncio.sleep(0)
                closed.append("politely")
            with pytest.raises(DeviceError):
                async with guarded("south", "closing", 0.01):
                    await endless()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["politely"]


@pytest.mark.parametrize(
    ("raised", "status", "lost", "text"),
    [
        (TimeoutError(), Status.BAD_TIMEOUT, True, "no answer within 9 s"),
        (ConnectionRefusedError(111, "refused"), Status.BAD_NO_COMMUNICATION, True, "is the server running"),
        (ConnectionError("Connection is closed"), Status.BAD_NO_COMMUNICATION, True, "Connection is closed"),
        (socket.gaierror(-2, "Name or service not known"), Status.BAD_NO_COMMUNICATION, True, "Name or service not known"),
        (with_code(StatusCodes.BadSessionClosed), StatusCodes.BadSessionClosed, True, "BadSessionClosed"),
        (with_code(StatusCodes.BadTooManyOperations), StatusCodes.BadTooManyOperations, False, "BadTooManyOperations"),
        (with_code(0x80FE0000), 0x80FE0000, True, "Bad"),
        (UaError("No matching endpoints"), Status.BAD_COMMUNICATION_ERROR, True, "No matching endpoints"),
        (ValueError("87 is not a valid NodeIdType"), Status.BAD_COMMUNICATION_ERROR, True, "not a valid NodeIdType"),
    ],
)
async def test_whatever_is_raised_becomes_a_device_error(raised: Exception, status: int, lost: bool, text: str) -> None:
    with pytest.raises(DeviceError, match=text) as error:
        async with guarded("south (opc.tcp://plc:4840)", "reading south/plc/main", 9):
            raise raised
    assert str(error.value).startswith("south (opc.tcp://plc:4840): reading south/plc/main: ")
    assert error.value.status == status
    assert error.value.connection_lost is lost
    assert error.value.__cause__ is raised


def test_status_names() -> None:
    assert status_name(StatusCodes.BadNodeIdUnknown) == "BadNodeIdUnknown"
    assert status_name(0) == "Good"
    assert status_name(0x80FE0000) == "Bad 0x80FE0000"
