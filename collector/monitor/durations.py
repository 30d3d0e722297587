"""How long phases take: a limit on the duration of a phase, told while it runs too long, or when it ended too early.

    PAR [1800, 3600] s      Hold ├──────────────────────────────────┼──────────┤
                                 began              PAR high: outside          ended: that rule ends
                            Hold ├──────────┤
                                 began      PAR low: outside, with what it lasted, and ended

Time is that of the slots of the unit's scans, lost ones too: a phase goes on while nobody can read it. Where nobody saw a phase
begin, it is taken to have begun with the first scan: it may last too long for sure, and is never said to be too short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from collector.monitor.limits import holding, levels_of
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import Transition
from collector.terms import Event, EventKind, Json, Stamp
from config.limit_statistics import DURATION
from config.limits import Limit

GROUP = "phases"
"""In events of kind `accumulated`, in place of a scan group."""
TOLD_EACH_NS = 60_000_000_000
_NEVER = 1 << 62
Level = tuple[str, float]
"""(rule, seconds)."""


@dataclass(slots=True)
class _Running:
    """A phase of a unit; none while its name is empty."""

    stamp: Stamp
    begin_ns: int
    seen: bool
    """To begin."""
    row: Limit | None = None
    longest: list[Level] = field(default_factory=list)
    """Not left yet, the shortest first."""
    left: list[Level] = field(default_factory=list)

    @property
    def due_ns(self) -> int:
        """Beyond this slot the next one is left."""
        return self.begin_ns + round(self.longest[0][1] * 1e9) if self.longest else _NEVER


class PhaseDurations:
    """Of all units."""

    def __init__(
        self,
        limits: Iterable[Limit],
        before: Iterable[OutsideBefore] = (),
        accumulated: Iterable[Event] = (),
        *,
        from_begin: bool = False,
    ) -> None:
        """`before`, `accumulated`: what the run before left outside, and when its phases began; of other limits too.
        `from_begin`: a phase begins with the first scan."""
        self._limits = [limit for limit in limits if limit.statistic == DURATION]
        self._from_begin = from_begin
        self._before = [each for each in before if each.statistic == DURATION] if self._limits else []
        self._resumed = dict(_begun(accumulated)) if self._limits else {}
        self._units: dict[str, _Running] = {}
        self._told_slot: dict[str, int] = {}
        self._newest_ns = 0
        self.held: set[Limit] = set()
        """The rows that held at some time."""

    def judge(self, slot_ns: int, units: Sequence[str], stamps: Sequence[Stamp]) -> list[Event]:
        """Everything that changes with a scan of some units; called for every scan of every group."""
        if not self._limits:
            return []
        self._newest_ns = slot_ns = max(slot_ns, self._newest_ns)
        events = []
        for unit, stamp in zip(units, stamps, strict=True):
            running = self._units.get(unit)
            if running is None or running.stamp != stamp:
                running, told = self._changed(slot_ns, unit, running, stamp)
                events += told
            if slot_ns > running.due_ns:
                events += self._left(slot_ns, unit, running)
            events += self._remember(slot_ns, unit)
        return events

    def _changed(self, slot_ns: int, unit: str, running: _Running | None, stamp: Stamp) -> tuple[_Running, list[Event]]:
        """Another phase, or the same in another context: what ended, and what runs."""
        events: list[Event] = []
        first = running is None
        if running is None and (resumed := self._resumed.pop(unit, None)):
            running = resumed
            self._hold(unit, running)
        if running is None:
            running = _Running(stamp, slot_ns, self._from_begin)
        elif not _is_same(running.stamp, stamp):
            events = self._ended(slot_ns, unit, running)
            running = _Running(stamp, slot_ns, not first)
            self._told_slot.pop(unit, None)
        running.stamp = stamp
        self._hold(unit, running)
        events += self._over(slot_ns, unit, running)
        self._units[unit] = running
        return running, events + (self._resume(slot_ns, unit, running) if first else [])

    def _hold(self, unit: str, running: _Running) -> None:
        """The row for what runs now."""
        running.row = holding(self._limits, unit, running.stamp) if running.stamp.phase else None
        if running.row:
            self.held.add(running.row)
        running.longest = sorted((level for level in _levels(running.row, "high") if level not in running.left), key=_seconds)

    def _over(self, slot_ns: int, unit: str, running: _Running) -> list[Event]:
        """Rules that were left, and that the row that holds now does not have."""
        there = _levels(running.row, "high")
        gone = [level for level in running.left if level not in there]
        running.left = [level for level in running.left if level in there]
        return [self._told(slot_ns, unit, running, level, "outside", "ended", None) for level in gone]

    def _resume(self, slot_ns: int, unit: str, running: _Running) -> list[Event]:
        """What the run before left outside is told again where it still is, which `judge` does; else that it ended."""
        left = [each for each in self._before if each.unit == unit]
        still = {level for level in running.longest if slot_ns - running.begin_ns > round(level[1] * 1e9)}
        return [
            Transition(
                slot_ns, unit, each.role, DURATION, None, each.rule, "outside", "ended", None, each.level, each.cpp
            ).event(running.stamp)
            for each in left
            if (each.rule, each.level) not in still
        ]  # fmt: skip

    def _left(self, slot_ns: int, unit: str, running: _Running) -> list[Event]:
        events = []
        while slot_ns > running.due_ns:
            level = running.longest.pop(0)
            running.left.append(level)
            lasted_s = (slot_ns - running.begin_ns) / 1e9
            events.append(self._told(slot_ns, unit, running, level, "inside", "outside", lasted_s))
        return events

    def _ended(self, slot_ns: int, unit: str, running: _Running) -> list[Event]:
        """A phase is over: it was too short, and what it exceeded holds no more."""
        lasted_s = (slot_ns - running.begin_ns) / 1e9
        events = [self._told(slot_ns, unit, running, level, "outside", "ended", None) for level in running.left]
        short = [level for level in _levels(running.row, "low") if running.seen and lasted_s < level[1]]
        for level in short:
            events.append(self._told(slot_ns, unit, running, level, "inside", "outside", lasted_s))
            events.append(self._told(slot_ns, unit, running, level, "outside", "ended", None))
        return events

    def close(self, slot_ns: int) -> list[Event]:
        """End what is outside, when the daemon stops."""
        units = self._units.items()
        events = [self._told(slot_ns, unit, each, level, "outside", "ended", None) for unit, each in units for level in each.left]
        self._units.clear()
        return events

    def _told(
        self, slot_ns: int, unit: str, running: _Running, level: Level, before: str, after: str, lasted_s: float | None
    ) -> Event:
        cpp = running.row.cpp if running.row else False
        told = Transition(slot_ns, unit, "phase", DURATION, None, level[0], before, after, lasted_s, level[1], cpp)
        return told.event(running.stamp)

    def _remember(self, slot_ns: int, unit: str) -> list[Event]:
        slot = slot_ns // TOLD_EACH_NS
        if self._told_slot.get(unit) == slot:
            return []
        self._told_slot[unit] = slot
        return [self._event(unit)]

    @property
    def accumulated(self) -> list[Event]:
        """When the phases began that run, for one that goes on."""
        return [self._event(unit) for unit in self._units]

    def _event(self, unit: str) -> Event:
        running = self._units[unit]
        lasted_s = (self._newest_ns - running.begin_ns) / 1e9 if running.stamp.phase else None
        begin_ns: list[Json] = [running.begin_ns]
        figures: dict[str, Json] = {"roles": ["phase"], "value": [lasted_s], "begin_ns": begin_ns, "seen": [int(running.seen)]}
        body: dict[str, Json] = {"endpoint": "", "device": "", "group": GROUP, "figures": {DURATION: figures}}
        return Event(EventKind.ACCUMULATED, self._newest_ns, unit, running.stamp, body)


def _is_same(one: Stamp, other: Stamp) -> bool:
    return (one.batch, one.phase) == (other.batch, other.phase)


def _seconds(level: Level) -> float:
    return level[1]


def _levels(row: Limit | None, side: str) -> list[Level]:
    """On one side."""
    return [(name, level) for name, of, level in levels_of(row) if of == side] if row else []


def _begun(events: Iterable[Event]) -> Iterable[tuple[str, _Running]]:
    """(unit, phase) of each that was told."""
    for event in events:
        figures = event.body.get("figures")
        told = figures.get(DURATION) if isinstance(figures, dict) else None
        if isinstance(told, dict):
            begin, seen = told.get("begin_ns"), told.get("seen")
            if isinstance(begin, list) and isinstance(seen, list) and isinstance(begin[0], int):
                yield event.unit, _Running(event.stamp, begin[0], bool(seen[0]))
