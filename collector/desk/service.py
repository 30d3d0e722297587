"""The desk of a running daemon: where people on this machine do something with alarms.

A Unix socket in the data folder that only its owner may open. A connection carries one request and its answer, a line of
JSON each. Who asks is told by the kernel (SO_PEERCRED), never by the request. What was done is on the disk before the answer
says so; what is not there in time is told as that.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

import structlog
from pydantic import ValidationError

from collector.desk.messages import DEEDS, SOCKET, Answer, Request, at_folder
from collector.monitor.alarms.alarm import AlarmKey
from collector.monitor.alarms.alarms import Command, Refused
from collector.monitor.alarms.states import TRANSITIONS, Happening, State
from collector.recorder import Recorder
from collector.show.alarm_list import facts_by_id
from collector.terms import Event

log = structlog.get_logger()

LONGEST_REQUEST = 65536
READ_S = 5.0
"""The longest that a request may take to come, and an answer to go."""
DURABLE_S = 8.0
"""The longest that the disk is waited for."""
_CREDENTIALS = struct.Struct("3i")


class Desk:
    """Of one daemon, which holds the data folder."""

    def __init__(self, data: Path, recorder: Recorder) -> None:
        self._data, self._recorder = data, recorder
        self._visits: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled. Where that is not possible it is told, and collecting goes on."""
        try:
            with _listening(self._data) as listener:
                server = await asyncio.start_unix_server(self._visit, sock=listener, limit=LONGEST_REQUEST)
                try:
                    await asyncio.Event().wait()
                finally:
                    server.close()
                    await self._send_away()
        except OSError as exc:
            log.error("no alarm can be acknowledged by command", socket=str(self._data / SOCKET), cause=str(exc))
            await asyncio.Event().wait()

    async def _send_away(self) -> None:
        for visit in self._visits:
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._visits.add(task)
        try:
            async with asyncio.timeout(READ_S):
                line = await reader.readuntil(b"\n")
            answer = await self._answer(line, writer.get_extra_info("socket"))
            async with asyncio.timeout(READ_S):
                writer.write(answer.model_dump_json().encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            log.info("somebody at the desk is gone", cause=repr(exc))
        finally:
            self._visits.discard(task)
            writer.close()

    async def _answer(self, line: bytes, peer: socket.socket) -> Answer:
        _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid not in (0, os.geteuid()):
            return Answer(wrong="only the user of the daemon may do that")
        try:
            request = Request.model_validate_json(line)
        except ValidationError:
            return Answer(wrong="that is no request: is the command of another version?")
        return await self.do(request, _user(uid))

    async def do(self, request: Request, by: str) -> Answer:
        """What `by` asks for."""
        if request.do == "list":
            return self._now()
        what = DEEDS[request.do]
        keys = sorted(self._meant(request.alarms, what), key=lambda key: key.id)
        if unknown := [text for text in request.alarms if not _is_pattern(text) and text not in {key.id for key in keys}]:
            return self._now(wrong=f"no limit of the plant file raises {', '.join(unknown)}")
        if not keys:
            return self._now(wrong=f"none of the alarms that {' '.join(request.alarms)} stands for can be {what.value} now")
        refused: list[str] = []
        writing: list[asyncio.Future[Event]] = []
        for key in keys:
            try:
                writing.append(self._recorder.command(Command(what, key, by, request.reason, request.lasts_s)))
            except Refused as exc:
                refused.append(str(exc))
        return await self._written(writing, refused)

    async def _written(self, writing: list[asyncio.Future[Event]], refused: list[str]) -> Answer:
        done, late = await asyncio.wait(writing, timeout=DURABLE_S) if writing else (set[asyncio.Future[Event]](), set())
        for future in late:
            future.cancel()
        said = [_in_words(future.result()) for future in writing if future in done and not future.cancelled()]
        failed = ""
        if late:
            disk = self._recorder.disk_fault or "the disk has not taken it in time"
            failed = f"{len(late)} of {len(writing)} done, but not yet on the disk: {disk}"
        return self._now(said=tuple(said), refused=tuple(refused), failed=failed)

    def _meant(self, texts: Iterable[str], what: Happening) -> Iterator[AlarmKey]:
        """Ids as they stand; of those with `*`, `?` or `[`, the alarms with which that can be done now."""
        patterns, alarms = list(texts), self._recorder.alarms
        for key in alarms.keys:
            state = alarms.now[key].state if key in alarms.now else State.A
            possible = (state, what) in TRANSITIONS
            if key.id in patterns or (possible and any(_is_pattern(text) and fnmatchcase(key.id, text) for text in patterns)):
                yield key

    def _now(self, said: tuple[str, ...] = (), refused: tuple[str, ...] = (), wrong: str = "", failed: str = "") -> Answer:
        alarms = facts_by_id(self._recorder.alarms.now.values())
        return Answer(said=said, refused=refused, wrong=wrong, failed=failed, alarms=alarms)


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _in_words(event: Event) -> str:
    body = event.body
    key = AlarmKey.of_body(event.unit, body)
    return f"{key.id} {body['happening']} by {body['by']}: it is {body['to']}"


@contextmanager
def _listening(data: Path) -> Iterator[socket.socket]:
    """The socket, under its name; what a daemon that was killed has left is replaced. Raises OSError."""
    path = data / SOCKET
    with socket.socket(socket.AF_UNIX) as listener, at_folder(data) as folder:
        with suppress(FileNotFoundError):
            path.unlink()
        os.fchmod(listener.fileno(), 0o600)  # before it has a name: nobody else can open it meanwhile
        listener.bind(f"{folder}/{SOCKET}")
        listener.setblocking(False)
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
