"""The timeline of a scenario, run: at each plant second it begins what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from simulators.board import Board
from simulators.scenario import Entry, Moment
from simulators.source import SimulationError
from simulators.unit import ReactorUnit

_log = structlog.get_logger()


class Script:
    """`second` is to be called for each plant second from 0 on, when all units have reached it."""

    def __init__(self, timeline: Sequence[Entry], board: Board, units: Mapping[str, ReactorUnit]) -> None:
        self._board, self._units = board, units
        fixed = [(entry.at, place, entry) for place, entry in enumerate(timeline) if entry.at is not None]
        self._fixed = [entry for _, _, entry in sorted(fixed, reverse=True, key=lambda each: each[:2])]
        self._in_phases = [(entry, entry.moment) for entry in timeline if entry.moment is not None]
        self._begun_in_batch: dict[int, int] = {}

    def second(self, now_s: int) -> None:
        """What is over ends first, then what is due begins, in the order of the file."""
        self._board.second(now_s)
        while self._fixed and (self._fixed[-1].at or 0.0) <= now_s:
            self._begin(self._fixed.pop())
        for index, (entry, moment) in enumerate(self._in_phases):
            unit = self._units[moment.unit]
            if self._begun_in_batch.get(index) != unit.batch and _is_now(moment, unit):
                self._begun_in_batch[index] = unit.batch
                self._begin(entry)

    def _begin(self, entry: Entry) -> None:
        try:
            self._board.begin(entry.begun, "timeline")
        except SimulationError as exc:
            _log.error("upset failed", kind=entry.upset, target=entry.target, cause=str(exc))


def _is_now(moment: Moment, unit: ReactorUnit) -> bool:
    return unit.phase == moment.phase and unit.phase_s >= moment.after and moment.batch in (None, unit.batch)
