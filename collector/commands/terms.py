"""What the commands share: how they fail, how they log, how they are stopped, how they read times."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, TextIO

import structlog
import typer
from rich.console import Console

from collector.store.files import ARCHIVE
from config.load import ConfigError, load_with_warnings
from config.model import Plant

FAILED, WRONG_INPUT = 1, 2
errors = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False, soft_wrap=True)


def wrong_input(text: str) -> NoReturn:
    """Say what is wrong with what was typed, and end."""
    errors.print(text, markup=False, style="red")
    raise typer.Exit(WRONG_INPUT)


def failed(text: str) -> NoReturn:
    """Say what did not work, and end."""
    errors.print(text, markup=False, style="red")
    raise typer.Exit(FAILED)


def expect_record(data: Path) -> None:
    """Ends the command where no daemon ever had this folder."""
    if (data / ARCHIVE).exists():
        wrong_input(f"{data} is an archive, which verify, export and judge read: give the daemon's folder with --data")
    if not (data / "registry.db").is_file():
        wrong_input(f"{data}: no daemon has ever written here; give its folder with --data")


def in_words(exc: Exception) -> str:
    """`values.csv: No space left on device`, without the system's number."""
    if isinstance(exc, OSError) and exc.strerror:
        return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror
    return str(exc)


def faulty(path: Path, exc: ConfigError) -> NoReturn:
    """Say what is wrong with a file, and end."""
    for fault in exc.faults:
        errors.print(str(fault), markup=False)
    wrong_input(f"{len(exc.faults)} fault{'s' if len(exc.faults) != 1 else ''} in {path}")


def counted(number: int, what: str) -> str:
    """`1 tag`, `2 tags`"""
    return f"{number} {what}{'' if number == 1 else 's'}"


def load_plant(path: Path, *, quiet: bool = False, folder: Path | None = None) -> Plant:
    """The plant of a file; its faults are printed and end the command, its warnings are printed."""
    try:
        plant, warnings = load_with_warnings(path, folder)
    except ConfigError as exc:
        faulty(path, exc)
    if not quiet:
        for warning in warnings:
            errors.print(f"warning: {warning}", markup=False, style="yellow")
    return plant


def log_to(stream: TextIO) -> None:
    """structlog as key=value lines on `stream`; what libraries log goes there too, from warnings on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=stream, level=logging.WARNING, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s", force=True
    )
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what matters of its, the driver tells in our words


@dataclass(frozen=True, slots=True)
class Stop:
    """SIGINT or SIGTERM: the first asks to stop, the second to hurry."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self) -> None:
        """As a signal does."""
        (self.hurry if self.asked.is_set() else self.asked).set()


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """For the running event loop."""
    stop, loop = Stop(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


_SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|min|h|d)?")
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """`20s`, `1.5m`, `2h`, `500ms`, or a number of seconds; raises typer.BadParameter."""
    match = _SPAN.fullmatch(text.strip())
    if not match or not float(match["number"]):
        raise typer.BadParameter(f"{text!r} is no span of time: write e.g. 20s, 5m or 2h")
    return float(match["number"]) * _SECONDS[match["unit"]]


def time_ns(text: str) -> int:
    """An ISO time (UTC where it names no zone), `now`, or a span back from now such as `-2h`; raises typer.BadParameter."""
    text = text.strip()
    if text == "now":
        return time.time_ns()
    if text.startswith("-"):
        return time.time_ns() - round(seconds(text[1:]) * 1e9)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write e.g. 2026-11-23T14:00:00Z, 2026-11-23, now, or -2h") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000
