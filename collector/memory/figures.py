"""How the figures of limits stood that last longer than a window, when the run before ended: what a start goes on with.

The journal tells: events of kind `accumulated`, once a minute and with the first scan of each group, and the scans behind
them. So it is exact after a kill as well. The scans go before judges of the same limits, which remember and tell nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.monitor.judge import Judge
from collector.monitor.lasting import LASTING, group_of
from collector.monitor.relations import Relations
from collector.store.reader import Reader
from collector.store.rows import EventRow, ScanRow
from collector.terms import Event, EventKind, Stamp
from config.limit_statistics import DURATION
from config.limits import Limit
from drivers.base import Scan

LOOK_BACK_NS = 600_000_000_000
"""Before the newest commit: a group of a shorter period has told within it. A relation finds its operands there."""
ROWS_AT_ONCE = 2_000


def accumulated_before(reader: Reader, limits: Sequence[Limit]) -> list[Event]:
    """As of the journal's last row. Raises StoreError, DamagedRow."""
    lasting = [limit for limit in limits if limit.statistic in (*LASTING, DURATION)]
    last_ns = reader.last_commit_ns() if lasting else None
    if last_ns is None:
        return []
    longest_ns = max((layout.period_ns for layout in reader.layouts()), default=0)
    since_seq = reader.committed_before(last_ns - max(LOOK_BACK_NS, 3 * longest_ns))
    newest: dict[object, EventRow] = {}
    for row in reader.events_after(EventKind.ACCUMULATED, since_seq):
        newest[group_of(row.event)] = row
    if not newest:
        return []
    derived = any(limit.is_derived for limit in lasting)
    after_seq = since_seq if derived else min(row.seq for row in newest.values())
    return _brought_forward(reader, after_seq, limits, [row.event for row in newest.values()])


def _brought_forward(reader: Reader, after_seq: int, limits: Sequence[Limit], told: Sequence[Event]) -> list[Event]:
    memory = _Memory(limits, told)
    while rows := reader.read(after_seq, ROWS_AT_ONCE):
        for row in rows:
            if isinstance(row, ScanRow):
                memory.recall(row.scan, row.stamps)
            elif row.event.kind is EventKind.DAEMON:
                memory.restart()
        after_seq = rows[-1].seq
    memory.restart()
    return list(memory.known.values())


class _Memory:
    """Judges that remember."""

    def __init__(self, limits: Sequence[Limit], told: Sequence[Event]) -> None:
        self._limits = limits
        self.known = {group_of(event): event for event in told}
        """How each group's figures stood when the last run ended."""
        self._judges: dict[str, Judge] = {}
        self._relations = Relations(limits, (), told)

    def recall(self, scan: Scan, stamps: tuple[Stamp, ...]) -> None:
        """A scan of a run."""
        judge = self._judges.get(scan.layout.id)
        if judge is None:
            judge = self._judges[scan.layout.id] = Judge(scan.layout, self._limits, (), self.known.values())
        judge.recall(scan, stamps)
        self._relations.recall(scan, stamps)

    def restart(self) -> None:
        """The run ended here, or another began: relations have their operands anew, as they had then."""
        found = [event for judge in self._judges.values() for event in judge.accumulated] + self._relations.accumulated
        self.known.update({group_of(event): event for event in found})
        self._judges.clear()
        self._relations = Relations(self._limits, (), list(self.known.values()))
