"""Local time of a recorded course -> UTC: the hour that comes twice in a year is told apart by the order of the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collector.report.recorded.times import NoTime

Times = NDArray[np.int64]
_HOUR_NS: Final = 3_600_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_utc(wall_ns: Times, is_local: NDArray[np.bool_], zone: ZoneInfo | None) -> Times:
    """Of the rows of one course, in the order in which they were recorded: an hour that comes twice is told apart by that order.
    Raises NoTime where a time never was."""
    if zone is None or not is_local.any():
        return wall_ns
    moments = wall_ns.copy()
    offset_of = _offsets(zone)
    before = -(1 << 62)
    for at in range(len(moments)):
        if is_local[at]:
            earlier, later = (int(wall_ns[at]) - offset_of(int(wall_ns[at]), fold) for fold in (0, 1))
            if later < earlier:
                shown = (_EPOCH + timedelta(seconds=int(wall_ns[at]) // 1_000_000_000)).strftime("%Y-%m-%d %H:%M:%S")
                raise NoTime(at, f"{shown} never was in {zone.key}: the clock was put forward over it; say another --zone")
            moments[at] = later if earlier <= before < later else earlier
        before = int(moments[at])
    return moments


def _offsets(zone: ZoneInfo) -> Callable[[int, int], int]:
    known: dict[tuple[int, int], int] = {}

    def offset(wall_ns: int, fold: int) -> int:
        minute = wall_ns // 60_000_000_000
        if (minute, fold) not in known:
            moment = datetime(1970, 1, 1) + timedelta(minutes=minute)
            span = moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()
            known[minute, fold] = span // timedelta(microseconds=1) * 1_000
        return known[minute, fold]

    return offset


def refuse_an_hour_twice(wall_ns: Times) -> None:
    """Raises NoTime where local time goes back by up to an hour and goes through it again: daylight saving time ends."""
    back = np.flatnonzero(np.diff(wall_ns) < 0) + 1
    for at in back[:2].tolist() if len(back) <= 2 else ():
        step, again = int(wall_ns[at - 1] - wall_ns[at]), np.diff(wall_ns[at : at + 3])
        if _HOUR_NS // 2 <= step <= _HOUR_NS and len(again) == 2 and bool((again > 0).all()):
            what = "local time goes back by up to an hour: the end of daylight saving time? say --zone, e.g. Europe/Zurich"
            raise NoTime(at, f"{what}; --zone UTC puts the rows in the order of time")
