"""What it costs to ask of every sample whether it is plausible: CPU of a scan, by how much is checked and of how many tags.

    python -m bench.plausibility [--quick]

Calm: nothing is doubted, as nearly always. 1 % bad: some samples of each scan are not good. A spike: one tag in each scan jumps
and is back. The rival does the same, tag by tag, in plain Python.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bench._figures import figure
from collector.monitor.plausibility.group import Measured
from collector.monitor.plausibility.plausibility import Plausibility
from config.tags import Kind, OpcUaTag
from drivers.base import Column, Layout, Scan, Status

TAGS = (100, 1_000, 10_000)
SECOND_NS = 1_000_000_000
SPIKE, PER_S, FLAT_S, WITHIN = 5.0, 4.0, 60, 3.0
CHECKS: dict[str, dict[str, object]] = {
    "nothing checked": {},
    "ranges": {"range": [-100, 100]},
    "range, spike, rate, flat line, pair": {
        "range": [-100, 100],
        "plausible": {"spike": SPIKE, "rate_per_min": 60 * PER_S, "flat_s": FLAT_S},
    },
}


def group(k: int, checks: dict[str, object]) -> tuple[Layout, Plausibility]:
    """Of k tags, of which each two measure the same where there is more to check than the range."""
    tags = []
    for n in range(k):
        given = {"name": f"T{n}", "address": f"i={n}", **checks}
        if n % 2 == 0 and isinstance(plausible := checks.get("plausible"), dict):
            given["plausible"] = {**plausible, "agrees_with": f"T{n + 1}", "within": WITHIN}
        tags.append(OpcUaTag.model_validate(given))
    layout = Layout("e", "d", "g", SECOND_NS, tuple(Column(tag.name, tag.role, "U", Kind.REAL) for tag in tags))
    partners = {("U", tag.role): tag.plausible.agrees_with for tag in tags if tag.plausible and tag.plausible.agrees_with}
    return layout, Plausibility([Measured(layout, tuple(tags), (False,) * k)], partners)


def scans(layout: Layout, count: int, *, bad: bool, spikes: bool) -> Iterator[Scan]:
    """Noise around a level."""
    random, k = np.random.default_rng(1), len(layout.columns)
    for n in range(1, count + 1):
        values, status = 20 + random.normal(0, 0.3, k), np.zeros(k, np.uint32)
        if bad:
            at = random.integers(0, k, max(1, k // 100))
            values[at], status[at] = np.nan, Status.BAD_SENSOR_FAILURE
        if spikes:
            values[n % k] += 50
        yield Scan(layout, n * SECOND_NS, n * SECOND_NS, values, status, (status >> 30).astype(np.uint8))


def plain(k: int) -> Callable[[int, Sequence[float], Sequence[int]], list[int]]:
    """One tag after another."""
    base, possible, possible_s = [20.0] * k, [20.0] * k, [0] * k
    rest, since_s, suspect = [20.0] * k, [0] * k, [False] * k

    def examine(at_s: int, values: Sequence[float], quality: Sequence[int]) -> list[int]:
        doubted = []
        for n in range(k):
            value = values[n]
            if quality[n]:
                continue
            odd = not -100 <= value <= 100
            jumped = abs(value - base[n]) > SPIKE and not suspect[n]
            suspect[n] = jumped
            if not jumped:
                base[n] = value
            fast = abs(value - possible[n]) > PER_S * (at_s - possible_s[n])
            if not fast:
                possible[n], possible_s[n] = value, at_s
            if value != rest[n]:
                rest[n], since_s[n] = value, at_s
            apart = n % 2 == 1 and abs(value - values[n - 1]) > WITHIN
            if odd or jumped or fast or at_s - since_s[n] >= FLAT_S or apart:
                doubted.append(n)
        return doubted

    return examine


def cpu_us(work: Callable[[Scan], object], given: Sequence[Scan]) -> float:
    """The median scan."""
    spent = []
    for scan in given:
        began_ns = time.process_time_ns()
        work(scan)
        spent.append(time.process_time_ns() - began_ns)
    return sorted(spent)[len(spent) // 2] / 1e3


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    count = 150 if parser.parse_args().quick else 1_500
    for k in TAGS:
        for name, checks in CHECKS.items():
            for course in ("calm", "1 % bad", "a spike"):
                layout, plausibility = group(k, checks)
                given = list(scans(layout, count, bad=course == "1 % bad", spikes=course == "a spike"))
                ours = cpu_us(plausibility.examine, given)
                what = f"{k} tags, {name}, {course}: a scan"
                if "plausible" not in checks:
                    figure(what, ours, "µs")
                    continue
                machine = plain(k)
                rival = cpu_us(
                    lambda scan, machine=machine: machine(  # type: ignore[misc]
                        scan.slot_ns // SECOND_NS, scan.values.tolist(), scan.quality.tolist()
                    ),
                    given[:150],
                )
                figure(what, ours, "µs", "plain Python, tag by tag", rival)


if __name__ == "__main__":
    main()
