"""A small HTTP server on a real socket that answers by a script, and can misbehave in the ways networks do."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

Fault = Literal["", "silence", "deaf", "reset", "cut", "late"]
"""silence: never answers; deaf: does not even read the body; reset: drops the connection in the middle of the body; cut: sends
half an answer, then closes; late: does what `otherwise` does, and answers when the client has gone away."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> bytes:
        """The body, unpacked where it says it is packed."""
        return zlib.decompress(self.body, wbits=31) if self.headers.get("content-encoding") == "gzip" else self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer, or how to misbehave."""

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = ""


Answerer = Callable[[Request], Awaitable[Reply]]


class Peer:
    """Gives the scripted replies in turn, and then always what `otherwise` says."""

    def __init__(self, script: tuple[Reply, ...], otherwise: Answerer) -> None:
        self.script = deque(script)
        self.otherwise = otherwise
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        """Those that got a whole 204."""
        self.url = ""
        self._over = asyncio.Event()
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError):  # the client went away, as it may
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        self._over.set()
        for writer in self._connections:
            writer.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *header_lines = head.strip().split("\r\n")
        method, target, _ = request_line.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in header_lines)}
        scripted = self.script.popleft() if self.script else None
        if scripted and scripted.fault == "reset":
            writer.transport.abort()
            return False
        if scripted and scripted.fault == "deaf":
            await self._over.wait()
            return False
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        url = urlsplit(target)
        request = Request(method, url.path, dict(parse_qsl(url.query)), headers, body)
        self.requests.append(request)
        reply = scripted or await self.otherwise(request)
        if reply.fault == "late":
            await self.otherwise(request)
            await reader.read()
        if reply.status == 204 and not reply.fault:
            self.taken.append(request)
        return await self._answer(reply, writer)

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        if reply.fault == "silence":
            await self._over.wait()
            return False
        length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
        headers = "".join(f"{name}: {value}\r\n" for name, value in {**length, **reply.headers}.items())
        answer = f"HTTP/1.1 {reply.status} Scripted\r\n{headers}\r\n".encode() + reply.body
        writer.write(answer[: len(answer) - 4] if reply.fault == "cut" else answer)
        await writer.drain()
        return reply.fault != "cut"


async def _takes(_: Request) -> Reply:
    return Reply()


@asynccontextmanager
async def scripted(*script: Reply, otherwise: Answerer = _takes) -> AsyncIterator[Peer]:
    """A peer on a free port of loopback."""
    peer = Peer(script, otherwise)
    server = await asyncio.start_server(peer.connected, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        await peer.close()
        await server.wait_closed()
