"""Where asyncua is called: deadlines, cancellation, and one family of errors.

Whatever asyncua raises on a plant's behaviour leaves here as a DeviceError that says what was being done, where, why it
failed and what to do. Three habits of libraries are undone: an await without a deadline, a cancellation that is swallowed
(asyncio.wait_for of Python 3.11, when it meets a result) or comes out as another exception, and one that comes out as a class of
its own (wait_for2, which asyncua takes on Python 3.11): asyncio.timeout would not know it for its own, and let it through.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import cryptography.exceptions
from asyncua.crypto import uacrypto
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from drivers.base import DeviceError, Status

ONLY_THIS_REQUEST = frozenset(
    {
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadRequestTooLarge,
        StatusCodes.BadResponseTooLarge,
        StatusCodes.BadEncodingLimitsExceeded,
        StatusCodes.BadOutOfMemory,
        StatusCodes.BadResourceUnavailable,
        StatusCodes.BadNothingToDo,
    }
)
"""Answers after which session and channel stay in use; after any other a fresh connection is the safe way."""

_LOG_IN = "check user_name and password of the endpoint, and what the server allows them"
_ADVICE = {
    StatusCodes.BadUserAccessDenied: _LOG_IN,
    StatusCodes.BadIdentityTokenRejected: _LOG_IN,
    StatusCodes.BadIdentityTokenInvalid: _LOG_IN,
    StatusCodes.BadTooManySessions: "the server has no session left: close others there, or allow it more",
    StatusCodes.BadTooManyOperations: "the server takes no such request even for one tag: ask its vendor",
    StatusCodes.BadTcpEndpointUrlInvalid: "check the path in the endpoint's url",
}


def status_name(code: int) -> str:
    """`BadNodeIdUnknown`, or the bare number where it has no name."""
    name = get_name_and_doc(code)[0]
    return name if name not in ("Good", "Bad", "Uncertain") or code == 0 else f"{name} 0x{code:08X}"


@asynccontextmanager
async def guarded(place: str, doing: str, timeout_s: float) -> AsyncIterator[Callable[[], None]]:
    """Calls to asyncua inside end within `timeout_s` seconds, raise DeviceError only, and can be cancelled.

    Gives `honour()`, to be called after a library call that may have swallowed a cancellation.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()

    def honour() -> None:
        if task.cancelling() > before:
            raise asyncio.CancelledError

    try:
        async with asyncio.timeout(timeout_s):
            try:
                yield honour
            except asyncio.CancelledError as exc:
                if type(exc) is asyncio.CancelledError:
                    raise
                raise asyncio.CancelledError from exc
            except Exception:
                honour()
                raise
            honour()
    except DeviceError:
        raise
    except Exception as exc:  # asyncua raises nearly anything on what a server should not have sent
        raise device_error(exc, f"{place}: {doing}", timeout_s) from exc


def device_error(exc: Exception, what: str, timeout_s: float) -> DeviceError:
    """What an exception of asyncua means for those who asked."""
    if isinstance(exc, UaStatusCodeError):
        return refused(exc.code, what)
    text, status = _meaning(exc, timeout_s)
    return DeviceError(f"{what}: {text}", status=status)


def _meaning(exc: Exception, timeout_s: float) -> tuple[str, int]:
    match exc:
        case TimeoutError():
            text = f"no answer within {timeout_s:g} s: is the server alive, and timeout_s long enough for it?"
            told = text, Status.BAD_TIMEOUT
        case uacrypto.InvalidSignature() | cryptography.exceptions.InvalidSignature():  # type: ignore[attr-defined]
            text = "what came is not signed with the key of the server's certificate: it is not taken for the server's"
            told = text, int(StatusCodes.BadSecurityChecksFailed)
        case UaError() if "certificate mismatch" in str(exc):
            text = "the certificate of the session is not that of the endpoint: another server answers, or it has just changed"
            told = text, int(StatusCodes.BadCertificateInvalid)
        case ConnectionRefusedError():
            told = "refused: is the server running, and are host and port right?", Status.BAD_NO_COMMUNICATION
        case socket.gaierror():
            text = f"the host name is not known ({exc.strerror}): check the url, or the name service"
            told = text, Status.BAD_NO_COMMUNICATION
        case OSError():
            text = f"the connection failed or was closed ({exc}): see the server's own log, and the network between"
            told = text, Status.BAD_NO_COMMUNICATION
        case _:
            found = f"{type(exc).__name__}: {exc}"
            text = f"the server's answer is not understood ({found}): is it an OPC UA server, and one of the asked-for security?"
            told = text, Status.BAD_COMMUNICATION_ERROR
    return told


def refused(code: int, what: str) -> DeviceError:
    """The server answered a request with a status code instead."""
    name, meaning = get_name_and_doc(code)
    advice = _ADVICE.get(code, "see the server's own log")
    text = f"{what}: the server answers {name} ({meaning}) {advice}"
    return DeviceError(text, status=code, connection_lost=code not in ONLY_THIS_REQUEST)
