"""Upsets by command: a running simulator listens on a unix socket that only its owner may open.

A connection carries one request and its answer, a line of JSON each. Without a path of its own the socket lies in a
private folder of the user, so that `reactorwatch upset` finds the simulators that run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

import structlog
from pydantic import ValidationError

from config.common import Model, Number
from simulators.board import Board
from simulators.live import Live
from simulators.source import SimulationError
from simulators.spans import span_text
from simulators.upset import Upset

_log = structlog.get_logger()
_LONGEST = 4096
_PATIENCE_S = 5.0
_PATH_BYTES = 107
"""Longest path that the system takes for a socket."""


class Request(Model):
    """What a simulator is asked for."""

    do: Literal["begin", "end", "list"]
    kind: str = ""
    target: str = ""
    value: Number | str | None = None
    lasts_s: Number | None = None


class ActiveUpset(Model):
    """An upset that goes on, as it is listed."""

    kind: str
    target: str
    value: Number | str | None
    begun_s: int
    ends_s: float | None
    by: str


class Answer(Model):
    """What a simulator answers: what it did, or why it did not."""

    said: str = ""
    wrong: str = ""
    """The request does not fit the plant."""
    failed: str = ""
    """It fits and could not be done now."""
    plant_s: int = 0
    speed: float = 1.0
    active: tuple[ActiveUpset, ...] = ()


class Control:
    """Listens while its context is open, at `path`. Raises SimulationError where it cannot."""

    def __init__(self, board: Board, live: Live, speed: float, path: Path | None = None) -> None:
        self._board, self._live, self._speed = board, live, speed
        self._given = path
        self.path = Path()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.path = self._given.absolute() if self._given else private_folder() / f"simulator-{os.getpid()}.sock"
        if len(os.fsencode(self.path)) > _PATH_BYTES:
            raise SimulationError(
                f"{self.path}: too long for a socket, {_PATH_BYTES} bytes are the most; give a shorter --control"
            )
        if answers(self.path):
            raise SimulationError(f"{self.path}: another simulator listens there; give another --control, or none")
        with _only_for_the_owner(), _told(self.path):
            self._server = await asyncio.start_unix_server(self._serve, self.path, limit=_LONGEST)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        with suppress(FileNotFoundError):
            self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readuntil(b"\n")
                writer.write(self.answer(line).model_dump_json().encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            _log.info("nobody to answer on the control socket", cause=repr(exc))
        finally:
            self._tasks.discard(task)
            writer.close()

    def answer(self, line: bytes) -> Answer:
        """Do what is asked."""
        self._live.refresh()
        try:
            request = Request.model_validate_json(line)
        except ValidationError:
            return self._now(wrong="that is no request: is the command of another version?")
        if request.do == "list":
            return self._now()
        upset = Upset(request.kind, request.target, request.value, request.lasts_s)
        try:
            if request.do == "begin":
                self._board.targets.check(upset)
        except SimulationError as exc:
            return self._now(wrong=str(exc))
        try:
            return self._now(said=self._begin(upset) if request.do == "begin" else self._end(upset))
        except SimulationError as exc:
            return self._now(failed=str(exc))

    def _begin(self, upset: Upset) -> str:
        self._board.begin(upset)
        lasts = f", for {span_text(upset.duration_s)}" if upset.duration_s else ""
        return f"{upset} begins at plant time {span_text(self._live.plant_s)}{lasts}"

    def _end(self, upset: Upset) -> str:
        count = self._board.end(upset.kind, upset.target)
        many = f" ({count} of them)" if count > 1 else ""
        return f"{upset.kind} of {upset.target} ends at plant time {span_text(self._live.plant_s)}{many}"

    def _now(self, said: str = "", wrong: str = "", failed: str = "") -> Answer:
        active = tuple(
            ActiveUpset(
                kind=each.upset.kind, target=each.upset.target, value=each.upset.value,
                begun_s=each.begun_s, ends_s=each.ends_s, by=each.by,
            )
            for each in self._board.active
        )  # fmt: skip
        return Answer(said=said, wrong=wrong, failed=failed, plant_s=self._live.plant_s, speed=self._speed, active=active)


def private_folder() -> Path:
    """Where the simulators of this user have their sockets. Raises SimulationError where others may write there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "reactorwatch" if runtime else Path(tempfile.gettempdir()) / f"reactorwatch-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=bool(runtime), exist_ok=True)
        found = folder.lstat()
    except OSError as exc:
        raise SimulationError(f"{folder}: no place for a control socket ({exc.strerror}); give --control PATH") from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SimulationError(f"{folder}: others may use it, so no control socket goes there; remove it, or give --control PATH")
    return folder


def running() -> list[Path]:
    """The sockets of this user's simulators that answer; what dead ones have left is removed."""
    found = []
    for path in sorted(private_folder().glob("simulator-*.sock")):
        if answers(path):
            found.append(path)
        else:
            with suppress(OSError):
                path.unlink()
    return found


def answers(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PATIENCE_S)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def ask(path: Path, request: Request) -> Answer:
    """What the simulator at `path` answers. Raises SimulationError where none does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(request.model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as stream:
                return Answer.model_validate_json(stream.readline())
        except (OSError, ValidationError) as exc:
            raise SimulationError(f"{path}: no simulator answers there ({getattr(exc, 'strerror', None) or exc})") from exc


@contextmanager
def _only_for_the_owner() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise SimulationError(f"{path}: cannot listen there ({exc.strerror}); give another --control") from exc
