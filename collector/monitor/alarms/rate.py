"""How often alarms call just now, and whether it is a flood: the figures of merit of this moment.

calls in the last ten minutes   more than 10: a flood begins     fewer than 5: it is over
"""

from __future__ import annotations

from collections import deque

from collector.monitor.alarms.merit import FLOOD_BEGINS, FLOOD_ENDS, RATE_SPAN_NS, calls_of
from collector.terms import Event


class AlarmRate:
    """Of all alarms. Times ascend, but for what one slot tells late: that counts as of the newest."""

    def __init__(self, since_ns: int) -> None:
        """`since_ns`: from when on it hears."""
        self._since_ns = self._newest_ns = since_ns
        self._recent: deque[int] = deque()
        self.flood_since_ns: int | None = None
        """None: there is none."""

    def hear(self, event: Event) -> None:
        """An event; what is no call is nothing to it."""
        for call in calls_of((event,)):
            self.advance(call.at_ns)
            self._recent.append(self._newest_ns)
            if self.flood_since_ns is None and len(self._recent) > FLOOD_BEGINS:
                self.flood_since_ns = self._newest_ns

    def advance(self, now_ns: int) -> None:
        """Time has passed."""
        self._newest_ns = max(self._newest_ns, now_ns)
        while self._recent and self._recent[0] + RATE_SPAN_NS <= self._newest_ns:
            self._recent.popleft()
            if len(self._recent) < FLOOD_ENDS:
                self.flood_since_ns = None

    @property
    def calls(self) -> int:
        """In the ten minutes before it was last advanced."""
        return len(self._recent)

    @property
    def counted_s(self) -> float:
        """Of how long that is: ten minutes, or less after a start."""
        return min(RATE_SPAN_NS, self._newest_ns - self._since_ns) / 1e9
