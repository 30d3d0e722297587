"""Looks after the clocks: plant time follows a wall clock that is ahead, and what is wrong with any of them is told on the edge.

wall clock ahead            plant time is moved forward           moved_s
wall clock set back         plant time goes on, and is ahead      set_back_s
kernel's synchronisation    lost, found                           synchronised
a device's stamps           off by more than its bound, back      skew_s
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog

from collector.acquire.clock import TOLERANCE_NS, PlantClock
from collector.acquire.kernel_clock import KernelClock
from collector.terms import Event, EventKind, Json
from drivers.base import Endpoint, Scan

log = structlog.get_logger()


class ClockWatch:
    """To be looked through every few seconds; `tell` receives an event at each edge."""

    def __init__(
        self,
        clock: PlantClock,
        kernel: Callable[[], KernelClock | None],
        endpoints: Iterable[Endpoint],
        tell: Callable[[Event], None],
    ) -> None:
        self._clock, self._kernel, self._tell = clock, kernel, tell
        self._bounds_s = {endpoint.name: endpoint.clock_skew_s for endpoint in endpoints}
        self._offset_ns = 0  # a wall clock behind the newest commit, to which plant time holds, is told at the start
        self._synchronised = True  # that it is not is told at the start
        self._stamps: dict[str, int] = {}
        self._skewed: set[str] = set()
        self.kernel: KernelClock | None = None
        self.skew_s: dict[str, float] = {}
        """By device: the newest stamp of its own − when that was received; what never changes its stamps tells nothing."""

    def look(self, scans: Iterable[Scan]) -> None:
        """`scans`: the newest of every group."""
        self._follow()
        self._look_at_kernel()
        for device, (scan, stamp_ns) in _stamped(scans).items():
            if self._stamps.get(device, 0) < stamp_ns:
                if device in self._stamps:  # it has just changed, so it is as old as the value
                    self._weigh(scan, (stamp_ns - scan.received_ns) / 1e9)
                self._stamps[device] = stamp_ns

    def figures(self) -> dict[str, Json]:
        """For the gateway's event."""
        kernel = self.kernel
        return {
            "clock_offset_s": self._clock.offset_ns() / 1e9,
            "clock_synchronised": kernel.synchronised if kernel else None,
            "clock_max_error_s": kernel.max_error_s if kernel else None,
            "clock_estimated_error_s": kernel.estimated_error_s if kernel else None,
            "most_skew_s": max(self.skew_s.values(), key=abs, default=None),
        }

    def _follow(self) -> None:
        offset_ns = self._clock.offset_ns()
        if offset_ns < self._offset_ns - TOLERANCE_NS:
            set_back_s = (self._offset_ns - offset_ns) / 1e9
            log.warning("the wall clock was set back; plant time goes on", set_back_s=set_back_s, offset_s=offset_ns / 1e9)
            self._say({"set_back_s": set_back_s, "offset_s": offset_ns / 1e9})
        moved_ns = self._clock.follow()
        self._offset_ns = offset_ns - moved_ns
        if moved_ns:
            log.warning("plant time moved forward to the wall clock", moved_s=moved_ns / 1e9)
            self._say({"moved_s": moved_ns / 1e9})

    def _look_at_kernel(self) -> None:
        self.kernel = kernel = self._kernel()
        if kernel is not None and kernel.synchronised is not self._synchronised:
            log.warning("the gateway's clock is " + ("synchronised again" if kernel.synchronised else "not synchronised"))
            self._synchronised = kernel.synchronised
            self._say({"synchronised": kernel.synchronised, "max_error_s": kernel.max_error_s})

    def _weigh(self, scan: Scan, skew_s: float) -> None:
        device, bound_s = scan.layout.device, self._bounds_s[scan.layout.endpoint]
        self.skew_s[device] = round(skew_s, 3)
        skewed = abs(skew_s) > bound_s
        if skewed is (device in self._skewed):
            return
        self._skewed ^= {device}
        log.warning("device's clock " + ("is off" if skewed else "is right again"), device=device, skew_s=self.skew_s[device])
        where = {"endpoint": scan.layout.endpoint, "device": device}
        self._say({**where, "skewed": skewed, "skew_s": self.skew_s[device], "bound_s": bound_s})

    def _say(self, body: Mapping[str, Json]) -> None:
        self._tell(Event(EventKind.CLOCK, self._clock.now_ns(), body=body))


def _stamped(scans: Iterable[Scan]) -> dict[str, tuple[Scan, int]]:
    """By device, the newest stamp of its own, and the scan that has it."""
    newest: dict[str, tuple[Scan, int]] = {}
    for scan in scans:
        if scan.source_ns is None or not scan.source_ns.any():
            continue
        stamp_ns, device = int(scan.source_ns.max()), scan.layout.device
        if device not in newest or newest[device][1] < stamp_ns:
            newest[device] = scan, stamp_ns
    return newest
