"""What is asked at a daemon's desk, what it answers, and how one gets there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from collector.monitor.alarms.states import Happening
from config.common import Model, Number

SOCKET: Final = "alarms.sock"
PATIENCE_S: Final = 20.0
"""Longer than a daemon takes, whose disk hangs."""

Deed = Literal["acknowledge", "shelve", "unshelve", "reset", "take_out", "put_back"]
DEEDS: Final[Mapping[Deed, Happening]] = {
    "acknowledge": Happening.ACKNOWLEDGED,
    "shelve": Happening.SHELVED,
    "unshelve": Happening.UNSHELVED,
    "reset": Happening.RESET,
    "take_out": Happening.TAKEN_OUT,
    "put_back": Happening.PUT_BACK,
}


class Request(Model):
    """What somebody wants."""

    do: Literal["list"] | Deed
    alarms: tuple[str, ...] = ()
    """Ids; with `*`, `?` or `[` all that are like it and with which it can be done."""
    reason: str = ""
    lasts_s: Number | None = None
    """Of a shelf."""


class Answer(Model):
    """What was done, and what was not."""

    said: tuple[str, ...] = ()
    """What was done, and is on the disk."""
    refused: tuple[str, ...] = ()
    """What is not possible now."""
    wrong: str = ""
    """What was asked for fits no alarm."""
    failed: str = ""
    """It was done, and is not known to be on the disk."""
    alarms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By id: all that are not at rest, the most urgent first."""


class NobodyThere(Exception):
    """No daemon runs on the folder, or it does not answer; the text says which."""


@contextmanager
def at_folder(data: Path) -> Iterator[str]:
    """A short path of a folder: that of a socket may have 107 bytes only."""
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def ask(data: Path, request: Request) -> Answer:
    """What the daemon of the folder answers; blocking. Raises NobodyThere."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, at_folder(data) as folder:
            connection.settimeout(PATIENCE_S)
            connection.connect(f"{folder}/{SOCKET}")
            return _talk(connection, request, data)
    except PermissionError:
        raise NobodyThere(f"{data / SOCKET}: only the user of the daemon may open it; try sudo -u with that user") from None
    except OSError as exc:
        raise NobodyThere(
            f"no daemon runs on {data} ({exc.strerror or exc}); name its folder with --data, or start it: reactorwatch run"
        ) from None


def _talk(connection: socket.socket, request: Request, data: Path) -> Answer:
    try:
        connection.sendall(request.model_dump_json().encode() + b"\n")
        with connection.makefile("rb") as stream:
            return Answer.model_validate_json(stream.readline())
    except TimeoutError:
        fault = f"does not answer within {PATIENCE_S:g} s"
    except (OSError, ValidationError):
        fault = "ended before it answered"
    raise NobodyThere(f"the daemon of {data} {fault}: see with alarms list what was done")
