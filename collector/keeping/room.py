"""Looks after the room on the disk: tells before it is short, and gives the reserve back when it is full.

runway = (free room + what keeping by size will free of it) / growth of the journal
short: below the plant file's `runway_h`, told once
full:    a commit was refused for want of room, or next to nothing is free
         -> the reserve is given back: events, acknowledgements and deleting go on
room again: more than twice the reserve is free -> it is made anew
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from collector.store.files import StoreError
from collector.store.reader import Reader
from collector.store.reserve import Reserve, free_bytes, runway_hours
from collector.terms import Event, EventKind, Json
from config.model import Disk
from drivers.base import Clock

log = structlog.get_logger()

INTERVAL_S = 2.0
LOOKS_PER_RATE = 30
"""The journal's growth is looked up less often."""
LOOKS_PER_KEEPING = 150
"""So are the days that may go: each file has to be opened."""
LEAST_FREE_BYTES = 1_000_000
"""With less the disk counts as full, before a commit is refused."""
AGAIN = 1.25
"""No longer short: a runway that much longer than the bound."""
_FULL = ("disk is full", "No space left", "quota exceeded")


class RoomState(StrEnum):
    """What is told of the room."""

    SHORT = "short"
    ENOUGH = "enough"
    GIVEN_BACK = "reserve given back"
    MADE = "reserve made"


@dataclass(frozen=True, slots=True)
class Runway:
    """The room at one look."""

    free_bytes: int = 0
    hours: float | None = None


class Room:
    """Of one data folder."""

    def __init__(
        self,
        data: Path,
        wanted: Disk,
        reader: Reader,
        clock: Clock,
        tell: Callable[[Event], None],
        disk_fault: Callable[[], str],
        to_be_freed: Callable[[int], int] = lambda free_bytes: 0,
        to_archive: Callable[[], int] = lambda: 0,
    ) -> None:
        """`disk_fault`: why commits fail now, empty while they succeed. `to_be_freed`: bytes of the journal that go before a
        disk with so many free is full; `to_archive`: days that stay because they hold gmp data and are in no archive; both
        block."""
        self._data, self._short_h, self._reader, self._clock = data, wanted.runway_h, reader, clock
        self._tell, self._disk_fault, self._to_be_freed = tell, disk_fault, to_be_freed
        self._to_archive, self._days_to_archive = to_archive, 0
        self._reserve = Reserve(data, round(wanted.reserve_mb * 1e6))
        self._rate: float | None = None
        self._looks = 0
        self._freed_bytes = 0
        self._given_back, self._fault = False, ""
        self.runway = Runway()
        self.short = False

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                for state, cause in await asyncio.to_thread(lambda: list(self._look())):
                    self._tell_of(state, cause)
                self._fault = ""
            except (StoreError, sqlite3.Error, OSError) as exc:
                if not self._fault:
                    log.warning("room on the disk can't be looked up", cause=str(exc))
                self._fault = str(exc)
            await asyncio.sleep(INTERVAL_S)

    def state(self) -> dict[str, Json]:
        """For `status`, also when the daemon does not run."""
        return {
            "short": self.short,
            "reserve": self._reserve.held,
            "runway_h": self._short_h,
            "to_be_freed_bytes": self._freed_bytes,
            "days_to_archive": self._days_to_archive,
        }

    def _look(self) -> Iterator[tuple[RoomState, str]]:
        free = free_bytes(self._data)
        yield from self._keep_reserve(free)
        if self._looks % LOOKS_PER_RATE == 0 or self._rate is None:
            self._rate = self._reader.bytes_per_hour()
        room = free - self._reserve.missing_bytes
        if self._looks % LOOKS_PER_KEEPING == 0:
            self._freed_bytes = _counted(lambda: self._to_be_freed(room))
            self._days_to_archive = _counted(self._to_archive)
        self._looks += 1
        self.runway = Runway(free, runway_hours(room + self._freed_bytes, self._rate))
        hours = self.runway.hours
        if hours is not None and not self.short and hours < self._short_h:
            self.short = True
            yield RoomState.SHORT, f"the disk lasts {hours:.1f} h at this rate, less than {self._short_h:g} h{self._remedy()}"
        elif hours is not None and self.short and hours > AGAIN * self._short_h:
            self.short = False
            yield RoomState.ENOUGH, ""

    def _remedy(self) -> str:
        """What lets room be made of days that only an archive lets go."""
        days = self._days_to_archive
        if not days:
            return ""
        told = "1 day with gmp data waits" if days == 1 else f"{days} days with gmp data wait"
        return f"; {told} for `reactorwatch archive FOLDER`, after which keep_days and keep_gb may remove what they say"

    def _keep_reserve(self, free: int) -> Iterator[tuple[RoomState, str]]:
        fault = self._disk_fault()
        full = free < LEAST_FREE_BYTES or any(words in fault for words in _FULL)
        if full and self._reserve.held:
            self._reserve.give_back()
            self._given_back = True
            yield RoomState.GIVEN_BACK, fault or "next to nothing is free on the disk"
        elif not full and free > 2 * self._reserve.missing_bytes > 0 and self._reserve.make() and self._given_back:
            self._given_back = False
            yield RoomState.MADE, ""

    def _tell_of(self, state: RoomState, cause: str) -> None:
        urgent = state in (RoomState.SHORT, RoomState.GIVEN_BACK)
        (log.error if urgent else log.info)("room on the disk", state=state.value, cause=cause)
        body: dict[str, Json] = {
            "state": state.value,
            "cause": cause,
            "runway_hours": self.runway.hours,
            "free_bytes": self.runway.free_bytes,
        }
        self._tell(Event(EventKind.ROOM, self._clock.now_ns(), body=body))


def _counted(count: Callable[[], int]) -> int:
    """0 where a day can't be read: the alarm is then early, not missing."""
    try:
        return count()
    except (StoreError, sqlite3.Error) as exc:
        log.warning("days that may go can't be looked up", cause=str(exc))
        return 0
