"""Whether the disk takes commits: told on the edge, as an event and in the log."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import structlog

from collector.terms import Event, EventKind
from drivers.base import Clock

log = structlog.get_logger()

STALL_S = 2.0
"""A commit that takes longer is told: the disk stalls."""


class DiskState(StrEnum):
    """Whether the disk takes commits."""

    TAKES = "takes"
    REFUSES = "refuses"
    STALLS = "stalls"


class Disk:
    """How the disk stands, by the commits that ended and those that don't."""

    def __init__(self, tell: Callable[[Event], None], clock: Clock) -> None:
        self._tell, self._clock = tell, clock
        self.state, self.cause = DiskState.TAKES, ""

    def takes(self) -> None:
        """A commit has ended well."""
        if self.state is not DiskState.TAKES:
            log.info("journal takes scans again")
            self._enter(DiskState.TAKES, "")

    def refuses(self, cause: str) -> None:
        """A commit was refused. The newest cause is kept."""
        if self.state is not DiskState.REFUSES:
            log.error("journal can't be written; scans are kept in memory", cause=cause)
        self._enter(DiskState.REFUSES, cause)

    def stalls(self) -> None:
        """A commit has not returned for `STALL_S`. A disk that refused before still does, for all that is known."""
        cause = f"a commit has not returned for {STALL_S:g} s"
        if self.state is DiskState.TAKES:
            log.error("journal stalls; scans are kept in memory", cause=cause)
            self._enter(DiskState.STALLS, cause)

    def _enter(self, state: DiskState, cause: str) -> None:
        before, self.state, self.cause = self.state, state, cause
        if state is not before:
            self._tell(Event(EventKind.DISK, self._clock.now_ns(), body={"state": state.value, "cause": cause}))
