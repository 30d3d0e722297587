"""What one exchange with a sink is: a compressed body, an answer or none, within one deadline."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from concurrent.futures import Executor

import aiohttp

from collector.uplink.sink import Answer, Busy
from config.sinks import Secret, SecretError
from config.sinks import Sink as SinkConfig


def timeout_of(config: SinkConfig) -> aiohttp.ClientTimeout:
    """Of the whole exchange."""
    return aiohttp.ClientTimeout(total=config.timeout_s)


def reveal(sink: str, secret: Secret | None) -> str | None:
    """The secret as a header can carry it. Raises SecretError, which names the sink."""
    if secret is None:
        return None
    try:
        text = secret.reveal()
    except SecretError as exc:
        raise SecretError(f"sink {sink}: {exc}") from None
    if not text.isprintable():
        raise SecretError(f"sink {sink}: the secret has a line feed or another character that no header can carry")
    return text


async def compressed(body: bytes, gzip: Executor) -> bytes:
    """By gzip, off the event loop."""
    return await asyncio.get_running_loop().run_in_executor(gzip, _gzip, body)


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, level=1, wbits=31)


def answer_of(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    """To be judged."""
    return Answer(status, body, headers.get("Retry-After"), headers.get("Date"))


def unreachable(url: str, exc: Exception) -> Busy:
    """No answer, or half of one. A wrong certificate will not right itself."""
    if isinstance(exc, aiohttp.ServerDisconnectedError):  # its text is aiohttp's parser state
        return Busy(f"{url}: it closed the connection before its answer was complete", unanswered=True)
    text = str(exc) or "no answer within the timeout"
    alarm = isinstance(exc, aiohttp.ClientSSLError)
    return Busy(f"{url}: {type(exc).__name__}: {text}", alarm=alarm, unanswered=True)
