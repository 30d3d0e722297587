"""What the monitor's core costs: all statistics and 16 rules per tag, per scan, beside what else would do it.

    python -m bench.monitor [--quick]

All statistics: rolling mean, min, max, std, slope, time outside, EWMA, CUSUM to both sides. The rules: LL, L, H and HH on the
value, L and H on mean, slope and EWMA, L on min, H on max, std, time outside and each CUSUM. float64; medians, the rivals'
taken in turns with ours. No rival does all of it but the compiled loop:

- numpy, bottleneck: mean, std, min and max of the whole tail with each scan, which is handed to them.
- numba: the loop one would write, sums added to and subtracted from, monotonic queues, all statistics and rules.
- river, deques: mean, std, min and max of each tag, in Python.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bench._figures import figure
from bench._monitor_finished import one_batch, samples_per_s, side_by_side
from bench._monitor_phases import TAGS as TAGS_OF_UNIT
from bench._monitor_phases import UNITS, Phases
from bench._monitor_rivals import rivals
from bench._monitor_work import Work

Scan = Callable[[], object]
TAGS, SCANS = (100, 1_000, 10_000, 50_000), (60, 600, 3_600)
QUICK = {(100, 60), (100, 600), (1_000, 600), (10_000, 600)}
GROUPS = 100
BAD_SHARE = 0.01
JUNK = np.ones(8 << 20)
"""64 MB, written to flush the caches."""


def filled(tags: int, scans: int, *, panes: bool, bad_share: float = 0.0) -> Work:
    """With a full window that has turned."""
    work = Work(tags, scans, panes=panes, bad_share=bad_share)
    for _ in range(scans * 5 // 4 + 32):
        work.scan()
    return work


def medians_ns(contestants: Mapping[str, Scan], rounds: int, budget_s: float = 1.0) -> dict[str, float]:
    """Of one scan, in turns; as many scans in a row as a share of `budget_s` allows."""
    taken: dict[str, list[int]] = {name: [] for name in contestants}
    bursts = {name: max(1, min(20, int(budget_s * 1e9 / rounds / max(1, _ns(scan))))) for name, scan in contestants.items()}
    for _ in range(rounds):
        for name, scan in contestants.items():
            if bursts[name] > 1:
                scan()
            taken[name] += [_ns(scan) for _ in range(bursts[name])]
    return {name: statistics.median(times) for name, times in taken.items()}


def _ns(scan: Scan) -> int:
    began = time.perf_counter_ns()
    scan()
    return time.perf_counter_ns() - began


def flushed_ns(scan: Scan, times: int = 9) -> float:
    """Of one scan whose memory is in no cache."""
    taken = []
    for _ in range(times):
        np.add(JUNK, 1.0, JUNK)
        taken.append(_ns(scan))
    return statistics.median(taken)


def compare(tags: int, scans: int, rounds: int) -> None:
    """One size: both modes, warm and flushed, and the rivals."""
    ours = {"exact": filled(tags, scans, panes=False), "panes": filled(tags, scans, panes=True)}
    others = dict(rivals(tags, scans))
    found = medians_ns({mode: work.scan for mode, work in ours.items()} | others, rounds)
    size = f"{tags} tags, {scans} scans"
    for mode, work in ours.items():
        figure(f"{size}, {mode}, warm", found[mode] / tags, "ns per tag and scan")
        figure(f"{size}, {mode}, warm: a scan", found[mode] / 1e3, "µs")
        figure(f"{size}, {mode}, flushed", flushed_ns(work.scan) / tags, "ns per tag and scan")
        figure(f"{size}, {mode}: memory", work.state_bytes / tags, "bytes per tag")
    for name in others:
        figure(f"{size}, exact, warm", found["exact"] / tags, "ns per tag and scan", name, found[name] / tags)


def bad_samples(tags: int, scans: int, rounds: int) -> None:
    """One in a hundred, so that no window is without."""
    works = {mode: filled(tags, scans, panes=mode == "panes", bad_share=BAD_SHARE) for mode in ("exact", "panes")}
    for mode, ns in medians_ns({mode: work.scan for mode, work in works.items()}, rounds).items():
        figure(f"{tags} tags, {scans} scans, {mode}, 1 % bad", ns / tags, "ns per tag and scan")


def apart(scans: int, rounds: int) -> None:
    """Small groups that arrive one by one: each finds the caches full of the others."""
    groups = [filled(100, scans, panes=False) for _ in range(GROUPS)]

    def second() -> None:
        for group in groups:
            group.scan()

    figure(
        f"{GROUPS} groups of 100 tags, {scans} scans, exact", medians_ns({"": second}, rounds)[""] / 1e6, "ms per plant-second"
    )


def finished(rounds: int) -> None:
    """Finished batches, in millions of samples per second of CPU; to reach: 30 with everything on."""
    for mode in ("exact", "panes"):
        samples, run = side_by_side(panes=mode == "panes", scans=1_000)
        figure(
            f"finished: 100 batches of 100 tags side by side, all on, {mode}", samples_per_s(samples, run, rounds) / 1e6, "M/s"
        )
    courses = {
        "limits on raw values, all inside": one_batch(rolling=False, loud=0.0),
        "limits on raw values, 5 tags leave them": one_batch(rolling=False, loud=0.05),
        "limits on raw values and five rolling statistics": one_batch(rolling=True, loud=0.05),
        "the same, and the mean of 5 tags leaves its limits": one_batch(rolling=True, loud=0.05, drifting=0.05),
        "everything on": one_batch(rolling=True, loud=0.05, lasting=True),
    }
    for name, (samples, run) in courses.items():
        figure(f"finished: judge, a batch of 100 tags, {name}", samples_per_s(samples, run, rounds) / 1e6, "M/s")


def phases(rounds: int) -> None:
    """A scan on which units enter another phase, and so have other limits; of CPU."""
    of = Phases()
    size = f"{UNITS * TAGS_OF_UNIT} tags, three rows each"
    figure(f"{size}: making the judge", of.made_ms, "ms")
    figure(f"{size}: its first scan", of.first_ms, "ms")
    figure(f"a phase change of one unit of {UNITS}, {size}", of.change_ms([UNITS // 2], rounds), "ms")
    figure(f"a phase change of all {UNITS} units, {size}", of.change_ms(range(UNITS), rounds), "ms")


def sizes(*, quick: bool) -> Iterable[tuple[int, int]]:
    """(tags, scans)."""
    return ((tags, scans) for tags in TAGS for scans in SCANS if not quick or (tags, scans) in QUICK)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = bool(parser.parse_args().quick)
    rounds = 3 if quick else 15
    for tags, scans in sizes(quick=quick):
        compare(tags, scans, rounds)
    bad_samples(10_000, 600, rounds)
    apart(600, rounds)
    finished(rounds)
    phases(rounds)


if __name__ == "__main__":
    main()
