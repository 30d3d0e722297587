"""What is wrong with a clock is told once, at its edge, and is a figure for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from collector.acquire.clock import PlantClock
from collector.acquire.clock_watch import ClockWatch
from collector.acquire.kernel_clock import KernelClock, kernel_clock
from collector.terms import Event, EventKind, Json
from drivers.base import Scan
from tests.fakes import endpoint_of
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout, scan

PLC = layout(column("temperature"), column("pressure"))
SYNCHRONISED, ALONE = KernelClock(True, 0.01, 0.001), KernelClock(False, 16.0, 16.0)


@dataclass
class Clocks:
    """A wall clock, a kernel and a device, set by hand; and what the watch said."""

    wall_ns: int = SLOT_NS
    passed_ns: int = 0
    kernel: KernelClock | None = SYNCHRONISED
    told: list[dict[str, Json]] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = PlantClock(0, lambda: self.wall_ns + self.passed_ns, lambda: self.passed_ns)
        self.clock, self.watch = clock, ClockWatch(clock, lambda: self.kernel, [endpoint_of({"plc": {"main": 1.0}})], self._hear)

    def _hear(self, event: Event) -> None:
        assert event.kind is EventKind.CLOCK
        self.told.append(dict(event.body))

    def look(self, *scans: Scan) -> list[dict[str, Json]]:
        """What is new, two seconds later."""
        self.passed_ns += 2 * SECOND_NS
        self.told.clear()
        self.watch.look(scans)
        return list(self.told)

    def stamped(self, *ages_s: float) -> Scan:
        """A scan received now, with stamps so many seconds before; the rest have none."""
        now_ns = self.clock.now_ns()
        stamps = np.zeros(2, np.int64)
        stamps[: len(ages_s)] = [now_ns - round(age_s * 1e9) for age_s in ages_s]
        return replace(scan(PLC, [1.0, 2.0], now_ns), received_ns=now_ns, source_ns=stamps)


def test_all_well_is_silent() -> None:
    clocks = Clocks()
    for _ in range(3):
        clocks.wall_ns += 1_000_000  # what discipline does
        assert clocks.look(clocks.stamped(0.1, 40.0)) == []
    figures = clocks.watch.figures()
    assert (figures["clock_synchronised"], figures["clock_max_error_s"]) == (True, 0.01)
    assert figures["clock_estimated_error_s"] == 0.001
    assert figures["clock_offset_s"] == 0.003
    assert figures["most_skew_s"] == -0.1


def test_a_step_forward_moves_plant_time_and_one_backward_does_not() -> None:
    clocks = Clocks()
    clocks.wall_ns += 3600 * SECOND_NS
    assert clocks.look() == [{"moved_s": 3600.0}]
    before_ns = clocks.clock.now_ns()
    clocks.wall_ns -= 7200 * SECOND_NS
    assert clocks.look() == [{"set_back_s": 7200.0, "offset_s": -7200.0}]
    assert clocks.clock.now_ns() == before_ns + 2 * SECOND_NS
    assert clocks.look() == [], "once"
    clocks.wall_ns += 3600 * SECOND_NS
    assert clocks.look() == [], "half of the way back: still behind, and not set back"
    clocks.wall_ns += 3600 * SECOND_NS
    assert clocks.look() == []
    assert clocks.watch.figures()["clock_offset_s"] == 0.0


def test_a_start_behind_the_journal_is_told() -> None:
    """The wall clock was set back while no daemon ran: plant time is ahead, and nobody would know why."""
    clocks = Clocks()
    clock = PlantClock(SLOT_NS + 10**12, lambda: clocks.wall_ns, lambda: 0)
    watch = ClockWatch(clock, lambda: None, [], clocks._hear)
    for _ in range(2):
        watch.look([])
    assert clocks.told == [{"set_back_s": 1000.0, "offset_s": -1000.0}]
    assert watch.figures()["clock_offset_s"] == -1000.0


def test_synchronisation_is_told_at_its_edges() -> None:
    clocks = Clocks(kernel=ALONE)
    assert clocks.look() == [{"synchronised": False, "max_error_s": 16.0}]
    assert clocks.look() == []
    clocks.kernel = None
    assert clocks.look() == []
    assert clocks.watch.figures()["clock_synchronised"] is None
    clocks.kernel = SYNCHRONISED
    assert clocks.look() == [{"synchronised": True, "max_error_s": 0.01}]


def test_a_device_is_skewed_beyond_its_bound_and_back() -> None:
    clocks = Clocks()
    assert clocks.look(clocks.stamped(3600.0)) == [], "the stamp may belong to an old value"
    (told,) = clocks.look(clocks.stamped(3600.0))
    skewed: dict[str, Json] = {"endpoint": "plc", "device": "plc", "skewed": True, "skew_s": -3600.0, "bound_s": 5.0}
    assert told == skewed
    assert clocks.look(clocks.stamped(3600.0)) == []
    (told,) = clocks.look(clocks.stamped(-1.0, 3600.0))
    assert told == skewed | {"skewed": False, "skew_s": 1.0}
    (told,) = clocks.look(clocks.stamped(-60.0))
    assert told == skewed | {"skew_s": 60.0}


def test_values_that_stand_still_tell_nothing_of_a_clock() -> None:
    clocks = Clocks()
    still = clocks.stamped(0.0)
    for _ in range(5):
        assert clocks.look(replace(still, received_ns=clocks.clock.now_ns())) == []
    assert clocks.watch.figures()["most_skew_s"] is None


def test_a_device_without_stamps() -> None:
    clocks = Clocks()
    assert clocks.look(scan(PLC, [1.0, 2.0])) == []
    assert clocks.look(replace(scan(PLC, [1.0, 2.0]), source_ns=np.zeros(2, np.int64))) == []
    assert clocks.watch.figures()["most_skew_s"] is None


def test_the_kernel_of_this_machine() -> None:
    now = kernel_clock()
    assert now is None or (0 <= now.estimated_error_s <= now.max_error_s + 1 and now.max_error_s < 1e4)
